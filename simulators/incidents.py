"""Incidents of a run: which, where, when, and what each does to which device.

An effect pulls a device's true value towards a target along a trapezoid; an incident has one at the device it happens
at and weaker, later ones at its neighbours.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.chance import Floats, Ints
from simulators.district import District
from simulators.patterns import PATTERNS, Pattern
from simulators.signals import NIGHT_LIMIT
from simulators.weather import local_hour

_MARGIN_S = 3.0
_BRISK_HOLD_S = 86_400.0
_LEAST = 0.05
_TRIES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an incident does to one metric of one device; times in ms.

    Attributes:
        kind: Which fleet.
        row: Which device of it.
        metric: Which metric of the kind.
        start: When it begins to move.
        peak: When it is all there.
        fall: When it begins to go back.
        end: When nothing of it is left.
        target: Where it is pulled to.
        strength: How much of the way, 0 to 1.
    """

    kind: int
    row: int
    metric: int
    start: int
    peak: int
    fall: int
    end: int
    target: float
    strength: float

    def share(self, t: Ints) -> Floats:
        """How much of the way at each time."""
        up = (t - self.start) / max(self.peak - self.start, 1)
        down = (self.end - t) / max(self.end - self.fall, 1)
        return self.strength * np.clip(np.minimum(up, down), 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident; the first effect is at the place where it happens."""

    pattern: Pattern
    kind: int
    row: int
    start: int
    end: int
    effects: tuple[Effect, ...]


def plan(
    district: District,
    begin_ms: int,
    end_ms: int,
    number: int,
    rng: np.random.Generator,
    *,
    brisk: bool = False,
    scenes: Collection[str] | None = None,
) -> list[Incident]:
    """Incidents of a run, by their start; every kind has its turn before one comes again.

    Args:
        district: Where.
        begin_ms: Start of the run.
        end_ms: Its end; none begins so late that it is not seen.
        number: How many; fewer where not so many fit.
        rng: For the choice.
        brisk: Everything rises in a second and stays, so that a run of a minute has something to show.
        scenes: Only incidents that one of these scenes ought to see; None for all.
    """
    kinds = {kind.type: i for i, kind in enumerate(district.kinds)}
    fitting = [
        p for p in PATTERNS
        if p.type in kinds and (scenes is None or p.scene in scenes) and len(_rows(district, kinds[p.type], p))
        and (brisk or (p.rise_s + p.hold_s / 2) * 1000 < end_ms - begin_ms)
    ]  # fmt: skip
    if not fitting or number <= 0:
        return []
    order = [fitting[i] for _ in range(-(-number // len(fitting))) for i in rng.permutation(len(fitting))]
    taken = _Taken()
    found: list[Incident] = []
    for pattern in order[:number]:
        one = _place(district, kinds[pattern.type], pattern, begin_ms, end_ms, rng, taken, brisk=brisk)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda incident: incident.start)


class _Taken:
    """What is used up: a device for good, and a scene's place for a day, so that one incident is one case."""

    def __init__(self) -> None:
        self._devices: set[tuple[int, int]] = set()
        self._places: set[tuple[str, str]] = set()

    def free(self, kind: int, rows: Sequence[int], scene: str, places: Collection[str]) -> bool:
        return not any((kind, row) in self._devices for row in rows) and not any(
            (scene, place) in self._places for place in places
        )

    def take(self, kind: int, rows: Sequence[int], scene: str, places: Collection[str]) -> None:
        self._devices.update((kind, row) for row in rows)
        self._places.update((scene, place) for place in places)


def _rows(district: District, kind: int, pattern: Pattern) -> Ints:
    fleet = district.fleets[kind]
    return np.flatnonzero(np.isin(fleet.site, pattern.sites)) if pattern.sites else np.arange(len(fleet))


def _place(
    district: District, kind: int, pattern: Pattern, begin_ms: int, end_ms: int, rng: np.random.Generator,
    taken: _Taken, *, brisk: bool,
) -> Incident | None:  # fmt: skip
    rows = _rows(district, kind, pattern)
    fleet = district.fleets[kind]
    for _ in range(_TRIES):
        row = int(rng.choice(rows))
        start = _start(pattern, begin_ms, end_ms, rng, brisk=brisk)
        if start is None:
            continue
        away = np.hypot(fleet.x - fleet.x[row], fleet.y - fleet.y[row])
        reach = 0.0 if brisk else pattern.reach_m
        near = [row, *(int(r) for r in rows[away[rows] <= reach] if r != row)]
        places = {district.devices[fleet.first + r].place for r in near}
        if not taken.free(kind, near, pattern.scene, places):
            continue
        taken.take(kind, near, pattern.scene, places)
        effects = tuple(e for r in near for e in _effects(district, kind, pattern, r, float(away[r]), start, brisk))
        return Incident(
            pattern=pattern, kind=kind, row=row, start=start, end=max(e.end for e in effects), effects=effects
        )
    return None


def _start(pattern: Pattern, begin_ms: int, end_ms: int, rng: np.random.Generator, *, brisk: bool) -> int | None:
    if brisk:
        last = end_ms - int(_MARGIN_S * 1000)
        first = min(begin_ms + int(_MARGIN_S * 1000), last)
        return int(rng.integers(first, max(last, first + 1)))
    # In the first hours most of it must still lie ahead: what needs a day to show is not begun in the last hour.
    last = end_ms - int((pattern.rise_s + pattern.hold_s / 2) * 1000)
    start = int(rng.integers(begin_ms, max(last, begin_ms + 1)))
    if pattern.hours is None:
        return start
    hour = float(local_hour(np.array([start]))[0])
    low, high = pattern.hours
    inside = low <= hour < high if low < high else (hour >= low or hour < high)
    return start if inside else None


def _effects(
    district: District,
    kind: int,
    pattern: Pattern,
    row: int,
    away_m: float,
    start: int,
    brisk: bool,  # noqa: FBT001
) -> Iterator[Effect]:
    strength = float(np.exp(-away_m / pattern.decay_m))
    if strength < _LEAST:
        return
    rise, hold, fall = (1.0, _BRISK_HOLD_S, 1.0) if brisk else (pattern.rise_s, pattern.hold_s, pattern.fall_s)
    first = start + int(away_m / pattern.speed * 1000)
    peak = first + int(rise * 1000)
    down = max(peak, start + int((rise + hold) * 1000))
    fleet = district.fleets[kind]
    targets = [(pattern.metric, _target(pattern, fleet.design, fleet.area_class, row))]
    targets += [(also.metric, also.target) for also in pattern.also]
    for metric, target in targets:
        yield Effect(
            kind=kind, row=row, metric=district.kinds[kind].metric(metric), start=first, peak=peak, fall=down,
            end=down + int(fall * 1000), target=target, strength=strength,
        )  # fmt: skip


def _target(pattern: Pattern, design: object, area_class: Ints, row: int) -> float:
    if pattern.relative == "area":
        return pattern.target + float(NIGHT_LIMIT[area_class[row]])
    if pattern.relative:
        assert isinstance(design, dict)  # noqa: S101 - a fleet's is
        own = float(design[pattern.metric][row])
        return pattern.target * own if pattern.relative == "design" else pattern.target + own
    return pattern.target
