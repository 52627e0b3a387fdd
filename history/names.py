"""Feeds by name: the journal's numbers to history's own, which are given once and never again."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from core.errors import DataLossError, UnavailableError
from core.reading import Int32
from history.query import FeedName

TypeOf = Callable[[str], str]
"""Device type of a device id; empty where it is not known."""


def types_of(types: Mapping[str, str]) -> TypeOf:
    """Device types out of a mapping."""
    return lambda device: types.get(device, "")


class FeedBook:
    """Names with history's numbers; numbers go up by one."""

    def __init__(self) -> None:
        self._numbers: dict[FeedName, int] = {}
        self._new: list[tuple[int, FeedName]] = []
        self._next = 0

    def learn(self, known: list[tuple[int, FeedName]]) -> None:
        """Take up what the ledger knows."""
        for number, name in known:
            self._numbers[name] = number
            self._next = max(self._next, number + 1)

    def __len__(self) -> int:
        return self._next

    @property
    def highest(self) -> int:
        """The highest number given, -1 for none."""
        return self._next - 1

    def number(self, name: FeedName) -> int:
        """The number of a feed, a new one if it was not known."""
        known = self._numbers.get(name)
        if known is None:
            known = self._numbers[name] = self._next
            self._new.append((known, name))
            self._next += 1
        return known

    def take_new(self) -> list[tuple[int, FeedName]]:
        """The feeds that got numbers since the last call."""
        found, self._new = self._new, []
        return found


class JournalNames:
    """What the journal calls a feed, as the pipeline writes it down beside the journal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[bytes] = []

    def upto(self, feed: int) -> list[bytes]:
        """Keys `gateway NUL device NUL metric` by the journal's number, at least up to `feed`.

        Raises:
            DataLossError: If there are fewer.
            UnavailableError: If the file cannot be read now.
        """
        if feed >= len(self._keys):
            try:
                beside = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=rw", uri=True)
                try:
                    rows = beside.execute("SELECT key FROM feed WHERE id >= ? ORDER BY id", (len(self._keys),))
                    self._keys += [row[0] for row in rows]
                finally:
                    beside.close()
            except sqlite3.Error as error:
                raise UnavailableError(f"{self._path} cannot be read: {error}") from error
        if feed >= len(self._keys):
            raise DataLossError(f"feed {feed} of the journal has no name in {self._path}")
        return self._keys

    def forget(self) -> None:
        """Read again from the start: it may be another journal."""
        self._keys = []


class Renumbering:
    """Journal numbers to history's."""

    def __init__(self, names: JournalNames, book: FeedBook, type_of: TypeOf) -> None:
        self._names = names
        self._book = book
        self._type_of = type_of
        self._map = np.empty(0, np.int32)

    def __call__(self, feed: Int32) -> Int32:
        """History's numbers of journal feeds; feeds that are new get one."""
        highest = int(feed.max()) if len(feed) else -1
        if highest >= len(self._map):
            keys = self._names.upto(highest)
            more = [self._book.number(self._name(key)) for key in keys[len(self._map) :]]
            self._map = np.concatenate([self._map, np.array(more, np.int32)])
        found: Int32 = self._map[feed]
        return found

    def _name(self, key: bytes) -> FeedName:
        gateway, device, metric = key.decode().split("\0")
        return FeedName(gateway, device, metric, self._type_of(device))
