"""P5: the threshold engine alone; the floor is the same loop with nothing to decide."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.report import Report, Row, cost, report
from city.catalogue import load_catalogue, shipped
from city.device import Device, DeviceType
from core.reading import ReadingBatch
from thresholds.check import load_scenes
from thresholds.engine import Engine
from thresholds.level import LevelBase
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

_ROWS = 1_000_000
_BASE_MS = 1_700_000_000_000


class _Watched(NamedTuple):
    """A scene's feed: whose device, which metric, a value of a calm day, one over the scene's worst limit."""

    device: Device
    metric: str
    calm: float
    beyond: float


def run(*, quick: bool = False) -> Report:
    """Every shipped scene that decides, over 30,000 and 1,000,000 feeds in random order."""
    types = load_catalogue()
    scenes, _ = load_scenes([shipped("scenes")], types)
    deciding = [scene for scene in scenes.scenes if scene.stage not in ("draft", "retired")]
    watched = [_watched(scene, types) for scene in deciding]
    # A reading counts once for each scene that looks at it; some metrics have two.
    each = sum(s.feeds.watch(w.device, w.metric) for w in watched for s in deciding) / len(watched)
    rows: list[Row] = []
    base = None
    for feeds in (30_000,) if quick else (30_000, 1_000_000):
        per = _measure(scenes, watched, feeds, quick=quick) / each
        floor = _measure(SceneSet.of([]), watched, feeds, quick=quick)
        what = f"{feeds:,} feeds, {len(deciding)} shipped scenes"
        rows.append(cost(what, per, "ns/reading/scene", floor=floor, floor_what="loop without a scene", at_most=40))
        if base is not None:
            rows.append(cost("1,000,000 against 30,000 feeds", per / base, "x", at_most=2))
        base = per
    return report("engine", rows)


def _watched(scene: Scene, types: Mapping[str, DeviceType]) -> _Watched:
    kind, metric = str(scene.feeds.type), str(scene.feeds.metric)
    where = scene.feeds.where.given if scene.feeds.where else {}
    device = Device(min(where.get("device", {"d"})), "g", kind, kind=min(where.get("kind", {""})))
    low, high = types[kind].metrics[metric].normal or (0.0, 0.0)
    values = np.linspace(low, high, 101)  # of a level on silence every value is calm
    levels = [level for level in scene.levels if not level.from_table]
    calm = next((value for value in values if not any(_holds(one, value) for one in levels)), low)
    first, last = levels[-1].region()[-1]
    return _Watched(device, metric, float(calm), first + 1.0 if np.isfinite(first) else last - 1.0)


def _holds(level: LevelBase, value: float) -> bool:
    return any(low < value < high or low == value == high for low, high in level.region())


def _measure(scenes: SceneSet, watched: Sequence[_Watched], feeds: int, *, quick: bool) -> float:
    """Ns a reading of the best of some rounds, 1 % of the readings over their scene's worst limit."""
    engine = Engine(scenes, max_feeds=feeds)
    whose = np.arange(feeds) % len(watched)
    engine.bind_many((watched[i].device, watched[i].metric) for i in whose.tolist())
    calm = np.array([one.calm for one in watched])[whose]
    beyond = np.array([one.beyond for one in watched])[whose]
    rng = np.random.default_rng(7)
    count = 100_000 if quick else _ROWS
    best = np.inf
    for round_ in range(2 if quick else 5):
        feed = np.concatenate([rng.permutation(feeds) for _ in range(-(-count // feeds))])[:count]
        times = _BASE_MS + round_ * 3_600_000 + np.arange(count) // max(1, feeds // 100)
        values = np.where(rng.random(count) < 0.01, beyond[feed], calm[feed])
        batch = ReadingBatch.of(feed, times, values)
        begin = time.perf_counter()
        engine.on_batch(batch)
        if round_:
            best = min(best, (time.perf_counter() - begin) / count * 1e9)
    return best
