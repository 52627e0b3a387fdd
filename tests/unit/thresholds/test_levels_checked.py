"""Levels and overrides that do not go together, and those that do."""

from pathlib import Path

import pytest

from tests.unit.thresholds.checked import GOOD, told


def test_levels_out_of_order_are_told(tmp_path: Path) -> None:
    text = _ladder("{above: 5}", "{above: 25}").replace("major", "info")
    assert told(tmp_path, text.replace("above: 25", "above: 1")) == ["5:26: S011 levels go mildest first: move info up"]


def test_a_limit_on_a_metric_that_is_true_or_false_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("depth_cm", "wet").replace("above: 25, clear_below: 22", "state: true").split("overrides:")[0]
    assert told(tmp_path, text) == [
        "5:22: S009 wet is true or false: write `state: true` or `state: false` for above 5",
    ]


def test_a_state_is_true_or_false_and_not_1(tmp_path: Path) -> None:
    text = (
        GOOD.replace("depth_cm", "wet")
        .split("  - {severity: critical")[0]
        .replace("above: 5, clear_below: 3", "state: 1")
    )
    assert told(tmp_path, text) == ["5:29: S006 state: write true or false"]


def test_overrides_that_tie_are_told(tmp_path: Path) -> None:
    another = "  - {where: {kind: [road, bridge]}, levels: {critical: {above: 28}}}\nraises:"
    expected = (
        "9:6: S016 override 2 is as specific as override 1, one device may fit both, and both change critical: "
        "make one of them more specific"
    )
    assert told(tmp_path, GOOD.replace("raises:", another)) == [expected]


@pytest.mark.parametrize(
    "override",
    [
        "{where: {kind: bridge}, levels: {critical: {above: 28}}}",
        "{where: {town: T1}, levels: {critical: {above: 28}}}",
        "{where: {kind: road}, levels: {info: {above: 6}}}",
        "{where: {kind: road, device: d1}, levels: {critical: {above: 28}}}",
    ],
)
def test_overrides_that_do_not_tie_are_fine(override: str, tmp_path: Path) -> None:
    assert told(tmp_path, GOOD.replace("raises:", f"  - {override}\nraises:")) == []


def test_overrides_that_overlap_only_together_are_told(tmp_path: Path) -> None:
    another = "  - {where: {town: T1}, levels: {info: {above: 26}}}\nraises:"
    expected = (
        "9:34: S018 with this override critical (above 25) also holds where info (above 26) does not: "
        "the worse level needs the stricter limit"
    )
    assert told(tmp_path, GOOD.replace("raises:", another)) == [expected]


@pytest.mark.parametrize(
    ("mild", "worse"),
    [
        ("{above: 5}", "{below: 1}"),
        ("{outside: [1, 6]}", "{above: 6}"),
        ("{outside: [1, 6]}", "{outside: [0, 7]}"),
        ("{inside: [1, 6]}", "{inside: [2, 3]}"),
        ("{inside: [1, 6]}", "{inside: [6, 9]}"),
        ("{above: 5}", "{equals: 7}"),
        ("{above: 5}", "{above: 5, for: 10s}"),
        ("{above: 5, for: 10s}", "{above: 5, for: 3 samples}"),
        ("{not_equals: 0}", "{equals: 3}"),
    ],
)
def test_levels_that_are_stricter_or_somewhere_else_are_fine(mild: str, worse: str, tmp_path: Path) -> None:
    assert told(tmp_path, _ladder(mild, worse)) == []


@pytest.mark.parametrize(
    ("mild", "worse"),
    [
        ("{below: 1}", "{below: 2}"),
        ("{outside: [1, 6]}", "{above: 5}"),
        ("{outside: [1, 6]}", "{outside: [2, 5]}"),
        ("{inside: [2, 3]}", "{inside: [1, 6]}"),
        ("{inside: [2, 5]}", "{inside: [4, 6]}"),
        ("{equals: 7}", "{above: 5}"),
        ("{above: 5, for: 10s}", "{above: 5, for: 5s}"),
        ("{above: 5}", "{above: 5}"),
    ],
)
def test_levels_that_overlap_are_told(mild: str, worse: str, tmp_path: Path) -> None:
    assert [line.split()[1] for line in told(tmp_path, _ladder(mild, worse))] == ["S018"]


def _ladder(mild: str, worse: str) -> str:
    levels = [f"  - {level[:-1]}, severity: {word}}}\n" for level, word in ((mild, "minor"), (worse, "major"))]
    return "scene: a\nfeeds: {metric: value}\nlevels:\n" + "".join(levels)


def test_what_is_true_or_false_does_not_deviate(tmp_path: Path) -> None:
    text = """\
scene: a
feeds: {type: water, metric: wet}
levels:
  - {severity: minor, deviates: {from: own, by: 4 sigma}}
"""
    assert told(tmp_path, text) == [
        "4:23: S009 wet is true or false: write `state: true` or `state: false` for deviates from own by 4 sigma"
    ]


def test_deviations_with_other_least_distances_are_not_compared(tmp_path: Path) -> None:
    mild, worse = "{deviates: {from: own, by: 4 sigma}}", "{deviates: {from: own, by: 4 sigma, at_least: 2}}"
    assert told(tmp_path, _ladder(mild, worse)) == []
