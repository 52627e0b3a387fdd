"""What the dispatch core keeps, as plain frozen values: the alert's latest view, the case, the audit line."""

import enum
from dataclasses import dataclass

from alerts.event import AlertData, EventType
from dispatch.workflow import CaseState


class What(enum.StrEnum):
    """What an audit line tells."""

    OPENED = "opened"
    ALERT_RAISED = "alert_raised"
    """Raised once more under another event id; the case was open already."""
    ALERT_CHANGED = "alert_changed"
    ALERT_ACKNOWLEDGED = "alert_acknowledged"
    ALERT_STALE = "alert_stale"
    ALERT_REFRESHED = "alert_refreshed"
    ALERT_CLEARED = "alert_cleared"
    JUDGED = "judged"
    """Somebody said what its alert turned out to be."""


@dataclass(frozen=True, slots=True)
class Alert:
    """The newest revision of an alert that has come in.

    Times are ms since the epoch; `seq` is its place in the list, in the order of first arrival.
    """

    seq: int
    data: AlertData
    event: str
    """Id of the event that brought this revision."""
    raised_at: int
    cleared_at: int | None
    updated_at: int
    task_number: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case; times are ms since the epoch.

    `id` is internal and ascending, `task_number` is what people say to each other and never changes.
    `severity` is the worst that its alert reached so far, `leaf` the leaf of that, `alert_state` the alert's own state.
    """

    id: int
    task_number: str
    alert: str
    scene: str
    title_en: str
    title_zh: str
    place: str
    town: str
    leaf: str | None
    severity: str
    state: CaseState
    alert_state: str
    raised_at: int
    opened_at: int
    cleared_at: int | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to a case and when (ms since the epoch), from which state to which."""

    seq: int
    case: int
    at: int
    who: str
    what: What
    from_state: CaseState | None
    to_state: CaseState
    note: str
    event: str


@dataclass(frozen=True, slots=True)
class AlertMoved:
    """For the stream: an event changed what is known of an alert."""

    seq: int
    event: str
    type: EventType
    alert: Alert


@dataclass(frozen=True, slots=True)
class CaseMoved:
    """For the stream: a line was added to a case."""

    seq: int
    case: Case
    line: AuditLine


Moved = AlertMoved | CaseMoved
