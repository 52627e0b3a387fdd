"""Reports to MQTT frames, many at a time: single readings of some gateways, packs of the others.

Frames of one layout are rows of a matrix that is made once; time, values and packet id are patched into their columns.
What a kind of payload needs is a `Form`; further ones stand beside `Singles` and `Packs`.

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

_TIME_DIGITS = 13
_WIDTH = 10
_STATE_WIDTH = 5
_MOST_IN_PACK = 500
_DAY_MS = 86_400_000
_FOUR = np.frombuffer(b"".join(b"%04d" % i for i in range(10_000)), np.uint32)
"""The text of four digits as one number."""
_POWERS = 10 ** np.arange(1, 13, dtype=np.int64)
_TRUTHS = np.frombuffer(b"false true", np.uint8).reshape(2, _STATE_WIDTH)


@dataclass(frozen=True, slots=True)
class Segment:
    """What one gateway sends in one slot of time.

    Attributes:
        slot: Which slot, from the chunk's beginning on.
        gateway: Number of the gateway.
        frames: Whole PUBLISH packets.
        messages: How many.
        readings: Distinct readings in them.
        duplicates: Second copies in them.
    """

    slot: int
    gateway: int
    frames: bytes
    messages: int
    readings: int
    duplicates: int


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
class _Layout:
    """Frames of the devices of one kind with the same metrics, and where in them what is patched stands."""

    table: Bytes
    metrics: tuple[int, ...]
    time: slice
    values: tuple[slice, ...]


def _value_text(kind: Kind, metric: int, values: Floats) -> Bytes:
    spec = kind.metrics[metric]
    if spec.state:
        return np.asarray(_TRUTHS[(values > 0.5).astype(np.int64)])
    return number_text(values, _WIDTH, spec.decimals)


def _blank(kind: Kind, metric: int) -> bytes:
    return b" " * (_STATE_WIDTH if kind.metrics[metric].state else _WIDTH)


def _texts(frames: Bytes) -> NDArray[np.object_]:
    """The rows as bytes objects; none ends with a zero byte, which this would take away."""
    return np.ascontiguousarray(frames).view(f"S{frames.shape[1]}").ravel().astype(object)


class Singles:
    """One PUBLISH for each report: `{"t":1700000000000,"v":{"depth_cm":12.3}}` on `sw/v1/{gateway}/tele/{device}`."""

    def __init__(self, district: District, qos: int) -> None:
        self._district = district
        self._qos = qos
        self._layouts: dict[tuple[int, bool], _Layout] = {}

    def rows(self, reports: Reports, which: Ints, again: NDArray[np.bool_]) -> Iterator[Rows]:
        """One piece a report: its frame."""
        kind = self._district.kinds[reports.kind]
        first = self._district.fleets[reports.kind].first
        rest = next((i for i, metric in enumerate(kind.metrics) if not metric.main), None)
        full = np.ones(len(which), np.bool_) if rest is None else ~np.isnan(reports.values[rest, which])
        for whole in (False, True):
            taken = full == whole
            rows = which[taken]
            if not len(rows):
                continue
            layout = self._layout(reports.kind, whole)
            frames = layout.table[reports.rows[rows]]
            frames[:, layout.time] = time_text(reports.event[rows])
            for metric, where in zip(layout.metrics, layout.values, strict=True):
                frames[:, where] = _value_text(kind, metric, reports.values[metric, rows])
            yield Rows(
                self._district.gateway_of[reports.rows[rows] + first], reports.sent[rows], reports.event[rows],
                _texts(frames),
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

    def _layout(self, kind: int, whole: bool) -> _Layout:  # noqa: FBT001 - half of a key
        if (kind, whole) not in self._layouts:
            self._layouts[kind, whole] = self._made(kind, whole)
        return self._layouts[kind, whole]

    def _made(self, number: int, whole: bool) -> _Layout:  # noqa: FBT001 - as above
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
        return _Layout(
            np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1), metrics,
            slice(start + 5, start + 5 + _TIME_DIGITS),
            tuple(slice(start + s.start, start + s.stop) for s in values),
        )  # fmt: skip


class Packs:
    """Many readings in a PUBLISH: `{"r":[["rwl-00001","depth_cm",1700000000000,12.3]]}` on `sw/v1/{gateway}/pack`."""

    def __init__(self, district: District, qos: int) -> None:
        self._district = district
        self._qos = qos
        self._layouts: dict[tuple[int, int], _Layout] = {}
        self._topics = [f"sw/v1/{gateway}/pack" for gateway in district.gateways]

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
            pieces[:, layout.time] = time_text(reports.event[rows])
            pieces[:, layout.values[0]] = _value_text(kind, metric, reports.values[metric, rows])
            yield Rows(
                self._district.gateway_of[reports.rows[rows] + first], reports.sent[rows], reports.event[rows],
                _texts(pieces),
                np.ones(len(rows), np.int64), again[there],
            )  # fmt: skip

    def frames(self, gateway: int, pieces: Sequence[bytes], packet_id: int) -> tuple[bytes, int]:
        """Packs of at most 500 readings."""
        out: list[bytes] = []
        for start in range(0, len(pieces), _MOST_IN_PACK):
            payload = b'{"r":[' + b"".join(pieces[start : start + _MOST_IN_PACK])[:-1] + b"]}"
            out.append(publish_packet(self._topics[gateway], payload, packet_id=packet_id if self._qos else 0))
            packet_id = packet_id % 65_000 + 1
        return b"".join(out), len(out)

    def _layout(self, kind: int, metric: int) -> _Layout:
        if (kind, metric) not in self._layouts:
            self._layouts[kind, metric] = self._made(kind, metric)
        return self._layouts[kind, metric]

    def _made(self, number: int, metric: int) -> _Layout:
        kind, fleet = self._district.kinds[number], self._district.fleets[number]
        blank = _blank(kind, metric)
        tail = b'","' + kind.metrics[metric].name.encode() + b'",' + b"0" * _TIME_DIGITS + b"," + blank + b"],"
        devices = self._district.devices[fleet.first : fleet.first + len(fleet)]
        rows = [b'["' + device.id.encode() + tail for device in devices]
        end = len(rows[0]) - 2
        value = slice(end - len(blank), end)
        time = slice(value.start - 1 - _TIME_DIGITS, value.start - 1)
        return _Layout(np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1), (metric,), time, (value,))


class Encoder:
    """All gateways' reports to what each sends in each slot of time.

    Args:
        district: Whose.
        qos: 0 or 1.
        packs: Which gateways send packs; None for what the district says.
    """

    def __init__(self, district: District, *, qos: int = 1, packs: NDArray[np.bool_] | None = None) -> None:
        self._district = district
        self._qos = qos
        self._packs = district.packs if packs is None else packs
        self._forms: tuple[Form, Form] = (Singles(district, qos), Packs(district, qos))
        self._next = np.ones(len(district.gateways), np.int64)

    def segments(self, reports: Sequence[Reports], begin_ms: int, slot_ms: float) -> Iterator[Segment]:
        """Segments in the order of their slots, of reports that are all sent at `begin_ms` or later."""
        rows = [(pack, r) for one in reports for pack in (False, True) for r in self._rows(one, pack)]
        if not rows:
            return
        gateway = np.concatenate([r.gateway for _, r in rows])
        sent = np.concatenate([r.sent for _, r in rows]) - begin_ms
        slot = (sent / slot_ms).astype(np.int64)
        # In the order of their times: a second copy comes right behind the first.
        within = sent * _DAY_MS + np.concatenate([r.event for _, r in rows]) % _DAY_MS
        readings = np.concatenate([r.readings for _, r in rows])
        again = np.concatenate([r.again for _, r in rows])
        pieces = np.concatenate([r.pieces for _, r in rows])
        order = np.lexsort((within, slot * len(self._next) + gateway))
        gateway, slot, readings, again, pieces = (c[order] for c in (gateway, slot, readings, again, pieces))
        cut = np.flatnonzero((np.diff(slot) != 0) | (np.diff(gateway) != 0)) + 1
        first = np.concatenate([[0], cut])
        total = np.add.reduceat(readings, first)
        double = np.add.reduceat(readings * again, first)
        listed = pieces.tolist()
        ends = [*cut.tolist(), len(listed)]
        for i, (start, end) in enumerate(zip(first.tolist(), ends, strict=True)):
            yield self._segment(int(slot[start]), int(gateway[start]), listed[start:end], int(total[i]), int(double[i]))

    def _rows(self, reports: Reports, pack: bool) -> Iterator[Rows]:  # noqa: FBT001 - one of two forms
        first = self._district.fleets[reports.kind].first
        which = np.flatnonzero(self._packs[self._district.gateway_of[reports.rows + first]] == pack)
        if len(reports.repeated):
            twice = which[reports.repeated[which]]
            again = np.concatenate([np.zeros(len(which), np.bool_), np.ones(len(twice), np.bool_)])
            which = np.concatenate([which, twice])
        else:
            again = np.zeros(len(which), np.bool_)
        yield from self._forms[pack].rows(reports, which, again)

    def _segment(self, slot: int, gateway: int, pieces: list[bytes], readings: int, again: int) -> Segment:
        packet_id = int(self._next[gateway])
        frames, messages = self._forms[bool(self._packs[gateway])].frames(gateway, pieces, packet_id)
        self._next[gateway] = (packet_id - 1 + messages) % 65_000 + 1
        return Segment(slot, gateway, frames, messages, readings - again, again)
