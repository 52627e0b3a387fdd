"""The devices that the hub can show: the list and the unknown ones, as the files that the pipeline works with."""

import threading
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from city.catalogue import load_catalogue
from city.device import Device, DeviceType
from city.device_list import read_devices
from core.errors import ConfigError, UnavailableError
from ingest.unknown import Sighting, read_unknown

_MOST_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A device list as it was last right.

    Attributes:
        version: Of the list.
        devices: By id.
        names: The ids, sorted.
        types: Device types by id.
        findings: What is wrong in the file now; the list before it is shown, as it is the one that holds.
    """

    version: str
    devices: Mapping[str, Device]
    names: list[str]
    types: Mapping[str, DeviceType]
    findings: list[str] = field(default_factory=list)

    def after(self, name: str | None) -> list[str]:
        """The ids behind `name`; all where there is none."""
        return self.names if name is None else self.names[bisect_right(self.names, name) :]


class DeviceDirectory:
    """Reads the files when they are asked for and have changed; any thread may ask.

    Args:
        devices: The device list.
        device_types: The catalogue, None for the shipped one.
        unknown: Where the pipeline keeps who is unknown; it need not be there.
    """

    def __init__(self, devices: Path, device_types: Path | None, unknown: Path) -> None:
        self._path = devices
        self._types_path = device_types
        self._unknown = unknown
        self._lock = threading.Lock()
        self._mark: tuple[int, int, int] | None = None
        self._listed: Listed | None = None

    def listed(self) -> Listed:
        """The list as it is, or as it was when it was last right.

        Raises:
            UnavailableError: If it never was right since the hub started.
        """
        with self._lock:
            mark = self._look()
            if self._listed is None or mark != self._mark:
                self._listed, self._mark = self._read(), mark
            return self._listed

    def unknown(self) -> list[Sighting]:
        """Who publishes and is not on the list, by gateway and device.

        Raises:
            UnavailableError: If the file is there and cannot be read, or the list cannot be.
        """
        known = self.listed().devices
        return [seen for seen in read_unknown(self._unknown) if seen.device not in known]

    def _read(self) -> Listed:
        try:
            types = load_catalogue(self._types_path)
            version, devices = read_devices(self._path, types)
        except ConfigError as error:
            findings = str(error).splitlines()
            if self._listed is None:
                raise UnavailableError(findings[0]) from error
            last = self._listed
            return Listed(last.version, last.devices, last.names, last.types, findings[:_MOST_FINDINGS])
        return Listed(version, devices, sorted(devices), types)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
