"""P5: the threshold engine alone; the floor is the same loop with nothing to decide.

Every feed reports once a minute, in another order each minute, and 1 % of the readings are over their scene's worst
limit. The clock runs for 40 minutes before anything is measured, so that windows are filled and as many delays run as
always do.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.report import Report, Row, cost, report
from city.catalogue import load_catalogue, shipped
from city.device import Device, DeviceType
from core.reading import Float64, Int32, Int64, ReadingBatch
from thresholds.check import load_scenes
from thresholds.engine import Engine
from thresholds.level import LevelBase
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

_ROWS = 1_000_000
_ROUNDS = 5
_BASE_MS = 1_700_000_000_000
_MINUTE_MS = 60_000
_SETTLED = 40
_GROUPS = ("limits alone", "silence, limits", "windows", "baselines", "schedules")


class _Watched(NamedTuple):
    """A scene's feed: whose device, which metric, a value of a calm day, one over the worst limit, its group."""

    device: Device
    metric: str
    calm: float
    beyond: float
    group: int


class _Taken(NamedTuple):
    """Ns a reading and scene: of all feeds in one stream, of each group alone; and ns a reading."""

    each: float
    groups: list[float]
    reading: float


def run(*, quick: bool = False) -> Report:
    """Every shipped scene that decides about a type of device, over 30,000 and 1,000,000 feeds in random order."""
    types = load_catalogue()
    scenes, _ = load_scenes([shipped("scenes")], types)
    deciding = [scene for scene in scenes.scenes if scene.stage not in ("draft", "retired") and scene.feeds.type]
    watched = [_watched(scene, deciding, types) for scene in deciding]
    rows: list[Row] = []
    base = None
    for feeds in (3_000,) if quick else (30_000, 1_000_000):
        floor = _measure(SceneSet.of([]), watched, feeds, quick=quick).reading
        taken = _measure(scenes, watched, feeds, quick=quick)
        what = f"{feeds:,} feeds, {len(deciding)} shipped scenes"
        rows.append(cost(what, taken.each, "ns/reading/scene", floor=floor, floor_what="loop, no scene", at_most=40))
        for group, ns in zip(_GROUPS, taken.groups, strict=True):
            rows.append(cost(f"{feeds:,} feeds, of them those with {group}", ns, "ns/reading/scene"))
        if base is not None:
            rows.append(cost("1,000,000 against 30,000 feeds", taken.each / base, "x", at_most=2))
        base = taken.each
    return report("engine", rows)


def _watched(scene: Scene, deciding: Sequence[Scene], types: Mapping[str, DeviceType]) -> _Watched:
    kind, metric = str(scene.feeds.type), str(scene.feeds.metric)
    where = scene.feeds.where.given if scene.feeds.where else {}
    device = Device(min(where.get("device", {"d"})), "g", kind, kind=min(where.get("kind", {""})))
    low, high = types[kind].metrics[metric].normal or (0.0, 0.0)
    values = np.linspace(low, high, 101)
    levels = [level for level in scene.levels if not level.from_table]
    calm = next((value for value in values if not any(_holds(one, value) for one in levels)), low)
    first, last = levels[-1].region()[-1]
    beyond = first + 1.0 if np.isfinite(first) else last - 1.0
    if _silent(levels[-1]):  # of a level on silence every value is calm
        beyond = calm
    return _Watched(
        device, metric, float(calm), float(beyond), _group([s for s in deciding if s.feeds.watch(device, metric)])
    )


def _group(watching: Sequence[Scene]) -> int:
    """What the dearest of the conditions on a feed is; a place in `_GROUPS`."""
    levels = [level for scene in watching for level in scene.levels]
    if any(scene.whens for scene in watching):
        return 4
    if any(level.condition == "deviates" for level in levels):
        return 3
    if any(level.measure("UTC") is not None and not _silent(level) for level in levels):
        return 2
    return int(any(_silent(level) for level in levels))


def _silent(level: LevelBase) -> bool:
    return level.condition == "absent_for"


def _holds(level: LevelBase, value: float) -> bool:
    return not _silent(level) and any(low < value < high or low == value == high for low, high in level.region())


class _Town:
    """The readings of all feeds, minute by minute."""

    def __init__(self, watched: Sequence[_Watched], feeds: int) -> None:
        self.whose = np.arange(feeds) % len(watched)
        self._calm = np.array([one.calm for one in watched])[self.whose]
        self._beyond = np.array([one.beyond for one in watched])[self.whose]
        group = np.array([one.group for one in watched])[self.whose]
        self._all: list[Int32] = [np.arange(feeds, dtype=np.int32)]
        self._groups = [np.flatnonzero(group == number).astype(np.int32) for number in range(len(_GROUPS))]
        self._rng = np.random.default_rng(7)
        self._now_ms = _BASE_MS

    def minute(self, *, apart: bool) -> Iterator[ReadingBatch]:
        """A reading of each feed: in one batch, or in one for each group, one after the other."""
        parts = [self._rng.permutation(one) for one in (self._groups if apart else self._all)]
        count = sum(len(part) for part in parts)
        times: Int64 = self._now_ms + np.arange(count) * _MINUTE_MS // count
        self._now_ms += _MINUTE_MS
        begin = 0
        for feed in parts:
            values: Float64 = np.where(self._rng.random(len(feed)) < 0.01, self._beyond[feed], self._calm[feed])
            yield ReadingBatch.of(feed, times[begin : begin + len(feed)], values)
            begin += len(feed)


def _measure(scenes: SceneSet, watched: Sequence[_Watched], feeds: int, *, quick: bool) -> _Taken:
    """The best of some rounds."""
    engine = Engine(scenes, max_feeds=feeds)
    town = _Town(watched, feeds)
    engine.bind_many((watched[i].device, watched[i].metric) for i in town.whose.tolist())
    for _ in range(_SETTLED):
        for batch in town.minute(apart=False):
            engine.on_batch(batch)
    minutes = 2 if quick else -(-_ROWS // feeds)
    whole = np.inf
    decided = 1
    groups = np.full(len(_GROUPS), np.inf)
    for _ in range(2 if quick else _ROUNDS):
        took, decisions = _round(engine, town, minutes, apart=False)
        whole, decided = min(whole, took[0]), decisions[0]
        took, decisions = _round(engine, town, minutes, apart=True)
        groups = np.minimum(groups, np.array(took) / np.maximum(decisions, 1))
    return _Taken(whole / max(decided, 1), groups.tolist(), whole / (feeds * minutes))


def _round(engine: Engine, town: _Town, minutes: int, *, apart: bool) -> tuple[list[int], list[int]]:
    """Ns and decisions of some minutes, by what the batches of a minute are."""
    many = len(_GROUPS) if apart else 1
    took, decisions = [0] * many, [0] * many
    for _ in range(minutes):
        for place, batch in enumerate(town.minute(apart=apart)):
            before = engine.decisions
            begin = time.thread_time_ns()
            engine.on_batch(batch)
            took[place] += time.thread_time_ns() - begin
            decisions[place] += engine.decisions - before
    return took, decisions
