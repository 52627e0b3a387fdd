"""Reports to MQTT frames, many at a time, each gateway in the form that it speaks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.district import District, Speaks
from simulators.forms import Form, Packs, Rows, Singles, Tabled
from simulators.senml import SenmlCbor, SenmlJson
from simulators.sparkplug import Births, Data
from simulators.world import Reports

_DAY_MS = 86_400_000


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


class Encoder:
    """All gateways' reports to what each sends in each slot of time.

    Args:
        district: Whose.
        qos: 0 or 1.
        forms: In which form each gateway speaks, a `Speaks`; None for what the district says.

    Attributes:
        births: What gateways that speak Sparkplug have to say before anything else.
    """

    def __init__(self, district: District, *, qos: int = 1, forms: NDArray[np.uint8] | None = None) -> None:
        self._district = district
        self._qos = qos
        self._speaks = district.speaks if forms is None else forms
        self.births = Births(district, self._speaks == Speaks.SPARKPLUG)
        self._spoken = np.unique(self._speaks).tolist()
        self._forms: Mapping[int, Form] = {
            Speaks.SINGLES: Singles(district, qos),
            Speaks.PACKS: Tabled(Packs(), district, qos),
            Speaks.SENML: Tabled(SenmlJson(), district, qos),
            Speaks.SENML_CBOR: Tabled(SenmlCbor(), district, qos),
            Speaks.SPARKPLUG: Data(district, self.births, qos),
        }
        self._next = np.ones(len(district.gateways), np.int64)

    def segments(self, reports: Sequence[Reports], begin_ms: int, slot_ms: float) -> Iterator[Segment]:
        """Segments in the order of their slots, of reports that are all sent at `begin_ms` or later."""
        rows = [r for one in reports for r in self._rows(one)]
        if not rows:
            return
        gateway = np.concatenate([r.gateway for r in rows])
        sent = np.concatenate([r.sent for r in rows]) - begin_ms
        slot = (sent / slot_ms).astype(np.int64)
        # In the order of their times: a second copy comes right behind the first.
        within = sent * _DAY_MS + np.concatenate([r.event for r in rows]) % _DAY_MS
        readings = np.concatenate([r.readings for r in rows])
        again = np.concatenate([r.again for r in rows])
        pieces = np.concatenate([r.pieces for r in rows])
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

    def _rows(self, reports: Reports) -> Iterator[Rows]:
        speaks = self._speaks[self._district.gateway_of[reports.rows + self._district.fleets[reports.kind].first]]
        for number in self._spoken:
            which = np.flatnonzero(speaks == number)
            again = np.zeros(len(which), np.bool_)
            if len(reports.repeated):
                twice = which[reports.repeated[which]]
                which = np.concatenate([which, twice])
                again = np.concatenate([again, np.ones(len(twice), np.bool_)])
            if len(which):
                yield from self._forms[number].rows(reports, which, again)

    def _segment(self, slot: int, gateway: int, pieces: list[bytes], readings: int, again: int) -> Segment:
        packet_id = int(self._next[gateway])
        frames, messages = self._forms[int(self._speaks[gateway])].frames(gateway, pieces, packet_id)
        self._next[gateway] = (packet_id - 1 + messages) % 65_000 + 1
        return Segment(slot, gateway, frames, messages, readings - again, again)
