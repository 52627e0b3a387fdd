"""The simulated district on one core: values, frames and the way into a socket, against writing the same bytes alone.

Rates are by the processor's time of the one thread, so that what else runs on the machine does not count.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.report import Report, Row, cost, rate, report
from simulators import district
from simulators.district import Speaks
from simulators.encode import Encoder, Segment
from simulators.run import batches
from simulators.world import Scenario, World

_BEGIN_MS = 1_783_000_000_000
_CHUNK_MS = 250
_SLOT_MS = {Speaks.SINGLES: 20.0}
_LONG_SLOT_MS = 50.0
_SINGLES, _REPORTS = 80_000, 600_000
"""Offered a second: messages of one report, and reports in packs (each about 1.9 readings)."""
_READ = 1 << 20


def run(*, quick: bool = False) -> Report:
    """Single readings, packs, and batches without frames, of the whole district or (quick) a tenth of it."""
    sensors = 1_500 if quick else 15_000
    there = district.make(1, sensors, 0)
    share = sensors / 15_000
    rounds = 1 if quick else 5
    rows: list[Row] = []
    for speaks, offered, least, what, unit in (
        (Speaks.SINGLES, _SINGLES, 60_000, "single readings", "msg/s"),
        (Speaks.PACKS, _REPORTS, 1_000_000, "packed readings", "readings/s"),
        (Speaks.SENML, _REPORTS, None, "SenML readings", "readings/s"),
        (Speaks.SENML_CBOR, _REPORTS, None, "SenML readings in CBOR", "readings/s"),
    ):
        world = World(
            there, Scenario(seed=1, begin_ms=_BEGIN_MS, seconds=60, incidents=40, brisk=True,
                            period_s=sensors / (offered * share)),
        )  # fmt: skip
        done, floor, late = _pair(world, speaks, rounds)
        rows += [
            rate(f"{what}, values to socket", done, unit, at_least=None if quick else least),
            rate(f"{what}, against the socket alone", done, unit, floor=floor, floor_what="write of the same bytes"),
            cost(f"{what}, one of them", 1e9 / done, "ns"),
            cost(f"{what}, computing {_CHUNK_MS} ms of them", late, "ms"),
        ]
    rows.append(rate("a day of the district, as batches", _day(there, quick=quick), "readings/s"))
    return report("generator", rows)


class _Sink:
    """The other end of a socket, read and forgotten by a thread."""

    def __init__(self) -> None:
        self.socket, self._far = socket.socketpair()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.socket.close()
        self._thread.join()
        self._far.close()

    def _read(self) -> None:
        buffer = bytearray(_READ)
        while self._far.recv_into(buffer):
            pass


def _pair(world: World, speaks: Speaks, rounds: int) -> tuple[float, float, float]:
    """(a second with everything, a second of writing alone, ms of the slowest chunk)."""
    forms = np.full(len(world.district.gateways), speaks, np.uint8)
    encoder = Encoder(world.district, qos=1, forms=forms)
    list(_chunk(world, encoder, 0, speaks))  # makes the tables
    slowest = 0.0
    kept: list[Segment] = []
    sink = _Sink()

    def whole() -> int:
        nonlocal slowest, kept
        kept = []
        count = 0
        for number in range(1, 5):
            begin = time.thread_time()
            segments = _chunk(world, encoder, number, speaks)
            slowest = max(slowest, (time.thread_time() - begin) * 1000)
            count += _written(segments, sink, speaks)
            kept += segments
        return count

    done = _best(whole, rounds)
    floor = _best(lambda: _written(kept, sink, speaks), rounds)
    sink.close()
    return done, floor, slowest


def _chunk(world: World, encoder: Encoder, number: int, speaks: Speaks) -> list[Segment]:
    begin = world.scenario.begin_ms + number * _CHUNK_MS
    reports = list(world.reports(begin, begin + _CHUNK_MS))
    return list(encoder.segments(reports, begin, _SLOT_MS.get(speaks, _LONG_SLOT_MS)))


def _written(segments: Sequence[Segment], sink: _Sink, speaks: Speaks) -> int:
    for segment in segments:
        sink.socket.sendall(segment.frames)
    return sum(s.messages if speaks is Speaks.SINGLES else s.readings for s in segments)


def _day(there: district.District, *, quick: bool) -> float:
    world = World(there, Scenario(seed=1, begin_ms=_BEGIN_MS, seconds=3_600 if quick else 86_400, incidents=10))
    return _best(lambda: sum(batch.readings for batch in batches(world)), 1)


def _best(once: Callable[[], int], rounds: int) -> float:
    best = 0.0
    for _ in range(rounds):
        begin = time.thread_time()
        count = once()
        best = max(best, count / (time.thread_time() - begin))
    return best
