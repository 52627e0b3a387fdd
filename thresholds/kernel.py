"""The threshold engine: one loop over readings, a pure function of (state, batch, tables, now).

The number that a level compares is given by a measure; measure 0 is the reading itself. Windows, rates and baselines
come in as further measures that turn state and reading into a number before the level machine sees it.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from core.reading import Float64, Int32, Int64, UInt8

# Conditions.
NEVER = 0
ABOVE = 1
BELOW = 2
OUTSIDE = 3
INSIDE = 4
EQUALS = 5
NOT_EQUALS = 6
WITHIN = 7

# Delays.
AT_ONCE = 0
BY_TIME = 1
BY_SAMPLES = 2

# Phases of a level.
IDLE = 0
RAISING = 1
ACTIVE = 2
CLEARING = 3

# Kinds of transition, as in thresholds.transition.
_ONSET = 1
_LAPSED = 2
_RAISED = 3
_CLEARED = 4

OFF_HEAP = np.int64(1) << np.int64(62)
_PER_INSTANCE = 16
"""Most rows that one reading can give for one instance: four levels, each ending, onset, raise and clear."""
_NOT_EVALUATED = 14
_AHEAD = 12
"""Rows between asking for a feed's cache line and using it; with a million feeds each reading waits for memory else."""

# Columns of the state and of the tables. Rows are together, so that a reading touches as few cache lines as can be.

EVENT = 0
ARRIVAL = 1
VALUE = 2
FIRST = 3
COUNT = 4
STIRRED = 5
ONLY = 6
FEED_COLUMNS = 8
"""Per feed, int64, one cache line: last evaluated event time + 1 (0: none yet), its arrival in ms, the bits of its
value, its run of instances, how many of their levels are not idle, the ladder of the first one."""

LADDER = 0
SLOT = 1
SCENE = 2
BUSY = 3
INSTANCE_COLUMNS = 4
"""Per (feed, scene), int32: its ladder, its first slot, its scene, one bit for each level that is not idle."""

SINCE = 0
DUE = 1
KEY = 2
SAMPLES = 3
PHASE = 4
OWNER = 5
WATCHED = 6
SLOT_COLUMNS = 7
"""Per level of an instance, int64: onset, event time at which its delay is over, its moment on the heap, samples so
far, phase, instance, feed."""

RUN = 0
SIZE = 1
MEASURE = 2
SILENT = 3
LADDER_COLUMNS = 4
"""Per ladder, int64: its first level, how many, its measure, after how much silence a delay is held (0: never)."""

OP = 0
CLEAR_OP = 1
RAISE_BY = 2
RAISE_ARG = 3
CLEAR_BY = 4
CLEAR_ARG = 5
SEVERITY = 6
LEVEL_COLUMNS = 7
"""Per level, int64: condition, clear condition (NEVER: when the condition does not hold), delays, severity."""

LO = 0
HI = 1
CLEAR_LO = 2
CLEAR_HI = 3
LIMIT_COLUMNS = 4
"""Per level, float64: the limits of its condition and of its clear condition."""

META_HEAP = 0
META_RESUMED = 1
META_DECISIONS = 2


@intrinsic
def _prefetch(typing_context: Any, rows: Any, row: Any) -> Any:  # noqa: ARG001 - the form that numba asks for
    """Ask for the cache line of `rows[row, 0]` without waiting for it (llvm.prefetch); rows of one line each."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = ir.Constant(arguments[1].type, FEED_COLUMNS)
        pointer = builder.bitcast(
            builder.gep(array.data, [builder.mul(arguments[1], stride)]), ir.IntType(8).as_pointer()
        )
        bits = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, bits, bits, bits])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
        builder.call(function, [pointer, bits(1), bits(3), bits(1)])
        return context.get_dummy_value()

    return types.void(rows, row), generate


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


@njit(cache=True, nogil=True)
def push(heap_key: Int64, heap_slot: Int32, meta: Int64, slots: Int64, key: int, slot: int) -> None:
    """Put a slot on the heap, smallest (key, slot) first; stale entries are swept out when it is full."""
    slots[slot, KEY] = key
    size = meta[META_HEAP]
    if size == len(heap_key):
        kept = 0
        for i in range(size):
            if slots[heap_slot[i], KEY] == heap_key[i]:
                heap_key[kept] = heap_key[i]
                heap_slot[kept] = heap_slot[i]
                kept += 1
        size = kept
        for i in range(size // 2 - 1, -1, -1):
            _sift(heap_key, heap_slot, size, i)
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if heap_key[parent] < key or (heap_key[parent] == key and heap_slot[parent] <= slot):
            break
        heap_key[at] = heap_key[parent]
        heap_slot[at] = heap_slot[parent]
        at = parent
    heap_key[at] = key
    heap_slot[at] = slot
    meta[META_HEAP] = size + 1


@njit(cache=True, nogil=True)
def _sift(heap_key: Int64, heap_slot: Int32, size: int, at: int) -> None:
    key = heap_key[at]
    slot = heap_slot[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            heap_key[right] < heap_key[child]
            or (heap_key[right] == heap_key[child] and heap_slot[right] < heap_slot[child])
        ):
            child = right
        if key < heap_key[child] or (key == heap_key[child] and slot <= heap_slot[child]):
            break
        heap_key[at] = heap_key[child]
        heap_slot[at] = heap_slot[child]
        at = child
    heap_key[at] = key
    heap_slot[at] = slot


@njit(cache=True, nogil=True)
def _pop(heap_key: Int64, heap_slot: Int32, meta: Int64) -> None:
    size = meta[META_HEAP] - 1
    meta[META_HEAP] = size
    if size > 0:
        heap_key[0] = heap_key[size]
        heap_slot[0] = heap_slot[size]
        _sift(heap_key, heap_slot, size, 0)


@njit(cache=True, nogil=True)
def next_key(heap_key: Int64, heap_slot: Int32, meta: Int64, slots: Int64) -> int:
    """Wall time in ms of the next delay that may end, -1 if none waits; drops stale entries on the way."""
    while meta[META_HEAP] > 0:
        if slots[heap_slot[0], KEY] == heap_key[0]:
            return int(heap_key[0])
        _pop(heap_key, heap_slot, meta)
    return -1


@njit(cache=True, nogil=True, inline="always")
def _emit(
    out: Int64,
    out_values: Float64,
    n: int,
    kind: int,
    feed: int,
    scene: int,
    severity: int,
    at: int,
    onset: int,
    value: float,
    arrival: int,
    delay: int,
) -> int:
    out[n, 0] = kind
    out[n, 1] = feed
    out[n, 2] = scene
    out[n, 3] = severity
    out[n, 4] = at
    out[n, 5] = onset
    out_values[n, 6] = value
    out[n, 7] = arrival
    out[n, 8] = delay
    return n + 1


@njit(cache=True, nogil=True)
def _end_delay(
    slot: int,
    at: int,
    value: float,
    arrival: int,
    feeds: Int64,
    instances: Int32,
    slots: Int64,
    ladders: Int64,
    levels: Int64,
    out: Int64,
    out_values: Float64,
    n: int,
) -> int:
    """The delay of a raising or clearing level is over at `at`; the new number of rows."""
    instance = slots[slot, OWNER]
    rank = slot - instances[instance, SLOT]
    level = ladders[instances[instance, LADDER], RUN] + rank
    slots[slot, KEY] = OFF_HEAP
    if slots[slot, PHASE] == RAISING:
        slots[slot, PHASE] = ACTIVE
        delay = levels[level, RAISE_ARG] if levels[level, RAISE_BY] == BY_TIME else 0
        kind = _RAISED
    else:
        slots[slot, PHASE] = IDLE
        instances[instance, BUSY] &= ~(1 << rank)
        feeds[slots[slot, WATCHED], STIRRED] -= 1
        delay = levels[level, CLEAR_ARG] if levels[level, CLEAR_BY] == BY_TIME else 0
        kind = _CLEARED
    return _emit(
        out,
        out_values,
        n,
        kind,
        slots[slot, WATCHED],
        instances[instance, SCENE],
        levels[level, SEVERITY],
        at,
        slots[slot, SINCE],
        value,
        arrival,
        delay,
    )


@njit(cache=True, nogil=True)
def pass_time(
    now_ms: int,
    settle_ms: int,
    feeds: Int64,
    values: Float64,
    instances: Int32,
    slots: Int64,
    ladders: Int64,
    levels: Int64,
    heap_key: Int64,
    heap_slot: Int32,
    meta: Int64,
    out: Int64,
    out_values: Float64,
    n: int,
) -> int:
    """End every delay that is over by `now_ms`, in their order; the rows filled, or -1 - rows if `out` is full.

    The clock of a feed is its last event time plus the time since that came in: a delay that ends at event time D is
    over when `arrival + (D - event) + settle_ms` has come, so that neither a device whose clock is off nor a backlog
    ends one early.
    """
    while meta[META_HEAP] > 0 and heap_key[0] <= now_ms:
        slot = heap_slot[0]
        key = heap_key[0]
        if slots[slot, KEY] != key:
            _pop(heap_key, heap_slot, meta)
            continue
        if n + 1 > len(out):
            return -1 - n
        _pop(heap_key, heap_slot, meta)
        feed = slots[slot, WATCHED]
        event = feeds[feed, EVENT] - 1
        due = slots[slot, DUE]
        silent = ladders[instances[slots[slot, OWNER], LADDER], SILENT]
        if silent > 0 and due > event + silent:
            slots[slot, KEY] = OFF_HEAP
            continue
        moment = max(feeds[feed, ARRIVAL], meta[META_RESUMED]) + (due - event) + settle_ms
        if moment > key:
            push(heap_key, heap_slot, meta, slots, moment, slot)
            continue
        n = _end_delay(
            slot,
            due,
            values[feed, VALUE],
            key * 1_000_000,
            feeds,
            instances,
            slots,
            ladders,
            levels,
            out,
            out_values,
            n,
        )
    return n


@njit(cache=True, nogil=True)
def _end_overtaken(
    instance: int,
    time: int,
    event: int,
    value: float,
    arrival: int,
    feeds: Int64,
    instances: Int32,
    slots: Int64,
    ladders: Int64,
    levels: Int64,
    out: Int64,
    out_values: Float64,
    n: int,
) -> int:
    """End the delays of an instance that were over before event time `time`, earliest first."""
    ladder = instances[instance, LADDER]
    silent = ladders[ladder, SILENT]
    first = instances[instance, SLOT]
    while True:
        best = -1
        for rank in range(ladders[ladder, SIZE]):
            slot = first + rank
            phase = slots[slot, PHASE]
            level = ladders[ladder, RUN] + rank
            timed = (phase == RAISING and levels[level, RAISE_BY] == BY_TIME) or (
                phase == CLEARING and levels[level, CLEAR_BY] == BY_TIME
            )
            if not timed or slots[slot, DUE] >= time:
                continue
            if silent > 0 and slots[slot, DUE] > event + silent:
                continue
            if best < 0 or slots[slot, DUE] < slots[best, DUE]:
                best = slot
        if best < 0:
            return n
        n = _end_delay(
            best, slots[best, DUE], value, arrival, feeds, instances, slots, ladders, levels, out, out_values, n
        )


@njit(cache=True, nogil=True)
def _look(
    instance: int,
    feed: int,
    time: int,
    value: float,
    arrival: int,
    settle_ms: int,
    feeds: Int64,
    instances: Int32,
    slots: Int64,
    ladders: Int64,
    levels: Int64,
    limits: Float64,
    heap_key: Int64,
    heap_slot: Int32,
    meta: Int64,
    out: Int64,
    out_values: Float64,
    n: int,
) -> int:
    """One reading against every level of one instance; the new number of rows."""
    ladder = instances[instance, LADDER]
    scene = instances[instance, SCENE]
    busy = instances[instance, BUSY]
    first = ladders[ladder, RUN]
    for rank in range(ladders[ladder, SIZE]):
        level = first + rank
        bit = 1 << rank
        holds = _holds(levels[level, OP], value, limits[level, LO], limits[level, HI])
        if not holds and not (busy & bit):
            continue
        slot = instances[instance, SLOT] + rank
        phase = slots[slot, PHASE]
        severity = levels[level, SEVERITY]
        if phase in (IDLE, RAISING):
            if not holds:
                slots[slot, PHASE] = IDLE
                slots[slot, KEY] = OFF_HEAP
                instances[instance, BUSY] &= ~bit
                feeds[feed, STIRRED] -= 1
                n = _emit(
                    out, out_values, n, _LAPSED, feed, scene, severity, time, slots[slot, SINCE], value, arrival, 0
                )
                continue
            by = levels[level, RAISE_BY]
            arg = levels[level, RAISE_ARG]
            if phase == IDLE:
                slots[slot, SINCE] = time
                slots[slot, SAMPLES] = 0
                slots[slot, DUE] = time + arg
                slots[slot, KEY] = OFF_HEAP
                instances[instance, BUSY] |= bit
                feeds[feed, STIRRED] += 1
            slots[slot, SAMPLES] += 1
            over = (
                by == AT_ONCE
                or (by == BY_SAMPLES and slots[slot, SAMPLES] >= arg)
                or (by == BY_TIME and slots[slot, DUE] <= time)
            )
            if over:
                slots[slot, PHASE] = RAISING
                n = _end_delay(slot, time, value, arrival, feeds, instances, slots, ladders, levels, out, out_values, n)
                continue
            if phase == IDLE:
                slots[slot, PHASE] = RAISING
                n = _emit(
                    out,
                    out_values,
                    n,
                    _ONSET,
                    feed,
                    scene,
                    severity,
                    time,
                    time,
                    value,
                    arrival,
                    arg if by == BY_TIME else 0,
                )
        else:
            clear_op = levels[level, CLEAR_OP]
            if clear_op == NEVER:
                beyond = not holds
            else:
                beyond = _holds(clear_op, value, limits[level, CLEAR_LO], limits[level, CLEAR_HI])
            if not beyond:
                slots[slot, PHASE] = ACTIVE
                slots[slot, KEY] = OFF_HEAP
                continue
            by = levels[level, CLEAR_BY]
            arg = levels[level, CLEAR_ARG]
            if phase == ACTIVE:
                slots[slot, SINCE] = time
                slots[slot, SAMPLES] = 0
                slots[slot, DUE] = time + arg
                slots[slot, KEY] = OFF_HEAP
                slots[slot, PHASE] = CLEARING
            slots[slot, SAMPLES] += 1
            over = (
                by == AT_ONCE
                or (by == BY_SAMPLES and slots[slot, SAMPLES] >= arg)
                or (by == BY_TIME and slots[slot, DUE] <= time)
            )
            if over:
                n = _end_delay(slot, time, value, arrival, feeds, instances, slots, ladders, levels, out, out_values, n)
                continue
        if by == BY_TIME:
            moment = max(arrival // 1_000_000, meta[META_RESUMED]) + (slots[slot, DUE] - time) + settle_ms
            if moment < slots[slot, KEY]:
                push(heap_key, heap_slot, meta, slots, moment, slot)
    return n


@njit(cache=True, nogil=True)
def evaluate(
    begin: int,
    feed: Int32,
    event_time: Int64,
    value: Float64,
    arrival: Int64,
    quality: UInt8,
    settle_ms: int,
    feeds: Int64,
    values: Float64,
    instances: Int32,
    slots: Int64,
    ladders: Int64,
    levels: Int64,
    limits: Float64,
    heap_key: Int64,
    heap_slot: Int32,
    meta: Int64,
    out: Int64,
    out_values: Float64,
) -> tuple[int, int]:
    """Look at the rows of a batch from `begin` on, in their order.

    Args:
        begin: First row.
        feed: Column of feed indices; so are the other columns of `core.reading.ReadingBatch`.
        event_time: ms.
        value: Finite.
        arrival: ns, never decreasing.
        quality: Rows with a bit of `NOT_EVALUATED` are passed over.
        settle_ms: What is allowed for transport before a delay ends by time alone.
        feeds: State, shape (feeds, FEED_COLUMNS); changed.
        values: The same memory seen as float64; changed.
        instances: State and bindings, shape (instances, INSTANCE_COLUMNS); changed.
        slots: State, shape (slots, SLOT_COLUMNS); changed.
        ladders: Table, shape (ladders, LADDER_COLUMNS).
        levels: Table, shape (levels, LEVEL_COLUMNS).
        limits: Table, shape (levels, LIMIT_COLUMNS).
        heap_key: Wall moments of delays, ms; changed.
        heap_slot: Their slots; changed.
        meta: Heap size, ms of the last resume, decisions; changed.
        out: Rows of `thresholds.transition.Transitions` to fill from 0, shape (rows, 9).
        out_values: The same memory seen as float64.

    Returns:
        (row to go on from, rows of `out` filled): all was looked at if the first is the number of rows.
    """
    n = 0
    before = -1
    moment = 0
    decisions = 0
    for i in range(begin, len(feed)):
        if i + _AHEAD < len(feed):
            _prefetch(feeds, np.int64(feed[i + _AHEAD]))  # type: ignore[call-arg]
        if arrival[i] != before:
            before = arrival[i]
            moment = before // 1_000_000
        if meta[META_HEAP] > 0 and heap_key[0] <= moment:
            n = pass_time(
                moment, settle_ms, feeds, values, instances, slots, ladders, levels, heap_key, heap_slot, meta,
                out, out_values, n,
            )  # fmt: skip
            if n < 0:
                meta[META_DECISIONS] += decisions
                return i, -1 - n
        if quality[i] & _NOT_EVALUATED:
            continue
        f = feed[i]
        count = feeds[f, COUNT]
        if n + count * _PER_INSTANCE > len(out):
            meta[META_DECISIONS] += decisions
            return i, n
        time = event_time[i]
        first = feeds[f, FIRST]
        decisions += count
        stirred = feeds[f, STIRRED] > 0
        if stirred:
            for instance in range(first, first + count):
                if instances[instance, BUSY]:
                    n = _end_overtaken(
                        instance, time, feeds[f, EVENT] - 1, values[f, VALUE], arrival[i],
                        feeds, instances, slots, ladders, levels, out, out_values, n,
                    )  # fmt: skip
        feeds[f, EVENT] = time + 1
        feeds[f, ARRIVAL] = moment
        values[f, VALUE] = value[i]
        for instance in range(first, first + count):
            if not stirred:
                # The usual case, kept here: a call with this many arrays costs more than the comparisons, and the
                # instance's own row is one more line of memory to wait for.
                ladder = int(feeds[f, ONLY]) if count == 1 else int(instances[instance, LADDER])
                run = ladders[ladder, RUN]
                quiet = True
                for level in range(run, run + ladders[ladder, SIZE]):
                    if _holds(levels[level, OP], value[i], limits[level, LO], limits[level, HI]):
                        quiet = False
                        break
                if quiet:
                    continue
            n = _look(
                instance, f, time, value[i], arrival[i], settle_ms,
                feeds, instances, slots, ladders, levels, limits, heap_key, heap_slot, meta, out, out_values, n,
            )  # fmt: skip
    meta[META_DECISIONS] += decisions
    return len(feed), n
