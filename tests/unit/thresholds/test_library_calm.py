"""Clear values and delays of the shipped scenes: they leave a calm day alone, and clear."""

import math

import numpy as np
import pytest

from city.device import Device
from core.reading import ReadingBatch
from tests.unit.thresholds.library import (
    DECIDING,
    HOLDS_IN_CALM,
    NO_CLEAR_TIME,
    NOT_BY_ONE_VALUE,
    SCENES,
    TYPES,
    beyond_clear,
    calm_values,
    holds,
    levels_of,
    metric_of,
    on_the_metric,
    written_levels,
)
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind
from thresholds.windows import Windowed


@pytest.mark.parametrize("name", DECIDING)
def test_every_number_has_a_clear_value_apart_from_its_limit_or_a_time_to_clear(name: str) -> None:
    scene = SCENES[name]
    flapping = False
    for level in levels_of(scene):
        if level.clears_by is None or not on_the_metric(level):
            continue
        counted_from_zero = level.limit == 0
        assert level.clear_value is not None or counted_from_zero, level.words
        flapping |= level.clear_value == level.limit and not level.clear_for and not isinstance(level, Windowed)
    assert flapping == (name in NO_CLEAR_TIME)


@pytest.mark.parametrize("name", SCENES)
def test_delays_fit_the_interval_of_the_type(name: str) -> None:
    """Samples come within two hours in alarm; a time past the offline rule waits for a sensor that fell silent."""
    scene = SCENES[name]
    kind = TYPES[str(scene.feeds.type)]
    by_event = kind.alarm_interval_ms == 0
    assert kind.interval_ms is not None and kind.offline_after_ms is not None  # noqa: PT018
    fastest = kind.alarm_interval_ms or kind.interval_ms
    for level in levels_of(scene):
        assert not (by_event and level.for_.samples), "an event comes once"
        assert level.for_.samples * fastest <= 2 * 3_600_000
        if level.for_.ms > kind.offline_after_ms and not by_event:
            assert scene.feeds.silent_after is not None, level.words
    if scene.feeds.silent_after is not None:
        assert scene.feeds.silent_after >= 2 * kind.interval_ms, "one reading that is lost is no silence"


@pytest.mark.parametrize("name", DECIDING)
def test_a_calm_district_never_trips_it_and_always_clears_it(name: str) -> None:
    scene = DECIDING[name]
    calm = calm_values(metric_of(scene))
    levels = [level for level in written_levels(scene) if on_the_metric(level)]
    trips = [value for value in calm for level in levels if holds(level, value)]
    assert bool(trips) == (name in HOLDS_IN_CALM)
    if calm:
        calm += metric_of(scene).normal or (0.0, 1.0)
        never = [level.words for level in levels if not any(beyond_clear(level, value) for value in calm)]
        assert never == []


def test_what_is_calm_raises_nothing_and_what_is_far_beyond_raises_everything() -> None:
    """The library as the engine takes it: each scene's own metric, a day of calm values, then its worst limit."""
    by_value = {name: s for name, s in DECIDING.items() if not name.startswith(("offline-", "drift-"))}
    scenes = [s for name, s in by_value.items() if calm_values(metric_of(s)) and name not in HOLDS_IN_CALM]
    engine = Engine(SceneSet.of(scenes), max_feeds=len(scenes))
    rng = np.random.default_rng(3)
    start, step = 1_767_225_600_000, 600_000
    for feed, scene in enumerate(scenes):
        engine.bind(feed, device_for(scene), str(scene.feeds.metric))
    for turn in range(144):
        values = [rng.choice(calm_values(metric_of(scene))) for scene in scenes]
        at = np.full(len(scenes), start + turn * step)
        assert len(engine.on_batch(ReadingBatch.of(np.arange(len(scenes)), at, np.array(values)))) == 0
    raised: set[str] = set()
    for turn in range(144, 144 + 6 * 30):
        values = [worst_value(scene) for scene in scenes]
        at = np.full(len(scenes), start + turn * step)
        told = engine.on_batch(ReadingBatch.of(np.arange(len(scenes)), at, np.array(values)))
        rows = np.flatnonzero(told.kind == TransitionKind.RAISED)
        raised |= {engine.scenes.scenes[told.scene[row]].id for row in rows}
    assert {scene.id for scene in scenes} - raised == set(NOT_BY_ONE_VALUE)


def device_for(scene: Scene) -> Device:
    where = scene.feeds.where.given if scene.feeds.where else {}
    name = next(iter(where.get("device", {f"{scene.id}-1"})))
    kind = min(where.get("kind", {""}))
    return Device(name, "g", str(scene.feeds.type), kind=kind)


def worst_value(scene: Scene) -> float:
    low, high = scene.levels[-1].region()[-1]
    if math.isfinite(low):
        return low + 1.0 if high == math.inf else low
    return high - 1.0
