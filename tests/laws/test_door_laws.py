"""The kernel gives the columns that the slow path alone gives, however the bytes were cut."""

import json
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.reading import ReadingBatch
from ingest.codec import Codec, GatewayState
from ingest.decoder import Decoder, ProtocolBreach
from ingest.registry import FeedRegistry
from ingest.rejected import Reason
from ingest.senml import forms_of
from ingest.units import FeedUnits

_MOST = 9
ARRIVAL = 1_700_000_000_000 * 1_000_000
LATEST = 1_700_000_300_000
DEVICES = {"gas-1": "gw-1", "gas-2": "gw-1", "井盖-3": "gw-2", "x": "gw-2"}


def frame(
    topic: str, payload: bytes, *, packet_id: int | None, properties: bytes = b"", retained: bool = False
) -> bytes:
    """A PUBLISH of MQTT 5, written from the standard and not with the project's code."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name
    if packet_id is not None:
        body += packet_id.to_bytes(2, "big")
    body += bytes([len(properties)]) + properties + payload
    head = 0x30 | (2 if packet_id is not None else 0) | int(retained)
    length, size = b"", len(body)
    while True:
        byte, size = size & 127, size >> 7
        length += bytes([byte | (128 if size else 0)])
        if not size:
            return bytes([head]) + length + body


numbers: st.SearchStrategy[object] = st.one_of(
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.booleans(),
    st.sampled_from(["12", None, [], {}, 1e308, 10**400]),
)
times: st.SearchStrategy[object] = st.one_of(
    st.integers(1_699_999_000_000, 1_700_000_400_000),
    st.sampled_from([-1, 0, 1.5, 1_700_000_000, "now", None, True, 10**17, 1e30]),
)
devices = st.sampled_from([*DEVICES, "nobody", "", "a/b", "q" * 70, 'quo"te', "tab\t"])
metrics = st.sampled_from(["gas_lel", "temp", "value", "", "温度", "back\\slash"])
gateways = st.sampled_from(["gw-1", "gw-2", "gw-3"])
separators = st.sampled_from([(",", ":"), (", ", ": ")])


@st.composite
def singles(draw: st.DrawFn) -> tuple[str, bytes]:
    topic = f"sw/v1/{draw(gateways)}/tele/{draw(st.sampled_from([*DEVICES, 'nobody']))}"
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return topic, json.dumps(draw(numbers)).encode()
    if kind == 1:
        return topic, draw(st.binary(max_size=40))
    document: dict[str, object] = {}
    if draw(st.booleans()):
        document["t"] = draw(times)
    document["v"] = draw(st.dictionaries(metrics, numbers, max_size=3))
    if draw(st.booleans()):
        document["seq"] = draw(st.integers(0, 10**6))
    if kind == 2:
        document = dict(reversed(document.items()))
    text = json.dumps(document, separators=draw(separators), ensure_ascii=draw(st.booleans()))
    if kind == 3:
        text = text[: draw(st.integers(0, len(text)))]
    if kind == 4:
        text = draw(st.sampled_from([" ", "\n", "  "])) + text + draw(st.sampled_from(["", " ", "\n", "x"]))
    return topic, text.encode()


@st.composite
def packs(draw: st.DrawFn) -> tuple[str, bytes]:
    rows: list[object] = draw(st.lists(st.tuples(devices, metrics, times, numbers).map(list), max_size=_MOST + 1))
    if draw(st.integers(0, 5)) == 0:
        rows.append(draw(st.sampled_from([[], ["gas-1"], "row", 3, [1, 2, 3, 4]])))
    text = json.dumps({"r": rows}, separators=draw(separators), ensure_ascii=draw(st.booleans()))
    return f"sw/v1/{draw(gateways)}/pack", text.encode()


@st.composite
def senml(draw: st.DrawFn) -> tuple[str, bytes]:
    names = st.sampled_from(["gas-1/gas_lel", "gas-2:temp", "gas-1", "nobody/temp", "x/value", ""])
    seconds = st.integers(1_699_999_000_000, 1_700_000_400_000).map(lambda ms: ms / 1000)
    records = st.fixed_dictionaries({"n": names, "v": st.integers(0, 99)}, optional={"t": seconds, "u": st.just("Cel")})
    return f"sw/v1/{draw(gateways)}/senml", json.dumps(draw(st.lists(records, max_size=_MOST + 1))).encode()


odd = st.tuples(
    st.sampled_from(
        ["sw/v1/gw-1/state", "sw/v1/gw-1/tele", "sw/v1/gw-1", "other/topic/here", "sw/v1//tele/x", "sw/v1/gw-1/pack/x"]
    ),
    st.sampled_from([b'{"online": true, "t": 5}', b"{}", b"", b'{"r":[]}', b"12.5"]),
)
messages = st.one_of(singles(), packs(), senml(), odd)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    parts = []
    for topic, payload in draw(st.lists(messages, max_size=12)):
        packet_id = draw(st.one_of(st.none(), st.integers(1, 65_535)))
        properties = draw(st.sampled_from([b"", b"", b"\x26\x00\x01a\x00\x01b"]))
        parts.append(
            frame(topic, payload, packet_id=packet_id, properties=properties, retained=draw(st.integers(0, 9)) == 0)
        )
        if draw(st.integers(0, 9)) == 0:
            parts.append(b"\xd0\x00")
    return b"".join(parts)


@dataclass
class Outcome:
    rows: list[tuple[str, int, float, int]]
    order: list[str]
    acks: bytes
    others: bytes
    rejected: list[tuple[str, str]]


def note(outcome: Outcome, entry: object, registry: FeedRegistry) -> None:
    if isinstance(entry, GatewayState):
        outcome.order.append(f"{entry.gateway} {entry.online}")
        return
    assert isinstance(entry, ReadingBatch)
    for i in range(len(entry)):
        name = "/".join(registry.names(int(entry.feed[i])))
        outcome.rows.append((name, int(entry.event_time[i]), float(entry.value[i]), int(entry.quality[i])))
        outcome.order.append("reading")


def run(stream: bytes, cuts: list[int], *, fast: bool) -> Outcome:
    registry = FeedRegistry(64)

    def resolve(gateway: str, device: str, metric: str) -> int | Reason:
        known = registry.find(gateway, device, metric)
        if known >= 0:
            return known
        if device not in DEVICES:
            return Reason.UNKNOWN_DEVICE
        if DEVICES[device] != gateway:
            return Reason.WRONG_GATEWAY
        return registry.add(gateway, device, metric)

    forms = forms_of(registry, resolve, FeedUnits(64, lambda _: "Cel"), max_pack=_MOST)
    decoder = Decoder(registry, Codec(resolve, max_pack=_MOST, forms=forms), max_pack=_MOST, fast=fast)
    data = np.frombuffer(
        bytearray(stream + b"\0"), np.uint8
    )  # writable like a socket's: for another the kernels compile anew
    outcome = Outcome([], [], b"", b"", [])
    at = 0
    for end in [*sorted(c for c in cuts if c < len(stream)), len(stream)]:
        while True:
            taken = decoder.take(data, at, end, arrival=ARRIVAL, latest_ms=LATEST)
            at = taken.consumed
            outcome.acks += taken.acks
            outcome.others += taken.others
            outcome.rejected += [(r.reason.value, r.detail) for r in taken.rejected]
            for entry in taken.entries:
                note(outcome, entry, registry)
            if taken.complete:
                break
    return outcome


@settings(max_examples=150, deadline=None)
@given(streams(), st.lists(st.integers(0, 2_000), max_size=6))
def test_the_kernel_gives_what_the_slow_path_alone_gives(stream: bytes, cuts: list[int]) -> None:
    expected = run(stream, [], fast=False)
    assert run(stream, [], fast=True) == expected
    assert run(stream, cuts, fast=True) == expected
    assert run(stream, cuts, fast=False) == expected
    warm = run(stream + stream, cuts, fast=True)
    assert warm.rows == expected.rows * 2


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e12, 1e12), st.integers(0, 12))
def test_a_number_that_the_kernel_reads_is_the_nearest_double(value: float, digits: int) -> None:
    text = f"{value:.{digits}f}"
    stream = frame("sw/v1/gw-1/tele/gas-1", b'{"t":5,"v":{"temp":%s}}' % text.encode(), packet_id=None)
    assert [row[2] for row in run(stream * 2, [], fast=True).rows] == [float(text)] * 2


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_more_than_the_connection(stream: bytes) -> None:
    results: list[object] = []
    for fast in (True, False):
        try:
            results.append(run(stream, [], fast=fast))
        except ProtocolBreach as breach:
            results.append(str(breach))
    assert results[0] == results[1]
