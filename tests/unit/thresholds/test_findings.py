"""Findings about scene files: all at once, those that need the case catalogue, and how one is written."""

from pathlib import Path

import pytest

from city.cases import cases_when_asked
from city.catalogue import load_catalogue, shipped
from tests.unit.thresholds.checked import CASES, GOOD, TYPES, check, told
from thresholds.check import load_scenes
from thresholds.finding import Code, Finding

ROOT = Path(__file__).resolve().parents[3]


def test_a_good_scene_has_no_findings(tmp_path: Path) -> None:
    scenes, findings = check(tmp_path, GOOD)
    assert findings == []
    assert [scene.id for scene in scenes.scenes] == ["road-flooding"]


def test_the_shipped_scenes_have_no_findings() -> None:
    scenes, findings = load_scenes([shipped("scenes")], load_catalogue())
    assert findings == []
    assert scenes.scenes


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """\
scene: Bad
titel: {en: x}
feeds: {type: watr, metric: depth}
levels:
  - {severity: info, above: 5, clear_below: 6}
  - {severity: minor, abov: 15, for: 60}
  - {severity: critical, above: 3, clear_above: 22}
  - {severity: critical, above: .nan}
limits_from: {table: a.csv}
raises: {auto: "yes", budget_per_day: 4.5}
"""
    found = [line.split()[:2] for line in told(tmp_path, text)]
    assert found == [
        ["1:8:", "S019"],
        ["2:1:", "S004"],
        ["3:15:", "S012"],
        ["5:45:", "S010"],
        ["6:23:", "S004"],
        ["6:38:", "S007"],
        ["7:33:", "S018"],
        ["7:36:", "S010"],
        ["8:33:", "S008"],
        ["9:1:", "S005"],
        ["9:22:", "S023"],
        ["10:16:", "S006"],
        ["10:39:", "S006"],
    ]


@pytest.mark.parametrize(
    ("feeds", "fine"),
    [
        ("{type: water}", True),
        ("{metric: lel}", True),
        ("{metric: value}", True),
        ("{metric: occupancy}", False),
        ("{device: d1, metric: occupancy}", True),
        ("{device: d1}", True),
        ("{where: {town: T1}}", True),
        ("{type: water, metric: value}", False),
    ],
)
def test_a_metric_is_checked_where_it_can_be(feeds: str, fine: bool, tmp_path: Path) -> None:  # noqa: FBT001
    text = f"scene: a\nfeeds: {feeds}\nlevels: [{{severity: minor, above: 1}}]\n"
    assert (told(tmp_path, text) == []) == fine
    _, findings = load_scenes([tmp_path / "scene.yaml"], TYPES, extra_metrics=["occupancy"])
    assert (findings == []) == (fine or "occupancy" in feeds)


def test_a_finding_is_a_line_for_people_and_fields_for_programs() -> None:
    finding = Finding(Path("a/b.yaml"), 3, 7, Code.UNKNOWN_KEY, "unknown key `abov`", "above")
    assert str(finding) == "a/b.yaml:3:7: S004 unknown key `abov` (did you mean above?)"
    assert finding.to_json() == {
        "path": "a/b.yaml", "line": 3, "column": 7, "code": "S004", "message": "unknown key `abov`", "hint": "above",
    }  # fmt: skip


def test_a_leaf_that_the_case_catalogue_does_not_hold_is_told(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    for code, expected in (("02-02-01", None), ("02-02-09", "02-02-01 废物箱满溢 Litter bin full"), ("99-99-99", "")):
        path.write_text(GOOD.replace("14-01-02", code), encoding="utf-8")
        scenes, findings = load_scenes([path], TYPES, cases=CASES)
        if expected is None:
            assert findings == []
            assert len(scenes.scenes) == 1
        else:
            message = f"the case catalogue has no leaf {code}"
            assert findings == [Finding(path, 9, 16, Code.UNKNOWN_LEAF, message, expected)]
            assert scenes.scenes == ()


def test_a_leaf_of_another_form_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(GOOD.replace("14-01-02", "14-1-2"), encoding="utf-8")
    (finding,) = load_scenes([path], TYPES, cases=CASES)[1]
    assert finding.code is Code.WRONG_TYPE


def test_a_case_catalogue_that_is_wrong_is_told_at_the_leaf(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(GOOD, encoding="utf-8")
    (finding,) = load_scenes([path], TYPES, cases=cases_when_asked(tmp_path / "gone"))[1]
    assert finding.code is Code.UNKNOWN_LEAF
    assert "14-01-02 cannot be looked up, the case catalogue is wrong" in finding.message
    assert "catalogue.yaml:1: cannot be read" in finding.message


def test_without_a_leaf_nobody_asks_for_the_case_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(GOOD.replace('leaf: "14-01-02", ', ""), encoding="utf-8")
    assert load_scenes([path], TYPES, cases=cases_when_asked(tmp_path / "gone"))[1] == []
