"""Scenes to flat tables: which levels a feed of a device gets, with the overrides in force there."""

from typing import Any, NamedTuple

import numpy as np

from city.device import Device
from core.severity import Severity
from thresholds import kernel
from thresholds.delay import Delay
from thresholds.kernel import Rows
from thresholds.level import LevelBase
from thresholds.scene import SPECIFIC, Feeds, Scene
from thresholds.scene_set import DECIDES, SceneSet

_OPS = {
    "above": kernel.ABOVE,
    "below": kernel.BELOW,
    "outside": kernel.OUTSIDE,
    "inside": kernel.INSIDE,
    "equals": kernel.EQUALS,
    "not_equals": kernel.NOT_EQUALS,
}
_CLEAR_OPS = {
    "clear_below": kernel.BELOW,
    "clear_above": kernel.ABOVE,
    "clear_inside": kernel.WITHIN,
    "clear_outside": kernel.OUTSIDE,
}

_Kind = tuple[str, ...]


class Watch(NamedTuple):
    """What watches one kind of feed: a run of rows of the level table, and how many scenes they are of."""

    first: int
    levels: int
    scenes: int


_NOBODY = Watch(0, 0, 0)


class Tables:
    """The level table that the kernel reads; it grows by a few rows when a feed comes that has other levels.

    Feeds under the same levels share their rows, so that the table stays in the cache however many feeds there are.

    Attributes:
        levels: `kernel.LEVEL`, shape (rows,).
        widest: No feed can have more levels than this.
    """

    def __init__(self, scenes: SceneSet) -> None:
        self._live = [(index, scene) for index, scene in enumerate(scenes.scenes) if scene.stage in DECIDES]
        self.levels: Rows = np.zeros(0, kernel.LEVEL)
        self.widest = _widest([scene for _, scene in self._live])
        self._named = {name: _named(name, self._live) for name in SPECIFIC}
        self._by_kind: dict[_Kind, Watch] = {}
        self._by_rows: dict[tuple[tuple[Any, ...], ...], Watch] = {}

    def watch(self, device: Device, metric: str) -> Watch:
        """What watches `metric` of `device`, nothing if it is out of use.

        Devices that no scene tells apart are resolved once.
        """
        if device.out_of_use:
            return _NOBODY
        named = self._named
        kind = (
            metric,
            device.type,
            device.id if device.id in named["device"] else "",
            device.place if device.place in named["place"] else "",
            device.gateway if device.gateway in named["gateway"] else "",
            device.town if device.town in named["town"] else "",
            device.kind if device.kind in named["kind"] else "",
        )
        known = self._by_kind.get(kind)
        if known is None:
            known = self._by_kind[kind] = self._resolve(device, metric)
        return known

    def _resolve(self, device: Device, metric: str) -> Watch:
        watching = [(index, scene) for index, scene in self._live if scene.feeds.watch(device, metric)]
        rows = tuple(
            _row(level, index, scene.feeds.silent_after or 0)
            for index, scene in watching
            for level in scene.levels_for(device)
        )
        if not rows:
            return _NOBODY
        if rows not in self._by_rows:
            self._by_rows[rows] = Watch(len(self.levels), len(rows), len(watching))
            self.levels = np.concatenate([self.levels, np.array(list(rows), kernel.LEVEL)])
        return self._by_rows[rows]


def _row(level: LevelBase, scene: int, silent_ms: int) -> tuple[Any, ...]:
    """A level as a row of `kernel.LEVEL`."""
    if level.condition == "state":
        # true/false travels as 1/0; anything but 0 is true.
        op, lo, hi = (kernel.NOT_EQUALS if level.limit else kernel.EQUALS), 0.0, 0.0
    else:
        op, (lo, hi) = _OPS[level.condition], _pair(level.limit)
    clear = level.clear_value
    clear_op = kernel.NEVER if clear is None else _CLEAR_OPS[str(level.clears_by)]
    clear_lo, clear_hi = (0.0, 0.0) if clear is None else _pair(clear)
    raise_by, raise_arg = _delay(level.for_)
    clear_by, clear_arg = _delay(level.clear_for)
    severity = int(Severity.of(level.severity))
    return (
        lo, hi, clear_lo, clear_hi, raise_arg, clear_arg, silent_ms,
        op, clear_op, raise_by, clear_by, severity, scene, kernel.READING,
    )  # fmt: skip


def _pair(limit: float | tuple[float, float]) -> tuple[float, float]:
    return limit if isinstance(limit, tuple) else (limit, 0.0)


def _delay(delay: Delay) -> tuple[int, int]:
    if delay.samples:
        return kernel.BY_SAMPLES, delay.samples
    return (kernel.BY_TIME, delay.ms) if delay.ms else (kernel.AT_ONCE, 0)


def _named(name: str, live: list[tuple[int, Scene]]) -> frozenset[str]:
    """Every value of an attribute that some scene tells apart."""
    found: set[str] = set()
    for _, scene in live:
        wheres = [scene.feeds.where, *(override.where for override in scene.overrides)]
        found.update(value for where in wheres if where for value in getattr(where, name) or ())
        if name == "device":
            found.update(scene.feeds.device or ())
    return frozenset(found)


def _widest(scenes: list[Scene]) -> int:
    """The most levels that a feed can have, going by type and metric alone."""
    kinds = {(scene.feeds.type, scene.feeds.metric) for scene in scenes}
    types = {kind for kind, _ in kinds} | {None}
    metrics = {metric for _, metric in kinds} | {None}
    return max(
        (
            sum(len(scene.levels) for scene in scenes if _may_watch(scene.feeds, kind, metric))
            for kind in types
            for metric in metrics
        ),
        default=0,
    )


def _may_watch(feeds: Feeds, kind: str | None, metric: str | None) -> bool:
    return feeds.type in (None, kind) and feeds.metric in (None, metric)
