"""Who publishes and is on no list: kept for adoption, bounded, on disk within a second, out of the readings' way."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from core.errors import UnavailableError

log = logging.getLogger("scenewatch.devices")

MOST = 10_000
"""Most (gateway, device) pairs that are kept."""
MOST_METRICS = 50
"""Most metrics that are kept of one of them."""
FILE = "unknown.sqlite"
"""Its name in the data folder."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS unknown (
    gateway TEXT NOT NULL, device TEXT NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, metrics TEXT NOT NULL, PRIMARY KEY (gateway, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped (id INTEGER PRIMARY KEY CHECK (id = 0), count INTEGER NOT NULL);
"""
_PUT = "INSERT OR REPLACE INTO unknown (gateway, device, first_ms, last_ms, count, metrics) VALUES (?, ?, ?, ?, ?, ?)"
_ALL = "SELECT gateway, device, first_ms, last_ms, count, metrics FROM unknown ORDER BY gateway, device"

Key = tuple[str, str]
"""(gateway, device)."""


@dataclass(slots=True)
class Sighting:
    """An unknown device as it was seen.

    Attributes:
        gateway: Behind which gateway.
        device: The name that it gives itself.
        first_ms: When its first reading was refused, ms.
        last_ms: And its last.
        count: How many were.
        metrics: The last value of each metric, by name; the first `MOST_METRICS` names.
    """

    gateway: str
    device: str
    first_ms: int
    last_ms: int
    count: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


class UnknownDevices:
    """The sightings of a pipeline. `note` is for its loop, everything else for any thread.

    Args:
        path: The file; made if it is not there.
        most: Most pairs; a further one is counted in `dropped` and not kept.

    Raises:
        UnavailableError: If the file cannot be opened.
    """

    def __init__(self, path: Path, *, most: int = MOST) -> None:
        self._path = path
        self._most = most
        self._lock = threading.Lock()
        self._changed: set[Key] = set()
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.executescript(_SCHEMA)
                self._seen = {(one.gateway, one.device): one for one in _sightings(database)}
                self.dropped = _dropped(database)
        except sqlite3.Error as error:
            raise UnavailableError(f"{path} cannot be opened for unknown devices: {error}; move it away") from error
        self._dropped_before = self.dropped

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, gateway: str, device: str, metric: str, value: float, now_ms: int) -> None:
        """A reading of a device that nobody knows was refused."""
        key = (gateway, device)
        with self._lock:
            seen = self._seen.get(key)
            if seen is None:
                if len(self._seen) >= self._most:
                    self.dropped += 1
                    return
                seen = self._seen[key] = Sighting(gateway, device, now_ms, now_ms)
            seen.last_ms = max(seen.last_ms, now_ms)
            seen.count += 1
            if metric in seen.metrics or len(seen.metrics) < MOST_METRICS:
                seen.metrics[metric] = value
            self._changed.add(key)

    def forget(self, known: Callable[[str], bool]) -> None:
        """Drop the sightings of devices that are known by now."""
        with self._lock:
            for key in [key for key in self._seen if known(key[1])]:
                del self._seen[key]
                self._changed.add(key)

    def newest(self, count: int) -> list[Sighting]:
        """The devices seen last, the latest first."""
        with self._lock:
            latest = sorted(self._seen.values(), key=lambda one: one.last_ms, reverse=True)[:count]
            return [replace(one, metrics=dict(one.metrics)) for one in latest]

    def write(self) -> None:
        """Bring the file up to date; what cannot be written now is written the next time."""
        with self._lock:
            changed, self._changed = self._changed, set()
            dropped = self.dropped
            rows = [_row(self._seen[key]) for key in changed if key in self._seen]
            gone = [key for key in changed if key not in self._seen]
        if not changed and dropped == self._dropped_before:
            return
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany(_PUT, rows)
                database.executemany("DELETE FROM unknown WHERE gateway = ? AND device = ?", gone)
                database.execute("INSERT OR REPLACE INTO dropped (id, count) VALUES (0, ?)", (dropped,))
                database.execute("COMMIT")
                self._dropped_before = dropped
        except sqlite3.Error as error:
            log.warning("%s cannot be written: %s; is the disk full?", self._path, error)
            with self._lock:
                self._changed |= changed


def read_unknown(path: Path) -> list[Sighting]:
    """The sightings in a file, by gateway and device; none if there is no file yet.

    Raises:
        UnavailableError: If it cannot be read.
    """
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return list(_sightings(database))
    except (sqlite3.Error, msgspec.DecodeError) as error:
        raise UnavailableError(f"{path} cannot be read: {error}") from error


def _sightings(database: sqlite3.Connection) -> Iterator[Sighting]:
    for gateway, device, first_ms, last_ms, count, metrics in database.execute(_ALL):
        yield Sighting(gateway, device, first_ms, last_ms, count, msgspec.json.decode(metrics, type=dict[str, float]))


def _dropped(database: sqlite3.Connection) -> int:
    row = database.execute("SELECT count FROM dropped").fetchone()
    return 0 if row is None else int(row[0])


def _row(seen: Sighting) -> tuple[str, str, int, int, int, str]:
    metrics = msgspec.json.encode(seen.metrics).decode()
    return seen.gateway, seen.device, seen.first_ms, seen.last_ms, seen.count, metrics
