"""What several tests of the simulator need."""

from collections.abc import Iterable

import numpy as np

from simulators.district import District
from simulators.run import Batch, batches, feeds
from simulators.world import Scenario, World

SEED = 5
BEGIN = 1_783_000_000_000
"""2026-07-02 13:46:40 UTC, a summer evening in the district."""

Reading = tuple[str, str, int, float]


def world(there: District, seconds: float, **more: object) -> World:
    return World(there, Scenario(seed=SEED, begin_ms=BEGIN, seconds=seconds, **more))  # type: ignore[arg-type]


def readings(played: World, *, chunk_s: float = 1_800.0) -> list[Reading]:
    """Everything of a run, in the order of arrival."""
    names = feeds(played)
    return [
        (*names[feed], event, value)
        for batch in batches(played, chunk_s=chunk_s)
        for feed, event, value in zip(batch.feed.tolist(), batch.event_ms.tolist(), batch.value.tolist(), strict=True)
    ]


def joined(played: World) -> Batch:
    found = list(batches(played))
    return Batch(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def of_device(rows: Iterable[Reading], device: str, metric: str) -> list[tuple[int, float]]:
    return [(event, value) for name, what, event, value in rows if name == device and what == metric]


def kind_index(there: District, type_id: str) -> int:
    return next(i for i, kind in enumerate(there.kinds) if kind.type == type_id)
