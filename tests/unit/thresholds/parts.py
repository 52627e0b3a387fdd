"""Scenes and engines in one line, for tests that say what happens when."""

from typing import Any

import numpy as np

from city.device import Device
from core.reading import ReadingBatch
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind, Transitions

T0_MS = 1_700_000_000_000
SETTLE_MS = 1_000


def scene(*levels: dict[str, Any], name: str = "s", **parts: Any) -> Scene:
    """A scene on metric `m` with these levels; a level without a severity is minor."""
    ladder = [{"severity": "minor", **level} for level in levels]
    return Scene.model_validate({"scene": name, "feeds": {"metric": "m"}, "levels": ladder, **parts})


def seconds(at_s: float) -> int:
    """A time in ms."""
    return T0_MS + round(at_s * 1000)


class Watched:
    """An engine with a few feeds of metric `m`, told of and asked in seconds since a beginning.

    What was decided is a list of `(kind, at)`, or `(kind, feed, severity, at)` from `all`.
    """

    def __init__(self, *scenes: Scene, feeds: int = 1, max_feeds: int = 8) -> None:
        self.engine = Engine(SceneSet.of(scenes), max_feeds=max_feeds, settle_ms=SETTLE_MS)
        for feed in range(feeds):
            self.engine.bind(feed, Device(f"d{feed}", "g", kind="road" if feed % 2 else "underpass"), "m")
        self.decided: list[Transitions] = []

    def read(
        self, *readings: tuple[float, float], feed: int = 0, arrival: float | None = None, quality: int = 0
    ) -> list[tuple[str, float]]:
        """Readings (at, value) of a feed, in one batch; they arrive at their own time unless `arrival` says when."""
        times = np.array([seconds(at) for at, _ in readings], np.int64)
        arrivals = times if arrival is None else np.full(len(readings), seconds(arrival))
        qualities = np.full(len(readings), quality)
        values = [value for _, value in readings]
        batch = ReadingBatch.of(np.full(len(readings), feed), times, values, arrivals * 1_000_000, qualities)
        return self._told(self.engine.on_batch(batch))

    def wait(self, until: float) -> list[tuple[str, float]]:
        """Time passes without a reading."""
        return self._told(self.engine.on_timer(seconds(until)))

    @property
    def all(self) -> list[tuple[str, int, int, float]]:
        """Everything that was decided so far."""
        return [row for part in self.decided for row in rows(part)]

    def _told(self, transitions: Transitions) -> list[tuple[str, float]]:
        self.decided.append(transitions)
        return [(kind, at) for kind, _, _, at in rows(transitions)]


def rows(transitions: Transitions) -> list[tuple[str, int, int, float]]:
    """(kind, feed, severity, at in seconds) of each transition."""
    columns = (transitions.kind, transitions.feed, transitions.severity, transitions.at)
    return [
        (TransitionKind(kind).name.lower(), feed, severity, (at - T0_MS) / 1000)
        for kind, feed, severity, at in zip(*(column.tolist() for column in columns), strict=True)
    ]
