"""The smallest change that would have fired, for every condition: it is held to a run with it."""

from typing import Any

import numpy as np
import pytest

from city.device import Device
from core.reading import ReadingBatch
from runtime.backtest.explain import LevelWhy, explain
from runtime.backtest.material import Material, Range
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

T0 = 1_700_000_000_000
MINUTE = 60_000
CALM = [3.0, 3.5, 4.0, 3.0, 2.5, 3.0, 4.0, 5.0, 5.5, 6.0, 6.0, 6.0]


def material(values: list[float], *, quiet_min: int = 0) -> Material:
    """A reading a minute, then nothing for a while; asked about at the end."""
    n = len(values)
    times = T0 + MINUTE * np.arange(n)
    batch = ReadingBatch.of([0] * n, times, values, (times + 100) * 1_000_000)
    end = int(times[-1]) + 1 + quiet_min * MINUTE
    return Material(Range(T0, T0, end + 2_000), ((Device("d", "g", "t", design={"m": 10.0}), "m", ""),), batch, (), ())


def level_of(level: dict[str, Any], of: Material) -> LevelWhy:
    scene = Scene.model_validate({"scene": "s", "feeds": {"metric": "m"}, "levels": [{"severity": "minor", **level}]})
    return explain(of, scene, SceneSet.of([]), 0).levels[0]


def with_value(level: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """The level as a person would write it with the change, and without a clear value."""
    level = {name: part for name, part in level.items() if name != "clear_below"}
    first, _, rest = key.partition(".")
    if not rest:
        return {**level, first: value}
    whole = level[first]
    if isinstance(whole, list):
        changed: Any = [value if i == int(rest) else part for i, part in enumerate(whole)]
    else:
        changed = {**whole, rest: value}
    return {**level, first: changed}


@pytest.mark.parametrize(
    ("level", "expected", "quiet_min"),
    [
        ({"above": 8}, {"above": 6.0}, 0),
        ({"below": 1}, {"below": 6.0}, 0),
        ({"outside": [1, 9]}, {"outside.0": 6.0, "outside.1": 6.0}, 0),
        ({"inside": [8, 9]}, {"inside.0": 6.0}, 0),
        ({"inside": [0, 1]}, {"inside.1": 6.0}, 0),
        ({"rate_above": "2 per 1m", "window": "4m"}, {"rate_above": 0.25}, 0),
        ({"changed_by": {"up": 9, "in": "10m"}}, {"changed_by.up": 3.5}, 0),
        ({"mean_above": 9, "window": "5m"}, {"mean_above": 5.7}, 0),
        ({"sum_above": 90, "window": "3m"}, {"sum_above": 18.0}, 0),
        ({"max_above": 9, "window": "3m"}, {"max_above": 6.0}, 0),
        ({"min_below": 1, "window": "5m"}, {"min_below": 5.0}, 0),
        ({"leq_above": 9, "window": "3m"}, {"leq_above": 6.0}, 0),
        ({"count_above": {"limit": 5.2, "times": 9, "in": "1h"}}, {"count_above.times": 4}, 0),
        ({"total_below": {"value": 1, "in": "10m"}}, {"total_below.value": 4.0}, 0),
        ({"absent_for": "1h"}, {"absent_for": 30 * MINUTE}, 30),
        ({"stuck_for": "1h"}, {"stuck_for": 2 * MINUTE}, 0),
        ({"above": 5.2, "for": "1h"}, {"for": 3 * MINUTE}, 0),
        ({"above": 5.2, "for": "9 samples"}, {"for": 4}, 0),
        ({"above": 5.2, "for": "6 of 6"}, {"for": 4}, 0),
        ({"above": 80, "percent_of": "design"}, {"above": 60.0}, 0),
        ({"above": 8, "clear_below": 7.5}, {"above": 6.0}, 0),
    ],
)  # fmt: skip
def test_the_change_fires_and_a_bit_less_does_not(
    level: dict[str, Any], expected: dict[str, float], quiet_min: int
) -> None:
    of = material(CALM, quiet_min=quiet_min)
    found = level_of(level, of)
    assert found.phase in ("idle", "raising")
    changes = {change.key: change for change in found.would_fire}
    assert set(expected) <= set(changes)
    for key, bound in expected.items():
        change = changes[key]
        assert change.verified_by_run
        assert level_of(with_value(level, key, change.value), of).phase == "active"
        assert (change.clears is not None) is ("clear_below" in level)
        if isinstance(change.value, float):
            assert change.value == pytest.approx(bound, rel=0.04, abs=1e-3)


def test_what_has_no_limit_says_so_in_both_languages() -> None:
    for level in ({"equals": 9}, {"state": True}):
        found = level_of(level, material(CALM))
        assert found.would_fire == []
        assert found.nothing.startswith("nothing to suggest: ")
        assert "无可调阈值" in found.nothing


def test_a_delay_that_would_have_to_be_shorter_is_said_to_the_millisecond() -> None:
    of = material(CALM)
    (change,) = (one for one in level_of({"above": 5.2, "for": "1h"}, of).would_fire if one.key == "for")
    assert change.to == f"at most {change.value}"
    assert level_of({"above": 5.2, "for": "3m30s"}, of).phase == "raising"


def test_a_condition_that_no_value_would_have_met_has_no_change() -> None:
    assert level_of({"changed_by": {"down": 5, "in": "1m"}}, material([1.0, 2.0, 3.0])).would_fire == []
