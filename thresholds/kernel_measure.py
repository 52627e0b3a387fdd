"""Measures: numbers made out of the readings of a feed, kept in panes.

A window of W ms is cut into panes of W / N ms that begin at whole multiples of that since the epoch; at an instant it
reaches from the beginning of the (N-1)th pane before the present one to that instant. What leaves, leaves by panes,
so nothing is ever taken off a sum, memory is the same however many readings come, and a reading costs the same at any
length of window. Panes lie in blocks of N: of the present block each pane holds its own, of the block before each holds
itself and all that follow it (two-stack sliding windows, after van Herk and Gil & Werman); the present block is summed
up as it goes. So the number is a function of the panes alone. The cells of a gauge, in groups
as wide as a pane: all but the pane in hand; the pane in hand; the sum of those of the present block that are over; the
panes. While no pane ends, a reading needs the first two.
"""

import math

import numpy as np
from numba import njit

from thresholds.kernel_baseline import hear
from thresholds.kernel_calendar import border
from thresholds.kernel_state import (
    ABSENT,
    BASELINE,
    CHANGE,
    COUNT,
    CROSSINGS,
    EVENT,
    EXPIRY,
    LEQ,
    MAX,
    MEAN,
    MEANS,
    MIN,
    NO_PANE,
    RATE,
    SCHEDULE,
    STUCK,
    TOTAL,
    UNQUEUED,
    WINDOWED,
    Row,
    State,
)

_LN10_10 = math.log(10.0) / 10.0
_OPEN, _SUM, PANES = 1, 2, 3
"""Places of groups of cells: of the pane in hand, the sum, the first pane."""
_LOUDEST = 3_000.0
"""In dB: beyond it the energy is no finite number."""


@njit(nogil=True)
def _merge(kind: int, into: int, what: int, width: int, s: State) -> None:
    """Add the cells from `what` on to those from `into` on; the first one is always how many readings they are."""
    cells = s.cells
    more = cells[what]
    if more == 0.0:
        return
    have = cells[into]
    if have == 0.0:
        for k in range(width):
            cells[into + k] = cells[what + k]
        return
    cells[into] = have + more
    if kind == MAX:
        cells[into + 1] = max(cells[into + 1], cells[what + 1])
    elif kind == MIN:
        cells[into + 1] = min(cells[into + 1], cells[what + 1])
    elif kind == CHANGE:
        cells[into + 1] = min(cells[into + 1], cells[what + 1])
        cells[into + 2] = max(cells[into + 2], cells[what + 2])
    elif kind == RATE:
        # Means and centred sums of two parts make those of both (Chan, Golub & LeVeque 1983).
        dt = cells[what + 1] - cells[into + 1]
        dv = cells[what + 2] - cells[into + 2]
        share = more / (have + more)
        cells[into + 1] += dt * share
        cells[into + 2] += dv * share
        cells[into + 3] += cells[what + 3] + dt * dt * have * share
        cells[into + 4] += cells[what + 4] + dt * dv * have * share
    else:
        cells[into + 1] += cells[what + 1]


@njit(nogil=True, forceinline=True)
def _clear(begin: int, end: int, cell: int, width: int, s: State) -> None:
    """Empty the groups of cells from `begin` up to `end`."""
    for k in range(cell + begin * width, cell + end * width):
        s.cells[k] = 0.0


@njit(nogil=True, forceinline=True)
def _copy(into: int, what: int, width: int, s: State) -> None:
    for k in range(width):
        s.cells[into + k] = s.cells[what + k]


@njit(nogil=True)
def _fold(kind: int, first: int, panes: int, width: int, s: State) -> None:
    """Let each pane hold itself and all that follow it."""
    cells = s.cells
    if width == 2 and kind not in (MAX, MIN):
        n, amount = 0.0, 0.0
        for at in range(first + 2 * (panes - 1), first - 1, -2):
            n += cells[at]
            amount = cells[at + 1] + amount
            cells[at], cells[at + 1] = n, amount
        return
    for j in range(panes - 2, -1, -1):
        _merge(kind, first + j * width, first + (j + 1) * width, width, s)


@njit(nogil=True)
def _roll(gauge: int, time: int, s: State) -> None:
    """Bring a gauge of a sliding window to the pane of an instant behind the pane in hand."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    panes, pane_ms, width, kind, cell = m["panes"], m["pane_ms"], m["width"], m["kind"], state["cell"]
    past = time - state["end"]
    if state["end"] == NO_PANE or past >= (panes - 1) * pane_ms:
        _start_over(gauge, (time // pane_ms + 1) * pane_ms, s)
        return
    # Most often it is the next one, and a division costs as much as all the rest.
    steps = 1 if past < pane_ms else 1 + past // pane_ms
    state["end"] += steps * pane_ms
    here = state["here"]
    there = here + steps
    first = cell + PANES * width
    _copy(first + here * width, cell + _OPEN * width, width, s)
    if there < panes:
        _merge(kind, cell + _SUM * width, cell + _OPEN * width, width, s)
        _clear(PANES + here + 1, PANES + there, cell, width, s)
    else:
        there -= panes
        _clear(PANES + here + 1, PANES + panes, cell, width, s)
        _fold(kind, first, panes, width, s)
        _clear(_SUM, PANES + there, cell, width, s)
        state["before"] = 1
    state["here"] = there
    _clear(_OPEN, _SUM, cell, width, s)
    _copy(cell, cell + _SUM * width, width, s)
    if state["before"] == 1 and there + 1 < panes:
        _merge(kind, cell, first + (there + 1) * width, width, s)


@njit(nogil=True)
def _start_over(gauge: int, end: int, s: State) -> None:
    """Begin a window with an empty pane, which ends at `end`, and nothing before it."""
    state = s.gauges[gauge]
    state["end"], state["here"], state["before"] = end, 0, 0
    _clear(0, PANES, state["cell"], s.measures[state["measure"]]["width"], s)


@njit(nogil=True)
def _enter(gauge: int, time: int, s: State) -> int:
    """Bring a calendar's or schedule's gauge to the window that a time lies in; its index."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    index = border(time, m, s)
    last = index + 1 == m["first"] + m["count"]
    state["end"] = UNQUEUED if last else s.times[index + 1]
    return index


@njit(nogil=True, forceinline=True)
def _to_pane(gauge: int, time: int, s: State) -> None:
    """Bring a gauge to the pane that a time lies in."""
    state = s.gauges[gauge]
    if time < state["end"]:
        return
    if s.measures[state["measure"]]["count"] == 0:
        _roll(gauge, time, s)
    else:
        _enter(gauge, time, s)
        _start_over(gauge, state["end"], s)


@njit(nogil=True, forceinline=True)
def _tell(gauge: int, s: State) -> None:
    """Work out the number of a window, if it has one: of the pane in hand and of all others together."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    kind, cells = m["kind"], s.cells
    rest = state["cell"]
    here = rest + m["width"]
    n = cells[rest] + cells[here]
    state["known"] = 0
    if n == 0.0 and m["count"] > 0:
        # The count of a calendar's new window is known at once; an empty sliding window says nothing.
        state["value"], state["known"] = 0.0, 1
        return
    if n == 0.0 or n < m["need_n"] or state["at"] - state["since"] < m["need_ms"]:
        return
    if kind == MEAN:
        state["value"] = (cells[rest + 1] + cells[here + 1]) / n
    elif kind == LEQ:
        energy = (cells[rest + 1] + cells[here + 1]) / n
        state["value"] = 10.0 * math.log10(energy) if energy > 0.0 else -np.inf
    elif kind in (MAX, MIN, CHANGE, RATE):
        if not _tell_of_parts(gauge, rest, here, s):
            return
    else:
        state["value"] = cells[rest + 1] + cells[here + 1]
    state["known"] = 1


@njit(nogil=True)
def _tell_of_parts(gauge: int, rest: int, here: int, s: State) -> bool:
    """The same of what is not a sum, where an empty part must not count; whether there is a number."""
    state = s.gauges[gauge]
    kind, cells = s.measures[state["measure"]]["kind"], s.cells
    if cells[here] == 0.0:
        here = rest
    if cells[rest] == 0.0:
        rest = here
    if kind == MAX:
        state["value"] = max(cells[rest + 1], cells[here + 1])
    elif kind == MIN:
        state["value"] = min(cells[rest + 1], cells[here + 1])
    elif kind == CHANGE:
        value = s.feeds[state["feed"]]["value"]
        state["value"] = value - min(cells[rest + 1], cells[here + 1])
        state["other"] = max(cells[rest + 2], cells[here + 2]) - value
    else:
        spread, slope = cells[rest + 3], cells[rest + 4]
        if rest != here:
            dt = cells[here + 1] - cells[rest + 1]
            share = cells[here] / (cells[rest] + cells[here])
            spread += cells[here + 3] + dt * dt * cells[rest] * share
            slope += cells[here + 4] + dt * (cells[here + 2] - cells[rest + 2]) * cells[rest] * share
        if not spread > 0.0 or math.isnan(slope / spread):
            return False
        state["value"] = slope / spread
    return True


@njit(nogil=True, forceinline=True)
def _amount(value: float, before: float, fresh: bool, m: Row) -> float:
    """What a reading adds to a window."""
    kind = m["kind"]
    if kind == LEQ:
        return math.exp(value * _LN10_10) if value < _LOUDEST else np.inf
    if kind == TOTAL:
        return 0.0 if fresh or value < before else value - before
    if kind == COUNT:
        if m["of"] == MEANS or not value > m["limit"]:
            return 0.0
        return 0.0 if m["of"] == CROSSINGS and not fresh and before > m["limit"] else 1.0
    return value


@njit(nogil=True, forceinline=True)
def _add(gauge: int, time: int, amount: float, s: State) -> None:
    """Add one to the pane in hand."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    kind, cells = m["kind"], s.cells
    at = state["cell"] + m["width"]
    have = cells[at]
    cells[at] = have + 1.0
    if kind == RATE:
        dt = time - cells[at + 1] if have > 0.0 else 0.0
        dv = amount - cells[at + 2] if have > 0.0 else 0.0
        if have == 0.0:
            cells[at + 1], cells[at + 2], cells[at + 3], cells[at + 4] = time, amount, 0.0, 0.0
            return
        cells[at + 1] += dt / (have + 1.0)
        cells[at + 2] += dv / (have + 1.0)
        cells[at + 3] += dt * dt * have / (have + 1.0)
        cells[at + 4] += dt * dv * have / (have + 1.0)
    elif kind == MAX:
        cells[at + 1] = max(cells[at + 1], amount) if have > 0.0 else amount
    elif kind == MIN:
        cells[at + 1] = min(cells[at + 1], amount) if have > 0.0 else amount
    elif kind == CHANGE:
        cells[at + 1] = min(cells[at + 1], amount) if have > 0.0 else amount
        cells[at + 2] = max(cells[at + 2], amount) if have > 0.0 else amount
    else:
        cells[at + 1] += amount


@njit(nogil=True, forceinline=True)
def _into_block(gauge: int, time: int, value: float, s: State) -> None:
    """Add a reading to the block whose mean will be counted."""
    state = s.gauges[gauge]
    block = time // s.measures[state["measure"]]["block_ms"]
    if block > state["block"] or state["block_n"] == 0.0:
        state["block"], state["block_sum"], state["block_n"] = block, 0.0, 0.0
    state["block_sum"] += value
    state["block_n"] += 1.0


@njit(nogil=True, forceinline=True)
def take(gauge: int, time: int, value: float, before: float, s: State) -> bool:
    """A reading, `before` being the value of the one before; its feed holds it already. Whether that changes nothing.

    A gauge never goes back: a reading of an instant up to which time has passed it already counts as of that instant.
    """
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    kind = m["kind"]
    fresh = state["begun"] == 0
    if kind == ABSENT:
        state["value"], state["known"], state["begun"] = 0.0, 1, 1
        state["wake"] = time + m["window"]
        return True
    now = time if fresh else max(time, state["at"])
    state["at"], state["begun"] = now, 1
    if kind == BASELINE:
        spread = state["other"]
        hear(gauge, time, value, before, s)
        return _is_calm(state) and state["other"] == spread
    if kind == SCHEDULE:
        if now >= state["end"]:
            state["face"] = s.faces[_enter(gauge, now, s)]
        return True
    if kind == STUCK:
        if fresh or value != before or value == m["limit"]:
            state["since"] = now
        state["value"], state["known"] = float(now - state["since"]), 1
        return _is_calm(state)
    if fresh or now - state["last"] > m["window"]:
        state["since"] = now
    state["last"] = now
    _to_pane(gauge, now, s)
    if kind == COUNT and m["of"] == MEANS:
        # The end of a block has to be put on the heap.
        begun = state["block_n"] > 0.0
        _into_block(gauge, now, value, s)
        _tell(gauge, s)
        return begun and _is_calm(state)
    _add(gauge, now, _amount(value, before, fresh, m), s)
    _tell(gauge, s)
    return _is_calm(state) and (kind != CHANGE or state["other_lo"] <= state["other"] <= state["other_hi"])


@njit(nogil=True, forceinline=True)
def _is_calm(state: Row) -> bool:
    """Whether the number of a gauge changes nothing; where there is none, only levels that are idle do not change."""
    if state["known"] == 0:
        return bool(state["used"] == 0)
    return bool((state["lo"] <= state["value"]) & (state["value"] <= state["hi"]))


@njit(nogil=True)
def pass_to(gauge: int, time: int, s: State) -> None:
    """Bring a gauge that has begun to an instant without a reading, and say in `woke` what that is to its levels."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    kind = m["kind"]
    state["woke"] = EVENT
    state["at"] = max(state["at"], time)
    if kind == ABSENT:
        state["value"], state["known"] = 1.0, 1
    elif kind == SCHEDULE:
        if time >= state["end"]:
            state["face"] = s.faces[_enter(gauge, time, s)]
    elif kind <= WINDOWED:
        _to_pane(gauge, state["at"], s)
        state["woke"] = EXPIRY
        if state["block_n"] > 0.0 and time >= _block_end(state, m):
            state["woke"] = EVENT
            _add(gauge, time, 1.0 if state["block_sum"] / state["block_n"] > m["limit"] else 0.0, s)
            # The block is over: what comes for it from here on counts as of the next one.
            state["block_n"], state["at"] = 0.0, time + 1
        _tell(gauge, s)


@njit(nogil=True, forceinline=True)
def _block_end(state: Row, m: Row) -> int:
    """The last millisecond of the block in hand, at which its mean is there: so it counts in the day it belongs to."""
    return int((state["block"] + 1) * m["block_ms"] - 1)


@njit(nogil=True, forceinline=True)
def set_wake(gauge: int, s: State) -> None:
    """Say when time alone may change the number next.

    A window that readings leave can only end something: for levels that are idle nothing is looked at.
    """
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    kind = m["kind"]
    if kind == ABSENT:
        if state["value"] > 0.0:
            state["wake"] = UNQUEUED
        return
    state["wake"] = UNQUEUED
    if kind == SCHEDULE:
        state["wake"] = state["end"]
    elif kind <= WINDOWED:
        if state["used"] == 1 and s.cells[state["cell"]] + s.cells[state["cell"] + m["width"]] > 0.0:
            state["wake"] = state["end"]
        if state["block_n"] > 0.0:
            state["wake"] = min(state["wake"], _block_end(state, m))


@njit(nogil=True)
def expect(gauge: int, clock: int, s: State) -> None:
    """Absence counts from `clock`, the present time of the feed, if it does not yet."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    if m["kind"] == ABSENT and state["begun"] == 0:
        state["begun"], state["known"] = 1, 1
        state["wake"] = clock + m["window"]
