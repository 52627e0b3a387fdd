"""How gateways write reports down: single readings and packs, many at a time; SenML stands in `simulators.senml`.

Frames of one layout are rows of a matrix that is made once; time, values and packet id are patched into their columns.

References: `docs/asyncapi.yaml`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.chance import Floats, Ints
from simulators.district import District
from simulators.kinds import Kind
from simulators.wire import Bytes, publish_packet
from simulators.world import Reports

WIDTH = 10
"""Characters of a number."""
MOST_IN_PACK = 500
TRUTHS = np.frombuffer(b"false true", np.uint8).reshape(2, 5)
"""The text of false and true, of one width."""
_TIME_DIGITS = 13
_STATE_WIDTH = 5
_FOUR = np.frombuffer(b"".join(b"%04d" % i for i in range(10_000)), np.uint32)
"""The text of four digits as one number."""
_POWERS = 10 ** np.arange(1, 13, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Rows:
    """Encoded pieces before they are put in order: one text each, columns of one length."""

    gateway: Ints
    sent: Ints
    event: Ints
    pieces: NDArray[np.object_]
    readings: Ints
    again: NDArray[np.bool_]


class Form(Protocol):
    """How a gateway writes reports down."""

    def rows(self, reports: Reports, which: Ints, again: NDArray[np.bool_]) -> Iterator[Rows]:
        """The reports `which`, encoded; `again` marks those that are second copies."""

    def frames(self, gateway: int, pieces: Sequence[bytes], packet_id: int) -> tuple[bytes, int]:
        """(PUBLISH packets, how many) of one gateway's pieces; packet ids go on from `packet_id`, 0 for QoS 0."""


def number_text(values: Floats, width: int, decimals: int) -> Bytes:
    """Numbers as text of one width, spaces on the left, shape (n, width).

    Raises:
        ValueError: If one does not fit.
    """
    scaled = np.rint(np.abs(values) * 10.0**decimals).astype(np.int64)
    negative = np.flatnonzero((values < 0) & (scaled > 0))
    if len(scaled) and int(scaled.max()) >= 10 ** (width - (decimals > 0)):
        raise ValueError(f"a value does not fit into {width} characters")
    groups = np.empty((len(scaled), 3), np.uint32)
    groups[:, 2] = _FOUR[scaled % 10_000]
    rest = scaled // 10_000
    groups[:, 1] = _FOUR[rest % 10_000]
    groups[:, 0] = _FOUR[rest // 10_000]
    text = groups.view(np.uint8)
    lead = 12 - np.maximum(np.searchsorted(_POWERS, scaled, side="right") + 1, decimals + 1)
    text[np.arange(12) < lead[:, None]] = ord(" ")
    if len(negative):
        if int(lead[negative].min()) < 13 - width + (decimals > 0):
            raise ValueError(f"a value does not fit into {width} characters")
        text[negative, lead[negative] - 1] = ord("-")
    if not decimals:
        return np.asarray(text[:, 12 - width :])
    out = np.empty((len(scaled), width), np.uint8)
    point = width - decimals - 1
    out[:, :point] = text[:, 12 - decimals - point : 12 - decimals]
    out[:, point] = ord(".")
    out[:, point + 1 :] = text[:, 12 - decimals :]
    return out


def time_text(t_ms: Ints) -> Bytes:
    """Milliseconds since the epoch as text, shape (n, 13)."""
    groups = np.empty((len(t_ms), 4), np.uint32)
    groups[:, 3] = _FOUR[t_ms % 10_000]
    rest = t_ms // 10_000
    groups[:, 2] = _FOUR[rest % 10_000]
    rest //= 10_000
    groups[:, 1] = _FOUR[rest % 10_000]
    groups[:, 0] = _FOUR[rest // 10_000]
    return np.asarray(groups.view(np.uint8)[:, 16 - _TIME_DIGITS :])


@dataclass(frozen=True, slots=True)
class Layout:
    """Frames of the devices of one kind with the same metrics, and where in them what is patched stands."""

    table: Bytes
    metrics: tuple[int, ...]
    time: slice
    values: tuple[slice, ...]


def _value_text(kind: Kind, metric: int, values: Floats) -> Bytes:
    spec = kind.metrics[metric]
    if spec.state:
        return np.asarray(TRUTHS[(values > 0.5).astype(np.int64)])
    return number_text(values, WIDTH, spec.decimals)


def _blank(kind: Kind, metric: int) -> bytes:
    return b" " * (_STATE_WIDTH if kind.metrics[metric].state else WIDTH)


def texts(frames: Bytes) -> NDArray[np.object_]:
    """The rows as bytes objects; none ends with a zero byte, which this would take away."""
    return np.ascontiguousarray(frames).view(f"S{frames.shape[1]}").ravel().astype(object)


def by_fullness(kind: Kind, reports: Reports, which: Ints) -> Iterator[tuple[bool, NDArray[np.bool_]]]:
    """The reports `which` of the main metrics alone, then those of all: (whether of all, mask over `which`), if any."""
    rest = next((i for i, metric in enumerate(kind.metrics) if not metric.main), None)
    full = np.ones(len(which), np.bool_) if rest is None else ~np.isnan(reports.values[rest, which])
    for whole in (False, True):
        taken = full == whole
        if taken.any():
            yield whole, taken


class Singles:
    """One PUBLISH for each report: `{"t":1700000000000,"v":{"depth_cm":12.3}}` on `sw/v1/{gateway}/tele/{device}`."""

    def __init__(self, district: District, qos: int) -> None:
        self._district = district
        self._qos = qos
        self._layouts: dict[tuple[int, bool], Layout] = {}

    def rows(self, reports: Reports, which: Ints, again: NDArray[np.bool_]) -> Iterator[Rows]:
        """One piece a report: its frame."""
        kind = self._district.kinds[reports.kind]
        first = self._district.fleets[reports.kind].first
        for whole, taken in by_fullness(kind, reports, which):
            rows = which[taken]
            layout = self._layout(reports.kind, whole)
            frames = layout.table[reports.rows[rows]]
            frames[:, layout.time] = time_text(reports.event[rows])
            for metric, where in zip(layout.metrics, layout.values, strict=True):
                frames[:, where] = _value_text(kind, metric, reports.values[metric, rows])
            yield Rows(
                self._district.gateway_of[reports.rows[rows] + first], reports.sent[rows], reports.event[rows],
                texts(frames),
                np.full(len(rows), len(layout.metrics)), again[taken],
            )  # fmt: skip

    def frames(self, gateway: int, pieces: Sequence[bytes], packet_id: int) -> tuple[bytes, int]:
        """The pieces are frames already; only their packet ids are missing."""
        del gateway
        if not self._qos:
            return b"".join(pieces), len(pieces)
        out = bytearray()
        for piece in pieces:
            at = len(out) + self._id_at(piece)
            out += piece
            out[at] = packet_id >> 8
            out[at + 1] = packet_id & 255
            packet_id = packet_id % 65_000 + 1
        return bytes(out), len(pieces)

    @staticmethod
    def _id_at(frame: bytes) -> int:
        """Where the packet id stands: behind the topic, whose length stands behind the fixed header."""
        start = 2 if frame[1] < 128 else 3
        return start + 2 + (frame[start] << 8 | frame[start + 1])

    def _layout(self, kind: int, whole: bool) -> Layout:  # noqa: FBT001 - half of a key
        if (kind, whole) not in self._layouts:
            self._layouts[kind, whole] = self._made(kind, whole)
        return self._layouts[kind, whole]

    def _made(self, number: int, whole: bool) -> Layout:  # noqa: FBT001 - as above
        kind, fleet = self._district.kinds[number], self._district.fleets[number]
        metrics = tuple(i for i, m in enumerate(kind.metrics) if whole or m.main)
        payload = b'{"t":' + b"0" * _TIME_DIGITS + b',"v":{'
        values: list[slice] = []
        for i, metric in enumerate(metrics):
            payload += (b"," if i else b"") + b'"' + kind.metrics[metric].name.encode() + b'":'
            values.append(slice(len(payload), len(payload) + len(_blank(kind, metric))))
            payload += _blank(kind, metric)
        payload += b"}}"
        devices = self._district.devices[fleet.first : fleet.first + len(fleet)]
        frames = [
            publish_packet(f"sw/v1/{d.gateway}/tele/{d.id}", payload, packet_id=1 if self._qos else 0) for d in devices
        ]
        start = len(frames[0]) - len(payload)
        return Layout(
            np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1), metrics,
            slice(start + 5, start + 5 + _TIME_DIGITS),
            tuple(slice(start + s.start, start + s.stop) for s in values),
        )  # fmt: skip


class Table(Protocol):
    """How the pieces of a message of many readings are written; a piece is one reading."""

    level: str
    """The last level of the topic."""

    def piece(self, device: str, kind: Kind, metric: int) -> tuple[bytes, slice, slice]:
        """A piece of a device with blanks, and where in it time and value stand; of one length for a metric."""

    def time(self, t_ms: Ints) -> Bytes:
        """Times as they are patched in, shape (n, width)."""

    def value(self, kind: Kind, metric: int, values: Floats) -> Bytes:
        """Values as they are patched in, shape (n, width)."""

    def payload(self, pieces: Sequence[bytes]) -> bytes:
        """A message of pieces."""


class Tabled:
    """Many readings in a PUBLISH, at most 500, in any form that is a `Table`."""

    def __init__(self, table: Table, district: District, qos: int) -> None:
        self._table = table
        self._district = district
        self._qos = qos
        self._layouts: dict[tuple[int, int], Layout] = {}
        self._topics = [f"sw/v1/{gateway}/{table.level}" for gateway in district.gateways]

    def rows(self, reports: Reports, which: Ints, again: NDArray[np.bool_]) -> Iterator[Rows]:
        """One piece a reading."""
        kind = self._district.kinds[reports.kind]
        first = self._district.fleets[reports.kind].first
        for metric in range(len(kind.metrics)):
            there = ~np.isnan(reports.values[metric, which])
            rows = which[there]
            if not len(rows):
                continue
            layout = self._layout(reports.kind, metric)
            pieces = layout.table[reports.rows[rows]]
            pieces[:, layout.time] = self._table.time(reports.event[rows])
            pieces[:, layout.values[0]] = self._table.value(kind, metric, reports.values[metric, rows])
            yield Rows(
                self._district.gateway_of[reports.rows[rows] + first], reports.sent[rows], reports.event[rows],
                texts(pieces),
                np.ones(len(rows), np.int64), again[there],
            )  # fmt: skip

    def frames(self, gateway: int, pieces: Sequence[bytes], packet_id: int) -> tuple[bytes, int]:
        """Messages of at most 500 readings."""
        out: list[bytes] = []
        for start in range(0, len(pieces), MOST_IN_PACK):
            payload = self._table.payload(pieces[start : start + MOST_IN_PACK])
            out.append(publish_packet(self._topics[gateway], payload, packet_id=packet_id if self._qos else 0))
            packet_id = packet_id % 65_000 + 1
        return b"".join(out), len(out)

    def _layout(self, kind: int, metric: int) -> Layout:
        if (kind, metric) not in self._layouts:
            self._layouts[kind, metric] = self._made(kind, metric)
        return self._layouts[kind, metric]

    def _made(self, number: int, metric: int) -> Layout:
        kind, fleet = self._district.kinds[number], self._district.fleets[number]
        devices = self._district.devices[fleet.first : fleet.first + len(fleet)]
        pieces = [self._table.piece(device.id, kind, metric) for device in devices]
        table = np.frombuffer(b"".join(piece for piece, _, _ in pieces), np.uint8).reshape(len(pieces), -1)
        return Layout(table, (metric,), pieces[0][1], (pieces[0][2],))


class Packs:
    """`{"r":[["rwl-00001","depth_cm",1700000000000,12.3]]}` on `sw/v1/{gateway}/pack`."""

    level = "pack"

    def piece(self, device: str, kind: Kind, metric: int) -> tuple[bytes, slice, slice]:
        """One row and a comma."""
        blank = _blank(kind, metric)
        head = f'["{device}","{kind.metrics[metric].name}",'.encode()
        time = slice(len(head), len(head) + _TIME_DIGITS)
        value = slice(time.stop + 1, time.stop + 1 + len(blank))
        return head + b"0" * _TIME_DIGITS + b"," + blank + b"],", time, value

    def time(self, t_ms: Ints) -> Bytes:
        """Milliseconds."""
        return time_text(t_ms)

    def value(self, kind: Kind, metric: int, values: Floats) -> Bytes:
        """A number, or true or false."""
        return _value_text(kind, metric, values)

    def payload(self, pieces: Sequence[bytes]) -> bytes:
        """Rows in an object."""
        return b'{"r":[' + b"".join(pieces)[:-1] + b"]}"
