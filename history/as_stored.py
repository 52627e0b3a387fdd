"""Readings of a selection as their files hold them: by feed, put in the order of arrival only when somebody asks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from core.errors import ScenewatchError
from core.reading import Float64, Int32, Int64, ReadingBatch, UInt8
from history.columns import Stored, ranked
from history.kernel import in_order, place, survey
from history.query import FeedName, Gap, Progress, Selection


class Merged:
    """Readings of files put in the order of arrival, one file after the other.

    Args:
        room: Most readings.
        lookup: Index of each feed id in the answer, -1 for one that is not asked for.
    """

    def __init__(self, room: int, lookup: Int32) -> None:
        self._feed: Int32 = np.empty(room, np.int32)
        self._event_time: Int64 = np.empty(room, np.int64)
        self._value: Float64 = np.empty(room, np.float64)
        self._arrival: Int64 = np.empty(room, np.int64)
        self._quality: UInt8 = np.empty(room, np.uint8)
        self._stamp: Int64 = np.empty(room, np.int64)
        self._lookup = lookup
        self._readings = 0

    def add(self, stored: Stored, order: Int32) -> None:
        """The rows `order` of a file; files that follow one another in time cost the least."""
        b = stored.batch
        self._readings = place(
            order, b.feed, b.event_time, b.value, b.arrival, b.quality, stored.lag, self._lookup, self._readings,
            self._feed, self._event_time, self._value, self._arrival, self._quality, self._stamp,
        )  # fmt: skip

    @property
    def batch(self) -> ReadingBatch:
        """What is there so far."""
        n = self._readings
        return ReadingBatch(
            self._feed[:n], self._event_time[:n], self._value[:n], self._arrival[:n], self._quality[:n]
        )  # fmt: skip


class UnreadableFileError(ScenewatchError):
    """A file could not be read on the way: who reads all of them first is told of its hole."""


class Survey(NamedTuple):
    """What is known of readings that are not in order.

    Attributes:
        readings: How many there are.
        latest_ms: By when the latest came in of those before each moment, and of all; -1 if none did.
        torn: Whether a moment lies between the arrival of one and its stamp, so that it may lie on both sides of it.
    """

    readings: int
    latest_ms: list[int]
    torn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AsStored:
    """Readings by feed.

    Attributes:
        files: The row groups of each file, in the order of days; by feed, then stamp, `feed` being history's own id.
            They may hold more than was asked for. Going through them may read them, and raise UnreadableFileError.
        rows: How many rows the files have.
        kept: Whether `files` are in memory, and no file is read any more.
        lookup: Index into `feeds` of each id, int32, -1 for one that is not asked for; rising with the id otherwise.
        start_ms: First event time.
        end_ms: Event time at which it ends.
        feeds: As in `Readings`.
        gaps: Holes of the range, by start, as far as they are known.
        problems: As in `Readings`.
    """

    files: Iterable[Sequence[Stored]]
    rows: int
    kept: bool
    lookup: Int32
    start_ms: int
    end_ms: int
    feeds: tuple[FeedName, ...]
    gaps: tuple[Gap, ...]
    problems: tuple[str, ...] = ()

    def groups(self) -> Iterator[Stored]:
        """The row groups of all files; the columns cannot be written to."""
        return (group.fixed() for file in self.files for group in file)

    def in_order(self) -> ReadingBatch:
        """The readings in the order of arrival, as `Readings.batch`."""
        merged = Merged(self.rows, self.lookup)
        for file in self.files:
            whole = ranked(Stored.joined(file))
            merged.add(whole, asked_for(whole, self.lookup, self.start_ms, self.end_ms))
        return merged.batch


@runtime_checkable
class HoldsByFeed(Protocol):
    """History that holds readings by feed."""

    def as_stored(self, of: Selection, progress: Progress | None = None, *, keep: bool = True) -> AsStored:
        """The readings of a selection by feed, as they lie: the fast way for whoever needs no order.

        Args:
            of: Which.
            progress: Told while they are read.
            keep: Whether they are kept in memory; else files are read whenever somebody goes through them.

        Raises:
            UnavailableError: If the store cannot be asked at all.
        """


class Surveyor:
    """Looks over row groups while somebody goes through them.

    Args:
        of: Whose.
        counted_from_ms: Event time from which on readings count.
        moments_ms: Rising.
    """

    def __init__(self, of: AsStored, counted_from_ms: int, moments_ms: Sequence[int]) -> None:
        self._of = of
        self._readingsed_from_ms = counted_from_ms
        self._moments = np.array(moments_ms, np.int64) * 1_000_000
        self._latest = np.full(len(self._moments) + 1, -1, np.int64)
        self._readings, self._torn = 0, False

    def groups(self) -> Iterator[Stored]:
        """Those of `AsStored.groups`, looked over."""
        of = self._of
        for group in of.groups():
            b = group.batch
            readings, torn = survey(
                b.feed, b.event_time, b.arrival, group.lag, of.lookup, of.start_ms, of.end_ms, self._readingsed_from_ms,
                self._moments, self._latest,
            )  # fmt: skip
            self._readings, self._torn = self._readings + readings, self._torn or torn
            yield group

    @property
    def seen(self) -> Survey:
        """What is known so far."""
        return Survey(self._readings, (np.maximum.accumulate(self._latest) // 1_000_000).tolist(), self._torn)


def asked_for(stored: Stored, lookup: Int32, start_ms: int, end_ms: int, rows: int | None = None) -> Int32:
    """Rows of what was read of a file that are asked for, in the order of arrival, int32.

    Args:
        stored: What was read.
        lookup: Index of each feed id in the answer, -1 for one that is not asked for.
        start_ms: First event time.
        end_ms: Event time at which it ends.
        rows: How many the whole file has; as many as its ranks say by default.

    Raises:
        ValueError: If it is not what was written.
    """
    order = np.empty(int(stored.rank.max(initial=-1)) + 1 if rows is None else rows, np.int32)
    batch = stored.batch
    kept = in_order(batch.feed, batch.event_time, stored.rank, lookup, start_ms, end_ms, order)
    if kept < 0:
        raise ValueError("its rows are not those that were written")
    return order[:kept]
