"""The shipped scenes: each is right, is somebody's, and a level has one leaf; health, and the page."""

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from city.catalogue import shipped
from core.severity import Severity
from runtime.scene_library import is_context, waits, with_table
from simulators.faults import SHOWS
from simulators.kinds import kind_of
from tests.unit.thresholds.library import (
    _CHINESE,
    CASES,
    CONTEXT,
    DECIDING,
    DISTRICT,
    DRIFTS,
    EVERY,
    FINDINGS,
    HEALTH,
    SCENES,
    TYPES,
    WEATHER,
    metric_of,
)
from thresholds.across import references
from thresholds.scene import Scene

PAGE = Path(__file__).parents[3] / "docs/reference/scene-library.md"
QUIET_BUDGET = 100


# ---- the files


def test_the_whole_library_is_right() -> None:
    assert [str(finding) for finding in FINDINGS] == []


def test_one_file_a_scene_by_its_name() -> None:
    folder = shipped("scenes")
    assert sorted(path.stem for path in folder.iterdir() if path.suffix == ".yaml") == sorted(EVERY)
    tables = {f"{name}.csv" for name, scene in SCENES.items() if scene.limits_from}
    assert {path.name for path in folder.iterdir() if path.suffix != ".yaml"} == tables
    assert {scene.limits_from.name for scene in SCENES.values() if scene.limits_from} == tables


def test_every_device_type_has_a_scene_that_decides() -> None:
    assert len(DISTRICT) == 28
    assert DISTRICT.keys() - {scene.feeds.type for scene in DECIDING.values()} == set()


def test_every_scene_has_both_titles_and_no_two_the_same() -> None:
    assert [name for name, s in EVERY.items() if not s.title.en.isascii() or not _CHINESE.search(s.title.zh)] == []
    for titles in ([s.title.en for s in EVERY.values()], [s.title.zh for s in EVERY.values()]):
        assert [title for title, times in Counter(titles).items() if times > 1] == []


def test_every_scene_is_supervised_by_a_role_of_the_case_catalogue() -> None:
    for scene in EVERY.values():
        assert scene.owner is not None, scene.id
        assert scene.owner.unit in CASES.roles, scene.id
        assert _CHINESE.search(scene.owner.force or ""), scene.id


# ---- what they open


@pytest.mark.parametrize("name", SCENES)
def test_every_level_leads_to_one_leaf_that_knows_the_type(name: str) -> None:
    scene = SCENES[name]
    assert scene.raises.leaf is not None
    for _, _, code in scene.leaves:
        leaf = CASES.leaves[str(code)]
        assert leaf.in_force(dt.date(2026, 6, 1))
        if name in HEALTH:
            assert (leaf.sub, leaf.sensors) == ("28-01", ())
        else:
            assert scene.feeds.type in leaf.sensors, code


LEAVES = {
    ("river-quality-ammonia", "minor"): "14-08-02",
    ("river-quality-ammonia", "major"): "14-08-03",
    ("river-quality-oxygen", "minor"): "14-08-02",
    ("river-quality-oxygen", "major"): "14-08-03",
    ("river-quality-redox", "major"): "14-08-03",
    ("river-quality-clarity", "major"): "14-08-03",
    ("sewer-surcharge", "major"): "14-02-02",
    ("road-flooding", "info", "underpass"): "14-01-03",
    ("road-flooding", "minor", "underpass"): "14-01-03",
    ("road-flooding", "critical", "underpass"): "11-08-01",
    ("bin-overflow", "minor", "litter-bin"): "02-02-01",
    ("bin-overflow", "minor", "wheeled-bin"): "02-02-03",
    ("sign-tilt", "minor", "shop-sign"): "16-02-01",
    ("sign-tilt", "major", "shop-sign"): "16-02-01",
    ("site-noise", "major", "night"): "09-01-02",
}
"""Levels that have another leaf than their scene: at all, at a kind of site, at a time."""


def test_levels_kinds_and_times_with_a_leaf_of_their_own_are_listed() -> None:
    found = {}
    for name, scene in SCENES.items():
        for severity, override, code in scene.leaves:
            if code != scene.raises.leaf:
                where = () if override is None else ("night",) if override.when else tuple(override.scope.given["kind"])
                found[(name, severity, *where)] = code
    assert found == LEAVES


def test_a_calm_day_asks_for_at_most_a_hundred_cases() -> None:
    assert WEATHER.keys() <= SCENES.keys()
    opening = {name: s for name, s in SCENES.items() if opens(s)}
    assert [name for name, scene in opening.items() if scene.raises.budget_per_day is None] == []
    assert sum(s.raises.budget_per_day or 0 for name, s in opening.items() if name not in WEATHER) <= QUIET_BUDGET


def test_a_scene_that_opens_no_case_has_no_budget_and_weather_says_what_it_is() -> None:
    assert [name for name, s in SCENES.items() if not opens(s) and s.raises.budget_per_day is not None] == []
    weather = {name for name, s in SCENES.items() if "Driven by the weather" in (s.notes or "")}
    assert weather == set(WEATHER)


def opens(scene: Scene) -> bool:
    """Whether a case of the scene may open by itself."""
    mildest = Severity.of(scene.raises.from_)
    return scene.raises.auto and any(Severity.of(level.severity) >= mildest for level in scene.levels)


# ---- the health of devices


ALWAYS_TOLD = {
    "ebike-charging-monitor": "cab_temp",  # ports say something only while they charge
    "street-lamp": "on",
    "deep-pit-monitor": "rate_mm_d",
}
"""The metric that every report of a type carries, where it is not the first of the data."""


@pytest.mark.parametrize("kind", DISTRICT)
def test_every_type_has_a_scene_for_its_silence_by_the_rule_of_the_data(kind: str) -> None:
    scene = SCENES[f"offline-{kind}"]
    (level,) = scene.levels
    assert (scene.feeds.type, level.condition) == (kind, "absent_for")
    assert level.limit == DISTRICT[kind].offline_after_ms
    assert scene.feeds.metric == ALWAYS_TOLD.get(kind, next(iter(DISTRICT[kind].metrics)))


@pytest.mark.parametrize("kind", sorted(SHOWS["stuck"]))
def test_what_is_stuck_is_judged_by_normal_intervals_of_a_metric_that_every_report_carries(kind: str) -> None:
    scene, of = SCENES[f"stuck-{kind}"], DISTRICT[kind]
    (level,) = scene.levels
    assert level.condition == "stuck_for"
    assert of.interval_ms is not None and level.limit % of.interval_ms == 0  # noqa: PT018
    assert f"derived: {level.limit // of.interval_ms} normal intervals" in scene.sources[0].text
    assert next(m for m in kind_of(kind).metrics if m.name == scene.feeds.metric).main
    assert 12 * of.interval_ms <= level.limit >= 3_600_000


def test_nothing_is_called_stuck_that_rightly_stays_the_same() -> None:
    assert {name.removeprefix("stuck-") for name in EVERY if name.startswith("stuck-")} == SHOWS["stuck"]
    metrics = {TYPES[kind].metrics[str(SCENES[f"stuck-{kind}"].feeds.metric)].kind for kind in SHOWS["stuck"]}
    assert metrics == {"number"}


@pytest.mark.parametrize("name", sorted(EVERY.keys() - SCENES.keys()))
def test_what_is_found_out_about_any_device_leads_to_a_leaf_of_its_health(name: str) -> None:
    scene = EVERY[name]
    assert scene.feeds.type is None
    leaf = CASES.leaves[str(scene.raises.leaf)]
    assert (leaf.sub, leaf.sensors) == ("28-01", ())
    assert [source.verified for source in scene.sources] == [False]
    (level,) = scene.levels
    assert level.clear_value is not None


@pytest.mark.parametrize("kind", DRIFTS)
def test_a_drift_is_told_against_the_history_of_the_device_and_not_while_something_happens(kind: str) -> None:
    scene = SCENES[f"drift-{kind}"]
    (level,) = scene.levels
    assert (scene.feeds.type, level.condition, scene.raises.auto) == (kind, "deviates", False)
    metric = metric_of(scene)
    assert metric.kind == "number"
    same_metric = {s.id for s in SCENES.values() if s.feeds.type == kind and s.feeds.metric == metric.name}
    health = {name for name in same_metric if name.startswith(("offline-", "drift-", "stuck-", "implausible-"))}
    assert same_metric - health <= {one.scene for one in scene.inhibit_by}


def test_there_is_a_scene_for_drift_wherever_the_simulator_says_that_it_shows() -> None:
    assert {name.removeprefix("drift-") for name in SCENES if name.startswith("drift-")} == set(DRIFTS)
    assert SHOWS["wrong-unit"] <= SHOWS["drift"]


# ---- what waits, and the page


def test_what_waits_for_the_language_is_said_in_one_form_and_both_languages() -> None:
    for scene in SCENES.values():
        for line in (scene.notes or "").splitlines():
            assert line.startswith("LATER: ") or "LATER" not in line.upper().split(), f"{scene.id}: {line}"
        for one in waits(scene):
            english, slash, chinese = one.partition(" / ")
            assert english and slash and _CHINESE.search(chinese), f"{scene.id}: {one}"  # noqa: PT018
    unready = {name for name, scene in SCENES.items() if scene.stage in ("draft", "shadow")} - CONTEXT.keys()
    assert {name for name in unready if not waits(SCENES[name])} == set()


def test_context_is_asked_for_by_its_scene_and_told_to_nobody() -> None:
    assert {name for name, scene in SCENES.items() if is_context(scene)} == CONTEXT.keys()
    for name, asking in CONTEXT.items():
        scene = SCENES[name]
        (level,) = scene.levels
        assert (scene.stage, scene.raises.auto, level.severity) == ("shadow", False, "info")
        assert scene.fold.by == ("district",), "one alert in shadow, however many devices"
        assert [other.id for other in EVERY.values() if name in {asked for _, asked in references(other)}] == [asking]


def test_the_page_of_the_library_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    cure = "run: .venv/bin/python -m runtime.scene_library docs/reference/scene-library.md"
    assert page == with_table(page), cure
