"""Looks at the device list while it runs: what is right takes over, what is wrong is told and changes nothing."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from city.device import DeviceType
from core.errors import ConfigError
from runtime.device_list import DeviceList, DeviceShelf
from runtime.door import Door

log = logging.getLogger("scenewatch.devices")

_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """A list that is right and on the shelf, made ready beside the loop.

    Attributes:
        known: The list.
        names: Ids of the devices that are other than in the list before.
        feeds: Their feeds, as far as they were known when `looked` feeds were.
        looked: How many feeds were looked at.
    """

    known: DeviceList
    names: frozenset[str]
    feeds: list[int]
    looked: int


class DeviceWatch:
    """A thread that looks for changes of the file four times a second.

    A file is read once it has been the same at two looks: half a list that an editor has come to would be right, too.

    Args:
        path: The device list.
        types: Device types by id.
        door: Where the list holds.
        shelf: Where a list is kept before it takes over.
        on_change: Takes a change; called in the thread, in the order of the changes.
        stop: Ends the thread.
        seen: The mark of the file that was read already and was right; None to read it at the first look.

    Attributes:
        findings: What is wrong in the file now; the version before goes on meanwhile.
    """

    def __init__(
        self,
        path: Path,
        types: Mapping[str, DeviceType],
        door: Door,
        shelf: DeviceShelf,
        on_change: Callable[[DeviceChange], None],
        stop: threading.Event,
        *,
        seen: object = None,
    ) -> None:
        self.findings: list[str] = []
        self._path = path
        self._types = types
        self._door = door
        self._shelf = shelf
        self._on_change = on_change
        self._stop = stop
        self._known = door.known
        self._seen = seen
        self._last: object = None
        self._thread = threading.Thread(target=self._run, name="device-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look(self) -> None:
        """Look once: load the list if it changed and is still by now, hand it over if it is right."""
        mark, before = mark_of(self._path), self._last
        self._last = mark
        if mark == self._seen or mark != before:
            return
        try:
            found = DeviceList.read(self._path, self._types)
            if found.version != self._known.version and not self._shelf.keep(self._path, found.version):
                return  # it was written anew meanwhile: look again
        except (ConfigError, OSError) as error:
            self._tell(str(error).splitlines())
        else:
            self.findings = []
            self._hand_over(found)
        self._seen = mark

    def _tell(self, findings: list[str]) -> None:
        self.findings = findings
        for line in findings:
            log.warning("%s; version %s goes on running", line, self._known.version)

    def _hand_over(self, found: DeviceList) -> None:
        if found.version == self._known.version:
            return
        self._known, names = found.after(self._known)
        looked = len(self._door.registry)
        self._on_change(DeviceChange(self._known, names, self._door.feeds_of(names, 0, looked), looked))

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.look()


def mark_of(path: Path) -> tuple[int, int, int] | None:
    """What tells that a file is another one; None while there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
