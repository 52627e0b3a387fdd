"""P3: packed readings, bytes to columns, one core; the floor is msgspec alone on the same payloads."""

import time
from collections.abc import Callable

import msgspec
import numpy as np

from benchmarks.report import Report, Row, cost, rate, report
from core.clock import wall_ns
from core.reading import ReadingBatch
from ingest.codec import Codec
from ingest.decoder import Decoder
from ingest.registry import FeedRegistry

_READ = 256 << 10
_FAR = 1 << 62


def run(*, quick: bool = False) -> Report:
    """Decode packs of 100 and single readings of 30,000 feeds from memory."""
    feeds = 30_000
    rounds = 2 if quick else 10
    packs = [_pack(start, 100) for start in range(0, feeds, 100)]
    packed = _decode(b"".join(_publish(f"sw/v1/gw-{i // 4}/pack", body) for i, body in enumerate(packs)), rounds)
    floor = _msgspec(packs, rounds) * 100
    one = [b'{"t":%d,"v":{"depth_cm":%.1f},"seq":%d}' % (1_700_000_000_000 + i, i % 400 / 10, i) for i in range(feeds)]
    single = _decode(
        b"".join(_publish(f"sw/v1/gw-{i // 400}/tele/dev-{i}", body) for i, body in enumerate(one)), rounds
    )
    single_floor = _msgspec(one, rounds)
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
    ]
    return report("packed", rows)


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
    decoder = Decoder(registry, Codec(registry.add, max_pack=10_000))
    data = np.frombuffer(bytearray(stream), np.uint8)  # writable, as a socket's buffer

    def once() -> int:
        at = rows = 0
        while at < len(data):
            taken = decoder.take(data, at, min(len(data), at + _READ), arrival=wall_ns(), latest_ms=_FAR)
            at = taken.consumed
            rows += sum(len(entry) for entry in taken.entries if isinstance(entry, ReadingBatch))
        return rows

    once()
    return _best(once, rounds)


def _msgspec(payloads: list[bytes], rounds: int) -> float:
    decode = msgspec.json.Decoder().decode

    def once() -> int:
        for payload in payloads:
            decode(payload)
        return len(payloads)

    return _best(once, rounds)


def _best(once: Callable[[], int], rounds: int) -> float:
    best = 0.0
    for _ in range(rounds):
        begin = time.perf_counter()
        count = once()
        best = max(best, count / (time.perf_counter() - begin))
    return best
