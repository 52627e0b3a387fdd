"""Limits worth trying: what the readings of each class of devices are like, and what each limit would have raised."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from core.reading import NOT_EVALUATED, Float64, Int64
from runtime.backtest.labels import Labels
from runtime.backtest.material import Material
from runtime.backtest.sweep import Axis, Point, sweep
from runtime.backtest.which import Catalogue
from thresholds.deviates import Deviates
from thresholds.level import LevelBase
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

_TAIL = (0.5, 0.9, 0.99, 0.999, 0.9999, 1.0)
_TRIED = (0.99, 0.999, 0.9999)
_CURVE = 12
_BAND = 0.99
_SIGMAS = (3.0, 4.0, 5.0, 6.0, 8.0)
_FEWEST = 100
_HOUR_MS = 3_600_000
_ZONE = ZoneInfo("Asia/Shanghai")
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
    """`now`, `quantile 0.999`, `sigma` (a round distance), or `knee`: the best balance of precision and recall."""
    value: float
    raised: Point


class LevelIdeas(msgspec.Struct, frozen=True, kw_only=True):
    """For one level of the scene; its other levels stay as they are."""

    severity: str
    path: str
    """As `--set` takes it."""
    candidates: list[Candidate]


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
    catalogue: Catalogue,
    *,
    context: SceneSet | None = None,
    labels: Labels | None = None,
    metrics: Sequence[str] = (),
    tell: Callable[[int, int], None] | None = None,
) -> Suggestions:
    """Look at the readings, and try limits by a backtest each.

    Only levels that compare the reading itself with one number of the scene (`above`, `below`), or with what is usual,
    have suggestions.
    """
    watched = [i for i, (device, metric, _) in enumerate(material.feeds) if scene.feeds.watch(device, metric)]
    batch, start_ms = material.batch, material.range.start_ms
    rows = np.isin(batch.feed, watched) & (batch.quality & NOT_EVALUATED == 0) & (batch.event_time >= start_ms)
    values = batch.value[rows]
    levels = [
        (f"levels.{i}.{level.condition}{'.by' if isinstance(level, Deviates) else ''}", level)
        for i, level in enumerate(scene.levels)
        if level.condition in ("above", "below", "deviates")
        and getattr(level, "percent_of", None) is None
        and not level.from_table
    ]
    ideas = []
    for done, (path, level) in enumerate(levels, 1):
        wanted = _wanted(level, values, labelled=labels is not None)
        points = sweep(
            material, scene, [Axis(path, tuple(wanted))], catalogue, context=context, labels=labels, metrics=metrics
        )
        ideas.append(LevelIdeas(severity=level.severity, path=path, candidates=_candidates(path, wanted, points)))
        if tell is not None:
            tell(done, len(levels))
    below = bool(levels) and all(level.condition == "below" for _, level in levels)
    source = None if labels is None else type(labels).__name__.removesuffix("Labels").lower()
    return Suggestions(scene=scene.id, labels=source, classes=_classes(material, watched, below=below), levels=ideas)


def _wanted(level: LevelBase, values: Float64, *, labelled: bool) -> dict[float, str]:
    """Limits to try, each with its reason; with labels the whole span, in which the knee is looked for."""
    if isinstance(level, Deviates):
        return dict(sorted({**dict.fromkeys(_SIGMAS, "sigma"), level.deviates.by: "now"}.items()))
    now = float(level.limit)
    wanted = {now: "now"}
    if len(values) < _FEWEST:
        return wanted
    up = level.condition == "above"
    for share in _TRIED:
        value = float(f"{np.quantile(values, share if up else 1 - share):.4g}")
        wanted.setdefault(value, f"quantile {share if up else round(1 - share, 6):g}")
    if labelled:
        ends = np.quantile(values, (0.95, 1.0) if up else (0.0, 0.05))
        for value in np.linspace(ends[0], ends[1], _CURVE).tolist():
            wanted.setdefault(float(f"{value:.4g}"), "")
    return dict(sorted(wanted.items()))


def _candidates(path: str, wanted: dict[float, str], points: Sequence[Point]) -> list[Candidate]:
    knee = max((one for one in points if one.problem is None and _balance(one) > 0), key=_balance, default=None)
    found = []
    for point in points:
        value = float(point.values[path])
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
    offset = _ZONE.utcoffset(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - one offset all the year
    local = times // _HOUR_MS + (0 if offset is None else int(offset.total_seconds()) // 3600)
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
