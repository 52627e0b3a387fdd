"""Scenes in shadow, in pilot and live, and scenes that change under open alerts."""

from dataclasses import replace

from alerts.event import EventType
from alerts.states import Decision
from core.clock import rfc3339
from tests.unit.alerts.parts import MIN, T0, FeedsOf, Row, SceneOf, ScenesOf, Timeline, device, only
from tests.unit.alerts.words import CRITICAL, MAJOR, MINOR, ONSET, RAISED, acknowledge


def test_a_scene_in_shadow_counts_what_it_would_have_opened_and_tells_nobody() -> None:
    line = Timeline(SceneOf(stage="shadow"))
    line.raised(0, T0)
    line.raised(1, T0 + 1)
    line.cleared(0, T0 + 2)
    line.cleared(1, T0 + 3)
    line.raised(0, T0 + 4)
    assert line.told == []
    assert line.stage.shadow_opened == {"road-flooding": 2}
    assert line.stage.open_count == 0
    assert line.stage.decisions[Decision.SHADOWED] == 4


def test_a_pilot_opens_alerts_in_its_towns_and_is_in_shadow_elsewhere() -> None:
    two_towns = FeedsOf([device("d0", town="T03"), device("d1", place="M2", town="T09")])
    line = Timeline(SceneOf(stage="pilot", pilot_towns=frozenset({"T03"})), feeds_of=two_towns)
    assert only(line.raised(0, T0)).data.town == "T03"
    assert line.raised(1, T0) == []
    assert line.stage.shadow_opened == {"road-flooding": 1}


def test_a_shadow_alert_cannot_be_acknowledged() -> None:
    line = Timeline(SceneOf(stage="shadow"))
    line.raised(0, T0)
    would_be = only(Timeline().raised(0, T0)).data.alert
    assert line.stage.on_feedback(acknowledge(would_be), T0 + 1) == []
    assert line.stage.decisions[Decision.NOT_OPEN] == 1


def test_a_scene_that_goes_live_opens_what_holds_now() -> None:
    line = Timeline(SceneOf(stage="shadow"))
    line.push(Row(RAISED, 0, T0, MINOR), Row(RAISED, 0, T0, MAJOR), Row(RAISED, 1, T0 + 1))
    changes = line.stage.replace(ScenesOf((SceneOf(version="v2"),)), T0 + MIN)
    assert [(c.type, c.data.severity, c.data.count) for c in changes] == [
        (EventType.RAISED, "major", 2),
        (EventType.CHANGED, "major", 3),
    ]
    assert changes[0].raised_ms == T0
    assert changes[0].timing.device_ms is None
    assert [line.cleared(0, T0 + 2 * MIN, s) for s in (MINOR, MAJOR)] != [[], []]
    assert only(line.cleared(1, T0 + 3 * MIN)).type is EventType.CLEARED


def test_a_scene_that_goes_live_folds_into_the_alert_that_its_pilot_opened() -> None:
    mixed = FeedsOf([device("d0", town="T03"), device("d1", town="T09")])
    pilot = SceneOf(stage="pilot", pilot_towns=frozenset({"T03"}))
    line = Timeline(pilot, feeds_of=mixed)
    alert = only(line.raised(0, T0)).data.alert
    assert line.raised(1, T0 + 1) == []
    joined = only(line.stage.replace(ScenesOf((SceneOf(),)), T0 + MIN))
    assert (joined.data.alert, joined.decision) == (alert, Decision.FOLDED)


def test_an_edited_scene_keeps_its_alerts_which_say_under_which_version_they_opened() -> None:
    line = Timeline()
    alert = only(line.raised(0, T0)).data.alert
    assert line.stage.replace(ScenesOf((SceneOf(id="new"), SceneOf(version="v2"))), T0 + 1) == []
    cleared = only(line.cleared(0, T0 + 2, scene=1)).data
    assert (cleared.alert, cleared.rules) == (alert, "v1")


def test_alerts_of_a_scene_that_is_gone_clear() -> None:
    line = Timeline()
    line.raised(0, T0)
    line.push(Row(ONSET, 1, T0))
    change = only(line.stage.replace(ScenesOf(()), T0 + MIN))
    assert (change.type, change.data.cleared_at) == (EventType.CLEARED, rfc3339(T0 + MIN))
    assert line.stage.decisions[Decision.RULES_CHANGED] == 1
    assert line.stage.pending_count == 0


def test_a_level_that_the_engine_no_longer_watches_leaves_its_alert() -> None:
    line = Timeline()
    line.push(Row(RAISED, 0, T0, MINOR), Row(RAISED, 0, T0, CRITICAL))
    change = only(line.stage.replace(line.scenes, T0 + 1, keeps=lambda _scene, _feed, s: s < CRITICAL))
    assert (change.type, change.data.severity) == (EventType.CHANGED, "minor")
    assert line.cleared(0, T0 + 2, CRITICAL) == []
    assert line.stage.decisions[Decision.UNKNOWN_LEVEL] == 1


def test_alerts_keep_the_words_of_the_scene_that_raised_them() -> None:
    line = Timeline()
    line.raised(0, T0)
    renamed = replace(line.scenes.scenes[0], title_en="Other")
    line.stage.replace(ScenesOf((renamed,)), T0 + 1)
    assert only(line.raised(1, T0 + 2)).data.title_en == "Road flooding"
