"""A cloudburst over the whole district: what an operator has to look at."""

import itertools
import json
import math
from collections import defaultdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runtime.known_scenes import known_scenes
from runtime.main import app
from runtime.simulated_run import SimulatedRun
from runtime.storm import Storm, most_open, storm_of
from simulators import district
from simulators.world import Scenario, World

_HOURS = 3
BEGIN = 1_780_000_000_000


@pytest.fixture(scope="module")
def world() -> World:
    there = district.make(1, 1_500, 0)
    return World(there, Scenario(seed=1, begin_ms=BEGIN, seconds=_HOURS * 3_600, storm=True))


@pytest.fixture(scope="module")
def played(world: World) -> SimulatedRun:
    run = SimulatedRun(world, known_scenes())
    for _ in run.play():
        pass
    return run


@pytest.fixture(scope="module")
def storm(world: World, played: SimulatedRun) -> Storm:
    return storm_of(world, played)


def test_a_storm_is_a_few_folded_alerts_and_not_a_row_for_each_device(
    world: World, played: SimulatedRun, storm: Storm
) -> None:
    alerts = [alert for alert in played.alerts.values() if alert.last.raised_ms <= world.scenario.end_ms]
    seen = {feed.partition("/")[0] for alert in alerts for feed in alert.last.data.feeds}
    assert storm.woken == storm.wet
    assert storm.told > storm.wet // 2, "the storm is everywhere"
    devices = {device.id: device for device in world.district.devices}
    folds = {scene.id: scene.fold for scene in known_scenes().scenes}
    open_at: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
    for alert in alerts:
        of = alert.last
        key = folds[of.data.scene].key(devices[of.opened_by.partition("/")[0]])
        open_at[of.data.scene, key, str(of.data.leaf)].append((of.raised_ms, of.cleared_ms or math.inf))
    for (scene, _, _), spans in open_at.items():
        window = folds[scene].window or math.inf
        for before, after in itertools.pairwise(sorted(spans)):
            over, apart = before[1] <= after[0], after[0] - before[0] > window
            assert over or apart, "one open alert of a scene, place and leaf, however many devices"
    assert storm.alerts == len(alerts) < len(seen) * 2 / 3
    assert storm.cases < len(seen) / 3


def test_the_figures_add_up(storm: Storm) -> None:
    assert storm.alerts == sum(scene.alerts for scene in storm.scenes)
    assert storm.cases == sum(scene.cases for scene in storm.scenes)
    assert max(scene.most_open for scene in storm.scenes) <= storm.most_open <= storm.alerts
    assert storm.kept_back > 0, "what is milder waits behind the town's rain"
    rain = next(scene for scene in storm.scenes if scene.scene == "heavy-rain")
    assert rain.cases == 0


@pytest.mark.parametrize(
    ("spans", "most"),
    [([], 0), ([(0, 5)], 1), ([(0, 5), (5, 9)], 1), ([(0, 5), (4, 9), (4, 4.5)], 3), ([(0, math.inf), (1, 2)], 2)],
)
def test_the_most_rows_at_one_time_are_counted(spans: list[tuple[float, float]], most: int) -> None:
    assert most_open(spans) == most


def test_one_command_says_it(tmp_path: Path) -> None:
    out = tmp_path / "storm.json"
    command = ["score", "--storm", "--sensors", "280", "--days", "0.05", "--json", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    figures = json.loads(out.read_bytes())
    assert f"{figures['woken']} of {figures['wet']} water and weather devices" in done.output.replace("\n", " ")
    assert figures["hours"] == pytest.approx(1.2)


def test_a_storm_comes_without_other_incidents() -> None:
    done = CliRunner().invoke(app, ["score", "--storm", "--incidents", "3"])
    assert done.exit_code != 0
