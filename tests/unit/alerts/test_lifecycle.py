"""The life of alerts from outside: what is told, and when."""

import pytest

from alerts.event import EventType, Feedback
from alerts.lifecycle import AlertStage
from alerts.states import STEPS, Decision, Happening, State
from core.clock import rfc3339
from core.errors import DataLossError
from core.severity import Severity
from tests.unit.alerts.parts import MIN, T0, FeedsOf, Row, SceneOf, Timeline, device, feeds, only
from tests.unit.alerts.words import CLEARED, CRITICAL, INFO, LAPSED, MAJOR, MINOR, ONSET, RAISED, acknowledge
from thresholds.transition import Transitions


def test_nothing_follows_from_nothing() -> None:
    assert Timeline().stage.on_transitions(Transitions.empty(), 0) == []


def test_an_onset_is_pending_and_told_to_nobody() -> None:
    line = Timeline()
    assert line.push(Row(ONSET, 0, T0)) == []
    assert line.stage.pending_count == 1
    assert line.stage.open_count == 0
    assert line.stage.decisions == {Decision.PENDING: 1}


def test_an_onset_that_lapses_is_a_near_miss() -> None:
    line = Timeline()
    line.push(Row(ONSET, 0, T0))
    line.push(Row(LAPSED, 0, T0 + 1))
    assert line.stage.pending_count == 0
    assert line.stage.decisions[Decision.NEAR_MISS] == 1
    assert line.told == []


def test_a_raise_opens_an_alert_that_says_everything() -> None:
    line = Timeline()
    line.push(Row(ONSET, 0, T0, CRITICAL))
    change = only(
        line.push(
            Row(RAISED, 0, T0 + MIN, CRITICAL, 31.5, onset=T0, delay_ms=MIN, arrival=(T0 + MIN) * 10**6),
            decided_ns=(T0 + MIN) * 10**6 + 5,
        )
    )
    data = change.data
    assert change.type is EventType.RAISED
    assert change.decision is Decision.OPENED
    assert change.id == f"{data.alert}.1"
    assert (data.scene, data.place, data.town, data.leaf) == ("road-flooding", "M1", "T01", "14-01-02")
    assert (data.severity, data.worst_severity, data.state) == ("critical", "critical", "active")
    assert (data.count, data.feeds, data.rules) == (1, ["d0/depth_cm"], "v1")
    assert data.raised_at == rfc3339(T0 + MIN)
    assert data.cleared_at is None
    assert (data.measured.value, data.measured.unit, data.measured.limit) == (31.5, "cm", "above 40")
    assert data.measured.since == rfc3339(T0)
    assert change.opened_by == "d0/depth_cm"
    assert line.stage.pending_count == 0
    assert line.stage.open_count == 1


def test_an_alert_clears_and_leaves_no_trace() -> None:
    line = Timeline()
    line.raised(0, T0)
    change = only(line.cleared(0, T0 + 5 * MIN, value=2.5))
    assert change.type is EventType.CLEARED
    assert (change.data.severity, change.data.state, change.data.revision) == ("minor", "cleared", 2)
    assert change.data.cleared_at == rfc3339(T0 + 5 * MIN)
    assert change.cleared_ms == T0 + 5 * MIN
    assert change.data.measured.value == 2.5
    fresh = AlertStage(line.scenes, feeds())
    fresh._order = 1
    fresh.decisions = line.stage.decisions
    assert line.stage.snapshot() == fresh.snapshot()
    assert not any((line.stage._folds, line.stage._homes, line.stage._gateways, line.stage._alerts))


def test_a_recurrence_after_clearing_is_a_new_alert() -> None:
    line = Timeline()
    first = only(line.raised(0, T0)).data
    line.cleared(0, T0 + 1)
    second = only(line.raised(0, T0 + 2)).data
    assert first.alert != second.alert
    assert second.revision == 1


def test_the_id_is_a_function_of_scene_place_and_the_reading_that_opened_it() -> None:
    one, other = Timeline(), Timeline()
    other.raised(3, T0 - 50)
    first = only(one.push(Row(RAISED, 0, T0, MINOR, 20.0, arrival=1)))
    again = only(other.push(Row(RAISED, 0, T0, MINOR, 20.0, arrival=2)))
    assert first.id == again.id
    assert only(Timeline().raised(0, T0 + 1)).data.alert != first.data.alert
    assert only(Timeline().raised(1, T0)).data.alert != first.data.alert
    assert only(Timeline(SceneOf(id="other")).raised(0, T0)).data.alert != first.data.alert
    moved = FeedsOf([device("d0", place="M9")])
    assert only(Timeline(feeds_of=moved).raised(0, T0)).data.alert != first.data.alert


def test_a_ladder_climbed_at_one_reading_is_one_event_with_the_worst_severity() -> None:
    line = Timeline()
    change = only(
        line.push(
            Row(RAISED, 0, T0, INFO, 41.0),
            Row(RAISED, 0, T0, MINOR, 41.0),
            Row(RAISED, 0, T0, CRITICAL, 41.0),
        )
    )
    assert (change.type, change.data.severity) == (EventType.RAISED, "critical")
    assert change.data.count == 3
    assert change.data.measured.limit == "above 40"


def test_levels_raised_at_two_readings_of_one_call_are_two_events() -> None:
    line = Timeline()
    line.push(Row(RAISED, 0, T0, MINOR), Row(RAISED, 0, T0 + 1, CRITICAL))
    assert line.story == [("raised", "minor", "active"), ("changed", "critical", "active")]


def test_equal_times_of_two_feeds_are_two_readings() -> None:
    line = Timeline()
    line.push(Row(RAISED, 0, T0, MINOR), Row(RAISED, 1, T0, CRITICAL))
    assert line.story == [("raised", "minor", "active"), ("changed", "critical", "active")]


def test_a_value_that_leaves_one_level_for_another_does_not_close_the_alert() -> None:
    line = Timeline()
    line.raised(0, T0, MINOR)
    line.push(Row(CLEARED, 0, T0 + 1, MINOR, 50.0), Row(RAISED, 0, T0 + 1, CRITICAL, 50.0))
    assert line.story == [("raised", "minor", "active"), ("changed", "critical", "active")]
    assert line.told[-1].decision is Decision.ROSE


def test_an_alert_is_to_have_a_case_from_the_severity_on_that_its_scene_names() -> None:
    line = Timeline(SceneOf(case_from=Severity.MAJOR))
    line.raised(0, T0, Severity.MINOR)
    line.raised(0, T0 + 1, Severity.CRITICAL)
    line.cleared(0, T0 + 2, Severity.CRITICAL)
    assert [c.data.auto for c in line.told] == [False, True, True], "once bad enough, it stays so"


def test_severity_is_the_worst_active_level_at_each_moment() -> None:
    line = Timeline()
    line.raised(0, T0, MINOR)
    line.raised(0, T0 + 1, CRITICAL)
    line.raised(0, T0 + 2, MAJOR)
    line.cleared(0, T0 + 3, CRITICAL)
    line.cleared(0, T0 + 4, MINOR)
    line.cleared(0, T0 + 5, MAJOR)
    assert line.story == [
        ("raised", "minor", "active"),
        ("changed", "critical", "active"),
        ("changed", "critical", "active"),
        ("changed", "major", "active"),
        ("cleared", "major", "cleared"),
    ]
    assert line.told[-1].data.worst_severity == "critical"
    assert [c.decision for c in line.told[1:4]] == [Decision.ROSE, Decision.REPEATED, Decision.FELL]
    assert line.stage.decisions[Decision.EASED] == 1


def test_after_a_fall_the_event_measures_the_level_that_still_holds() -> None:
    line = Timeline()
    line.raised(0, T0, MINOR, 20.0)
    line.raised(0, T0 + 1, CRITICAL, 50.0)
    measured = only(line.cleared(0, T0 + 2, CRITICAL, 30.0)).data.measured
    assert (measured.limit, measured.value) == ("above 20", 30.0)


def test_a_reading_that_raises_in_two_scenes_opens_an_alert_in_each() -> None:
    line = Timeline(SceneOf(), SceneOf(id="ponding"))
    line.push(Row(RAISED, 0, T0, scene=0), Row(RAISED, 0, T0, scene=1), Row(RAISED, 0, T0, MAJOR, scene=0))
    assert [(c.data.scene, c.data.severity, c.data.revision) for c in line.told] == [
        ("road-flooding", "major", 1),
        ("ponding", "minor", 1),
    ]


def test_an_alert_does_not_clear_before_it_was_raised() -> None:
    line = Timeline()
    line.raised(0, T0 + 10 * MIN)
    line.raised(1, T0)
    line.cleared(0, T0 + 12 * MIN)
    change = only(line.cleared(1, T0 + 5 * MIN))
    assert change.data.cleared_at == rfc3339(T0 + 12 * MIN)


def test_acknowledging_stops_the_repeats_and_nothing_else() -> None:
    line = Timeline()
    alert = only(line.raised(0, T0, MAJOR)).data.alert
    line.raised(1, T0 + 1, MINOR)
    told = only(line.stage.on_feedback(acknowledge(alert), T0 + 2))
    assert (told.type, told.data.state) == (EventType.ACKNOWLEDGED, "acknowledged")
    assert (told.data.acknowledged_by, told.data.comment) == ("wang", "on my way")
    line.cleared(1, T0 + 3, MINOR)
    assert line.raised(1, T0 + 4, MINOR) == []
    assert line.stage.decisions[Decision.REPEAT_HELD] == 1
    rose = only(line.raised(0, T0 + 5, CRITICAL))
    assert (rose.type, rose.data.state, rose.data.count) == (EventType.CHANGED, "acknowledged", 4)
    assert only(line.raised(2, T0 + 6, MINOR)).decision is Decision.FOLDED
    for feed, severity in ((0, MAJOR), (0, CRITICAL), (1, MINOR), (2, MINOR)):
        line.cleared(feed, T0 + 7, severity)
    assert line.told[-1].type is EventType.CLEARED


def test_a_repeat_of_an_alert_that_nobody_has_seen_is_told() -> None:
    line = Timeline()
    line.raised(0, T0, MAJOR)
    line.raised(1, T0 + 1)
    line.cleared(1, T0 + 2)
    assert only(line.raised(1, T0 + 3)).decision is Decision.REPEATED


def test_acknowledging_twice_keeps_the_first_who_did() -> None:
    line = Timeline()
    alert = only(line.raised(0, T0)).data.alert
    line.stage.on_feedback(acknowledge(alert), T0 + 1)
    assert line.stage.on_feedback(acknowledge(alert, by="li", seq=2), T0 + 2) == []
    assert line.stage.decisions[Decision.ALREADY_ACKNOWLEDGED] == 1
    assert only(line.cleared(0, T0 + 3)).data.acknowledged_by == "wang"


def test_feedback_on_an_unknown_or_cleared_alert_is_counted() -> None:
    line = Timeline()
    alert = only(line.raised(0, T0)).data.alert
    line.cleared(0, T0 + 1)
    assert line.stage.on_feedback(acknowledge(alert), T0 + 2) == []
    assert line.stage.on_feedback(acknowledge("a-nobody"), T0 + 2) == []
    assert line.stage.decisions[Decision.NOT_OPEN] == 2


def test_feedback_of_an_unknown_kind_is_counted() -> None:
    line = Timeline()
    alert = only(line.raised(0, T0)).data.alert
    said = Feedback(seq=1, kind="applause", alert=alert, by="wang", at=rfc3339(T0))
    assert line.stage.on_feedback(said, T0 + 1) == []
    assert line.stage.decisions[Decision.UNKNOWN_FEEDBACK] == 1


def test_a_second_raise_of_an_active_level_changes_nothing() -> None:
    line = Timeline()
    line.raised(0, T0)
    assert line.raised(0, T0 + 1) == []
    assert line.stage.decisions[Decision.ALREADY_ACTIVE] == 1


def test_a_snapshot_of_another_version_is_refused_with_a_plain_line() -> None:
    line = Timeline()
    content = bytes(line.stage.snapshot()["alerts"])
    other = content.replace(b"\xa7version\x01", b"\xa7version\x63")
    assert other != content
    with pytest.raises(DataLossError, match="version 99"):
        line.stage.restore({"alerts": other})


@pytest.mark.parametrize("broken", [{}, {"alerts": b"\x00\x01"}, {"alerts": b""}])
def test_a_broken_snapshot_is_refused_and_leaves_the_stage_as_it_was(broken: dict[str, bytes]) -> None:
    line = Timeline()
    line.raised(0, T0)
    before = line.stage.snapshot()
    with pytest.raises(DataLossError):
        line.stage.restore(broken)
    assert line.stage.snapshot() == before


def test_the_input_is_not_written_to_and_a_snapshot_does_not_change_later() -> None:
    line = Timeline()
    line.raised(0, T0)
    saved = line.stage.snapshot()
    copy = dict(saved)
    line.raised(1, T0 + 1)
    assert dict(saved) == copy


def test_every_step_of_the_table_leads_somewhere_and_every_open_state_can_end() -> None:
    reached = {step.state for step in STEPS.values()}
    assert reached == set(State)
    for state in reached - {State.NONE, State.PENDING, State.CLEARED}:
        assert STEPS[state, Happening.ENDED].state is State.CLEARED
    assert not any(state is State.CLEARED for state, _ in STEPS)


def test_a_step_tells_somebody_whenever_the_state_on_the_wire_changes() -> None:
    for (state, happening), step in STEPS.items():
        if {state, step.state} & {State.NONE, State.PENDING}:
            continue
        if state.word != step.state.word:
            assert step.event is not None, (state, happening)
