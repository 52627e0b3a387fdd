"""Readings as columns: the one shape in which measurements travel."""

import enum
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]


class Quality(enum.IntFlag):
    """What is known about one reading besides its value; 0 is an ordinary reading."""

    GOOD = 0
    NO_TIME = 1
    """The sender gave no time, or one relative to now: `event_time` is the arrival in ms, or counts from it."""
    LATE = 2
    """Older than the last reading of its feed: goes to history, never raises or clears."""
    REPEATED = 4
    """Same feed and same event time as the last one: a redelivery, never evaluated."""
    HISTORICAL = 8
    """The sender says that it is old data: goes to history, never raises or clears."""
    DERIVED = 16
    """Nobody sent it: it was made here of others, and does not count among the readings that were taken."""


NOT_EVALUATED = int(Quality.LATE | Quality.REPEATED | Quality.HISTORICAL)
"""Readings with any of these bits do not reach a decision."""


def is_derived(batch: "ReadingBatch") -> bool:
    """Whether nobody sent these readings: a batch is made here as a whole or not at all."""
    return len(batch) > 0 and bool(batch.quality[0] & Quality.DERIVED)


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """A struct of arrays, one row a reading, in the order of arrival.

    Attributes:
        feed: Dense index of the (device, metric), int32, shape (n,).
        event_time: When it was so, int64, milliseconds since the epoch, shape (n,).
        value: What was measured, in the metric's unit, float64, finite, shape (n,).
        arrival: When it came in, int64, nanoseconds since the epoch, never decreasing, shape (n,).
        quality: `Quality` bits, uint8, shape (n,).
    """

    feed: Int32
    event_time: Int64
    value: Float64
    arrival: Int64
    quality: UInt8

    def __len__(self) -> int:
        return len(self.feed)

    def __getitem__(self, rows: slice) -> "ReadingBatch":
        """The rows of a slice, as views."""
        return ReadingBatch(
            self.feed[rows], self.event_time[rows], self.value[rows], self.arrival[rows], self.quality[rows]
        )

    @classmethod
    def of(
        cls,
        feed: object,
        event_time: object,
        value: object,
        arrival: object = None,
        quality: object = None,
    ) -> Self:
        """A batch from anything array-like; without `arrival` a reading arrives at its event time.

        Raises:
            ValueError: If the columns differ in length.
        """
        feeds = np.ascontiguousarray(feed, np.int32).reshape(-1)
        times = np.ascontiguousarray(event_time, np.int64).reshape(-1)
        values = np.ascontiguousarray(value, np.float64).reshape(-1)
        arrivals = (
            np.maximum.accumulate(times) * 1_000_000
            if arrival is None
            else np.ascontiguousarray(arrival, np.int64).reshape(-1)
        )
        qualities = (
            np.zeros(len(feeds), np.uint8) if quality is None else np.ascontiguousarray(quality, np.uint8).reshape(-1)
        )
        lengths = {len(feeds), len(times), len(values), len(arrivals), len(qualities)}
        if len(lengths) != 1:
            raise ValueError(f"columns of a batch must have one length, these have {sorted(lengths)}")
        return cls(feeds, times, values, arrivals, qualities)

    @classmethod
    def concat(cls, batches: "list[ReadingBatch]") -> Self:
        """One batch out of several, in their order; an empty list gives an empty batch."""
        if not batches:
            return cls.of([], [], [])
        return cls(
            np.concatenate([b.feed for b in batches]),
            np.concatenate([b.event_time for b in batches]),
            np.concatenate([b.value for b in batches]),
            np.concatenate([b.arrival for b in batches]),
            np.concatenate([b.quality for b in batches]),
        )
