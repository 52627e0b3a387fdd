"""Frames are taken apart here by other people's code: paho's reader of packets, and msgspec's of JSON."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from simulators.district import District
from simulators.encode import Encoder, number_text, time_text
from simulators.play import split
from simulators.run import feeds
from simulators.world import World
from tests.unit.simulators.parts import joined, world


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


def messages(played: World, chunk_ms: int = 1_000, *, packs: bool | None = None) -> Iterator[MQTTMessage]:
    district = played.district
    forms = None if packs is None else np.full(len(district.gateways), packs)
    encoder = Encoder(district, packs=forms)
    held: list[object] = []
    for begin in range(played.scenario.begin_ms, played.scenario.end_ms, chunk_ms):
        end = min(begin + chunk_ms, played.scenario.end_ms)
        now, held = split([*held, *played.reports(begin, end)], end)  # type: ignore[list-item,assignment]
        for segment in encoder.segments(now, begin, 10):
            found = through_paho(segment.frames)
            assert len(found) == segment.messages
            yield from found


def decoded(message: MQTTMessage) -> list[tuple[str, str, int, float]]:
    level = message.topic.split("/")
    assert level[:2] == ["sw", "v1"]
    body = msgspec.json.decode(message.payload)
    if level[3] == "pack":
        return [(device, metric, t, float(value)) for device, metric, t, value in body["r"]]
    assert level[3] == "tele"
    return [(level[4], metric, body["t"], float(value)) for metric, value in body["v"].items()]


@pytest.mark.parametrize("packs", ["as the district has it", "singles", "packs"])
def test_what_paho_and_msgspec_read_is_what_the_sensors_said(there: District, packs: str) -> None:
    played = world(there, 180, incidents=20, faults=5)
    form = {"singles": False, "packs": True}.get(packs)
    on_wire = sorted(row for message in messages(played, packs=form) for row in decoded(message))
    names = feeds(played)
    batch = joined(played)
    said = sorted(
        (*names[feed], event, value)
        for feed, event, value in zip(batch.feed.tolist(), batch.event_ms.tolist(), batch.value.tolist(), strict=True)
    )
    # What is still held back at the end comes in a batch, but not on a wire that has been closed.
    assert len(on_wire) >= 0.97 * len(said)
    assert set(on_wire) <= set(said)


def test_every_gateway_publishes_under_its_own_name_with_fresh_packet_ids(there: District) -> None:
    gateway_of = {device.id: device.gateway for device in there.devices}
    last: dict[str, int] = {}
    for message in messages(world(there, 180)):
        gateway = message.topic.split("/")[2]
        assert all(gateway_of[device] == gateway for device, *_ in decoded(message))
        assert message.qos == 1
        assert not message.retain
        assert message.mid == last.get(gateway, 0) % 65_000 + 1
        last[gateway] = message.mid
    assert len(last) > 5


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
