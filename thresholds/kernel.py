"""The threshold engine: one loop over readings, a pure function of (state, batch, tables, now).

What a level compares is given by its measure; measure 0 is the reading itself. Windows, rates and baselines come in as
further measures that make a number out of state and reading; the level machine behind it stays as it is.

Everything a loop touches for one feed lies together: a quiet reading of a quiet feed costs one cache line of state,
and that one is only read. It is one file because numba's cache does not see a change of what a file imports.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.reading import NOT_EVALUATED, Float64, Int32, Int64, UInt8

Rows = NDArray[np.void]
"""A structured array."""

Row = Any
"""One of its rows, in place: what is written to it is written to the array."""

NEVER = 0
ABOVE = 1
BELOW = 2
OUTSIDE = 3
INSIDE = 4
EQUALS = 5
NOT_EQUALS = 6
WITHIN = 7
"""Conditions: value > lo; < lo; < lo or > hi; lo <= value <= hi; = lo; another than lo; lo < value < hi."""

READING = 0
"""Measures: the reading itself."""

AT_ONCE = 0
BY_TIME = 1
BY_SAMPLES = 2
"""Delays: none; until `arg` ms after the onset; the `arg`th reading in a row."""

IDLE = 0
RAISING = 1
ACTIVE = 2
CLEARING = 3
"""Phases of a level."""

ONSET = 1
LAPSED = 2
RAISED = 3
CLEARED = 4
"""Kinds of transition, as in `thresholds.transition`."""

FEED = np.dtype(
    {
        "names": ["event", "arrival", "value", "busy", "slot", "level", "levels", "scenes"],
        "formats": ["i8", "i8", "f8", "i8", "i8", "i4", "i4", "i4"],
        "offsets": [0, 8, 16, 24, 32, 40, 44, 48],
        "itemsize": 64,
    }
)
"""State of a feed, one cache line. The last reading looked at (event time in ms, arrival in ms, value), kept only while
a level is not idle; one bit for each level that may not be idle; the first slot; the first row of `LEVEL` and how many;
how many scenes watch it."""

SLOT = np.dtype(
    [
        ("onset", "i8"),
        ("due", "i8"),
        ("queued", "i8"),
        ("feed", "i4"),
        ("level", "i4"),
        ("samples", "i4"),
        ("phase", "i4"),
    ]
)
"""State of a level of a feed: event times at which its delay began and is over, its earliest key on the heap, its feed,
its row of `LEVEL`, readings in a row so far, its phase."""

LEVEL = np.dtype(
    [
        ("lo", "f8"), ("hi", "f8"), ("clear_lo", "f8"), ("clear_hi", "f8"),
        ("raise_arg", "i8"), ("clear_arg", "i8"), ("silent", "i8"),
        ("op", "i4"), ("clear_op", "i4"), ("raise_by", "i4"), ("clear_by", "i4"),
        ("severity", "i4"), ("scene", "i4"), ("measure", "i4"),
    ],
    align=True,
)  # fmt: skip
"""A level of a scene, as some feeds have it. `clear_op` NEVER: it clears where the condition does not hold; `silent`: a
delay that would be over later than this after the last reading is held (0: never held)."""

HEAP = np.dtype([("key", "i8"), ("slot", "i8")])
"""Delays by the wall time in ms at which they may be over."""

OUT = np.dtype(
    [
        ("at", "i8"), ("onset", "i8"), ("arrival", "i8"), ("delay_ms", "i8"), ("value", "f8"),
        ("feed", "i4"), ("scene", "i4"), ("kind", "u1"), ("severity", "u1"),
    ],
    align=True,
)  # fmt: skip
"""A row of `thresholds.transition.Transitions`."""

HEAP_SIZE = 0
HEAP_ROOM = 1
RESUMED = 2
DECISIONS = 3
TOUCHED = 4
META = 5
"""Places in `meta`, int64: entries on the heap, how many may be, ms until which nobody listened, readings looked at
summed over scenes, and the bin for what is read ahead. META: their number."""

UNQUEUED = np.int64(1 << 62)
"""A slot's `queued` where it has no entry on the heap."""

NO_NOW = np.int64(-(1 << 62))
"""For `now` of `evaluate` where time passes by the readings only."""

ROWS_PER_LEVEL = 2
"""Most rows of one reading and level: the end of a delay, and what the reading itself does then."""

_BLOCK = 64
LAST_BIT = 62
"""Of `busy`: levels of a feed from this rank on share it."""
_NOT_EVALUATED = np.uint8(NOT_EVALUATED)


@njit(cache=True, nogil=True, inline="always")
def _holds(op: int, value: float, lo: float, hi: float) -> bool:
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
    return False


@njit(cache=True, nogil=True, inline="always")
def _before(key: int, slot: int, other_key: int, other_slot: int) -> bool:
    return key < other_key or (key == other_key and slot < other_slot)


@njit(cache=True, nogil=True)
def _sink(heap: Rows, size: int, at: int, key: int, slot: int) -> None:
    """Put (key, slot) where it belongs in the part of the heap under `at`, whose own entry is given up."""
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        right = child + 1
        if right < size and _before(heap[right]["key"], heap[right]["slot"], heap[child]["key"], heap[child]["slot"]):
            child = right
        if _before(key, slot, heap[child]["key"], heap[child]["slot"]):
            break
        heap[at]["key"] = heap[child]["key"]
        heap[at]["slot"] = heap[child]["slot"]
        at = child
    heap[at]["key"] = key
    heap[at]["slot"] = slot


@njit(cache=True, nogil=True)
def _pop(heap: Rows, meta: Int64) -> None:
    size = meta[HEAP_SIZE] - 1
    meta[HEAP_SIZE] = size
    if size > 0:
        _sink(heap, size, 0, heap[size]["key"], heap[size]["slot"])


@njit(cache=True, nogil=True)
def _sweep(heap: Rows, slots: Rows, meta: Int64) -> None:
    """Throw out entries that an earlier one of their slot has replaced: at most one a slot stays."""
    kept = 0
    for i in range(meta[HEAP_SIZE]):
        key = heap[i]["key"]
        slot = heap[i]["slot"]
        if slots[slot]["queued"] == key:
            slots[slot]["queued"] = UNQUEUED
            heap[kept]["key"] = key
            heap[kept]["slot"] = slot
            kept += 1
    for i in range(kept):
        slots[heap[i]["slot"]]["queued"] = heap[i]["key"]
    for i in range(kept // 2 - 1, -1, -1):
        _sink(heap, kept, i, heap[i]["key"], heap[i]["slot"])
    meta[HEAP_SIZE] = kept


@njit(cache=True, nogil=True)
def _push(heap: Rows, slots: Rows, meta: Int64, key: int, slot: int) -> None:
    if meta[HEAP_SIZE] == meta[HEAP_ROOM]:
        _sweep(heap, slots, meta)
    slots[slot]["queued"] = key
    at = meta[HEAP_SIZE]
    meta[HEAP_SIZE] = at + 1
    while at > 0:
        parent = (at - 1) >> 1
        if not _before(key, slot, heap[parent]["key"], heap[parent]["slot"]):
            break
        heap[at]["key"] = heap[parent]["key"]
        heap[at]["slot"] = heap[parent]["slot"]
        at = parent
    heap[at]["key"] = key
    heap[at]["slot"] = slot


@njit(cache=True, nogil=True)
def next_key(heap: Rows, slots: Rows, meta: Int64) -> int:
    """Wall time in ms at which a delay may be over next, -1 if none waits; drops entries that are replaced."""
    while meta[HEAP_SIZE] > 0:
        if slots[heap[0]["slot"]]["queued"] == heap[0]["key"]:
            return int(heap[0]["key"])
        _pop(heap, meta)
    return -1


@njit(cache=True, nogil=True, inline="always")
def _is_timed(phase: int, raise_by: int, clear_by: int) -> bool:
    """Whether a delay in time runs."""
    return (phase == RAISING and raise_by == BY_TIME) or (phase == CLEARING and clear_by == BY_TIME)


@njit(cache=True, nogil=True)
def _arm(slot: int, settle_ms: int, feeds: Rows, slots: Rows, levels: Rows, heap: Rows, meta: Int64) -> None:
    """See to it that the heap has an entry for a running delay no later than it may be over.

    A later one that is there already stays behind as a dead entry; an earlier one is enough, since it is looked at
    again when its time has come. So a delay that is broken and begun again at every reading costs nothing.
    """
    state = slots[slot]
    row = feeds[state["feed"]]
    silent = levels[state["level"]]["silent"]
    if silent > 0 and state["due"] > row["event"] + silent:
        return
    moment = max(row["arrival"], meta[RESUMED]) + (state["due"] - row["event"]) + settle_ms
    if moment < state["queued"]:
        _push(heap, slots, meta, moment, slot)


@njit(cache=True, nogil=True)
def arm_all(waiting: Int64, settle_ms: int, feeds: Rows, slots: Rows, levels: Rows, heap: Rows, meta: Int64) -> None:
    """Put every delay in time among the slots of `waiting` on the heap: after a restore."""
    for slot in waiting:
        level = levels[slots[slot]["level"]]
        if _is_timed(slots[slot]["phase"], level["raise_by"], level["clear_by"]):
            _arm(slot, settle_ms, feeds, slots, levels, heap, meta)


@njit(cache=True, nogil=True)
def _emit(
    kind: int, slot: int, at: int, onset: int, value: float, arrival: int, slots: Rows, levels: Rows, out: Rows, n: int
) -> int:
    state = slots[slot]
    level = levels[state["level"]]
    raising = kind != CLEARED
    by = level["raise_by"] if raising else level["clear_by"]
    arg = level["raise_arg"] if raising else level["clear_arg"]
    row = out[n]
    row["at"] = at
    row["onset"] = onset
    row["arrival"] = arrival
    row["delay_ms"] = arg if by == BY_TIME else 0
    row["value"] = value
    row["feed"] = state["feed"]
    row["scene"] = level["scene"]
    row["kind"] = kind
    row["severity"] = level["severity"]
    return n + 1


@njit(cache=True, nogil=True)
def _end(
    slot: int, at: int, value: float, arrival: int, feeds: Rows, slots: Rows, levels: Rows, out: Rows, n: int
) -> int:
    """The delay of a raising or clearing level is over at `at`; the new number of rows."""
    state = slots[slot]
    if state["phase"] == RAISING:
        state["phase"] = ACTIVE
        return _emit(RAISED, slot, at, state["onset"], value, arrival, slots, levels, out, n)
    _rest(slot, feeds, slots)
    return _emit(CLEARED, slot, at, state["onset"], value, arrival, slots, levels, out, n)


@njit(cache=True, nogil=True)
def _rest(slot: int, feeds: Rows, slots: Rows) -> None:
    """A level is idle from here on."""
    state = slots[slot]
    state["phase"] = IDLE
    row = feeds[state["feed"]]
    rank = slot - row["slot"]
    # Levels beyond the last bit share it, so it stays once it is set; the phase is what counts.
    if rank < LAST_BIT:
        row["busy"] &= ~(np.int64(1) << rank)


@njit(cache=True, nogil=True)
def _pass_time(
    now_ms: int,
    settle_ms: int,
    feeds: Rows,
    slots: Rows,
    levels: Rows,
    heap: Rows,
    meta: Int64,
    out: Rows,
    n: int,
) -> tuple[int, bool]:
    """End every delay that is over by `now_ms`, by (moment, slot); rows filled, and whether that was all.

    The clock of a feed is its last event time plus the time since that came in: a delay that is over at event time D
    ends when `arrival + (D - event) + settle_ms` has come, so that a device whose clock is off, or a backlog, ends
    none early.
    """
    while meta[HEAP_SIZE] > 0 and heap[0]["key"] <= now_ms:
        key = heap[0]["key"]
        slot = heap[0]["slot"]
        state = slots[slot]
        if state["queued"] != key:
            _pop(heap, meta)
            continue
        level = levels[state["level"]]
        row = feeds[state["feed"]]
        due = state["due"]
        held = level["silent"] > 0 and due > row["event"] + level["silent"]
        if held or not _is_timed(state["phase"], level["raise_by"], level["clear_by"]):
            _pop(heap, meta)
            state["queued"] = UNQUEUED
            continue
        moment = max(row["arrival"], meta[RESUMED]) + (due - row["event"]) + settle_ms
        if moment > key:
            _pop(heap, meta)
            _push(heap, slots, meta, moment, slot)
            continue
        if n == len(out):
            return n, False
        _pop(heap, meta)
        state["queued"] = UNQUEUED
        n = _end(slot, due, row["value"], key * 1_000_000, feeds, slots, levels, out, n)
    return n, True


@njit(cache=True, nogil=True)
def _end_overtaken(
    feed: int, time: int, arrival: int, feeds: Rows, slots: Rows, levels: Rows, out: Rows, n: int
) -> int:
    """End the delays of a feed that were over before a reading of event time `time`, earliest first."""
    row = feeds[feed]
    while True:
        best = -1
        for slot in range(row["slot"], row["slot"] + row["levels"]):
            state = slots[slot]
            level = levels[state["level"]]
            if not _is_timed(state["phase"], level["raise_by"], level["clear_by"]) or state["due"] >= time:
                continue
            if level["silent"] > 0 and state["due"] > row["event"] + level["silent"]:
                continue
            if best < 0 or state["due"] < slots[best]["due"]:
                best = slot
        if best < 0:
            return n
        n = _end(best, slots[best]["due"], row["value"], arrival, feeds, slots, levels, out, n)


@njit(cache=True, nogil=True, inline="always")
def _is_over(state: Row, by: int, arg: int, time: int) -> bool:
    """Whether the delay that runs is over at a reading, which has been counted, of event time `time`."""
    if by == BY_TIME:
        return bool(state["due"] <= time)
    return by == AT_ONCE or bool(state["samples"] >= arg)


@njit(cache=True, nogil=True)
def _look_idle(
    slot: int, holds: bool, time: int, value: float, arrival: int, settle_ms: int,
    feeds: Rows, slots: Rows, levels: Rows, heap: Rows, meta: Int64, out: Rows, n: int,
) -> int:  # fmt: skip
    """A reading at a level that is not active; the new number of rows."""
    state = slots[slot]
    if not holds:
        if state["phase"] == RAISING:
            _rest(slot, feeds, slots)
            n = _emit(LAPSED, slot, time, state["onset"], value, arrival, slots, levels, out, n)
        return n
    level = levels[state["level"]]
    begins = state["phase"] == IDLE
    if begins:
        row = feeds[state["feed"]]
        row["busy"] |= np.int64(1) << min(slot - row["slot"], LAST_BIT)
        state["phase"] = RAISING
        state["onset"] = time
        state["due"] = time + level["raise_arg"]
        state["samples"] = 0
    state["samples"] += 1
    if _is_over(state, level["raise_by"], level["raise_arg"], time):
        return _end(slot, time, value, arrival, feeds, slots, levels, out, n)
    if begins:
        n = _emit(ONSET, slot, time, time, value, arrival, slots, levels, out, n)
    if level["raise_by"] == BY_TIME:
        _arm(slot, settle_ms, feeds, slots, levels, heap, meta)
    return n


@njit(cache=True, nogil=True)
def _look_active(
    slot: int, beyond: bool, time: int, value: float, arrival: int, settle_ms: int,
    feeds: Rows, slots: Rows, levels: Rows, heap: Rows, meta: Int64, out: Rows, n: int,
) -> int:  # fmt: skip
    """A reading at a level that is active; the new number of rows."""
    state = slots[slot]
    if not beyond:
        state["phase"] = ACTIVE
        return n
    level = levels[state["level"]]
    if state["phase"] == ACTIVE:
        state["phase"] = CLEARING
        state["onset"] = time
        state["due"] = time + level["clear_arg"]
        state["samples"] = 0
    state["samples"] += 1
    if _is_over(state, level["clear_by"], level["clear_arg"], time):
        return _end(slot, time, value, arrival, feeds, slots, levels, out, n)
    if level["clear_by"] == BY_TIME:
        _arm(slot, settle_ms, feeds, slots, levels, heap, meta)
    return n


@njit(cache=True, nogil=True, inline="always")
def _measured(measure: int, value: float) -> float:  # noqa: ARG001 - the seam: every other measure will be told apart here
    """The number that a level compares."""
    return value


@njit(cache=True, nogil=True)
def _look(
    feed: int, time: int, value: float, arrival: int, settle_ms: int,
    feeds: Rows, slots: Rows, levels: Rows, heap: Rows, meta: Int64, out: Rows, n: int,
) -> int:  # fmt: skip
    """A reading at every level of its feed; the new number of rows."""
    row = feeds[feed]
    row["event"] = time
    row["arrival"] = arrival // 1_000_000
    row["value"] = value
    for rank in range(row["levels"]):
        level = levels[row["level"] + rank]
        compared = _measured(level["measure"], value)
        holds = _holds(level["op"], compared, level["lo"], level["hi"])
        if not holds and not (row["busy"] >> min(rank, LAST_BIT)) & 1:
            continue
        slot = row["slot"] + rank
        if slots[slot]["phase"] <= RAISING:
            n = _look_idle(slot, holds, time, value, arrival, settle_ms, feeds, slots, levels, heap, meta, out, n)
            continue
        beyond = not holds
        if level["clear_op"] != NEVER:
            beyond = _holds(level["clear_op"], compared, level["clear_lo"], level["clear_hi"])
        n = _look_active(slot, beyond, time, value, arrival, settle_ms, feeds, slots, levels, heap, meta, out, n)
    return n


@njit(cache=True, nogil=True)
def evaluate(
    begin: int,
    feed: Int32,
    event_time: Int64,
    value: Float64,
    arrival: Int64,
    quality: UInt8,
    now_ms: int,
    settle_ms: int,
    feeds: Rows,
    slots: Rows,
    levels: Rows,
    heap: Rows,
    meta: Int64,
    out: Rows,
) -> tuple[int, int]:
    """Look at the rows of a batch from `begin` on, each after time has passed to its arrival; then at `now_ms`.

    Args:
        begin: First row.
        feed: Column of dense feed indices; a feed that nothing watches is passed over.
        event_time: ms, rising with every evaluated reading of a feed.
        value: Finite.
        arrival: ns, never decreasing.
        quality: Rows with a bit of `core.reading.NOT_EVALUATED` are passed over.
        now_ms: Where time passes to behind the last row, ms; `NO_NOW`: nowhere.
        settle_ms: What is allowed for transport before a delay ends by time alone.
        feeds: State, `FEED`, shape (feeds,); changed.
        slots: State, `SLOT`, shape (slots,); changed.
        levels: Table, `LEVEL`, shape (rows,).
        heap: State, `HEAP`, at least `meta[HEAP_ROOM]` entries, which are more than the slots; changed.
        meta: State, shape (META,); changed.
        out: Rows to fill from 0, `OUT`, at least `ROWS_PER_LEVEL` for each level of any feed.

    Returns:
        (row to go on from, rows of `out` filled). All is done where the first is more than the number of rows; it is
        -1 - row where a row's feed is beyond the state.
    """
    n = 0
    decisions = 0
    touched = 0
    rows = len(feed)
    i = begin
    while i <= rows:
        if (i - begin) % _BLOCK == 0:
            # Memory answers many questions at once but each of them late: ask for a block's feeds before using any.
            for j in range(i, min(i + _BLOCK, rows)):
                if 0 <= feed[j] < len(feeds):
                    touched += feeds[feed[j]]["busy"]
        moment = now_ms if i == rows else arrival[i] // 1_000_000
        if meta[HEAP_SIZE] > 0 and heap[0]["key"] <= moment:
            n, complete = _pass_time(moment, settle_ms, feeds, slots, levels, heap, meta, out, n)
            if not complete:
                break
        if i == rows or quality[i] & _NOT_EVALUATED:
            i += 1
            continue
        f = feed[i]
        if not 0 <= f < len(feeds):
            i = -1 - i
            break
        row = feeds[f]
        decisions += row["scenes"]
        if row["busy"] == 0:
            # The usual case, kept here and free of writes: nothing runs, and no condition begins to hold.
            quiet = True
            for k in range(row["level"], row["level"] + row["levels"]):
                level = levels[k]
                if _holds(level["op"], _measured(level["measure"], value[i]), level["lo"], level["hi"]):
                    quiet = False
                    break
            if quiet:
                i += 1
                continue
        if n + ROWS_PER_LEVEL * row["levels"] > len(out):
            decisions -= row["scenes"]
            break
        if row["busy"] != 0:
            n = _end_overtaken(f, event_time[i], arrival[i], feeds, slots, levels, out, n)
        n = _look(f, event_time[i], value[i], arrival[i], settle_ms, feeds, slots, levels, heap, meta, out, n)
        i += 1
    meta[DECISIONS] += decisions
    meta[TOUCHED] = touched
    return i, n
