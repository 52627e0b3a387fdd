"""The device list: CSV in, every wrong row named, nothing half loaded."""

import csv
import difflib
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from city.device import Device, DeviceType
from city.device_row import COLUMNS, NEEDED, RowReader, row_of, usable
from core.errors import ConfigError

_SHOWN = 50
_VERSION_DIGITS = 16
_KINDS = ("type", "place", "town", "kind")


def load_devices(path: Path, types: Mapping[str, DeviceType]) -> dict[str, Device]:
    """Devices by id from a CSV file with any of `COLUMNS` in any order; `device` and `gateway` are needed.

    Raises:
        ConfigError: With every wrong row, a line each; past 50 rows only their lines.
    """
    return read_devices(path, types)[1]


def read_devices(path: Path, types: Mapping[str, DeviceType]) -> tuple[str, dict[str, Device]]:
    """The version of a device list, which is a hash of what stands in it, and its devices by id.

    Raises:
        ConfigError: As `load_devices`.
    """
    digest = hashlib.sha256()

    def lines(file: Iterable[str]) -> Iterator[str]:
        for line in file:
            digest.update(line.encode())
            yield line

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            devices = parse_devices(lines(file), str(path), types)
    except OSError as error:
        raise ConfigError(f"{path}: the device list cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}:{undecodable(path)}: not CSV in UTF-8: {error.reason}; save it as UTF-8") from error
    return version_of(digest), devices


def version_of(digest: "hashlib._Hash") -> str:
    """The version of a list whose text was put into `digest`."""
    return digest.hexdigest()[:_VERSION_DIGITS]


def parse_devices(lines: Iterable[str], name: str, types: Mapping[str, DeviceType]) -> dict[str, Device]:
    """Devices by id from the lines of a list; `name` stands before every line of what is wrong.

    Raises:
        ConfigError: As `load_devices`.
    """
    problems = _Problems(name)
    rows = csv.reader(lines, strict=True)
    devices: dict[str, Device] = {}
    try:
        columns = _header(next(rows, []), name)
        reader = RowReader(columns, types)
        for row in rows:
            if not any(row):
                continue
            device, faults = reader.read(row)
            if device is None:
                problems.add(rows.line_num, faults)
            elif device.id in devices:
                problems.add(rows.line_num, [f"device {device.id!r} stands twice: take one row away"])
            else:
                devices[device.id] = device
    except csv.Error as error:
        problems.add(rows.line_num, [f"not CSV: {error}"])
    problems.refuse()
    return devices


def dump_devices(path: Path, devices: Iterable[Device]) -> None:
    """Write a device list that `load_devices` reads as it was.

    Raises:
        ValueError: If a device has what a list cannot hold, such as a line break or a tag with a semicolon.
    """
    path.write_text(format_devices(devices), encoding="utf-8")


def format_devices(devices: Iterable[Device], columns: Sequence[str] = ()) -> str:
    """The text of a device list.

    Args:
        devices: Its devices.
        columns: Columns to begin with, in this order; what else any device needs comes behind them.

    Raises:
        ValueError: As `dump_devices`.
    """
    rows = [row_of(device) for device in devices]
    wanted = [COLUMNS.index(name) for name in columns or (*NEEDED, *_KINDS)]
    kept = wanted + [k for k in range(len(COLUMNS)) if k not in wanted and any(row[k] for row in rows)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([COLUMNS[index] for index in kept])
    writer.writerows([row[index] for index in kept] for row in rows)
    return out.getvalue()


def undecodable(path: Path) -> int:
    """The line on which a file ceases to be UTF-8."""
    content = path.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1  # it was written anew meanwhile


class _Problems:
    """Wrong rows as lines to show: the first ones in full, of the others where they stand."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown: list[str] = []
        self._rows = 0
        self._more: list[int] = []

    def add(self, line: int, faults: Iterable[str]) -> None:
        self._rows += 1
        if self._rows <= _SHOWN:
            self._shown += [f"{self._name}:{line}: {fault}" for fault in faults]
        else:
            self._more.append(line)

    def refuse(self) -> None:
        if self._more:
            count = len(self._more)
            rows = "row" if count == 1 else "rows"
            self._shown.append(f"{self._name}: and {count} more wrong {rows}, on lines {_spans(self._more)}")
        if self._shown:
            raise ConfigError("\n".join(self._shown))


def _spans(lines: Sequence[int]) -> str:
    """Rising numbers in short: `3-5, 9`."""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def columns_of(path: Path) -> list[str]:
    """The header of a device list that loads."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def _header(found: Sequence[str], name: str) -> list[str]:
    columns = [column.strip() for column in found]
    faults = []
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        faults.append(f"lacks {', '.join(missing)}")
    for column in columns:
        if column not in COLUMNS:
            close = difflib.get_close_matches(column, COLUMNS, n=1)
            faults.append(f"has the unknown column {column!r}" + (f" (did you mean {close[0]}?)" if close else ""))
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        faults.append(f"has {', '.join(twice)} twice")
    if faults:
        raise ConfigError(f"{name}:1: the header {', and '.join(faults)}; it may have {','.join(COLUMNS)}")
    return columns


__all__ = [
    "COLUMNS",
    "columns_of",
    "dump_devices",
    "format_devices",
    "load_devices",
    "parse_devices",
    "read_devices",
    "undecodable",
    "usable",
    "version_of",
]
