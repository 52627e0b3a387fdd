"""What follows from events, as values: no database, no clock. The store writes down what is decided here."""

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from alerts.event import AlertData, AlertEvent, EventType
from core.clock import civil_day, parse_rfc3339
from core.severity import Severity
from dispatch.case import Alert, AlertMoved, AuditLine, Case, CaseMoved, Moved, What
from dispatch.workflow import Trigger, next_state

SEQS_PER_EVENT = 2
"""At most so many places in the stream does one event take: the alert's and the case's."""
MAX_REVISION = 2**31 - 1
_EARLIEST_MS = 0
_LATEST_MS = 253_370_764_800_000
"""The year 9999: later times cannot be written in every time zone."""
_STATES = frozenset({"active", "acknowledged", "stale", "cleared"})
_SEVERITIES = frozenset(s.word for s in Severity)
_LONGEST_KEY = 200
_LONGEST_TEXT = 2_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_WHAT = {
    EventType.RAISED: What.ALERT_RAISED,
    EventType.CHANGED: What.ALERT_CHANGED,
    EventType.ACKNOWLEDGED: What.ALERT_ACKNOWLEDGED,
    EventType.STALE: What.ALERT_STALE,
    EventType.REFRESHED: What.ALERT_REFRESHED,
    EventType.CLEARED: What.ALERT_CLEARED,
}


_OPENING = frozenset({EventType.RAISED, EventType.CHANGED})
"""An alert that is too mild for a case when it is raised gets one when it has become bad enough."""


class Decision(enum.StrEnum):
    """What became of one event."""

    OPENED = "opened"
    """A case was opened for its alert."""
    LISTED = "listed"
    """The alert is new and listed; it has no case: `auto` is false, or it is no event that opens one."""
    UPDATED = "updated"
    """A newer revision of a known alert."""
    DUPLICATE = "duplicate"
    """This event id was taken before: nothing was changed."""
    OUT_OF_DATE = "out_of_date"
    """A newer revision of its alert is known already: kept, but the view stays."""
    REFUSED = "refused"
    """It can never be taken; `Refused` says why."""


class Refusal(enum.StrEnum):
    """Why an event can never be taken."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_ATTRIBUTE = "wrong_attribute"
    WRONG_TEXT = "wrong_text"
    WRONG_TIME = "wrong_time"
    WRONG_SEVERITY = "wrong_severity"
    WRONG_STATE = "wrong_state"
    WRONG_NUMBER = "wrong_number"


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that can never be taken; `detail` is a plain line for the sender."""

    id: str
    reason: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one event."""

    id: str
    decision: Decision
    type: EventType | None = None
    severity: str | None = None
    task_number: str | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event to keep; `applied` says whether it became the alert's view."""

    seq: int
    event: AlertEvent
    applied: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of the events and alerts of a batch.

    `events` are ids taken before, `alerts` and `cases` are by alert id.
    """

    events: frozenset[str] = frozenset()
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    cases: Mapping[str, Case] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """Everything that a batch changes, to be written in one transaction."""

    outcomes: list[Outcome] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    """For the stream, in order of `seq`."""
    events: list[StoredEvent] = field(default_factory=list)
    alerts: dict[str, Alert] = field(default_factory=dict)
    """New or changed, as they are after the batch."""
    cases: dict[str, Case] = field(default_factory=dict)
    """New or changed, by alert id."""
    lines: list[AuditLine] = field(default_factory=list)
    numbers_used: int = 0


def working_day(now_ms: int) -> str:
    """The district's calendar day at `now_ms`, as `YYYYMMDD`."""
    return civil_day(now_ms).strftime("%Y%m%d")


def task_number(day: str, number: int) -> str:
    """The number that people say over the phone: day and running number, e.g. `20261124-000042`."""
    return f"{day}-{number:06d}"


def checked(event: AlertEvent | Refused) -> AlertEvent | Refused:
    """`event`, or why it can never be taken; what JSON alone cannot check is checked here."""
    if isinstance(event, AlertEvent):
        for reason, wrong in _faults(event):
            return Refused(event.id[:_LONGEST_KEY], reason, wrong)
    return event


def _faults(event: AlertEvent) -> Iterator[tuple[Refusal, str]]:
    data = event.data
    if event.specversion != "1.0":
        yield Refusal.WRONG_ATTRIBUTE, f"specversion is {event.specversion[:20]!r}, this hub takes '1.0'"
    if not event.datacontenttype.lower().startswith("application/json"):
        yield Refusal.WRONG_ATTRIBUTE, "datacontenttype must be application/json"
    if event.subject != data.alert:
        yield Refusal.WRONG_ATTRIBUTE, "subject must be the alert's id, data.alert"
    yield from _text_faults(event)
    if data.severity not in _SEVERITIES or data.worst_severity not in _SEVERITIES:
        yield Refusal.WRONG_SEVERITY, f"severity and worst_severity are one of {sorted(_SEVERITIES)}"
    if data.state not in _STATES:
        yield Refusal.WRONG_STATE, f"data.state is one of {sorted(_STATES)}"
    if not 1 <= data.revision <= MAX_REVISION or not 0 <= data.count <= MAX_REVISION:
        yield Refusal.WRONG_NUMBER, "data.revision counts from 1 and data.count from 0, both below 2^31"
    for name, text in (("time", event.time), ("data.raised_at", data.raised_at)):
        if _ms(text) is None:
            yield Refusal.WRONG_TIME, f"{name} is no RFC 3339 time with an offset between 1970 and 9998"
    if data.cleared_at is not None and _ms(data.cleared_at) is None:
        yield Refusal.WRONG_TIME, "data.cleared_at is no RFC 3339 time with an offset between 1970 and 9998"


def _text_faults(event: AlertEvent) -> Iterator[tuple[Refusal, str]]:
    data = event.data
    for name, key in (
        ("id", event.id),
        ("source", event.source),
        ("data.alert", data.alert),
        ("data.scene", data.scene),
        ("data.place", data.place),
    ):
        if not 1 <= len(key) <= _LONGEST_KEY or _CONTROL.search(key):
            yield (
                Refusal.WRONG_TEXT,
                f"{name} must be 1 to {_LONGEST_KEY} characters, none of control",
            )
    for name, key in (
        ("partitionkey", event.partitionkey),
        ("sequence", event.sequence),
        ("traceparent", event.traceparent),
        ("data.town", data.town),
        ("data.leaf", data.leaf or ""),
        ("data.rules", data.rules),
        ("data.acknowledged_by", data.acknowledged_by or ""),
        ("data.measured.device", data.measured.device),
        ("data.measured.metric", data.measured.metric),
    ):
        if len(key) > _LONGEST_KEY or _CONTROL.search(key):
            yield (
                Refusal.WRONG_TEXT,
                f"{name} must be at most {_LONGEST_KEY} characters, none of control",
            )
    for name, text in (
        ("data.title_en", data.title_en),
        ("data.title_zh", data.title_zh),
        ("data.comment", data.comment or ""),
    ):
        if len(text) > _LONGEST_TEXT or "\x00" in text:
            yield Refusal.WRONG_TEXT, f"{name} must be at most {_LONGEST_TEXT} characters without NUL"


def _ms(text: str) -> int | None:
    try:
        ms = parse_rfc3339(text)
    except (ValueError, OverflowError):
        return None
    return ms if _EARLIEST_MS <= ms < _LATEST_MS else None


class Intake:
    """Takes events one by one and collects what they change.

    The result does not depend on repeats, nor on how events are cut into batches; and whatever the order in
    which the events of an alert come in, it ends with the same case and the newest view.

    Args:
        known: What the database holds of these events and alerts.
        first_seq: The first free place in the stream; `SEQS_PER_EVENT` are free for each event.
        last_number: Running number of the last case that was opened on `day`.
        day: The district's day, `YYYYMMDD`.
        now_ms: When the batch came in.
    """

    def __init__(self, known: Known, *, first_seq: int, last_number: int, day: str, now_ms: int) -> None:
        self.plan = Plan()
        self._known = known
        self._taken = set(known.events)
        self._seq = first_seq
        self._last_number = last_number
        self._day = day
        self._now = now_ms

    def take(self, event: AlertEvent | Refused) -> None:
        """Decide on one event, as `checked` gave it, and note what it changes."""
        outcome = self._decide(event) if isinstance(event, AlertEvent) else _refused(event)
        self.plan.outcomes.append(outcome)

    def take_all(self, events: Iterable[AlertEvent | Refused]) -> Plan:
        """Decide on every event, in order."""
        for event in events:
            self.take(event)
        return self.plan

    def _decide(self, event: AlertEvent) -> Outcome:
        data = event.data
        case = self._case(data.alert)
        if event.id in self._taken:
            return self._outcome(event, Decision.DUPLICATE, case)
        self._taken.add(event.id)
        before = self._alert(data.alert)
        applied = before is None or data.revision > before.data.revision
        seq = self._next_seq()
        self.plan.events.append(StoredEvent(seq, event, applied))
        view = self._view(event, before, seq) if before is None or applied else before
        opens = case is None and event.type in _OPENING and data.auto
        if opens:
            case = self._open(data, view)
        if case is not None:
            view = replace(view, task_number=case.task_number)
        self.plan.alerts[data.alert] = view
        if applied:
            self.plan.moved.append(AlertMoved(seq, event.id, event.type, view))
        if case is not None:
            case = self._note(event, case, view, before, opened=opens, applied=applied)
        return self._outcome(event, _decision(before, opened=opens, applied=applied), case)

    def _view(self, event: AlertEvent, before: Alert | None, seq: int) -> Alert:
        data = event.data
        return Alert(
            seq=seq if before is None else before.seq,
            data=data,
            event=event.id,
            raised_at=parse_rfc3339(data.raised_at),
            cleared_at=None if data.cleared_at is None else parse_rfc3339(data.cleared_at),
            updated_at=self._now,
            task_number=None if before is None else before.task_number,
        )

    def _open(self, raised: AlertData, view: Alert) -> Case:
        self._last_number += 1
        self.plan.numbers_used += 1
        return Case(
            id=0,
            task_number=task_number(self._day, self._last_number),
            alert=raised.alert,
            scene=raised.scene,
            title_en=raised.title_en,
            title_zh=raised.title_zh,
            place=raised.place,
            town=raised.town,
            leaf=view.data.leaf,
            severity=view.data.worst_severity,
            state=next_state(None, Trigger.REPORTED, view.data.leaf),
            alert_state=view.data.state,
            raised_at=parse_rfc3339(raised.raised_at),
            opened_at=self._now,
            cleared_at=view.cleared_at,
            updated_at=self._now,
        )

    def _note(
        self, event: AlertEvent, case: Case, view: Alert, before: Alert | None, *, opened: bool, applied: bool
    ) -> Case:
        seq = self._next_seq()
        leaf = view.data.leaf
        state = case.state if opened else next_state(case.state, Trigger.ALERT_REPORTED_AGAIN, leaf)
        after = replace(
            case,
            id=seq if opened else case.id,
            state=state,
            leaf=leaf,
            severity=view.data.worst_severity,
            alert_state=view.data.state,
            cleared_at=view.cleared_at,
            updated_at=self._now,
        )
        line = AuditLine(
            seq=seq,
            case=after.id,
            at=self._now,
            who=event.data.acknowledged_by or event.source if event.type is EventType.ACKNOWLEDGED else event.source,
            what=What.OPENED if opened else _WHAT[event.type],
            from_state=None if opened else case.state,
            to_state=state,
            note=_words(event.data, before, applied=applied),
            event=event.id,
        )
        self.plan.cases[case.alert] = after
        self.plan.lines.append(line)
        self.plan.moved.append(CaseMoved(seq, after, line))
        return after

    def _alert(self, alert: str) -> Alert | None:
        return self.plan.alerts.get(alert) or self._known.alerts.get(alert)

    def _case(self, alert: str) -> Case | None:
        return self.plan.cases.get(alert) or self._known.cases.get(alert)

    def _next_seq(self) -> int:
        seq = self._seq
        self._seq += 1
        return seq

    @staticmethod
    def _outcome(event: AlertEvent, decision: Decision, case: Case | None) -> Outcome:
        number = None if case is None else case.task_number
        return Outcome(event.id, decision, event.type, event.data.severity, number)


def _refused(refused: Refused) -> Outcome:
    return Outcome(refused.id, Decision.REFUSED, refused=refused)


def _decision(before: Alert | None, *, opened: bool, applied: bool) -> Decision:
    if opened:
        return Decision.OPENED
    if not applied:
        return Decision.OUT_OF_DATE
    return Decision.LISTED if before is None else Decision.UPDATED


def _words(data: AlertData, before: Alert | None, *, applied: bool) -> str:
    words = []
    if before is not None and applied and before.data.severity != data.severity:
        words.append(f"{before.data.severity} -> {data.severity}")
    if before is not None and applied and before.data.leaf != data.leaf:
        words.append(f"leaf {before.data.leaf or 'none'} -> {data.leaf or 'none'}")
    if not applied:
        words.append(f"revision {data.revision} came late")
    if data.comment and (before is None or before.data.comment != data.comment):
        words.append(data.comment)
    return "; ".join(words)
