"""Adaptive baselines on random scenes and weeks of readings: what the twin says, and the laws of a stage."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.reading import Quality, ReadingBatch
from ingest.sequencing import Sequencer
from tests.laws.stage_laws import check_stage
from tests.laws.test_engine_laws import FEEDS, Case, rows_of
from tests.laws.test_measure_laws import MIDNIGHT_MS
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

HOUR_MS = 3_600_000
QUIET_MS = 20 * HOUR_MS
HOURS: list[list[float]] = [[0, 9], [0, 9], [9], [], [0, 9, 9.3, 9.6, 10], [9, 23]]
"""Of the readings of a day."""


@st.composite
def deviations(draw: st.DrawFn) -> dict[str, Any]:
    """From what and how far; no limit that a reading can meet exactly."""
    source = draw(st.sampled_from(["seasonal", "daily", "own"]))
    found: dict[str, Any] = {"from": source, "by": f"{draw(st.sampled_from([1.137, 2.371, 3.719]))} sigma"}
    found["learn"] = draw(st.sampled_from(["1d", "5d"]))
    if draw(st.booleans()):
        found["at_least"] = draw(st.sampled_from([0.7371, 2.3719]))
    if draw(st.booleans()):
        found["direction"] = draw(st.sampled_from(["up", "down"]))
    if draw(st.booleans()):
        found["of"] = draw(st.sampled_from(["1h mean", "12h mean"] if source == "own" else ["30m mean", "1h mean"]))
    return found


@st.composite
def scene_sets(draw: st.DrawFn) -> SceneSet:
    delays = ["0s", "40m", "13h", "2 samples", "2 of 3"]
    scenes = []
    for name in "ab"[: draw(st.integers(1, 2))]:
        kept = draw(deviations())
        level: dict[str, Any] = {"severity": "minor", "deviates": kept, "for": draw(st.sampled_from(delays))}
        if draw(st.booleans()):
            level["clear_by"] = "0.911 sigma"
        level |= draw(st.sampled_from([{"clear_for": draw(st.sampled_from(delays))}, {"latch": "manual"}]))
        levels = [level]
        if draw(st.booleans()):
            levels.append({"severity": "major", "deviates": {**kept, "by": "5.371 sigma"}})
        scenes.append(Scene.model_validate({"scene": name, "feeds": {"metric": "m"}, "levels": levels}))
    return SceneSet.of(scenes)


@st.composite
def streams(draw: st.DrawFn) -> ReadingBatch:
    """Weeks with a few readings on most days, at the same hours; values are mostly as they were, or change for good."""
    usual = [draw(st.integers(0, 5)) for _ in range(FEEDS)]
    rows = []
    turns, days = draw(st.integers(5, 40)), draw(st.integers(0, 24))
    for day in range(days):
        usual = [value + 40 * (day == turns) for value in usual]
        for hour in draw(st.sampled_from(HOURS)):
            feed = draw(st.integers(0, 1))
            arrival = MIDNIGHT_MS + round((24 * day + hour) * HOUR_MS) + draw(st.sampled_from([0, 7, 60_000]))
            value = usual[feed] + draw(st.sampled_from([0, 0, 0, 1, -1, 2, 6, -9, 300]))
            lag = draw(st.sampled_from([0, 0, 0, 0, 500, 2 * HOUR_MS]))
            quality = draw(st.sampled_from([0, 0, 0, 0, 0, int(Quality.HISTORICAL), int(Quality.NO_TIME)]))
            rows.append((feed, arrival - lag, float(value), arrival, quality))
    rows.sort(key=lambda row: row[3])
    feed_, event, value_, arrived, quality_ = np.array(rows, np.float64).reshape(-1, 5).T
    raw = ReadingBatch.of(feed_, event, value_, arrived.astype(np.int64) * 1_000_000, quality_)
    return Sequencer(FEEDS).on_batch(raw)


cases = st.builds(Case, scene_sets(), streams())


@settings(max_examples=50, deadline=None)
@given(cases)
def test_the_engine_says_what_its_plain_twin_says(case: Case) -> None:
    engine, twin = case.engine(), case.twin()
    end_ms = case.end_ms + QUIET_MS
    decided = rows_of(engine.on_batch(case.stream)) + rows_of(engine.on_timer(end_ms))
    twin.on_batch(case.stream)
    twin.on_timer(end_ms)
    assert decided == twin.rows
    assert engine.decisions == twin.decisions


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 2**32))
def test_baselines_keep_the_laws_of_a_stage(case: Case, seed: int) -> None:
    check_stage(case.engine, [case.stream], rows=rows_of, quiet_ms=QUIET_MS, seed=seed)


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 60))
def test_another_limit_keeps_what_was_learnt(case: Case, cut: int) -> None:
    engine, whole = case.engine(), case.engine()
    other = SceneSet.of([_with_limits(scene) for scene in case.scenes.scenes])
    before = rows_of(whole.on_batch(case.stream[:cut]))
    assert rows_of(engine.on_batch(case.stream[:cut])) == before
    engine.replace(other)
    engine.replace(case.scenes)
    assert rows_of(engine.on_batch(case.stream[cut:])) == rows_of(whole.on_batch(case.stream[cut:]))


def _with_limits(scene: Scene) -> Scene:
    """The scene with others, mildest first."""
    levels = scene.content["levels"]
    changed = [
        {**level, "deviates": {**level["deviates"], "by": f"{7 + rank}.371 sigma"}} for rank, level in enumerate(levels)
    ]
    return Scene.model_validate({**scene.content, "levels": changed})
