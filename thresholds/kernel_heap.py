"""The heap of moments at which time alone may have something to say.

Each entry has four below it, which are one cache line: half as many steps as with two, and each is one line.
"""

from numba import njit

from thresholds.kernel_state import ABSENT, GAUGES, HEAP_ROOM, HEAP_SIZE, RESUMED, UNQUEUED, UNTOLD, State


@njit(nogil=True)
def _before(key: int, slot: int, other_key: int, other_slot: int) -> bool:
    return key < other_key or (key == other_key and slot < other_slot)


@njit(nogil=True)
def queued(slot: int, s: State) -> int:
    """Earliest key of a slot or gauge on the heap."""
    if slot < 0:
        return int(s.gauges[slot - GAUGES]["queued"])
    return int(s.slots[slot]["queued"])


@njit(nogil=True)
def set_queued(slot: int, key: int, s: State) -> None:
    """Note the earliest key of a slot or gauge on the heap."""
    if slot < 0:
        s.gauges[slot - GAUGES]["queued"] = key
    else:
        s.slots[slot]["queued"] = key


@njit(nogil=True)
def _sink(size: int, at: int, key: int, slot: int, s: State) -> None:
    """Put (key, slot) where it belongs in the part of the heap under `at`, whose own entry is given up."""
    heap = s.heap
    while True:
        first = 4 * at + 1
        if first >= size:
            break
        child = first
        for other in range(first + 1, min(first + 4, size)):
            if _before(heap[other]["key"], heap[other]["slot"], heap[child]["key"], heap[child]["slot"]):
                child = other
        if _before(key, slot, heap[child]["key"], heap[child]["slot"]):
            break
        heap[at]["key"] = heap[child]["key"]
        heap[at]["slot"] = heap[child]["slot"]
        at = child
    heap[at]["key"] = key
    heap[at]["slot"] = slot


@njit(nogil=True)
def pop(s: State) -> None:
    """Take the first entry off."""
    size = s.meta[HEAP_SIZE] - 1
    s.meta[HEAP_SIZE] = size
    if size > 0:
        _sink(size, 0, s.heap[size]["key"], s.heap[size]["slot"], s)


@njit(nogil=True)
def put_off(key: int, s: State) -> None:
    """Give the first entry a later key."""
    slot = s.heap[0]["slot"]
    set_queued(slot, key, s)
    _sink(s.meta[HEAP_SIZE], 0, key, slot, s)


@njit(nogil=True)
def _sweep(s: State) -> None:
    """Throw out entries that an earlier one of their slot has replaced: at most one a slot stays."""
    heap, meta = s.heap, s.meta
    kept = 0
    for i in range(meta[HEAP_SIZE]):
        key = heap[i]["key"]
        slot = heap[i]["slot"]
        if queued(slot, s) == key:
            set_queued(slot, UNQUEUED, s)
            heap[kept]["key"] = key
            heap[kept]["slot"] = slot
            kept += 1
    for i in range(kept):
        set_queued(heap[i]["slot"], heap[i]["key"], s)
    for i in range((kept + 2) // 4 - 1, -1, -1):
        _sink(kept, i, heap[i]["key"], heap[i]["slot"], s)
    meta[HEAP_SIZE] = kept


@njit(nogil=True)
def push(key: int, slot: int, s: State) -> None:
    """Put an entry on; `slot` is GAUGES + index for a gauge."""
    heap, meta = s.heap, s.meta
    if meta[HEAP_SIZE] == meta[HEAP_ROOM]:
        _sweep(s)
    set_queued(slot, key, s)
    at = meta[HEAP_SIZE]
    meta[HEAP_SIZE] = at + 1
    while at > 0:
        parent = (at - 1) >> 2
        if not _before(key, slot, heap[parent]["key"], heap[parent]["slot"]):
            break
        heap[at]["key"] = heap[parent]["key"]
        heap[at]["slot"] = heap[parent]["slot"]
        at = parent
    heap[at]["key"] = key
    heap[at]["slot"] = slot


@njit(nogil=True, forceinline=True)
def moment_of(feed: int, time: int, settle_ms: int, s: State) -> int:
    """Wall time in ms at which the clock of a feed has come to an event time.

    The clock of a feed is its last event time plus the time since that came in, or since somebody listens again, so
    that a device whose clock is off, or a backlog, ends nothing early.
    """
    row = s.feeds[feed]
    return int(max(row["arrival"], s.meta[RESUMED]) + (time - row["event"]) + settle_ms)


@njit(nogil=True)
def arm_slot(slot: int, settle_ms: int, s: State) -> None:
    """See to it that the heap has an entry for a running delay no later than it may be over.

    A later one that is there already stays behind as a dead entry; an earlier one is enough, since it is looked at
    again when its time has come. So a delay that is broken and begun again at every reading costs nothing.
    """
    state = s.slots[slot]
    silent = s.levels[state["level"]]["silent"]
    if silent > 0 and state["due"] > s.feeds[state["feed"]]["event"] + silent:
        return
    moment = moment_of(state["feed"], state["due"], settle_ms, s)
    if moment < state["queued"]:
        push(moment, slot, s)


@njit(nogil=True, forceinline=True)
def wake_of(gauge: int, s: State) -> int:
    """Event time at which a gauge may change next by time alone."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    feed = s.feeds[state["feed"]]
    if m["kind"] == ABSENT and feed["busy"] & UNTOLD == 0:
        return int(feed["event"] + m["window"])
    return int(state["wake"])


@njit(nogil=True)
def arm_gauge(gauge: int, settle_ms: int, s: State) -> None:
    """The same for a gauge and when it wakes."""
    wake = wake_of(gauge, s)
    if wake == UNQUEUED:
        return
    moment = moment_of(s.gauges[gauge]["feed"], wake, settle_ms, s)
    if moment < s.gauges[gauge]["queued"]:
        push(moment, GAUGES + gauge, s)
