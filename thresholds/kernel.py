"""The threshold engine: one loop over readings, a pure function of (state, batch, tables, now).

What a level compares is given by its measure (`kernel_measure`); the level machine (`kernel_level`) is one for all.
The entry points below are what numba keeps compiled, each whole, under a key over all sources of the kernel
(`kernel_stamp`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from core.reading import Float64, Int32, Int64, UInt8
from thresholds.kernel_ahead import ask
from thresholds.kernel_borrow import lend
from thresholds.kernel_feed import has_room, is_absence, look, wake
from thresholds.kernel_heap import arm_gauge, arm_slot, pop, put_off, queued, set_queued, wake_of
from thresholds.kernel_heap import moment_of as _moment_of
from thresholds.kernel_level import due_at, end, is_timed, stir
from thresholds.kernel_measure import PANES
from thresholds.kernel_measure import expect as _expect
from thresholds.kernel_stamp import STAMP
from thresholds.kernel_state import (
    BLOCK,
    DECISIONS,
    GAUGES,
    HEAP_SIZE,
    HEARS,
    NOT_EVALUATED_BITS,
    RESUMED,
    STUCK,
    UNQUEUED,
    Rows,
    State,
)

_MS = 1_000_000


@njit(nogil=True)
def _wakes_at(entry: int, s: State) -> int:
    """Event time at which an entry of the heap is due now, UNQUEUED if it is not any more."""
    if entry < 0:
        return wake_of(entry - GAUGES, s)
    return due_at(entry, s)


@njit(nogil=True)
def _pass_time(now_ms: int, settle_ms: int, s: State, n: int) -> tuple[int, bool]:
    """End every delay that is over and wake every gauge that is due by `now_ms`, by (moment, gauges first, number).

    Gives the rows filled, and whether that was all.
    """
    heap, meta = s.heap, s.meta
    while meta[HEAP_SIZE] > 0 and heap[0]["key"] <= now_ms:
        key = heap[0]["key"]
        entry = heap[0]["slot"]
        if queued(entry, s) != key:
            pop(s)
            continue
        time = _wakes_at(entry, s)
        if time == UNQUEUED:
            pop(s)
            set_queued(entry, UNQUEUED, s)
            continue
        feed = s.gauges[entry - GAUGES]["feed"] if entry < 0 else s.slots[entry]["feed"]
        moment = _moment_of(feed, time, settle_ms, s)
        if moment > key:
            put_off(moment, s)
            if entry >= 0 or not is_absence(entry - GAUGES, s):
                stir(feed, s)
            continue
        if not has_room(feed, s, n):
            return n, False
        pop(s)
        set_queued(entry, UNQUEUED, s)
        if entry < 0:
            n = wake(feed, time, bool(np.bool_(False)), key * _MS, settle_ms, s, n)
        else:
            n = end(entry, time, key * _MS, s, n)
    return n, True


@njit(nogil=True)
def _ask_ahead(feed: Int32, begin: int, i: int, s: State) -> None:
    """Ask for what the readings from `i` on will need.

    The feeds of a block are asked for first, one block later their gauges, and after another the panes of those.
    """
    rows = len(feed)
    for j in range(max(begin, i + 3 * BLOCK), min(i + 4 * BLOCK, rows)):
        ask(s.feeds, feed[j] if 0 <= feed[j] < len(s.feeds) else 0)
    for j in range(max(begin, i + 2 * BLOCK), min(i + 3 * BLOCK, rows)):
        row = s.feeds[feed[j] if 0 <= feed[j] < len(s.feeds) else 0]
        if row["busy"] & HEARS != 0:
            for gauge in range(row["gauge"], row["gauge"] + s.watches[row["watch"]]["hears"]):
                ask(s.gauges, gauge)
                ask(s.gauges, gauge, 1)
    for j in range(max(begin, i + BLOCK), min(i + 2 * BLOCK, rows)):
        row = s.feeds[feed[j] if 0 <= feed[j] < len(s.feeds) else 0]
        if row["busy"] & HEARS != 0:
            for gauge in range(row["gauge"], row["gauge"] + s.watches[row["watch"]]["hears"]):
                _ask_for_cells(gauge, s)


@njit(nogil=True, forceinline=True)
def _ask_for_cells(gauge: int, s: State) -> None:
    """Ask for the cells of a gauge that its next reading needs."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    if m["kind"] != STUCK:
        ask(s.cells, state["cell"])
    if m["panes"] > 1:
        here = state["cell"] + (PANES + state["here"]) * m["width"]
        ask(s.cells, here)
        ask(s.cells, here, 1)


@njit(nogil=True)
def _decide(
    begin: int, feed: Int32, event_time: Int64, value: Float64, arrival: Int64, quality: UInt8, now_ms: int,
    settle_ms: int, s: State,
) -> tuple[int, int]:  # fmt: skip
    """The loop of `evaluate`."""
    meta, heap = s.meta, s.heap
    # Typed, since numba compiles a callee once more for a literal.
    n = int(np.int64(0))
    decisions = 0
    rows = len(feed)
    i = begin
    for k in range(-3, 0):
        _ask_ahead(feed, begin, begin + k * BLOCK, s)
    while i <= rows:
        if (i - begin) % BLOCK == 0:
            _ask_ahead(feed, begin, i, s)
        moment = now_ms if i == rows else arrival[i] // _MS
        if meta[HEAP_SIZE] > 0 and heap[0]["key"] <= moment:
            n, complete = _pass_time(moment, settle_ms, s, n)
            if not complete:
                break
        if i == rows or quality[i] & NOT_EVALUATED_BITS:
            i += 1
            continue
        f = feed[i]
        if not 0 <= f < len(s.feeds):
            i = -1 - i
            break
        n, complete = look(f, event_time[i], value[i], arrival[i], moment, settle_ms, s, n)
        if not complete:
            break
        decisions += s.watches[s.feeds[f]["watch"]]["scenes"]
        i += 1
    meta[DECISIONS] += decisions
    return i, n


def _compiled(stamp: int) -> tuple[Callable[..., Any], ...]:
    """The entry points; `stamp` is there to be in numba's key."""

    @njit(cache=True, nogil=True)
    def evaluate(
        begin: int, feed: Int32, event_time: Int64, value: Float64, arrival: Int64, quality: UInt8, now_ms: int,
        settle_ms: int, feeds: Rows, slots: Rows, watches: Rows, levels: Rows, measures: Rows, gauges: Rows,
        cells: Float64, times: Int64, faces: Int32, heap: Rows, meta: Int64, out: Rows,
    ) -> tuple[int, int]:  # fmt: skip
        _ = stamp
        s = lend(State(feeds, slots, watches, levels, measures, gauges, cells, times, faces, heap, meta, out))
        return _decide(begin, feed, event_time, value, arrival, quality, now_ms, settle_ms, s)

    @njit(cache=True, nogil=True)
    def next_key(state: State) -> int:
        _ = stamp
        s = lend(state)
        while s.meta[HEAP_SIZE] > 0:
            if queued(s.heap[0]["slot"], s) == s.heap[0]["key"]:
                return int(s.heap[0]["key"])
            pop(s)
        return -1

    @njit(cache=True, nogil=True)
    def arm_all(waiting: Int64, settle_ms: int, state: State) -> None:
        _ = stamp
        s = lend(state)
        for slot in waiting:
            if slot < 0:
                arm_gauge(slot - GAUGES, settle_ms, s)
                continue
            level = s.levels[s.slots[slot]["level"]]
            if is_timed(s.slots[slot]["phase"], level["raise_by"], level["clear_by"]):
                arm_slot(slot, settle_ms, s)

    @njit(cache=True, nogil=True)
    def expect(feeds: Int32, now_ms: int, settle_ms: int, state: State) -> None:
        _ = stamp
        s = lend(state)
        for feed in feeds:
            row = s.feeds[feed]
            measures = s.watches[row["watch"]]["measures"]
            if measures == 0:
                continue
            if row["event"] == 0 and row["arrival"] == 0:
                row["event"], row["arrival"] = now_ms, now_ms
            clock = row["event"] + now_ms - max(row["arrival"], s.meta[RESUMED])
            for gauge in range(row["gauge"], row["gauge"] + measures):
                _expect(gauge, max(clock, row["event"]), s)
                arm_gauge(gauge, settle_ms, s)

    @njit(cache=True, nogil=True)
    def let_go(waiting: Int64, now_ms: int, state: State) -> int:
        _ = stamp
        s = lend(state)
        n = int(np.int64(0))
        for slot in waiting:
            feed = s.feeds[s.slots[slot]["feed"]]
            at = feed["event"] + max(0, now_ms - max(feed["arrival"], s.meta[RESUMED]))
            n = end(slot, at, now_ms * 1_000_000, s, n)
        return n

    return evaluate, next_key, arm_all, expect, let_go


evaluate, next_key, arm_all, expect, let_go = _compiled(STAMP)
"""`evaluate(begin, feed, event_time, value, arrival, quality, now_ms, settle_ms, *State) -> (row, filled)` looks at the
rows of a batch from `begin` on, each after time has passed to its arrival; then at `now_ms`. `feed`: dense indices; one
that nothing watches is passed over. `event_time`: ms, rising with every evaluated reading of a feed. `value`: finite.
`arrival`: ns, never decreasing. `quality`: rows with a bit of `core.reading.NOT_EVALUATED` are passed over. `now_ms`:
where time passes to behind the last row; `NO_NOW`: nowhere. `settle_ms`: what is allowed for transport before time
alone decides. It gives (row to go on from, rows of `out` filled): all is done where the first is more than the number
of rows; it is -1 - row where a row's feed is beyond the state.

`next_key(state) -> ms` is the wall time at which time alone may decide next, -1 if never; it drops dead entries.
`arm_all(waiting, settle_ms, state)` puts delays and gauges (GAUGES + index) on the heap, after a restore.
`expect(feeds, now_ms, settle_ms, state)` lets absence count from now for feeds where it does not count yet.
`let_go(slots, now_ms, state) -> filled` clears levels that wait for a person's word."""
