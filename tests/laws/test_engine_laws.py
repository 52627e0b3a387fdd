"""The threshold engine on random scenes and streams: it says what its twin says and keeps the laws of a stage."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.device import Device
from core.reading import Quality, ReadingBatch
from ingest.sequencing import Sequencer
from tests.laws.stage_laws import check_stage
from tests.reference.engine_twin import EngineTwin
from thresholds import kernel_state as kernel
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind, Transitions

FEEDS = 3
SETTLE_MS = 1_000
QUIET_MS = 100_000
DEVICES = [(Device(f"d{i}", "g", kind=kind), "m") for i, kind in enumerate(("road", "underpass", "road"))]

LIMITS: list[dict[str, Any]] = [
    {"above": 5}, {"above": 5, "clear_below": 3}, {"above": 5, "clear_below": 5},
    {"below": 2}, {"below": 2, "clear_above": 4},
    {"outside": [1, 6]}, {"outside": [1, 6], "clear_inside": [2, 5]},
    {"inside": [3, 4]}, {"inside": [3, 4], "clear_outside": [2, 5]},
    {"equals": 3}, {"not_equals": 3}, {"state": True}, {"state": False},
]  # fmt: skip
DELAYS = ["0s", "500ms", "3s", "7s", "1 sample", "2 samples", "4 samples", "2 of 3", "3 of 5"]
LADDERS: list[list[dict[str, Any]]] = [
    [
        {"severity": "info", "above": 2},
        {"severity": "minor", "above": 4, "clear_below": 3, "for": "2s", "clear_for": "3s"},
        {"severity": "critical", "above": 5, "clear_below": 4, "for": "2 samples", "clear_for": "2 samples"},
    ],
    [{"severity": "minor", "above": 4, "for": "2s"}, {"severity": "major", "above": 4, "for": "6s", "clear_for": "1s"}],
]
TABLED: dict[str, Any] = {
    "levels": [
        {"severity": "info", "above": 2},
        {"severity": "minor", "above": 4, "clear_below": 3, "for": "2s", "clear_for": "3s"},
        {"severity": "critical", "above": "table", "for": "2 samples", "clear_for": "2 samples"},
    ],
    "limits_from": {"by": "kind", "rows": "kind,minor,minor_clear,critical,critical_clear\nroad,3,2,5,4\n"},
}
"""Minor has other limits on a road, critical is there only on one."""
OVERRIDES = [{"where": {"kind": "underpass"}, "levels": {"minor": {"above": 3, "for": "1s"}}}]


@dataclass(frozen=True)
class Case:
    """Scenes and a sequenced stream."""

    scenes: SceneSet
    stream: ReadingBatch

    def engine(self) -> Engine:
        """A fresh engine with every feed bound, one by one."""
        engine = Engine(self.scenes, max_feeds=FEEDS, settle_ms=SETTLE_MS)
        for feed, (device, metric) in enumerate(DEVICES):
            engine.bind(feed, device, metric)
        return engine

    def twin(self) -> EngineTwin:
        """Its twin."""
        twin = EngineTwin(self.scenes, SETTLE_MS)
        for device, metric in DEVICES:
            twin.bind(device, metric)
        return twin

    @property
    def end_ms(self) -> int:
        """When every delay in time is over."""
        return (int(self.stream.arrival[-1]) // 1_000_000 if len(self.stream) else 0) + QUIET_MS


@st.composite
def levels(draw: st.DrawFn) -> list[dict[str, Any]]:
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(LADDERS))
    level = {"severity": "minor", **draw(st.sampled_from(LIMITS))}
    return [{**level, "for": draw(st.sampled_from(DELAYS)), "clear_for": draw(st.sampled_from(DELAYS))}]


@st.composite
def scene_sets(draw: st.DrawFn) -> SceneSet:
    scenes = []
    for name in "abc"[: draw(st.integers(1, 3))]:
        ladder = draw(levels())
        silent = draw(st.sampled_from([None, None, "2s", "5s"]))
        feeds = {"metric": "m"} if silent is None else {"metric": "m", "silent_after": silent}
        if draw(st.integers(0, 4)) == 0:
            scenes.append(Scene.model_validate({"scene": name, "feeds": feeds, **TABLED}))
            continue
        overrides = OVERRIDES if ladder is LADDERS[0] and draw(st.booleans()) else []
        scenes.append(Scene.model_validate({"scene": name, "feeds": feeds, "levels": ladder, "overrides": overrides}))
    return SceneSet.of(scenes)


@st.composite
def streams(draw: st.DrawFn) -> ReadingBatch:
    """Readings as they come in: device clocks off and running apart, gaps, bursts, late and repeated ones, old data."""
    clocks = [draw(st.sampled_from([0, 0, -40_000, 40_000])) for _ in range(FEEDS)]
    arrival = 1_000_000_000
    rows = []
    for _ in range(draw(st.integers(0, 40))):
        feed = draw(st.integers(0, FEEDS - 1))
        arrival += draw(st.sampled_from([0, 0, 400, 1_000, 1_000, 2_000, 3_500, 9_000]))
        lag = draw(st.sampled_from([0, 0, 0, 500, 2_000, 6_000]))
        step = draw(st.sampled_from([0, 0, 0, 0, 700, -700]))
        clocks[feed] += step
        quality = draw(st.sampled_from([0, 0, 0, 0, 0, 0, int(Quality.HISTORICAL), int(Quality.NO_TIME)]))
        rows.append((feed, arrival + clocks[feed] - lag, float(draw(st.integers(0, 7))), arrival, quality))
    feed_, event, value, arrived, quality_ = np.array(rows, np.float64).reshape(-1, 5).T
    raw = ReadingBatch.of(feed_, event, value, arrived.astype(np.int64) * 1_000_000, quality_)
    return Sequencer(FEEDS).on_batch(raw)


cases = st.builds(Case, scene_sets(), streams())


def rows_of(transitions: Transitions) -> list[tuple[object, ...]]:
    """Transitions as rows that can be compared."""
    columns = [getattr(transitions, name).tolist() for name in Transitions.__slots__]
    return list(zip(*columns, strict=True))


@settings(max_examples=200, deadline=None)
@given(cases)
def test_the_engine_says_what_its_plain_twin_says(case: Case) -> None:
    engine, twin = case.engine(), case.twin()
    decided = rows_of(engine.on_batch(case.stream)) + rows_of(engine.on_timer(case.end_ms))
    twin.on_batch(case.stream)
    twin.on_timer(case.end_ms)
    assert decided == twin.rows
    assert engine.decisions == twin.decisions


@settings(max_examples=60, deadline=None)
@given(cases, st.integers(0, 2**32))
def test_the_engine_keeps_the_laws_of_a_stage(case: Case, seed: int) -> None:
    check_stage(case.engine, [case.stream], rows=rows_of, quiet_ms=QUIET_MS, seed=seed)


@settings(max_examples=60, deadline=None)
@given(cases, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20_000)), max_size=3))
def test_after_an_outage_delays_go_on_from_where_they_were(case: Case, outages: list[tuple[int, int]]) -> None:
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
    decided += rows_of(engine.on_batch(case.stream[at:])) + rows_of(engine.on_timer(case.end_ms))
    twin.on_batch(case.stream[at:])
    twin.on_timer(case.end_ms)
    assert decided == twin.rows


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 40))
def test_the_same_scenes_again_change_nothing(case: Case, cut: int) -> None:
    whole, engine = case.engine(), case.engine()
    decided = rows_of(engine.on_batch(case.stream[:cut]))
    engine.replace(SceneSet.of(case.scenes.scenes))
    decided += rows_of(engine.on_batch(case.stream[cut:])) + rows_of(engine.on_timer(case.end_ms))
    assert decided == rows_of(whole.on_batch(case.stream)) + rows_of(whole.on_timer(case.end_ms))


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 40))
def test_another_scene_beside_it_changes_nothing_for_a_scene(case: Case, cut: int) -> None:
    beside = Scene.model_validate({"scene": "0-first", "feeds": {"metric": "m"}, "levels": LADDERS[1]})
    whole, engine = case.engine(), case.engine()
    expected = rows_of(whole.on_batch(case.stream))
    decided = rows_of(engine.on_batch(case.stream[:cut]))
    engine.replace(SceneSet.of([beside, *case.scenes.scenes]))
    after = engine.on_batch(case.stream[cut:])
    others = [(*row[:2], int(row[2]) - 1, *row[3:]) for row in rows_of(after) if row[2] != 0]  # type: ignore[call-overload]
    assert sorted(decided + others, key=repr) == sorted(expected, key=repr)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_every_level_goes_up_and_down_in_turn(case: Case) -> None:
    engine = case.engine()
    following = {
        None: {TransitionKind.ONSET, TransitionKind.RAISED},
        TransitionKind.ONSET: {TransitionKind.LAPSED, TransitionKind.RAISED},
        TransitionKind.LAPSED: {TransitionKind.ONSET, TransitionKind.RAISED},
        TransitionKind.RAISED: {TransitionKind.CLEARED},
        TransitionKind.CLEARED: {TransitionKind.ONSET, TransitionKind.RAISED},
    }
    last: dict[tuple[object, ...], TransitionKind] = {}
    decided = Transitions.concat([engine.on_batch(case.stream), engine.on_timer(case.end_ms)])
    for kind, feed, scene, severity, at, onset, *_ in rows_of(decided):
        level = (feed, scene, severity)
        now = TransitionKind(kind)  # type: ignore[arg-type]
        assert now in following[last.get(level)]
        assert onset <= at  # type: ignore[operator]
        last[level] = now


@settings(max_examples=40, deadline=None)
@given(cases)
def test_a_full_output_buffer_changes_nothing(case: Case) -> None:
    whole, engine = case.engine(), case.engine()
    smallest = max(1, kernel.ROWS_PER_LEVEL * engine._tables.widest)
    engine._out = np.zeros(smallest, kernel.OUT)
    decided = rows_of(engine.on_batch(case.stream)) + rows_of(engine.on_timer(case.end_ms))
    assert decided == rows_of(whole.on_batch(case.stream)) + rows_of(whole.on_timer(case.end_ms))


@pytest.mark.parametrize("readings", [10, 20_000])
def test_the_timers_of_a_condition_that_flickers_take_no_more_room(readings: int) -> None:
    scene = {"scene": "a", "feeds": {"metric": "m"}, "levels": [{"severity": "minor", "above": 5, "for": "10s"}]}
    case = Case(SceneSet.of([Scene.model_validate(scene)]), ReadingBatch.of([], [], []))
    engine = case.engine()
    times = np.arange(readings) * 100
    values = np.where(np.arange(readings) % 2, 0.0, 9.0)
    burst = ReadingBatch.of(np.zeros(readings), times, values, np.full(readings, 10**15))
    assert len(engine.on_batch(burst)) == readings
    assert int(engine._meta[kernel.HEAP_SIZE]) <= 2
