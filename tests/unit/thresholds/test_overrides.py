"""Overrides on random scenes: what passes the check leaves a ladder on every device."""

from itertools import combinations, product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from city.device import Device
from tests.unit.thresholds.parts import scene
from thresholds.ladder import ladder_problems
from thresholds.overrides import meeting
from thresholds.where import Where

NAMES = {"device": ["d1", "d2"], "place": ["M1", "M2"], "town": ["T1", "T2"], "kind": ["road", "bridge"]}
DEVICES = [
    Device(device, "g", "t", place, town, kind)
    for device, place, town, kind in product(*([*names, "another"] for names in NAMES.values()))
]

one_or_more = {name: st.lists(st.sampled_from(values), min_size=1, unique=True) for name, values in NAMES.items()}
wheres = st.fixed_dictionaries({}, optional=one_or_more).filter(bool)
changes = st.fixed_dictionaries(
    {}, optional={word: st.fixed_dictionaries({"above": st.integers(0, 9)}) for word in ("minor", "major")}
).filter(bool)
one_each = st.fixed_dictionaries({}, optional={name: st.sampled_from(names) for name, names in NAMES.items()})
overrides = st.lists(st.fixed_dictionaries({"where": wheres, "levels": changes}), max_size=4)


@given(st.lists(wheres, max_size=8))
def test_what_may_meet_is_found_without_comparing_each_with_each(given_wheres: list[dict[str, Any]]) -> None:
    found = [Where.model_validate(where) for where in given_wheres]
    pairs = combinations(range(len(found)), 2)
    assert meeting(found) == {
        (i, j) for i, j in pairs if any(found[i].fits(device) and found[j].fits(device) for device in DEVICES)
    }


@given(overrides)
def test_a_scene_that_passes_has_a_ladder_on_every_device(changed: list[dict[str, Any]]) -> None:
    levels = [{"severity": "minor", "above": 3}, {"severity": "major", "above": 6}]
    try:
        checked = scene(*levels, overrides=changed)
    except ValidationError:
        return
    for device in DEVICES:
        assert list(ladder_problems(checked.levels_for(device))) == []


@given(st.lists(st.fixed_dictionaries({"where": one_each.filter(bool), "levels": changes}), max_size=4))
def test_a_scene_that_does_not_pass_is_wrong_on_some_device(changed: list[dict[str, Any]]) -> None:
    levels = [{"severity": "minor", "above": 3}, {"severity": "major", "above": 6}]
    found = [Where.model_validate(override["where"]) for override in changed]
    try:
        scene(*levels, overrides=changed)
    except ValidationError as error:
        if "as specific as" not in str(error):
            limits = [_limits(levels, changed, found, device) for device in DEVICES]
            assert any(minor >= major for minor, major in limits)


def _limits(
    levels: list[dict[str, Any]], changed: list[dict[str, Any]], found: list[Where], device: Device
) -> tuple[float, float]:
    """Limits of minor and major on a device, by what is said and nothing else."""
    limits = {level["severity"]: level["above"] for level in levels}
    for where, override in sorted(zip(found, changed, strict=True), key=lambda pair: pair[0].rank):
        if where.fits(device):
            limits.update({word: change["above"] for word, change in override["levels"].items()})
    return limits["minor"], limits["major"]
