"""Where alerts spent their time: percentiles by stage over the last ones."""

import threading
from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np

from alerts.event import EventType, Latency
from alerts.stored import Acknowledged

_KEPT = 20_000
_PERCENTILES = (50, 90, 99)


class LatencyLog:
    """Latencies of opened alerts, taken when the dispatch core acknowledges them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Latency] = deque(maxlen=_KEPT)
        self._totals: dict[str, tuple[int, float]] = {}

    def take(self, acknowledged: Sequence[Acknowledged]) -> None:
        """Note what was acknowledged; only openings count."""
        opened = [a.latency for a in acknowledged if a.type is EventType.RAISED]
        with self._lock:
            self._kept.extend(opened)
            for latency in opened:
                for stage, spent_ms in msgspec.structs.asdict(latency).items():
                    if spent_ms is not None:
                        count, total_ms = self._totals.get(stage, (0, 0.0))
                        self._totals[stage] = (count + 1, total_ms + spent_ms)

    def totals(self) -> dict[str, tuple[int, float]]:
        """(how many, ms together) of every stage since the start: unlike the percentiles, of all of them."""
        with self._lock:
            return dict(self._totals)

    def summary(self) -> dict[str, dict[str, float]]:
        """`{stage: {"p50", "p90", "p99", "max", "n"}}` in ms for every stage that is known of any alert."""
        with self._lock:
            kept = list(self._kept)
        return {
            stage: row
            for stage in msgspec.structs.asdict(Latency())
            if (row := percentiles([v for latency in kept if (v := getattr(latency, stage)) is not None]))
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99, max and n of `values`; empty if there are none."""
    if not values:
        return {}
    points = np.percentile(values, _PERCENTILES)
    named = {f"p{p}": round(float(v), 3) for p, v in zip(_PERCENTILES, points, strict=True)}
    return {**named, "max": round(max(values), 3), "n": len(values)}
