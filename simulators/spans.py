"""Stretches of time of devices, and what falls into them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from simulators.chance import Ints

_FAR = 1 << 45
"""More ms than any run has; a device's times lie in a stretch of their own of so many."""


class Spans:
    """Stretches [from, to) of rows, merged where they meet.

    Args:
        origin_ms: A time before all of them.
        spans: (row, from, to), ms.
    """

    def __init__(self, origin_ms: int, spans: Iterable[tuple[int, int, int]] = ()) -> None:
        self._origin = origin_ms
        merged: list[tuple[int, int, int]] = []
        for row, begin, end in sorted(spans):
            if merged and merged[-1][0] == row and begin <= merged[-1][2]:
                merged[-1] = (row, merged[-1][1], max(end, merged[-1][2]))
            else:
                merged.append((row, begin, end))
        columns = np.array(merged, np.int64).reshape(-1, 3)
        self.rows: Ints = columns[:, 0]
        self.begin: Ints = columns[:, 1]
        self.end: Ints = columns[:, 2]
        self._keys = self.rows * _FAR + (self.begin - origin_ms)

    def __len__(self) -> int:
        return len(self.rows)

    def inside(self, rows: Ints, t: Ints) -> NDArray[np.bool_]:
        """Which pairs of row and time, ms, lie in one, shape (n,)."""
        if not len(self.rows):
            return np.zeros(len(rows), np.bool_)
        at = np.searchsorted(self._keys, rows * _FAR + (t - self._origin), side="right") - 1
        safe = np.maximum(at, 0)
        return np.asarray((at >= 0) & (self.rows[safe] == rows) & (t < self.end[safe]))

    def ticks(self, period_ms: int, begin_ms: int, end_ms: int) -> tuple[Ints, Ints]:
        """(rows, times) of every `period_ms` in each stretch from its beginning on, those in [begin, end)."""
        here = (self.begin < end_ms) & (self.end > begin_ms)
        rows, first = self.rows[here], self.begin[here]
        skipped = np.maximum(0, -((first - begin_ms) // period_ms))
        until = np.minimum(self.end[here], end_ms)
        return ticks(rows, first + skipped * period_ms, until, period_ms)


def ticks(rows: Ints, first: Ints, until: Ints | int, period_ms: Ints | int) -> tuple[Ints, Ints]:
    """(rows, times): for each row `first`, `first + period`, ... before `until`."""
    count = np.maximum(0, -((first - until) // period_ms))
    start = np.cumsum(count) - count
    number = np.arange(int(count.sum())) - np.repeat(start, count)
    step = np.repeat(np.broadcast_to(np.asarray(period_ms), count.shape), count)
    return np.repeat(rows, count), np.repeat(first, count) + number * step
