"""What happened, against which an outcome is held; what operators said. `truth_labels` has a simulated run's truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from alerts.event import Verdict
from alerts.stored import StoredAlert
from runtime.backtest.material import Range
from runtime.backtest.run import Outcome, Raised
from thresholds.scene import Worth

_TRUE = frozenset({Verdict.TRUE, Verdict.DUPLICATE, Verdict.NOT_OURS})
"""It was so, whoever's matter it was."""


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """How late alerts were, without the configured delay, ms; for verdicts: behind the alert that was judged."""

    p50: float
    p90: float
    max: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """By the scene's own `worth`; None where it does not say it."""

    minutes_saved: float | None
    """Of the cases that were true."""
    running_cost: float | None
    """Its yearly cost for the range, yuan."""
    yuan_per_hour_saved: float | None
    false_a_day: float


class LabelScore(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome against labels."""

    source: str
    """`truth` or `verdicts`."""
    found: int
    """Of what was so: how much has an alert."""
    missed: int
    true: int
    """Alerts that were right."""
    false: int
    unjudged: int
    """Alerts of which nobody said anything; they count neither way."""
    precision: float | None
    recall: float | None
    delay_ms: Delay | None
    missed_ids: list[str]
    """Incidents, or alerts that were judged true, without an alert here."""
    false_ids: list[str]
    cost: Cost


class Labels(Protocol):
    """What happened."""

    def held_against(self, scene: str, outcome: Outcome, asked: Range, worth: Worth | None) -> LabelScore:
        """An outcome of the scene with that id, compared."""


@dataclass(frozen=True, slots=True)
class VerdictLabels:
    """Alerts that were raised live and judged by people.

    An alert of an outcome is the judged one with its id, or else one of the same feed or place that overlaps it in
    time; of alerts that nobody judged nothing is said. Duplicates and what is not ours were so; maintenance was not.
    """

    alerts: Sequence[StoredAlert]
    verdicts: Mapping[str, Verdict]

    def held_against(self, scene: str, outcome: Outcome, asked: Range, worth: Worth | None) -> LabelScore:
        """See `Labels`."""
        judged = [a for a in self.alerts if a.scene == scene and a.id in self.verdicts and _touches(a, asked)]
        found: dict[str, int] = {}
        right: list[str] = []
        wrong: list[str] = []
        for alert in outcome.alerts:
            same = _same(alert, judged)
            true = [one for one in same if self.verdicts[one.id] in _TRUE]
            for one in true:
                found.setdefault(one.id, max(0, alert.raised_ms - one.raised_ms))
            if true:
                right.append(alert.id)
            elif same:
                wrong.append(alert.id)
        missed = [one.id for one in judged if self.verdicts[one.id] in _TRUE and one.id not in found]
        unjudged = len(outcome.alerts) - len(right) - len(wrong)
        return held("verdicts", len(found), missed, right, wrong, unjudged, list(found.values()), outcome, asked, worth)


def held(
    source: str, found: int, missed: list[str], right: list[str], wrong: list[str], unjudged: int, late: Sequence[int],
    outcome: Outcome, asked: Range, worth: Worth | None,
) -> LabelScore:  # fmt: skip
    """The score of what was found, missed, right and wrong; `late` is how late each was, ms."""
    was_so = found + len(missed)
    true, right_ids = len(right), frozenset(right)
    cases = sum(alert.case and alert.id in right_ids for alert in outcome.alerts)
    return LabelScore(
        source=source, found=found, missed=len(missed), true=true, false=len(wrong), unjudged=unjudged,
        precision=true / (true + len(wrong)) if true + len(wrong) else None,
        recall=found / was_so if was_so else None,
        delay_ms=_delay(late), missed_ids=missed, false_ids=wrong,
        cost=_cost(cases, len(wrong), asked, worth),
    )  # fmt: skip


def _cost(cases: int, wrong: int, asked: Range, worth: Worth | None) -> Cost:
    days = max(asked.days, 1e-9)
    per_case = None if worth is None else worth.minutes_saved_per_case
    yearly = None if worth is None else worth.yearly_cost
    saved = None if per_case is None else cases * per_case
    running = None if yearly is None else yearly * days / 365.25
    return Cost(
        minutes_saved=saved,
        running_cost=running,
        yuan_per_hour_saved=running / (saved / 60) if running is not None and saved else None,
        false_a_day=wrong / days,
    )


def _delay(late: Sequence[int]) -> Delay | None:
    if not late:
        return None
    p50, p90 = np.percentile(late, (50, 90))
    return Delay(p50=float(p50), p90=float(p90), max=float(max(late)))


def _touches(alert: StoredAlert, asked: Range) -> bool:
    return alert.raised_ms < asked.end_ms and (alert.cleared_ms is None or alert.cleared_ms >= asked.start_ms)


def _same(alert: Raised, judged: Sequence[StoredAlert]) -> list[StoredAlert]:
    by_id = [one for one in judged if one.id == alert.id]
    if by_id:
        return by_id
    feeds = {alert.feed, *alert.feeds}
    return [
        one
        for one in judged
        if (one.place == alert.place or one.feed in feeds or not feeds.isdisjoint(one.data.feeds))
        and (one.cleared_ms is None or alert.raised_ms <= one.cleared_ms)
        and (alert.cleared_ms is None or one.raised_ms <= alert.cleared_ms)
    ]
