"""Scenes to flat tables: which ladder a feed of a device gets, with the most specific override in force."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from city.device import Device
from core.severity import Severity
from thresholds import kernel
from thresholds.scene import CLEARS, Duration, Feeds, Level, Limits, Override, Samples, Where
from thresholds.scene_set import DECIDES, SceneSet

_OPS = {
    "above": kernel.ABOVE,
    "below": kernel.BELOW,
    "outside": kernel.OUTSIDE,
    "inside": kernel.INSIDE,
    "equals": kernel.EQUALS,
    "not_equals": kernel.NOT_EQUALS,
    "state": kernel.EQUALS,
}
_CLEAR_OPS = {
    "clear_below": kernel.BELOW,
    "clear_above": kernel.ABOVE,
    "clear_inside": kernel.WITHIN,
    "clear_outside": kernel.OUTSIDE,
}
_SPECIFIC = ("device", "place", "gateway", "town", "kind", "type")
"""What makes an override more specific than another, most specific first."""


def matches(where: Where, device: Device) -> bool:
    """Whether `device` is one that `where` means."""
    named = where.devices()
    return (
        (not named or device.id in named)
        and where.place in (None, device.place)
        and where.town in (None, device.town)
        and where.kind in (None, device.kind)
        and where.type in (None, device.type)
        and where.gateway in (None, device.gateway)
    )


def watches(feeds: Feeds, device: Device, metric: str) -> bool:
    """Whether a scene with these `feeds` watches `metric` of `device`."""
    named = (feeds.device,) if isinstance(feeds.device, str) else feeds.device
    return (
        feeds.type in (None, device.type)
        and feeds.metric in (None, metric)
        and (named is None or device.id in named)
        and (feeds.where is None or matches(feeds.where, device))
    )


def specificity(where: Where) -> tuple[bool, ...]:
    """Sorts overrides: the greater one wins."""
    return tuple(getattr(where, name) is not None for name in _SPECIFIC)


def effective(levels: Sequence[Level], overrides: Sequence[Override], device: Device) -> tuple[Level, ...]:
    """The levels in force for `device`."""
    fitting = sorted((o for o in overrides if matches(o.where, device)), key=lambda o: specificity(o.where))
    result = list(levels)
    for override in fitting:
        for index, level in enumerate(result):
            change = getattr(override.levels, level.severity)
            if change is not None:
                result[index] = overridden(level, change)
    return tuple(result)


def overridden(level: Level, change: Limits) -> Level:
    """`level` with what `change` says; a new condition takes the old one's limits and clear value with it."""
    given = change.model_dump(by_alias=True, exclude_none=True)
    kept = level.model_dump(by_alias=True, exclude_none=True)
    condition = level.condition()
    if change.condition() is not None and condition is not None:
        kept.pop(condition)
        clear = CLEARS[condition]
        if clear is not None:
            kept.pop(clear, None)
    return Level.model_validate({**kept, **given})


class Tables:
    """Ladders and levels as arrays that the kernel reads; grows when a feed needs a ladder that is new.

    Attributes:
        ladders: int64, shape (ladders, kernel.LADDER_COLUMNS).
        levels: int64, shape (levels, kernel.LEVEL_COLUMNS).
        limits: float64, shape (levels, kernel.LIMIT_COLUMNS).
    """

    def __init__(self, scenes: SceneSet) -> None:
        self.scenes = scenes
        self.ladders = np.zeros((0, kernel.LADDER_COLUMNS), np.int64)
        self.levels = np.zeros((0, kernel.LEVEL_COLUMNS), np.int64)
        self.limits = np.zeros((0, kernel.LIMIT_COLUMNS), np.float64)
        self._by_levels: dict[tuple[tuple[Level, ...], int], int] = {}
        self._by_kind: dict[tuple[object, ...], tuple[tuple[int, int], ...]] = {}
        self._live = [(i, s) for i, s in enumerate(scenes.scenes) if s.stage in DECIDES]
        self._named = frozenset(d for _, s in self._live for d in _devices(s.feeds, s.overrides))

    def resolve(self, device: Device, metric: str) -> tuple[tuple[int, int], ...]:
        """(scene, ladder) of every scene that watches `metric` of `device`; devices of one kind are resolved once."""
        named = device.id if device.id in self._named else None
        key = (device.type, metric, device.place, device.town, device.kind, device.gateway, named)
        known = self._by_kind.get(key)
        if known is None:
            known = tuple(
                (index, self._ladder(effective(scene.levels, scene.overrides, device), scene.feeds.silent_after or 0))
                for index, scene in self._live
                if watches(scene.feeds, device, metric)
            )
            self._by_kind[key] = known
        return known

    def level_severities(self, ladder: int) -> list[int]:
        """Severities of a ladder's levels, in their order."""
        first, count = (int(n) for n in self.ladders[ladder, : kernel.SIZE + 1])
        return [int(s) for s in self.levels[first : first + count, kernel.SEVERITY]]

    def _ladder(self, levels: tuple[Level, ...], silent_ms: int) -> int:
        key = (levels, silent_ms)
        if key not in self._by_levels:
            self.ladders = np.vstack([self.ladders, np.array([[len(self.levels), len(levels), 0, silent_ms]])])
            self.levels = np.vstack([self.levels, *(_level_row(level) for level in levels)])
            self.limits = np.vstack([self.limits, *(_limit_row(level) for level in levels)])
            self._by_levels[key] = len(self.ladders) - 1
        return self._by_levels[key]


def _devices(feeds: Feeds, overrides: Sequence[Override]) -> tuple[str, ...]:
    named = (feeds.device,) if isinstance(feeds.device, str) else feeds.device or ()
    where = feeds.where.devices() if feeds.where else ()
    return (*named, *where, *(d for o in overrides for d in o.where.devices()))


def _level_row(level: Level) -> NDArray[np.int64]:
    name = str(level.condition())
    clear = CLEARS[name]
    clear_op = _CLEAR_OPS[clear] if clear and getattr(level, clear) is not None else kernel.NEVER
    delays = (*_delay(level.for_), *_delay(level.clear_for))
    return np.array([[_OPS[name], clear_op, *delays, int(Severity.of(level.severity))]], np.int64)


def _limit_row(level: Level) -> NDArray[np.float64]:
    name = str(level.condition())
    clear = CLEARS[name]
    beyond = getattr(level, clear) if clear else None
    return np.array(
        [[*_pair(getattr(level, name)), *(_pair(beyond) if beyond is not None else (0.0, 0.0))]], np.float64
    )


def _pair(value: object) -> tuple[float, float]:
    if isinstance(value, tuple):
        return float(value[0]), float(value[1])
    return float(value), 0.0  # type: ignore[arg-type]


def _delay(delay: object) -> tuple[int, int]:
    if isinstance(delay, Samples):
        return kernel.BY_SAMPLES, int(delay)
    if isinstance(delay, Duration) and delay > 0:
        return kernel.BY_TIME, int(delay)
    return kernel.AT_ONCE, 0
