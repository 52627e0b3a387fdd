"""A cloudburst over the whole district: how many devices speak at once, and how many rows an operator gets."""

import math
from collections import defaultdict
from collections.abc import Iterable

import msgspec
import numpy as np

from runtime.offline import OfflineAlert
from runtime.simulated_run import SimulatedRun
from simulators.world import WET, World

_MINUTE_MS = 60_000


class StormScene(msgspec.Struct, frozen=True, kw_only=True):
    """What one scene made of it: devices in its alerts, alerts, cases, and the most of them open at one time."""

    scene: str
    devices: int
    alerts: int
    cases: int
    most_open: int


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it.

    Attributes:
        version: Of this form.
        hours: How long was played.
        sensors: Of the district.
        wet: Water and weather devices among them.
        woken: Of these, how many are in alarm interval a minute after it began to pour.
        told: Of these, how many are in an alert.
        alerts: How many were opened; what time alone says after the end of the run is left out.
        cases: How many of them have a case.
        most_open: The most rows that an operator has before him at one time.
        kept_back: Levels that were raised behind another scene, which is told in their place.
        scenes: The same by scene, the most alerts first.
    """

    version: int = 1
    hours: float
    sensors: int
    wet: int
    woken: int
    told: int
    alerts: int
    cases: int
    most_open: int
    kept_back: int
    scenes: list[StormScene]


def storm_of(world: World, run: SimulatedRun) -> Storm:
    """The figures of a run that has been played."""
    alerts = [alert for alert in run.alerts.values() if alert.last.raised_ms <= world.scenario.end_ms]
    by_scene: dict[str, list[OfflineAlert]] = defaultdict(list)
    for alert in alerts:
        by_scene[alert.last.data.scene].append(alert)
    kinds = {kind.type for kind in world.district.kinds if kind.type in WET}
    wet = {device.id for device in world.district.devices if device.type in kinds}
    scenes = [_scene(name, group) for name, group in by_scene.items()]
    return Storm(
        hours=world.scenario.seconds / 3600,
        sensors=world.district.sensors,
        wet=len(wet),
        woken=_woken(world),
        told=len(wet & _devices(alerts)),
        alerts=len(alerts),
        cases=sum(alert.case for alert in alerts),
        most_open=most_open(_open(alerts)),
        kept_back=run.kept_back,
        scenes=sorted(scenes, key=lambda one: (-one.alerts, one.scene)),
    )


def most_open(spans: Iterable[tuple[float, float]]) -> int:
    """The most of them that hold at one moment; one that ends as another begins is no longer there."""
    steps = sorted((moment, step) for begin, end in spans for moment, step in ((begin, 1), (end, -1)))
    count = highest = 0
    for _, step in steps:
        count += step
        highest = max(highest, count)
    return highest


def _woken(world: World) -> int:
    """How many are in alarm interval a minute after it began to pour."""
    found = 0
    for number, (kind, fleet) in enumerate(zip(world.district.kinds, world.district.fleets, strict=True)):
        if kind.type in WET and world.weather.storm_ms is not None:
            then = np.full(len(fleet), world.weather.storm_ms + _MINUTE_MS)
            found += int(world.near_spans(number).inside(np.arange(len(fleet)), then).sum())
    return found


def _scene(name: str, alerts: list[OfflineAlert]) -> StormScene:
    return StormScene(
        scene=name,
        devices=len(_devices(alerts)),
        alerts=len(alerts),
        cases=sum(alert.case for alert in alerts),
        most_open=most_open(_open(alerts)),
    )


def _devices(alerts: Iterable[OfflineAlert]) -> set[str]:
    return {feed.partition("/")[0] for alert in alerts for feed in alert.last.data.feeds}


def _open(alerts: Iterable[OfflineAlert]) -> list[tuple[float, float]]:
    return [(alert.last.raised_ms, alert.last.cleared_ms or math.inf) for alert in alerts]
