"""One change of one alert as it leaves the stage, with what is needed to say later where the time went."""

from dataclasses import dataclass

import msgspec

from alerts.event import AlertData, EventType, Latency
from alerts.states import Decision

_NS_IN_MS = 1_000_000


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The moments that lead to a change; None where one is not known."""

    device_ms: int | None = None
    """The deciding reading's own time, ms; None if it had none, or if time decided and no reading."""
    arrival_ns: int | None = None
    """Wall time, ns, at which what decided came in; None on a recording's clock."""
    decided_ns: int | None = None
    """Wall time of the decision, ns."""
    delay_ms: int | None = None
    """The delay that the level asks for, ms; None if no level decided."""


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One event of one alert.

    Attributes:
        type: What is told.
        decision: Why.
        data: The whole alert after the change; its latency is filled in when the event is sent.
        at_ms: When it was so, in the readings' own time (for people and gateways: the pipeline's), ms.
        raised_ms: When the alert was raised, ms.
        cleared_ms: When it cleared, ms, None while it is open.
        opened_by: `device/metric` of the feed whose reading opened it.
        timing: The moments that lead to it.
    """

    type: EventType
    decision: Decision
    data: AlertData
    at_ms: int
    raised_ms: int
    cleared_ms: int | None
    opened_by: str
    timing: Timing

    @property
    def id(self) -> str:
        """`{alert}.{revision}`, the event's id."""
        return f"{self.data.alert}.{self.data.revision}"


def latency(timing: Timing, durable_ns: int | None = None, case_ns: int | None = None) -> Latency:
    """Where the time went, from what is known so far.

    A reading that seems to come in before it was measured shows two clocks that disagree: the way from the
    device is then not known. `total_ms` is the sum of the four stages, known only when all of them are.

    Args:
        timing: The moments that lead to the decision.
        durable_ns: Wall time at which the change was on disk, ns.
        case_ns: Wall time at which the dispatch core had acknowledged it, ns.
    """
    came_ns = None if timing.device_ms is None else timing.device_ms * _NS_IN_MS
    stages = (
        _between(came_ns, timing.arrival_ns),
        _between(timing.arrival_ns, timing.decided_ns),
        _between(timing.decided_ns, durable_ns),
        _between(durable_ns, case_ns),
    )
    known = [stage for stage in stages if stage is not None]
    return Latency(
        device_to_ingest_ms=stages[0],
        ingest_to_decision_ms=stages[1],
        decision_to_durable_ms=stages[2],
        durable_to_case_ms=stages[3],
        total_ms=sum(known) if len(known) == len(stages) else None,
        configured_delay_ms=None if timing.delay_ms is None else float(timing.delay_ms),
    )


def _between(start_ns: int | None, end_ns: int | None) -> float | None:
    if start_ns is None or end_ns is None or end_ns < start_ns:
        return None
    return (end_ns - start_ns) / _NS_IN_MS
