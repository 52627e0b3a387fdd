"""Sparkplug B payloads to rows, states and requests for births. Pure.

References: Sparkplug 3.0.0, chapters 4 to 6 (verified: yes).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import DecodeError

from core.reading import Quality
from ingest.codec import GatewayState, HostAway, Rebirth, Said, read_json
from ingest.edge_nodes import EdgeNode, EdgeNodes, Heard, Key, Metric, Table, metric_name
from ingest.kernel import SECONDS_END
from ingest.rejected import Reason, Rejected
from ingest.rows import LAST_MS, Resolve, Rows, checked_time, feed_of, finite, of_clock
from ingest.sparkplug_pb2 import Payload

NAMESPACE = "spBv1.0"
STATE = f"{NAMESPACE}/STATE/"

_ABSENT = (1 << 64) - 1
_BITS = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64}
_LAST_SIGNED = 4
_FLOAT, _DOUBLE, _BOOLEAN = 9, 10, 11
_TYPES = (
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean",
    "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet", "PropertySetList",
)  # fmt: skip
_GOOD = 192
_QUALITY = b"Quality"
_BD_SEQ = b"bdSeq"
_NODE_KINDS = ("NBIRTH", "NDEATH", "NDATA")
_DEVICE_KINDS = ("DBIRTH", "DDEATH", "DDATA")


Listed = Callable[[str, str], bool]
"""Whether the device list has a gateway (with an empty name), or a device behind it."""


@dataclass(slots=True)
class _Message:
    """What is the same for every metric of one message."""

    topic: str
    key: Key
    device: str
    sent_ms: int
    stamp: int
    arrival_ms: int
    latest_ms: int
    feed: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)
    missed: bool = False

    @property
    def gateway(self) -> str:
        return self.key[1]

    @property
    def named(self) -> str:
        """The device that its readings are of."""
        return self.device or self.gateway

    def refuse(self, reason: Reason, detail: str, metric: Payload.Metric | None = None) -> None:
        sample = b"" if metric is None else metric.SerializeToString()
        self.refused.append(Rejected(reason, self.topic, detail, sample))

    def said(self) -> Iterator[Said]:
        """The rows, then what was refused."""
        if self.feed:
            yield Rows(
                np.array(self.feed, np.int32), np.array(self.time, np.int64), np.array(self.value, np.float64),
                np.array(self.quality, np.uint8),
            )  # fmt: skip
        yield from self.refused


class Sparkplug:
    """Decodes one message of `spBv1.0/...` at a time.

    The edge node is the gateway and its devices are our devices; what is its own is of the device of its name. Readings
    by alias are taken only where `EdgeNodes` says that nothing was missed; where something was, or an alias is not
    known, the edge node is asked for its births, if it is a gateway that is known.

    Args:
        resolve: Finds or makes the feed of (gateway, device, metric).
        nodes: What is known of edge nodes.
        max_pack: Most readings of one message.
        listed: Whether a gateway, or a device behind it, is known: nobody else is sent a command.
    """

    def __init__(self, resolve: Resolve, nodes: EdgeNodes, *, max_pack: int, listed: Listed = lambda *_: True) -> None:
        self.nodes = nodes
        self._resolve = resolve
        self._max_pack = max_pack
        self._listed = listed

    def on_connection(self, now_ms: int) -> Iterator[Rebirth]:
        """The connection is another one: every edge node that is known is asked for its births."""
        self.nodes.on_connection()
        for node in list(self.nodes):
            yield from self._ask(node.key, now_ms)

    def decode(
        self, topic: str, payload: bytes, *, retained: bool, at_least_once: bool, arrival: int, latest_ms: int
    ) -> Iterator[Said]:
        """Everything that one message says; metrics that are wrong do not take good ones with them."""
        if topic.startswith(STATE):
            yield from _host_state(payload)
            return
        parts = topic.split("/")
        kind = parts[2] if len(parts) > 3 else ""
        if not (
            (kind in _NODE_KINDS and len(parts) == 4) or (kind in _DEVICE_KINDS and len(parts) == 5 and parts[4])
        ) or not (parts[1] and parts[3]):
            yield Rejected(Reason.UNKNOWN_TOPIC, topic, "no reading is expected on this topic", payload)
            return
        if retained:
            yield Rejected(Reason.MALFORMED, topic, "a message of Sparkplug is never retained", payload)
            return
        try:
            read = Payload.FromString(payload)
        except DecodeError:
            yield Rejected(Reason.MALFORMED, topic, "no Sparkplug B payload (protobuf)", payload)
            return
        arrival_ms = arrival // 1_000_000
        sent_ms = read.timestamp if read.timestamp <= LAST_MS else arrival_ms
        device = parts[4] if len(parts) == 5 else ""
        message = _Message(
            topic, (parts[1], parts[3]), device, sent_ms, read.timestamp, arrival_ms, min(latest_ms, LAST_MS)
        )  # fmt: skip
        if kind == "NDEATH":
            yield from self._death(message, read)
        elif read.seq > 255:
            yield Rejected(Reason.MALFORMED, topic, "a seq of 0 to 255 is needed", payload)
        elif kind == "NBIRTH":
            yield from self._birth(message, read)
        else:
            yield from self._later(message, kind, read, at_least_once=at_least_once)

    def _birth(self, message: _Message, read: Payload) -> Iterator[Said]:
        table = _table(read)
        if not self.nodes.born(message.key, read.seq, _bd_seq(read), message.sent_ms, table):
            yield Rejected(Reason.REGISTRY_FULL, message.topic, "too many metrics or edge nodes are known already")
            return
        yield GatewayState(message.gateway, online=True, at_ms=message.arrival_ms)
        yield from self._named_readings(message, read, table)

    def _death(self, message: _Message, read: Payload) -> Iterator[Said]:
        node = self.nodes.find(message.key)
        if node is None or self.nodes.died(node, _bd_seq(read)):
            yield GatewayState(message.gateway, online=False, at_ms=message.arrival_ms)

    def _later(self, message: _Message, kind: str, read: Payload, *, at_least_once: bool) -> Iterator[Said]:
        """A message behind the birth of its edge node."""
        node = self.nodes.find(message.key)
        if node is None:
            message.refuse(Reason.NO_BIRTH, f"no birth of edge node {message.gateway} is known")
            yield from message.said()
            yield from self._ask(message.key, message.arrival_ms)
            return
        heard = self.nodes.heard(node, read.seq, message.sent_ms, at_least_once=at_least_once)
        if kind == "DBIRTH":
            yield from self._device_birth(message, node, read)
        elif kind == "DDEATH":
            self.nodes.device_died(node, message.device)
            yield from self._device_state(message, online=False)
        else:
            yield from self._data(message, node, heard, read)
        if heard is not Heard.ALL or message.missed:
            yield from self._ask(message.key, message.arrival_ms)

    def _device_birth(self, message: _Message, node: EdgeNode, read: Payload) -> Iterator[Said]:
        table = _table(read)
        if not self.nodes.device_born(node, message.device, message.sent_ms, table):
            yield Rejected(Reason.REGISTRY_FULL, message.topic, "too many metrics are known already")
            return
        yield from self._device_state(message, online=True)
        yield from self._named_readings(message, read, table)

    def _device_state(self, message: _Message, *, online: bool) -> Iterator[GatewayState]:
        if self._listed(message.gateway, message.device):
            yield GatewayState(message.gateway, online, message.arrival_ms, message.device)

    def _named_readings(self, message: _Message, read: Payload, table: Table) -> Iterator[Said]:
        """The values that a birth brings."""
        if self._fits(message, read):
            for metric in read.metrics:
                known = table.by_name.get(_text(metric.name) or "")
                if known is None:
                    message.refuse(Reason.BAD_NAME, "a metric of a birth without a name in UTF-8", metric)
                else:
                    self._one(message, table, known, metric)
        yield from message.said()

    def _data(self, message: _Message, node: EdgeNode, heard: Heard, read: Payload) -> Iterator[Said]:
        table = node.tables.get(message.device)
        if not self._fits(message, read):
            pass
        elif heard is Heard.OLD:
            message.refuse(Reason.NO_BIRTH, "sent before the birth that holds now")
        elif table is None:
            message.missed = True
            message.refuse(Reason.NO_BIRTH, f"no birth of {message.named} is known")
        else:
            self._metrics(message, table, read, by_alias=heard is Heard.ALL)
        yield from message.said()

    def _metrics(self, message: _Message, table: Table, read: Payload, *, by_alias: bool) -> None:
        """Every metric of a DATA message: the usual ones here, the others one by one."""
        feeds = table.feeds if by_alias else {}
        latest = message.latest_ms
        add_feed, add_time = message.feed.append, message.time.append
        add_value, add_quality = message.value.append, message.quality.append
        for metric in read.metrics:
            usual = feeds.get(metric.alias)
            if usual is not None and SECONDS_END <= metric.timestamp <= latest and not metric.HasField("properties"):
                feed, datatype = usual
                if datatype == _DOUBLE:
                    value = metric.double_value
                elif datatype == _FLOAT:
                    value = metric.float_value
                else:
                    number = _number(metric, datatype)
                    value = float("nan") if number is None else number
                if value - value == 0.0 and not metric.is_null:  # what is not there, or not finite, gives no 0
                    add_feed(feed)
                    add_time(metric.timestamp)
                    add_value(value)
                    add_quality(int(Quality.HISTORICAL) if metric.is_historical else 0)
                    continue
            self._unusual(message, table, metric, by_alias=by_alias)

    def _unusual(self, message: _Message, table: Table, metric: Payload.Metric, *, by_alias: bool) -> None:
        known = table.by_alias.get(metric.alias) if by_alias else None
        if known is None and metric.HasField("name"):
            known = table.by_name.get(_text(metric.name) or "")
        if known is not None:
            self._one(message, table, known, metric)
            return
        message.missed = True
        what = _text(metric.name) or ("a metric" if metric.alias == _ABSENT else f"alias {metric.alias}")
        why = "is in no birth" if by_alias else "cannot be told: something may have been missed since the last birth"
        message.refuse(Reason.NO_BIRTH, f"{what} of {message.named} {why}", metric)

    def _one(self, message: _Message, table: Table, known: Metric, metric: Payload.Metric) -> None:
        """One metric whose birth is known to a row, a refusal or nothing."""
        if not known.name or metric.is_null:
            return
        where = f"{message.named}/{known.name}"
        if not _is_good(metric):
            message.refuse(Reason.BAD_QUALITY, f"{where}: its sender says that it is bad or stale", metric)
            return
        datatype = known.datatype or metric.datatype
        number = _number(metric, datatype)
        if number is None:
            message.refuse(Reason.NOT_A_NUMBER, f"{where}: {_what(metric, datatype)} where a number stands", metric)
            return
        value = finite(number)
        if value is None:
            message.refuse(Reason.NOT_FINITE, f"{where}: not a finite number", metric)
            return
        timed = self._time(message, known, metric)
        if timed is None:
            return
        names = (message.gateway, message.named, known.name)
        feed = feed_of(self._resolve, message.topic, names, value, metric.SerializeToString())
        if isinstance(feed, Rejected):
            message.refused.append(feed)
            return
        if metric.alias != _ABSENT and table.by_alias.get(metric.alias) is known and datatype == known.datatype:
            table.feeds[metric.alias] = (feed, datatype)
        message.feed.append(feed)
        message.time.append(timed[0])
        message.value.append(value)
        message.quality.append(int(timed[1]))

    def _time(self, message: _Message, known: Metric, metric: Payload.Metric) -> tuple[int, Quality] | None:
        """When it was taken, and what that is worth; None where it is refused."""
        quality = Quality.HISTORICAL if metric.is_historical else Quality.GOOD
        given = message.stamp if metric.timestamp == _ABSENT else metric.timestamp
        if given == _ABSENT:
            return message.arrival_ms, quality | Quality.NO_TIME
        at = checked_time(message.topic, given, message.latest_ms, metric.SerializeToString())
        if isinstance(at, Rejected):
            message.refused.append(of_clock(at, message.named, (known.name,), given))
            return None
        return at, quality

    def _fits(self, message: _Message, read: Payload) -> bool:
        if len(read.metrics) <= self._max_pack:
            return True
        detail = f"{len(read.metrics)} metrics in one message, at most {self._max_pack} are taken"
        message.refuse(Reason.OVERSIZED_PACK, detail)
        return False

    def _ask(self, key: Key, now_ms: int) -> Iterator[Rebirth]:
        if self._listed(key[1], "") and self.nodes.may_ask(key, now_ms):
            yield Rebirth(*key)


def topics_of(gateway: str) -> list[str]:
    """What a host subscribes to of an edge node, or of all (`+`): everything but commands, which are its own."""
    return [f"{NAMESPACE}/+/{kind}/{gateway}" for kind in _NODE_KINDS] + [
        f"{NAMESPACE}/+/{kind}/{gateway}/+" for kind in _DEVICE_KINDS
    ]


def state_of(host_id: str) -> list[str]:
    """The topic of a host's state; none where it has no name."""
    return [f"{STATE}{host_id}"] if host_id else []


def _host_state(payload: bytes) -> Iterator[HostAway]:
    """What is said of us; only our own state is subscribed to."""
    state = read_json(payload)
    if isinstance(state, dict) and state.get("online") is False:
        yield HostAway()


def rebirth_command(rebirth: Rebirth, now_ms: int) -> tuple[str, bytes]:
    """(topic, payload) of the command that asks an edge node for its births."""
    metric = Payload.Metric(name=b"Node Control/Rebirth", timestamp=now_ms, datatype=_BOOLEAN, boolean_value=True)
    payload = Payload(timestamp=now_ms, metrics=[metric])
    return f"{NAMESPACE}/{rebirth.group}/NCMD/{rebirth.edge_node}", payload.SerializeToString()


def _table(read: Payload) -> Table:
    """The metrics that a birth names; the last one of a name counts."""
    births: dict[str, tuple[str, int | None, int]] = {}
    for metric in read.metrics:
        name = _text(metric.name)
        if name:
            births[name] = (name, None if metric.alias == _ABSENT else metric.alias, metric.datatype)
    return Table(births.values())


def _text(name: bytes) -> str | None:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


def _bd_seq(read: Payload) -> int | None:
    for metric in read.metrics:
        if metric.name == _BD_SEQ:
            return _whole(metric)
    return None


def _whole(metric: Payload.Metric) -> int | None:
    which = metric.WhichOneof("value")
    if which == "int_value":
        return metric.int_value
    return metric.long_value if which == "long_value" else None


def _number(metric: Payload.Metric, datatype: int) -> float | None:
    """The value as a number by its data type; NaN is one, None is none."""
    bits = _BITS.get(datatype)
    if bits is not None:
        whole = _whole(metric)
        if whole is None:
            return None
        whole &= (1 << bits) - 1
        return float(whole - (1 << bits) if datatype <= _LAST_SIGNED and whole >> (bits - 1) else whole)
    which = metric.WhichOneof("value")
    if datatype in {_FLOAT, _DOUBLE}:
        if which == "float_value":
            return metric.float_value
        return metric.double_value if which == "double_value" else None
    if datatype == _BOOLEAN and which == "boolean_value":
        return float(metric.boolean_value)
    return None


def _what(metric: Payload.Metric, datatype: int) -> str:
    """What stands where a number was expected, in words."""
    kind = _TYPES[datatype] if datatype < len(_TYPES) else f"data type {datatype}"
    numeric = datatype in _BITS or datatype in {_FLOAT, _DOUBLE, _BOOLEAN}
    return f"{metric.WhichOneof('value') or 'no value'} of {kind}" if numeric else kind


def _is_good(metric: Payload.Metric) -> bool:
    """Whether its quality, where it says one, is good: 192; 0 is bad and 500 stale, and nothing else is defined."""
    if not metric.HasField("properties"):
        return True
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if key == _QUALITY:
            return _GOOD in (value.int_value, value.long_value)
    return True


__all__ = ["NAMESPACE", "STATE", "Sparkplug", "metric_name", "rebirth_command", "state_of", "topics_of"]
