"""Recorded data from files: CSV and Parquet to columns, wrong rows named and left out."""

import csv
import re
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from pyarrow import parquet, timestamp, types

from city.device_list import undecodable, usable
from core.errors import ConfigError
from core.reading import Float64, Int32, Int64

_SHOWN = 10
_SECONDS_BELOW = 100_000_000_000
"""Numbers below this are seconds since the epoch (up to the year 5138), others milliseconds (from 1973 on)."""
_MS_BEYOND = 253_402_300_800_000
"""The year 10000, which no time of a reading reaches."""
_RUN_TOGETHER = re.compile(r"(?:199\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}(?:\d{2})?)?")
"""A day and perhaps a time without anything between: as a number it would be seconds in 1970, or a year far away."""
_TIMES = ("timestamp", "time", "t", "datetime", "date")
_NO_COMMAS = ((";", "semicolons"), ("\t", "tabs"))
_VALUES = ("value", "v")
_FEEDS = ("feed", "device", "sensor")


@dataclass(frozen=True, slots=True)
class Recording:
    """Readings by time.

    Attributes:
        feeds: (device, metric) of each feed.
        feed: Index into `feeds`, int32, shape (n,).
        event_time: ms since the epoch, never decreasing, int64, shape (n,).
        value: Finite, float64, shape (n,).
        problems: Rows that were left out, a line each for the first ones.
        left_out: How many were left out.
    """

    feeds: tuple[tuple[str, str], ...]
    feed: Int32
    event_time: Int64
    value: Float64
    problems: tuple[str, ...]
    left_out: int

    def __len__(self) -> int:
        return len(self.feed)


def feed_name(name: str) -> tuple[str, str]:
    """(device, metric) of `device/metric`; a bare name is a device with the metric `value`.

    Raises:
        ConfigError: If it cannot be one.
    """
    device, slash, metric = name.strip().partition("/")
    metric = metric if slash else "value"
    if not usable(device) or not usable(metric):
        raise ConfigError(f"{name!r} is no feed: write device/metric, without further / and without + or #")
    return device, metric


def load_recording(path: Path, *, feed: str | None = None, tz: str = "UTC") -> Recording:
    """Read a CSV (`timestamp,value` or `feed,timestamp,value`, header or not) or Parquet file.

    Args:
        path: The file.
        feed: Name of the feed of a `timestamp,value` file; None for the file's own name.
        tz: Zone of times that have no offset.

    Raises:
        ConfigError: If the file cannot be read or no row of it is right.
    """
    zone = zone_of(tz)
    if path.is_dir():
        raise ConfigError(f"{path}: a folder; one file is played at a time")
    name = feed or _stem(path)
    feed_name(name)
    rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    return _columns(path, rows, name, zone)


def zone_of(tz: str) -> ZoneInfo:
    """The time zone that `--tz` names.

    Raises:
        ConfigError: If there is none of this name.
    """
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"--tz {tz}: no such time zone; write it like Asia/Shanghai") from error


def _stem(path: Path) -> str:
    return "".join(c if c not in "/+# " else "-" for c in path.stem)[:64]


Rows = list[tuple[int, str, str, str]]
"""(line, feed or "", time, value) as text."""


def _csv(path: Path) -> Rows:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            first = next(reader, None)
            if first is None:
                raise ConfigError(f"{path}: the file is empty")
            columns, header = _layout(path, first)
            rest = reader if header else chain([first], reader)
            rows: Rows = []
            for number, row in enumerate(rest, 2 if header else 1):
                if row:
                    cells = [row[i].strip() if 0 <= i < len(row) else "" for i in columns]
                    rows.append((number, *cells))  # type: ignore[arg-type]
            return rows
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = undecodable(path)
        raise ConfigError(f"{path}:{line}: not CSV in UTF-8: {error.reason}; save it as UTF-8") from error
    except csv.Error as error:
        raise ConfigError(f"{path}: not CSV: {error}") from error


def _layout(path: Path, first: list[str]) -> tuple[tuple[int, int, int], bool]:
    """Positions of (feed or -1, time, value) and whether the first row is a header."""
    names = [cell.strip().lower() for cell in first]
    times = [i for i, name in enumerate(names) if name in _TIMES]
    values = [i for i, name in enumerate(names) if name in _VALUES]
    if times and values:
        feeds = [i for i, name in enumerate(names) if name in _FEEDS]
        return (feeds[0] if feeds else -1, times[0], values[0]), True
    if len(first) == 2:
        return (-1, 0, 1), False
    if len(first) == 3:
        return (0, 1, 2), False
    other = next((f"; it is separated by {name}, write commas" for sign, name in _NO_COMMAS if sign in first[0]), "")
    count = f"{len(first)} column{'s' * (len(first) != 1)}"
    raise ConfigError(f"{path}:1: {count}; expected timestamp,value or feed,timestamp,value{other}")


def _parquet(path: Path) -> Rows:
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as Parquet: {error}") from error
    (feed, time, value), _ = _layout(path, table.column_names)
    cells: list[list[str]] = []
    for i in (feed, time, value):
        column = table.column(i) if i >= 0 else None
        if column is not None and types.is_timestamp(column.type):  # Python's own times end at microseconds
            column = column.cast(timestamp("us", column.type.tz), safe=False)
        found = [None] * len(table) if column is None else column.to_pylist()
        cells.append(["" if cell is None else str(cell) for cell in found])
    return [(n, f, t, v) for n, (f, t, v) in enumerate(zip(*cells, strict=True), 1)]


def _columns(path: Path, rows: Rows, name: str, zone: ZoneInfo) -> Recording:
    feeds: dict[str, int] = {}
    kept: list[tuple[int, int, float]] = []
    problems: list[str] = []
    left_out = 0
    for number, feed, time, value in rows:
        try:
            key = feed or name
            if key not in feeds:
                feed_name(key)
            at, number_read = parse_time(time, zone), _value(value)
            kept.append((feeds.setdefault(key, len(feeds)), at, number_read))
        except (ValueError, ConfigError) as error:
            left_out += 1
            if len(problems) < _SHOWN:
                problems.append(f"{path}:{number}: {error}")
    if not kept:
        raise ConfigError("\n".join([f"{path}: no row can be used", *problems]))
    feed_column, times, values = (np.array(column) for column in zip(*kept, strict=True))
    order = np.argsort(times, kind="stable")
    return Recording(
        feeds=tuple(feed_name(key) for key in feeds),
        feed=feed_column[order].astype(np.int32),
        event_time=times[order].astype(np.int64),
        value=values[order].astype(np.float64),
        problems=tuple(problems),
        left_out=left_out,
    )


def parse_time(text: str, zone: ZoneInfo) -> int:
    """Milliseconds since the epoch of an ISO time (with or without offset) or a number of seconds or milliseconds.

    Raises:
        ValueError: If it is none of these, or looks like a day all the same: `20261124`.
    """
    if _RUN_TOGETHER.fullmatch(text):
        raise ValueError(f"{text!r} looks like a day without its dashes; write it like 2026-11-24T10:00:00+08:00")
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        ms = number * 1000 if number < _SECONDS_BELOW else number
        if not 0 <= ms < _MS_BEYOND:
            raise ValueError(f"{text!r} is no time")
        return round(ms)
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write it like 2026-11-24T10:00:00+08:00") from None
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=zone)
    ms = round(stamp.timestamp() * 1000)
    if ms < 0:
        raise ValueError(f"{text!r} is before 1970")
    return ms


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if not np.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value
