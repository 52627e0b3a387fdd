"""The slow path: one message of any documented form to rows or refusals. Pure; it alone gives the kernel's columns."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec

from core.reading import Quality
from ingest.kernel import SECONDS_END
from ingest.rejected import Reason, Rejected

Row = tuple[int, int, float, int]
"""(feed, event_time ms, value, quality bits)."""

LAST_MS = 253_402_300_799_999
"""The end of the year 9999; what is past it is in another unit."""
_SECONDS_FROM = 946_684_800
"""The year 2000 in seconds. What lies between it and the year 2100 is a time if it is read in seconds; read in ms it is
in the first weeks of 1970, when nothing was measured that comes in live."""
_MAX_NAME = 64
_EXPECTED = (
    "readings come on sw/v1/GATEWAY/tele/DEVICE and sw/v1/GATEWAY/pack, and whether a gateway is there on "
    "sw/v1/GATEWAY/state"
)
_WHY = {
    Reason.UNKNOWN_DEVICE: "it is not on the device list: adopt it there, or mend its id here",
    Reason.WRONG_GATEWAY: "the device list has it behind another gateway",
    Reason.SUSPENDED_DEVICE: "it is suspended on the device list: resume it there",
    Reason.RETIRED_DEVICE: "it is retired on the device list",
    Reason.UNKNOWN_METRIC: "its device type measures nothing of this name",
    Reason.REGISTRY_FULL: "there are as many feeds as ingest.max_feeds lets in",
}
_JSON_WORDS = {str: "text", dict: "an object", list: "a list", type(None): "null"}


@dataclass(frozen=True, slots=True)
class GatewayState:
    """A gateway said, or its will said for it, whether it is online."""

    gateway: str
    online: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class ClockTick:
    """A recording's clock has reached `at_ms`."""

    at_ms: int


Resolve = Callable[[str, str, str], int | Reason]
"""(gateway, device, metric) -> feed, or why there is none."""


class Codec:
    """Decodes one PUBLISH at a time.

    Args:
        resolve: Finds or makes the feed of (gateway, device, metric).
        max_pack: Most readings of one message.
        recording: Whether `clock` messages are listened to.
    """

    def __init__(self, resolve: Resolve, *, max_pack: int, recording: bool = False) -> None:
        self._resolve = resolve
        self._max_pack = max_pack
        self._recording = recording

    def decode(
        self, topic: str, payload: bytes, *, retained: bool, arrival: int, latest_ms: int
    ) -> Iterator[Row | GatewayState | ClockTick | Rejected]:
        """Everything that one message says, in its order; readings that are wrong do not take good ones with them."""
        parts = topic.split("/")
        if len(parts) < 4 or parts[0] != "sw" or parts[1] != "v1" or not parts[2]:
            yield Rejected(Reason.UNKNOWN_TOPIC, topic, _EXPECTED, payload)
            return
        gateway, kind = parts[2], parts[3]
        if kind == "tele" and len(parts) == 5:
            yield from self._single(
                topic, gateway, parts[4], payload, retained=retained, arrival=arrival, latest_ms=latest_ms
            )
        elif kind == "pack" and len(parts) == 4:
            yield from self._pack(topic, gateway, payload, latest_ms)
        elif kind == "state" and len(parts) == 4:
            yield self._state(topic, gateway, payload, arrival)
        elif kind == "clock" and len(parts) == 4 and self._recording:
            yield self._clock(topic, payload)
        else:
            yield Rejected(Reason.UNKNOWN_TOPIC, topic, _EXPECTED, payload)

    def _single(
        self,
        topic: str,
        gateway: str,
        device: str,
        payload: bytes,
        *,
        retained: bool,
        arrival: int,
        latest_ms: int,
    ) -> Iterator[Row | Rejected]:
        document = _json(payload)
        if isinstance(document, Malformed):
            yield Rejected(Reason.MALFORMED, topic, document.why, payload)
            return
        time: object = None
        if isinstance(document, dict):
            values, time = document.get("v"), document.get("t")
            if not isinstance(values, dict) or not values:
                yield Rejected(Reason.MALFORMED, topic, 'expected {"t": ms, "v": {"metric": number}}', payload)
                return
        else:
            values = {"value": document}
        if len(values) > self._max_pack:
            detail = f"{len(values)} readings in one message, at most {self._max_pack} are taken"
            yield Rejected(Reason.OVERSIZED_PACK, topic, detail, payload)
            return
        quality = Quality.GOOD
        if time is None:
            if retained:
                yield Rejected(Reason.RETAINED_WITHOUT_TIME, topic, "nobody knows how old it is", payload)
                return
            at: int | Rejected = arrival // 1_000_000
            quality = Quality.NO_TIME
        else:
            at = _time(topic, time, latest_ms, payload)
        if isinstance(at, Rejected):
            yield _of_clock(at, device, tuple(values), time)
            return
        for name, number in values.items():
            yield self._row(topic, gateway, device, name, at, number, int(quality), payload)

    def _pack(self, topic: str, gateway: str, payload: bytes, latest_ms: int) -> Iterator[Row | Rejected]:
        document = _json(payload)
        if isinstance(document, Malformed):
            yield Rejected(Reason.MALFORMED, topic, document.why, payload)
            return
        rows = document.get("r") if isinstance(document, dict) else None
        if not isinstance(rows, list) or not rows:
            yield Rejected(Reason.MALFORMED, topic, 'expected {"r": [["device", "metric", ms, number], ...]}', payload)
            return
        if len(rows) > self._max_pack:
            detail = f"{len(rows)} readings in one pack, at most {self._max_pack} are taken"
            yield Rejected(Reason.OVERSIZED_PACK, topic, detail, payload)
            return
        for index, row in enumerate(rows):
            if not (isinstance(row, list) and len(row) == 4 and isinstance(row[0], str) and isinstance(row[1], str)):
                detail = f'row {index}: expected ["device", "metric", ms, number]'
                yield Rejected(Reason.MALFORMED, topic, detail, repr(row).encode())
                continue
            at = _time(topic, row[2], latest_ms, payload)
            if isinstance(at, Rejected):
                yield _of_clock(at, row[0], (row[1],), row[2])
                continue
            yield self._row(topic, gateway, row[0], row[1], at, row[3], 0, repr(row).encode())

    def _row(
        self,
        topic: str,
        gateway: str,
        device: str,
        name: str,
        at: int,
        number: object,
        quality: int,
        sample: bytes,
    ) -> Row | Rejected:
        if not isinstance(number, (int, float)):
            detail = f"{device}/{name}: {_JSON_WORDS[type(number)]} where a number or true/false stands"
            return Rejected(Reason.NOT_A_NUMBER, topic, detail, sample)
        try:
            value = float(number)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            return Rejected(Reason.NOT_FINITE, topic, f"{device}/{name}: not a finite number", sample)
        if not (_is_name(device) and _is_name(name)):
            return Rejected(Reason.BAD_NAME, topic, f"{device!r}/{name!r} cannot be a name", sample)
        feed = self._resolve(gateway, device, name)
        if isinstance(feed, Reason):
            detail = f"{device}/{name} of gateway {gateway}: {_WHY.get(feed, feed.value)}"
            return Rejected(feed, topic, detail, sample, (device, name, value))
        return (feed, at, value, quality)

    def _state(self, topic: str, gateway: str, payload: bytes, arrival: int) -> GatewayState | Rejected:
        document = _json(payload)
        if not isinstance(document, dict) or not isinstance(document.get("online"), bool):
            return Rejected(Reason.MALFORMED, topic, 'expected {"online": true, "t": ms}', payload)
        return GatewayState(gateway, document["online"], arrival // 1_000_000)

    def _clock(self, topic: str, payload: bytes) -> ClockTick | Rejected:
        document = _json(payload)
        at = document.get("t") if isinstance(document, dict) else None
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at <= LAST_MS:
            return Rejected(Reason.MALFORMED, topic, 'expected {"t": ms}', payload)
        return ClockTick(at)


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why a payload is not JSON."""

    why: str


def _json(payload: bytes) -> object:
    if not payload:
        return Malformed("the payload is empty")
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = str(error)
    try:
        # Many senders write NaN and Infinity, which JSON has not: one such reading must not take its pack with it.
        return json.loads(payload)
    except (ValueError, RecursionError):
        return Malformed(why)


def _time(topic: str, time: object, latest_ms: int, payload: bytes) -> int | Rejected:
    # An integer may have any number of digits and is compared as one: as a float it would be an error.
    if isinstance(time, bool) or not (isinstance(time, int) or (isinstance(time, float) and math.isfinite(time))):
        return Rejected(Reason.BAD_TIME, topic, "a time is a number of milliseconds since the epoch", payload)
    at = int(time)
    if not 0 <= at <= LAST_MS:
        return Rejected(Reason.BAD_TIME, topic, f"{at} ms is not between 1970 and 9999", payload)
    if _SECONDS_FROM <= at < SECONDS_END and 1000 * _SECONDS_FROM <= latest_ms <= LAST_MS:
        detail = f"{at} ms is in the first weeks of 1970: it looks like seconds; send milliseconds"
        return Rejected(Reason.BAD_TIME, topic, detail, payload)
    if at > latest_ms:
        return Rejected(
            Reason.AHEAD, topic, f"{at} ms is too far in the future; is it in ms, is the clock set?", payload
        )
    return at


def _of_clock(rejected: Rejected, device: str, metrics: tuple[str, ...], time: object) -> Rejected:
    """The refusal of a time that is ahead, with what it says about the device's clock."""
    if rejected.reason is not Reason.AHEAD or not isinstance(time, int | float):
        return rejected
    return replace(rejected, ahead=(device, metrics, int(time)))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _MAX_NAME and name.isprintable() and not set(name) & set("/+#")
