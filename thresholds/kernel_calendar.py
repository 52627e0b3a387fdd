"""Where a time lies among the borders of a calendar or schedule."""

from numba import njit

from thresholds.kernel_state import Row, State


@njit(nogil=True)
def border(time: int, m: Row, s: State) -> int:
    """Index of the last border of a calendar or schedule at or before a time, the first one if there is none."""
    lo, hi = m["first"], m["first"] + m["count"]
    while hi - lo > 1:
        middle = (lo + hi) >> 1
        if s.times[middle] <= time:
            lo = middle
        else:
            hi = middle
    return int(lo)
