"""What was refused and why: values, counted and sampled, never exceptions."""

import enum
from collections import Counter
from dataclasses import dataclass

import msgspec

_FIRST = 3
"""Samples published at once for one (gateway, reason)."""
_INTERVAL_MS = 60_000
"""After those, one sample a minute."""
_MAX_KEYS = 10_000
"""Most (gateway, reason) pairs remembered; past it only counts go on."""
_SAMPLE_BYTES = 240
"""So much of the payload, and of the detail, is in a notice: both may hold what a sender made up."""


class Reason(enum.StrEnum):
    """Why a message or one reading of it was refused: log line, metric label and test assertion."""

    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_DEVICE = "unknown_device"
    WRONG_GATEWAY = "wrong_gateway"
    """The device belongs to another gateway."""
    SUSPENDED_DEVICE = "suspended_device"
    """The device is out of use for a while."""
    RETIRED_DEVICE = "retired_device"
    """The device is gone for good."""
    UNKNOWN_METRIC = "unknown_metric"
    """The device's type does not measure this."""
    MALFORMED = "malformed"
    """Not the documented form of JSON."""
    NOT_A_NUMBER = "not_a_number"
    NOT_FINITE = "not_finite"
    BAD_TIME = "bad_time"
    """Negative, or past the year 9999."""
    AHEAD = "ahead"
    """More than `ingest.max_ahead` in the future."""
    RETAINED_WITHOUT_TIME = "retained_without_time"
    """A retained reading that does not say when it was taken."""
    OVERSIZED_PACK = "oversized_pack"
    NOT_UNDERSTOOD = "not_understood"
    """A SenML pack of a version, or with an extension, that has to be understood and is not."""
    WRONG_UNIT = "wrong_unit"
    """The sender names a unit that cannot be brought into the metric's."""
    BAD_NAME = "bad_name"
    """A device or metric name that is empty, too long or has a control character."""
    NO_BIRTH = "no_birth"
    """Sparkplug: sent by an alias that no birth gave, or behind a gap in which a birth may have been missed."""
    BAD_QUALITY = "bad_quality"
    """Sparkplug: its sender says that the value is bad or stale."""
    REGISTRY_FULL = "registry_full"
    """More feeds than `ingest.max_feeds`."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One refusal: of a whole message or of one reading in it."""

    reason: Reason
    topic: str
    detail: str
    sample: bytes = b""
    reading: tuple[str, str, float] | None = None
    """(device, metric, value) of a reading whose feed was refused."""
    ahead: tuple[str, tuple[str, ...], int] | None = None
    """(device, metrics, event time in ms) where the time was refused: what it says about the device's clock."""

    @property
    def gateway(self) -> str:
        """The gateway it came from, `-` where the topic does not say."""
        parts = self.topic.split("/", 4)
        if len(parts) > 3 and parts[:2] == ["sw", "v1"]:
            return parts[2]
        return parts[3] if len(parts) > 3 and parts[0] == "spBv1.0" and parts[3] else "-"

    def to_json(self, now_ms: int, count: int) -> bytes:
        """The notice published on `sw/v1/out/rejected/{gateway}`."""
        return msgspec.json.encode(
            {
                "reason": self.reason.value,
                "topic": self.topic,
                # JSON can name half of a surrogate pair, which no UTF-8 can write.
                "detail": self.detail[:_SAMPLE_BYTES].encode(errors="backslashreplace").decode(),
                "sample": self.sample[:_SAMPLE_BYTES].decode(errors="replace"),
                "t": now_ms,
                "count": count,
            }
        )


class RejectionLog:
    """Counts every refusal, lets the first few of each (gateway, reason) through as notices, then one a minute."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._seen: dict[tuple[str, Reason], tuple[int, int]] = {}

    def take(self, rejected: Rejected, now_ms: int) -> bytes | None:
        """Count it; the notice to publish, or None where enough have been."""
        self.counts[rejected.reason.value] += 1
        key = (rejected.gateway, rejected.reason)
        count, last = self._seen.get(key, (0, 0))
        if key not in self._seen and len(self._seen) >= _MAX_KEYS:
            return None
        count += 1
        due = count <= _FIRST or now_ms - last >= _INTERVAL_MS
        self._seen[key] = (count, now_ms if due else last)
        return rejected.to_json(now_ms, count) if due else None
