"""Device lists by version, kept beside the journal, so that a replay decides about the devices that were known then."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from city.device import Device, DeviceType
from city.device_list import read_devices, version_of
from core.errors import ConfigError, DataLossError
from core.whole import write_whole

_LAST = "last"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class DeviceList:
    """Devices by id, and the version of the list that they stand in."""

    version: str
    devices: Mapping[str, Device]

    @classmethod
    def read(cls, path: Path, types: Mapping[str, DeviceType]) -> "DeviceList":
        """The list in a file.

        Raises:
            ConfigError: With every wrong row, a line each.
        """
        return cls(*read_devices(path, types))

    def after(self, before: "DeviceList") -> tuple["DeviceList", frozenset[str]]:
        """The same list with the devices of `before` where they are equal, and the ids of those that are not."""
        old = before.devices
        devices = {name: old[name] if old.get(name) == device else device for name, device in self.devices.items()}
        changed = {name for name, device in devices.items() if old.get(name) is not device}
        changed.update(name for name in old if name not in devices)
        return DeviceList(self.version, devices), frozenset(changed)


class DeviceShelf:
    """Files `<version>.csv` in a folder, as the lists were when they took over."""

    def __init__(self, folder: Path, types: Mapping[str, DeviceType]) -> None:
        self._folder = folder
        self._types = types
        self._ceased: dict[str, int] = {}

    def keep(self, path: Path, version: str) -> bool:
        """Copy the list at `path`, whole or not at all; False if it is not `version` any more."""
        target = self._folder / f"{version}.csv"
        if not target.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            digest = hashlib.sha256()
            with path.open(newline="", encoding="utf-8-sig") as source, partial.open("w", newline="") as copy:
                for line in source:
                    digest.update(line.encode())
                    copy.write(line)
            if version_of(digest) != version:
                partial.unlink()
                return False
            partial.replace(target)
        self._note(version)
        return True

    def last(self) -> str | None:
        """The version that was put here last, None if there is none."""
        note = self._folder / _LAST
        return note.read_text() if note.exists() else None

    def take(self, version: str) -> DeviceList:
        """The list of a version.

        Raises:
            DataLossError: If it is not on the shelf or does not load any more.
        """
        path = self._folder / f"{version}.csv"
        try:
            found = DeviceList.read(path, self._types)
        except ConfigError as error:
            first = str(error).splitlines()[0]
            raise DataLossError(f"the device list of version {version} cannot be taken up again: {first}") from error
        if found.version != version:
            raise DataLossError(f"{path} is damaged: restore it from a copy of the data folder")
        return found

    def cease(self, running: str, at: int) -> None:
        """Note that every list here but `running` decides no more behind position `at` of the journal."""
        for version in self._versions():
            if version != running:
                self._ceased.setdefault(version, at)
        self._ceased.pop(running, None)

    def drop_before(self, position: int) -> None:
        """Take away the lists that decided only before `position`: no snapshot leads back there any more."""
        for version in [version for version, at in self._ceased.items() if at <= position]:
            (self._folder / f"{version}.csv").unlink(missing_ok=True)
            del self._ceased[version]

    def _versions(self) -> Iterator[str]:
        return (path.stem for path in self._folder.glob("*.csv"))

    def _note(self, version: str) -> None:
        write_whole(self._folder / _LAST, version)


def read_and_keep(path: Path, types: Mapping[str, DeviceType], shelf: DeviceShelf) -> DeviceList:
    """The list in a file, which is on the shelf on return.

    Raises:
        ConfigError: If it is wrong, or changes faster than it can be read.
    """
    for _ in range(_TRIES):
        found = DeviceList.read(path, types)
        if shelf.keep(path, found.version):
            return found
    raise ConfigError(f"{path}: it changes while it is read; write it elsewhere and move it here")
