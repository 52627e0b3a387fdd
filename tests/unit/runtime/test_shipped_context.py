"""Shipped scenes that ask what else is so: they tell while it is, and as soon as it comes to be so."""

from collections.abc import Iterable

import numpy as np
import pytest

from city.catalogue import load_catalogue, shipped
from city.device import Device
from core.clock import parse_rfc3339
from core.reading import ReadingBatch
from runtime.offline import OfflineRun
from thresholds.check import load_scenes
from thresholds.scene_set import SceneSet

NOON = parse_rfc3339("2026-06-03T12:00:00+08:00")
MIN, HOUR = 60_000, 3_600_000
SCENES = load_scenes([shipped("scenes")], load_catalogue())[0]

Said = tuple[int, str, str, float]
"""Minutes after noon, device, metric, value."""


def told(*devices: Device, said: Iterable[Said], until_min: int, scenes: SceneSet = SCENES) -> list[tuple[str, int]]:
    """(scene, minutes after noon) of every alert of all shipped scenes but those of silence, in their order."""
    readings = sorted(said)
    names = sorted({(device, metric) for _, device, metric, _ in readings})
    of = {device.id: device for device in devices}
    run = OfflineRun(scenes, [(of[device], metric, "") for device, metric in names])
    for minute, device, metric, value in readings:
        at, feed = NOON + minute * MIN, names.index((device, metric))
        batch = ReadingBatch.of(np.array([feed]), np.array([at]), np.array([value]), np.array([at * 1_000_000]))
        run.take([batch])
    run.pass_time(NOON + until_min * MIN)
    alerts = sorted((alert.last.raised_ms, alert.last.data.scene) for alert in run.alerts.values())
    return [(scene, (at - NOON) // MIN) for at, scene in alerts if not scene.startswith("offline-")]


def every(minutes: int, first: int, last: int, device: str, metric: str, value: float) -> list[Said]:
    return [(minute, device, metric, value) for minute in range(first, last, minutes)]


KITCHEN = Device("k", "g", "cooking-fume", place="M1")
CRANE = Device("c", "g", "tower-crane-monitor", place="M1", town="T1")
SEWER = Device("s", "g", "sewer-level", place="M1", town="T1")
BUOY = Device("b", "g", "river-quality", place="M1", town="T1", area_class="IV")
STATION = Device("w", "g", "weather-station", place="M2", town="T1")
FAR = Device("w", "g", "weather-station", place="M9", town="T2")


def test_a_purifier_counts_only_under_a_fan_that_runs() -> None:
    off = every(10, 0, 60, "k", "purifier_on", 0)
    assert told(KITCHEN, said=[*off, *every(10, 0, 60, "k", "fan_on", 0)], until_min=60) == []
    assert told(KITCHEN, said=[*off, *every(10, 0, 60, "k", "fan_on", 1)], until_min=60) == [("fume-purifier-off", 10)]
    lit = [*every(10, 0, 30, "k", "fan_on", 0), *every(10, 30, 60, "k", "fan_on", 1)]
    assert told(KITCHEN, said=[*off, *lit], until_min=60) == [("fume-purifier-off", 40)], (
        "it counts from when the fan runs"
    )
    both = [*every(10, 0, 30, "k", "purifier_on", 0), *every(10, 30, 60, "k", "purifier_on", 1)]
    assert told(KITCHEN, said=[*both, *lit], until_min=60) == [], "both go on together"


def test_fume_over_its_limit_is_told_in_place_of_its_purifier() -> None:
    said = [
        *every(10, 0, 60, "k", "purifier_on", 0),
        *every(10, 0, 60, "k", "fan_on", 1),
        *every(1, 0, 60, "k", "fume", 2.5),
    ]
    assert {scene for scene, _ in told(KITCHEN, said=said, until_min=60)} == {"cooking-fume"}


def test_a_purifier_that_runs_again_is_not_told_when_its_fume_is_over() -> None:
    said = [
        *every(1, 0, 50, "k", "purifier_on", 0), *every(1, 50, 180, "k", "purifier_on", 1),
        *every(1, 0, 180, "k", "fan_on", 1),
        *every(1, 0, 50, "k", "fume", 2.5), *every(1, 50, 180, "k", "fume", 0.3),
    ]  # fmt: skip
    assert [scene for scene, _ in told(KITCHEN, said=said, until_min=180)] == ["cooking-fume"]


def test_wind_at_a_crane_counts_while_it_works_and_from_when_it_begins_to() -> None:
    wind = every(1, 0, 120, "c", "wind", 12.0)
    idle = every(1, 0, 120, "c", "moment_pct", 6.0)
    assert told(CRANE, said=[*wind, *idle], until_min=120) == []
    starts = [*every(1, 0, 50, "c", "moment_pct", 6.0), *every(1, 50, 120, "c", "moment_pct", 40.0)]
    assert told(CRANE, said=[*wind, *starts], until_min=120) == [("crane-wind", 50)]
    at_rest = [*every(1, -60, -20, "c", "moment_pct", 40.0), *every(1, -20, 120, "c", "moment_pct", 6.0)]
    assert told(CRANE, said=[*wind, *at_rest], until_min=120) == [("crane-wind", 2)], "half an hour between two lifts"


@pytest.mark.parametrize(("station", "rain", "at"), [(STATION, 0.0, 360), (FAR, 9.0, 360), (STATION, 9.0, 735)])
def test_a_sewer_is_told_in_dry_weather_of_its_town_or_once_it_has_been_dry_for_long(
    station: Device, rain: float, at: int
) -> None:
    """It rains until 12:25: half a day after that is 745 minutes."""
    level = every(15, 0, 1000, "s", "level_pct", 62.0)
    weather = [*every(5, 0, 30, "w", "rain_1h", rain), *every(5, 30, 1000, "w", "rain_1h", 0.0)]
    (alert,) = [one for one in told(SEWER, station, said=[*level, *weather], until_min=1000) if one[0] != "heavy-rain"]
    assert alert[0] == "sewer-dry-blockage"
    assert at <= alert[1] <= at + 15, "a window of 12 h is up to a pane of 15 minutes shorter"


@pytest.mark.parametrize(("rain", "heard"), [(0.0, True), (20.0, False)])
def test_a_cloudy_river_is_not_told_for_a_day_after_heavy_rain(rain: float, heard: bool) -> None:  # noqa: FBT001
    cloudy = every(60, 0, 12 * 60, "b", "secchi_cm", 20.0)
    weather = [*every(10, -60, 0, "w", "rain_6h", rain), *every(10, 0, 12 * 60, "w", "rain_6h", 0.0)]
    found = told(BUOY, STATION, said=[*cloudy, *weather], until_min=12 * 60)
    assert bool([scene for scene, _ in found if scene == "river-quality-clarity"]) is heard


def test_a_day_over_the_limit_waits_behind_two_hours_that_are() -> None:
    station = Device("a", "g", "air-station", place="M1", town="T1")
    long = every(15, 0, 20 * 60, "a", "pm10", 200.0)
    after = every(15, 20 * 60, 27 * 60, "a", "pm10", 120.0)
    found = told(station, said=[*long, *after], until_min=27 * 60)
    assert [scene for scene, _ in found] == ["air-quality-pm10", "air-quality-pm10-day"]
    assert found[1][1] > 20 * 60


@pytest.mark.parametrize(("value", "scene"), [(5.5, "river-quality-acid"), (9.5, "river-quality-alkaline")])
def test_a_mean_on_either_side_is_a_scene_of_its_own_with_one_leaf(value: float, scene: str) -> None:
    wavering = [(60 * hour, "b", "ph", value if hour % 3 else 7.5) for hour in range(12)]
    assert told(BUOY, said=wavering, until_min=12 * 60) == []
    found = told(BUOY, said=every(60, 0, 12 * 60, "b", "ph", value), until_min=12 * 60)
    assert [name for name, _ in found] == [scene]


def test_a_pit_is_judged_by_what_its_own_design_allows() -> None:
    pits = [
        Device("p", "g", "deep-pit-monitor", place="M1", design={"hdisp_mm": 30.0}),
        Device("q", "g", "deep-pit-monitor", place="M2"),
    ]
    moved = ((0, -25.0), (240, -25.0), (480, -31.0), (720, -31.0))
    said = [(minute, name, "hdisp_mm", value) for name in "pq" for minute, value in moved]
    run = told(*pits, said=said, until_min=800)
    assert run == [("deep-pit-displacement", 240)]


def test_a_hydrant_is_open_for_a_fire_that_is_told_in_its_grid() -> None:
    alarm = Device("f", "g", "smoke-detector", place="M1", self_grid="S1")
    for grid, told_of in (("S1", []), ("S2", ["hydrant-opened"])):
        hydrant = Device("h", "g", "hydrant-pressure", place="M2", self_grid=grid)
        said = [(0, "f", "smoke", 1.0), *every(5, 5, 60, "h", "flow_open", 1.0)]
        found = [scene for scene, _ in told(hydrant, alarm, said=said, until_min=60)]
        assert found == ["smoke-alarm", *told_of]
