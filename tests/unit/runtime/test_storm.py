"""A cloudburst over the whole district: what an operator has to look at."""

import itertools
import math
from collections import defaultdict

from runtime.known_scenes import known_scenes
from runtime.simulated_run import SimulatedRun
from simulators import district
from simulators.world import Scenario, World

_HOURS = 3
_WET = {"road-water-level", "river-level", "sewer-level", "weather-station"}


def test_a_storm_is_a_few_folded_alerts_and_not_a_row_for_each_device() -> None:
    there = district.make(1, 1_500, 0)
    wet = [device for device in there.devices if device.type in _WET]
    storm = Scenario(seed=1, begin_ms=1_780_000_000_000, seconds=_HOURS * 3_600, storm=True)
    scenes = known_scenes()
    run = SimulatedRun(World(there, storm), scenes)
    for _ in run.play():
        pass
    alerts = list(run.alerts.values())
    seen = {feed.partition("/")[0] for alert in alerts for feed in alert.last.data.feeds}
    assert len(seen & {device.id for device in wet}) > len(wet) // 2, "the storm is everywhere"
    devices = {device.id: device for device in there.devices}
    folds = {scene.id: scene.fold for scene in scenes.scenes}
    open_at: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for alert in alerts:
        of = alert.last
        key = folds[of.data.scene].key(devices[of.opened_by.partition("/")[0]])
        open_at[of.data.scene, key].append((of.raised_ms, of.cleared_ms or math.inf))
    for (scene, _), spans in open_at.items():
        window = folds[scene].window or math.inf
        for before, after in itertools.pairwise(sorted(spans)):
            over, apart = before[1] <= after[0], after[0] - before[0] > window
            assert over or apart, "one open alert of a scene and place, however many devices"
    assert len(alerts) < len(seen) * 2 / 3
    assert sum(alert.case for alert in alerts) < len(seen) / 3
