"""Shipped scenes from readings to cases: which leaf a case has, and when it changes."""

import numpy as np

from alerts.change import AlertChange
from alerts.event import AlertEvent
from alerts.stored import Waiting
from city.device import Device
from core.clock import parse_rfc3339
from core.reading import ReadingBatch
from dispatch.case import Case
from dispatch.intake import Intake, Known, Plan
from runtime.known_scenes import known_scenes
from runtime.offline import OfflineRun
from thresholds.scene_set import SceneSet

T0 = 1_780_000_000_000
MIN = 60_000
SCENES = {scene.id: scene for scene in known_scenes().scenes}


def plan_of(
    scene: str, metric: str, devices: list[Device], values: list[list[float]], step_ms: int, start_ms: int = T0
) -> Plan:
    """What the dispatch core makes of a scene when every device reports a value of each list, one after another."""
    run = OfflineRun(SceneSet.of([SCENES[scene]]), [(device, metric, "") for device in devices])
    told: list[AlertChange] = []
    for turn, row in enumerate(values):
        at = np.full(len(row), start_ms + turn * step_ms)
        told += run.chain.on_batch(ReadingBatch.of(np.arange(len(row)), at, np.array(row), at * 1_000_000))
    events = [
        Waiting(seq, one.id, one.type, one.at_ms, one.data, one.timing, None).event("/pipeline")
        for seq, one in enumerate(told)
    ]
    alerts = [event for event in events if isinstance(event, AlertEvent)]
    return Intake(Known(), first_seq=1, last_number=0, day="20260601", now_ms=T0).take_all(alerts)


def leaves(cases: dict[str, Case]) -> list[str]:
    return sorted(str(case.leaf) for case in cases.values())


def test_an_underpass_and_the_road_above_it_are_two_cases_and_the_one_to_be_closed_changes_its_leaf() -> None:
    devices = [Device(f"w-{kind}", "g", "road-water-level", place="M1", kind=kind) for kind in ("underpass", "road")]
    plan = plan_of("road-flooding", "depth_cm", devices, [[16, 16], [16, 16], [26, 26], [26, 26]], MIN)
    assert leaves(plan.cases) == ["11-08-01", "14-01-02"]
    assert ["leaf 14-01-03 -> 11-08-01" in line.note for line in plan.lines].count(True) == 1


def test_a_river_of_a_better_class_has_the_limits_of_its_class_and_a_station_those_of_its_row() -> None:
    buoys = [Device(f"b-{name}", "g", "river-quality", place=name, town=name, area_class=name) for name in ("III", "V")]
    plan = plan_of("river-quality-ammonia", "nh3n", buoys, [[1.2, 1.2]] * 5, 60 * MIN)
    assert [(case.place, case.leaf) for case in plan.cases.values()] == [("III", "14-08-01")]
    heavy = plan_of("river-quality-ammonia", "nh3n", buoys, [[16.0, 9.0]] * 5, 60 * MIN)
    assert leaves(heavy.cases) == ["14-08-02", "14-08-03"]
    stations = [Device(name, "g", "river-level", place=name, town=name) for name in ("huangpu-park", "mishidu")]
    plan = plan_of("river-level", "level_m", stations, [[4.95, 4.95]] * 3, 10 * MIN)
    assert sorted((case.place, case.severity) for case in plan.cases.values()) == [
        ("huangpu-park", "major"),
        ("mishidu", "minor"),
    ]


def test_a_site_that_is_loud_at_night_is_another_case_than_by_day() -> None:
    site = [Device("s", "g", "site-dust-noise", place="M1")]
    midnight_ms = parse_rfc3339("2026-06-03T00:00:00+08:00")
    for hour, leaf in ((1, "09-01-02"), (12, "09-01-03")):
        plan = plan_of("site-noise", "laeq", site, [[80.0]] * 30, MIN, midnight_ms + hour * 60 * MIN)
        assert leaves(plan.cases) == [leaf]
