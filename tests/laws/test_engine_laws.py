"""The engine says what its plain twin says, wherever batches are cut and whenever it is restarted."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from city.device import Device
from core.reading import ReadingBatch
from ingest.sequencing import Sequencer
from tests.reference.level_twin import LevelTwin
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind, Transitions

SETTLE = 1_000
FEEDS = 3
NAMES = {1: "onset", 2: "lapsed", 3: "raised", 4: "cleared"}


@dataclass(frozen=True)
class Case:
    """Scenes and readings (feed, event time, value, arrival ms), arrivals never decreasing."""

    scenes: tuple[Scene, ...]
    rows: tuple[tuple[int, int, float, int], ...]


Holds = Callable[[float], bool]

CONDITIONS: dict[str, tuple[Holds, dict[str, Any], list[tuple[dict[str, Any], Holds]]]] = {
    "above": (lambda v: v > 5, {"above": 5}, [({}, lambda v: not v > 5), ({"clear_below": 3}, lambda v: v < 3)]),
    "below": (lambda v: v < 2, {"below": 2}, [({}, lambda v: not v < 2), ({"clear_above": 4}, lambda v: v > 4)]),
    "outside": (
        lambda v: v < 1 or v > 6,
        {"outside": [1, 6]},
        [({}, lambda v: 1 <= v <= 6), ({"clear_inside": [2, 5]}, lambda v: 2 < v < 5)],
    ),
    "inside": (
        lambda v: 3 <= v <= 4,
        {"inside": [3, 4]},
        [({}, lambda v: not 3 <= v <= 4), ({"clear_outside": [2, 5]}, lambda v: v < 2 or v > 5)],
    ),
    "equals": (lambda v: v == 3, {"equals": 3}, [({}, lambda v: v != 3)]),
    "not_equals": (lambda v: v != 3, {"not_equals": 3}, [({}, lambda v: v == 3)]),
    "state": (lambda v: v == 1, {"state": True}, [({}, lambda v: v != 1)]),
}
DELAYS = [None, ("ms", 3_000), ("ms", 7_000), ("samples", 1), ("samples", 3)]


@st.composite
def levels(draw: st.DrawFn) -> tuple[dict[str, object], LevelTwin]:
    holds, keys, clears = CONDITIONS[draw(st.sampled_from(sorted(CONDITIONS)))]
    clear_keys, beyond = draw(st.sampled_from(clears))
    level: dict[str, object] = {"severity": "minor", **keys, **clear_keys}
    twin = LevelTwin(holds, beyond)
    for name, attribute in (("for", "raise"), ("clear_for", "clear")):
        delay = draw(st.sampled_from(DELAYS))
        if delay is not None:
            kind, size = delay
            level[name] = f"{size}ms" if kind == "ms" else f"{size} samples"
            setattr(twin, f"{attribute}_{kind}", size)
    return level, twin


@st.composite
def readings(draw: st.DrawFn, *, skew: bool = False) -> list[tuple[int, int, float, int]]:
    rows = []
    arrival = 1_000_000
    clocks = [1_000_000 + (draw(st.integers(-50_000, 50_000)) if skew else 0) for _ in range(FEEDS)]
    for _ in range(draw(st.integers(0, 40))):
        feed = draw(st.integers(0, FEEDS - 1))
        step = draw(st.sampled_from([0, 0, 500, 1_000, 1_000, 2_000, 3_000, 8_000]))
        clocks[feed] += step + draw(st.sampled_from([0, 0, 0, 1_000, -2_000])) if skew else step
        arrival = arrival + step
        at = clocks[feed] if skew else arrival
        rows.append((feed, at, float(draw(st.integers(0, 7))), arrival))
    return rows


def scene_of(level: dict[str, object], name: str = "s") -> Scene:
    return Scene.model_validate({"scene": name, "feeds": {"metric": "m"}, "levels": [level]})


def engine_of(scenes: tuple[Scene, ...]) -> Engine:
    engine = Engine(SceneSet.of(list(scenes)), max_feeds=FEEDS, settle_ms=SETTLE)
    engine.bind_many([(Device(f"d{i}", "g"), "m") for i in range(FEEDS)])
    return engine


def batch_of(rows: list[tuple[int, int, float, int]]) -> ReadingBatch:
    raw = ReadingBatch.of(
        [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], [r[3] * 1_000_000 for r in rows]
    )
    return Sequencer(FEEDS).on_batch(raw)


def as_rows(transitions: Transitions) -> list[tuple[object, ...]]:
    columns = [getattr(transitions, name).tolist() for name in Transitions.__slots__]
    return list(zip(*columns, strict=True))


@settings(max_examples=400, deadline=None)
@given(levels(), readings())
def test_the_engine_says_what_its_plain_twin_says(
    level: tuple[dict[str, object], LevelTwin], rows: list[tuple[int, int, float, int]]
) -> None:
    keys, pattern = level
    batch = batch_of(rows)
    end = (rows[-1][3] if rows else 0) + 60_000
    engine = engine_of((scene_of(keys),))
    decided = Transitions.concat([engine.on_batch(batch), engine.on_timer(end)])
    for feed in range(FEEDS):
        twin = LevelTwin(
            pattern.holds,
            pattern.clears,
            pattern.raise_ms,
            pattern.raise_samples,
            pattern.clear_ms,
            pattern.clear_samples,
        )
        for i in np.flatnonzero((batch.feed == feed) & (batch.quality == 0)):
            twin.reading(int(batch.event_time[i]), float(batch.value[i]))
        # With device and wall clock the same, 60 s after the last arrival every delay here is over.
        twin.time_passes(1 << 60)
        mine = [
            (NAMES[k], at, onset)
            for k, f, at, onset in zip(
                decided.kind.tolist(), decided.feed.tolist(), decided.at.tolist(), decided.onset.tolist(), strict=True
            )
            if f == feed
        ]
        assert mine == twin.rows


ladder = [
    {"severity": "info", "above": 2, "for": "2s"},
    {"severity": "minor", "above": 4, "clear_below": 3, "for": "2 samples", "clear_for": "4s"},
    {"severity": "critical", "above": 5, "clear_below": 4, "for": "5s", "clear_for": "2 samples"},
]
SCENES = (
    Scene.model_validate({"scene": "a", "feeds": {"metric": "m"}, "levels": ladder}),
    Scene.model_validate({"scene": "b", "feeds": {"metric": "m", "silent_after": "4s"}, "levels": [ladder[0]]}),
)


@settings(max_examples=300, deadline=None)
@given(readings(skew=True), st.lists(st.integers(0, 40), max_size=5), st.integers(0, 1))
def test_batch_cuts_restarts_and_idle_timers_change_nothing(
    rows: list[tuple[int, int, float, int]], cuts: list[int], restart: int
) -> None:
    batch = batch_of(rows)
    end = (rows[-1][3] if rows else 0) + 200_000
    whole = engine_of(SCENES)
    expected = as_rows(Transitions.concat([whole.on_batch(batch), whole.on_timer(end)]))
    engine = engine_of(SCENES)
    parts = []
    edges = [0, *sorted(min(c, len(batch)) for c in cuts), len(batch)]
    for start, stop in pairwise(edges):
        piece = batch[start:stop]
        parts.append(engine.on_batch(piece))
        if stop < len(batch):
            parts.append(engine.on_timer(int(batch.arrival[stop]) // 1_000_000))
        if restart:
            fresh = engine_of(SCENES)
            fresh.restore(engine.snapshot())
            engine = fresh
    parts.append(engine.on_timer(end))
    assert as_rows(Transitions.concat(parts)) == expected
    assert engine.decisions == whole.decisions


@settings(max_examples=100, deadline=None)
@given(readings(skew=True))
def test_a_batch_is_never_written_to_and_every_raise_has_one_end(rows: list[tuple[int, int, float, int]]) -> None:
    batch = batch_of(rows)
    before = [getattr(batch, name).copy() for name in ReadingBatch.__slots__]
    engine = engine_of(SCENES)
    decided = Transitions.concat([engine.on_batch(batch), engine.on_timer(1 << 50)])
    after = [getattr(batch, name) for name in ReadingBatch.__slots__]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    state: dict[tuple[int, int, int], int] = {}
    for kind, feed, scene, severity in zip(
        decided.kind.tolist(), decided.feed.tolist(), decided.scene.tolist(), decided.severity.tolist(), strict=True
    ):
        key = (feed, scene, severity)
        if kind == TransitionKind.RAISED:
            assert state.get(key, 0) == 0
            state[key] = 1
        elif kind == TransitionKind.CLEARED:
            assert state[key] == 1
            state[key] = 0


@settings(max_examples=100, deadline=None)
@given(readings(skew=True), st.integers(0, 40))
def test_the_same_scenes_again_change_nothing(rows: list[tuple[int, int, float, int]], cut: int) -> None:
    batch = batch_of(rows)
    expected = as_rows(engine_of(SCENES).on_batch(batch))
    engine = engine_of(SCENES)
    first = engine.on_batch(batch[:cut])
    engine.replace(SceneSet.of(list(SCENES)))
    assert as_rows(Transitions.concat([first, engine.on_batch(batch[cut:])])) == expected
