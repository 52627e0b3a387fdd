"""Conditions over more than one reading, on random scenes and streams: what the twin says, and the laws of a stage."""

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.reading import Quality, ReadingBatch
from ingest.sequencing import Sequencer
from tests.laws.stage_laws import check_stage
from tests.laws.test_engine_laws import FEEDS, LADDERS, LIMITS, QUIET_MS, Case, rows_of
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

MIDNIGHT_MS = 1_700_064_000_000
"""Of a day in Shanghai."""

WINDOWS = ["5s", "12s", "60s"]
SHARES = [0, 0.5, 1]
LATER_MS = 200_000


@st.composite
def windowed(draw: st.DrawFn) -> dict[str, Any]:
    """A condition with `window`, with a clear value or without."""
    key, clear, limit = draw(
        st.sampled_from(
            [
                ("mean_above", "clear_below", 3.1), ("mean_below", "clear_above", 3.9), ("sum_above", "clear_below", 9),
                ("sum_below", "clear_above", 12), ("max_above", "clear_below", 5), ("min_below", "clear_above", 2),
                ("leq_above", "clear_below", 4.321),
            ]
        )
    )  # fmt: skip
    level: dict[str, Any] = {key: limit, "window": draw(st.sampled_from(WINDOWS))}
    if draw(st.booleans()):
        level[clear] = limit + (1 if clear == "clear_above" else -1)
    return {**level, **draw(needs())}


@st.composite
def needs(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        found["min_share"] = draw(st.sampled_from(SHARES))
    if draw(st.booleans()):
        found["min_samples"] = draw(st.integers(2, 4))
    return found


@st.composite
def others(draw: st.DrawFn) -> dict[str, Any]:
    """A condition that says its window itself."""
    window = draw(st.sampled_from(WINDOWS))
    within = draw(st.sampled_from([*WINDOWS, "calendar day"]))
    of = draw(st.sampled_from(["readings", "crossings", "2s mean", "6s mean"]))
    times = draw(st.integers(1, 3))
    return draw(
        st.sampled_from(
            [
                {"changed_by": {"up": 3, "in": window}},
                {"changed_by": {"up": 4, "down": 2, "in": window}, "clear_below": 1.5},
                {"rate_above": "0.7371 per 2s", "window": window},
                {"rate_below": "-0.2373 per 2s", "window": window, "clear_rate_above": "0.3157 per 3s", "min_share": 0},
                {"count_above": {"limit": 4, "times": times, "in": within, "of": of}},
                {"count_above": {"limit": 3, "times": 3, "in": within, "of": of}, "clear_below": 2},
                {"total_above": {"value": 6, "in": within}},
                {"total_below": {"value": 3, "in": window}, "clear_above": 4},
                {"stuck_for": "4s"},
                {"stuck_for": "4s", "except": 2},
            ]
        )
    )


@st.composite
def scene_sets(draw: st.DrawFn) -> SceneSet:
    delays = ["0s", "500ms", "3s", "7s", "2 samples", "2 of 3"]
    scenes = []
    for name in "abc"[: draw(st.integers(1, 3))]:
        kind = draw(st.integers(0, 5))
        if kind == 0:
            levels = [
                {"severity": "minor", "absent_for": "4s", "clear_for": draw(st.sampled_from(delays))},
                {"severity": "major", "absent_for": "9s"},
            ]
        elif kind == 1:
            levels = draw(st.sampled_from([LADDERS[0], [{"severity": "info", **draw(st.sampled_from(LIMITS))}]]))
        else:
            level = draw(windowed() if kind < 4 else others())
            levels = [{"severity": "minor", **level, "for": draw(st.sampled_from(delays))}]
            levels[0] |= draw(st.sampled_from([{"clear_for": draw(st.sampled_from(delays))}, {"latch": "manual"}]))
            if draw(st.booleans()):
                levels.append({"severity": "major", **draw(windowed())})
        extra: dict[str, Any] = {}
        if draw(st.integers(0, 3)) == 0:
            extra["when"] = draw(st.sampled_from([{"hours": "00:00-00:01"}, {"hours": ["23:00-00:00", "00:01-05:00"]}]))
        if draw(st.integers(0, 3)) == 0:
            level = draw(st.sampled_from([{"for": "1s", "clear_for": "2s"}, {"above": 2}, {"above": 6, "for": "3s"}]))
            if "latch" not in levels[0] and "absent_for" not in levels[0]:
                extra["overrides"] = [{"when": {"hours": "00:00-06:00"}, "levels": {levels[0]["severity"]: level}}]
        feeds = {"metric": "m"}
        silent = draw(st.sampled_from([None, None, "2s", "5s"]))
        if silent:
            feeds["silent_after"] = silent
        try:
            scenes.append(Scene.model_validate({"scene": name, "feeds": feeds, "levels": levels, **extra}))
        except ValueError:
            scenes.append(Scene.model_validate({"scene": name, "feeds": feeds, "levels": levels[:1]}))
    return SceneSet.of(scenes)


@st.composite
def streams(draw: st.DrawFn) -> ReadingBatch:
    """Readings around a midnight: clocks that are off and run apart, gaps, bursts, late and repeated ones, old data."""
    clocks = [draw(st.sampled_from([0, 0, -40_000, 40_000])) for _ in range(FEEDS)]
    arrival = MIDNIGHT_MS - 40_000
    rows = []
    for _ in range(draw(st.integers(0, 40))):
        feed = draw(st.integers(0, FEEDS - 1))
        arrival += draw(st.sampled_from([0, 0, 400, 1_000, 1_000, 2_000, 3_500, 9_000, 30_000]))
        lag = draw(st.sampled_from([0, 0, 0, 500, 2_000, 6_000]))
        clocks[feed] += draw(st.sampled_from([0, 0, 0, 0, 700, -700]))
        quality = draw(st.sampled_from([0, 0, 0, 0, 0, 0, int(Quality.HISTORICAL), int(Quality.NO_TIME)]))
        rows.append((feed, arrival + clocks[feed] - lag, float(draw(st.integers(0, 7))), arrival, quality))
    feed_, event, value, arrived, quality_ = np.array(rows, np.float64).reshape(-1, 5).T
    raw = ReadingBatch.of(feed_, event, value, arrived.astype(np.int64) * 1_000_000, quality_)
    return Sequencer(FEEDS).on_batch(raw)


cases = st.builds(Case, scene_sets(), streams())


def nearly(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows with values to twelve digits: an energy mean may be added up in another order."""
    return [(*row[:6], float(f"{row[6]:.12g}") if math.isfinite(row[6]) else row[6], *row[7:]) for row in rows]


@settings(max_examples=40, deadline=None)
@given(cases, st.booleans())
def test_the_engine_says_what_its_plain_twin_says(case: Case, known: bool) -> None:  # noqa: FBT001 - drawn
    engine, twin = case.engine(), case.twin()
    if known:
        engine.expect(engine.unexpected(), MIDNIGHT_MS - 60_000)
        twin.expect(MIDNIGHT_MS - 60_000)
    end_ms = case.end_ms + LATER_MS if len(case.stream) else MIDNIGHT_MS + LATER_MS
    decided = rows_of(engine.on_batch(case.stream)) + rows_of(engine.on_timer(end_ms))
    twin.on_batch(case.stream)
    twin.on_timer(end_ms)
    assert nearly(decided) == nearly(twin.rows)
    assert engine.decisions == twin.decisions


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 2**32))
def test_the_engine_keeps_the_laws_of_a_stage(case: Case, seed: int) -> None:
    check_stage(case.engine, [case.stream], rows=rows_of, quiet_ms=QUIET_MS + LATER_MS, seed=seed)


@settings(max_examples=40, deadline=None)
@given(cases, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20_000)), max_size=3))
def test_time_in_which_nobody_listened_does_not_count(case: Case, outages: list[tuple[int, int]]) -> None:
    engine, twin = case.engine(), case.twin()
    decided: list[tuple[object, ...]] = []
    at = 0
    for row, length in sorted(outages):
        decided += rows_of(engine.on_batch(case.stream[at:row]))
        twin.on_batch(case.stream[at:row])
        at = max(at, row)
        before = case.stream.arrival[:at]
        now = (int(before[-1]) // 1_000_000 if len(before) else 0) + length
        engine.resume(now)
        twin.resumed_ms = max(twin.resumed_ms, now)
    decided += rows_of(engine.on_batch(case.stream[at:])) + rows_of(engine.on_timer(case.end_ms + LATER_MS))
    twin.on_batch(case.stream[at:])
    twin.on_timer(case.end_ms + LATER_MS)
    assert nearly(decided) == nearly(twin.rows)


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 40))
def test_the_same_scenes_again_change_nothing(case: Case, cut: int) -> None:
    whole, engine = case.engine(), case.engine()
    end_ms = case.end_ms + LATER_MS
    decided = rows_of(engine.on_batch(case.stream[:cut]))
    engine.replace(SceneSet.of(case.scenes.scenes))
    decided += rows_of(engine.on_batch(case.stream[cut:])) + rows_of(engine.on_timer(end_ms))
    assert decided == rows_of(whole.on_batch(case.stream)) + rows_of(whole.on_timer(end_ms))


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 40))
def test_another_scene_beside_it_changes_nothing_for_a_scene(case: Case, cut: int) -> None:
    beside = Scene.model_validate(
        {
            "scene": "0-first",
            "feeds": {"metric": "m"},
            "levels": [{"severity": "info", "mean_above": 2, "window": "12s"}],
        }
    )
    whole, engine = case.engine(), case.engine()
    expected = rows_of(whole.on_batch(case.stream))
    decided = rows_of(engine.on_batch(case.stream[:cut]))
    engine.replace(SceneSet.of([beside, *case.scenes.scenes]))
    after = engine.on_batch(case.stream[cut:])
    others_ = [(*row[:2], int(row[2]) - 1, *row[3:]) for row in rows_of(after) if row[2] != 0]  # type: ignore[call-overload]
    assert sorted(decided + others_, key=repr) == sorted(expected, key=repr)


@settings(max_examples=40, deadline=None)
@given(cases, st.lists(st.tuples(st.integers(0, 40), st.integers(0, FEEDS - 1)), max_size=4))
def test_what_is_latched_is_let_go_as_the_twin_lets_it_go(case: Case, said: list[tuple[int, int]]) -> None:
    engine, twin = case.engine(), case.twin()
    decided: list[tuple[object, ...]] = []
    at = 0
    for row, feed in sorted(said):
        decided += rows_of(engine.on_batch(case.stream[at:row]))
        twin.on_batch(case.stream[at:row])
        at = max(at, row)
        before = case.stream.arrival[:at]
        now = (int(before[-1]) // 1_000_000 if len(before) else 0) + 10
        twin.on_timer(now)
        decided += rows_of(engine.on_timer(now))
        for index, scene in enumerate(case.scenes.scenes):
            decided += rows_of(engine.release(scene.id, np.array([feed], np.int32), now))
            twin.release(index, feed, now)
    decided += rows_of(engine.on_batch(case.stream[at:]))
    twin.on_batch(case.stream[at:])
    assert nearly(decided) == nearly(twin.rows)


@settings(max_examples=40, deadline=None)
@given(cases)
def test_a_full_output_buffer_changes_nothing(case: Case) -> None:
    whole, engine = case.engine(), case.engine()
    engine._out = engine._out[: max(1, 2 * engine._tables.widest)].copy()
    end_ms = case.end_ms + LATER_MS
    decided = rows_of(engine.on_batch(case.stream)) + rows_of(engine.on_timer(end_ms))
    assert decided == rows_of(whole.on_batch(case.stream)) + rows_of(whole.on_timer(end_ms))
