"""Late and repeated readings: one loop over a batch."""

from numba import njit

from core.reading import Int32, Int64, UInt8

_NO_TIME = 1
_LATE = 2
_REPEATED = 4


@njit(cache=True, nogil=True)
def sequence(feed: Int32, event_time: Int64, quality: UInt8, last: Int64) -> tuple[int, int, int]:
    """Mark rows in `quality`, separate times in `event_time`, move `last` on.

    Args:
        feed: Dense feed index per row.
        event_time: ms per row; changed where a reading without a time meets the last one's.
        quality: `Quality` bits per row; changed.
        last: One more than the last event time of each feed, 0 for none yet; changed.

    Returns:
        (late rows, repeated rows, highest feed seen or -1).
    """
    late = 0
    repeated = 0
    highest = -1
    for i in range(len(feed)):
        f = feed[i]
        highest = max(highest, f)
        before = last[f] - 1
        time = event_time[i]
        if time > before:
            last[f] = time + 1
        elif quality[i] & _NO_TIME:
            event_time[i] = before + 1
            last[f] = before + 2
        elif time == before:
            quality[i] |= _REPEATED
            repeated += 1
        else:
            quality[i] |= _LATE
            late += 1
    return late, repeated, highest
