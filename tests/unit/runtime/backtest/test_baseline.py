"""Scenes that hold a feed against what is usual for it: tried, swept and explained on history."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from core.clock import rfc3339
from tests.unit.history.parts import BASE
from tests.unit.runtime.backtest.parts import HOUR, Live, scene, walk
from tests.unit.runtime.backtest.test_cli import run

DAY_MIN = 1440
TEXT = """
scene: unusual
feeds: {metric: depth}
levels:
  - {severity: minor, deviates: {from: own, by: 6 sigma, of: 1h mean, learn: 4d}, clear_by: 4 sigma}
raises: {budget_per_day: 5}
"""


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "unusual.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six days of a reading every half an hour around 10, and then three hours well above."""
    live = Live(tmp_path, scene(TEXT))
    values = [10 + math.sin(i * 2.4) for i in range(6 * 48)] + [17.0] * 6
    live.takes(walk("d0", values, step=30))
    live.history(6.2 * DAY_MIN).close()
    return tmp_path / "history"


def explained(capsys: pytest.CaptureFixture[str], folder: Path, draft: Path, hours: float) -> dict[str, Any]:
    at = rfc3339(BASE + round(hours * HOUR))
    asked = ("explain", "d0/depth", "--at", at, "--scene", draft, "--history", folder, "--json")
    status, out, err = run(capsys, *asked)
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)[0]["levels"][0]
    return found


def test_explain_says_what_is_usual_and_how_far_away_it_is(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = explained(capsys, folder, draft, 146.6)["usual"]
    assert usual["part"] == "all the time"
    assert usual["expected"] == pytest.approx(10, abs=0.1)
    assert usual["away"] == pytest.approx((17 - usual["expected"]) / usual["sigma"], rel=1e-9)
    assert usual["learning"] is None


def test_explain_says_how_far_it_has_learnt(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = explained(capsys, folder, draft, 60)["usual"]
    assert (usual["learning"], usual["expected"]) == ("2 of 4 days", None)


def test_a_person_reads_both(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for hours in (60, 146.6):
        at = rfc3339(BASE + round(hours * HOUR))
        said.append(run(capsys, "explain", "d0/depth", "--at", at, "--scene", draft, "--history", folder)[1])
    assert "learning 学习中: 2 of 4 days" in said[0]
    assert "usual 常态 (all the time): 10" in said[1]
    assert "sigma above 高于" in said[1]


def test_what_it_learnt_before_the_range_is_read_by_itself(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, end = rfc3339(BASE + 143 * HOUR), rfc3339(BASE + 148 * HOUR)
    status, out, _ = run(capsys, "backtest", draft, "--history", folder, "--from", begin, "--to", end, "--json")
    assert status == 0
    assert [alert["raised_at"] for alert in json.loads(out)["alerts"]] == [rfc3339(BASE + 145 * HOUR)]


def test_the_distance_is_swept_and_the_clear_value_goes_with_it(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, end = rfc3339(BASE + 143 * HOUR), rfc3339(BASE + 148 * HOUR)
    asked = ("backtest", draft, "--history", folder, "--from", begin, "--to", end, "--json")
    status, out, _ = run(capsys, *asked, "--sweep", "levels.0.deviates.by=1,6,30")
    assert status == 0
    points = json.loads(out)["sweep"]
    assert [point["alerts"] for point in points if point["problem"] is None] == [1, 0]
    assert "is no distance" in points[0]["problem"]


def test_round_distances_are_suggested_with_what_each_would_raise(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, end = rfc3339(BASE + 120 * HOUR), rfc3339(BASE + 148 * HOUR)
    status, out, _ = run(capsys, "suggest", draft, "--history", folder, "--from", begin, "--to", end, "--json")
    assert status == 0
    (ideas,) = json.loads(out)["levels"]
    assert ideas["path"] == "levels.0.deviates.by"
    assert [one["value"] for one in ideas["candidates"]] == [3, 4, 5, 6, 8]
    assert {one["value"]: one["raised"]["alerts"] for one in ideas["candidates"]}[6] == 1
