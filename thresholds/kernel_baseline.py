"""How far a feed is from what is usual for it: its readings to its baseline, by event time.

Everything is a function of the readings of the feed alone, in their order: nothing here happens by time passing.
"""

from numba import njit

from detectors.signal.baseline import EXPECTED, READY, SPREAD, add, begin_visit, close_visit, note_step
from thresholds.kernel_calendar import border
from thresholds.kernel_state import NO_PANE, UNQUEUED, State

_HOUR_MS = 3_600_000
_LAST_HOUR = 23
_HOURS = 24


@njit(nogil=True)
def hear(gauge: int, time: int, value: float, before: float, s: State) -> None:
    """A reading of a baseline's feed, `before` being the value of the one before (NaN for none).

    Where means are held against it, a block is judged with the first reading after it.
    """
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    if state["before"] == 0:
        state["before"], state["since"] = 1, time
    if m["block_ms"] == 0:
        _hold_against(gauge, time, value, s)
    else:
        _into_mean(gauge, time, value, s)
    # After it was judged; and a step from nowhere (NaN) is none.
    note_step(value - before, s.cells, state["cell"])


@njit(nogil=True)
def _into_mean(gauge: int, time: int, value: float, s: State) -> None:
    """A reading of a block whose mean will be judged, after the block before."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    block = time // m["block_ms"]
    if state["block_n"] > 0.0 and block != state["block"]:
        _hold_against(gauge, state["block"] * m["block_ms"], state["block_sum"] / state["block_n"], s)
        state["block_n"], state["block_sum"] = 0.0, 0.0
    state["block"] = block
    state["block_sum"] += value
    state["block_n"] += 1.0


@njit(nogil=True)
def _hold_against(gauge: int, time: int, value: float, s: State) -> None:
    """Say how far a value is from what its part knows, and let it count for what that part will know."""
    state = s.gauges[gauge]
    parts, cell = s.measures[state["measure"]]["of"], state["cell"]
    if time >= state["end"]:
        if state["end"] != NO_PANE:
            close_visit(state["here"], parts, s.cells, cell)
        _enter_part(gauge, time, s)
        begin_visit(state["here"], s.cells, cell)
    state["known"] = 0
    if s.cells[cell + READY] == 1.0 and time - state["since"] >= s.measures[state["measure"]]["window"]:
        state["value"] = value - s.cells[cell + EXPECTED]
        state["other"] = s.cells[cell + SPREAD]
        state["known"] = 1
    add(value, s.cells, cell)


@njit(nogil=True)
def _enter_part(gauge: int, time: int, s: State) -> None:
    """The part that a time lies in, and when the visit that begins is over at the latest."""
    state = s.gauges[gauge]
    m = s.measures[state["measure"]]
    day = border(time, m, s)
    last = day + 1 == m["first"] + m["count"]
    state["end"] = UNQUEUED if last else s.times[day + 1]
    state["here"] = 0
    if m["of"] > 1:
        # The hour that a clock change adds to a day belongs to its last one.
        hour = min(max((time - s.times[day]) // _HOUR_MS, 0), _LAST_HOUR)
        state["here"] = hour if m["of"] == _HOURS else hour + _HOURS * s.faces[day]
        if hour < _LAST_HOUR:
            state["end"] = min(s.times[day] + (hour + 1) * _HOUR_MS, state["end"])
