"""What the hub says over HTTP, as types: the one source of the JSON and of its schema."""

from typing import Annotated

import msgspec

from alerts.event import EventType, Measured, Verdict
from console.wire_ledger import ledger_streamed
from core.clock import rfc3339
from dispatch.case import Alert, AlertMoved, AuditLine, Case, CaseMoved, Moved, What
from dispatch.precision import Tally
from dispatch.workflow import CaseState


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it is in its newest revision; times are RFC 3339."""

    id: str
    revision: int
    scene: str
    title_en: str
    title_zh: str
    place: str
    town: str
    severity: str
    worst_severity: str
    state: str
    count: int
    raised_at: str
    cleared_at: str | None
    updated_at: str
    leaf: str | None
    task_number: str | None
    measured: Measured
    feeds: list[str]
    acknowledged_by: str | None
    comment: str | None
    rules: str


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A case; times are RFC 3339."""

    task_number: str
    state: CaseState
    alert: str
    alert_state: str
    scene: str
    title_en: str
    title_zh: str
    place: str
    town: str
    leaf: str | None
    severity: str
    raised_at: str
    opened_at: str
    cleared_at: str | None
    updated_at: str


class AuditView(msgspec.Struct, frozen=True, kw_only=True, rename={"from_state": "from", "to_state": "to"}):
    """Who did what to a case and when, from which state to which."""

    at: str
    who: str
    what: What
    from_state: CaseState | None
    to_state: CaseState
    note: str
    event: str


class CaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A case with everything that happened to it, oldest first, and its alert."""

    case: CaseView
    audit: list[AuditView]
    alert: AlertView | None


class CaseList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of cases, newest first; `next` is the cursor of the following page."""

    items: list[CaseView]
    next: str | None


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of alerts, newest first; `next` is the cursor of the following page."""

    items: list[AlertView]
    next: str | None


class PlaceView(msgspec.Struct, frozen=True, kw_only=True):
    """A place of the map; what its layer has not is null, and so is `geometry` where it was not asked for."""

    layer: str
    code: str
    name_zh: str
    name_en: str
    kind: str | None = None
    town: str | None = None
    disposal_grid: str | None = None
    self_grid: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    geometry: msgspec.Raw | None = None


class PlaceList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of places, from the coarsest layer to the finest, by code; `next` is the cursor of the following page."""

    items: list[PlaceView]
    next: str | None


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who has seen an alert, and what they say."""

    by: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    comment: Annotated[str, msgspec.Meta(max_length=2000, pattern=r"^[^\x00]*$")] | None = None


class Judged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an alert turned out to be, and who says so."""

    verdict: Verdict
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    comment: Annotated[str, msgspec.Meta(max_length=2000, pattern=r"^[^\x00]*$")] | None = None


class Precision(msgspec.Struct, frozen=True, kw_only=True):
    """What the judged alerts of one scene, severity or device turned out to be; `precision` is true / (true + false).

    Those that were another's matter, doubled or maintenance say nothing about the limit and are left out of it; null
    where nobody has said true or false yet.
    """

    scene: str
    severity: str | None
    device: str | None
    true: int
    false: int
    duplicate: int
    not_ours: int
    maintenance: int
    precision: float | None


class PrecisionList(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by scene; all of them are there, so `next` is null."""

    items: list[Precision]
    next: str | None = None


class StreamedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Data of an `alert` message of the stream: the alert as it was after the event."""

    event: str
    type: EventType
    alert: AlertView


class StreamedCase(msgspec.Struct, frozen=True, kw_only=True):
    """Data of a `case` message of the stream: the line that was added, and the case."""

    line: AuditView
    case: CaseView


class CountsView(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is now: alerts that are not cleared by severity, cases by state."""

    alerts: dict[str, int]
    cases: dict[str, int]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`: the process is up (healthz), the database takes writes (readyz)."""

    status: str = "ok"


def alert_view(alert: Alert) -> AlertView:
    """The alert as HTTP says it."""
    data = alert.data
    return AlertView(
        id=data.alert,
        revision=data.revision,
        scene=data.scene,
        title_en=data.title_en,
        title_zh=data.title_zh,
        place=data.place,
        town=data.town,
        severity=data.severity,
        worst_severity=data.worst_severity,
        state=data.state,
        count=data.count,
        raised_at=rfc3339(alert.raised_at),
        cleared_at=_time(alert.cleared_at),
        updated_at=rfc3339(alert.updated_at),
        leaf=data.leaf,
        task_number=alert.task_number,
        measured=data.measured,
        feeds=data.feeds,
        acknowledged_by=data.acknowledged_by,
        comment=data.comment,
        rules=data.rules,
    )


def case_view(case: Case) -> CaseView:
    """The case as HTTP says it."""
    return CaseView(
        task_number=case.task_number,
        state=case.state,
        alert=case.alert,
        alert_state=case.alert_state,
        scene=case.scene,
        title_en=case.title_en,
        title_zh=case.title_zh,
        place=case.place,
        town=case.town,
        leaf=case.leaf,
        severity=case.severity,
        raised_at=rfc3339(case.raised_at),
        opened_at=rfc3339(case.opened_at),
        cleared_at=_time(case.cleared_at),
        updated_at=rfc3339(case.updated_at),
    )


def audit_view(line: AuditLine) -> AuditView:
    """The audit line as HTTP says it."""
    return AuditView(
        at=rfc3339(line.at),
        who=line.who,
        what=line.what,
        from_state=line.from_state,
        to_state=line.to_state,
        note=line.note,
        event=line.event,
    )


def streamed(moved: Moved) -> tuple[str, bytes]:
    """The name and the JSON data of a message of the stream."""
    if isinstance(moved, AlertMoved):
        alert = StreamedAlert(event=moved.event, type=moved.type, alert=alert_view(moved.alert))
        return "alert", msgspec.json.encode(alert)
    if isinstance(moved, CaseMoved):
        case = StreamedCase(line=audit_view(moved.line), case=case_view(moved.case))
        return "case", msgspec.json.encode(case)
    return ledger_streamed(moved)


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def precision_view(tally: Tally) -> Precision:
    """A tally as HTTP says it."""
    return Precision(
        scene=tally.scene,
        severity=tally.severity,
        device=tally.device,
        **{verdict.value: tally.verdicts[verdict] for verdict in Verdict},
        precision=tally.precision,
    )
