"""The arrays of the threshold kernel: what it keeps, what it reads, what it gives.

Everything a loop touches for one feed lies together: a quiet reading of a quiet feed costs one cache line of state,
and that one is only read.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.reading import NOT_EVALUATED, Float64, Int32, Int64

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
MOVED = 8
STILL = 9
AWAY = 10
AWAY_UP = 11
AWAY_DOWN = 12
NEAR = 13
NEAR_UP = 14
NEAR_DOWN = 15
"""Conditions: value > lo; < lo; < lo or > hi; lo <= value <= hi; = lo; another than lo; lo < value < hi; of a change,
rise > lo or fall > hi; rise < lo and fall < lo; a deviation, either way, upwards or downwards, is more than both lo
spreads and hi; it is less than the greater of them."""

READING = -1
"""In place of the rank of a measure: the reading itself."""

MEAN = 1
SUM = 2
MAX = 3
MIN = 4
LEQ = 5
TOTAL = 6
COUNT = 7
CHANGE = 8
RATE = 9
STUCK = 10
ABSENT = 11
SCHEDULE = 12
BASELINE = 13
"""Measures: of the readings in a window the mean, sum, highest, lowest, energy mean of decibels, growth of a register,
how many were over a limit, distance of the last one from the lowest and the highest, slope; how long the value has been
the same; whether none came; which of several rows of the table is in force; how far it is from what is usual."""

IN_UNIT = TOTAL
"""Measures up to here are in the unit of the metric."""
WINDOWED = RATE
"""Measures up to here are over a window."""

READINGS = 0
CROSSINGS = 1
MEANS = 2
"""What a count counts: readings over the limit; readings over it after one that was not; blocks whose mean is over."""

AT_ONCE = 0
BY_TIME = 1
BY_SAMPLES = 2
BY_SOME = 3
BY_HAND = 4
"""Delays: none; until `arg` ms after the onset; the `arg`th reading in a row; k of the last n readings (`arg` is
k * SOME + n); not before a person says so."""

SOME = 256
MOST_OF = 62
"""Of k of n: the factor of k, and the largest n."""

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
        "names": [
            "event", "arrival", "value", "busy", "slot", "level", "levels", "scenes", "gauge", "measure", "measures",
        ],
        "formats": ["i8", "i8", "f8", "i8", "i4", "i4", "i4", "i4", "i4", "i4", "i4"],
        "offsets": [0, 8, 16, 24, 32, 36, 40, 44, 48, 52, 56],
        "itemsize": 64,
    }
)  # fmt: skip
"""State of a feed, one cache line. The last reading looked at (event time in ms, arrival in ms, value), kept only while
a level is not idle or where something is measured (there NaN until the first reading); one bit for each level that may
not be idle, and `MEASURED`; the first slot; the first row of `LEVEL` and how many; how many scenes watch it; the first
gauge, the first row of `MEASURE` and how many."""

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
"""State of a level of a feed: event times at which its delay began and is over (of k of n: a bit for each of the last n
readings), its earliest key on the heap, its feed, its row of `LEVEL`, readings in a row so far, its phase."""

LEVEL = np.dtype(
    [
        ("lo", "f8"), ("hi", "f8"), ("clear_lo", "f8"), ("clear_hi", "f8"),
        ("raise_arg", "i8"), ("clear_arg", "i8"), ("silent", "i8"),
        ("op", "i4"), ("clear_op", "i4"), ("raise_by", "i4"), ("clear_by", "i4"),
        ("severity", "i4"), ("scene", "i4"), ("measure", "i4"), ("program", "i4"), ("faces", "i4"),
    ],
    align=True,
)  # fmt: skip
"""A level of a scene, as some feeds have it. `clear_op` NEVER: it clears where the condition does not hold; `silent`: a
delay that would be over later than this after the last reading is held (0: never held). `measure`: rank among the
feed's measures of what it compares. `program`: rank of the schedule by which one of the rows from `faces` on is in
force in its place; READING where there is none."""

MEASURE = np.dtype(
    [
        ("kind", "i4"), ("of", "i4"), ("panes", "i4"), ("width", "i4"), ("first", "i4"), ("count", "i4"),
        ("window", "i8"), ("pane_ms", "i8"), ("block_ms", "i8"), ("need_ms", "i8"), ("need_n", "i8"), ("limit", "f8"),
    ],
    align=True,
)  # fmt: skip
"""A measure, as some feeds have it. A window of `window` ms is `panes` panes of `pane_ms`, each `width` cells; a
calendar's window is one pane, and its borders are the times from `first` on, `count` of them; those of a schedule are
where its faces change. It has a number where at least `need_n` readings lie in the window and the feed has been heard,
without a gap of a window's length, for `need_ms`. `limit`: what a count counts over, or the value that may stay the
same for ever (NaN: none). `block_ms`: length of the blocks whose means are counted, or held against a baseline (0: the
readings are). Of a baseline `of` is how many parts it has, `window` for how long it has to learn, and the borders are
the days of its zone, whose faces say who works."""

GAUGE = np.dtype(
    [
        ("at", "i8"), ("since", "i8"), ("last", "i8"), ("pane", "i8"), ("here", "i8"), ("until", "i8"), ("wake", "i8"),
        ("block", "i8"), ("block_sum", "f8"), ("block_n", "f8"), ("value", "f8"), ("other", "f8"),
        ("begun", "i4"), ("known", "i4"), ("face", "i4"), ("woke", "i4"),
        ("queued", "i8"), ("cell", "i8"), ("feed", "i4"), ("measure", "i4"),
    ],
    align=True,
)  # fmt: skip
"""State of a measure of a feed: event time up to which it has been brought; since when the feed is heard without a gap,
or its value is the same; the last reading; the pane in hand and its place in its block, or the part of a baseline;
where the calendar's window, the face in force or the visit of a part ends; when it may change next by time alone;
the block whose mean is counted, with its sum and number of readings; the number (and the other one, of a change and
of a deviation, of which it is the spread) with whether there is one; the face in force; then what a snapshot does
not hold: its earliest key on the heap, its first cell, its feed, its row of `MEASURE`. `woke`: why it is being
looked at."""

SAVED = tuple(name for name in GAUGE.names or () if name not in ("woke", "queued", "cell", "feed", "measure"))
"""Of a gauge, what a snapshot holds."""

HEAP = np.dtype([("key", "i8"), ("slot", "i8")])
"""Delays by the wall time in ms at which they may be over; gauges (`slot` is GAUGES + index, so that of one time they
come first) by when they may change."""

GAUGES = -(1 << 40)

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

UNQUEUED = 1 << 62
"""`queued` where there is no entry on the heap; also `wake` where time alone changes nothing."""

NO_PANE = -(1 << 62)
NO_NOW = -(1 << 62)
"""For `now` of `evaluate` where time passes by the readings only."""

ROWS_PER_LEVEL = 2
"""Most rows of one moment and level: the end of a delay, and what the reading itself does then."""

LAST_BIT = 62
"""Of `busy`: levels of a feed from this rank on share it. The same of measures, in the mask of those in use."""
MEASURED = -(1 << 63)
"""Of `busy`: something is measured for the feed, so that every reading has to be looked at."""

EXPIRY = 1
EVENT = 2
"""Why a gauge woke: readings left its window, which begins nothing; or something happened that may begin a level."""

BLOCK = 64
NOT_EVALUATED_BITS = np.uint8(NOT_EVALUATED)


class State(NamedTuple):
    """All arrays of the kernel in one.

    Attributes:
        feeds: State, `FEED`, shape (feeds,).
        slots: State, `SLOT`, shape (slots,).
        levels: Table, `LEVEL`, shape (rows,).
        measures: Table, `MEASURE`, shape (rows,).
        gauges: State, `GAUGE`, shape (gauges,).
        cells: State, the panes of all gauges, shape (cells,).
        times: Table, borders of calendars and schedules in ms, rising within each.
        faces: Table, the face from each of them on.
        heap: State, `HEAP`, at least `meta[HEAP_ROOM]` entries, which are more than slots and gauges.
        meta: State, shape (META,).
        out: Rows to fill from 0, `OUT`, at least `ROWS_PER_LEVEL` for each level of any feed.
    """

    feeds: Rows
    slots: Rows
    levels: Rows
    measures: Rows
    gauges: Rows
    cells: Float64
    times: Int64
    faces: Int32
    heap: Rows
    meta: Int64
    out: Rows
