"""A backtest as a picture: readings with their limits, alerts shaded, and the curve of a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from city.device import Device
from core.errors import ConfigError
from core.units import parse_duration
from runtime.backtest.material import Material
from runtime.backtest.run import Outcome
from runtime.backtest.sweep import Point
from thresholds.deviates import Deviates
from thresholds.scene import Scene

_FEEDS = 4
_MOST_POINTS = 20_000
_FEW = 200
_COLOURS = {"info": "#2471a3", "minor": "#b7950b", "major": "#ca6f1e", "critical": "#c0392b"}
_CJK = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "SimHei",
        "Microsoft YaHei", "PingFang SC")  # fmt: skip


def draw(path: Path, scene: Scene, material: Material, outcome: Outcome, points: Sequence[Point] = ()) -> None:
    """Write it as PNG or SVG, by the file's suffix.

    The feeds with the most alerts are drawn, or the highest where there is none.

    Raises:
        ConfigError: If matplotlib is not installed, or the file cannot be written.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise ConfigError("a plot needs matplotlib: pip install 'scenewatch[plot]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    zh = _font(mpl)
    shown = _feeds(scene, material, outcome)
    rows = max(1, len(shown)) + bool(points)
    figure, axes = plt.subplots(rows, 1, figsize=(11, 0.8 + 2.5 * rows), layout="constrained", squeeze=False)
    title = f"{scene.title.en or scene.id}" + (f"  {scene.title.zh}" if zh and scene.title.zh else "")
    figure.suptitle(f"{title}  (UTC)")
    for axis, feed in zip(axes[:, 0], shown, strict=False):
        _readings(axis, scene, material, outcome, feed)
    if not shown:
        axes[0, 0].set_title("no readings in the range", loc="left", fontsize=9)
    if points:
        _curve(axes[-1, 0], points)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ConfigError(f"--plot {path}: cannot be written: {error.strerror}") from error
    finally:
        plt.close(figure)


def _font(mpl: Any) -> bool:
    """Whether Chinese can be written; then a font that can is the first choice."""
    from matplotlib import font_manager  # noqa: PLC0415

    there = {font.name for font in font_manager.fontManager.ttflist}
    found = next((name for name in _CJK if name in there), None)
    if found is None:
        return False
    mpl.rcParams["font.sans-serif"] = [found, *mpl.rcParams["font.sans-serif"]]
    mpl.rcParams["axes.unicode_minus"] = False
    return True


def _feeds(scene: Scene, material: Material, outcome: Outcome) -> list[int]:
    """The feeds that say the most, at most four."""
    watched = [i for i, (device, metric, _) in enumerate(material.feeds) if scene.feeds.watch(device, metric)]
    alerts = [sum(_name(material, i) in alert.feeds for alert in outcome.alerts) for i in watched]
    highest = np.full(len(material.feeds), -np.inf)
    np.maximum.at(highest, material.batch.feed, material.batch.value)
    order = sorted(range(len(watched)), key=lambda k: (-alerts[k], -highest[watched[k]], watched[k]))
    with_readings = [watched[k] for k in order if np.isfinite(highest[watched[k]])]
    return with_readings[:_FEEDS]


def _name(material: Material, feed: int) -> str:
    device, metric, _ = material.feeds[feed]
    return f"{device.id}/{metric}"


def _readings(axis: Any, scene: Scene, material: Material, outcome: Outcome, feed: int) -> None:
    device, metric, unit = material.feeds[feed]
    batch, asked = material.batch, material.range
    rows = np.flatnonzero((batch.feed == feed) & (batch.quality == 0) & (batch.event_time >= asked.start_ms))
    rows = rows[:: -(-len(rows) // _MOST_POINTS) or 1]
    times, values = batch.event_time[rows], batch.value[rows]
    # A line across a hole would show readings that nobody has.
    holes = sorted({int(np.searchsorted(times, gap.end_ms)) for gap in material.gaps} - {0, len(times)})
    values, times = np.insert(values, holes, np.nan), np.insert(times, holes, times[holes])
    marker = "." if len(rows) < _FEW else ""
    axis.plot(times.astype("datetime64[ms]"), values, color="#34495e", linewidth=0.9, marker=marker)
    _limits(axis, scene, device)
    own = [alert for alert in outcome.alerts if _name(material, feed) in alert.feeds]
    for alert in own:
        end_ms = asked.end_ms if alert.cleared_ms is None else alert.cleared_ms
        begin, end = np.datetime64(alert.raised_ms, "ms"), np.datetime64(end_ms, "ms")
        axis.axvspan(begin, end, color=_COLOURS[alert.severity], alpha=0.18, linewidth=0)
        axis.axvline(begin, color=_COLOURS[alert.severity], alpha=0.5, linewidth=0.7)
    for gap in material.gaps:
        span = np.datetime64(gap.start_ms, "ms"), np.datetime64(gap.end_ms, "ms")
        axis.axvspan(*span, facecolor="none", edgecolor="#c8cdd0", hatch="///", linewidth=0)
    axis.set_xlim(np.datetime64(asked.start_ms, "ms"), np.datetime64(asked.end_ms, "ms"))
    axis.set_ylabel(f"{metric}" + (f" [{unit}]" if unit else ""), fontsize=8)
    noun = "alert" if len(own) == 1 else "alerts"
    axis.set_title(f"{device.id}: {len(own)} {noun}", loc="left", fontsize=9)
    axis.tick_params(labelsize=7)


def _limits(axis: Any, scene: Scene, device: Device) -> None:
    """The limits in force for a device, and dotted where they clear; distances in sigma are on no axis of readings."""
    for level in scene.levels_for(device):
        if isinstance(level, Deviates):
            continue
        colour = _COLOURS[level.severity]
        for number in _numbers(level.limit):
            axis.axhline(number, color=colour, linewidth=1)
            words = f"{level.severity}: {level.words}"
            axis.annotate(words, (1, number), xycoords=("axes fraction", "data"), xytext=(4, 0),
                          textcoords="offset points", color=colour, fontsize=7, va="center")  # fmt: skip
        for number in _numbers(level.clear_value):
            axis.axhline(number, color=colour, linewidth=0.8, linestyle=":")


def _curve(axis: Any, points: Sequence[Point]) -> None:
    """Alerts and cases over the first value, a line for each of the second."""
    right = [point for point in points if point.problem is None]
    paths = list(right[0].values) if right else []
    groups: dict[str, list[Point]] = {}
    for point in right:
        words = f", {paths[1]}={_word(point.values[paths[1]])}" if len(paths) > 1 else ""
        groups.setdefault(words, []).append(point)
    labelled = any(point.false is not None for point in right)
    for words, group in groups.items():
        at = [_number(point.values[paths[0]]) for point in group]
        axis.plot(at, [point.alerts for point in group], marker="o", markersize=3, label=f"alerts{words}")
        if len(groups) == 1:
            axis.plot(at, [point.cases for point in group], marker="s", markersize=3, label="cases")
        if labelled and len(groups) == 1:
            axis.plot(at, [point.false for point in group], marker="x", markersize=4, label="false")
            axis.plot(at, [point.missed for point in group], marker="v", markersize=4, label="missed")
    if right and isinstance(right[0].values[paths[0]], str):
        chosen = groups[next(iter(groups))]
        axis.set_xticks([_number(p.values[paths[0]]) for p in chosen], [_word(p.values[paths[0]]) for p in chosen])
    axis.set_ylim(0, max(1.0, axis.get_ylim()[1]))  # nothing raised is a line on the ground of whole numbers
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel(paths[0] if paths else "", fontsize=8)
    axis.set_title(f"sweep over {len(points)} values", loc="left", fontsize=9)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)


def _numbers(limit: object) -> list[float]:
    if isinstance(limit, bool) or limit is None:
        return []
    values = limit if isinstance(limit, tuple) else (limit,)
    return [float(value) for value in values if isinstance(value, int | float)]


def _number(value: float | str) -> float:
    if not isinstance(value, str):
        return float(value)
    return float(value.split()[0]) if "samples" in value else float(parse_duration(value))


def _word(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.6g}"
