"""Which readings bring a time that is far from that of their arrival: one loop over a batch."""

import numpy as np
from numba import njit

from core.reading import Int32, Int64, UInt8

_SAYS_NOTHING = 1 | 8
"""Without a time of its own, or said to be old data."""


@njit(cache=True, nogil=True)
def suspects(
    feed: Int32, event_time: Int64, arrival: Int64, quality: UInt8, tolerance_ms: int, sample_ms: int, watched: int,
    due: Int64, rows: Int64,
) -> int:  # fmt: skip
    """Fill `rows` with readings to look at: far off, or of a feed that was and is looked at until it is right again.

    Args:
        feed: Dense feed index per row.
        event_time: ms per row.
        arrival: ns per row, never decreasing.
        quality: `Quality` bits per row.
        tolerance_ms: So far apart is ordinary.
        sample_ms: A feed is looked at no more often than this.
        watched: How many feeds have something in `due`; 0 spares a look at it for each row.
        due: When each feed is looked at next, ms; 0 for one that is not watched; changed.
        rows: Where the row numbers go; at most as many as fit are found, the others have to wait.

    Returns:
        How many were found.
    """
    found = 0
    came = now = np.int64(0)
    for i in range(len(feed)):
        if found == len(rows):
            return found
        if arrival[i] != came:  # mostly one for the whole batch: a division is dearer than all the rest
            came = arrival[i]
            now = came // 1_000_000
        age = now - event_time[i]
        if -tolerance_ms <= age <= tolerance_ms and (watched == 0 or due[feed[i]] == 0):
            continue
        if quality[i] & _SAYS_NOTHING or now < due[feed[i]]:
            continue
        due[feed[i]] = now + sample_ms
        rows[found] = i
        found += 1
        watched += 1
    return found
