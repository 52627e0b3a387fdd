"""Leaves by level and by override: which one a level has, and that naming one changes nothing else."""

from typing import Any

import pytest
from pydantic import ValidationError

from city.device import Device
from runtime.alert_scenes import AlertScene
from tests.unit.thresholds.checked import CASES, TYPES
from tests.unit.thresholds.parts import T0_MS, scene
from thresholds.check import load_text
from thresholds.scene import Scene

ALL, HEAVY, NIGHT, LITTER = "14-08-01", "14-08-03", "09-01-02", "02-02-01"
LEVELS: list[dict[str, Any]] = [{"above": 3}, {"severity": "major", "above": 6, "leaf": HEAVY}]


def of(*overrides: dict[str, Any], leaf: str | None = ALL, **parts: Any) -> Scene:
    return scene(*LEVELS, overrides=list(overrides), raises={"leaf": leaf} if leaf else {}, **parts)


def changing(severity: str, where: dict[str, str] | None = None, **change: Any) -> dict[str, Any]:
    return {"where": where or {"kind": "litter"}, "levels": {severity: change}}


LITTERED = Device("d1", "g", kind="litter", town="T1")
OTHER = Device("d2", "g", kind="road", town="T1")


def test_a_level_has_its_own_leaf_else_that_of_the_scene() -> None:
    assert [of().leaf_for(severity, OTHER) for severity in ("minor", "major")] == [ALL, HEAVY]
    assert of(leaf=None).leaf_for("minor", OTHER) is None


def test_an_override_names_the_leaf_of_a_level_where_it_fits() -> None:
    one = of(changing("minor", leaf=LITTER))
    assert [one.leaf_for("minor", device) for device in (LITTERED, OTHER)] == [LITTER, ALL]


def test_the_most_specific_override_that_names_a_leaf_counts_whatever_others_change() -> None:
    one = of(
        changing("minor", {"town": "T1"}, leaf=NIGHT),
        changing("minor", leaf=LITTER),
        changing("minor", {"device": "d1"}, above=4),
    )
    assert one.leaf_for("minor", LITTERED) == NIGHT  # town is more specific than kind
    assert one.levels_for(LITTERED)[0].limit == 4


def test_an_override_that_names_only_a_leaf_keeps_no_limit_from_its_place() -> None:
    one = of(changing("minor", {"device": "d1"}, leaf=LITTER), changing("minor", above=4))
    assert one.levels_for(LITTERED)[0].limit == 4
    assert one.levels_for(LITTERED)[0].leaf is None


def test_a_row_of_a_table_and_an_override_with_a_leaf_go_side_by_side() -> None:
    one = of(changing("minor", leaf=LITTER), limits_from={"by": "kind", "rows": "kind,minor\nlitter,2\n"})
    assert (one.levels_for(LITTERED)[0].limit, one.leaf_for("minor", LITTERED)) == (2, LITTER)


def test_two_leaves_of_one_device_that_are_equally_specific_are_refused() -> None:
    with pytest.raises(ValidationError, match="override 2 is as specific as override 1"):
        of(changing("minor", leaf=LITTER), changing("minor", leaf=NIGHT))


def test_a_leaf_of_some_hours() -> None:
    one = AlertScene(of({"when": "night", "levels": {"minor": {"leaf": NIGHT}}}, zone="UTC"))
    midnight = T0_MS - T0_MS % 86_400_000
    assert [one.leaf(one.case_from, OTHER, midnight + hour * 3_600_000) for hour in (5, 6, 22)] == [NIGHT, ALL, NIGHT]


def test_feeds_fold_by_the_leaves_of_their_ladders_and_a_scene_of_one_leaf_folds_all() -> None:
    one = AlertScene(of(changing("minor", leaf=LITTER)))
    assert one.leaves(LITTERED, T0_MS) == f"{LITTER} {HEAVY}"
    assert one.leaves(OTHER, T0_MS) == f"{ALL} {HEAVY}"
    plain = AlertScene(scene({"above": 3}, raises={"leaf": ALL}))
    assert plain.leaves(LITTERED, T0_MS) == plain.leaves(OTHER, T0_MS) == ""


def test_a_leaf_that_is_not_there_is_told_at_its_level_and_at_its_override() -> None:
    text = """\
scene: a
feeds: {type: water, metric: depth_cm}
levels:
  - {severity: minor, above: 5, leaf: "14-01-02"}
  - {severity: major, above: 9, leaf: "14-01-99"}
overrides:
  - {where: {kind: road}, levels: {minor: {leaf: "14-91-02"}}}
  - {where: {kind: lane}, levels: {minor: {leaf: 14}, critical: {leaf: "14-01-02"}}}
"""
    _, findings = load_text(text, TYPES, cases=CASES)
    assert [(one.line, one.code.value) for one in findings] == [(5, "S020"), (7, "S020"), (8, "S006"), (8, "S016")]
