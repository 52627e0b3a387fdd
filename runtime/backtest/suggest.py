"""Limits worth trying: what the readings of each class of devices are like, and what each limit would have raised."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

import msgspec
import numpy as np

from core.clock import SHANGHAI
from core.errors import ConfigError
from core.reading import NOT_EVALUATED, Float64, Int64
from runtime.backtest.knobs import Knob, knobs, nothing, said, turned
from runtime.backtest.labels import Labels
from runtime.backtest.material import Material
from runtime.backtest.sweep import Point, Value, tried
from thresholds.level import LevelBase
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

_TAIL = (0.5, 0.9, 0.99, 0.999, 0.9999, 1.0)
_TRIED = (0.99, 0.999, 0.9999)
_CURVE = 12
_SIGMAS = (3.0, 4.0, 5.0, 6.0, 8.0)
_FACTORS = (0.5, 0.75, 1.5, 2.0)
_ON_READING = frozenset({"above", "below", "outside", "inside"})
_SECOND_MS = 1_000
_LONG_MS = 60_000
_BAND = 0.99
_FEWEST = 100
_HOUR_MS = 3_600_000
_THURSDAY = 3
"""Weekday of the epoch."""
_WEEKEND = 5


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual in some hours of the day: the quantile 0.99 (0.01 for limits below) of these readings."""

    days: str
    """`workdays` or `weekends`, by the weekday in Asia/Shanghai."""
    hours: str
    value: float
    readings: int


class ClassOf(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of one type and kind of site."""

    type: str
    kind: str
    devices: int
    readings: int
    quantiles: dict[str, float]
    bands: list[Band]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A limit worth trying, why, and what it would have raised."""

    reason: str
    """`now`, `quantile 0.999`, `0.5 of now`, `sigma` (a round distance), or `knee`: the best balance by the labels."""
    value: float | int | str
    """As a scene file writes it."""
    raised: Point


class LevelIdeas(msgspec.Struct, frozen=True, kw_only=True):
    """For one number of one level of the scene; everything else stays as it is."""

    severity: str
    path: str
    """Where it stands: `levels.2.above`, `levels.0.outside.1`, `levels.1.for`."""
    candidates: list[Candidate] = []
    nothing: str = ""
    """Why there is nothing to try, in both languages."""


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """What might be tried; nothing of it is applied by itself."""

    scene: str
    labels: str | None
    """What labels there are, `truth` or `verdicts`."""
    classes: list[ClassOf]
    levels: list[LevelIdeas]


def suggest(
    material: Material,
    scene: Scene,
    *,
    context: SceneSet | None = None,
    labels: Labels | None = None,
    tell: Callable[[int, int], None] | None = None,
    cancel: Event | None = None,
) -> Suggestions:
    """Look at the readings, and try values of each number of each level by a backtest each.

    Limits on the reading itself are tried at quantiles of the readings; every other number (of windows, rates, counts,
    totals, durations, delays) at shares and multiples of what it is.

    Raises:
        CancelledError: If `cancel` was set.
    """
    watched = [i for i, (device, metric, _) in enumerate(material.feeds) if scene.feeds.watch(device, metric)]
    batch, start_ms = material.batch, material.range.start_ms
    rows = np.isin(batch.feed, watched) & (batch.quality & NOT_EVALUATED == 0) & (batch.event_time >= start_ms)
    values = batch.value[rows]
    turns = [(index, level, knob) for index, level in enumerate(scene.levels) for knob in knobs(level)]
    ideas = [
        LevelIdeas(severity=level.severity, path=f"levels.{index}.{level.condition}", nothing=nothing(level))
        for index, level in enumerate(scene.levels)
        if nothing(level)
    ]
    for done, (index, level, knob) in enumerate(turns, 1):
        wanted = _wanted(level, knob, values, labelled=labels is not None)
        path = f"levels.{index}.{knob.path}"
        made = {_written(knob, value): value for value in wanted}

        def with_values(
            chosen: dict[str, Value], index: int = index, knob: Knob = knob, path: str = path, made: Any = made
        ) -> Scene:
            return _with_level(scene, index, knob, made[chosen[path]])

        points = tried(
            material, [{path: value} for value in made], with_values, context=context, labels=labels, cancel=cancel
        )
        reasons = {_written(knob, value): reason for value, reason in wanted.items()}
        ideas.append(LevelIdeas(severity=level.severity, path=path, candidates=_candidates(path, reasons, points)))
        if tell is not None:
            tell(done, len(turns))
    below = any(level.condition == "below" for level in scene.levels)
    source = None if labels is None else type(labels).__name__.removesuffix("Labels").lower()
    return Suggestions(scene=scene.id, labels=source, classes=_classes(material, watched, below=below), levels=ideas)


def _with_level(scene: Scene, index: int, knob: Knob, value: float) -> Scene:
    """The scene with one number of one level changed.

    Raises:
        ConfigError: If it cannot be.
    """
    content = turned(scene.levels[index], knob, value)
    if content is None:
        raise ConfigError(f"levels.{index}.{knob.path} cannot be {said(knob, value)}")
    whole: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(scene.content))
    whole["levels"][index] = content
    try:
        return Scene.model_validate(whole)
    except ValueError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ConfigError(f"levels.{index}.{knob.path}={said(knob, value)}: {reason}") from error


def _written(knob: Knob, value: float) -> Value:
    written: Value = knob.write(value)
    return written


def _wanted(level: LevelBase, knob: Knob, values: Float64, *, labelled: bool) -> dict[float, str]:
    """Values to try, each with its reason; with labels the whole span, in which the knee is looked for."""
    if level.condition in _ON_READING and knob.path != "for" and getattr(level, "percent_of", None) is None:
        return _quantiles(knob, values, labelled=labelled)
    if level.condition == "deviates" and knob.path != "for":
        return dict(sorted({**dict.fromkeys(_SIGMAS, "sigma"), knob.now: "now"}.items()))
    wanted = {knob.now: "now"}
    for factor in _FACTORS:
        value = knob.now * factor
        if knob.whole:
            value = float(max(int(knob.end or 0), _rounded(value)))
        wanted.setdefault(float(f"{value:.6g}"), f"{factor:g} of now")
    return dict(sorted(wanted.items()))


def _rounded(value: float) -> int:
    """A whole number that reads well: times of a minute and more in whole seconds."""
    return round(value / _SECOND_MS) * _SECOND_MS if value >= _LONG_MS else round(value)


def _quantiles(knob: Knob, values: Float64, *, labelled: bool) -> dict[float, str]:
    now = float(knob.now)
    wanted = {now: "now"}
    if len(values) < _FEWEST:
        return wanted
    up = knob.sooner < 0
    for share in _TRIED:
        value = float(f"{np.quantile(values, share if up else 1 - share):.4g}")
        wanted.setdefault(value, f"quantile {share if up else round(1 - share, 6):g}")
    if labelled:
        ends = np.quantile(values, (0.95, 1.0) if up else (0.0, 0.05))
        for value in np.linspace(ends[0], ends[1], _CURVE).tolist():
            wanted.setdefault(float(f"{value:.4g}"), "")
    return dict(sorted(wanted.items()))


def _candidates(path: str, wanted: Mapping[Value, str], points: Sequence[Point]) -> list[Candidate]:
    knee = max((one for one in points if one.problem is None and _balance(one) > 0), key=_balance, default=None)
    found = []
    for point in points:
        value = point.values[path]
        reasons = [wanted[value]] if wanted[value] else []
        if point is knee:
            reasons.append("knee")
        if reasons:
            found.append(Candidate(reason=", ".join(reasons), value=value, raised=point))
    return found


def _balance(point: Point) -> float:
    """The harmonic mean of precision and recall, 0 where one is not known."""
    if not point.precision or not point.recall:
        return 0.0
    return 2 * point.precision * point.recall / (point.precision + point.recall)


def _classes(material: Material, watched: Sequence[int], *, below: bool) -> list[ClassOf]:
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for feed in watched:
        device = material.feeds[feed][0]
        groups[device.type, device.kind].append(feed)
    found = []
    for (kind, site), feeds in sorted(groups.items()):
        batch = material.batch
        rows = np.isin(batch.feed, feeds) & (batch.quality & NOT_EVALUATED == 0)
        rows &= batch.event_time >= material.range.start_ms
        values = batch.value[rows]
        if not len(values):
            continue
        shares = [round(1 - share, 6) for share in _TAIL] if below else list(_TAIL)
        found.append(
            ClassOf(
                type=kind, kind=site, devices=len({material.feeds[feed][0].id for feed in feeds}),
                readings=len(values),
                quantiles={f"{s:g}": float(q) for s, q in zip(shares, np.quantile(values, shares), strict=True)},
                bands=_bands(batch.event_time[rows], values, below=below),
            )
        )  # fmt: skip
    return found


def _bands(times: Int64, values: Float64, *, below: bool) -> list[Band]:
    """By four parts of the day, on workdays and weekends."""
    local = times // _HOUR_MS + int(SHANGHAI.utcoffset(None).total_seconds()) // 3600
    part, weekend = local % 24 // 6, (local // 24 + _THURSDAY) % 7 >= _WEEKEND
    bands = []
    for days, on in (("workdays", ~weekend), ("weekends", weekend)):
        for quarter in range(4):
            chosen = values[on & (part == quarter)]
            if len(chosen) >= _FEWEST:
                value = float(np.quantile(chosen, 1 - _BAND if below else _BAND))
                hours = f"{quarter * 6:02d}-{quarter * 6 + 6:02d}"
                bands.append(Band(days=days, hours=hours, value=value, readings=len(chosen)))
    return bands
