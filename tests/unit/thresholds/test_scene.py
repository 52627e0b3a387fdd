"""The scene model for code: overrides, words, versions, refusals."""

from typing import Any

import pytest
from pydantic import ValidationError

from city.device import Device
from core.severity import Severity
from tests.unit.thresholds.parts import scene
from thresholds.scene import Fold, Scene
from thresholds.scene_set import SceneSet

BY_PLACE: list[dict[str, Any]] = [
    {"where": {"type": "t"}, "levels": {"minor": {"above": 1}}},
    {"where": {"kind": "road"}, "levels": {"minor": {"above": 2}}},
    {"where": {"town": "T1"}, "levels": {"minor": {"above": 3}}},
    {"where": {"gateway": "g1"}, "levels": {"minor": {"above": 4}}},
    {"where": {"place": "M1"}, "levels": {"minor": {"above": 5}}},
    {"where": {"device": "d1"}, "levels": {"minor": {"above": 6}}},
    {"where": {"kind": "road", "town": "T1"}, "levels": {"minor": {"above": 7}}},
]


@pytest.mark.parametrize(
    ("device", "limit"),
    [
        (Device("d", "g"), 0),
        (Device("d", "g", "t"), 1),
        (Device("d", "g", "t", kind="road"), 2),
        (Device("d", "g", "t", town="T1"), 3),
        (Device("d", "g", "t", town="T1", kind="road"), 7),
        (Device("d", "g1", "t", town="T1", kind="road"), 4),
        (Device("d", "g1", "t", "M1", "T1", "road"), 5),
        (Device("d1", "g1", "t", "M1", "T1", "road"), 6),
    ],
)
def test_the_most_specific_override_wins(device: Device, limit: float) -> None:
    (level,) = scene({"above": 0}, overrides=BY_PLACE).levels_for(device)
    assert level.limit == limit


def test_an_override_keeps_what_it_does_not_name_and_a_new_limit_drops_the_old_clear_value() -> None:
    overridden = scene(
        {"above": 10, "clear_below": 8, "for": "10s"},
        overrides=[
            {"where": {"device": "a"}, "levels": {"minor": {"above": 20}}},
            {"where": {"device": "b"}, "levels": {"minor": {"for": "3 samples"}}},
            {"where": {"device": "c"}, "levels": {"minor": {"below": 3, "clear_above": 4}}},
        ],
    )
    told = [
        (level.words, level.clear_value, str(level.for_))
        for device in "abcd"
        for level in overridden.levels_for(Device(device, "g"))
    ]
    assert told == [
        ("above 20", None, "10s"),
        ("above 10", 8, "3 samples"),
        ("below 3", 4, "10s"),
        ("above 10", 8, "10s"),
    ]


def test_a_level_is_told_in_words() -> None:
    ladder = scene(
        {"severity": "info", "outside": [1, 6.5]},
        {"severity": "minor", "outside": [0, 7], "for": "90s"},
        {"severity": "critical", "state": True, "for": "2 samples"},
        overrides=[{"where": {"kind": "road"}, "levels": {"info": {"outside": [2, 3]}}}],
    )
    assert ladder.hold_words(Severity.INFO) == "outside [1, 6.5]"
    assert ladder.hold_words(Severity.MINOR) == "outside [0, 7] for 1m30s"
    assert ladder.hold_words(Severity.CRITICAL) == "state true for 2 samples"
    assert ladder.hold_words(Severity.INFO, Device("d", "g", kind="bridge")) == "outside [1, 6.5]"
    with pytest.raises(KeyError):
        ladder.hold_words(Severity.MAJOR)


def test_what_does_not_go_together_is_refused_in_code_as_well() -> None:
    with pytest.raises(ValidationError, match="mildest first"):
        scene({"severity": "major", "above": 1}, {"severity": "minor", "above": 0})
    with pytest.raises(ValidationError, match="wrong side"):
        scene({"above": 1, "clear_below": 2})


def test_a_version_is_of_what_is_said_and_not_of_how() -> None:
    plain = scene({"above": 5, "for": "60s"})
    assert scene({"above": 5.0, "for": "1m", "clear_for": "0s"}, stage="live").version == plain.version
    for other in ({"above": 5, "for": "60 samples"}, {"above": 5, "for": "60ms"}, {"above": 5}):
        assert scene(other).version != plain.version
    assert Scene.model_validate(plain.content) == plain


def test_a_set_is_sorted_and_its_version_does_not_depend_on_the_order() -> None:
    a, b = scene({"above": 5}, name="a"), scene({"above": 5}, name="b")
    one, other = SceneSet.of([a, b], ["text a", "text b"]), SceneSet.of([b, a])
    assert one.version == other.version
    assert [s.id for s in other.scenes] == ["a", "b"]
    assert one.sources == ("text a", "text b")
    assert (one.index("b"), one.index("c")) == (1, -1)
    assert SceneSet.of([a]).version != one.version


def test_a_set_never_has_two_scenes_of_one_id() -> None:
    with pytest.raises(ValueError, match="one id"):
        SceneSet.of([scene({"above": 5}), scene({"above": 6})])


@pytest.mark.parametrize(
    ("by", "key"),
    [
        (["module"], "M1"),
        (["place"], "M1"),
        (["device"], "d"),
        (["self_grid"], "S1"),
        (["disposal_grid"], "M1"),
        (["town"], "T1"),
        (["district"], ""),
        (["town", "device"], "T1/d"),
    ],
)
def test_alerts_are_folded_by_what_the_scene_says_and_by_the_place_where_that_is_not_known(
    by: list[str], key: str
) -> None:
    fold = Fold.model_validate({"by": by})
    assert fold.key(Device("d", "g", place="M1", town="T1", self_grid="S1")) == key
