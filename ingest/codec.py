"""The slow path: one message of any documented form to rows or refusals. Pure; it alone gives the kernel's columns."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import msgspec

from core.reading import Quality
from ingest.rejected import Reason, Rejected
from ingest.rows import LAST_MS, Resolve, Row, Rows, checked_time, feed_of, finite, of_clock

_EXPECTED = (
    "readings come on sw/v1/GATEWAY/tele/DEVICE and sw/v1/GATEWAY/pack, and whether a gateway is there on "
    "sw/v1/GATEWAY/state"
)
_JSON_WORDS = {str: "text", dict: "an object", list: "a list", type(None): "null"}


@dataclass(frozen=True, slots=True)
class GatewayState:
    """A gateway said, or its will said for it, whether it is online; or whether a device behind it is."""

    gateway: str
    online: bool
    at_ms: int
    device: str = ""


@dataclass(frozen=True, slots=True)
class ClockTick:
    """A recording's clock has reached `at_ms`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Rebirth:
    """An edge node of Sparkplug has to be asked for its births."""

    group: str
    edge_node: str


@dataclass(frozen=True, slots=True)
class HostAway:
    """Somebody said of us, as a host of Sparkplug, that we are away: a will of an earlier connection that came late."""


Said = Row | Rows | GatewayState | ClockTick | Rebirth | HostAway | Rejected
"""One thing that a message says."""


class Form(Protocol):
    """How the messages of one topic `sw/v1/{gateway}/{form}` are written."""

    def decode(
        self, topic: str, gateway: str, payload: bytes, *, retained: bool, arrival: int, latest_ms: int
    ) -> Iterator[Row | Rows | Rejected]:
        """The readings of one message, at most `max_pack`, in its order, and what of it is refused."""

    def warm_up(self) -> None:
        """Have its kernels compiled; no state changes."""


class Namespace(Protocol):
    """How the messages under topics of somebody else's are written."""

    def decode(
        self, topic: str, payload: bytes, *, retained: bool, at_least_once: bool, arrival: int, latest_ms: int
    ) -> Iterator[Said]:
        """Everything that one message says, at most `max_pack` readings, in its order."""


_NO_FORMS: Mapping[str, Form] = MappingProxyType({})


class Codec:
    """Decodes one PUBLISH at a time.

    Args:
        resolve: Finds or makes the feed of (gateway, device, metric).
        max_pack: Most readings of one message.
        recording: Whether `clock` messages are listened to.
        forms: Further forms by the last level of their topic.
        sparkplug: What decodes topics under `spBv1.0`; None where nothing of that is expected.
    """

    def __init__(
        self,
        resolve: Resolve,
        *,
        max_pack: int,
        recording: bool = False,
        forms: Mapping[str, Form] = _NO_FORMS,
        sparkplug: Namespace | None = None,
    ) -> None:
        self._resolve = resolve
        self._max_pack = max_pack
        self._recording = recording
        self._forms = forms
        self._sparkplug = sparkplug

    def decode(
        self,
        topic: str,
        payload: bytes,
        *,
        retained: bool,
        arrival: int,
        latest_ms: int,
        at_least_once: bool = False,
    ) -> Iterator[Said]:
        """Everything that one message says, in its order; readings that are wrong do not take good ones with them.

        Args:
            topic: Where it was published.
            payload: Its content.
            retained: Whether the broker kept it for whoever subscribes.
            arrival: When it came, ns.
            latest_ms: Event times past this are refused.
            at_least_once: Whether it came at QoS 1.
        """
        if self._sparkplug is not None and topic.startswith("spBv1.0/"):
            yield from self._sparkplug.decode(
                topic, payload, retained=retained, at_least_once=at_least_once, arrival=arrival, latest_ms=latest_ms
            )
            return
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
        elif kind in self._forms and len(parts) == 4:
            yield from self._forms[kind].decode(
                topic, gateway, payload, retained=retained, arrival=arrival, latest_ms=latest_ms
            )
        elif kind == "state" and len(parts) == 4:
            yield self._state(topic, gateway, payload, arrival)
        elif kind == "clock" and len(parts) == 4 and self._recording:
            yield self._clock(topic, payload)
        else:
            yield Rejected(Reason.UNKNOWN_TOPIC, topic, _EXPECTED, payload)

    def warm_up(self) -> None:
        """Have the kernels of the forms compiled; no state changes."""
        for form in self._forms.values():
            form.warm_up()

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
        document = read_json(payload)
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
            yield of_clock(at, device, tuple(values), time)
            return
        for name, number in values.items():
            yield self._row(topic, gateway, device, name, at, number, int(quality), payload)

    def _pack(self, topic: str, gateway: str, payload: bytes, latest_ms: int) -> Iterator[Row | Rejected]:
        document = read_json(payload)
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
                yield of_clock(at, row[0], (row[1],), row[2])
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
        value = finite(number)
        if value is None:
            return Rejected(Reason.NOT_FINITE, topic, f"{device}/{name}: not a finite number", sample)
        feed = feed_of(self._resolve, topic, (gateway, device, name), value, sample)
        return feed if isinstance(feed, Rejected) else (feed, at, value, quality)

    def _state(self, topic: str, gateway: str, payload: bytes, arrival: int) -> GatewayState | Rejected:
        document = read_json(payload)
        if not isinstance(document, dict) or not isinstance(document.get("online"), bool):
            return Rejected(Reason.MALFORMED, topic, 'expected {"online": true, "t": ms}', payload)
        return GatewayState(gateway, document["online"], arrival // 1_000_000)

    def _clock(self, topic: str, payload: bytes) -> ClockTick | Rejected:
        document = read_json(payload)
        at = document.get("t") if isinstance(document, dict) else None
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at <= LAST_MS:
            return Rejected(Reason.MALFORMED, topic, 'expected {"t": ms}', payload)
        return ClockTick(at)


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why a payload cannot be read."""

    why: str


def read_json(payload: bytes) -> object:
    """What a JSON text says, or why it says nothing."""
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
    return checked_time(topic, int(time), latest_ms, payload)
