"""The level machine: what a number, or the passing of time, does to the levels of a feed."""

import math

import numpy as np
from numba import njit

from thresholds.kernel_baseline import deviates
from thresholds.kernel_heap import arm_gauge, arm_slot, wake_of
from thresholds.kernel_measure import pass_to, set_wake, take
from thresholds.kernel_state import (
    ABOVE,
    ABSENT,
    ACTIVE,
    AT_ONCE,
    AWAY,
    BELOW,
    BY_SAMPLES,
    BY_SOME,
    BY_TIME,
    CLEARED,
    CLEARING,
    COUNT,
    EQUALS,
    EXPIRY,
    IDLE,
    IN_UNIT,
    INSIDE,
    LAPSED,
    LAST_BIT,
    MEANS,
    MOVED,
    NEVER,
    NOT_EQUALS,
    ONSET,
    OUTSIDE,
    RAISED,
    RAISING,
    READING,
    ROWS_PER_LEVEL,
    SCHEDULE,
    SOME,
    STILL,
    UNQUEUED,
    UNTOLD,
    WITHIN,
    Row,
    State,
)


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
        return deviates(op, value, other, lo, hi)
    return False


@njit(nogil=True)
def is_calm(watch: int, value: float, s: State) -> bool:
    """Whether a reading begins nothing at levels that are idle and compare it."""
    which = s.watches[watch]
    for k in range(which["level"], which["level"] + which["levels"]):
        level = s.levels[k]
        if level["measure"] == READING and holds(level["op"], value, 0.0, level["lo"], level["hi"]):
            return False
    return True


@njit(nogil=True, forceinline=True)
def has_room(feed: int, s: State, n: int) -> bool:
    """Whether what one moment of a feed may give goes into `out` behind `n` rows."""
    return bool(n + ROWS_PER_LEVEL * s.watches[s.feeds[feed]["watch"]]["levels"] <= len(s.out))


@njit(nogil=True, forceinline=True)
def is_timed(phase: int, raise_by: int, clear_by: int) -> bool:
    """Whether a delay in time runs."""
    return (phase == RAISING and raise_by == BY_TIME) or (phase == CLEARING and clear_by == BY_TIME)


@njit(nogil=True)
def _emit(kind: int, slot: int, at: int, onset: int, arrival: int, s: State, n: int) -> int:
    state = s.slots[slot]
    level = s.levels[state["level"]]
    feed = s.feeds[state["feed"]]
    raising = kind != CLEARED
    by = level["raise_by"] if raising else level["clear_by"]
    arg = level["raise_arg"] if raising else level["clear_arg"]
    value = feed["value"]
    if level["measure"] != READING:
        gauge = s.gauges[feed["gauge"] + level["measure"]]
        if s.measures[gauge["measure"]]["kind"] <= IN_UNIT:
            value = gauge["value"]
    row = s.out[n]
    row["at"] = at
    row["onset"] = onset
    row["arrival"] = arrival
    row["delay_ms"] = arg if by == BY_TIME else 0
    row["value"] = 0.0 if math.isnan(value) else value
    row["feed"] = state["feed"]
    row["scene"] = level["scene"]
    row["kind"] = kind
    row["severity"] = level["severity"]
    return n + 1


@njit(nogil=True)
def end(slot: int, at: int, arrival: int, s: State, n: int) -> int:
    """The delay of a raising or clearing level is over at `at`; the new number of rows."""
    state = s.slots[slot]
    if state["phase"] == RAISING:
        state["phase"] = ACTIVE
        return _emit(int(np.int64(RAISED)), slot, at, state["onset"], arrival, s, n)
    _rest(slot, s)
    return _emit(int(np.int64(CLEARED)), slot, at, state["onset"], arrival, s, n)


@njit(nogil=True)
def _rest(slot: int, s: State) -> None:
    """A level is idle from here on."""
    state = s.slots[slot]
    state["phase"] = IDLE
    row = s.feeds[state["feed"]]
    rank = slot - row["slot"]
    # Levels beyond the last bit share it, so it stays once it is set; the phase is what counts.
    if rank < LAST_BIT:
        row["busy"] &= ~(np.int64(1) << rank)


@njit(nogil=True)
def _shifted(bits: int, bit: int, arg: int) -> int:
    """The last readings of a delay of k of n, one more."""
    return int(((bits << 1) | bit) & ((1 << (arg % SOME)) - 1))


@njit(nogil=True)
def _bits(bits: int) -> int:
    found = 0
    while bits:
        bits &= bits - 1
        found += 1
    return found


@njit(nogil=True)
def _is_over(state: Row, by: int, arg: int, time: int) -> bool:
    """Whether the delay that runs is over at a reading, which has been counted, of event time `time`."""
    if by == BY_TIME:
        return bool(state["due"] <= time)
    if by == BY_SAMPLES:
        return bool(state["samples"] >= arg)
    if by == BY_SOME:
        return _bits(state["due"]) >= arg // SOME
    return by == AT_ONCE


@njit(nogil=True)
def _count(state: Row, by: int, arg: int) -> None:
    """A reading counts for the delay that runs."""
    state["samples"] += 1
    if by == BY_SOME:
        state["due"] = _shifted(state["due"], 1, arg)


@njit(nogil=True)
def _begin(state: Row, phase: int, by: int, arg: int, time: int) -> None:
    state["phase"] = phase
    state["onset"] = time
    state["due"] = 0 if by == BY_SOME else time + arg
    state["samples"] = 0


@njit(nogil=True)
def _look_idle(slot: int, held: bool, reading: bool, time: int, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """A moment of a level that is not active; the new number of rows."""
    state = s.slots[slot]
    level = s.levels[state["level"]]
    by, arg = level["raise_by"], level["raise_arg"]
    if by >= BY_SAMPLES and not reading:
        return n
    if not held:
        if state["phase"] == RAISING:
            if by == BY_SOME:
                state["due"] = _shifted(state["due"], 0, arg)
                if state["due"] != 0:
                    return n
            _rest(slot, s)
            n = _emit(int(np.int64(LAPSED)), slot, time, state["onset"], arrival, s, n)
        return n
    begins = state["phase"] == IDLE
    if begins:
        row = s.feeds[state["feed"]]
        row["busy"] |= np.int64(1) << min(slot - row["slot"], LAST_BIT)
        _begin(state, int(np.int64(RAISING)), by, arg, time)
    _count(state, by, arg)
    if _is_over(state, by, arg, time):
        return end(slot, time, arrival, s, n)
    if begins:
        n = _emit(int(np.int64(ONSET)), slot, time, time, arrival, s, n)
    if by == BY_TIME:
        arm_slot(slot, settle_ms, s)
    return n


@njit(nogil=True)
def _look_active(
    slot: int, beyond: bool, reading: bool, time: int, arrival: int, settle_ms: int, s: State, n: int
) -> int:
    """A moment of a level that is active; the new number of rows."""
    state = s.slots[slot]
    level = s.levels[state["level"]]
    by, arg = level["clear_by"], level["clear_arg"]
    if by in (BY_SAMPLES, BY_SOME) and not reading:
        return n
    if not beyond:
        if state["phase"] == CLEARING and by == BY_SOME:
            state["due"] = _shifted(state["due"], 0, arg)
            if state["due"] != 0:
                return n
        state["phase"] = ACTIVE
        return n
    if state["phase"] == ACTIVE:
        _begin(state, int(np.int64(CLEARING)), by, arg, time)
    _count(state, by, arg)
    if _is_over(state, by, arg, time):
        return end(slot, time, arrival, s, n)
    if by == BY_TIME:
        arm_slot(slot, settle_ms, s)
    return n


@njit(nogil=True, forceinline=True)
def _look_at(
    slot: int, value: float, other: float, reading: bool, time: int, arrival: int, settle_ms: int, s: State, n: int
) -> int:
    """A number at a level; the new number of rows."""
    state = s.slots[slot]
    level = s.levels[state["level"]]
    held = holds(level["op"], value, other, level["lo"], level["hi"])
    if state["phase"] <= RAISING:
        if not held and state["phase"] == IDLE:
            return n
        return _look_idle(slot, held, reading, time, arrival, settle_ms, s, n)
    beyond = not held
    if level["clear_op"] != NEVER:
        beyond = holds(level["clear_op"], value, other, level["clear_lo"], level["clear_hi"])
    return _look_active(slot, beyond, reading, time, arrival, settle_ms, s, n)


@njit(nogil=True, forceinline=True)
def is_running(busy: int, rank: int) -> bool:
    """Whether a level may not be idle."""
    return (busy >> min(rank, LAST_BIT)) & 1 == 1


@njit(nogil=True, forceinline=True)
def keep(feed: int, time: int, value: float, arrival: int, s: State) -> None:
    """Let a reading be the last one of its feed."""
    row = s.feeds[feed]
    row["event"] = time
    row["arrival"] = arrival // 1_000_000
    row["value"] = value


@njit(nogil=True)
def look_plain(feed: int, time: int, value: float, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """A reading at every level of a feed for which nothing is measured; the new number of rows."""
    keep(feed, time, value, arrival, s)
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    for rank in range(watch["levels"]):
        level = s.levels[watch["level"] + rank]
        if not is_running(row["busy"], rank) and not holds(level["op"], value, 0.0, level["lo"], level["hi"]):
            continue
        n = _look_at(row["slot"] + rank, value, 0.0, bool(np.bool_(True)), time, arrival, settle_ms, s, n)
    return n


@njit(nogil=True)
def look_measured(feed: int, time: int, value: float, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """A reading at every measure and every level of a feed; the new number of rows."""
    _hear(feed, time, value, arrival, s)
    n = _look_levels(feed, bool(np.bool_(True)), time, arrival, settle_ms, s, n)
    s.feeds[feed]["busy"] &= ~UNTOLD
    return n


@njit(nogil=True, forceinline=True)
def told_of(feed: int, s: State) -> int:
    """How many gauges of a feed, from the first one on, have to be told of a reading."""
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    return int(watch["takes"] if row["busy"] & UNTOLD == 0 else watch["measures"])


@njit(nogil=True)
def _hear(feed: int, time: int, value: float, arrival: int, s: State) -> None:
    """Give a reading to every gauge of a feed that has to be told."""
    row = s.feeds[feed]
    before = row["value"]
    keep(feed, time, value, arrival, s)
    for gauge in range(row["gauge"], row["gauge"] + told_of(feed, s)):
        take(gauge, time, value, before, s)


@njit(nogil=True)
def look_calm(feed: int, time: int, value: float, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """A reading at a feed with windows of which no level runs and no gauge has to wake; the new number of rows."""
    _hear(feed, time, value, arrival, s)
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    for rank in range(watch["levels"]):
        level = s.levels[watch["level"] + rank]
        if level["program"] != READING:
            level = s.levels[level["faces"] + s.gauges[row["gauge"] + level["program"]]["face"]]
        if level["measure"] == READING:
            begins = holds(level["op"], value, 0.0, level["lo"], level["hi"])
        elif level["measure"] >= watch["takes"]:
            begins = False
        else:
            gauge = s.gauges[row["gauge"] + level["measure"]]
            begins = gauge["known"] == 1 and holds(
                level["op"], gauge["value"], gauge["other"], level["lo"], level["hi"]
            )
        if begins:
            return _look_levels(feed, bool(np.bool_(True)), time, arrival, settle_ms, s, n)
    for k in range(watch["takes"]):
        m = s.measures[watch["measure"] + k]
        if m["kind"] == SCHEDULE or (m["kind"] == COUNT and m["of"] == MEANS):
            # It wakes at a time of its own; when that is by the clock of the feed, every reading says anew.
            set_wake(row["gauge"] + k, bool(np.bool_(False)), s)
            arm_gauge(row["gauge"] + k, settle_ms, s)
    return n


@njit(nogil=True, forceinline=True)
def is_undisturbed(feed: int, time: int, s: State) -> bool:
    """Whether no gauge of a feed has to wake by a reading of event time `time`; silence is told by arrival."""
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    first = int(UNQUEUED)
    for gauge in range(row["gauge"], row["gauge"] + watch["takes"]):
        first = min(first, s.gauges[gauge]["wake"])
    return first > time


@njit(nogil=True)
def wake(feed: int, time: int, overtaken: bool, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """Time alone has come to the event time `time` of a feed, at which some of its gauges wake; the number of rows.

    `overtaken`: by a reading that is there already, so that nothing is absent.
    """
    row = s.feeds[feed]
    gauges = range(row["gauge"], row["gauge"] + s.watches[row["watch"]]["measures"])
    for gauge in gauges:
        s.gauges[gauge]["wake"] = wake_of(gauge, s)
    row["busy"] |= UNTOLD
    for gauge in gauges:
        if s.gauges[gauge]["wake"] <= time and not (overtaken and is_absence(gauge, s)):
            pass_to(gauge, time, s)
    n = _look_levels(feed, bool(np.bool_(False)), time, arrival, settle_ms, s, n)
    for gauge in gauges:
        s.gauges[gauge]["woke"] = 0
    return n


@njit(nogil=True, forceinline=True)
def is_absence(gauge: int, s: State) -> bool:
    """Whether a gauge tells that nothing comes."""
    return bool(s.measures[s.gauges[gauge]["measure"]]["kind"] == ABSENT)


@njit(nogil=True)
def _look_levels(feed: int, reading: bool, time: int, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """Every level of a measured feed at a reading, or those whose gauges woke; then say when gauges wake next."""
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    used = np.int64(0)
    for rank in range(watch["levels"]):
        slot = row["slot"] + rank
        turned = _turn(slot, s.levels[watch["level"] + rank], settle_ms, s)
        measure = s.levels[s.slots[slot]["level"]]["measure"]
        n = _look_measure(slot, measure, reading, turned, time, arrival, settle_ms, s, n)
        if measure != READING and s.slots[slot]["phase"] != IDLE:
            used |= np.int64(1) << min(measure, LAST_BIT)
    for k in range(told_of(feed, s)):
        gauge = row["gauge"] + k
        if s.gauges[gauge]["begun"] == 1:
            set_wake(gauge, (used >> min(k, LAST_BIT)) & 1 == 1, s)
            arm_gauge(gauge, settle_ms, s)
    return n


@njit(nogil=True, forceinline=True)
def _look_measure(
    slot: int, measure: int, reading: bool, turned: bool, time: int, arrival: int, settle_ms: int, s: State, n: int
) -> int:
    """What a level of a measured feed compares, if that matters now; the new number of rows."""
    state = s.slots[slot]
    row = s.feeds[state["feed"]]
    value, other = row["value"], 0.0
    if not reading:
        silent = s.levels[state["level"]]["silent"]
        if (measure == READING and math.isnan(value)) or (silent > 0 and time > row["event"] + silent):
            return n
    if measure == READING:
        if not reading and not turned:
            return n
        return _look_at(slot, value, other, reading, time, arrival, settle_ms, s, n)
    gauge = s.gauges[row["gauge"] + measure]
    if not reading:
        if turned and gauge["woke"] == 0 and gauge["begun"] == 1 and not is_absence(row["gauge"] + measure, s):
            pass_to(row["gauge"] + measure, time, s)
        elif not turned and (gauge["woke"] == 0 or (gauge["woke"] == EXPIRY and state["phase"] == IDLE)):
            return n
    if gauge["known"] == 0:
        if not reading or state["phase"] == IDLE:
            return n
        # Where the window says nothing, the condition does not hold and nothing is beyond the clear value.
        if state["phase"] == RAISING:
            return _look_idle(slot, bool(np.bool_(False)), reading, time, arrival, settle_ms, s, n)
        return _look_active(slot, bool(np.bool_(False)), reading, time, arrival, settle_ms, s, n)
    return _look_at(slot, gauge["value"], gauge["other"], reading, time, arrival, settle_ms, s, n)


@njit(nogil=True, forceinline=True)
def _turn(slot: int, head: Row, settle_ms: int, s: State) -> bool:
    """Let the row of the table be in force that the level's schedule says; whether that is another one.

    A running delay keeps its onset and takes the new length; one that is in time now waits from here on, also where
    the window has become empty and nothing is looked at.
    """
    state = s.slots[slot]
    if head["program"] == READING:
        return False
    row = s.feeds[state["feed"]]
    face = head["faces"] + s.gauges[row["gauge"] + head["program"]]["face"]
    if face == state["level"]:
        return False
    old, new = s.levels[state["level"]], s.levels[face]
    state["level"] = face
    if state["phase"] == RAISING:
        _take_length(state, old["raise_by"], new["raise_by"], new["raise_arg"], row["event"])
    elif state["phase"] == CLEARING:
        _take_length(state, old["clear_by"], new["clear_by"], new["clear_arg"], row["event"])
    if is_timed(state["phase"], new["raise_by"], new["clear_by"]):
        arm_slot(slot, settle_ms, s)
    return True


@njit(nogil=True)
def _take_length(state: Row, old_by: int, by: int, arg: int, event: int) -> None:
    if by == BY_SOME:
        kept = state["due"] & ((np.int64(1) << (arg % SOME)) - 1) if old_by == BY_SOME else 0
        state["due"] = max(kept, 1)
    else:
        state["due"] = max(state["onset"] + arg, event)


@njit(nogil=True)
def catch_up(feed: int, time: int, arrival: int, settle_ms: int, s: State, n: int) -> tuple[int, bool]:
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
        if n + ROWS_PER_LEVEL * watch["levels"] > len(s.out):
            return n, False
        if best >= 0:
            n = end(best, first, arrival, s, n)
        else:
            n = wake(feed, first, bool(np.bool_(True)), arrival, settle_ms, s, n)


@njit(nogil=True, forceinline=True)
def due_at(slot: int, s: State) -> int:
    """Event time at which time alone ends the delay of a level, UNQUEUED if it does not."""
    state = s.slots[slot]
    level = s.levels[state["level"]]
    if not is_timed(state["phase"], level["raise_by"], level["clear_by"]):
        return int(UNQUEUED)
    if level["silent"] > 0 and state["due"] > s.feeds[state["feed"]]["event"] + level["silent"]:
        return int(UNQUEUED)
    return int(state["due"])
