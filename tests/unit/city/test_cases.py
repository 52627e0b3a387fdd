"""A case catalogue as it is read and searched."""

import datetime as dt
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.cases import cases_when_asked, load_cases
from city.leaf import Leaf, Limit, LimitUnit, SourceStatus, Tier, Urgency
from core.errors import ConfigError
from tests.unit.city.case_folder import GOOD, folder


def test_a_leaf_takes_over_what_its_sub_says_and_it_does_not(tmp_path: Path) -> None:
    leaves = load_cases(folder(tmp_path)).leaves
    assert leaves["14-01-01"] == Leaf(
        code="14-01-01",
        zh="道路积水",
        en="Road flooded",
        aliases=("路面积水",),
        source="paper",
        source_status=SourceStatus.MODELLED,
        lead="water-bureau",
        assist=("town",),
        tier=Tier.DISPOSAL,
        urgency=Urgency.URGENT,
        limit=Limit(24, LimitUnit.HOURS),
        safety_env=False,
        evidence=1,
        sensors=("road-water-level", "V13"),
        return_to_city=False,
        joint_duty=False,
        valid_from=None,
        valid_to=None,
    )
    other = leaves["14-01-02"]
    assert (other.lead, other.assist, other.urgency, str(other.limit)) == ("police", ("town",), "emergency", "2h")
    assert (other.sub, other.major) == ("14-01", "14")


def test_a_leaf_is_in_force_on_its_first_and_last_day(tmp_path: Path) -> None:
    cases = load_cases(folder(tmp_path))
    for day, there in (("02-28", False), ("03-01", True), ("09-30", True), ("10-01", False)):
        codes = [leaf.code for leaf in cases.in_force(dt.date.fromisoformat(f"2026-{day}"))]
        assert ("14-02-01" in codes) is there
        assert codes[:2] == ["14-01-01", "14-01-02"]


def test_leaves_are_found_by_what_raises_them(tmp_path: Path) -> None:
    cases = load_cases(folder(tmp_path))
    assert [leaf.code for leaf in cases.raised_by("V13")] == ["14-01-01"]
    assert cases.raised_by("V14") == ()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("14-01", ["14-01", "14-01-01", "14-01-02"]),
        ("14-02-01", ["14-02-01"]),
        ("积水", ["14-01", "14-01-01", "14-01-02"]),
        ("路面积水", ["14-01-01"]),
        ("FLOODED tunnel", ["14-01-02"]),
        ("14-03", []),
        ("  ", []),
        ("!?", []),
    ],
)
def test_entries_are_found_by_code_name_and_alias(text: str, codes: list[str], tmp_path: Path) -> None:
    assert [entry.code for entry in load_cases(folder(tmp_path)).search(text)] == codes


def test_what_is_one_digit_off_is_near_and_in_the_same_sub_nearest(tmp_path: Path) -> None:
    cases = load_cases(folder(tmp_path))
    assert [leaf.code for leaf in cases.near("14-01-09")] == ["14-01-01", "14-01-02"]
    assert [leaf.code for leaf in cases.near("14-02-02")] == ["14-02-01", "14-01-02"]
    assert [leaf.code for leaf in cases.near("14-10-02")] == ["14-01-02"]
    assert [leaf.code for leaf in cases.near("41-01-02")] == ["14-01-02"]
    assert cases.near("14-11-12") == cases.near("14-01") == ()


def test_files_may_stand_in_any_order_and_codes_come_sorted(tmp_path: Path) -> None:
    upside_down = GOOD.replace('leaf: "01", zh: 道', 'leaf: "03", zh: 道')
    assert list(load_cases(folder(tmp_path, upside_down)).leaves) == ["14-01-02", "14-01-03", "14-02-01"]


def test_it_is_read_when_it_is_first_asked_for_and_then_kept(tmp_path: Path) -> None:
    ask = cases_when_asked(tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        ask()
    folder(tmp_path)
    cases = ask()
    shutil.rmtree(tmp_path)
    assert ask() is cases


def test_device_types_of_ones_own_may_raise_leaves(tmp_path: Path) -> None:
    own = folder(tmp_path, GOOD.replace("V13", "water-drone"))
    assert load_cases(own, ["water-drone"]).raised_by("water-drone")
    with pytest.raises(ConfigError, match="there is no device type or video scene 'water-drone'"):
        load_cases(own)


@given(st.integers(1, 9999), st.sampled_from(LimitUnit))
def test_a_limit_is_read_as_it_is_written(value: int, unit: LimitUnit) -> None:
    assert Limit.parse(str(Limit(value, unit))) == Limit(value, unit)


@pytest.mark.parametrize("text", ["", "0h", "-1h", "1.5h", "5", "5d", "5 wd", "5WD", "٣h", "5wd\n", "01h", "10000h"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no limit"):
        Limit.parse(text)
