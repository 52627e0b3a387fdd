"""P5: the threshold engine alone; the floor is the same loop with nothing to decide."""

import time

import numpy as np

from benchmarks.report import Report, Row, cost, report
from city.catalogue import load_catalogue, shipped
from city.device import Device
from core.reading import ReadingBatch
from thresholds.check import load_scenes
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

_ROWS = 1_000_000
_BASE_MS = 1_700_000_000_000


def run(*, quick: bool = False) -> Report:
    """Every shipped scene over 30,000 and 1,000,000 feeds in random order."""
    types = load_catalogue()
    scenes, _ = load_scenes([shipped("scenes")], types)
    rows: list[Row] = []
    base = None
    for feeds in (30_000,) if quick else (30_000, 1_000_000):
        per, _ = _measure(scenes, feeds, quick=quick)
        floor, _ = _measure(SceneSet.of([]), feeds, quick=quick)
        what = f"{feeds:,} feeds, {len(scenes.scenes)} shipped scenes"
        rows.append(cost(what, per, "ns/reading/scene", floor=floor, floor_what="loop without a scene", at_most=40))
        if base is not None:
            rows.append(cost("1,000,000 against 30,000 feeds", per / base, "x", at_most=2))
        base = per
    return report("engine", rows)


def _measure(scenes: SceneSet, feeds: int, *, quick: bool) -> tuple[float, int]:
    """(ns per reading and scene, transitions) of the best of some rounds, 1 % of the readings over a limit."""
    watched = [(str(s.feeds.type), str(s.feeds.metric)) for s in scenes.scenes] or [("", "")]
    engine = Engine(scenes, max_feeds=feeds)
    engine.bind_many(
        (Device(f"d{i}", "g", watched[i % len(watched)][0]), watched[i % len(watched)][1]) for i in range(feeds)
    )
    rng = np.random.default_rng(7)
    count = 100_000 if quick else _ROWS
    best, changes = np.inf, 0
    for round_ in range(2 if quick else 5):
        feed = np.concatenate([rng.permutation(feeds) for _ in range(-(-count // feeds))])[:count]
        times = _BASE_MS + round_ * 3_600_000 + np.arange(count) // max(1, feeds // 100)
        values = rng.uniform(0.0, 4.0, count)
        values[rng.random(count) < 0.01] = 120.0
        batch = ReadingBatch.of(feed, times, values)
        begin = time.perf_counter()
        changes = len(engine.on_batch(batch))
        if round_:
            best = min(best, (time.perf_counter() - begin) / count * 1e9)
    return best, changes
