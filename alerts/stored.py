"""What stands in the alert store, as plain types."""

import enum
from dataclasses import dataclass
from typing import Any

import msgspec

from alerts.change import Timing, latency
from alerts.event import AlertData, AlertEvent, CoverData, EventType, KeptData, Latency, LedgerEvent, LedgerType
from core.clock import rfc3339
from core.ids import traceparent

SELECT_STORED = (
    "SELECT id, scene, feed, place, town, severity, worst, state, raised_ms, cleared_ms, count, revision, "
    "task_number, data, latency FROM alerts"
)
"""The columns of `StoredAlert`, in its order."""


class Durability(enum.StrEnum):
    """What an alert on disk outlives."""

    PROCESS = "process"
    """The death of the process; the last moments before a power cut may be lost."""
    POWER = "power"
    """A power cut as well: every transaction is synced."""


class Status(enum.IntEnum):
    """How far an event has got."""

    WAITING = 0
    ACKNOWLEDGED = 1
    PARKED = 2
    """The dispatch core can never take it; `reason` says why."""


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as it is on disk; times in ms, `data` as it was last told."""

    id: str
    scene: str
    feed: str
    place: str
    town: str
    severity: str
    worst: str
    state: str
    raised_ms: int
    cleared_ms: int | None
    count: int
    revision: int
    task_number: str | None
    data: AlertData
    latency: Latency | None
    """Of its opening, complete; None until the dispatch core has acknowledged that."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event in the outbox that nobody has acknowledged yet."""

    seq: int
    id: str
    type: EventType | LedgerType
    at_ms: int
    data: AlertData | KeptData | CoverData
    timing: Timing
    durable_ns: int | None

    @property
    def place(self) -> str:
        """The place whose order it has to keep."""
        return self.data.place

    def event(self, source: str) -> AlertEvent | LedgerEvent:
        """The CloudEvent, with the latency as far as it is known before sending.

        The trace is the alert's, or the ledger entry's: all its events carry the start of it.
        """
        if isinstance(self.type, LedgerType) or not isinstance(self.data, AlertData):
            return self._ledger_event(source)
        known = latency(self.timing, self.durable_ns)
        return AlertEvent(
            id=self.id,
            source=source,
            type=self.type,
            subject=self.data.alert,
            time=rfc3339(self.at_ms),
            partitionkey=self.data.place,
            sequence=f"{self.seq:020d}",
            traceparent=traceparent(self.data.alert),
            data=msgspec.structs.replace(self.data, latency=known),
        )

    def _ledger_event(self, source: str) -> LedgerEvent:
        assert not isinstance(self.data, AlertData)  # noqa: S101 - asked before
        subject = self.id.rpartition(".")[0]
        return LedgerEvent(
            id=self.id,
            source=source,
            type=LedgerType(self.type),
            subject=subject,
            time=rfc3339(self.at_ms),
            partitionkey=self.data.place,
            sequence=f"{self.seq:020d}",
            traceparent=traceparent(subject),
            data=self.data,
        )


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An event that the dispatch core has acknowledged just now."""

    id: str
    alert: str
    type: EventType | LedgerType
    task_number: str | None
    latency: Latency


_ledger_data = msgspec.json.Decoder(KeptData | CoverData)
_LEDGER = frozenset(kind.value for kind in LedgerType)
_alert_data = msgspec.json.Decoder(AlertData)


def type_of(kind: str) -> EventType | LedgerType:
    """What an event's type is called in the outbox."""
    return LedgerType(kind) if kind in _LEDGER else EventType(kind)


def data_of(kind: EventType | LedgerType, data: bytes) -> AlertData | KeptData | CoverData:
    """What an event of a type says."""
    return _ledger_data.decode(data) if isinstance(kind, LedgerType) else _alert_data.decode(data)


def stored(row: tuple[Any, ...]) -> StoredAlert:
    """An alert out of a row of `SELECT_STORED`."""
    *columns, data, spent = row
    opening = None if spent is None else msgspec.json.decode(spent, type=Latency)
    return StoredAlert(*(*columns, msgspec.json.decode(data, type=AlertData), opening))
