"""Conditions: whether one holds for a number, and around a number from where to where that stays as it is."""

import math

import numpy as np
from numba import njit

from thresholds.kernel_state import (
    ABOVE,
    AWAY,
    AWAY_DOWN,
    AWAY_UP,
    BELOW,
    EQUALS,
    INSIDE,
    MOVED,
    NEAR_DOWN,
    NEAR_UP,
    NEVER,
    NOT_EQUALS,
    OUTSIDE,
    STILL,
    WITHIN,
    Row,
)

_NOWHERE = (math.inf, -math.inf)


@njit(nogil=True, inline="always")
def holds(op: int, value: float, other: float, lo: float, hi: float) -> bool:
    """Whether a condition holds for a number (`other`: the second one of a change, or the spread of a deviation)."""
    if op == ABOVE:
        return value > lo
    if op == BELOW:
        return value < lo
    if op == OUTSIDE:
        return value < lo or value > hi
    if op == INSIDE:
        return lo <= value <= hi
    if op == EQUALS:
        return value == lo
    if op == NOT_EQUALS:
        return value != lo
    if op == WITHIN:
        return lo < value < hi
    if op == MOVED:
        return value > lo or other > hi
    if op == STILL:
        return value < lo and other < lo
    if op >= AWAY:
        return _deviates(op, value, other, lo, hi)
    return False


@njit(nogil=True)
def _deviates(op: int, value: float, spread: float, lo: float, hi: float) -> bool:
    """Whether a deviation is more, or for the NEAR ones less, than `lo` spreads and `hi`, whichever is greater."""
    size = abs(value)
    if op in (AWAY_UP, NEAR_UP):
        size = value
    elif op in (AWAY_DOWN, NEAR_DOWN):
        size = -value
    limit = max(lo * spread, hi)
    return size > limit if AWAY <= op <= AWAY_DOWN else size < limit


@njit(nogil=True)
def _at_least(bound: float, closed: bool) -> float:
    """The least number that is not less than a bound, or is more where the bound is not `closed`."""
    return bound if closed else float(np.nextafter(bound, np.inf))


@njit(nogil=True)
def span(op: int, wanted: bool, value: float, lo: float, hi: float) -> tuple[float, float]:
    """From where to where, both included, a condition on one number is as wanted, for numbers around `value`.

    Where there is nothing of the kind, it is empty.
    """
    if op == NEVER:
        return _NOWHERE if wanted else (-np.inf, np.inf)
    begin, end = lo, hi
    if op == ABOVE:
        begin, end = -np.inf, lo
    elif op == BELOW:
        begin, end = lo, np.inf
    elif op in (EQUALS, NOT_EQUALS):
        begin, end = lo, lo
    if not begin <= end:
        return _NOWHERE
    closed = op != WITHIN
    if wanted == (op in (INSIDE, EQUALS, WITHIN)):
        return _at_least(begin, closed), -_at_least(-end, closed)
    above, below = _at_least(end, not closed), -_at_least(-begin, not closed)
    if value >= above:
        return above, np.inf
    if value <= below:
        return -np.inf, below
    return _NOWHERE


@njit(nogil=True)
def narrow(gauge: Row, op: int, wanted: bool, lo: float, hi: float) -> None:
    """Narrow the bounds of a gauge's numbers to where a condition is as wanted around those it has.

    Of a deviation that is for the spread that it has now.
    """
    value, other = gauge["value"], gauge["other"]
    if op in (MOVED, STILL):
        each = int(ABOVE if op == MOVED else BELOW)
        other_limit = hi if op == MOVED else lo
        both = wanted == (op == STILL)
        first = holds(each, value, 0.0, lo, lo) == wanted
        if both or first:
            begin, end = span(each, wanted, value, lo, lo)
            gauge["lo"], gauge["hi"] = max(gauge["lo"], _rounded_up(begin)), min(gauge["hi"], -_rounded_up(-end))
        if both or not first:
            begin, end = span(each, wanted, other, other_limit, other_limit)
            gauge["other_lo"] = max(gauge["other_lo"], _rounded_up(begin))
            gauge["other_hi"] = min(gauge["other_hi"], -_rounded_up(-end))
        return
    if op >= AWAY:
        limit = max(lo * other, hi)
        op, lo, hi = _of_limit(op, limit)
    begin, end = span(op, wanted, value, lo, hi)
    gauge["lo"], gauge["hi"] = max(gauge["lo"], _rounded_up(begin)), min(gauge["hi"], -_rounded_up(-end))


@njit(nogil=True)
def _rounded_up(bound: float) -> float:
    """The least float32 number that is not less: the bounds of gauges are such, so that they fit their line."""
    found = np.float32(bound)
    return float(np.nextafter(found, np.float32(np.inf)) if found < bound else found)


@njit(nogil=True)
def _of_limit(op: int, limit: float) -> tuple[int, float, float]:
    """A condition on a deviation, as one on a number with this limit."""
    if op == AWAY_UP:
        return int(ABOVE), limit, limit
    if op == NEAR_UP:
        return int(BELOW), limit, limit
    if op == AWAY_DOWN:
        return int(BELOW), -limit, -limit
    if op == NEAR_DOWN:
        return int(ABOVE), -limit, -limit
    return int(OUTSIDE if op == AWAY else WITHIN), -limit, limit
