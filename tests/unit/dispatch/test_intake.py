import msgspec
import pytest

from alerts.event import AlertEvent, EventType
from dispatch.case import AlertMoved, CaseMoved, What
from dispatch.intake import (
    Decision,
    Intake,
    Known,
    Plan,
    Refusal,
    Refused,
    checked,
    task_number,
    working_day,
)
from dispatch.workflow import ROWS, CaseState, Trigger, next_state
from tests.unit.dispatch.events import event, life, with_data

NOW = 1_795_514_400_000
"""2026-11-24T10:00:00Z."""


def taken(*events: AlertEvent | Refused) -> Plan:
    intake = Intake(Known(), first_seq=1, last_number=0, day="20261124", now_ms=NOW)
    return intake.take_all([checked(e) for e in events])


def decisions(plan: Plan) -> list[Decision]:
    return [outcome.decision for outcome in plan.outcomes]


def test_a_raised_alert_opens_one_case_with_a_number_of_that_day() -> None:
    plan = taken(event("a"))
    assert decisions(plan) == [Decision.OPENED]
    assert plan.outcomes[0].task_number == "20261124-000001"
    case = plan.cases["a"]
    assert (case.state, case.place, case.leaf) == (CaseState.PENDING_DISPATCH, "M0001", "water.flood.road")
    assert [type(m) for m in plan.moved] == [AlertMoved, CaseMoved]


def test_a_case_without_a_leaf_waits_for_a_person_to_classify_it() -> None:
    assert taken(event("a", leaf=None)).cases["a"].state is CaseState.SCREENING


def test_a_case_takes_the_leaf_that_its_alert_gets_when_it_is_worse_and_says_so() -> None:
    light, heavy, *_ = life("a")
    plan = taken(with_data(light, leaf="14-08-01"), with_data(heavy, leaf="14-08-03"))
    assert decisions(plan) == [Decision.OPENED, Decision.UPDATED]
    assert (plan.cases["a"].leaf, plan.cases["a"].state) == ("14-08-03", CaseState.PENDING_DISPATCH)
    assert "leaf 14-08-01 -> 14-08-03" in plan.lines[-1].note


def test_a_case_that_waits_for_a_leaf_waits_no_longer_when_its_alert_gets_one() -> None:
    unclear, clear, *_ = life("a")
    plan = taken(with_data(unclear, leaf=None), with_data(clear, leaf="14-08-03"))
    assert (plan.cases["a"].leaf, plan.cases["a"].state) == ("14-08-03", CaseState.PENDING_DISPATCH)
    assert [(one.from_state, one.to_state) for one in plan.lines] == [
        (None, CaseState.SCREENING),
        (CaseState.SCREENING, CaseState.PENDING_DISPATCH),
    ]


def test_an_alert_that_opens_no_case_by_itself_is_only_listed() -> None:
    plan = taken(*life("a", auto=False))
    assert decisions(plan) == [Decision.LISTED, Decision.UPDATED, Decision.UPDATED, Decision.UPDATED]
    assert plan.cases == {}
    assert plan.alerts["a"].data.state == "cleared"


def test_an_alert_too_mild_for_a_case_gets_one_when_it_has_become_bad_enough() -> None:
    mild, worse, *rest = life("a")
    plan = taken(with_data(mild, auto=False, severity="info", worst_severity="info"), worse, *rest)
    assert decisions(plan) == [Decision.LISTED, Decision.OPENED, Decision.UPDATED, Decision.UPDATED]
    assert plan.cases["a"].severity == "major"


def test_the_same_event_again_is_a_duplicate_with_the_same_number_and_changes_nothing() -> None:
    plan = taken(event("a"), event("a"))
    assert decisions(plan) == [Decision.OPENED, Decision.DUPLICATE]
    assert plan.outcomes[0].task_number == plan.outcomes[1].task_number
    assert len(plan.lines) == 1


def test_clearing_does_not_close_the_case() -> None:
    case = taken(*life("a")).cases["a"]
    assert (case.state, case.alert_state) == (CaseState.PENDING_DISPATCH, "cleared")
    assert case.cleared_at is not None


def test_every_event_leaves_a_line_that_says_who_did_what() -> None:
    lines = taken(*life("a")).lines
    assert [line.what for line in lines] == [
        What.OPENED,
        What.ALERT_CHANGED,
        What.ALERT_ACKNOWLEDGED,
        What.ALERT_CLEARED,
    ]
    assert [line.who for line in lines][1:3] == ["/scenewatch/pipeline", "Li"]
    assert lines[0].from_state is None
    assert lines[1].from_state is lines[1].to_state is CaseState.PENDING_DISPATCH
    assert [line.note for line in lines] == ["", "minor -> major", "sent a crew", "major -> minor"]


def test_an_older_revision_is_kept_but_does_not_take_the_view_back() -> None:
    raised, changed, *_ = life("a")
    late = event("a", 1, EventType.CHANGED, severity="info")
    late = msgspec.structs.replace(late, id="a.other")
    plan = taken(raised, changed, late)
    assert decisions(plan)[-1] is Decision.OUT_OF_DATE
    assert plan.alerts["a"].data.revision == 2
    assert plan.lines[-1].note == "revision 1 came late"
    assert not plan.events[-1].applied


def test_a_case_is_opened_even_when_raised_comes_after_what_followed_it() -> None:
    raised, _, acknowledged, cleared = life("a")
    plan = taken(acknowledged, cleared, raised)
    assert decisions(plan) == [Decision.LISTED, Decision.UPDATED, Decision.OPENED]
    case = plan.cases["a"]
    assert (case.alert_state, case.severity) == ("cleared", "major")


def test_the_severity_of_a_case_is_the_worst_that_its_alert_reached() -> None:
    assert taken(*life("a")).cases["a"].severity == "major"


def test_raised_under_another_id_does_not_open_a_second_case() -> None:
    again = msgspec.structs.replace(event("a"), id="somebody-else-1")
    plan = taken(event("a"), again)
    assert decisions(plan) == [Decision.OPENED, Decision.OUT_OF_DATE]
    assert [line.what for line in plan.lines] == [What.OPENED, What.ALERT_RAISED]
    assert plan.numbers_used == 1


def test_places_in_the_stream_ascend_and_fit_what_was_reserved() -> None:
    plan = taken(*life("a"), *life("b"))
    seqs = [moved.seq for moved in plan.moved]
    assert seqs == sorted(set(seqs))
    assert max(seqs) <= 2 * 8


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (with_data(event(), severity="loud"), Refusal.WRONG_SEVERITY),
        (with_data(event(), state="gone"), Refusal.WRONG_STATE),
        (with_data(event(), revision=0), Refusal.WRONG_NUMBER),
        (with_data(event(), revision=2**31), Refusal.WRONG_NUMBER),
        (with_data(event(), count=-1), Refusal.WRONG_NUMBER),
        (with_data(event(), raised_at="yesterday"), Refusal.WRONG_TIME),
        (with_data(event(), raised_at="2026-11-24T10:00:00"), Refusal.WRONG_TIME),
        (with_data(event(), raised_at="0001-01-01T00:00:00+14:00"), Refusal.WRONG_TIME),
        (with_data(event(), cleared_at="9999-12-31T23:59:59-14:00"), Refusal.WRONG_TIME),
        (with_data(event(), place=""), Refusal.WRONG_TEXT),
        (with_data(event(), place="x" * 201), Refusal.WRONG_TEXT),
        (with_data(event(), scene="a\x00b"), Refusal.WRONG_TEXT),
        (with_data(event(), title_zh="水" * 2001), Refusal.WRONG_TEXT),
        (with_data(event(), comment="a\x00b"), Refusal.WRONG_TEXT),
        (msgspec.structs.replace(event(), specversion="0.3"), Refusal.WRONG_ATTRIBUTE),
        (msgspec.structs.replace(event(), subject="other"), Refusal.WRONG_ATTRIBUTE),
        (msgspec.structs.replace(event(), datacontenttype="text/xml"), Refusal.WRONG_ATTRIBUTE),
        (msgspec.structs.replace(event(), id="x" * 201), Refusal.WRONG_TEXT),
    ],
)
def test_what_could_never_be_kept_is_refused_with_a_reason(wrong: AlertEvent, reason: Refusal) -> None:
    answer = checked(wrong)
    assert isinstance(answer, Refused)
    assert answer.reason is reason
    assert len(answer.id) <= 200


def test_a_refused_event_stands_in_its_place_and_the_others_count() -> None:
    plan = taken(event("a"), with_data(event("b"), severity="loud"), event("c"))
    assert decisions(plan) == [Decision.OPENED, Decision.REFUSED, Decision.OPENED]
    assert set(plan.cases) == {"a", "c"}


def test_ordinary_text_is_not_refused() -> None:
    assert checked(with_data(event(), place="张江　广兰路 12 号", comment="line one\nline two")) != event()
    assert isinstance(checked(with_data(event(), place="张江　广兰路 12 号")), AlertEvent)


@pytest.mark.parametrize(
    ("utc_ms", "day"),
    [(NOW, "20261124"), (NOW + 6 * 3_600_000 - 1, "20261124"), (NOW + 6 * 3_600_000, "20261125")],
)
def test_the_day_of_a_task_number_begins_at_midnight_in_shanghai(utc_ms: int, day: str) -> None:
    assert working_day(utc_ms) == day


def test_a_task_number_outgrows_its_six_digits_rather_than_repeat() -> None:
    assert task_number("20261124", 42) == "20261124-000042"
    assert task_number("20261124", 1_000_000) == "20261124-1000000"


def test_what_has_no_row_in_the_table_cannot_happen() -> None:
    with pytest.raises(LookupError, match="no row"):
        next_state(CaseState.SCREENING, Trigger.REPORTED, None)


def test_no_two_rows_of_the_table_contradict_each_other() -> None:
    keys = [(row.state, row.trigger, row.guard) for row in ROWS]
    assert len(keys) == len(set(keys))
