"""Scenes to flat tables: which levels a feed of a device gets, with the overrides in force there."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from city.device import Device
from core.reading import Int32, Int64
from core.severity import Severity
from thresholds import kernel_state as kernel
from thresholds.calendars import borders, days_off
from thresholds.delay import Delay, Rate
from thresholds.deviates import Deviates
from thresholds.kernel_state import Rows
from thresholds.level import LevelBase
from thresholds.measure import Measure
from thresholds.scene import Feeds, Scene
from thresholds.scene_set import DECIDES, SceneSet
from thresholds.schedule import When, faces_of
from thresholds.where import SPECIFIC

_OPS = {
    "above": kernel.ABOVE,
    "below": kernel.BELOW,
    "outside": kernel.OUTSIDE,
    "inside": kernel.INSIDE,
    "equals": kernel.EQUALS,
    "not_equals": kernel.NOT_EQUALS,
    "moved": kernel.MOVED,
}
_AWAY = {
    None: (kernel.AWAY, kernel.NEAR),
    "up": (kernel.AWAY_UP, kernel.NEAR_UP),
    "down": (kernel.AWAY_DOWN, kernel.NEAR_DOWN),
}
"""Of a deviation, by its direction: the condition, and that of being back."""
_CLEAR_OPS = {
    "clear_rate_below": kernel.BELOW,
    "clear_rate_above": kernel.ABOVE,
    "clear_below": kernel.BELOW,
    "clear_above": kernel.ABOVE,
    "clear_inside": kernel.WITHIN,
    "clear_outside": kernel.OUTSIDE,
}

_Kind = tuple[str | float | None, ...]


class Watch(NamedTuple):
    """What watches one kind of feed: a run of rows of the level table, and one of the table of measures.

    `scenes`: of how many the levels are; `cells`: how many the measures keep; `number`: its row of `kernel.WATCH`;
    `hears`: how many of the measures have to be given every reading; `lacking`: scenes that would watch it, but for a
    design value.
    """

    first: int
    levels: int
    measure: int
    measures: int
    scenes: int = 0
    cells: int = 0
    number: int = 0
    hears: int = 0
    lacking: tuple[str, ...] = ()


_NOBODY = Watch(0, 0, 0, 0)


class Refused(NamedTuple):
    """A device for which levels of a scene cannot be evaluated, since it has no design value (over 0) of the metric."""

    scene: str
    device: str
    metric: str

    def __str__(self) -> str:
        """In words."""
        return (
            f"scene {self.scene} does not watch {self.device}/{self.metric}: its limits are percent of a design value, "
            f"and the device has none of {self.metric}: add one to the list of devices"
        )


class Tables:
    """The tables that the kernel reads; they grow by a few rows when a feed comes that has other levels.

    Feeds under the same levels share their rows, so that the tables stay in the cache however many feeds there are.

    Attributes:
        watches: `kernel.WATCH`, shape (watches,); the first one is of a feed that nothing watches.
        levels: `kernel.LEVEL`, shape (rows,).
        measures: `kernel.MEASURE`, shape (measures,).
        keys: What each row of `measures` is a measure of: scene id and measure.
        cells: How many cells each row of `measures` needs, shape (measures,).
        times: Borders of calendars and schedules, ms.
        faces: The face of a schedule from each of them on.
        refused: Devices that lack a design value.
        widest: No feed can have more levels than this.
    """

    def __init__(self, scenes: SceneSet) -> None:
        self._profiles = scenes.profiles
        self._live = [(index, scene) for index, scene in enumerate(scenes.scenes) if scene.stage in DECIDES]
        self.watches: Rows = np.zeros(1, kernel.WATCH)
        self._many: Rows = self.watches
        self.levels: Rows = np.zeros(0, kernel.LEVEL)
        self._roomy: Rows = self.levels
        self.measures: Rows = np.zeros(0, kernel.MEASURE)
        self._wide: Rows = self.measures
        self.keys: list[tuple[str, Measure]] = []
        self.cells = np.zeros(0, np.int64)
        self.times = np.zeros(0, np.int64)
        self.faces = np.zeros(0, np.int32)
        self.refused: dict[Refused, None] = {}
        self._relative = any(_is_relative(scene) for _, scene in self._live)
        self.widest = _widest([scene for _, scene in self._live])
        self._named = {name: _named(name, self._live) for name in SPECIFIC}
        self._by_kind: dict[_Kind, Watch] = {}
        self._by_rows: dict[Any, Watch] = {}
        self._borders: dict[tuple[str, ...], tuple[int, int]] = {}
        self._masks: dict[int, list[int]] = {}

    def watch(self, device: Device, metric: str) -> Watch:
        """What watches `metric` of `device`, nothing if it is out of use.

        Devices that no scene tells apart are resolved once.
        """
        if device.out_of_use:
            return _NOBODY
        named = self._named
        kind = (
            metric,
            device.type,
            device.id if device.id in named["device"] else "",
            device.place if device.place in named["place"] else "",
            device.gateway if device.gateway in named["gateway"] else "",
            device.town if device.town in named["town"] else "",
            device.kind if device.kind in named["kind"] else "",
            device.self_grid if device.self_grid in named["grid"] else "",
            device.disposal_grid if device.disposal_grid in named["disposal_grid"] else "",
            device.area_class if device.area_class in named["area_class"] else "",
            device.design.get(metric) if self._relative else None,
        )
        known = self._by_kind.get(kind)
        if known is None:
            known = self._by_kind[kind] = self._resolve(device, metric)
        self.refused.update((Refused(scene, device.id, metric), None) for scene in known.lacking)
        return known

    def _resolve(self, device: Device, metric: str) -> Watch:
        watching = [(index, scene) for index, scene in self._live if scene.feeds.watch(device, metric)]
        rows: list[tuple[Any, ...]] = []
        wanted: list[tuple[str, Measure]] = []
        given = device.design.get(metric)
        design = given if given is not None and given > 0 else None
        lacking: dict[str, None] = {}
        faces: list[tuple[Any, ...]] = []
        for index, scene in watching:
            masks = self._masks_of(index, scene)
            ladders = [self._ladder(scene, index, device, mask, wanted, design) for mask in masks]
            if None in [row for ladder in ladders for row in ladder]:
                lacking[scene.id] = None
            program = kernel.READING
            if scene.whens:
                keys = "\n".join(when.key for when in scene.whens)
                program = _rank(wanted, (scene.id, Measure(kernel.SCHEDULE, zone=scene.zone, schedule=keys)))
            for turns in zip(*ladders, strict=True):
                whole = [row for row in turns if row is not None]
                if len(whole) < len(turns) or all(math.isnan(row[0]) for row in whole):
                    continue
                head = whole[0]
                if scene.whens:
                    # Its faces stand behind all heads: how far is known when all heads are.
                    head = (*head[:-2], program, len(faces))
                    faces += whole
                rows.append(head)
        if not rows:
            return _NOBODY._replace(lacking=tuple(lacking))
        order = sorted(range(len(wanted)), key=lambda rank: _place(wanted[rank][1]))
        rows, faces = _ranked(rows, order), _ranked(faces, order)
        wanted = [wanted[rank] for rank in order]
        known = (tuple(rows), tuple(faces), tuple(wanted))
        if known not in self._by_rows:
            self._by_rows[known] = self._entered(rows, faces, wanted, len({row[_SCENE] for row in rows}))
        return self._by_rows[known]._replace(lacking=tuple(lacking))

    def _masks_of(self, index: int, scene: Scene) -> list[int]:
        """Which schedules of a scene are in force together, a bit each; laid out once, not for each kind of feed."""
        if index not in self._masks:
            self._masks[index] = faces_of(scene.whens, scene.zone)[0] if scene.whens else [0]
        return self._masks[index]

    def _ladder(
        self, scene: Scene, index: int, device: Device, mask: int, wanted: list[tuple[str, Measure]],
        design: float | None,
    ) -> list[tuple[Any, ...] | None]:  # fmt: skip
        """The rows of a scene while some of its schedules are in force; None for a level that lacks a design value."""
        whens = {when.key for bit, when in enumerate(scene.whens) if mask >> bit & 1}
        found: list[tuple[Any, ...] | None] = []
        for level in scene.ladder_for(device, whens, self._profiles):
            measure = level.measure(scene.zone)
            rank = kernel.READING if measure is None else _rank(wanted, (scene.id, measure))
            row: tuple[Any, ...] | None = _row(level, index, scene.feeds.silent_after or 0, rank)
            if row is not None and level.from_table:
                row = (math.nan, *_closed(row)[1:])
            elif row is not None and getattr(level, "percent_of", None):
                row = None if design is None else _scaled(row, design / 100)
            if row is not None and scene.when is not None and scene.when.key not in whens:
                row = _closed(row)
            found.append(row)
        return found

    def _entered(
        self, rows: list[tuple[Any, ...]], faces: list[tuple[Any, ...]], wanted: list[tuple[str, Measure]], scenes: int
    ) -> Watch:
        """New rows at the end of the tables."""
        behind = len(self.levels) + len(rows)
        cells = np.array([measure.cells for _, measure in wanted], np.int64)
        new = np.array([*rows, *faces], kernel.LEVEL)
        new["faces"][: len(rows)] += behind
        places = [_place(measure) for _, measure in wanted]
        hears, takes = places.count(0), len(wanted) - places.count(2)
        watch = Watch(
            len(self.levels), len(rows), len(self.measures), len(wanted), scenes, int(cells.sum()),
            len(self.watches), hears,
        )  # fmt: skip
        row = np.array([(*watch[:4], hears, takes, scenes)], kernel.WATCH)
        self.watches, self._many = _grown(self._many, len(self.watches), row)
        self.levels, self._roomy = _grown(self._roomy, len(self.levels), new)
        if wanted:
            measures = [self._measure_row(measure) for _, measure in wanted]
            rows_of = np.array(measures, kernel.MEASURE)
            self.measures, self._wide = _grown(self._wide, len(self.measures), rows_of)
            self.cells = np.concatenate([self.cells, cells])
            self.keys += wanted
        return watch

    def _measure_row(self, measure: Measure) -> tuple[Any, ...]:
        """A measure as a row of `kernel.MEASURE`."""
        first, count = (0, 0)
        if measure.calendar:
            first, count = self._calendar(measure)
        elif measure.schedule:
            first, count = self._schedule(measure)
        elif measure.kind == kernel.BASELINE:
            first, count = self._timeline(
                ("days off", measure.zone), lambda: (borders("day", measure.zone), days_off())
            )
        panes = measure.panes
        return (
            measure.kind, measure.of, panes, measure.width, first, count,
            measure.window, measure.window // panes if panes else 0, measure.block_ms, measure.need_ms, measure.need_n,
            np.nan if measure.limit is None else measure.limit,
        )  # fmt: skip

    def _calendar(self, measure: Measure) -> tuple[int, int]:
        """Where the borders of a calendar stand, and how many they are."""
        return self._timeline((measure.calendar, measure.zone), lambda: (borders(measure.calendar, measure.zone), None))

    def _schedule(self, measure: Measure) -> tuple[int, int]:
        """Where the turns of a schedule stand, and how many they are."""
        whens = [When.model_validate_json(key) for key in measure.schedule.split("\n")]
        return self._timeline((measure.schedule, measure.zone), lambda: faces_of(whens, measure.zone)[1:])

    def _timeline(self, key: tuple[str, ...], made: Callable[[], tuple[Int64, Int32 | None]]) -> tuple[int, int]:
        if key not in self._borders:
            times, faces = made()
            self._borders[key] = (len(self.times), len(times))
            self.times = np.concatenate([self.times, times])
            self.faces = np.concatenate([self.faces, np.zeros(len(times), np.int32) if faces is None else faces])
        return self._borders[key]


def _grown(room: Rows, count: int, new: Rows) -> tuple[Rows, Rows]:
    """A table whose first `count` rows are in `room`, with new rows behind them, and its room, which grows seldom."""
    if count + len(new) > len(room):
        room = np.concatenate([room[:count], np.zeros(max(len(new), count), room.dtype)])
    room[count : count + len(new)] = new
    return room[: count + len(new)], room


def _place(measure: Measure) -> int:
    """Where the measures of a feed stand: first those that have to be given every reading, absence last."""
    return {kernel.SCHEDULE: 1, kernel.ABSENT: 2}.get(measure.kind, 0)


def _rank(wanted: list[tuple[str, Measure]], one: tuple[str, Measure]) -> int:
    """The rank of a measure among those of a feed, to which it is added if it is not there."""
    if one not in wanted:
        wanted.append(one)
    return wanted.index(one)


def _row(level: LevelBase, scene: int, silent_ms: int, measure: int) -> tuple[Any, ...]:
    """A level as a row of `kernel.LEVEL`."""
    op, lo, hi = _condition(level)
    clear_op, clear_lo, clear_hi = _clear(level, op)
    raise_by, raise_arg = _delay(level.for_)
    clear_by, clear_arg = (kernel.BY_HAND, 0) if level.latch else _delay(level.clear_for)
    severity = int(Severity.of(level.severity))
    return (
        lo, hi, clear_lo, clear_hi, raise_arg, clear_arg, silent_ms if level.silent else 0,
        op, clear_op, raise_by, clear_by, severity, scene, measure, kernel.READING, 0,
    )  # fmt: skip


def _condition(level: LevelBase) -> tuple[int, float, float]:
    """The condition of a level, and its limits."""
    if level.op == "state":
        # true/false travels as 1/0; anything but 0 is true.
        return (kernel.NOT_EQUALS if level.limit else kernel.EQUALS), 0.0, 0.0
    if isinstance(level, Deviates):
        return (_AWAY[level.deviates.direction][0], *level.compared)
    return (_OPS[level.op], *level.compared)


def _clear(level: LevelBase, op: int) -> tuple[int, float, float]:
    """What is beyond the clear value of a level whose condition is `op`, and the limits of that."""
    clear = level.clear_value
    if clear is None:
        return kernel.NEVER, 0.0, 0.0
    if isinstance(level, Deviates):
        return (_AWAY[level.deviates.direction][1], *level.cleared)
    if op == kernel.MOVED:
        return (kernel.STILL, *_pair(clear))
    return (_CLEAR_OPS[str(level.clears_by)], *_pair(clear))


_SCENE, _MEASURE, _PROGRAM = (list(kernel.LEVEL.names or ()).index(name) for name in ("scene", "measure", "program"))
"""Places in such a row."""


def _ranked(rows: list[tuple[Any, ...]], order: list[int]) -> list[tuple[Any, ...]]:
    """Rows for measures in another order."""
    now = {kernel.READING: kernel.READING, **{before: rank for rank, before in enumerate(order)}}
    return [(*row[:_MEASURE], now[row[_MEASURE]], now[row[_PROGRAM]], *row[_PROGRAM + 1 :]) for row in rows]


def _scaled(row: tuple[Any, ...], factor: float) -> tuple[Any, ...]:
    """A row whose limits are given in units of `factor`."""
    lo, hi, clear_lo, clear_hi = (limit * factor for limit in row[:4])
    return (lo, hi, clear_lo, clear_hi, *row[4:])


def _closed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row outside the hours of its scene: nothing holds, and everything is beyond the clear value."""
    return (*row[:7], kernel.NEVER, kernel.NEVER, *row[9:])


def _is_relative(scene: Scene) -> bool:
    """Whether limits of a scene may be percent of a design value."""
    levels = [*scene.levels, *(change for o in scene.overrides for change in o.levels.given.values())]
    by_table = scene.limits_from is not None and scene.limits_from.percent_of is not None
    return by_table or any(getattr(level, "percent_of", None) for level in levels)


def _pair(limit: float | Rate | tuple[float, float]) -> tuple[float, float]:
    if isinstance(limit, Rate):
        return limit.per_millisecond, 0.0
    return limit if isinstance(limit, tuple) else (limit, 0.0)


def _delay(delay: Delay) -> tuple[int, int]:
    if delay.of:
        return kernel.BY_SOME, delay.samples * kernel.SOME + delay.of
    if delay.samples:
        return kernel.BY_SAMPLES, delay.samples
    return (kernel.BY_TIME, delay.ms) if delay.ms else (kernel.AT_ONCE, 0)


def _named(name: str, live: list[tuple[int, Scene]]) -> frozenset[str]:
    """Every value of an attribute that some scene tells apart."""
    found: set[str] = set()
    for _, scene in live:
        wheres = [scene.feeds.where, *(override.where for override in scene.overrides)]
        found.update(value for where in wheres if where for value in getattr(where, name) or ())
        if name == "device":
            found.update(scene.feeds.device or ())
        if scene.limit_table is not None:
            found.update(scene.limit_table.values(name))
    return frozenset(found)


def _widest(scenes: list[Scene]) -> int:
    """The most levels that a feed can have, going by type and metric alone."""
    kinds = {(scene.feeds.type, scene.feeds.metric) for scene in scenes}
    types = {kind for kind, _ in kinds} | {None}
    metrics = {metric for _, metric in kinds} | {None}
    return max(
        (
            sum(len(scene.levels) for scene in scenes if _may_watch(scene.feeds, kind, metric))
            for kind in types
            for metric in metrics
        ),
        default=0,
    )


def _may_watch(feeds: Feeds, kind: str | None, metric: str | None) -> bool:
    return feeds.type in (None, kind) and feeds.metric in (None, metric)
