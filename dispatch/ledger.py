"""The ledger of what was kept back, who keeps it back, and emergency profiles: reading and writing their tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, func, insert, select, update

from alerts.event import (
    MAINTENANCE,
    PROFILE_OFF,
    PROFILE_ON,
    CoverData,
    Feedback,
    KeptData,
    LedgerEvent,
)
from core.clock import parse_rfc3339, rfc3339
from dispatch import tables
from dispatch.case import CoverMoved, KeptMoved, Maintenance, MaintenanceMoved, ProfileMoved, Switch
from dispatch.database import unavailable_as_such
from dispatch.intake import Decision, Outcome
from dispatch.said import write_feedback

KEPT = "kept"
_entry = msgspec.json.Decoder(KeptData)
_cover = msgspec.json.Decoder(CoverData)
_where = msgspec.json.Decoder(dict[str, list[str]])
_encode = msgspec.json.Encoder().encode
LedgerMoved = KeptMoved | CoverMoved | MaintenanceMoved | ProfileMoved


@dataclass(frozen=True, slots=True)
class WantedEntries:
    """Which entries of the ledger; None takes everything. `since` is ms since the epoch, of the raise, inclusive."""

    scene: str | None = None
    place: str | None = None
    device: str | None = None
    reason: str | None = None
    by: str | None = None
    outcome: str | None = None
    since: int | None = None


def rules_of(wanted: Any, table: Any, *, since: Any, place: Any, before: int | None) -> list[ColumnElement[bool]]:
    """What rows of a list have to be.

    Args:
        wanted: A dataclass whose fields are named as the columns that they are compared with, but `since`; None in one
            takes everything.
        table: The table's columns.
        since: The column that `since` is held against, ms.
        place: The column of a row's place in the list.
        before: Only what stands below this place.
    """
    given = {field.name: getattr(wanted, field.name) for field in fields(wanted) if field.name != "since"}
    rules: list[ColumnElement[bool]] = [table[name] == value for name, value in given.items() if value is not None]
    if wanted.since is not None:
        rules.append(since >= wanted.since)
    if before is not None:
        rules.append(place < before)
    return rules


class LedgerQueries:
    """Reading the ledger; every method raises `UnavailableError` while the database cannot be used."""

    _engine: Engine

    def ledger(self, wanted: WantedEntries, *, before: int | None, limit: int) -> list[tuple[int, KeptData]]:
        """Entries with their place in the list, the one that came last first, below `before`."""
        table = tables.ledger.c
        rules = rules_of(wanted, table, since=table.raised_at, place=table.first, before=before)
        query = select(table.first, table.body).where(*rules).order_by(table.first.desc()).limit(limit)
        return [(row["first"], _entry.decode(row["body"])) for row in self._rows(query)]

    def covers(
        self, *, reason: str | None = None, by: str | None = None, before: int | None, limit: int
    ) -> list[tuple[int, CoverData]]:
        """What is over, with its place in the list, the last first, below `before`."""
        table = tables.covers.c
        given = (("reason", reason), ("by", by))
        rules: list[ColumnElement[bool]] = [table[name] == value for name, value in given if value is not None]
        if before is not None:
            rules.append(table.seq < before)
        query = select(table.seq, table.body).where(*rules).order_by(table.seq.desc()).limit(limit)
        return [(row["seq"], _cover.decode(row["body"])) for row in self._rows(query)]

    def maintenances(self, *, ends_after: int | None, before: int | None, limit: int) -> list[Maintenance]:
        """The newest first, those whose `first` is below `before` and that end after a time, ms."""
        table = tables.maintenance.c
        rules: list[ColumnElement[bool]] = []
        if ends_after is not None:
            rules.append(table.until > ends_after)
        if before is not None:
            rules.append(table.first < before)
        query = select(tables.maintenance).where(*rules).order_by(table.first.desc()).limit(limit)
        return [_maintenance(row) for row in self._rows(query)]

    def maintenance(self, name: str) -> Maintenance | None:
        """One of them; None if there is none of this id."""
        rows = self._rows(select(tables.maintenance).where(tables.maintenance.c.id == name))
        return _maintenance(rows[0]) if rows else None

    def switched(self, profile: str | None = None, limit: int = 500) -> list[Switch]:
        """Every switching of profiles, or of one, the newest first."""
        table = tables.switches
        query = select(table).order_by(table.c.seq.desc()).limit(limit)
        return [
            Switch(**row) for row in self._rows(query if profile is None else query.where(table.c.profile == profile))
        ]

    def profiles_on(self) -> list[Switch]:
        """The last switching of every profile that is on, by name."""
        table = tables.switches
        last = select(func.max(table.c.seq)).group_by(table.c.profile)
        query = select(table).where(table.c.seq.in_(last), table.c.on).order_by(table.c.profile)
        return [Switch(**row) for row in self._rows(query)]

    def kept_now(self) -> dict[str, int]:
        """How many entries are kept back now, by reason."""
        table = tables.ledger.c
        query = select(table.reason, func.count()).where(table.outcome == KEPT).group_by(table.reason)
        with unavailable_as_such(), self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def ledger_moved(self, after: int, limit: int) -> list[LedgerMoved]:
        """What happened after a place in the stream, in order, at most `limit`; each as it is now."""
        entries, covers, works, switches = tables.ledger, tables.covers, tables.maintenance, tables.switches

        def news(table: Any) -> Sequence[Mapping[Any, Any]]:
            return self._rows(select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit))

        moved: list[LedgerMoved] = [KeptMoved(row["seq"], _entry.decode(row["body"])) for row in news(entries)]
        moved += [CoverMoved(row["seq"], _cover.decode(row["body"])) for row in news(covers)]
        moved += [MaintenanceMoved(row["seq"], _maintenance(row)) for row in news(works)]
        moved += [ProfileMoved(row["seq"], Switch(**row)) for row in news(switches)]
        return moved

    def _rows(self, query: Select[Any]) -> Sequence[Mapping[Any, Any]]:
        with unavailable_as_such(), self._engine.connect() as connection:
            return connection.execute(query).mappings().all()


# ---- writing: within the caller's transaction, which holds the right to write


def take_ledger(
    connection: Connection, events: Sequence[LedgerEvent], first_seq: int
) -> tuple[list[Outcome], list[KeptMoved | CoverMoved]]:
    """Write events of the ledger down, each in its newest revision; `first_seq` and the places behind it are free."""
    outcomes: list[Outcome] = []
    moved: list[KeptMoved | CoverMoved] = []
    for seq, event in enumerate(events, first_seq):
        data = event.data
        if isinstance(data, KeptData):
            decision = _take_entry(connection, data, seq)
        else:
            decision = _take_cover(connection, data, seq)
        outcomes.append(Outcome(event.id, decision, event.type))
        if decision is Decision.NOTED:
            moved.append(KeptMoved(seq, data) if isinstance(data, KeptData) else CoverMoved(seq, data))
    return outcomes, moved


def _take_entry(connection: Connection, data: KeptData, seq: int) -> Decision:
    table = tables.ledger
    known = connection.execute(select(table.c.revision).where(table.c.id == data.entry)).scalar()
    if known is not None and known >= data.revision:
        return Decision.DUPLICATE if known == data.revision else Decision.OUT_OF_DATE
    row = {
        "seq": seq, "id": data.entry, "revision": data.revision, "scene": data.scene, "place": data.place,
        "town": data.town, "device": data.device, "reason": data.reason, "by": data.by, "outcome": data.outcome,
        "raised_at": parse_rfc3339(data.raised_at), "body": _encode(data).decode(),
    }  # fmt: skip
    if known is None:
        connection.execute(insert(table), [{"first": seq, **row}])
    else:
        connection.execute(update(table).where(table.c.id == data.entry).values(**row))
    return Decision.NOTED


def _take_cover(connection: Connection, data: CoverData, seq: int) -> Decision:
    table = tables.covers
    if connection.execute(select(table.c.seq).where(table.c.id == data.cover)).first() is not None:
        return Decision.DUPLICATE
    row = {"seq": seq, "id": data.cover, "reason": data.reason, "by": data.by, "body": _encode(data).decode()}
    connection.execute(insert(table), [row])
    return Decision.NOTED


def say_maintenance(connection: Connection, said: Maintenance) -> Feedback:
    """Write a new maintenance down, for people and for the pipeline."""
    connection.execute(insert(tables.maintenance), [{"first": said.seq, **_row(said)}])
    return _say_to_pipeline(connection, said, said.by, said.reason, said.said_at)


def say_ended(connection: Connection, before: Maintenance, seq: int, by: str, reason: str, now_ms: int) -> Maintenance:
    """Write down that a maintenance ends now."""
    after = replace(before, seq=seq, until=now_ms, ended_at=now_ms, ended_by=by, ended_reason=reason)
    table = tables.maintenance
    connection.execute(update(table).where(table.c.id == before.id).values(**_row(after)))
    _say_to_pipeline(connection, after, by, reason, now_ms)
    return after


def say_switch(connection: Connection, switch: Switch) -> None:
    """Write down that a profile was switched, for people and for the pipeline."""
    row = {name: getattr(switch, name) for name in tables.switches.c.keys()}  # noqa: SIM118 - columns, not a dict
    connection.execute(insert(tables.switches), [row])
    said = Feedback(
        seq=switch.seq, kind=PROFILE_ON if switch.on else PROFILE_OFF, alert=switch.profile, by=switch.by,
        comment=switch.reason, at=rfc3339(switch.at),
    )  # fmt: skip
    write_feedback(connection, said)


def came_of(connection: Connection, scenes: Sequence[str], since: int) -> tuple[int, int]:
    """How many alerts some scenes have raised from a time on, ms, and how many of them are not cleared."""
    table = tables.alerts.c
    query = select(func.count(), func.count().filter(table.state != "cleared")).where(
        table.scene.in_(scenes), table.raised_at >= since
    )
    raised, holds = connection.execute(query).one()
    return int(raised), int(holds)


def _say_to_pipeline(connection: Connection, said: Maintenance, by: str, reason: str, now_ms: int) -> Feedback:
    return write_feedback(
        connection,
        Feedback(
            seq=said.seq, kind=MAINTENANCE, alert=said.id, by=by, comment=reason, at=rfc3339(now_ms),
            since=rfc3339(said.since), until=rfc3339(said.until), where=said.where,
        ),
    )  # fmt: skip


def _row(said: Maintenance) -> dict[str, Any]:
    columns = {name: getattr(said, name) for name in tables.maintenance.c.keys() if name != "first"}  # noqa: SIM118
    return {**columns, "where": _encode(said.where).decode()}


def _maintenance(row: Mapping[Any, Any]) -> Maintenance:
    columns = {name: value for name, value in row.items() if name != "first"}
    return Maintenance(**{**columns, "where": _where.decode(row["where"])})
