"""The gate on random levels: it says what its plain twin says, however it is cut and restarted, and nothing is lost."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from city.device import Device
from core.reading import ReadingBatch
from core.stage import Snapshot
from tests.laws.stage_laws import check_stage
from tests.laws.test_engine_laws import rows_of
from tests.reference.gate_twin import GateTwin, Row
from thresholds.behind import Kept
from thresholds.engine import Engine
from thresholds.gate import Gate, Maintenance
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind, Transitions

T0 = 1_700_000_000_000
DEVICES = [
    Device("d0", "g", town="T1", place="M1", lon=121.4, lat=31.1),
    Device("d1", "g", town="T1", place="M1", lon=121.402, lat=31.1),
    Device("d2", "h", town="T1", place="M2", lon=121.4, lat=31.103),
    Device("d3", "h", town="T2", place="M3"),
    Device("d4", "g", town="", place="M2", lon=121.4099, lat=31.1099),
]
CLAUSES: list[dict[str, Any]] = [
    {"scene": "a", "within": "town"}, {"scene": "b", "within": "device", "in_last": "5s"},
    {"scene": "a", "within": "300m", "in_last": "3s"}, {"feeds": 2, "within": "300m", "in_last": "4s"},
    {"feeds": 2, "within": "module"}, {"feeds": 3, "within": "5km", "in_last": "9s"},
]  # fmt: skip
INHIBITS: list[dict[str, Any]] = [
    {"scene": "a", "same": "device"}, {"scene": "b", "same": "town"}, {"scene": "a", "same": "module"},
    {"scene": "a", "same": "town", "below": "major"},
]  # fmt: skip


@st.composite
def scene_sets(draw: st.DrawFn) -> SceneSet:
    scenes = []
    for name in "abcd":
        parts: dict[str, Any] = {}
        clauses = [c for c in CLAUSES if c.get("scene") != name]
        if name != "a" and draw(st.booleans()):
            way = draw(st.sampled_from(["any", "all"]))
            parts["confirm"] = {way: draw(st.lists(st.sampled_from(clauses), min_size=1, max_size=2))}
        if name != "a" and draw(st.booleans()):
            parts["inhibit_by"] = [draw(st.sampled_from([i for i in INHIBITS if i["scene"] != name]))]
        levels = [{"severity": "minor", "above": 3}, {"severity": "major", "above": 5, "for": "2s"}]
        scenes.append(Scene.model_validate({"scene": name, "feeds": {"metric": name}, "levels": levels, **parts}))
    return SceneSet.of(scenes)


@st.composite
def streams(draw: st.DrawFn) -> ReadingBatch:
    rows = []
    now = T0
    for _ in range(draw(st.integers(0, 50))):
        now += draw(st.sampled_from([0, 100, 1_000, 3_000]))
        rows.append((draw(st.integers(0, 4 * len(DEVICES) - 1)), now, draw(st.integers(0, 7))))
    feed, time, value = np.array(rows, np.float64).reshape(-1, 3).T
    seen: dict[int, int] = {}
    times = []
    for one, at in zip(feed.tolist(), time.tolist(), strict=True):
        seen[one] = max(int(at), seen.get(one, 0) + 1)
        times.append(seen[one])
    arrival = np.maximum.accumulate(np.array([*times], np.int64)) * 1_000_000 if times else np.zeros(0, np.int64)
    return ReadingBatch.of(feed, times, value, arrival)


works_at = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["d0", "T1"]), st.integers(1, 9)))


class Gated:
    """Engine and gate as one stage; feed 4 * d + k is metric k of device d."""

    def __init__(self, scenes: SceneSet) -> None:
        self.engine = Engine(scenes, max_feeds=4 * len(DEVICES))
        self.engine.bind_many([(device, metric) for device in DEVICES for metric in "abcd"])
        self.gate = Gate(scenes, self.engine.device, tells=True)

    def on_batch(self, batch: ReadingBatch) -> Transitions:
        return self.gate.on_transitions(self.engine.on_batch(batch))

    def on_timer(self, now_ms: int) -> Transitions:
        passed = self.gate.on_transitions(self.engine.on_timer(now_ms))
        return Transitions.concat([passed, self.gate.on_timer(now_ms)])

    def next_timer(self) -> int | None:
        due = [time for time in (self.engine.next_timer(), self.gate.next_timer()) if time is not None]
        return min(due, default=None)

    def snapshot(self) -> Snapshot:
        return {**self.engine.snapshot(), **self.gate.snapshot()}

    def restore(self, snapshot: Snapshot) -> None:
        self.engine.restore(snapshot)
        self.gate.restore(snapshot)


def twin_of(scenes: SceneSet) -> GateTwin:
    return GateTwin(scenes.scenes, [device for device in DEVICES for _ in "abcd"])


@settings(max_examples=60, deadline=None)
@given(
    scene_sets(),
    streams(),
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["d0", "T1", "b"]), st.integers(1, 9))),
)
def test_the_gate_says_what_its_plain_twin_says(
    scenes: SceneSet, stream: ReadingBatch, works: list[tuple[int, str, int]]
) -> None:
    gated, twin = Gated(scenes), twin_of(scenes)
    told: list[tuple[object, ...]] = []
    at = 0
    for number, (row, where, seconds) in enumerate(sorted(works)[:3]):
        raw = gated.engine.on_batch(stream[at:row])
        told += rows_of(gated.gate.on_transitions(raw))
        _feed(twin, raw)
        at = max(at, row)
        now = max(int(stream.arrival[:at][-1]) // 1_000_000 if len(stream.arrival[:at]) else T0, twin.now)
        places = {{"d0": "device", "T1": "town", "b": "scene"}[where]: [where]}
        told += rows_of(gated.gate.maintain(Maintenance(f"w{number}", places, now, now + seconds * 1000), now))
        twin.on_timer(now)
        twin.maintain(f"w{number}", places, now + seconds * 1000)
    raw = Transitions.concat([gated.engine.on_batch(stream[at:]), gated.engine.on_timer(T0 + 400_000)])
    told += rows_of(gated.gate.on_transitions(raw)) + rows_of(gated.gate.on_timer(T0 + 400_000))
    _feed(twin, raw)
    twin.on_timer(T0 + 400_000)
    assert told == twin.rows
    kept = [(k.scene, k.feed, k.severity) for k in gated.gate.ledger]
    shown = {(scenes.scenes[i.scene].id, i.feed, i.severity) for i in twin.active() if not i.shown}
    assert set(kept) == shown
    _check_news(gated.gate)


def _check_news(gate: Gate) -> None:
    """Each entry is told once for each of its revisions, in order, and what ended adds up."""
    news = gate.take_news()
    entries: dict[tuple[object, ...], list[int]] = {}
    for one in news:
        if isinstance(one, Kept):
            entries.setdefault((one.scene, one.feed, one.severity, one.at, one.onset), []).append(one.revision)
        else:
            assert one.kept == one.cleared + one.holds >= 1
            assert sum(one.scenes.values()) == one.kept
            assert one.until_ms >= one.since_ms
    assert all(revisions == list(range(1, len(revisions) + 1)) for revisions in entries.values())
    assert {one.cover for one in gate.ledger} - {""} <= {one.key for one in gate.open_covers}
    assert gate.take_news() == []


def _feed(twin: GateTwin, transitions: Transitions) -> None:
    rows: list[Row] = rows_of(transitions)  # type: ignore[assignment]
    for row in rows:
        twin.on_row(row)


@settings(max_examples=40, deadline=None)
@given(scene_sets(), streams(), st.integers(0, 2**32))
def test_engine_and_gate_keep_the_laws_of_a_stage(scenes: SceneSet, stream: ReadingBatch, seed: int) -> None:
    check_stage(lambda: Gated(scenes), [stream], rows=rows_of, quiet_ms=100_000, seed=seed)


@settings(max_examples=40, deadline=None)
@given(scene_sets(), streams())
def test_what_alerts_see_goes_up_and_down_in_turn(scenes: SceneSet, stream: ReadingBatch) -> None:
    gated = Gated(scenes)
    active: set[tuple[object, ...]] = set()
    told = [*rows_of(gated.on_batch(stream)), *rows_of(gated.on_timer(T0 + 400_000))]
    for kind, feed, scene, severity, at, onset, *_ in told:
        level = (scene, feed, severity)
        assert onset <= at  # type: ignore[operator]
        if kind == TransitionKind.RAISED:
            assert level not in active
            active.add(level)
        elif kind == TransitionKind.CLEARED:
            active.remove(level)
