"""The shipped scenes: each is right, says where its limits come from, leaves a calm day alone; a level has one leaf.

What differs from `data/device-types.yaml` stands in the tables below, each with its reason; an entry that no longer
differs fails as well.
"""

import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from city.cases import load_cases
from city.catalogue import load_catalogue, shipped
from city.device import Device, Metric
from city.own import OWN
from core.reading import ReadingBatch
from core.severity import Severity
from runtime.scene_library import is_context, limits, meant, read_where, usual, waits, with_table
from simulators.faults import SHOWS
from simulators.kinds import kind_of
from thresholds.across import references
from thresholds.check import load_scenes
from thresholds.engine import Engine
from thresholds.level import LevelBase
from thresholds.limit_table import TableRow
from thresholds.scene import Override, Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind
from thresholds.windows import Windowed

PAGE = Path(__file__).parents[3] / "docs/reference/scene-library.md"
TYPES = load_catalogue()
CASES = load_cases()
LOADED, FINDINGS = load_scenes([shipped("scenes")], TYPES, cases=lambda: CASES)
EVERY = {scene.id: scene for scene in LOADED.scenes}
SCENES = {name: scene for name, scene in EVERY.items() if scene.feeds.metric not in OWN}
"""Those on what a type measures; the others watch what is found out about devices of any type."""
DECIDING = {name: scene for name, scene in SCENES.items() if scene.stage not in ("draft", "retired")}
DISTRICT = {name: kind for name, kind in TYPES.items() if not kind.beside and kind.group != "camera"}
QUIET_BUDGET = 100
_CHINESE = re.compile(r"[\u4e00-\u9fff]")

DRIFTS = sorted(SHOWS["drift"])
"""Types whose sensors have a history from which a drift stands out."""

HEALTH = {
    "combustible-gas-fault": "a device that is out of order is its operator's, whatever its type",
    "smoke-alarm-battery": "so is an empty battery",
    "smoke-alarm-tampered": "so is one that was taken down",
    "manhole-battery": "so is an empty battery",
    **{f"offline-{name}": "so is one that says nothing" for name in DISTRICT},
    **{f"stuck-{name}": "so is one that says the same again and again" for name in SHOWS["stuck"]},
    **{f"implausible-{name}": "so is one that says what cannot be" for name in SHOWS["spike"]},
    **{f"drift-{name}": "so is one that goes away from its own history" for name in DRIFTS},
}
"""Scenes on the device's own health: their leaves of sub 28-01 are for sensors of every type and name none."""

CONTEXT = {
    "purifier-not-running": "fume-purifier-off",
    "purifier-running": "fume-purifier-off",
    "crane-lifting": "crane-wind",
    "rain-within-a-day": "river-quality-clarity",
    "wet-weather": "sewer-dry-blockage",
}
"""Scenes that tell nobody: the scene that asks whether they are so."""

WEATHER = {
    "road-flooding": "rain",
    "sewer-surcharge": "rain",
    "manhole-flooded": "rain",
    "river-level": "rain and tide",
    "crane-wind": "wind",
}
"""What drives the scenes whose cases do not come in quiet weather, and whose budget does not count for it."""

OWN_LIMITS = {
    **{(f"offline-{name}", "minor"): "the data's own rule of silence" for name in DISTRICT},
    **{(f"stuck-{name}", "minor"): "a time and no value" for name in SHOWS["stuck"]},
    **{(f"drift-{name}", "minor"): "each device's own history" for name in DRIFTS},
    ("combustible-gas-fault", "minor"): "the detector's own contact",
    ("smoke-alarm-tampered", "minor"): "the alarm's own contact",
    ("arc-fault", "major"): "the monitor's own alarm",
    ("hydrant-opened", "major"): "the device's own contact",
    ("hydrant-tilted", "minor"): "the data has a normal band and no limit",
    ("lift-overrun", "critical"): "the monitor's own event",
    ("river-level", "minor"): "each station's own warning level",
    ("deep-pit-displacement", "major"): "a share of what the design of the pit lets the wall move",
    ("deep-pit-displacement", "critical"): "what the design of the pit lets the wall move",
    ("sign-tilt", "minor"): "half of the data's limit while a person has the profile typhoon on",
    ("sign-tilt", "major"): "half of the data's limit while a person has the profile typhoon on",
    **{(name, "info"): "context for another scene" for name in CONTEXT if name != "purifier-not-running"},
    ("fume-purifier-off", "minor"): "the fan; the data's limit is that of its context, purifier-not-running",
    **{(f"implausible-{name}", "minor"): "what nothing there can be, and no limit" for name in SHOWS["spike"]},
    ("deep-pit-axial-force", "major"): "the data has a normal band and no limit",
    ("deep-pit-axial-force", "critical"): "the design value itself",
    ("manhole-flooded", "major"): "the cover's own contact",
    ("manhole-battery", "minor"): "the limit of the smoke alarm's battery",
    ("ambient-noise", "minor"): "3 dB over the limit of the area's class and the time of day",
    ("fog", "minor"): "the data has no limit for visibility",
    ("fog", "major"): "the data has no limit for visibility",
    ("fog", "critical"): "the data has no limit for visibility",
    ("bin-knocked-over", "minor"): "the data has a normal band and no limit",
}
"""Limits that the data file does not have, and what they are."""

UNUSED = {
    ("bridge-health", "accel", 80.0): "the peak of a burst, and a share of a design value",
    ("bridge-health", "accel", 100.0): "the peak of a burst, and a share of a design value",
    ("bridge-health", "accel", 110.0): "the peak of a burst, and a share of a design value",
    ("river-level", "level_m", 5.1): "orange has the severity of yellow, which holds below it already",
    ("river-quality", "do", 2.0): "at most 2, light black odour: begins where class V (under 2) ends, same severity",
    ("ambient-noise", "laeq", 40.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 45.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 50.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 55.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 60.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 65.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 70.0): "the scene holds from 3 dB over it",
    ("air-station", "pm25", 50.0): "in force from 2031 on",
}
"""Limits of the data file that no scene has, and why; those out of force before the scenes begin are left out."""

SEVERITIES = {
    "purifier-not-running": "context, and told to nobody",
    "bin-fire": "the data leaves it to the scene: a fire is critical",
    "heavy-rain": "the colours of the signals; none opens a case, as the data's info means",
    "heavy-rain-six-hours": "the colours of the signals; none opens a case, as the data's info means",
    "strong-wind": "the colours of the signals; none opens a case, as the data's info means",
    "strong-wind-mean": "the colours of the signals; none opens a case, as the data's info means",
    "extreme-heat": "the colours of the signals; none opens a case, as the data's info means",
}
"""Scenes whose severities are not the data's, the worst of those that share one and each milder one a step down."""

NO_CLEAR_TIME = {
    "ebike-overcharge": "the hours begin again at 0 when the plug is pulled",
    "water-meter-silent": "the use of twelve hours: any use clears",
}
"""Scenes that clear at their limit and at once, without flapping."""

HOLDS_IN_CALM = {
    "indoor-hydrant-pressure": "the data's normal band is that of sprinkler ends, which need less",
    "sewer-dry-blockage": "half a pipe is normal, six dry hours of it are not",
    "purifier-not-running": "context: a purifier that is off is normal while nobody cooks",
    **dict.fromkeys(("crane-lifting", "rain-within-a-day", "wet-weather"), "context: work and rain are normal"),
    "street-lamp-out": "a lamp that is off by day is normal, one that is off in the dark is not",
    "water-meter-leak": "water that runs is normal, four hours of it without a pause are not",
}
"""Scenes whose limit lies in the normal band of the data; what makes the difference is the site or the time."""


NOT_BY_ONE_VALUE = {
    "building-settlement": "a slope of months",
    "lift-repeated-fault": "faults that come and go: one that stays counts once",
}
"""Scenes that one value, however bad, does not raise within 30 hours."""


def levels_of(scene: Scene) -> list[LevelBase]:
    """All levels of a scene, those of overrides and of its table laid over the others."""
    return [*written_levels(scene), *laid_over(scene, scene.limit_table.rows if scene.limit_table else ())]


def written_levels(scene: Scene) -> list[LevelBase]:
    """Those of all devices, without the table: a class of water has a calm band of its own, which the data has not."""
    return [*(level for level in scene.levels if not level.from_table), *laid_over(scene, scene.overrides)]


def laid_over(scene: Scene, parts: Iterable[Override | TableRow]) -> Iterator[LevelBase]:
    levels: dict[str, LevelBase] = {level.severity: level for level in scene.levels}
    for part in parts:
        for severity, change in part.changes.items():
            if not change.only_leaf:
                yield change.laid_over(levels[severity])


def metric_of(scene: Scene) -> Metric:
    return TYPES[str(scene.feeds.type)].metrics[str(scene.feeds.metric)]


def holds(level: LevelBase, value: float) -> bool:
    return any(low < value < high or low == value == high for low, high in level.region())


def on_the_metric(level: LevelBase) -> bool:
    """Whether its limit is a value of the metric: not a count, a slope or a share of a design value."""
    own = not level.condition.startswith(("rate_", "count_", "total_", "changed_", "deviates"))
    return own and getattr(level, "percent_of", None) is None


def beyond_clear(level: LevelBase, value: float) -> bool:
    clear = level.clear_value
    if clear is None:
        return not holds(level, value)
    low, high = {"clear_below": (-math.inf, clear), "clear_above": (clear, math.inf)}.get(str(level.clears_by), clear)
    return bool(low < value < high)


def calm_values(metric: Metric) -> list[float]:
    """Values of a calm day: all over the normal band but for its very ends, which are the limits themselves."""
    if metric.kind == "state":
        return [0.0]
    if metric.normal is None:
        return []
    low, high = metric.normal
    return [low + share * (high - low) for share in np.linspace(0.01, 0.99, 99)]


def steps(scene: Scene) -> Iterator[tuple[str, float, str, float, float]]:
    """(condition, written, way, number, step) of each `STEPS` note."""
    for step, said in re.findall(r"^STEPS of ([0-9.]+): (.+)\.$", scene.notes or "", re.MULTILINE):
        for one in said.split(", "):
            found = re.fullmatch(
                r"((?:mean_)?(?:above|below|outside)) ([0-9.]+) is at (least|most) ([0-9.]+)( either way)?", one
            )
            assert found, f"{scene.id}: {one}"
            yield found[1], float(found[2]), found[3], float(found[4]), float(step)


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


# ---- limits and where they come from


@pytest.mark.parametrize("name", SCENES)
def test_every_limit_is_one_of_the_data_or_listed_with_its_reason(name: str) -> None:
    scene = SCENES[name]
    own = {severity for severity, condition, value in limits(scene) if not usual(scene, condition, value, TYPES)}
    assert own == {severity for scene_id, severity in OWN_LIMITS if scene_id == name}


@pytest.mark.parametrize("name", SCENES)
def test_every_limit_has_its_source_with_the_mark_that_the_data_gives_it(name: str) -> None:
    scene = SCENES[name]
    said = read_where(scene)
    accounted = set()
    for severity, condition, value in limits(scene):
        evidence = [limit.evidence for limit in usual(scene, condition, value, TYPES)]
        matching = {one.text for one in evidence if said.get(one.text) == one.verified}
        assert matching or (name, severity) in OWN_LIMITS, f"{severity}: none of {[one.text for one in evidence]}"
        accounted |= matching
        if (name, severity) in OWN_LIMITS:  # a limit that is made of one that was read
            accounted |= {one.evidence.text for one in metric_of(scene).limits if one.evidence.verified}
    assert said, "a limit without any source"
    assert [text for text, verified in said.items() if verified and text not in accounted] == []


def test_an_override_of_a_kind_of_site_is_the_limit_that_the_data_gives_that_kind() -> None:
    seen = 0
    for scene in SCENES.values():
        for override in scene.overrides:
            if override.where is None or "kind" not in override.where.given:
                continue
            (kind,) = override.where.given["kind"]
            for severity, change in override.levels.given.items():
                if change.only_leaf:
                    continue
                level = change.laid_over(next(one for one in scene.levels if one.severity == severity))
                found = usual(scene, *meant(scene, level), TYPES)
                assert kind in {limit.where.get("kind") for limit in found}, f"{scene.id}: {kind}"
                seen += 1
    assert seen


def test_every_limit_of_the_data_is_in_a_scene_or_listed_with_its_reason() -> None:
    used = {
        id(limit)
        for scene in SCENES.values()
        for _, condition, value in limits(scene)
        for limit in usual(scene, condition, value, TYPES)
    }
    unused = {
        (kind.id, metric.name, limit.value)
        for kind in DISTRICT.values()
        for metric in kind.metrics.values()
        for limit in metric.limits
        if id(limit) not in used and (limit.valid_to is None or limit.valid_to.year > 2026)
    }
    assert unused == set(UNUSED)


@pytest.mark.parametrize("name", SCENES)
def test_severities_are_those_of_the_data_or_the_difference_has_a_reason(name: str) -> None:
    scene = SCENES[name]
    worst_first = [
        (severity, {one.severity for one in usual(scene, condition, value, TYPES)})
        for severity, condition, value in reversed(limits(scene)[: sum(not level.from_table for level in scene.levels)])
        if (name, severity) not in OWN_LIMITS
    ]
    differ, before = False, math.inf
    for severity, known in worst_first:
        wanted = {min(Severity.of(word), before - 1) for word in known if word}
        differ |= Severity.of(severity) not in wanted
        before = Severity.of(severity)
    assert differ == (name in SEVERITIES)


@pytest.mark.parametrize("name", [name for name, scene in SCENES.items() if "STEPS" in (scene.notes or "")])
def test_at_least_is_half_a_step_under_the_limit_and_nothing_else(name: str) -> None:
    scene = SCENES[name]
    told = list(steps(scene))
    assert told
    for condition, written, way, number, step in told:
        apart = number - written if way == "least" else written - number
        assert math.isclose(apart, step / 2, rel_tol=1e-6)
        level = next(
            one for one in levels_of(scene) if one.condition == condition and meant(scene, one)[0] == f"at_{way}"
            and written in (one.limit[1:] if isinstance(one.limit, tuple) else (one.limit,))
        )  # fmt: skip
        inwards = -step if way == "least" else step
        assert holds(level, number)
        assert not holds(level, number + inwards)


def test_a_scene_whose_limits_begin_with_a_standard_says_from_when() -> None:
    for name, scene in SCENES.items():
        found = [usual(scene, condition, value, TYPES) for _, condition, value in limits(scene)]
        begins = {one.valid_from for limits_ in found for one in limits_ if one.valid_from}
        if begins and all(found):
            assert scene.valid is not None, name
            assert scene.valid.from_ in begins, name


# ---- clear values, delays, calm


@pytest.mark.parametrize("name", DECIDING)
def test_every_number_has_a_clear_value_apart_from_its_limit_or_a_time_to_clear(name: str) -> None:
    scene = SCENES[name]
    flapping = False
    for level in levels_of(scene):
        if level.clears_by is None or not on_the_metric(level):
            continue
        counted_from_zero = level.limit == 0
        assert level.clear_value is not None or counted_from_zero, level.words
        flapping |= level.clear_value == level.limit and not level.clear_for and not isinstance(level, Windowed)
    assert flapping == (name in NO_CLEAR_TIME)


@pytest.mark.parametrize("name", SCENES)
def test_delays_fit_the_interval_of_the_type(name: str) -> None:
    """Samples come within two hours in alarm; a time past the offline rule waits for a sensor that fell silent."""
    scene = SCENES[name]
    kind = TYPES[str(scene.feeds.type)]
    by_event = kind.alarm_interval_ms == 0
    assert kind.interval_ms is not None and kind.offline_after_ms is not None  # noqa: PT018
    fastest = kind.alarm_interval_ms or kind.interval_ms
    for level in levels_of(scene):
        assert not (by_event and level.for_.samples), "an event comes once"
        assert level.for_.samples * fastest <= 2 * 3_600_000
        if level.for_.ms > kind.offline_after_ms and not by_event:
            assert scene.feeds.silent_after is not None, level.words
    if scene.feeds.silent_after is not None:
        assert scene.feeds.silent_after >= 2 * kind.interval_ms, "one reading that is lost is no silence"


@pytest.mark.parametrize("name", DECIDING)
def test_a_calm_district_never_trips_it_and_always_clears_it(name: str) -> None:
    scene = DECIDING[name]
    calm = calm_values(metric_of(scene))
    levels = [level for level in written_levels(scene) if on_the_metric(level)]
    trips = [value for value in calm for level in levels if holds(level, value)]
    assert bool(trips) == (name in HOLDS_IN_CALM)
    if calm:
        calm += metric_of(scene).normal or (0.0, 1.0)
        never = [level.words for level in levels if not any(beyond_clear(level, value) for value in calm)]
        assert never == []


def test_what_is_calm_raises_nothing_and_what_is_far_beyond_raises_everything() -> None:
    """The library as the engine takes it: each scene's own metric, a day of calm values, then its worst limit."""
    by_value = {name: s for name, s in DECIDING.items() if not name.startswith(("offline-", "drift-"))}
    scenes = [s for name, s in by_value.items() if calm_values(metric_of(s)) and name not in HOLDS_IN_CALM]
    engine = Engine(SceneSet.of(scenes), max_feeds=len(scenes))
    rng = np.random.default_rng(3)
    start, step = 1_767_225_600_000, 600_000
    for feed, scene in enumerate(scenes):
        engine.bind(feed, device_for(scene), str(scene.feeds.metric))
    for turn in range(144):
        values = [rng.choice(calm_values(metric_of(scene))) for scene in scenes]
        at = np.full(len(scenes), start + turn * step)
        assert len(engine.on_batch(ReadingBatch.of(np.arange(len(scenes)), at, np.array(values)))) == 0
    raised: set[str] = set()
    for turn in range(144, 144 + 6 * 30):
        values = [worst_value(scene) for scene in scenes]
        at = np.full(len(scenes), start + turn * step)
        told = engine.on_batch(ReadingBatch.of(np.arange(len(scenes)), at, np.array(values)))
        rows = np.flatnonzero(told.kind == TransitionKind.RAISED)
        raised |= {engine.scenes.scenes[told.scene[row]].id for row in rows}
    assert {scene.id for scene in scenes} - raised == set(NOT_BY_ONE_VALUE)


def device_for(scene: Scene) -> Device:
    where = scene.feeds.where.given if scene.feeds.where else {}
    name = next(iter(where.get("device", {f"{scene.id}-1"})))
    kind = min(where.get("kind", {""}))
    return Device(name, "g", str(scene.feeds.type), kind=kind)


def worst_value(scene: Scene) -> float:
    low, high = scene.levels[-1].region()[-1]
    if math.isfinite(low):
        return low + 1.0 if high == math.inf else low
    return high - 1.0


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
