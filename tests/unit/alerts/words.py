"""Severities, kinds and an acknowledgement by their short names."""

from alerts.event import Feedback
from core.clock import rfc3339
from core.severity import Severity
from tests.unit.alerts.parts import T0
from thresholds.transition import TransitionKind

INFO, MINOR, MAJOR, CRITICAL = Severity.INFO, Severity.MINOR, Severity.MAJOR, Severity.CRITICAL
ONSET, LAPSED = TransitionKind.ONSET, TransitionKind.LAPSED
RAISED, CLEARED = TransitionKind.RAISED, TransitionKind.CLEARED


def acknowledge(alert: str, by: str = "wang", seq: int = 1) -> Feedback:
    return Feedback(seq=seq, kind="acknowledge", alert=alert, by=by, comment="on my way", at=rfc3339(T0))
