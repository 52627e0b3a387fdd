"""Faster than real time, without a broker: the readings of a run in the order in which they arrive.

world = World(make(seed, 15_000, 0), Scenario(seed=1, begin_ms=..., seconds=7 * 86_400, incidents=60, faults=30))
for batch in batches(world):
    engine.take(batch.feed, batch.event_ms, batch.value, batch.arrival_ns)
truth = truth_of(world, sent)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.chance import Floats, Ints, key, uniform
from simulators.world import Reports, World

_CHUNK_S = 1800.0
_WAY_MS = (20.0, 160.0)
"""How long a report is under way, least and most."""
_REPEAT_MS = 2


class Batch(NamedTuple):
    """Readings in the order of their arrival; columns of one length.

    Attributes:
        device: Number of the device in `district.devices`, int32.
        metric: Which metric of `district.kinds[...]` of the device's type, int16.
        feed: Number of the (device, metric) in `feeds(world)`, int32.
        event_ms: When it was taken, as the device says.
        value: In the metric's unit; a state is 0 or 1.
        arrival_ns: When it came in.
        again: Whether it is the second copy of a duplicate.
    """

    device: NDArray[np.int32]
    metric: NDArray[np.int16]
    feed: NDArray[np.int32]
    event_ms: Ints
    value: Floats
    arrival_ns: Ints
    again: NDArray[np.bool_]

    @property
    def readings(self) -> int:
        """How many there are."""
        return len(self.value)


@dataclass(slots=True)
class Sent:
    """What was sent, kept by whoever sends.

    Attributes:
        messages: PUBLISH packets, or reports where there are no packets.
        readings: Distinct readings.
        duplicates: Readings that were sent a second time.
        by_gateway: Distinct readings of each gateway; None where nobody counted.
    """

    messages: int = 0
    readings: int = 0
    duplicates: int = 0
    by_gateway: dict[str, int] | None = None


def feeds(world: World) -> list[tuple[str, str]]:
    """(device, metric) of every feed, by its number."""
    district = world.district
    return [
        (district.devices[fleet.first + row].id, metric.name)
        for kind, fleet in zip(district.kinds, district.fleets, strict=True)
        for row in range(len(fleet))
        for metric in kind.metrics
    ]


def batches(world: World, *, chunk_s: float = _CHUNK_S, sent: Sent | None = None) -> Iterator[Batch]:
    """The readings of the whole run; what is held back comes when it arrives, at the latest at the end.

    Args:
        world: What is played.
        chunk_s: Seconds that are computed at a time; the readings do not depend on it.
        sent: Counts what goes out.
    """
    scenario = world.scenario
    step = max(1, round(chunk_s * 1000))
    held: list[Batch] = []
    for begin in range(scenario.begin_ms, scenario.end_ms, step):
        end = min(begin + step, scenario.end_ms)
        found = [*held, *(_flat(world, reports) for reports in world.reports(begin, end))]
        if not found:
            continue
        every = _ordered(_joined(found))
        # Whatever is due later is sent later, and nothing arrives before it is sent.
        cut = int(np.searchsorted(every.arrival_ns, end * 1_000_000)) if end < scenario.end_ms else every.readings
        held = [_part(every, slice(cut, None))]
        if cut:
            yield _counted(_part(every, slice(0, cut)), sent)


def _counted(batch: Batch, sent: Sent | None) -> Batch:
    if sent is not None:
        again = int(batch.again.sum())
        sent.readings += batch.readings - again
        sent.duplicates += again
    return batch


def _flat(world: World, reports: Reports) -> Batch:
    """One row for each reading."""
    district = world.district
    fleet = district.fleets[reports.kind]
    metrics = len(district.kinds[reports.kind].metrics)
    before = sum(len(f) * len(k.metrics) for k, f in zip(district.kinds[: reports.kind], district.fleets, strict=False))
    metric, report = np.nonzero(~np.isnan(reports.values))
    rows = reports.rows[report]
    device = rows + fleet.first
    arrival = arrival_ns(world, reports)[report]
    batch = Batch(
        device.astype(np.int32), metric.astype(np.int16), (before + rows * metrics + metric).astype(np.int32),
        reports.event[report], reports.values[metric, report], arrival, np.zeros(len(rows), np.bool_),
    )  # fmt: skip
    twice = np.flatnonzero(reports.repeated[report])
    if not len(twice):
        return batch
    copy = _part(batch, twice)
    again = copy._replace(arrival_ns=copy.arrival_ns + _REPEAT_MS * 1_000_000, again=np.ones(len(twice), np.bool_))
    return _joined([batch, again])


def arrival_ns(world: World, reports: Reports) -> Ints:
    """When reports arrive: after their way, which is always the same for a device, so that none overtakes another."""
    fleet = world.district.fleets[reports.kind]
    low, high = _WAY_MS
    way = low + (high - low) * uniform(key(world.scenario.seed, "way"), reports.rows + fleet.first)
    return reports.sent * 1_000_000 + (way * 1_000_000).astype(np.int64)


def _ordered(batch: Batch) -> Batch:
    return _part(batch, np.lexsort((batch.feed, batch.arrival_ns)))


def _part(batch: Batch, rows: slice | NDArray[np.int64]) -> Batch:
    return Batch(
        batch.device[rows], batch.metric[rows], batch.feed[rows], batch.event_ms[rows], batch.value[rows],
        batch.arrival_ns[rows], batch.again[rows],
    )  # fmt: skip


def _joined(found: list[Batch]) -> Batch:
    return Batch(
        np.concatenate([b.device for b in found]), np.concatenate([b.metric for b in found]),
        np.concatenate([b.feed for b in found]), np.concatenate([b.event_ms for b in found]),
        np.concatenate([b.value for b in found]), np.concatenate([b.arrival_ns for b in found]),
        np.concatenate([b.again for b in found]),
    )  # fmt: skip
