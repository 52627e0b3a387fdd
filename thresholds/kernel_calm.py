"""The calm of a feed: what readings, coming when, change nothing; most of them, also while levels run.

A level that is idle stays so while its condition does not hold; one that is raising in time goes on while it holds, one
that is active while nothing is beyond its clear value, one that is clearing while something is: each until its delay is
over. So around the numbers that a feed has there are bounds within which nothing has to be looked at. They lie on the
feed's own line, and for what is measured on the gauge's.

Delays and schedules also wait on the heap, by the wall time at which the feed's clock will be there. A reading that
came in sooner after its event time than all before lets it be there sooner, so that the entries have to be renewed:
there is a least offset too. Where readings are counted, every one of them matters, and there is no calm.
"""

import numpy as np
from numba import njit

from thresholds.kernel_condition import narrow, span
from thresholds.kernel_heap import arm_gauge
from thresholds.kernel_level import is_running
from thresholds.kernel_measure import set_wake
from thresholds.kernel_state import (
    ACTIVE,
    BY_HAND,
    BY_TIME,
    FARTHEST,
    IDLE,
    NEVER,
    RAISING,
    READING,
    SPAN,
    UNQUEUED,
    UNTOLD,
    Row,
    State,
)


@njit(nogil=True, forceinline=True)
def is_calm(row: Row, time: int, value: float, came_ms: int) -> bool:
    """Whether a reading changes nothing at the levels of a feed, but by what is measured of it."""
    return bool(
        (row["lo"] <= value) & (value <= row["hi"]) & (time >> SPAN < row["until"]) & (came_ms - time >= row["offset"])
    )


@njit(nogil=True)
def make_calm(feed: int, reading: bool, settle_ms: int, s: State) -> None:
    """Say anew when gauges wake, and what changes nothing from here on.

    Every level has been looked at, at a reading or not; where gauges have to be told of one, there is no calm before.
    """
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    row["lo"], row["hi"] = -np.inf, np.inf
    for gauge in range(row["gauge"], row["gauge"] + watch["hears"]):
        _open(s.gauges[gauge])
    until, offset = int(UNQUEUED), int(-FARTHEST)
    for rank in range(watch["levels"]):
        until, offset = _within_level(feed, rank, until, offset, settle_ms, s)
    told = row["busy"] & UNTOLD == 0
    for gauge in range(row["gauge"], row["gauge"] + (int(watch["takes"]) if told else int(watch["measures"]))):
        state = s.gauges[gauge]
        if state["begun"] == 0:
            continue
        set_wake(gauge, s)
        arm_gauge(gauge, settle_ms, s)
        if state["wake"] != UNQUEUED and gauge - row["gauge"] < watch["takes"]:
            until = min(until, state["wake"])
            offset = max(offset, state["queued"] - state["wake"] - settle_ms)
    if reading:
        row["busy"] &= ~np.int64(UNTOLD)
    if not (reading or told) or offset >= FARTHEST or until >> SPAN < -FARTHEST:
        row["lo"] = np.inf
        return
    row["until"], row["offset"] = min(until >> SPAN, FARTHEST - 1), offset


@njit(nogil=True, forceinline=True)
def _open(gauge: Row) -> None:
    """Let any number of a gauge be calm, and no level be known that compares it."""
    gauge["lo"], gauge["hi"] = -np.inf, np.inf
    gauge["other_lo"], gauge["other_hi"] = -np.inf, np.inf
    gauge["used"] = 0


@njit(nogil=True, forceinline=True)
def _within_level(feed: int, rank: int, until: int, offset: int, settle_ms: int, s: State) -> tuple[int, int]:
    """Narrow the calm of a feed to that of one of its levels; until when, and the least offset."""
    row = s.feeds[feed]
    level = s.levels[s.watches[row["watch"]]["level"] + rank]
    phase = int(np.int64(IDLE))
    if level["program"] != READING or is_running(row["busy"], rank):
        slot = s.slots[row["slot"] + rank]
        level, phase = s.levels[slot["level"]], slot["phase"]
        if phase not in (IDLE, ACTIVE):
            by = level["raise_by"] if phase == RAISING else level["clear_by"]
            if by == BY_TIME and level["silent"] > 0 and slot["due"] > row["event"] + level["silent"]:
                # It goes on the heap with the first reading that is near enough.
                until = min(until, slot["due"] - level["silent"])
            elif by == BY_TIME:
                until = min(until, slot["due"])
                offset = max(offset, slot["queued"] - slot["due"] - settle_ms)
            elif by != BY_HAND:
                row["lo"] = np.inf
    _within_condition(feed, level, phase, s)
    return until, offset


@njit(nogil=True, forceinline=True)
def _within_condition(feed: int, level: Row, phase: int, s: State) -> None:
    """Narrow the calm of a feed to where a level stays in its phase."""
    row = s.feeds[feed]
    op, lo, hi, wanted = level["op"], level["lo"], level["hi"], phase == RAISING
    if phase > RAISING:
        wanted = phase == ACTIVE
        if level["clear_op"] != NEVER:
            op, lo, hi, wanted = level["clear_op"], level["clear_lo"], level["clear_hi"], not wanted
    measure = level["measure"]
    if measure == READING:
        begin, end = span(op, wanted, row["value"], lo, hi)
        row["lo"], row["hi"] = max(row["lo"], begin), min(row["hi"], end)
    elif measure < s.watches[row["watch"]]["hears"]:
        gauge = s.gauges[row["gauge"] + measure]
        if phase != IDLE:
            gauge["used"] = 1
        narrow(gauge, op, wanted, lo, hi)
