"""Reading the dispatch core's database: lists, one case, what is new for the stream and for the pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Engine, and_, func, select

from alerts.event import AlertData, AlertEvent, Feedback, Verdict
from core.clock import parse_rfc3339
from core.severity import Severity
from dispatch import tables
from dispatch.case import Alert, AlertMoved, AuditLine, Case, CaseMoved, Moved, What
from dispatch.database import STREAM_COUNTER, unavailable_as_such
from dispatch.ledger import LedgerQueries, rules_of
from dispatch.precision import JudgedAlert
from dispatch.said import feedback_of
from dispatch.workflow import CaseState

_decode_data = msgspec.json.Decoder(AlertData).decode
_decode_event = msgspec.json.Decoder(AlertEvent).decode


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list should hold; None takes everything. `since` is ms since the epoch, inclusive."""

    state: str | None = None
    severity: str | None = None
    scene: str | None = None
    place: str | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is now: alerts not cleared by severity, cases by state; what there is none of is 0."""

    alerts: dict[str, int]
    cases: dict[str, int]


def alert_of(row: Mapping[Any, Any], task_number: str | None) -> Alert:
    """The alert of a row of `alerts`."""
    return Alert(
        seq=row["seq"],
        data=_decode_data(row["body"]),
        event=row["event"],
        raised_at=row["raised_at"],
        cleared_at=row["cleared_at"],
        updated_at=row["updated_at"],
        task_number=task_number,
    )


def case_of(row: Mapping[Any, Any], prefix: str = "") -> Case:
    """The case of a row of `cases`, whose columns may carry a prefix."""
    values = {column.name: row[prefix + column.name] for column in fields(Case)}
    values["state"] = CaseState(values["state"])
    return Case(**values)


def line_of(row: Mapping[Any, Any]) -> AuditLine:
    """The audit line of a row of `case_events`."""
    values = {column.name: row[column.name] for column in fields(AuditLine)}
    values["what"] = What(values["what"])
    values["from_state"] = None if values["from_state"] is None else CaseState(values["from_state"])
    values["to_state"] = CaseState(values["to_state"])
    return AuditLine(**values)


class Queries(LedgerQueries):
    """The reading half of the store.

    Every method raises `UnavailableError` while the database cannot be used.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cases(self, wanted: Wanted, *, before: int | None, limit: int) -> list[Case]:
        """Cases, newest first, whose `id` is below `before`."""
        table = tables.cases.c
        rules = rules_of(wanted, table, since=table.opened_at, place=table.id, before=before)
        query = select(tables.cases).where(*rules).order_by(table.id.desc()).limit(limit)
        return [case_of(row) for row in self._rows(query)]

    def case(self, task_number: str) -> tuple[Case, list[AuditLine]] | None:
        """The case of a task number with its audit, oldest line first; None if there is none."""
        rows = self._rows(select(tables.cases).where(tables.cases.c.task_number == task_number))
        if not rows:
            return None
        case = case_of(rows[0])
        lines = tables.case_events
        audit = self._rows(select(lines).where(lines.c.case == case.id).order_by(lines.c.seq))
        return case, [line_of(row) for row in audit]

    def alerts(self, wanted: Wanted, *, before: int | None, limit: int) -> list[Alert]:
        """Alerts, the one that came in last first, whose `seq` is below `before`."""
        table = tables.alerts.c
        rules = rules_of(wanted, table, since=table.raised_at, place=table.seq, before=before)
        return self._alerts(and_(True, *rules), limit)

    def alert(self, alert: str) -> Alert | None:
        """The alert of an id; None if there is none."""
        found = self._alerts(tables.alerts.c.id == alert, 1)
        return found[0] if found else None

    def feedback(self, after: int, limit: int) -> list[Feedback]:
        """What people said, with `seq` above `after`, in order."""
        table = tables.feedback
        query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit)
        return [feedback_of(row) for row in self._rows(query)]

    def judged(self, scene: str | None = None) -> list[JudgedAlert]:
        """Every alert that somebody judged, with the last word on it; of one scene if it is given."""
        said, alerts = tables.feedback.c, tables.alerts.c
        last = select(func.max(said.seq)).where(said.verdict.is_not(None)).group_by(said.alert)
        query = (
            select(alerts.scene, alerts.body, said.verdict)
            .join_from(tables.feedback, tables.alerts, alerts.id == said.alert)
            .where(said.seq.in_(last))
        )
        if scene is not None:
            query = query.where(alerts.scene == scene)
        found = [(row["scene"], _decode_data(row["body"]), Verdict(row["verdict"])) for row in self._rows(query)]
        return [
            JudgedAlert(name, data.worst_severity, data.feeds[0].partition("/")[0], verdict)
            for name, data, verdict in found
        ]

    def verdict(self, alert: str) -> Verdict | None:
        """The last word on an alert, None if nobody has judged it."""
        said = tables.feedback.c
        query = select(said.verdict).where(said.alert == alert, said.verdict.is_not(None)).order_by(said.seq.desc())
        with unavailable_as_such(), self._engine.connect() as connection:
            found = connection.scalar(query.limit(1))
        return None if found is None else Verdict(found)

    def position(self) -> int:
        """The stream's last place that is given away."""
        counter = tables.counters.c
        with unavailable_as_such(), self._engine.connect() as connection:
            return int(connection.scalar(select(counter.value).where(counter.name == STREAM_COUNTER)) or 0)

    def moved(self, after: int, limit: int) -> list[Moved]:
        """What happened after a place in the stream, in order, at most `limit`.

        An alert is as it was after its event; everything else is as it is now.
        """
        moved: list[Moved] = [
            *self._alerts_moved(after, limit),
            *self._cases_moved(after, limit),
            *self.ledger_moved(after, limit),
        ]
        return sorted(moved, key=lambda m: m.seq)[:limit]

    def opened_since(self, scene: str, since: int) -> int:
        """How many cases of a scene were opened at or after `since`, ms."""
        cases = tables.cases.c
        query = select(func.count()).where(cases.scene == scene, cases.opened_at >= since)
        with unavailable_as_such(), self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def counts(self) -> Counts:
        """How many alerts are not cleared, by severity, and how many cases there are, by state."""
        alerts, cases = tables.alerts.c, tables.cases.c
        open_alerts = select(alerts.severity, func.count()).where(alerts.state != "cleared").group_by(alerts.severity)
        with unavailable_as_such(), self._engine.connect() as connection:
            by_severity = {row[0]: row[1] for row in connection.execute(open_alerts)}
            of_cases = connection.execute(select(cases.state, func.count()).group_by(cases.state))
            by_state = {row[0]: row[1] for row in of_cases}
        return Counts(
            {severity.word: by_severity.get(severity.word, 0) for severity in Severity},
            {state.value: by_state.get(state.value, 0) for state in CaseState},
        )

    def _alerts(self, where: ColumnElement[bool], limit: int) -> list[Alert]:
        table = tables.alerts
        query = (
            select(table, tables.cases.c.task_number)
            .select_from(table.outerjoin(tables.cases, tables.cases.c.alert == table.c.id))
            .where(where)
            .order_by(table.c.seq.desc())
            .limit(limit)
        )
        return [alert_of(row, row["task_number"]) for row in self._rows(query)]

    def _alerts_moved(self, after: int, limit: int) -> list[AlertMoved]:
        table = tables.events
        query = (
            select(table, tables.cases.c.task_number, tables.alerts.c.seq.label("alert_seq"))
            .select_from(
                table.join(tables.alerts, tables.alerts.c.id == table.c.alert).outerjoin(
                    tables.cases, tables.cases.c.alert == table.c.alert
                )
            )
            .where(table.c.seq > after, table.c.applied)
            .order_by(table.c.seq)
            .limit(limit)
        )
        return [_alert_moved(row) for row in self._rows(query)]

    def _cases_moved(self, after: int, limit: int) -> list[CaseMoved]:
        lines = tables.case_events
        columns = [column.label(f"case_{column.name}") for column in tables.cases.c]
        query = (
            select(lines, *columns)
            .join(tables.cases, tables.cases.c.id == lines.c.case)
            .where(lines.c.seq > after)
            .order_by(lines.c.seq)
            .limit(limit)
        )
        return [CaseMoved(row["seq"], case_of(row, "case_"), line_of(row)) for row in self._rows(query)]


def _alert_moved(row: Mapping[Any, Any]) -> AlertMoved:
    event = _decode_event(row["body"])
    data = event.data
    alert = Alert(
        seq=row["alert_seq"],
        data=data,
        event=event.id,
        raised_at=parse_rfc3339(data.raised_at),
        cleared_at=None if data.cleared_at is None else parse_rfc3339(data.cleared_at),
        updated_at=row["received_at"],
        task_number=row["task_number"],
    )
    return AlertMoved(row["seq"], event.id, event.type, alert)
