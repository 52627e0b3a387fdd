"""The state of what is measured: made for the feeds that need it, kept over restarts and other scenes."""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import DataLossError
from core.reading import Float64, Int32, Int64
from core.stage import Snapshot
from thresholds import kernel_state as arrays
from thresholds.compiler import Tables
from thresholds.kernel_state import Rows
from thresholds.lines import aligned
from thresholds.measure import Measure

_FEW = 64
_SAVED = {name: arrays.GAUGE[name] for name in arrays.SAVED}
_FEEDS = {"event": np.int64, "arrival": np.int64, "value": np.float64}


@dataclass(frozen=True, slots=True)
class Known:
    """What a snapshot says of measures: one row a gauge that has begun, and one a feed that has one.

    Attributes:
        keys: Scene id and measure, by number.
        key: Number of each gauge's key, shape (gauges,).
        gauge_feed: Its feed, shape (gauges,).
        saved: Its fields by name, shape (gauges,) each.
        cells: The cells of all, one gauge behind the other.
        feed: Feeds, shape (feeds,).
        last: Their last event time, arrival and value by name, shape (feeds,) each.
    """

    keys: list[tuple[str, Measure]]
    key: Int64
    gauge_feed: Int64
    saved: dict[str, NDArray[np.generic]]
    cells: Float64
    feed: Int64
    last: dict[str, NDArray[np.generic]]


class Gauges:
    """All gauges with their cells.

    Attributes:
        rows: `kernel_state.GAUGE`; the first `len()` are in use.
        cells: Panes of the gauges, one gauge behind the other.
    """

    def __init__(self) -> None:
        self.rows: Rows = aligned(_FEW, arrays.GAUGE)
        self.cells: Float64 = aligned(_FEW, np.dtype(np.float64))
        self._count = 0
        self._n_cells = 0

    def __len__(self) -> int:
        return self._count

    def add(self, feeds: Int64, first: Int64, measures: Int64, cells: Int64) -> None:
        """Make the gauges of feeds that have `measures` rows of the table from `first` on, needing `cells` by row."""
        count = int(measures.sum())
        if not count:
            return
        begins = np.cumsum(measures) - measures
        measure = np.arange(count) - np.repeat(begins - first, measures)
        sizes = cells[measure]
        self._reserve(self._count + count, self._n_cells + int(sizes.sum()))
        new = self.rows[self._count : self._count + count]
        new["feed"], new["measure"] = np.repeat(feeds, measures), measure
        new["cell"] = self._n_cells + np.cumsum(sizes) - sizes
        new["end"], new["wake"], new["queued"] = arrays.NO_PANE, arrays.UNQUEUED, arrays.UNQUEUED
        self._count += count
        self._n_cells += int(sizes.sum())

    def waiting(self, measures: Rows) -> Int32:
        """Feeds that have a gauge of absence which has not begun."""
        rows = self.rows[: self._count]
        absent = measures["kind"][rows["measure"]] == arrays.ABSENT if self._count else np.zeros(0, np.bool_)
        found: Int32 = np.unique(rows["feed"][absent & (rows["begun"] == 0)]).astype(np.int32)
        return found

    def on_heap(self) -> Int64:
        """Gauges that wake at some time, as they are called on the heap."""
        found: Int64 = np.flatnonzero(self.rows["wake"][: self._count] != arrays.UNQUEUED) + arrays.GAUGES
        return found

    def packed(self, tables: Tables, feeds: Rows) -> Snapshot:
        """Parts of a snapshot: every gauge that has begun, and the last reading of its feed."""
        rows = self.rows[: self._count]
        rows = rows[rows["begun"] == 1]
        of = feeds[rows["feed"]]
        kinds = tables.measures["kind"][rows["measure"]]
        moved = (kinds == arrays.ABSENT) & (of["busy"] & arrays.UNTOLD == 0)
        rows["wake"][moved] = of["event"][moved] + tables.measures["window"][rows["measure"][moved]]
        turning = kinds == arrays.SCHEDULE
        rows["at"][turning] = np.maximum(rows["at"][turning], of["event"][turning])
        sizes = tables.cells[rows["measure"]]
        used, key = np.unique(rows["measure"], return_inverse=True)
        feed = np.unique(rows["feed"])
        return {
            "measures": msgspec.json.encode([(scene, tuple(m)) for scene, m in (tables.keys[i] for i in used)]),
            "gauge_key": key.astype(np.int32),
            "gauge_feed": rows["feed"].copy(),
            "gauge_cells": self.cells[_spread(rows["cell"], sizes)],
            "heard_feed": feed,
            **{f"gauge_{name}": rows[name].copy() for name in _SAVED},
            **{f"heard_{name}": feeds[name][feed].copy() for name in _FEEDS},
        }

    @staticmethod
    def unpacked(snapshot: Snapshot, *, bound: int) -> Known:
        """What a snapshot says, for an engine with `bound` feeds.

        Raises:
            DataLossError: If it is damaged.
        """
        try:
            raw = snapshot["measures"]
            content = raw if isinstance(raw, bytes) else raw.tobytes()
            keys = msgspec.json.decode(content, type=list[tuple[str, Measure]])
            known = Known(
                keys=keys,
                key=np.asarray(snapshot["gauge_key"], np.int64),
                gauge_feed=np.asarray(snapshot["gauge_feed"], np.int64),
                saved={name: np.asarray(snapshot[f"gauge_{name}"], kind) for name, kind in _SAVED.items()},
                cells=np.asarray(snapshot["gauge_cells"], np.float64),
                feed=np.asarray(snapshot["heard_feed"], np.int64),
                last={name: np.asarray(snapshot[f"heard_{name}"], kind) for name, kind in _FEEDS.items()},
            )
        except (KeyError, ValueError, msgspec.MsgspecError) as error:
            raise DataLossError(f"the engine's snapshot is damaged: {error}") from error
        sizes = np.array([measure.cells for _, measure in keys], np.int64)
        lengths = {len(known.key), len(known.gauge_feed), *(len(column) for column in known.saved.values())}
        lasting = {len(known.feed), *(len(column) for column in known.last.values())}
        whole = len(lengths) == 1 and len(lasting) == 1 and known.key.max(initial=-1) < len(keys)
        if not whole or len(known.cells) != sizes[known.key].sum() or known.gauge_feed.max(initial=-1) >= bound:
            raise DataLossError("the engine's snapshot is damaged: its measures do not fit together")
        return known

    def take_up(self, known: Known, tables: Tables, feeds: Rows) -> None:
        """Take up what is known of the same measures of the same scenes; others begin anew."""
        numbers = {key: number for number, key in enumerate(known.keys)}
        here = np.array([numbers.get(key, -1) for key in tables.keys], np.int64)
        rows = self.rows[: self._count]
        key = here[rows["measure"]] if self._count else np.zeros(0, np.int64)
        many = len(known.keys) + 1
        theirs = known.gauge_feed * many + known.key
        order = np.argsort(theirs, kind="stable")
        wanted = rows["feed"].astype(np.int64) * many + key
        at = np.minimum(np.searchsorted(theirs, wanted, sorter=order), max(len(theirs) - 1, 0))
        mine = np.flatnonzero((key >= 0) & (theirs[order[at]] == wanted)) if len(theirs) else np.zeros(0, np.int64)
        found = order[at[mine]] if len(theirs) else np.zeros(0, np.int64)
        for name, column in known.saved.items():
            rows[name][mine] = column[found]
        sizes = np.array([measure.cells for _, measure in known.keys], np.int64)[known.key]
        begins = np.cumsum(sizes) - sizes
        self.cells[_spread(rows["cell"][mine], sizes[found])] = known.cells[_spread(begins[found], sizes[found])]
        measured = known.feed[tables.watches["measures"][feeds["watch"][known.feed]] > 0]
        kept = np.isin(known.feed, measured)
        for name, column in known.last.items():
            feeds[name][measured] = column[kept]

    def _reserve(self, count: int, cells: int) -> None:
        """Make room for so many, at least twice as many as there were."""
        if count > len(self.rows):
            grown = aligned(max(count, 2 * len(self.rows)), arrays.GAUGE)
            grown[: self._count] = self.rows[: self._count]
            self.rows = grown
        if cells > len(self.cells):
            more = aligned(max(cells, 2 * len(self.cells)), np.dtype(np.float64))
            more[: self._n_cells] = self.cells[: self._n_cells]
            self.cells = more


def _spread(begins: Int64, sizes: Int64) -> Int64:
    """Indices of runs of `sizes` entries that begin at `begins`, one run behind the other."""
    shift = np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)
    found: Int64 = np.arange(int(sizes.sum())) + shift
    return found
