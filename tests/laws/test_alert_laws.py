"""Laws of the alert stage and its store, over whatever an engine could decide."""

import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from alerts.change import AlertChange
from alerts.event import EventType, Feedback, Receipt
from alerts.lifecycle import AlertStage
from alerts.store import AlertStore
from alerts.stored import StoredAlert
from core.severity import Severity
from tests.unit.alerts.parts import MIN, T0, FeedsOf, Row, SceneOf, ScenesOf, device, transitions
from thresholds.transition import TransitionKind

FEEDS = FeedsOf(
    [
        device("d0"),
        device("d1"),
        device("d2", gateway="g2"),
        device("d3", place="M2", town="T09"),
        device("d4", place="M2", gateway="g2", town="T09"),
    ]
)
SCENES = ScenesOf(
    (
        SceneOf(id="folds"),
        SceneOf(id="window", fold_window_ms=2 * MIN),
        SceneOf(id="shadow", stage="shadow"),
        SceneOf(id="pilot", stage="pilot", pilot_towns=frozenset({"T09"})),
        SceneOf(id="leaves", leaf_of={("", severity): f"14-08-0{int(severity)}" for severity in Severity}),
    )
)
LEVELS = (Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)
Level = tuple[int, int, Severity]
Wanted = st.lists(st.sampled_from(["idle", "pending", "active"]), min_size=len(LEVELS), max_size=len(LEVELS))


class Engine:
    """The least that decides like one: a level goes idle, pending or active at a reading of its feed."""

    def __init__(self) -> None:
        self.now = T0
        self.levels: dict[Level, str] = defaultdict(lambda: "idle")

    def read(self, feed: int, scene: int, wanted: list[str], later_ms: int) -> list[Row]:
        """The rows of one reading, after which the levels of the feed are as wanted."""
        self.now += later_ms
        rows = []
        for severity, want in zip(LEVELS, wanted, strict=True):
            level = (feed, scene, severity)
            rows += [Row(kind, feed, self.now, severity, scene=scene) for kind in _way(self.levels[level], want)]
            self.levels[level] = want if (self.levels[level], want) != ("active", "pending") else "active"
        return rows

    @property
    def active(self) -> set[Level]:
        return {level for level, state in self.levels.items() if state == "active"}


def _way(have: str, want: str) -> list[TransitionKind]:
    return {
        ("idle", "pending"): [TransitionKind.ONSET],
        ("idle", "active"): [TransitionKind.RAISED],
        ("pending", "idle"): [TransitionKind.LAPSED],
        ("pending", "active"): [TransitionKind.RAISED],
        ("active", "idle"): [TransitionKind.CLEARED],
    }.get((have, want), [])


def _in_shadow(feed: int, scene: int) -> bool:
    return scene == 2 or (scene == 3 and FEEDS.rows[feed][0].town != "T09")


class AlertMachine(RuleBasedStateMachine):
    """Three stages get the same: one row group at a time, in larger cuts, and through snapshots."""

    @initialize()
    def begin(self) -> None:
        self.engine = Engine()
        self.stage = AlertStage(SCENES, FEEDS)
        self.cut = AlertStage(SCENES, FEEDS)
        self.restored = AlertStage(SCENES, FEEDS)
        self.waiting: list[Row] = []
        self.told: list[AlertChange] = []
        self.told_cut: list[AlertChange] = []
        self.told_restored: list[AlertChange] = []
        self.acknowledgements = 0

    @rule(
        feed=st.integers(0, len(FEEDS.rows) - 1),
        scene=st.integers(0, len(SCENES.scenes) - 1),
        wanted=Wanted,
        later_ms=st.sampled_from([1, MIN, 3 * MIN]),
    )
    def a_reading(self, feed: int, scene: int, wanted: list[str], later_ms: int) -> None:
        rows = self.engine.read(feed, scene, wanted, later_ms)
        if not rows:
            return
        self.told += self.stage.on_transitions(transitions(*rows), None)
        self.told_restored += self.restored.on_transitions(transitions(*rows), None)
        self.waiting += rows

    @rule()
    def flush(self) -> None:
        if self.waiting:
            self.told_cut += self.cut.on_transitions(transitions(*self.waiting), None)
            self.waiting.clear()

    @rule(gateway=st.sampled_from(["g1", "g2", "g9"]), online=st.booleans())
    def a_gateway(self, gateway: str, online: bool) -> None:  # noqa: FBT001 - drawn by name
        self.flush()
        for stage, told in self._all():
            told.extend(stage.on_gateway(gateway, online, self.engine.now))

    @rule(data=st.data())
    def an_acknowledgement(self, data: st.DataObject) -> None:
        self.flush()
        alert = data.draw(st.sampled_from([c.data.alert for c in self.told] or ["a-nobody"]))
        self.acknowledgements += 1
        said = Feedback(seq=self.acknowledgements, kind="acknowledge", alert=alert, by="wang", at="")
        for stage, told in self._all():
            told.extend(stage.on_feedback(said, self.engine.now))

    @rule()
    def a_restart(self) -> None:
        saved = self.restored.snapshot()
        self.restored = AlertStage(SCENES, FEEDS)
        self.restored.restore(saved)
        assert self.restored.snapshot() == saved

    @invariant()
    def no_alert_is_lost_and_each_is_as_bad_as_its_worst_level(self) -> None:
        worst: dict[tuple[int, str], Severity] = {}
        for feed, scene, severity in self.engine.active:
            if not _in_shadow(feed, scene) and scene != 1:
                place = (scene, FEEDS.rows[feed][0].place)
                worst[place] = max(worst.get(place, severity), severity)
        open_now = {
            (_scene_index(c.data.scene), c.data.place): Severity.of(c.data.severity)
            for c in self._open().values()
            if c.data.scene != "window"
        }
        assert open_now == worst
        windowed = {FEEDS.rows[feed][0].place for feed, scene, _ in self.engine.active if scene == 1}
        assert {c.data.place for c in self._open().values() if c.data.scene == "window"} == windowed

    @invariant()
    def no_place_has_two_open_alerts_of_a_scene_unless_its_window_says_so(self) -> None:
        places = [(c.data.scene, c.data.place) for c in self._open().values() if c.data.scene != "window"]
        assert len(places) == len(set(places))

    @invariant()
    def every_story_begins_once_counts_on_and_ends_at_most_once(self) -> None:
        stories: dict[str, list[AlertChange]] = defaultdict(list)
        for change in self.told:
            stories[change.data.alert].append(change)
        for story in stories.values():
            types = [change.type for change in story]
            assert types[0] is EventType.RAISED
            assert types.count(EventType.RAISED) == 1
            assert EventType.CLEARED not in types[:-1]
            assert [change.data.revision for change in story] == list(range(1, len(story) + 1))
            assert all(a.data.count <= b.data.count for a, b in pairwise(story))
        still_open = {alert for alert, story in stories.items() if story[-1].type is not EventType.CLEARED}
        assert still_open == set(self._open())
        assert self.stage.open_count == len(still_open)

    @invariant()
    def an_alert_has_the_leaf_of_the_worst_level_it_reached(self) -> None:
        for change in self.told:
            if change.data.scene == "leaves":
                assert change.data.leaf == f"14-08-0{int(Severity.of(change.data.worst_severity))}"

    @invariant()
    def nothing_depends_on_snapshots(self) -> None:
        assert self.told_restored == self.told
        assert self.restored.snapshot() == self.stage.snapshot()

    @invariant()
    def nothing_depends_on_cuts(self) -> None:
        if not self.waiting:
            assert self.told_cut == self.told
            assert self.cut.snapshot() == self.stage.snapshot()

    @invariant()
    def memory_holds_what_is_pending_or_active_and_no_more(self) -> None:
        states = list(self.engine.levels.values())
        assert self.stage.pending_count == states.count("pending")
        assert len(self.stage._homes) == states.count("active")
        assert len(self.stage._alerts) <= states.count("active")
        assert sum(map(len, self.stage._folds.values())) == len(self.stage._alerts)
        assert set().union(*self.stage._gateways.values()) == set(self.stage._alerts)

    @override
    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.flush()
            self.nothing_depends_on_cuts()

    def _all(self) -> list[tuple[AlertStage, list[AlertChange]]]:
        return [
            (self.stage, self.told),
            (self.cut, self.told_cut),
            (self.restored, self.told_restored),
        ]

    def _open(self) -> dict[str, AlertChange]:
        """The last event of every alert that is not cleared: what a receiver of the events knows."""
        last = {change.data.alert: change for change in self.told}
        return {alert: change for alert, change in last.items() if change.type is not EventType.CLEARED}


def _scene_index(scene: str) -> int:
    return [s.id for s in SCENES.scenes].index(scene)


AlertMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
test_alerts_keep_their_laws = AlertMachine.TestCase


Reading = st.tuples(st.integers(0, len(FEEDS.rows) - 1), st.integers(0, 1), Wanted)


@settings(max_examples=25, deadline=None)
@given(readings=st.lists(Reading, min_size=1, max_size=25), data=st.data())
def test_replaying_from_any_point_leaves_the_store_as_it_was(
    readings: list[tuple[int, int, list[str]]], data: st.DataObject
) -> None:
    engine = Engine()
    groups = [engine.read(feed, scene, wanted, 1) for feed, scene, wanted in readings]
    stage = AlertStage(SCENES, FEEDS)
    snapshots = [stage.snapshot()]
    with tempfile.TemporaryDirectory() as folder:
        store = AlertStore(Path(folder) / "alerts.db", now_ns=lambda: 0)
        try:
            told: list[AlertChange] = []
            for rows in groups:
                changes = stage.on_transitions(transitions(*rows), 0) if rows else []
                store.write(changes)
                told += changes
                snapshots.append(stage.snapshot())
            acknowledged = data.draw(st.integers(0, len(told)))
            store.acked([Receipt(id=c.id, task_number=c.data.alert) for c in told[:acknowledged]], 1)
            before = _content(store)
            begin = data.draw(st.integers(0, len(groups)))
            end = data.draw(st.integers(begin, len(groups)))
            again = AlertStage(SCENES, FEEDS)
            again.restore(snapshots[begin])
            for rows in groups[begin:end]:
                assert store.write(again.on_transitions(transitions(*rows), 99) if rows else []) == 0
            assert _content(store) == before
        finally:
            store.close()


def _content(store: AlertStore) -> tuple[list[StoredAlert], list[str], dict[str, int]]:
    return store.by_raised(), [waiting.id for waiting in store.pending(1000)], store.counts()
