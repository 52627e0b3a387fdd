"""The engine feed by feed: every reading of one feed in a run, instead of all feeds' in the order of arrival.

What a feed's levels do follows from its own readings, from when nobody listened, and from how far time gets at last: no
feed looks at another. So readings that lie by feed, as history keeps them, are decided as they lie, and only what comes
of them, which is little, is put into the order in which it would have come live. For that each row of `out` gets a
place (ns: the stamp of the reading that decided, or the moment to which time had passed) and a turn among those of one
place.

Time passes for a feed when its next reading comes, not with every reading of anybody: nothing of it changes in between.
What is due is found among the few moments of the feed itself (`queued`), so there is no heap: what the functions of the
kernel put on it is thrown away, and whoever goes on with the state makes it anew.

Where the order cannot be told by a feed alone, `fault` says so, and the state is worth nothing: the readings have to
be put in order first.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from core.reading import Float64, Int32, Int64, UInt8
from thresholds.kernel_borrow import lend
from thresholds.kernel_calm import is_calm
from thresholds.kernel_feed import has_room, is_absence, look, wake
from thresholds.kernel_heap import moment_of, set_queued, wake_of
from thresholds.kernel_level import due_at, end, stir
from thresholds.kernel_stamp import STAMP
from thresholds.kernel_state import (
    DECISIONS,
    GAUGES,
    HEAP_SIZE,
    NOT_EVALUATED_BITS,
    RESUMED,
    UNQUEUED,
    Rows,
    State,
)

TRACK = np.dtype([("event", "i8"), ("stamp", "i8"), ("now", "i8"), ("mark", "i8")])
"""How far a feed has got: event time (ms) and stamp (ns) of its last evaluated reading, the first moment (ms) that is
still to come for what it armed, how many marks it has passed. Made of zeros with `event` and `stamp` below every one.
"""

BY_READING = 1 << 41
"""Turn of what a reading decided, behind every slot and gauge; plus the ms by which its stamp is in a later one than
its arrival, for then time may have got further before it than its own arrival says."""

DONE = 0
NO_ROOM = 1
FAULT = 2
"""How a call ended: all is done; `out` is full, and it goes on where it stands; the order is needed."""

_MS = 1_000_000


@njit(nogil=True)
def _earliest(feed: int, s: State) -> tuple[int, int]:
    """(key, entry) of what is due first on a feed, of one key the gauges first; UNQUEUED if there is nothing."""
    row = s.feeds[feed]
    watch = s.watches[row["watch"]]
    key = int(UNQUEUED)
    entry = int(np.int64(0))
    for gauge in range(row["gauge"], row["gauge"] + watch["measures"]):
        if s.gauges[gauge]["queued"] < key:
            key, entry = s.gauges[gauge]["queued"], GAUGES + gauge
    for slot in range(row["slot"], row["slot"] + watch["levels"]):
        if s.slots[slot]["queued"] < key:
            key, entry = s.slots[slot]["queued"], slot
    return key, entry


@njit(nogil=True)
def _pass_time(
    feed: int, now_ms: int, settle_ms: int, s: State, track: Rows, place: Int64, turn: Int64, n: int
) -> tuple[int, int]:
    """What `kernel._pass_time` does, to one feed: the rows filled, and DONE, NO_ROOM or FAULT."""
    last_key = int(np.int64(-1))
    last_entry = int(np.int64(0))
    while True:
        key, entry = _earliest(feed, s)
        if key > now_ms:
            return n, DONE
        time = wake_of(entry - GAUGES, s) if entry < 0 else due_at(entry, s)
        if time == UNQUEUED:
            set_queued(entry, UNQUEUED, s)
            continue
        moment = moment_of(feed, time, settle_ms, s)
        if moment > key:
            set_queued(entry, moment, s)
            if entry >= 0 or not is_absence(entry - GAUGES, s):
                stir(feed, s)
            continue
        if key < track[feed]["now"] or (key == last_key and entry < last_entry):
            return n, FAULT
        if not has_room(feed, s, n):
            return n, NO_ROOM
        set_queued(entry, UNQUEUED, s)
        before = n
        if entry < 0:
            n = wake(feed, time, bool(np.bool_(False)), key * _MS, settle_ms, s, n)
        else:
            n = end(entry, time, key * _MS, s, n)
        for i in range(before, n):
            place[i], turn[i] = key * _MS, entry
        last_key, last_entry = key, entry
        track[feed]["now"] = key
        s.meta[HEAP_SIZE] = 0


@njit(nogil=True)
def _pass_marks(
    feed: int, upto: int, settle_ms: int, s: State, track: Rows, marks: Int64, passes: Int64, resumed: Int64,
    place: Int64, turn: Int64, n: int,
) -> tuple[int, int]:  # fmt: skip
    """Bring a feed past the marks up to a moment in ns; as `_pass_time`."""
    at = track[feed]["mark"]
    s.meta[RESUMED] = resumed[at]
    while at < len(marks) and marks[at] <= upto:
        n, ended = _pass_time(feed, passes[at], settle_ms, s, track, place, turn, n)
        if ended != DONE:
            return n, ended
        at += 1
        track[feed]["mark"] = at
        s.meta[RESUMED] = resumed[at]
    return n, DONE


@njit(nogil=True)
def _decide(
    feed: int, time: int, value: float, came: int, stamped: int, settle_ms: int, s: State, track: Rows, marks: Int64,
    passes: Int64, resumed: Int64, place: Int64, turn: Int64, n: int,
) -> tuple[int, int]:  # fmt: skip
    """A reading that came in and was stamped at moments in ns, after time has passed to it; as `_pass_time`."""
    n, ended = _pass_marks(feed, came, settle_ms, s, track, marks, passes, resumed, place, turn, n)
    if ended != DONE:
        return n, ended
    n, ended = _pass_time(feed, came // _MS, settle_ms, s, track, place, turn, n)
    if ended != DONE:
        return n, ended
    beyond = stamped // _MS - came // _MS
    if beyond != 0 and _earliest(feed, s)[0] <= stamped // _MS:
        return n, FAULT
    before = n
    n, complete = look(feed, time, value, came, came // _MS, settle_ms, s, n)
    for k in range(before, n):
        place[k], turn[k] = stamped, BY_READING + beyond
    s.meta[HEAP_SIZE] = 0
    if not complete:
        return n, NO_ROOM
    track[feed]["now"] = stamped // _MS + 1
    return n, DONE


def _compiled(stamp: int) -> tuple[Callable[..., Any], ...]:
    """The entry points; see `kernel._compiled`."""

    @njit(cache=True, nogil=True)
    def evaluate_by_feed(
        begin: int, upto: int, feed: Int32, event_time: Int64, value: Float64, arrival: Int64, quality: UInt8,
        lag: Int64, lookup: Int32, start_ms: int, end_ms: int, settle_ms: int, track: Rows, marks: Int64,
        passes: Int64, resumed: Int64, place: Int64, turn: Int64, feeds: Rows, slots: Rows, watches: Rows,
        levels: Rows, measures: Rows, gauges: Rows, cells: Float64, times: Int64, faces: Int32, heap: Rows,
        meta: Int64, out: Rows,
    ) -> tuple[int, int, int]:  # fmt: skip
        _ = stamp
        s = lend(State(feeds, slots, watches, levels, measures, gauges, cells, times, faces, heap, meta, out))
        n = int(np.int64(0))
        decisions = 0
        ended = DONE
        i = begin
        while i < upto and ended == DONE:
            name = feed[i]
            if name < 0 or (i > begin and feed[i - 1] > name):
                ended = FAULT
                break
            f = int(lookup[name]) if name < len(lookup) else -1
            if f < 0:
                while i < upto and feed[i] == name:
                    i += 1
                continue
            row, scenes = feeds[f], watches[feeds[f]["watch"]]["scenes"]
            last_event, last_stamp = track[f]["event"], track[f]["stamp"]
            while i < upto and feed[i] == name:
                time = event_time[i]
                if quality[i] & NOT_EVALUATED_BITS or time < start_ms or time >= end_ms:
                    i += 1
                    continue
                came = arrival[i]
                stamped = came + lag[i]
                if time <= last_event or stamped <= last_stamp:
                    ended = FAULT
                    break
                # Where nothing runs and nothing is measured, time has nothing to say either.
                if row["busy"] != 0 or not is_calm(row, time, value[i], came // _MS):
                    n, ended = _decide(
                        f, time, value[i], came, stamped, settle_ms, s, track, marks, passes, resumed, place, turn, n
                    )
                    if ended != DONE:
                        break
                decisions += scenes
                last_event, last_stamp = time, stamped
                i += 1
            track[f]["event"], track[f]["stamp"] = last_event, last_stamp
        meta[DECISIONS] += decisions
        return i, n, ended

    @njit(cache=True, nogil=True)
    def end_by_feed(
        begin: int,
        upto: int,
        last_ms: int,
        end_ms: int,
        settle_ms: int,
        track: Rows,
        marks: Int64,
        passes: Int64,
        resumed: Int64,
        place: Int64,
        turn: Int64,
        state: State,
    ) -> tuple[int, int, int]:
        _ = stamp
        s = lend(state)
        n = int(np.int64(0))
        for f in range(begin, upto):
            if _earliest(f, s)[0] == UNQUEUED:
                continue
            n, ended = _pass_marks(f, UNQUEUED, settle_ms, s, track, marks, passes, resumed, place, turn, n)
            if ended == DONE:
                n, ended = _pass_time(f, max(last_ms, end_ms), settle_ms, s, track, place, turn, n)
            if ended != DONE:
                return f, n, ended
        return upto, n, DONE

    return evaluate_by_feed, end_by_feed


evaluate_by_feed, end_by_feed = _compiled(STAMP)
"""`evaluate_by_feed(begin, upto, feed, event_time, value, arrival, quality, lag, lookup, start_ms, end_ms, settle_ms,
track, marks, passes, resumed, place, turn, *State) -> (row, filled, ended)` looks at rows of a block, by feed and then
stamp. `lag`: ns from arrival to stamp, which rises in the order of arrival of all. `lookup`: index of each feed id, -1
for one that is not asked for. Rows outside of [start_ms, end_ms) are passed over. `track`: TRACK, shape (feeds,).
`marks`: moments in ns, rising; when a feed comes to one, time passes to `passes` (ms) there, and from then on somebody
listens again since `resumed[i + 1]` (ms; `resumed[0]` before the first). `place`, `turn`: as long as `out`, filled with
it.

`end_by_feed(begin, upto, last_ms, end_ms, ...) -> (feed, filled, ended)` lets time pass on feeds [begin, upto): past
what marks are left, to the last arrival of any reading and to `end_ms` (NO_NOW: no further)."""
