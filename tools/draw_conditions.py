"""Draws a small picture of each condition from what the engine really decides: `python tools/draw_conditions.py`.

A test holds the files to what would be drawn.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from city.device import Device
from core.reading import ReadingBatch
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference" / "pictures"
_BEGIN_MS = 1_700_053_200_000
"""21:00 in Shanghai."""
_WIDTH, _HEIGHT, _TOP, _LEFT = 360, 110, 22, 8
_MINUTES = 180
_DAYS = 10
"""How many days a baseline is shown before."""
_Band = tuple[int, int, float, float]
"""From a minute to another, from a value to another."""


class Picture(NamedTuple):
    """A level over three hours of readings, one a minute where `keeps` says so."""

    name: str
    title: str
    level: dict[str, Any]
    lines: tuple[float, ...] = ()
    parts: dict[str, Any] | None = None
    shape: str = "hump"
    usual: str = ""
    """What the days before were like, which a baseline learns."""


PICTURES = [
    Picture("above", "above: 6, clear_below: 3 高于限值", {"above": 6, "clear_below": 3}, (6, 3)),
    Picture("mean", "mean_above: 5 over 30m 均值", {"mean_above": 5, "window": "30m"}, (5,), shape="noise"),
    Picture("max", "max_above: 8 over 30m 最大值", {"max_above": 8, "window": "30m"}, (8,), shape="spikes"),
    Picture("sum", "sum_above: 12 over 30m 累计", {"sum_above": 12, "window": "30m"}, shape="spikes"),
    Picture("change", "changed_by: up 3 in 20m 变化量", {"changed_by": {"up": 3, "in": "20m"}}, shape="ramp"),
    Picture("rate", "rate_above: 6 per 1h 变化速率", {"rate_above": "6 per 1h", "window": "20m"}, shape="ramp"),
    Picture(
        "count", "count_above: 8, 2 times in 1h 次数",
        {"count_above": {"limit": 8, "times": 2, "in": "1h", "of": "crossings"}}, (8,), shape="spikes",
    ),
    Picture("total", "total_below: 0.5 in 30m 增量", {"total_below": {"value": 0.5, "in": "30m"}}, shape="stairs"),
    Picture("absent", "absent_for: 20m 无数据", {"absent_for": "20m"}, shape="gap"),
    Picture("stuck", "stuck_for: 25m 数值不变", {"stuck_for": "25m"}, shape="stairs"),
    Picture(
        "deviates", "deviates from daily by 4 sigma 偏离常态", {"deviates": {"from": "daily", "by": "4 sigma"}},
        shape="odd-day", usual="day",
    ),
    Picture("night", "above: 6, when: night 夜间时段", {"above": 6}, (6,), {"when": "night"}),
]  # fmt: skip


def draw(picture: Picture) -> str:
    """The picture as SVG."""
    minutes, values = _series(picture.shape)
    spans, bands = _decided(picture, minutes, values)
    top = max(10.0, float(values.max()))
    x = [_LEFT + (_WIDTH - 2 * _LEFT) * minute / _MINUTES for minute in range(_MINUTES + 1)]

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - 8) * (1 - value / top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="15" font-size="12" fill="#333333">{picture.title}</text>',
    ]
    parts += [
        f'<rect x="{x[a]:.1f}" y="{y(high):.1f}" width="{x[b] - x[a]:.1f}" height="{y(low) - y(high):.1f}" '
        'fill="#dde6ee"/>'
        for a, b, low, high in bands
    ]
    parts += [
        f'<rect x="{x[a]:.1f}" y="{_TOP}" width="{x[b] - x[a]:.1f}" height="{_HEIGHT - _TOP - 8}" '
        f'fill="#f4b6ad"{_over(bands)}/>'
        for a, b in spans
    ]
    parts += [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{y(line):.1f}" y2="{y(line):.1f}" stroke="#888888" '
        'stroke-dasharray="4 3"/>'
        for line in picture.lines
    ]
    parts += [
        f'<circle cx="{x[minute]:.1f}" cy="{y(value):.1f}" r="1.2" fill="#1f5fa8"/>'
        for minute, value in zip(minutes.tolist(), values.tolist(), strict=True)
    ]
    return "\n".join([*parts, "</svg>", ""])


def _series(shape: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Minutes and values, rounded to tenths."""
    minutes = np.arange(_MINUTES)
    hump = 8.5 * np.exp(-(((minutes - 75) / 28.0) ** 2)) + 0.6
    spikes = np.where(np.isin(minutes, (30, 55, 60, 130)), 9.0, 0.4)
    noise = hump + np.array([2.2 * math.sin(minute * 2.4) for minute in minutes.tolist()])
    ramp = np.interp(minutes, [0, 50, 80, 120, 180], [1, 1, 7, 7.4, 5])
    stairs = np.floor(np.interp(minutes, [0, 60, 115, 180], [0, 5, 5, 10]))
    hour = minutes // 60
    wobble = np.array([0.25 * math.sin(minute * 2.4) for minute in minutes.tolist()])
    day = np.array([2.0, 7.0, 4.0])[hour] + wobble
    odd = np.where((minutes >= 60) & (minutes < 90), 2.0, np.where(minutes >= 140, 8.0, day - wobble)) + wobble
    shapes = {"hump": hump, "noise": noise, "spikes": spikes, "ramp": ramp, "stairs": stairs, "gap": hump}
    values = {**shapes, "day": day, "odd-day": odd}[shape]
    kept = ~((minutes > 60) & (minutes < 115)) if shape == "gap" else np.ones(_MINUTES, np.bool_)
    return minutes[kept], np.round(np.maximum(values, 0)[kept], 1)


def _over(bands: list[_Band]) -> str:
    return ' fill-opacity="0.6"' if bands else ""


def _decided(picture: Picture, minutes: Any, values: Any) -> tuple[list[tuple[int, int]], list[_Band]]:
    """From which to which minute the engine has the level active; where it looks for what is usual."""
    content = {"scene": "s", "feeds": {"metric": "m"}, "levels": [{"severity": "minor", **picture.level}]}
    scene = Scene.model_validate({**content, **(picture.parts or {})})
    engine = Engine(SceneSet.of([scene]), max_feeds=1)
    engine.bind(0, Device("d", "g"), "m")
    for day in range(-_DAYS if picture.usual else 0, 0):
        before = _series(picture.usual)[1]
        engine.on_batch(ReadingBatch.of(np.zeros(_MINUTES), _BEGIN_MS + _minutes(day * 1440), before))
    spans: list[tuple[int, int]] = []
    bands: list[_Band] = []
    for hour in range(0, _MINUTES, 60):
        rows = (minutes >= hour) & (minutes < hour + 60)
        times = _BEGIN_MS + minutes[rows] * 60_000
        decided = engine.on_batch(ReadingBatch.of(np.zeros(len(times)), times, values[rows]))
        for kind, at in zip(decided.kind.tolist(), decided.at.tolist(), strict=True):
            minute = round((at - _BEGIN_MS) / 60_000)
            if kind == TransitionKind.RAISED:
                spans.append((minute, _MINUTES))
            elif kind == TransitionKind.CLEARED:
                spans[-1] = (spans[-1][0], minute)
        bands += _bands(engine, scene, hour)
    return spans, bands


def _minutes(first: int) -> Any:
    return (first + np.arange(_MINUTES)) * 60_000


def _bands(engine: Engine, scene: Scene, hour: int) -> list[_Band]:
    """How far from what is usual a reading of the hour may be, if the level asks."""
    (level,) = scene.levels
    measure = level.measure(scene.zone)
    found = None if measure is None else engine.standing(0, scene.id, measure)
    if found is None or found.expected is None or found.spread is None:
        return []
    reach = level.limit.by * found.spread
    return [(hour, hour + 60, max(0.0, found.expected - reach), found.expected + reach)]


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        (FOLDER / f"{picture.name}.svg").write_text(draw(picture), encoding="utf-8")


if __name__ == "__main__":
    main()
