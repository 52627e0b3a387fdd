"""A picture of a simulated run: rain, roads, sewers, rivers and noise over time."""

import datetime as dt
from pathlib import Path

import numpy as np

from core.errors import ConfigError
from simulators.chance import Floats
from simulators.moment import Moment
from simulators.world import World

_ZONE_MS = 8 * 3_600_000
_DAY_MS = 86_400_000
_POINTS = 1_440
_SHOWN = 6
_FIRST_DAY, _LAST_DAY = dt.date(1990, 1, 1), dt.date(2099, 12, 31)


def midnight(now_ms: int) -> int:
    """The last midnight in the district before a time, ms."""
    return (now_ms + _ZONE_MS) // _DAY_MS * _DAY_MS - _ZONE_MS


def day_in_the_district(option: str, text: str) -> int:
    """The midnight at which a day begins, ms.

    Raises:
        ConfigError: If it is none of this or the last century's end, within which the world can be made up.
    """
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        day = dt.date.min
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise ConfigError(f"{option} {text}: write a day like 2026-07-09, from {_FIRST_DAY} to {_LAST_DAY}")
    return (day - dt.date(1970, 1, 1)).days * _DAY_MS - _ZONE_MS


def plot(world: World, path: Path) -> None:
    """Draw it; a few devices of each kind, those at the wettest places first.

    Raises:
        ConfigError: If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - only a plot needs it, and it is slow to load
    except ImportError as error:
        raise ConfigError("--plot needs matplotlib: install scenewatch[plot]") from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    scenario = world.scenario
    t = np.linspace(scenario.begin_ms, scenario.end_ms - 1, _POINTS).astype(np.int64)
    hours = (t - scenario.begin_ms) / 3_600_000
    panels = (
        ("weather-station", "rain_1h", "rain in an hour, mm"), ("road-water-level", "depth_cm", "water on roads, cm"),
        ("sewer-level", "level_pct", "sewers, % of depth"), ("river-level", "level_m", "rivers, m over warning"),
        ("ambient-noise", "laeq", "noise, dB(A)"),
    )  # fmt: skip
    figure, axes = plt.subplots(1 + len(panels), 1, figsize=(11, 14), sharex=True, layout="constrained")
    axes[0].plot(hours, _rain(world, t), linewidth=0.9)
    axes[0].set_ylabel("rain, mm/h")
    for axis, (type_id, metric, label) in zip(axes[1:], panels, strict=True):
        for values in _lines(world, type_id, metric, t):
            axis.plot(hours, values, linewidth=0.8)
        axis.set_ylabel(label)
    for axis in axes:
        axis.grid(alpha=0.3)
    begin = dt.datetime.fromtimestamp(scenario.begin_ms / 1000, dt.timezone(dt.timedelta(hours=8)))
    axes[0].set_title(f"seed {scenario.seed}, from {begin:%Y-%m-%d %H:%M} local time")
    axes[-1].set_xlabel("hours")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _rain(world: World, t: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Rain at the wettest cells, shape (times, cells)."""
    wettest = np.argsort(world.weather.rain.sum(axis=0))[::-1][:: max(1, 256 // _SHOWN)][:_SHOWN]
    return np.column_stack(
        [world.weather.at(world.weather.rain, t, np.full(len(t), cell, np.int64)) for cell in wettest]
    )


def _lines(world: World, type_id: str, metric: str, t: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Floats]:
    kinds = {kind.type: i for i, kind in enumerate(world.district.kinds)}
    if type_id not in kinds:
        return []
    kind = kinds[type_id]
    fleet = world.district.fleets[kind]
    fallen = world.weather.fallen[-1][fleet.cell]
    rows = np.argsort(fallen, kind="stable")[::-1][:: max(1, len(fleet) // _SHOWN)][:_SHOWN]
    found = []
    for row in rows.tolist():
        at: Moment = world.moment(kind, np.full(len(t), row, np.int64), t)
        values = world.true(at, kind, world.district.kinds[kind].metric(metric))
        found.append(values - fleet.design["level_m"][row] if metric == "level_m" else values)
    return found
