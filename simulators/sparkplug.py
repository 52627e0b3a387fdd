"""Gateways that speak Sparkplug B: births, data and deaths, byte by byte and by no code that decodes them.

What changes with the moment of sending, the number (`seq`) and the payload's own time, stands in front of each payload,
so that an edge node can put it in when a message leaves: births start the numbers again, whenever somebody asks.

References: Sparkplug 3.0.0, chapters 4 to 6 (verified: yes); Protocol Buffers, "Encoding" (verified: no, from memory).
"""

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.chance import Ints
from simulators.district import District
from simulators.forms import Layout, Rows, by_fullness, texts
from simulators.wire import Bytes, publish_packet, text, variable
from simulators.world import Reports

GROUP = "district"
_FIRST_ALIAS, _LAST_ALIAS = 128, (1 << 14) - 1
"""All of two bytes, and none that ends with a zero byte."""
_TIME_BYTES = 6
_INT64, _DOUBLE, _BOOLEAN = 4, 10, 11
_STATE_WIDTH, _NUMBER_WIDTH = 1, 8
_LAST_PACKET_ID = 65_000


def field(number: int, content: int | bytes) -> bytes:
    """A field with a number, or with bytes; numbers are written as MQTT writes its lengths."""
    if isinstance(content, int):
        return variable(number << 3) + variable(content)
    return variable(number << 3 | 2) + variable(len(content)) + content


def topic(kind: str, gateway: str, device: str = "") -> str:
    """Where an edge node of the district publishes, or listens."""
    return f"spBv1.0/{GROUP}/{kind}/{gateway}" + (f"/{device}" if device else "")


def death(bd_seq: int) -> bytes:
    """The will of an edge node, and its good-bye."""
    return field(2, field(1, b"bdSeq") + field(4, _INT64) + field(11, bd_seq))


class Births:
    """What each edge node of a district says it has: itself, then a device after the other.

    Args:
        district: Whose.
        speaks: Which gateways are edge nodes.

    Attributes:
        first: Alias of the first metric of each device, by kind; those of its other metrics follow.

    Raises:
        ValueError: If a gateway has more metrics than there are aliases of two bytes.
    """

    def __init__(self, district: District, speaks: NDArray[np.bool_]) -> None:
        self._district = district
        self._devices: dict[int, list[tuple[int, int, int]]] = {int(g): [] for g in np.flatnonzero(speaks)}
        self.first = [np.full(len(fleet), _FIRST_ALIAS, np.int64) for fleet in district.fleets]
        following = dict.fromkeys(self._devices, _FIRST_ALIAS)
        for number, (kind, fleet) in enumerate(zip(district.kinds, district.fleets, strict=True)):
            for row in range(len(fleet)):
                gateway = int(district.gateway_of[fleet.first + row])
                if gateway in following:
                    self._devices[gateway].append((number, row, following[gateway]))
                    self.first[number][row] = following[gateway]
                    following[gateway] += len(kind.metrics)
        if max(following.values(), default=0) > _LAST_ALIAS:
            raise ValueError(f"an edge node has more than {_LAST_ALIAS - _FIRST_ALIAS} metrics")

    def count(self, gateway: int) -> int:
        """How many births an edge node has: its own and those of its devices."""
        return 1 + len(self._devices[gateway])

    def messages(self, gateway: int, bd_seq: int, now_ms: int) -> Iterator[tuple[str, bytes]]:
        """(topic, payload without what comes in front) of every birth of an edge node, in order."""
        name = self._district.gateways[gateway]
        stamp = field(3, now_ms)
        control = field(1, b"Node Control/Rebirth") + stamp + field(4, _BOOLEAN) + field(14, 0)
        yield topic("NBIRTH", name), death(bd_seq) + field(2, control)
        for number, row, alias in self._devices[gateway]:
            kind, fleet = self._district.kinds[number], self._district.fleets[number]
            # Nothing was measured yet: a value of before would be a reading that was sent twice.
            metrics = b"".join(
                field(2, field(1, metric.name.encode()) + field(2, alias + i) + stamp
                      + field(4, _BOOLEAN if metric.state else _DOUBLE) + field(7, 1))
                for i, metric in enumerate(kind.metrics)
            )  # fmt: skip
            yield topic("DBIRTH", name, self._district.devices[fleet.first + row].id), metrics


class Numbering:
    """The counters of one edge node: which `seq` and which packet id come next."""

    def __init__(self, qos: int, *, said: int = 0) -> None:
        """After so many messages that were `said` already."""
        self._qos = qos
        self._seq = said % 256
        self._packet_id = 0

    def births(self, messages: Iterator[tuple[str, bytes]], now_ms: int) -> tuple[bytes, int]:
        """(PUBLISH packets, how many) of births: the first one has the number 0."""
        self._seq = 0
        packets = [self.packet(name, rest, now_ms) for name, rest in messages]
        return b"".join(packets), len(packets)

    def again(self, packets: bytes, now_ms: int) -> bytes:
        """The same packets with the numbers and the time of now."""
        out: list[bytes] = []
        at = 0
        while at < len(packets):
            at, size = _varint(packets, at + 1)
            end = at + size
            (length,) = struct.unpack_from("!H", packets, at)
            name = packets[at + 2 : at + 2 + length].decode()
            at, _ = _varint(packets, at + 2 + length + (2 if self._qos else 0) + 1 + 1)  # its number
            at, _ = _varint(packets, at + 1)  # its time
            out.append(self.packet(name, packets[at:end], now_ms))
            at = end
        return b"".join(out)

    def packet(self, name: str, rest: bytes, now_ms: int) -> bytes:
        """The next PUBLISH packet."""
        payload = field(3, self._seq) + field(1, now_ms) + rest
        self._seq = (self._seq + 1) % 256
        self._packet_id = self._packet_id % _LAST_PACKET_ID + 1
        return publish_packet(name, payload, packet_id=self._packet_id if self._qos else 0)


class Data:
    """One DDATA for each report, its metrics by alias. See `simulators.forms.Form`.

    Packets are numbered as if every edge node had said its births once, and then sends what is made here in this order.
    """

    def __init__(self, district: District, births: Births, qos: int) -> None:
        self._district = district
        self._births = births
        self._qos = qos
        self._numbering: dict[int, Numbering] = {}
        self._layouts: dict[tuple[int, bool], Layout] = {}

    def rows(self, reports: Reports, which: Ints, again: NDArray[np.bool_]) -> Iterator[Rows]:
        """One piece a report: when it is sent, its topic, and what stands behind number and time."""
        kind = self._district.kinds[reports.kind]
        first = self._district.fleets[reports.kind].first
        for whole, taken in by_fullness(kind, reports, which):
            rows = which[taken]
            layout = self._layout(reports.kind, whole)
            pieces = layout.table[reports.rows[rows]]
            pieces[:, layout.time] = varints(reports.sent[rows])
            stamp = varints(reports.event[rows])
            for metric, where in zip(layout.metrics, layout.values, strict=True):
                values = reports.values[metric, rows]
                pieces[:, where.start - 1 - _TIME_BYTES : where.start - 1] = stamp
                if kind.metrics[metric].state:
                    pieces[:, where] = (values > 0.5)[:, None]
                else:
                    pieces[:, where] = np.ascontiguousarray(values, "<f8")[:, None].view(np.uint8)
            yield Rows(
                self._district.gateway_of[reports.rows[rows] + first], reports.sent[rows], reports.event[rows],
                texts(pieces), np.full(len(rows), len(layout.metrics)), again[taken],
            )  # fmt: skip

    def frames(self, gateway: int, pieces: Sequence[bytes], packet_id: int) -> tuple[bytes, int]:
        """A PUBLISH for each piece."""
        del packet_id
        if gateway not in self._numbering:
            self._numbering[gateway] = Numbering(self._qos, said=self._births.count(gateway))
        packet = self._numbering[gateway].packet
        out = []
        for piece in pieces:
            at, sent_ms = _varint(piece, 0)
            (length,) = struct.unpack_from("!H", piece, at)
            out.append(packet(piece[at + 2 : at + 2 + length].decode(), piece[at + 2 + length :], sent_ms))
        return b"".join(out), len(out)

    def _layout(self, kind: int, whole: bool) -> Layout:  # noqa: FBT001 - half of a key
        if (kind, whole) not in self._layouts:
            self._layouts[kind, whole] = self._made(kind, whole)
        return self._layouts[kind, whole]

    def _made(self, number: int, whole: bool) -> Layout:  # noqa: FBT001 - as above
        kind, fleet = self._district.kinds[number], self._district.fleets[number]
        metrics = tuple(i for i, m in enumerate(kind.metrics) if whole or m.main)
        rows: list[bytes] = []
        values: list[slice] = []
        for device, first in zip(
            self._district.devices[fleet.first : fleet.first + len(fleet)], self._births.first[number], strict=True
        ):
            piece = bytes(_TIME_BYTES) + text(topic("DDATA", device.gateway, device.id))
            values = []
            for metric in metrics:
                state = kind.metrics[metric].state
                width = _STATE_WIDTH if state else _NUMBER_WIDTH
                value = (b"\x70" if state else b"\x69") + bytes(width)
                body = b"\x18" + bytes(_TIME_BYTES) + value + field(2, int(first) + metric)
                start = len(piece) + 2 + 1 + _TIME_BYTES + 1
                values.append(slice(start, start + width))
                piece += field(2, body)
            rows.append(piece)
        table = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
        return Layout(table, metrics, slice(0, _TIME_BYTES), tuple(values))


def varints(t_ms: Ints) -> Bytes:
    """Milliseconds since the epoch as varints, which have six bytes from 1971 to 2109, shape (n, 6)."""
    shifts = np.arange(0, 7 * _TIME_BYTES, 7)
    out = (t_ms[:, None] >> shifts & 127).astype(np.uint8)
    out[:, :-1] |= 128
    return out


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(where it ends, the number)."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return at, number
