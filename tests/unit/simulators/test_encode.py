"""Frames are taken apart here by other people's code: paho's reader of packets, msgspec's of JSON, cbor2's of CBOR."""

from collections.abc import Iterator

import cbor2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from city.catalogue import load_catalogue
from core.reading import ReadingBatch
from ingest.decoder import Decoder
from ingest.edge_nodes import EdgeNodes
from ingest.registry import FeedRegistry
from ingest.sparkplug import Sparkplug
from runtime.device_list import DeviceList
from runtime.door import Door
from simulators.district import District, Speaks
from simulators.encode import Encoder, Segment
from simulators.forms import number_text, time_text
from simulators.play import split
from simulators.run import feeds
from simulators.senml import UNITS
from simulators.sparkplug import Births, Numbering
from simulators.world import World
from tests.reference import sparkplug_twin as wire
from tests.unit.simulators.parts import BEGIN, joined, world


class _Bytes:
    """A socket that has so many bytes to give."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def recv(self, size: int) -> bytes:
        given, self.data = self.data[:size], self.data[size:]
        if not given:
            raise BlockingIOError
        return given

    def close(self) -> None:
        return None

    def fileno(self) -> int:
        return -1


def through_paho(data: bytes) -> list[MQTTMessage]:
    """The messages that paho makes of a stream of MQTT 5."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="reader", protocol=MQTTProtocolVersion.MQTTv5)
    found: list[MQTTMessage] = []
    client._handle_on_message = found.append  # type: ignore[method-assign,assignment]
    client._send_puback = lambda _: 0  # type: ignore[method-assign,assignment,return-value]
    client._sock = source = _Bytes(data)  # type: ignore[assignment]
    while source.data or client._in_packet["have_remaining"]:
        client._packet_read()
    return found


def messages(played: World, chunk_ms: int = 1_000, *, speaks: Speaks | None = None) -> Iterator[MQTTMessage]:
    for segment in segments(played, chunk_ms, speaks=speaks):
        found = through_paho(segment.frames)
        assert len(found) == segment.messages
        yield from found


def segments(played: World, chunk_ms: int = 1_000, *, speaks: Speaks | None = None) -> Iterator[Segment]:
    district = played.district
    forms = None if speaks is None else np.full(len(district.gateways), speaks, np.uint8)
    encoder = Encoder(district, forms=forms)
    held: list[object] = []
    for begin in range(played.scenario.begin_ms, played.scenario.end_ms, chunk_ms):
        end = min(begin + chunk_ms, played.scenario.end_ms)
        now, held = split([*held, *played.reports(begin, end)], end)  # type: ignore[list-item,assignment]
        yield from encoder.segments(now, begin, 10)


ALIASES: dict[tuple[str, int], tuple[str, str, int]] = {}
"""(gateway, alias) to (device, metric, data type), as births say it."""


@pytest.fixture(autouse=True)
def aliases(there: District) -> None:
    births = Births(there, np.ones(len(there.gateways), np.bool_))
    for number, gateway in enumerate(there.gateways):
        for topic, rest in births.messages(number, 0, 0):
            for _, content in wire.fields(rest):
                metric = dict(wire.fields(bytes(content)))
                if 2 in metric:
                    device, name = topic.split("/")[4], bytes(metric[1]).decode()
                    ALIASES[gateway, int(metric[2])] = (device, name, int(metric[4]))


def sparkplug(gateway: str, device: str, payload: bytes) -> list[tuple[str, str, int, float]]:
    types = {alias: kind for (name, alias), (*_, kind) in ALIASES.items() if name == gateway}
    found = []
    for one in wire.read(payload, types):
        assert isinstance(one.who, int)
        assert one.time is not None
        assert one.value is not None
        assert ALIASES[gateway, one.who][0] == device
        found.append((device, ALIASES[gateway, one.who][1], one.time, one.value))
    return found


def decoded(message: MQTTMessage) -> list[tuple[str, str, int, float]]:
    level = message.topic.split("/")
    if level[0] == "spBv1.0":
        assert level[1:3] == ["district", "DDATA"]
        return sparkplug(level[3], level[4], bytes(message.payload))
    assert level[:2] == ["sw", "v1"]
    if level[3] == "senml-cbor":
        head, *records = cbor2.loads(message.payload)
        assert head.keys() == {-1, -3}
        return [record_of(r[0], head[-3] + r[6], r[2] if 2 in r else r[4], r.get(1)) for r in records]
    body = msgspec.json.decode(message.payload)
    if level[3] == "senml":
        assert body[0] == {"bver": 10}
        return [record_of(r["n"], r["t"], r["v"] if "v" in r else r["vb"], r.get("u")) for r in body[1:]]
    if level[3] == "pack":
        return [(device, metric, t, float(value)) for device, metric, t, value in body["r"]]
    assert level[3] == "tele"
    return [(level[4], metric, body["t"], float(value)) for metric, value in body["v"].items()]


def record_of(name: str, seconds: float, value: float, unit: str | None) -> tuple[str, str, int, float]:
    """A record in the catalogue's unit, with time and value to the digits that a sensor has."""
    device, metric = name.split("/")
    sent = UNITS.get(metric)
    assert unit == (sent.symbol if sent else None)
    in_unit = value if isinstance(value, bool) else round(value / 10.0 ** (sent.power if sent else 0), 6)
    return device, metric, round(seconds * 1000), float(in_unit)


@pytest.mark.parametrize("speaks", [None, *Speaks])
def test_what_paho_and_others_read_is_what_the_sensors_said(there: District, speaks: Speaks | None) -> None:
    played = world(there, 180, incidents=20, faults=5)
    on_wire = sorted(row for message in messages(played, speaks=speaks) for row in decoded(message))
    names = feeds(played)
    batch = joined(played)
    said = sorted(
        (*names[feed], event, value)
        for feed, event, value in zip(batch.feed.tolist(), batch.event_ms.tolist(), batch.value.tolist(), strict=True)
    )
    # What is still held back at the end comes in a batch, but not on a wire that has been closed.
    assert len(on_wire) >= 0.97 * len(said)
    assert set(on_wire) <= set(said)


def test_the_door_takes_every_form_and_the_units_that_it_brings(there: District) -> None:
    played = world(there, 60, incidents=20, faults=5)
    known = DeviceList("v", {device.id: device for device in there.devices})
    door = Door(FeedRegistry(10_000), _NoNames(), known, load_catalogue())
    host = Sparkplug(door.resolve, EdgeNodes(), max_pack=1_000)
    decoder = Decoder(door.registry, door.codec(max_pack=1_000, sparkplug=host), max_pack=1_000)
    births = Births(there, np.ones(len(there.gateways), np.bool_))
    said_so = b"".join(Numbering(1).births(births.messages(i, 0, BEGIN), BEGIN)[0] for i in range(len(there.gateways)))
    heard = np.frombuffer(said_so, np.uint8)
    assert not decoder.take(heard, 0, len(heard), arrival=10**18, latest_ms=1 << 62).rejected
    said = {}
    names = feeds(played)
    batch = joined(played)
    for feed, event, value in zip(batch.feed.tolist(), batch.event_ms.tolist(), batch.value.tolist(), strict=True):
        said[*names[feed], event] = value
    readings = 0
    for speaks in Speaks:
        for segment in segments(played, speaks=speaks):
            data = np.frombuffer(segment.frames, np.uint8)
            taken = decoder.take(data, 0, len(data), arrival=10**18, latest_ms=1 << 62)
            assert not taken.rejected
            for entry in taken.entries:
                assert isinstance(entry, ReadingBatch)
                columns = (entry.feed, entry.event_time, entry.value)
                for feed, event, value in zip(*(column.tolist() for column in columns), strict=True):
                    assert said[*door.registry.names(feed)[1:], event] == value
                    readings += 1
    assert readings > len(Speaks) * 0.9 * len(said)


class _NoNames:
    def append(self, first: int, keys: object) -> None:
        """Names are kept nowhere."""


def test_every_gateway_publishes_under_its_own_name_with_fresh_packet_ids(there: District) -> None:
    gateway_of = {device.id: device.gateway for device in there.devices}
    last: dict[str, int] = {}
    for message in messages(world(there, 180)):
        gateway = message.topic.split("/")[3 if message.topic.startswith("spBv1.0") else 2]
        assert all(gateway_of[device] == gateway for device, *_ in decoded(message))
        assert message.qos == 1
        assert not message.retain
        assert message.mid == last.get(gateway, 0) % 65_000 + 1
        last[gateway] = message.mid
    assert len(last) > 5


@pytest.mark.parametrize("qos", [0, 1])
def test_an_edge_node_counts_on_behind_its_births_and_from_0_after_others(there: District, qos: int) -> None:
    encoder = Encoder(there, qos=qos, forms=np.full(len(there.gateways), Speaks.SPARKPLUG, np.uint8))
    played = world(there, 60)
    everything = encoder.segments(list(played.reports(BEGIN, BEGIN + 60_000)), BEGIN, 60_000)
    first = max(everything, key=lambda segment: segment.messages)
    assert first.messages > 2
    numbering, births = Numbering(qos), encoder.births
    packets, count = numbering.births(births.messages(first.gateway, 7, BEGIN + 1), BEGIN + 1)
    seqs = []
    for stream in (packets, numbering.again(first.frames, BEGIN + 2), packets, first.frames):
        found = through_paho(stream)
        fields = [dict(wire.fields(bytes(message.payload))) for message in found]
        seqs.append([field[3] for field in fields])
    total = count + first.messages
    assert [*seqs[0], *seqs[1]] == [number % 256 for number in range(total)]
    assert [*seqs[2], *seqs[3]] == [number % 256 for number in range(total)], "as the encoder counts"
    again = through_paho(numbering.again(first.frames, BEGIN + 3))
    assert [m.payload[-20:] for m in again] == [m.payload[-20:] for m in through_paho(first.frames)]
    assert {dict(wire.fields(bytes(message.payload)))[1] for message in again} == {BEGIN + 3}
    assert numbering.births(births.messages(first.gateway, 7, BEGIN + 4), BEGIN + 4)[1] == count


def test_qos_0_has_no_packet_id(there: District) -> None:
    played = world(there, 60)
    encoder = Encoder(there, qos=0)
    segments = list(encoder.segments(list(played.reports(played.scenario.begin_ms, played.scenario.end_ms)),
                                     played.scenario.begin_ms, 50))  # fmt: skip
    found = [message for segment in segments for message in through_paho(segment.frames)]
    assert {message.qos for message in found} == {0}
    assert sum(len(decoded(message)) for message in found) == sum(segment.readings for segment in segments)


@given(
    values=st.lists(st.floats(-99_999, 999_999), min_size=1, max_size=30), decimals=st.integers(0, 3),
)  # fmt: skip
def test_numbers_are_written_as_python_writes_them(values: list[float], decimals: int) -> None:
    rounded = np.rint(np.array(values) * 10**decimals) / 10**decimals
    text = number_text(rounded, 12, decimals)
    for row, value in zip(text, rounded.tolist(), strict=True):
        written = row.tobytes()
        assert len(written) == 12
        assert msgspec.json.decode(written, type=float) == value
        assert written.strip().decode() == (f"{value:.{decimals}f}" if value else f"{0.0:.{decimals}f}")


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit into 6 characters"):
        number_text(np.array([1.0, 12_345.67]), 6, 2)
    with pytest.raises(ValueError, match="does not fit into 6 characters"):
        number_text(np.array([-999.99]), 6, 2)
    assert number_text(np.array([-99.99]), 6, 2).tobytes() == b"-99.99"


@given(st.lists(st.integers(1_000_000_000_000, 9_999_999_999_999), min_size=1, max_size=20))
def test_times_are_written_as_python_writes_them(times: list[int]) -> None:
    assert [row.tobytes().decode() for row in time_text(np.array(times, np.int64))] == [str(t) for t in times]
