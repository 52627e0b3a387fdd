"""The level machine: what a number, or the end of a delay, does to one level of a feed."""

import math

import numpy as np
from numba import njit

from thresholds.kernel_condition import holds
from thresholds.kernel_heap import arm_slot
from thresholds.kernel_state import (
    ACTIVE,
    AT_ONCE,
    BY_SAMPLES,
    BY_SOME,
    BY_TIME,
    CLEARED,
    CLEARING,
    IDLE,
    IN_UNIT,
    LAPSED,
    LAST_BIT,
    NEVER,
    ONSET,
    PASSED,
    RAISED,
    RAISING,
    READING,
    SOME,
    UNQUEUED,
    Row,
    State,
)


@njit(nogil=True, forceinline=True)
def is_running(busy: int, rank: int) -> bool:
    """Whether a level may not be idle."""
    return (busy >> min(rank, LAST_BIT)) & 1 == 1


@njit(nogil=True, forceinline=True)
def is_timed(phase: int, raise_by: int, clear_by: int) -> bool:
    """Whether a delay in time runs."""
    return (phase == RAISING and raise_by == BY_TIME) or (phase == CLEARING and clear_by == BY_TIME)


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


@njit(nogil=True, forceinline=True)
def pass_by(feed: int, s: State) -> None:
    """One more reading was looked at while its feed is calm."""
    row = s.feeds[feed]
    row["passed"] += 1
    if row["passed"] == PASSED:
        stir(feed, s)


@njit(nogil=True)
def stir(feed: int, s: State) -> None:
    """Let the calm of a feed be made anew with its next reading, and count what it has passed so far."""
    row = s.feeds[feed]
    row["lo"] = np.inf
    passed = row["passed"]
    row["passed"] = 0
    if passed == 0:
        return
    for rank in range(s.watches[row["watch"]]["levels"]):
        if is_running(row["busy"], rank):
            state = s.slots[row["slot"] + rank]
            if state["phase"] in (RAISING, CLEARING):
                state["samples"] += passed


@njit(nogil=True)
def end(slot: int, at: int, arrival: int, s: State, n: int) -> int:
    """The delay of a raising or clearing level is over at `at`; the new number of rows."""
    state = s.slots[slot]
    stir(state["feed"], s)
    if state["phase"] == RAISING:
        state["phase"] = ACTIVE
        return _emit(int(np.int64(RAISED)), slot, at, state["onset"], arrival, s, n)
    _rest(slot, s)
    return _emit(int(np.int64(CLEARED)), slot, at, state["onset"], arrival, s, n)


@njit(nogil=True)
def look_at(
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


@njit(nogil=True)
def look_at_nothing(slot: int, time: int, arrival: int, settle_ms: int, s: State, n: int) -> int:
    """A reading at a level that is not idle and whose window says nothing; the new number of rows.

    The condition does not hold, and nothing is beyond the clear value.
    """
    if s.slots[slot]["phase"] == RAISING:
        return _look_idle(slot, bool(np.bool_(False)), bool(np.bool_(True)), time, arrival, settle_ms, s, n)
    return _look_active(slot, bool(np.bool_(False)), bool(np.bool_(True)), time, arrival, settle_ms, s, n)


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
def turn(slot: int, head: Row, settle_ms: int, s: State) -> bool:
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
