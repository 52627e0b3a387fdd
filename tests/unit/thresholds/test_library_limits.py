"""The limits of the shipped scenes, and where they come from."""

import math

import pytest

from core.severity import Severity
from runtime.scene_library import limits, meant, read_where, usual
from tests.unit.thresholds.library import (
    DISTRICT,
    OWN_LIMITS,
    SCENES,
    SEVERITIES,
    TYPES,
    UNUSED,
    holds,
    levels_of,
    metric_of,
    steps,
)


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
