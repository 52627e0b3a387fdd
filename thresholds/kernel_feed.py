"""A reading, or the passing of time, at a feed: its gauges, then its levels, then its calm."""

import math

import numpy as np
from numba import njit

from thresholds.kernel_calm import is_calm, make_calm
from thresholds.kernel_condition import holds
from thresholds.kernel_heap import wake_of
from thresholds.kernel_level import due_at, end, is_running, look_at, look_at_nothing, pass_by, stir, turn
from thresholds.kernel_measure import pass_to, take
from thresholds.kernel_state import (
    ABSENT,
    EXPIRY,
    HEARS,
    IDLE,
    READING,
    ROWS_PER_LEVEL,
    UNTOLD,
    Row,
    State,
)


@njit(nogil=True, forceinline=True)
def has_room(feed: int, s: State, n: int) -> bool:
    """Whether what one moment of a feed may give goes into `out` behind `n` rows."""
    return bool(n + ROWS_PER_LEVEL * s.watches[s.feeds[feed]["watch"]]["levels"] <= len(s.out))


@njit(nogil=True, forceinline=True)
def look(
    feed: int, time: int, value: float, arrival: int, came_ms: int, settle_ms: int, s: State, n: int
) -> tuple[int, bool]:
    """A reading at a feed, `came_ms` being its arrival in ms: the new number of rows, and whether there was room."""
    row = s.feeds[feed]
    if is_calm(row, time, value, came_ms):
        if row["busy"] & HEARS == 0:
            # The usual case: nothing is measured but absence, and no level changes.
            _keep(row, time, value, came_ms)
            pass_by(feed, s)
            return n, True
        if has_room(feed, s, n):
            if _hear(feed, s.watches[row["watch"]]["hears"], time, value, came_ms, s):
                pass_by(feed, s)
                return n, True
            stir(feed, s)
            return _look_levels(feed, bool(np.bool_(True)), time, arrival, settle_ms, s, n), True
    return _look_closely(feed, time, value, arrival, came_ms, settle_ms, s, n)


@njit(nogil=True, forceinline=True)
def _keep(row: Row, time: int, value: float, came_ms: int) -> None:
    """Let a reading be the last one of its feed."""
    row["event"] = time
    row["arrival"] = came_ms
    row["value"] = value


@njit(nogil=True)
def _hear(feed: int, gauges: int, time: int, value: float, came_ms: int, s: State) -> bool:
    """Give a reading to the first so many gauges of a feed; whether that changes nothing at any level."""
    row = s.feeds[feed]
    before = row["value"]
    _keep(row, time, value, came_ms)
    calm = True
    for gauge in range(row["gauge"], row["gauge"] + gauges):
        calm &= take(gauge, time, value, before, s)
    return calm


@njit(nogil=True)
def _look_closely(
    feed: int, time: int, value: float, arrival: int, came_ms: int, settle_ms: int, s: State, n: int
) -> tuple[int, bool]:
    """A reading that may change something; as `look`."""
    stir(feed, s)
    n, complete = _catch_up(feed, time, arrival, settle_ms, s, n)
    if not complete or not has_room(feed, s, n):
        return n, False
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    _hear(feed, int(watch["takes"]) if row["busy"] & UNTOLD == 0 else int(watch["measures"]), time, value, came_ms, s)
    return _look_levels(feed, bool(np.bool_(True)), time, arrival, settle_ms, s, n), True


@njit(nogil=True)
def _catch_up(feed: int, time: int, arrival: int, settle_ms: int, s: State, n: int) -> tuple[int, bool]:
    """What time alone does to a feed before a reading of event time `time`, earliest first.

    Delays end and gauges wake at instants before it; of one instant the gauges come first. Silence is told by arrival,
    so absence never begins here. Gives the new number of rows, and whether that was all (else there was no more room).
    """
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    while True:
        first = time
        for gauge in range(row["gauge"], row["gauge"] + watch["takes"]):
            first = min(first, s.gauges[gauge]["wake"])
        best = int(np.int64(-1))
        for rank in range(watch["levels"]):
            if is_running(row["busy"], rank):
                due = due_at(row["slot"] + rank, s)
                if due < first:
                    first, best = due, row["slot"] + rank
        if first == time:
            return n, True
        if not has_room(feed, s, n):
            return n, False
        if best >= 0:
            n = end(best, first, arrival, s, n)
        else:
            n = wake(feed, first, bool(np.bool_(True)), arrival, settle_ms, s, n)


@njit(nogil=True)
def wake(feed: int, time: int, overtaken: bool, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """Time alone has come to the event time `time` of a feed, at which some of its gauges wake; the number of rows.

    `overtaken`: by a reading that is there already, so that nothing is absent.
    """
    stir(feed, s)
    row = s.feeds[feed]
    gauges = range(row["gauge"], row["gauge"] + s.watches[row["watch"]]["measures"])
    for gauge in gauges:
        if not overtaken and is_absence(gauge, s) and wake_of(gauge, s) <= time:
            _tell_all(feed, s)
    for gauge in gauges:
        if wake_of(gauge, s) <= time and not (overtaken and is_absence(gauge, s)):
            pass_to(gauge, time, s)
    n = _look_levels(feed, bool(np.bool_(False)), time, arrival, settle_ms, s, n)
    for gauge in gauges:
        s.gauges[gauge]["woke"] = 0
    return n


@njit(nogil=True)
def _tell_all(feed: int, s: State) -> None:
    """Let every gauge of a feed be told of its next reading; when absence wakes is kept with each from here on."""
    row = s.feeds[feed]
    for gauge in range(row["gauge"], row["gauge"] + s.watches[row["watch"]]["measures"]):
        s.gauges[gauge]["wake"] = wake_of(gauge, s)
    row["busy"] |= UNTOLD


@njit(nogil=True, forceinline=True)
def is_absence(gauge: int, s: State) -> bool:
    """Whether a gauge tells that nothing comes."""
    return bool(s.measures[s.gauges[gauge]["measure"]]["kind"] == ABSENT)


@njit(nogil=True)
def _look_levels(feed: int, reading: bool, time: int, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """Every level of a feed at a reading, or those whose gauges woke; then its calm is made. The new number of rows."""
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    for rank in range(watch["levels"]):
        level = s.levels[watch["level"] + rank]
        if level["program"] == READING and not is_running(row["busy"], rank) and not _begins(row, level, s):
            continue
        slot = row["slot"] + rank
        turned = turn(slot, level, settle_ms, s)
        if reading:
            n = _look_at_reading(slot, time, arrival, settle_ms, s, n)
        else:
            n = _look_at_time(slot, turned, time, arrival, settle_ms, s, n)
    make_calm(feed, reading, settle_ms, s)
    return n


@njit(nogil=True, forceinline=True)
def _begins(row: Row, level: Row, s: State) -> bool:
    """Whether the condition of a level holds."""
    if level["measure"] == READING:
        return holds(level["op"], row["value"], 0.0, level["lo"], level["hi"])
    gauge = s.gauges[row["gauge"] + level["measure"]]
    return gauge["known"] == 1 and holds(level["op"], gauge["value"], gauge["other"], level["lo"], level["hi"])


@njit(nogil=True)
def _look_at_reading(slot: int, time: int, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """A reading at a level of its feed, whose gauges have it; the new number of rows."""
    state = s.slots[slot]
    row = s.feeds[state["feed"]]
    measure = s.levels[state["level"]]["measure"]
    reading = bool(np.bool_(True))
    if measure == READING:
        return look_at(slot, row["value"], 0.0, reading, time, arrival, settle_ms, s, n)
    gauge = s.gauges[row["gauge"] + measure]
    if gauge["known"] == 1:
        return look_at(slot, gauge["value"], gauge["other"], reading, time, arrival, settle_ms, s, n)
    if state["phase"] == IDLE:
        return n
    return look_at_nothing(slot, time, arrival, settle_ms, s, n)


@njit(nogil=True)
def _look_at_time(slot: int, turned: bool, time: int, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """A level whose gauge may have woken, or whose row has `turned`, without a reading; the new number of rows."""
    state = s.slots[slot]
    row = s.feeds[state["feed"]]
    level = s.levels[state["level"]]
    measure, silent = level["measure"], level["silent"]
    reading = bool(np.bool_(False))
    if silent > 0 and time > row["event"] + silent:
        return n
    if measure == READING:
        if not turned or math.isnan(row["value"]):
            return n
        return look_at(slot, row["value"], 0.0, reading, time, arrival, settle_ms, s, n)
    number = row["gauge"] + measure
    gauge = s.gauges[number]
    if turned and gauge["woke"] == 0 and gauge["begun"] == 1 and not is_absence(number, s):
        pass_to(number, time, s)
    elif not turned and (gauge["woke"] == 0 or (gauge["woke"] == EXPIRY and state["phase"] == IDLE)):
        return n
    if gauge["known"] == 0:
        return n
    return look_at(slot, gauge["value"], gauge["other"], reading, time, arrival, settle_ms, s, n)
