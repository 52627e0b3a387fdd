"""The event contract between the pipeline and any dispatch core: CloudEvents 1.0, final here.

Dispatch imports this module and nothing else of this room. Wire names are the field names.
References: CloudEvents 1.0.2 (verified: yes, spec text); W3C Trace Context (verified: yes).
"""

import enum
from typing import Annotated

import msgspec

from core.severity import Severity

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"


SeverityWord = Annotated[str, msgspec.Meta(extra_json_schema={"enum": [severity.word for severity in Severity]})]
Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339 with an offset."""
Counted = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})]


class EventType(enum.StrEnum):
    """What happened to an alert."""

    RAISED = "cn.scenewatch.alert.raised.v1"
    """It opened: the dispatch core opens one case for it."""
    CHANGED = "cn.scenewatch.alert.changed.v1"
    """Its severity changed or another feed folded into it."""
    ACKNOWLEDGED = "cn.scenewatch.alert.acknowledged.v1"
    """A person has seen it."""
    STALE = "cn.scenewatch.alert.stale.v1"
    """Its source went silent: neither active nor cleared is known."""
    REFRESHED = "cn.scenewatch.alert.refreshed.v1"
    """Its source is back: what it was before it was stale holds again."""
    CLEARED = "cn.scenewatch.alert.cleared.v1"
    """No level is active any more. It does not close the case."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time went, in ms; what could not be known is None, never zero.

    MQTT carries no time of the broker's, so `device_to_broker_ms` and `broker_to_ingest_ms` are known only
    where a broker or a probe tells; `device_to_ingest_ms` is their sum where the device gave its time.
    The stages from `device_to_ingest_ms` to `durable_to_case_ms` add up to `total_ms`;
    `configured_delay_ms` is the delay that the level asked for and is not in any of them.
    """

    device_to_broker_ms: float | None = None
    broker_to_ingest_ms: float | None = None
    device_to_ingest_ms: float | None = None
    ingest_to_decision_ms: float | None = None
    decision_to_durable_ms: float | None = None
    durable_to_case_ms: float | None = None
    total_ms: float | None = None
    configured_delay_ms: float | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The reading that decided, and the limit it met."""

    device: str
    metric: str
    value: float
    unit: str = ""
    limit: str = ""
    """The condition in words, e.g. `above 25`."""
    since: str = ""
    """RFC 3339 time of the onset, or of what began to clear it."""


class AlertData(msgspec.Struct, frozen=True, kw_only=True):
    """The whole alert as it is after the event, so that a receiver never has to add events up."""

    alert: str
    """The alert's id: a function of scene, place and the reading that opened it."""
    revision: Counted
    """1 for RAISED, one more with every event of this alert."""
    scene: str
    title_en: str = ""
    title_zh: str = ""
    place: str
    town: str = ""
    severity: SeverityWord
    """The worst active level now; on CLEARED the last one."""
    worst_severity: SeverityWord
    """The worst it ever reached."""
    state: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["active", "acknowledged", "stale", "cleared"]})]
    """`active`, `acknowledged`, `stale` or `cleared`."""
    count: Counted
    """How many times a level of a feed was raised into it."""
    raised_at: Time
    """In the readings' own time."""
    cleared_at: Time | None = None
    leaf: str | None = None
    """Leaf of the case catalogue, that of the worst level it ever reached; None: the case waits unclassified for a
    person. It changes when a worse level with another leaf becomes active, never back."""
    auto: bool = True
    """Whether it is to have a case by itself: the scene opens cases, and it has been bad enough for one."""
    measured: Measured
    feeds: list[str] = []
    """`device/metric` of every feed that is or was part of it."""
    acknowledged_by: str | None = None
    comment: str | None = None
    latency: Latency = Latency()
    rules: str = ""
    """Version (content hash) of the scene that opened it."""


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A CloudEvent in structured mode.

    `subject` is the alert's id, `partitionkey` its place (order is kept per place), `sequence` sorts
    lexicographically within the sender.
    """

    id: str
    """`{alert}.{revision}`: deterministic, the key of idempotency."""
    source: str
    type: EventType
    subject: str
    time: Time
    partitionkey: str
    sequence: str
    traceparent: str
    data: AlertData
    specversion: str = SPEC_VERSION
    datacontenttype: str = "application/json"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispatch core answers to one event: 201 for a new case, 200 for what is known or opens none."""

    id: str
    """The event's id."""
    task_number: str | None = None
    duplicate: bool = False
    error: str | None = None
    """Why this event can never be taken (it is not retried); None if it was."""


ACKNOWLEDGE = "acknowledge"
RESET = "reset"
PROFILE_ON = "profile_on"
PROFILE_OFF = "profile_off"
MAINTENANCE = "maintenance"
"""Kinds of feedback: somebody has seen it; what is latched may clear (复位); an emergency profile (named in `alert`) is
switched on or off; somebody works on what fits `where` until `until` (`alert` is the id of the work)."""


class Verdict(enum.StrEnum):
    """What it turned out to be, said by whoever handled it (处置结论)."""

    TRUE = "true"
    """It was so. 属实"""
    FALSE = "false"
    """It was not so: a false alarm. 误报"""
    DUPLICATE = "duplicate"
    """It was so, and is another alert's or case's matter already. 重复"""
    NOT_OURS = "not_ours"
    """It was so, and is not this district's or unit's to handle. 非管辖"""
    MAINTENANCE = "maintenance"
    """Somebody worked on the device. 检修"""


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What people at the dispatch core say about an alert; the pipeline fetches these in order.

    `kind` is `verdict` or one of those above; a kind that the pipeline does not know changes nothing. Of several
    verdicts on an alert the last one counts.
    """

    seq: int
    kind: str
    alert: str
    by: str
    verdict: Verdict | None = None
    comment: str | None = None
    until: str | None = None
    where: dict[str, list[str]] | None = None
    at: Time
