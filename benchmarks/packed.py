"""P3: packed readings, bytes to columns, one core; the floor is msgspec, cbor2 or protobuf alone on the same payloads.

Rates are by the processor's time of the one thread, so that what else runs on the machine does not count.
"""

import time
from collections.abc import Callable

import cbor2
import msgspec
import numpy as np

from benchmarks.report import Report, Row, cost, rate, report
from core.clock import wall_ns
from core.reading import ReadingBatch
from ingest.codec import Codec
from ingest.decoder import Decoder
from ingest.edge_nodes import EdgeNodes
from ingest.registry import FeedRegistry
from ingest.senml import CBOR, JSON, forms_of
from ingest.sparkplug import Sparkplug
from ingest.sparkplug_pb2 import Payload
from ingest.units import FeedUnits

_READ = 256 << 10
_FAR = 1 << 62
_FEEDS = 30_000
_FLOAT, _INT32 = 9, 3


def run(*, quick: bool = False) -> Report:
    """Decode packs of 100, native, SenML and Sparkplug B, and single readings of 30,000 feeds from memory."""
    feeds = _FEEDS
    rounds = 2 if quick else 10
    packs = [_pack(start, 100) for start in range(0, feeds, 100)]
    packed = _decode(b"".join(_publish(f"sw/v1/gw-{i // 4}/pack", body) for i, body in enumerate(packs)), rounds)
    floor = _alone(msgspec.json.Decoder().decode, packs, rounds) * 100
    one = [b'{"t":%d,"v":{"depth_cm":%.1f},"seq":%d}' % (1_700_000_000_000 + i, i % 400 / 10, i) for i in range(feeds)]
    single = _decode(
        b"".join(_publish(f"sw/v1/gw-{i // 400}/tele/dev-{i}", body) for i, body in enumerate(one)), rounds
    )
    single_floor = _alone(msgspec.json.Decoder().decode, one, rounds)
    rows: list[Row] = [
        rate("native packs of 100", packed, "readings/s", at_least=1_000_000),
        rate(
            "native packs of 100, against msgspec", packed, "readings/s", floor=floor, floor_what="msgspec.json.decode"
        ),
        rate(
            "single readings, against msgspec",
            single,
            "readings/s",
            floor=single_floor,
            floor_what="msgspec.json.decode",
        ),
        cost("one single reading", 1e9 / single, "ns"),
        *_senml("SenML", "senml", msgspec.json.encode, msgspec.json.Decoder().decode, "msgspec.json.decode", rounds),
        *_senml("SenML in CBOR", "senml-cbor", cbor2.dumps, cbor2.loads, "cbor2.loads", rounds),
        *_sparkplug(rounds),
    ]
    return report("packed", rows)


def _senml(
    what: str,
    level: str,
    encode: Callable[[object], bytes],
    decode: Callable[[bytes], object],
    floor_what: str,
    rounds: int,
) -> list[Row]:
    """Packs of 100 records with time and unit each, half of which has to be converted; and messages of one record."""
    packs = [encode(_records(level, start, 100)) for start in range(0, _FEEDS, 100)]
    packed = _decode(_frames(level, packs, 4), rounds)
    ones = [encode(_records(level, start, 1)) for start in range(0, _FEEDS, 10)]
    one = _decode(_frames(level, ones, 40), rounds)
    return [
        rate(f"{what}, packs of 100", packed, "readings/s", at_least=400_000),
        rate(f"{what}, packs of 100, against {floor_what.partition('.')[0]}", packed, "readings/s",
             floor=_alone(decode, packs, rounds) * 100, floor_what=floor_what),
        cost(f"{what}, a message of one record", 1e9 / one, "ns"),
    ]  # fmt: skip


def _sparkplug(rounds: int) -> list[Row]:
    """Data of 100 metrics by alias, half of them floats and half of them integers, of 300 edge nodes."""
    registry = FeedRegistry(1 << 16)
    sparkplug = Sparkplug(registry.add, EdgeNodes(), max_pack=10_000)
    decoder = Decoder(registry, Codec(registry.add, max_pack=10_000, sparkplug=sparkplug))
    nodes = range(_FEEDS // 100)
    # Each message once: what has been heard is not heard again. The first round of data makes the feeds.
    births, first, *data = ([_said(node, seq).SerializeToString() for node in nodes] for seq in range(rounds + 2))
    for payloads, kind in ((births, "NBIRTH"), (first, "NDATA")):
        _drain(decoder, _of_nodes(kind, payloads))
    waiting = iter([_of_nodes("NDATA", payloads) for payloads in data])
    packed = _best(lambda: _drain(decoder, next(waiting)), rounds)
    return [
        rate("Sparkplug B, 100 metrics", packed, "readings/s", at_least=400_000),
        rate("Sparkplug B, 100 metrics, against protobuf", packed, "readings/s",
             floor=_alone(_every_value, data[0], rounds) * 100, floor_what="protobuf, a value and a time by metric"),
    ]  # fmt: skip


def _said(node: int, seq: int) -> Payload:
    """The birth of an edge node (`seq` 0), or data of it."""
    said = Payload(timestamp=1_700_000_000_000 + seq, seq=seq)
    for i in range(100):
        metric = said.metrics.add(alias=i, timestamp=said.timestamp + i)
        if not seq:
            metric.name, metric.datatype = f"m{node}-{i}".encode(), _INT32 if i % 2 else _FLOAT
        if i % 2:
            metric.int_value = i
        else:
            metric.float_value = i / 10
    return said


def _every_value(payload: bytes) -> list[tuple[int, int, float]]:
    """The least that anybody does who reads such a payload with protobuf."""
    return [
        (metric.alias, metric.timestamp, metric.int_value or metric.float_value)
        for metric in Payload.FromString(payload).metrics
    ]


def _of_nodes(kind: str, payloads: list[bytes]) -> bytes:
    return b"".join(_publish(f"spBv1.0/g/{kind}/gw-{i}", body) for i, body in enumerate(payloads))


def _records(level: str, start: int, count: int) -> list[dict[object, object]]:
    labels = JSON if level == "senml" else CBOR
    return [
        {
            labels.n: f"dev-{i}/depth_cm", labels.u: "cm" if i % 2 else "m", labels.t: 1_700_000_000 + i / 1000,
            labels.v: i % 400 / 10,
        }
        for i in range(start, start + count)
    ]  # fmt: skip


def _frames(level: str, payloads: list[bytes], a_gateway: int) -> bytes:
    return b"".join(_publish(f"sw/v1/gw-{i // a_gateway}/{level}", body) for i, body in enumerate(payloads))


def _pack(start: int, count: int) -> bytes:
    rows = ",".join(
        f'["dev-{i}","depth_cm",{1_700_000_000_000 + i},{i % 400 / 10:.1f}]' for i in range(start, start + count)
    )
    return f'{{"r":[{rows}]}}'.encode()


def _publish(topic: str, payload: bytes) -> bytes:
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + b"\0" + payload
    length, size = b"", len(body)
    while True:
        byte, size = size & 127, size >> 7
        length += bytes([byte | (128 if size else 0)])
        if not size:
            return b"\x30" + length + body


def _decode(stream: bytes, rounds: int) -> float:
    """Readings per second of the best round; the first one, which makes the feeds, does not count."""
    registry = FeedRegistry(1 << 16)
    forms = forms_of(registry, registry.add, FeedUnits(1 << 16, lambda _: "cm"), max_pack=10_000)
    decoder = Decoder(registry, Codec(registry.add, max_pack=10_000, forms=forms))
    _drain(decoder, stream)
    return _best(lambda: _drain(decoder, stream), rounds)


def _drain(decoder: Decoder, stream: bytes) -> int:
    """Decode it all, a socket's read at a time; how many readings there were."""
    data = np.frombuffer(bytearray(stream), np.uint8)  # writable, as a socket's buffer
    at = rows = 0
    while at < len(data):
        taken = decoder.take(data, at, min(len(data), at + _READ), arrival=wall_ns(), latest_ms=_FAR)
        at = taken.consumed
        rows += sum(len(entry) for entry in taken.entries if isinstance(entry, ReadingBatch))
    return rows


def _alone(decode: Callable[[bytes], object], payloads: list[bytes], rounds: int) -> float:
    """Messages per second of a decoder that makes Python objects of them and no more."""

    def once() -> int:
        for payload in payloads:
            decode(payload)
        return len(payloads)

    return _best(once, rounds)


def _best(once: Callable[[], int], rounds: int) -> float:
    best = 0.0
    for _ in range(rounds):
        begin = time.thread_time()
        count = once()
        best = max(best, count / (time.thread_time() - begin))
    return best
