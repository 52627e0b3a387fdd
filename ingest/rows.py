"""What a codec makes of a message: rows, one at a time or as arrays, and what every codec checks in the same way."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.reading import Float64, Int32, Int64, UInt8
from ingest.kernel import SECONDS_END
from ingest.rejected import Reason, Rejected

Row = tuple[int, int, float, int]
"""(feed, event_time ms, value, quality bits)."""

LAST_MS = 253_402_300_799_999
"""The end of the year 9999; what is past it is in another unit."""
_MAX_NAME = 64
_WHY = {
    Reason.UNKNOWN_DEVICE: "it is not on the device list: adopt it there, or mend its id here",
    Reason.WRONG_GATEWAY: "the device list has it behind another gateway",
    Reason.SUSPENDED_DEVICE: "it is suspended on the device list: resume it there",
    Reason.RETIRED_DEVICE: "it is retired on the device list",
    Reason.UNKNOWN_METRIC: "its device type measures nothing of this name",
    Reason.REGISTRY_FULL: "there are as many feeds as ingest.max_feeds lets in",
}

Resolve = Callable[[str, str, str], int | Reason]
"""(gateway, device, metric) -> feed, or why there is none."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Many rows of one message as arrays of one length, in the message's order.

    Attributes:
        feed: Dense feed index, int32, shape (n,).
        event_time: ms since the epoch, int64, shape (n,).
        value: In the metric's unit, float64, finite, shape (n,).
        quality: `Quality` bits, uint8, shape (n,).
    """

    feed: Int32
    event_time: Int64
    value: Float64
    quality: UInt8

    def __len__(self) -> int:
        return len(self.feed)


def finite(number: float) -> float | None:
    """The number as a double; None where it is not a finite one."""
    try:
        value = float(number)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


_SECONDS_FROM = 946_684_800
"""The year 2000 in seconds. What lies between it and the year 2100 is a time if it is read in seconds; read in ms it is
in the first weeks of 1970, when nothing was measured that comes in live."""


def feed_of(resolve: Resolve, topic: str, names: tuple[str, str, str], value: float, sample: bytes) -> int | Rejected:
    """The feed of (gateway, device, metric), or the refusal of a reading of it."""
    gateway, device, metric = names
    if not (_is_name(device) and _is_name(metric)):
        return Rejected(Reason.BAD_NAME, topic, f"{device!r}/{metric!r} cannot be a name", sample)
    feed = resolve(gateway, device, metric)
    if isinstance(feed, Reason):
        detail = f"{device}/{metric} of gateway {gateway}: {_WHY.get(feed, feed.value)}"
        return Rejected(feed, topic, detail, sample, (device, metric, value))
    return feed


def checked_time(topic: str, at_ms: int, latest_ms: int, sample: bytes) -> int | Rejected:
    """An event time, or its refusal."""
    if not 0 <= at_ms <= LAST_MS:
        return Rejected(Reason.BAD_TIME, topic, f"{at_ms} ms is not between 1970 and 9999", sample)
    if _SECONDS_FROM <= at_ms < SECONDS_END and 1000 * _SECONDS_FROM <= latest_ms <= LAST_MS:
        detail = f"{at_ms} ms is in the first weeks of 1970: it looks like seconds; send milliseconds"
        return Rejected(Reason.BAD_TIME, topic, detail, sample)
    if at_ms > latest_ms:
        return Rejected(
            Reason.AHEAD, topic, f"{at_ms} ms is too far in the future; is it in ms, is the clock set?", sample
        )
    return at_ms


def of_clock(rejected: Rejected, device: str, metrics: tuple[str, ...], time: object) -> Rejected:
    """The refusal of a time that is ahead, with what it says about the device's clock."""
    if rejected.reason is not Reason.AHEAD or not isinstance(time, int | float):
        return rejected
    return replace(rejected, ahead=(device, metrics, int(time)))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _MAX_NAME and name.isprintable() and not set(name) & set("/+#")
