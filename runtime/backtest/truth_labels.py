"""The truth of a simulated run as labels: what the incidents were, by device and time."""

from dataclasses import dataclass

import msgspec

from core.clock import parse_rfc3339
from runtime.backtest.labels import LabelScore, held
from runtime.backtest.material import Range
from runtime.backtest.run import Outcome, Raised
from runtime.score import Raised as ScoredAlert
from runtime.score import late_ms, score, unexplained
from simulators.truth import Truth
from thresholds.scene import Worth

SLACK_MS = 3_600_000
"""How long after its end an incident still explains an alert, beside the alert's own delay."""


@dataclass(frozen=True, slots=True)
class TruthLabels:
    """Incidents of a simulated run, those that the scene is there to find and that overlap the range."""

    truth: Truth

    def held_against(self, scene: str, outcome: Outcome, asked: Range, worth: Worth | None) -> LabelScore:
        """See `Labels`."""
        due = [
            i
            for i in self.truth.incidents
            if scene in i.scenes and parse_rfc3339(i.start) < asked.end_ms and parse_rfc3339(i.end) >= asked.start_ms
        ]
        truth = msgspec.structs.replace(self.truth, incidents=due)
        alerts = [_scored(scene, alert) for alert in outcome.alerts]
        whole = score(truth, alerts, slack_ms=SLACK_MS)
        wrong = [alert.id for alert in unexplained(truth, alerts, slack_ms=SLACK_MS)]
        missed = [name for row in whole.scenes for name in row.missed]
        return held(
            "truth", len(due) - len(missed), missed, [alert.id for alert in alerts if alert.id not in wrong], wrong, 0,
            late_ms(truth, alerts, slack_ms=SLACK_MS), outcome, asked, worth,
        )  # fmt: skip


def _scored(scene: str, alert: Raised) -> ScoredAlert:
    return ScoredAlert(
        id=alert.id, scene=scene, device=_device(alert.feed), place=alert.place, severity=alert.severity,
        raised_ms=alert.raised_ms, case=alert.case, devices=frozenset(map(_device, alert.feeds)),
        delay_ms=alert.delay_ms,
    )  # fmt: skip


def _device(feed: str) -> str:
    return feed.partition("/")[0]
