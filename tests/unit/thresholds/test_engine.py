"""The engine around the kernel: binding, state that moves on, limits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from city.device import Device
from core.errors import DataLossError
from core.reading import ReadingBatch
from core.severity import Severity
from tests.unit.thresholds.parts import T0_MS, Watched, rows, scene, seconds
from thresholds import kernel_state as kernel
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind

ROOT = Path(__file__).resolve().parents[3]


def bound(scenes: SceneSet, *feeds: tuple[Device, str]) -> list[int]:
    engine = Engine(scenes, max_feeds=len(feeds))
    return [engine.bind(index, device, metric) for index, (device, metric) in enumerate(feeds)]


def test_binding_says_how_many_scenes_watch() -> None:
    by_type = scene({"above": 1}, name="a", feeds={"type": "t", "metric": "m"})
    by_device = scene({"above": 1}, name="b", feeds={"device": ["d1", "d2"]})
    by_where = scene({"above": 1}, name="c", feeds={"metric": "m", "where": {"town": ["T1"], "kind": "road"}})
    counts = bound(
        SceneSet.of([by_type, by_device, by_where]),
        (Device("d1", "g", "t", town="T1", kind="road"), "m"),
        (Device("d1", "g", "t", town="T1", kind="road"), "other"),
        (Device("d2", "g", "t", town="T1"), "m"),
        (Device("d3", "g", "u", town="T2", kind="road"), "m"),
    )
    assert counts == [3, 1, 2, 0]


@pytest.mark.parametrize("stage", ["draft", "retired"])
def test_a_scene_that_is_not_in_force_watches_nothing(stage: str) -> None:
    assert bound(SceneSet.of([scene({"above": 1}, stage=stage)]), (Device("d", "g"), "m")) == [0]


def test_feeds_are_bound_in_order_and_never_more_than_there_is_room_for() -> None:
    engine = Engine(SceneSet.of([scene({"above": 1})]), max_feeds=2)
    with pytest.raises(ValueError, match="0 is next"):
        engine.bind(1, Device("d", "g"), "m")
    engine.bind_many([(Device("d", "g"), "m")] * 2)
    with pytest.raises(ValueError, match="no more than 2"):
        engine.bind(2, Device("d", "g"), "m")
    with pytest.raises(ValueError, match="no more than 2"):
        engine.bind_many([(Device("d", "g"), "m")])


def test_a_feed_that_nothing_watches_decides_nothing() -> None:
    engine = Engine(SceneSet.of([scene({"above": 1})]), max_feeds=3)
    engine.bind_many([(Device("d", "g"), "other"), (Device("d", "g"), "m")])
    assert rows(engine.on_batch(ReadingBatch.of([0, 1, 2], [1, 1, 1], [9, 9, 9]))) != []
    assert engine.decisions == 1


def test_a_feed_beyond_the_state_is_a_bug_and_not_a_write_somewhere_else() -> None:
    engine = Engine(SceneSet.of([scene({"above": 1})]), max_feeds=1)
    for feed in (1, -1):
        with pytest.raises(IndexError, match="beyond the 1"):
            engine.on_batch(ReadingBatch.of([feed], [1], [9]))


def test_binding_one_by_one_and_many_at_once_are_the_same() -> None:
    scenes = SceneSet.of([scene({"above": 5, "for": "2s"}, name=name) for name in "ab"])
    feeds = [(Device(f"d{i}", "g"), "m" if i % 3 else "other") for i in range(9)]
    one, many = Engine(scenes, max_feeds=9), Engine(scenes, max_feeds=9)
    for index, (device, metric) in enumerate(feeds):
        one.bind(index, device, metric)
    many.bind_many(feeds[:4])
    many.bind_many(feeds[4:])
    batch = ReadingBatch.of(np.tile(np.arange(9), 2), np.repeat([1000, 5000], 9), np.full(18, 6))
    assert rows(one.on_batch(batch)) == rows(many.on_batch(batch))
    assert np.array_equal(one._slots[: one._n_slots], many._slots[: many._n_slots])


def test_overrides_decide_where_they_fit() -> None:
    overridden = scene({"above": 5}, overrides=[{"where": {"kind": "road"}, "levels": {"minor": {"above": 8}}}])
    watched = Watched(overridden, feeds=2)
    assert watched.read((1, 6), feed=0) == [("raised", 1)]
    assert watched.read((1, 6), feed=1) == []
    assert watched.read((2, 9), feed=1) == [("raised", 2)]


def test_more_levels_on_a_feed_than_there_are_bits_for() -> None:
    scenes = [scene({"above": 5, "for": "2s", "clear_for": "2s"}, name=f"s{i:02}") for i in range(70)]
    watched = Watched(*scenes)
    for begin in (0, 100):
        watched.read((begin, 6), (begin + 10, 0))
        watched.wait(begin + 50)
    kinds = [kind for kind, *_ in watched.all]
    assert {kind: kinds.count(kind) for kind in kinds} == {"onset": 140, "raised": 140, "cleared": 140}


def test_what_runs_goes_on_under_edited_scenes() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    watched.read((0, 6))
    watched.engine.replace(SceneSet.of([scene({"above": 5.5, "for": "10s", "clear_for": "3s"})]))
    assert watched.wait(100) == [("raised", 10)]


def test_what_is_active_stays_active_under_edited_scenes() -> None:
    watched = Watched(scene({"above": 5}))
    watched.read((0, 6))
    watched.engine.replace(SceneSet.of([scene({"above": 50})]))
    assert watched.read((1, 7)) == [("cleared", 1)]


def test_a_delay_that_is_made_shorter_ends_at_once_but_not_in_the_past() -> None:
    watched = Watched(scene({"above": 5, "for": "10m"}))
    watched.read((0, 6), (300, 6))
    watched.engine.replace(SceneSet.of([scene({"above": 5, "for": "1m"})]))
    assert watched.wait(301) == [("raised", 300)]


def test_a_delay_that_is_made_longer_goes_on() -> None:
    watched = Watched(scene({"above": 5, "for": "1m"}))
    watched.read((0, 6), (30, 6))
    watched.engine.replace(SceneSet.of([scene({"above": 5, "for": "10m"})]))
    assert watched.wait(500) == []
    assert watched.wait(1000) == [("raised", 600)]


def test_a_level_that_is_taken_away_says_nothing_more() -> None:
    minor, major = {"severity": "minor", "above": 5}, {"severity": "major", "above": 6}
    watched = Watched(scene(minor, major))
    watched.read((0, 9))
    watched.engine.replace(SceneSet.of([scene(major)]))
    assert not watched.engine.watches("s", 0, Severity.MINOR)
    assert watched.engine.watches("s", 0, Severity.MAJOR)
    watched.read((1, 0))
    assert watched.all[2:] == [("cleared", 0, Severity.MAJOR, 1)]


def test_scenes_are_followed_by_id_when_others_come_before_them() -> None:
    watched = Watched(scene({"above": 5}, name="k"))
    watched.read((0, 6))
    others = [scene({"above": 5}, name=name) for name in "az"]
    watched.engine.replace(SceneSet.of([*others, scene({"above": 5}, name="k")]))
    cleared = watched.engine.on_batch(ReadingBatch.of([0], [seconds(1)], [0]))
    assert cleared.kind.tolist() == [TransitionKind.CLEARED]
    assert cleared.scene.tolist() == [1]


def test_replacing_all_scenes_by_none_and_back_forgets_without_a_word() -> None:
    watched = Watched(scene({"above": 5}))
    watched.read((0, 6))
    watched.engine.replace(SceneSet.of([]))
    assert watched.read((1, 6)) == []
    assert watched.engine.next_timer() is None
    watched.engine.replace(SceneSet.of([scene({"above": 5})]))
    assert watched.read((2, 6)) == [("raised", 2)]


def test_a_snapshot_holds_only_what_is_not_idle() -> None:
    watched = Watched(scene({"above": 5}), feeds=8)
    watched.read((0, 6), feed=3)
    watched.read((0, 1), feed=4)
    assert np.asarray(watched.engine.snapshot()["feed"]).tolist() == [3]


def test_a_snapshot_of_another_version_or_with_unknown_feeds_is_refused() -> None:
    watched = Watched(scene({"above": 5}), feeds=2)
    snapshot = dict(watched.engine.snapshot())
    with pytest.raises(DataLossError, match="knows 2 feeds, only 1"):
        Watched(scene({"above": 5}), feeds=1).engine.restore(snapshot)
    for name, part in (("version", np.array([99, 0, 0, 0])), ("scenes", b"{"), ("onset", np.zeros(1, np.int64))):
        with pytest.raises(DataLossError, match="snapshot"):
            watched.engine.restore({**snapshot, name: part})
    with pytest.raises(DataLossError, match="damaged"):
        watched.engine.restore({"version": snapshot["version"]})


def test_a_restored_engine_takes_new_feeds() -> None:
    watched = Watched(scene({"above": 5, "for": "5s"}), feeds=2)
    watched.read((0, 6), feed=1)
    again = Watched(scene({"above": 5, "for": "5s"}), feeds=2)
    again.engine.restore(watched.engine.snapshot())
    again.engine.bind(2, Device("new", "g"), "m")
    again.read((1, 6), feed=2)
    again.wait(100)
    assert [(kind, feed, at) for kind, feed, _, at in again.all] == [
        ("onset", 2, 1),
        ("raised", 1, 5),
        ("raised", 2, 6),
    ]


def test_the_heap_stays_in_its_room_when_many_delays_are_moved_forward_again_and_again() -> None:
    feeds = 50
    watched = Watched(scene({"above": 5, "for": "1h"}), feeds=feeds, max_feeds=feeds)
    for turn in range(200):
        # Each reading is nearer to its arrival than the one before: every delay ends earlier than was thought.
        times = np.full(feeds, seconds(turn * 2))
        arrival = np.full(feeds, seconds(1000 + turn) * 1_000_000)
        watched.engine.on_batch(ReadingBatch.of(np.arange(feeds), times, np.full(feeds, 6.0), arrival))
    assert int(watched.engine._meta[kernel.HEAP_SIZE]) <= 2 * feeds + 1
    assert watched.wait(10_000) == [("raised", 3600)] * feeds


def test_a_level_slot_and_a_feed_are_small() -> None:
    assert kernel.FEED.itemsize == 64
    assert kernel.SLOT.itemsize <= 60


def test_kinds_of_transition_are_those_of_the_kernel() -> None:
    assert list(TransitionKind) == [kernel.ONSET, kernel.LAPSED, kernel.RAISED, kernel.CLEARED]


def test_the_kernel_decides_the_same_without_a_compiler() -> None:
    program = (
        "from tests.unit.thresholds.parts import Watched, scene\n"
        "watched = Watched(scene({'above': 5, 'for': '2s', 'clear_for': '2 samples'}))\n"
        "watched.read((0, 6), (1, 7), (5, 1), (6, 2))\n"
        "print(watched.all)\n"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=100
        ).stdout
        for env in ({"NUMBA_DISABLE_JIT": "1"}, {})
    ]
    assert told[0] == told[1]
    assert "raised" in told[0]


def test_a_scene_of_the_set_is_found_by_its_index() -> None:
    scenes: list[Scene] = [scene({"above": 5}, name=name) for name in ("b", "a")]
    watched = Watched(*scenes)
    raised = watched.engine.on_batch(ReadingBatch.of([0], [1], [6]))
    assert [watched.engine.scenes.scenes[index].id for index in raised.scene.tolist()] == ["a", "b"]


def test_a_delay_that_a_schedule_shortens_while_silence_holds_it_ends_by_time() -> None:
    """With readings at 23:59:44 and 23:59:48 the delay of midnight is over at the second one."""
    midnight_s = (1_700_064_000_000 - T0_MS) / 1000
    level = {"changed_by": {"up": 3, "in": "1m"}, "for": "3 of 4", "clear_for": "2 samples"}
    night = {"when": {"hours": "00:00-06:00"}, "levels": {"minor": {"for": "1s", "clear_for": "2s"}}}
    held = scene(level, overrides=[night])
    held = held.model_copy(update={"feeds": held.feeds.model_copy(update={"silent_after": 5_000})})
    watched = Watched(held)
    watched.read((midnight_s - 20, 1), (midnight_s - 16, 5), (midnight_s - 12, 6))
    assert watched.wait(midnight_s + 60) == [("raised", midnight_s - 12)]


def test_a_clock_that_jumps_ahead_wakes_a_schedule_sooner() -> None:
    """The turn of a schedule comes by the clock of the feed, which every reading sets."""
    midnight_s = (1_700_064_000_000 - T0_MS) / 1000
    night = scene({"above": 5}, when={"hours": "00:00-06:00"})
    watched = Watched(night)
    watched.read((midnight_s - 40, 9), arrival=midnight_s - 40)
    watched.read((midnight_s - 30, 9), arrival=midnight_s - 39)
    assert watched.wait(midnight_s - 8.1) == []
    assert watched.wait(midnight_s - 8) == [("raised", midnight_s)]
