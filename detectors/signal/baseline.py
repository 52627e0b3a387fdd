"""What is usual for a feed at this time, learnt from its own readings as they come: a mean and a spread for each part.

A *part* is a kind of time: an hour of working days, an hour of days off, or simply all the time. Readings of one part
without a reading of another between them are a *visit*. While it lasts its readings are compared with what the part
knew before it; it teaches only when it is over, and then weighs the same however many readings it had. So a reading is
never held against itself, and a device that reports faster in alarm does not drown out the days before.

A part keeps the mean and the variance of a reading, over visits: the first ones weigh the same, later ones 1 / MEMORY.
The variance has both what varies within a visit and what varies from visit to visit (law of total variance). Its spread
is made of that, of the variance of all parts together (a part of which little is known yet leans on the others, as in
James & Stein 1961), of the step in which the sensor reports (Sheppard 1898), and of how well the mean is known.

What is far from usual must not become usual at once: a reading counts as no further away than FAR spreads. What stays
away for good does: a part of which most readings are far in NEW_USUAL visits in a row begins anew with the last of
them. So does one whose variance is DEAF times what as many visits show, since an absurd value was among its first.

State is a run of float64 cells: HEAD, then PART for each part. All functions take the cells and where the run begins.
"""

import math
from typing import NamedTuple

from numba import njit

from core.reading import Float64

MEMORY = 10.0
"""Visits over which a part remembers: a later one weighs 1 / MEMORY."""
FEWEST = 3.0
"""A part of which fewer visits are known has no number."""
FAR = 3.0
"""In spreads: beyond it a reading teaches no more than one just there."""
NEW_USUAL = 5.0
"""So many visits in a row that do not fit what a part knows are what is usual from then on."""
DEAF = 1000.0
"""A variance so many times too great does not fit either."""
LEANING = 4.0
"""How many visits the variance of all parts counts for, beside those of the part."""

SEEN, STEP, SHARED, SHARED_N, COUNT, OUT, MEAN, SQUARES, NEAR_MEAN, NEAR_SQUARES, EXPECTED, SPREAD, READY = range(13)
HEAD = 13
"""Cells of the whole: the least change between two readings (0: none yet), so far and as it counts; the mean
variance over all parts and over how many visits; of the visit in hand how many readings, how many of them far, their
mean and centred sum of squares, the same with what is far moved nearer; what is expected in it, the spread, and
whether (1) enough is known."""

VISITS, PART_MEAN, VARIANCE, ODD = range(4)
PART = 4
"""Cells of a part: visits, mean, variance, visits in a row most of whose readings were far, or (below 0) that were DEAF
times nearer than the variance says."""


class Usual(NamedTuple):
    """What is known of the part in hand: `visits` of `FEWEST`; mean and spread count from there on."""

    visits: int
    expected: float
    spread: float


def cells_for(parts: int) -> int:
    """How many cells a baseline of so many parts needs; all are 0 at the beginning."""
    return HEAD + PART * parts


def usual(cells: Float64, part: int) -> Usual:
    """What the cells of one baseline say of the part in hand; shape (cells_for(parts),)."""
    visits = int(cells[HEAD + PART * part + VISITS])
    return Usual(visits, float(cells[EXPECTED]), float(cells[SPREAD]))


@njit(nogil=True)
def note_step(change: float, cells: Float64, at: int) -> None:
    """Two readings behind one another differ by `change`."""
    size = abs(change)
    if size > 0.0 and (cells[at + SEEN] == 0.0 or size < cells[at + SEEN]):
        cells[at + SEEN] = size


@njit(nogil=True)
def begin_visit(part: int, cells: Float64, at: int) -> None:
    """A visit of a part begins; the one before has been closed."""
    here = at + HEAD + PART * part
    visits = cells[here + VISITS]
    cells[at + READY] = 1.0 if visits >= FEWEST else 0.0
    for k in range(COUNT, NEAR_SQUARES + 1):
        cells[at + k] = 0.0
    cells[at + EXPECTED] = cells[here + PART_MEAN]
    cells[at + SPREAD] = 0.0
    if visits > 0.0:
        known = min(visits, MEMORY)
        own = (known * cells[here + VARIANCE] + LEANING * cells[at + SHARED]) / (known + LEANING)
        step = cells[at + STEP]
        cells[at + SPREAD] = math.sqrt((own + step * step / 12.0) * (1.0 + 1.0 / known))
    # From the next visit on: the jump of a sensor that never moved before is no step in which it reports.
    cells[at + STEP] = cells[at + SEEN]


@njit(nogil=True)
def add(value: float, cells: Float64, at: int) -> None:
    """A reading of the visit in hand."""
    near = value
    if cells[at + READY] == 1.0:
        furthest = FAR * cells[at + SPREAD]
        gone = value - cells[at + EXPECTED]
        if abs(gone) > furthest:
            cells[at + OUT] += 1.0
            near = cells[at + EXPECTED] + math.copysign(furthest, gone)
    cells[at + COUNT] += 1.0
    _spread_out(value, at + MEAN, cells[at + COUNT], cells)
    _spread_out(near, at + NEAR_MEAN, cells[at + COUNT], cells)


@njit(nogil=True)
def _spread_out(value: float, at: int, count: float, cells: Float64) -> None:
    """One more value for a mean and the centred sum behind it (Welford 1962)."""
    gone = value - cells[at]
    cells[at] += gone / count
    cells[at + 1] += gone * (value - cells[at])


@njit(nogil=True)
def close_visit(part: int, parts: int, cells: Float64, at: int) -> None:
    """The visit in hand, of a part, is over: let it teach."""
    here = at + HEAD + PART * part
    count = cells[at + COUNT]
    visits = cells[here + VISITS]
    gone = cells[at + NEAR_MEAN] - cells[here + PART_MEAN]
    within = cells[at + NEAR_SQUARES] / count
    odd = _misfit(cells[at + OUT] / count, within + gone * gone, cells[here + VARIANCE], cells[here + ODD])
    if visits == 0.0 or abs(odd) == NEW_USUAL:
        if odd < 0.0:
            cells[at + SHARED] = 0.0
            cells[at + SHARED_N] = 0.0
        cells[here + VISITS] = 1.0
        cells[here + PART_MEAN] = cells[at + MEAN]
        cells[here + VARIANCE] = cells[at + SQUARES] / count
        cells[here + ODD] = 0.0
        return
    known = min(visits, MEMORY)
    cells[at + SHARED_N] += 1.0
    found = within + gone * gone * known / (known + 1.0)
    cells[at + SHARED] += (found - cells[at + SHARED]) / min(cells[at + SHARED_N], MEMORY * parts)
    share = 1.0 / min(visits + 1.0, MEMORY)
    cells[here + VARIANCE] = (1.0 - share) * (cells[here + VARIANCE] + share * gone * gone) + share * within
    cells[here + PART_MEAN] += share * gone
    cells[here + VISITS] = visits + 1.0
    cells[here + ODD] = odd


@njit(nogil=True)
def _misfit(out: float, found: float, variance: float, odd: float) -> float:
    """How many visits in a row do not fit, with this one: too far (above 0) or far too near (below).

    `out`: the share of its readings that are far; `found`: their mean square about what was expected.
    """
    if out > 0.5:
        return max(odd, 0.0) + 1.0
    # Told this way round, so that a variance which is no number any more does not fit.
    if variance != 0.0 and not DEAF * found > variance:
        return min(odd, 0.0) - 1.0
    return 0.0
