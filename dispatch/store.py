"""The dispatch core's memory: a batch of events is one transaction, and what it read is what it wrote on."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from alerts.event import AlertData, AlertEvent, Feedback, LedgerEvent, Verdict
from core.clock import rfc3339
from dispatch import tables
from dispatch.case import Alert, AuditLine, Case, Maintenance, Switch, What
from dispatch.database import STREAM_COUNTER, open_database, tidy, unavailable_as_such
from dispatch.intake import (
    SEQS_PER_EVENT,
    Intake,
    Known,
    Plan,
    Refused,
    StoredEvent,
    checked,
    checked_ledger,
    working_day,
)
from dispatch.ledger import came_of, say_ended, say_maintenance, say_switch, take_ledger
from dispatch.queries import Queries, alert_of, case_of
from dispatch.said import write_feedback

VERDICT = "verdict"
_encode = msgspec.json.Encoder().encode
# Statements are built once: building one costs more than running it.
_OF_STREAM = tables.counters.c.name == STREAM_COUNTER
_RESERVE = (
    update(tables.counters)
    .where(_OF_STREAM)
    .values(value=tables.counters.c.value + bindparam("count"))
    .returning(tables.counters.c.value)
)
_LAST_NUMBER = select(tables.task_counters.c.last).where(tables.task_counters.c.day == bindparam("day"))
# One new event of a new alert is the usual case: all that there is to know of it is one row.
_OF_ONE = select(
    select(tables.events.c.seq).where(tables.events.c.id == bindparam("event")).scalar_subquery().label("taken"),
    select(tables.alerts.c.seq).where(tables.alerts.c.id == bindparam("alert")).scalar_subquery().label("alert"),
    _LAST_NUMBER.scalar_subquery().label("last"),
)
_ALERTS = select(tables.alerts).where(tables.alerts.c.id.in_(bindparam("ids", expanding=True)))
_CASES = select(tables.cases).where(tables.cases.c.alert.in_(bindparam("ids", expanding=True)))
_TAKEN = select(tables.events.c.id).where(tables.events.c.id.in_(bindparam("ids", expanding=True)))
_UPDATE_ALERT = update(tables.alerts).where(tables.alerts.c.seq == bindparam("key"))
_NEXT_DAY = insert(tables.task_counters)
_KEEP_NUMBER = (
    update(tables.task_counters).where(tables.task_counters.c.day == bindparam("of")).values(last=bindparam("number"))
)
_NEW_EVENTS, _NEW_ALERTS, _NEW_CASES, _NEW_LINES = (
    insert(table) for table in (tables.events, tables.alerts, tables.cases, tables.case_events)
)
_UPDATE_CASE = update(tables.cases).where(tables.cases.c.id == bindparam("key"))


class Store(Queries):
    """Cases, alerts and events in one database. Every method may be called from any thread.

    All methods raise `UnavailableError` while the database cannot be used; nothing was done then.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)

    @classmethod
    def open(cls, url: str, durability: str = "process") -> Self:
        """The store at an SQLAlchemy URL; see `open_database`.

        Raises:
            ConfigError: If the URL is wrong or the tables are not ours.
            UnavailableError: If the database cannot be opened.
        """
        return cls(open_database(url, durability))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def take(self, events: Sequence[AlertEvent | LedgerEvent | Refused], now_ms: int) -> Plan:
        """Take a batch of events in their order, in one transaction (the ledger's in one of their own).

        What is answered is committed.

        Args:
            events: Events as they came in; those that could not be read stand in their place as `Refused`.
            now_ms: When they came in, ms since the epoch.
        """
        items = [checked_ledger(event) if isinstance(event, LedgerEvent) else checked(event) for event in events]
        told = [event for event in items if isinstance(event, LedgerEvent)]
        plan = self._take_alerts([event for event in items if not isinstance(event, LedgerEvent)], now_ms)
        if told:
            self._take_ledger(items, told, plan)
        return plan

    def _take_ledger(
        self, items: Sequence[AlertEvent | LedgerEvent | Refused], told: Sequence[LedgerEvent], plan: Plan
    ) -> None:
        """Write the ledger's events down, and put their outcomes where they were among the others."""
        with unavailable_as_such(), self._engine.begin() as connection:
            noted, moved = take_ledger(connection, told, _reserve(connection, len(told)))
        of_alerts, of_ledger = iter(plan.outcomes), iter(noted)
        plan.outcomes = [next(of_ledger if isinstance(item, LedgerEvent) else of_alerts) for item in items]
        plan.moved += moved

    def _take_alerts(self, items: Sequence[AlertEvent | Refused], now_ms: int) -> Plan:
        good = [event for event in items if isinstance(event, AlertEvent)]
        if not good:
            return Intake(Known(), first_seq=0, last_number=0, day="", now_ms=now_ms).take_all(items)
        day = working_day(now_ms)
        with unavailable_as_such(), self._engine.begin() as connection:
            first_seq = _reserve(connection, SEQS_PER_EVENT * len(good))
            known, last = _known(connection, good, day)
            intake = Intake(known, first_seq=first_seq, last_number=last or 0, day=day, now_ms=now_ms)
            plan = intake.take_all(items)
            _write(connection, plan, known, now_ms)
            if plan.numbers_used:
                _keep_number(connection, day, last, plan.numbers_used)
        return plan

    def say(self, kind: str, alert: str, by: str, comment: str | None, now_ms: int) -> Feedback:
        """Write down what `by` says of an alert (`acknowledge`, `reset`); the pipeline fetches it and answers."""
        with unavailable_as_such(), self._engine.begin() as connection:
            seq = _reserve(connection, 1)
            said = Feedback(seq=seq, kind=kind, alert=alert, by=by, comment=comment, at=rfc3339(now_ms))
            return write_feedback(connection, said)

    def judge(self, alert: str, verdict: Verdict, by: str, comment: str | None, now_ms: int) -> Feedback:
        """Write down what the alert turned out to be; the last word counts. Its case gets a line of audit.

        The pipeline fetches it; the case's state stays what it is.
        """
        with unavailable_as_such(), self._engine.begin() as connection:
            seq = _reserve(connection, 2)
            said = Feedback(
                seq=seq, kind=VERDICT, alert=alert, by=by, comment=comment, verdict=verdict, at=rfc3339(now_ms)
            )
            write_feedback(connection, said)
            case = connection.execute(_CASES, {"ids": [alert]}).mappings().first()
            if case is not None:
                words = f"{verdict.value}: {comment}" if comment else verdict.value
                line = AuditLine(
                    seq=seq + 1, case=case["id"], at=now_ms, who=by, what=What.JUDGED, from_state=case["state"],
                    to_state=case["state"], note=words, event=f"feedback.{seq}",
                )  # fmt: skip
                connection.execute(_NEW_LINES, [_line_row(line)])
        return said

    def maintain(
        self, by: str, reason: str, where: dict[str, list[str]], since: int, until: int, now_ms: int
    ) -> Maintenance:
        """Write down that somebody works, or shelves, from one time to another, ms; the pipeline fetches it."""
        with unavailable_as_such(), self._engine.begin() as connection:
            seq = _reserve(connection, 1)
            said = Maintenance(seq, f"m-{seq:06d}", since, until, where, by, reason, now_ms)
            say_maintenance(connection, said)
        return said

    def end_maintenance(self, name: str, by: str, reason: str, now_ms: int) -> Maintenance | None:
        """End a maintenance before its time; None if it is over already, or was never said."""
        with unavailable_as_such(), self._engine.begin() as connection:
            seq = _reserve(connection, 1)
            before = self.maintenance(name)
            if before is None or before.until <= now_ms:
                return None
            return say_ended(connection, before, seq, by, reason, now_ms)

    def switch_profile(
        self, profile: str, by: str, reason: str, now_ms: int, *, on: bool, scenes: Sequence[str] = ()
    ) -> Switch | None:
        """Switch an emergency profile; None if it is so already. `scenes` are those that it changes."""
        with unavailable_as_such(), self._engine.begin() as connection:
            seq = _reserve(connection, 1)
            before = next((one for one in self.profiles_on() if one.profile == profile), None)
            if on == (before is not None):
                return None
            raised, holds = (None, None) if before is None else came_of(connection, scenes, before.at)
            switch = Switch(seq, profile, on, by, reason, now_ms, raised, holds)
            say_switch(connection, switch)
        return switch

    def tidy(self) -> None:
        """Do what the database wants done now and then; call it every hundred batches, beside the writer."""
        tidy(self._engine)

    def check_writable(self) -> None:
        """Commit a write that changes nothing; raises `UnavailableError` if that cannot be done."""
        with unavailable_as_such(), self._engine.begin() as connection:
            _reserve(connection, 0)


def _reserve(connection: Connection, count: int) -> int:
    """Take `count` places in the stream and the right to write; the first of them.

    It must be the first statement of a transaction: whoever holds the counter's row is the only writer.
    """
    return int(connection.scalar(_RESERVE, {"count": count}) or 0) - count + 1


def _keep_number(connection: Connection, day: str, last: int | None, used: int) -> None:
    if last is None:
        connection.execute(_NEXT_DAY, {"day": day, "last": used})
    else:
        connection.execute(_KEEP_NUMBER, {"of": day, "number": last + used})


def _known(connection: Connection, events: Sequence[AlertEvent], day: str) -> tuple[Known, int | None]:
    """What is known of the events, and the number of the last case of `day`; None if it has none yet."""
    if len(events) == 1:
        one = {"event": events[0].id, "alert": events[0].data.alert, "day": day}
        taken, alert, last = connection.execute(_OF_ONE, one).one()
        if taken is None and alert is None:
            return Known(), last
    else:
        last = connection.scalar(_LAST_NUMBER, {"day": day})
    known = frozenset(connection.scalars(_TAKEN, {"ids": list({event.id for event in events})}))
    ids = {"ids": list({event.data.alert for event in events})}
    alert_rows = connection.execute(_ALERTS, ids).mappings().all()
    if not alert_rows:
        return Known(known), last  # every case has its alert
    cases = {row["alert"]: case_of(row) for row in connection.execute(_CASES, ids).mappings()}
    alerts = {row["id"]: alert_of(row, _number(cases.get(row["id"]))) for row in alert_rows}
    return Known(known, alerts, cases), last


def _number(case: Case | None) -> str | None:
    return None if case is None else case.task_number


def _write(connection: Connection, plan: Plan, known: Known, now_ms: int) -> None:
    if plan.events:
        connection.execute(_NEW_EVENTS, [_event_row(stored, now_ms) for stored in plan.events])
    _write_alerts(connection, plan.alerts, known.alerts)
    new = [_case_row(case) for alert, case in plan.cases.items() if alert not in known.cases]
    if new:
        connection.execute(_NEW_CASES, new)
    changed = [{"key": c.id, **_case_row(c)} for alert, c in plan.cases.items() if alert in known.cases]
    if changed:
        connection.execute(_UPDATE_CASE, changed)
    if plan.lines:
        connection.execute(_NEW_LINES, [_line_row(line) for line in plan.lines])


def _write_alerts(connection: Connection, alerts: Mapping[str, Alert], known: Mapping[str, Alert]) -> None:
    new = [_alert_row(alert) for alert in alerts.values() if alert.data.alert not in known]
    if new:
        connection.execute(_NEW_ALERTS, new)
    changed = [
        {"key": alert.seq, **_alert_row(alert)}
        for alert in alerts.values()
        if alert.data.alert in known and known[alert.data.alert].event != alert.event
    ]
    if changed:
        connection.execute(_UPDATE_ALERT, changed)


def _event_row(stored: StoredEvent, now_ms: int) -> dict[str, Any]:
    return {
        "id": stored.event.id,
        "seq": stored.seq,
        "type": stored.event.type.value,
        "alert": stored.event.data.alert,
        "applied": stored.applied,
        "received_at": now_ms,
        "body": _encode(stored.event).decode(),
    }


def _alert_row(alert: Alert) -> dict[str, Any]:
    data: AlertData = alert.data
    return {
        "seq": alert.seq,
        "id": data.alert,
        "event": alert.event,
        "revision": data.revision,
        "scene": data.scene,
        "place": data.place,
        "town": data.town,
        "severity": data.severity,
        "state": data.state,
        "raised_at": alert.raised_at,
        "cleared_at": alert.cleared_at,
        "updated_at": alert.updated_at,
        "body": _encode(data).decode(),
    }


def _case_row(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in tables.cases.c.keys()}  # noqa: SIM118 - columns, not a dict


def _line_row(line: AuditLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in tables.case_events.c.keys()}  # noqa: SIM118 - the same
