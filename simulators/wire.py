"""Gateways that speak MQTT 5 by themselves: encoders of their own, so that a mistake of the decoders is not shared.

Frames of one length are rows of a matrix; time, value and packet id are patched into their columns, and what goes out
is the rows' bytes as they lie in memory: one core offers more than any broker takes.

References: MQTT 5.0 (verified: yes).
"""

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_TIME_DIGITS = 13
_VALUE_WIDTH = 9
_DECIMALS = 2
_RECEIVE_MAXIMUM = 0x21
_CONNACK_SIZES = {
    0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
"""Bytes of the properties that a CONNACK may have and that are no strings (MQTT 5.0, 3.2.2.3)."""


class RefusedError(Exception):
    """The broker did not let the gateway in."""


def variable(number: int) -> bytes:
    """A variable byte integer."""
    out = bytearray()
    while True:
        number, low = number >> 7, number & 127
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def text(value: str) -> bytes:
    """A string with its length."""
    raw = value.encode()
    return struct.pack("!H", len(raw)) + raw


def connect_packet(user: str, password: str, client_id: str, *, keepalive_s: int, will: "Will") -> bytes:
    """CONNECT of MQTT 5 with a will at QoS 1 and a clean start."""
    flags = 0b1100_1110 | will.retain << 5
    header = text("MQTT") + bytes([5, flags]) + struct.pack("!H", keepalive_s) + b"\0"
    body = (
        text(client_id)
        + b"\0"
        + text(will.topic)
        + struct.pack("!H", len(will.payload))
        + will.payload
        + text(user)
        + text(password)
    )
    return b"\x10" + variable(len(header) + len(body)) + header + body


def publish_packet(topic: str, payload: bytes, *, packet_id: int = 0, retain: bool = False) -> bytes:
    """PUBLISH, at QoS 1 if `packet_id` is given."""
    body = text(topic) + (struct.pack("!H", packet_id) if packet_id else b"") + b"\0" + payload
    return bytes([0x30 | (2 if packet_id else 0) | int(retain)]) + variable(len(body)) + body


def subscribe_packet(topic: str) -> bytes:
    """SUBSCRIBE to one topic at QoS 0."""
    body = struct.pack("!H", 0xFFFF) + b"\0" + text(topic) + b"\0"
    return b"\x82" + variable(len(body)) + body


def fixed(values: NDArray[np.float64], width: int = _VALUE_WIDTH, decimals: int = _DECIMALS) -> Bytes:
    """Numbers as text of one width, padded with spaces on the left, shape (n, width)."""
    scaled = np.rint(np.asarray(values, np.float64) * 10**decimals).astype(np.int64)
    negative = scaled < 0
    rest = np.abs(scaled)
    out = np.full((len(scaled), width), ord(" "), np.uint8)
    at = width - 1
    for _ in range(decimals):
        out[:, at] = ord("0") + rest % 10
        rest //= 10
        at -= 1
    out[:, at] = ord(".")
    at -= 1
    first = True
    while at >= 0:
        shown = (rest > 0) | first
        out[shown, at] = ord("0") + rest[shown] % 10
        sign = ~shown & negative
        out[sign, at] = ord("-")
        negative = negative & ~sign
        rest //= 10
        first = False
        at -= 1
    if rest.any() or negative.any():
        raise ValueError(f"a value does not fit into {width} characters")
    return out


class Singles:
    """PUBLISH frames of one reading each, for devices whose topics are equally long.

    Attributes:
        topics: Their topics.
    """

    def __init__(self, gateway: str, devices: Sequence[str], metric: str, *, qos: int) -> None:
        lengths = {len(device.encode()) for device in devices}
        if len(lengths) != 1:
            raise ValueError("devices of one table have names of one length")
        self.topics = [f"sw/v1/{gateway}/tele/{device}" for device in devices]
        payload = b'{"t":' + b"0" * _TIME_DIGITS + b',"v":{"' + metric.encode() + b'":' + b" " * _VALUE_WIDTH + b"}}"
        frames = [publish_packet(topic, payload, packet_id=1 if qos else 0) for topic in self.topics]
        self.frames = np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1)
        start = len(frames[0]) - len(payload)
        self._time = slice(start + 5, start + 5 + _TIME_DIGITS)
        value = len(frames[0]) - 2 - _VALUE_WIDTH
        self._value = slice(value, value + _VALUE_WIDTH)
        self._packet_id = start - 3 if qos else None

    def encode(
        self, rows: NDArray[np.int64], time_ms: int, values: NDArray[np.float64], packet_ids: NDArray[np.int64] | None
    ) -> bytes:
        """Frames of the devices `rows`, all at `time_ms`, with their values and packet ids."""
        frames = self.frames[rows]
        frames[:, self._time] = np.frombuffer(b"%013d" % time_ms, np.uint8)
        frames[:, self._value] = fixed(values)
        if self._packet_id is not None and packet_ids is not None:
            frames[:, self._packet_id] = packet_ids >> 8
            frames[:, self._packet_id + 1] = packet_ids & 255
        return frames.tobytes()


class Packs:
    """PUBLISH frames of many readings each, for devices whose names are equally long."""

    def __init__(self, gateway: str, devices: Sequence[str], metric: str, *, size: int, qos: int) -> None:
        self.topic = f"sw/v1/{gateway}/pack"
        self.size = size
        self._qos = qos
        rows = [
            b'["%s","%s",%s,%s],' % (d.encode(), metric.encode(), b"0" * _TIME_DIGITS, b" " * _VALUE_WIDTH)
            for d in devices
        ]
        self._rows = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
        end = self._rows.shape[1] - 2
        self._value = slice(end - _VALUE_WIDTH, end)
        self._time = slice(end - _VALUE_WIDTH - 1 - _TIME_DIGITS, end - _VALUE_WIDTH - 1)

    def encode(self, rows: NDArray[np.int64], time_ms: int, values: NDArray[np.float64], packet_id: int) -> bytes:
        """One frame with the readings of the devices `rows`."""
        body = self._rows[rows]
        body[:, self._time] = np.frombuffer(b"%013d" % time_ms, np.uint8)
        body[:, self._value] = fixed(values)
        payload = b'{"r":[' + body.tobytes()[:-1] + b"]}"
        return publish_packet(self.topic, payload, packet_id=packet_id if self._qos else 0)


class Will(NamedTuple):
    """What the broker says for a gateway that is gone."""

    topic: str
    payload: bytes
    retain: bool = True


class Connection:
    """One gateway's connection: queues bytes, counts acknowledgements, hands out packet ids within the window.

    Attributes:
        heard: Messages that came on the topic that is listened to and were not looked at yet.

    Raises:
        RefusedError: If the broker does not let it in.
        OSError: If nobody answers.
    """

    def __init__(
        self,
        host: str,
        port: int,
        gateway: str,
        password: str,
        *,
        user: str | None = None,
        client_id: str = "",
        window: int = 60_000,
        will: Will | None = None,
        listen: str = "",
    ) -> None:
        self.gateway = gateway
        self.heard: list[bytes] = []
        self.sent = 0
        self.acknowledged = 0
        self._out = bytearray()
        self._tail = b""
        self._next_id = 1
        self.socket = socket.create_connection((host, port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = connect_packet(
            user or gateway,
            password,
            client_id or gateway,
            keepalive_s=600,
            will=will or Will(f"sw/v1/{gateway}/state", b'{"online":false}'),
        )
        self.socket.sendall(hello)
        self.window = min(window, self._connack())
        if listen:
            self.socket.sendall(subscribe_packet(listen))
        self.socket.setblocking(False)

    @property
    def in_flight(self) -> int:
        """Messages of QoS 1 that are not acknowledged."""
        return self.sent - self.acknowledged

    @property
    def backlog(self) -> int:
        """Bytes that the network has not taken yet."""
        return len(self._out)

    def packet_ids(self, count: int) -> NDArray[np.int64]:
        """The next `count` packet ids; they come round after 65,535, which the window keeps from meeting."""
        ids = (self._next_id - 1 + np.arange(count)) % 65_535 + 1
        self._next_id = int(ids[-1]) % 65_535 + 1 if count else self._next_id
        return ids

    def queue(self, frames: bytes, messages: int) -> None:
        """Queue frames; `messages` of them want an acknowledgement."""
        self._out += frames
        self.sent += messages

    def pump(self) -> None:
        """Send what fits and read acknowledgements, without waiting.

        Raises:
            ConnectionError: If the broker closed the connection.
        """
        try:
            while self._out:
                count = self.socket.send(memoryview(self._out)[:262_144])
                del self._out[:count]
        except BlockingIOError:
            pass
        try:
            while data := self.socket.recv(262_144):
                self._read(data)
            raise ConnectionError(f"the broker closed the connection of {self.gateway}")
        except BlockingIOError:
            return

    def cut(self) -> None:
        """Break off without a word, as a gateway does that loses power: the broker publishes the will."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Say good-bye, so that the will is not published."""
        self.socket.setblocking(True)
        try:
            self.socket.sendall(bytes(self._out) + b"\xe0\x00")
            self.socket.close()
        except OSError:
            self.socket.close()

    def _read(self, data: bytes) -> None:
        data = self._tail + data
        at = 0
        while len(data) - at >= 2:
            size = 2 + data[at + 1]
            if len(data) - at < size:
                break
            if data[at] >> 4 == 4:
                self.acknowledged += 1
            elif data[at] >> 4 == 3:
                self.heard.append(data[at : at + size])
            at += size
        self._tail = data[at:]

    def _connack(self) -> int:
        data = b""
        while len(data) < 2 or len(data) < 2 + data[1]:
            piece = self.socket.recv(1024)
            if not piece:
                raise RefusedError(f"the broker closed the connection of {self.gateway}: wrong password?")
            data += piece
        if data[3] >= 0x80:
            raise RefusedError(f"the broker refused {self.gateway}: reason {data[3]:#04x}")
        return _receive_maximum(data[5 : 5 + data[4]])


def _receive_maximum(properties: bytes) -> int:
    at = 0
    while at < len(properties):
        kind = properties[at]
        if kind == _RECEIVE_MAXIMUM:
            return int(struct.unpack_from("!H", properties, at + 1)[0])
        size = _CONNACK_SIZES.get(kind)
        at += 1 + (2 + struct.unpack_from("!H", properties, at + 1)[0] if size is None else size)
    return 65_535
