"""The arrays of the threshold kernel: what it keeps, what it reads, what it gives.

What a loop touches for one feed lies together, in whole cache lines: a reading that changes nothing costs one; of a
window it costs two more, and another one when a pane ends.
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

LINE = 64
"""Bytes of a cache line."""


def _in_lines(fields: list[tuple[str, str]]) -> np.dtype[np.void]:
    """A row of whole cache lines."""
    row = np.dtype(fields, align=True)
    names = list(row.names or ())
    return np.dtype(
        {
            "names": names,
            "formats": [row[name] for name in names],
            "offsets": [row.fields[name][1] for name in names] if row.fields else [],
            "itemsize": -(-row.itemsize // LINE) * LINE,
        }
    )


FEED = np.dtype(
    [
        ("event", "i8"), ("arrival", "i8"), ("value", "f8"), ("lo", "f8"), ("hi", "f8"), ("until", "i4"),
        ("offset", "i4"), ("slot", "i4"), ("gauge", "i4"), ("watch", "i4"), ("busy", "u2"), ("passed", "u2"),
    ],
    align=True,
)  # fmt: skip
"""State of a feed, one cache line. The last reading looked at (event time in ms, arrival in ms, value; where something
is measured NaN until the first one).

Then its calm: a reading from `lo` to `hi`, both included, of an event time before `until` (in spans of `1 << SPAN` ms),
that came in at least `offset` ms after its event time, changes nothing at any level, but by what is measured of it;
there are gauges that have a calm of their own. `lo` is inf where it has to be made anew with the next reading.

The first slot; the first gauge; the row of `WATCH`; one bit for each level that may not be idle, and `MEASURED`,
`HEARS`, `UNTOLD`. `passed`: so many readings were looked at since the calm was made, which is how many more count for
every delay that runs."""

WATCH = np.dtype(
    [
        ("level", "i4"), ("levels", "i4"), ("measure", "i4"), ("measures", "i4"), ("hears", "i4"), ("takes", "i4"),
        ("scenes", "i4"),
    ]
)  # fmt: skip
"""What watches a feed: the first row of `LEVEL` and how many, the first row of `MEASURE` and how many, of which so many
come first that have to be given every reading, so many that are no absence (schedules stand between); how many scenes
that are."""

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

GAUGE = _in_lines(
    [
        ("at", "i8"), ("last", "i8"), ("since", "i8"), ("end", "i8"), ("value", "f8"), ("lo", "f4"), ("hi", "f4"),
        ("measure", "i4"), ("cell", "i4"), ("here", "i4"), ("known", "u1"), ("begun", "u1"), ("before", "u1"),
        ("used", "u1"),
        ("other", "f8"), ("block", "i8"), ("block_sum", "f8"), ("block_n", "f8"), ("wake", "i8"), ("queued", "i8"),
        ("other_lo", "f4"), ("other_hi", "f4"), ("feed", "i4"), ("face", "u2"), ("woke", "u1"),
    ]
)  # fmt: skip
"""State of a measure of a feed, of whose two cache lines most readings need the first. Event time up to which it has
been brought (of a schedule stale while its feed is calm); the last reading; since when the feed is heard without a gap,
or its value is the same; where the pane in hand, the calendar's window, the face in force or the visit of a part ends
(`NO_PANE`: there is none yet); the number; its calm: from where to where, both included, that changes nothing at any
level; its row of `MEASURE`; its first cell; the place of the pane in hand in its block, or the part of a baseline;
whether there is a number; whether a reading has come; whether the block before still counts (of a baseline, whether it
has begun); whether a level that compares it may not be idle. Then the other number, of a change and of a deviation, of
which it is the spread; the block whose mean is counted, with its sum and number of readings; when it may change next by
time alone (of absence stale where the feed is not `UNTOLD`); its earliest key on the heap; the calm of the other number
of a change; its feed; the face in force; why it is being looked at."""

SAVED = (
    "at", "last", "since", "end", "wake", "value", "here", "face", "known", "begun", "before",
    "other", "block", "block_sum", "block_n",
)  # fmt: skip
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
META = 4
"""Places in `meta`, int64: entries on the heap, how many may be, ms until which nobody listened, readings looked at
summed over scenes. META: their number."""

UNQUEUED = 1 << 62
"""`queued` where there is no entry on the heap; also `wake` where time alone changes nothing."""

NO_PANE = -(1 << 62)
"""`end` of a gauge that is in no pane yet."""
NO_NOW = -(1 << 62)
"""For `now` of `evaluate` where time passes by the readings only."""

ROWS_PER_LEVEL = 2
"""Most rows of one moment and level: the end of a delay, and what the reading itself does then."""

LAST_BIT = 12
"""Of `busy`: levels of a feed from this rank on share it."""
MEASURED = 1 << 13
"""Of `busy`: something is measured for the feed."""
HEARS = 1 << 14
"""Of `busy`: there are gauges that have to be given every reading."""
UNTOLD = 1 << 15
"""Of `busy`: its gauges have to be told of the next reading even of absence. Where they need not, all of absence have
begun, nothing is absent, each has an entry on the heap no later than it may be, and each wakes `window` after the last
reading: so a reading moves absence on by being kept as the last one."""

SPAN = 11
"""Calm lasts whole spans of `1 << SPAN` ms, about two seconds."""
FARTHEST = 1 << 31
"""Of `until` in spans and `offset` in ms: those that are less, and not less than minus this, can be kept."""
PASSED = (1 << 16) - 1
"""Most readings that are counted in `passed`."""

EXPIRY = 1
EVENT = 2
"""Why a gauge woke: readings left its window, which begins nothing; or something happened that may begin a level."""

BLOCK = 32
"""Readings whose memory is asked for together."""
NOT_EVALUATED_BITS = np.uint8(NOT_EVALUATED)


class State(NamedTuple):
    """All arrays of the kernel in one.

    Attributes:
        feeds: State, `FEED`, shape (feeds,).
        slots: State, `SLOT`, shape (slots,).
        watches: Table, `WATCH`, shape (rows,); row 0 is of a feed that nothing watches.
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
    watches: Rows
    levels: Rows
    measures: Rows
    gauges: Rows
    cells: Float64
    times: Int64
    faces: Int32
    heap: Rows
    meta: Int64
    out: Rows
