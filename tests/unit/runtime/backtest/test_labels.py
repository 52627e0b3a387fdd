"""An outcome held against what happened: the truth of a run, and what operators said."""

import dataclasses

import pytest

from alerts.event import AlertData, Measured, Verdict
from alerts.stored import StoredAlert
from core.clock import rfc3339
from runtime.backtest.labels import VerdictLabels
from runtime.backtest.material import Range
from runtime.backtest.run import Outcome, Raised
from runtime.backtest.truth_labels import TruthLabels
from tests.unit.history.parts import BASE, DAY
from tests.unit.runtime.backtest.parts import MINUTE, past, scene, truth_of

WEEK = past(until=7 * DAY / MINUTE)
WORTH = scene().worth


def alert(name: str, device: str, minute: int, *, until: int | None = None, delay_min: int = 0) -> Raised:
    return Raised(
        id=name, feed=f"{device}/depth", feeds=(f"{device}/depth",), place=device, severity="critical",
        raised_ms=BASE + minute * MINUTE, cleared_ms=None if until is None else BASE + until * MINUTE,
        delay_ms=delay_min * MINUTE, case=True,
    )  # fmt: skip


def truth(*incidents: tuple[str, str, int, int]) -> TruthLabels:
    return TruthLabels(truth_of(WEEK.start_ms, WEEK.end_ms, *incidents))


def test_against_the_truth_incidents_are_found_or_missed_and_alerts_right_or_wrong() -> None:
    labels = truth(("i1", "d0", 100, 200), ("i2", "d1", 300, 400))
    outcome = Outcome((alert("a1", "d0", 110, until=190, delay_min=4), alert("a2", "d5", 150, until=160)), 0)
    held = labels.held_against("deep", outcome, WEEK, WORTH)
    assert (held.found, held.missed, held.true, held.false, held.unjudged) == (1, 1, 1, 1, 0)
    assert (held.missed_ids, held.false_ids) == (["i2"], ["a2"])
    assert (held.precision, held.recall) == (0.5, 0.5)
    assert held.delay_ms is not None
    assert held.delay_ms.p50 == 6 * MINUTE  # ten minutes, of which the scene asks for four
    assert held.cost.minutes_saved == 35
    assert held.cost.running_cost == pytest.approx(8000 * 7 / 365.25)
    assert held.cost.yuan_per_hour_saved == pytest.approx(8000 * 7 / 365.25 / 35 * 60)
    assert held.cost.false_a_day == pytest.approx(1 / 7)


def test_incidents_of_other_scenes_and_times_do_not_count() -> None:
    labels = truth(("i1", "d0", 100, 200))
    for held in (
        labels.held_against("other", Outcome((), 0), WEEK, None),
        labels.held_against("deep", Outcome((), 0), of_day(BASE + DAY, BASE + 2 * DAY), None),
    ):
        assert (held.found, held.missed, held.precision, held.recall) == (0, 0, None, None)
        assert held.cost.minutes_saved is None


def of_day(start: int, end: int) -> Range:
    return WEEK._replace(begin_ms=start, start_ms=start, end_ms=end)


def stored(one: Raised) -> StoredAlert:
    """The alert as the pipeline keeps it."""
    data = AlertData(
        alert=one.id, revision=1, scene="deep", place=one.place, severity="critical", worst_severity="critical",
        state="cleared", count=1, raised_at=rfc3339(one.raised_ms), feeds=list(one.feeds),
        measured=Measured(device="d", metric="depth", value=1),
    )  # fmt: skip
    return StoredAlert(
        id=one.id, scene="deep", feed=one.feed, place=one.place, town="", severity="critical", worst="critical",
        state="cleared", raised_ms=one.raised_ms, cleared_ms=one.cleared_ms, count=1, revision=1, task_number=None,
        data=data, latency=None,
    )  # fmt: skip


def test_against_verdicts_an_alert_is_known_by_its_id_or_by_place_and_time() -> None:
    judged = {
        "a1": Verdict.TRUE, "a2": Verdict.FALSE, "a3": Verdict.NOT_OURS, "a4": Verdict.DUPLICATE,
        "a5": Verdict.MAINTENANCE,
    }  # fmt: skip
    live = [alert(f"a{i}", f"d{i}", 100 * i, until=100 * i + 50) for i in range(1, 7)]
    labels = VerdictLabels([stored(one) for one in live], judged)
    moved = dataclasses.replace(live[2], id="b3", raised_ms=live[2].raised_ms + 7 * MINUTE)
    tried = Outcome((live[0], live[1], moved, live[4], live[5], alert("b9", "d9", 5, until=6)), 0)
    held = labels.held_against("deep", tried, WEEK, WORTH)
    assert (held.found, held.missed_ids) == (2, ["a4"])
    assert (held.true, held.false_ids, held.unjudged) == (2, ["a2", "a5"], 2)
    assert held.precision == 0.5
    assert held.recall == pytest.approx(2 / 3)
    assert held.delay_ms is not None
    assert held.delay_ms.max == 7 * MINUTE
    assert held.cost.minutes_saved == 70
