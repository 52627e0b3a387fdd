"""`scenewatch scene explain` and `scene diff` from outside."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from core.clock import rfc3339
from tests.unit.history.parts import BASE
from tests.unit.runtime.backtest.parts import MINUTE, SCENE, Live, scene, walk
from tests.unit.runtime.backtest.test_cli import run


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "deep.yaml"
    path.write_text(SCENE)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    live = Live(tmp_path, scene())
    live.takes([*walk("d0", [1, 16, 17.5, 14, 2, 2]), *walk("d1", [1, 26, 16, 16, 16, 16, 16, 2, 2, 2])])
    live.takes(walk("d2", [7] * 5))
    live.history(60).close()
    return tmp_path / "history"


def why(
    capsys: pytest.CaptureFixture[str], folder: Path, feed: str, minute: float, which: object, *more: object
) -> dict[str, Any]:
    at = rfc3339(BASE + round(minute * MINUTE))
    status, out, err = run(capsys, "explain", feed, "--at", at, "--scene", which, "--history", folder, *more, "--json")
    assert (status, err) == (0, "")
    found: list[dict[str, Any]] = json.loads(out)
    return found[0]


def test_a_delay_that_runs_says_how_far_it_is(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = why(capsys, folder, "d1/depth", 4, draft)
    assert found["why"] == ["delay"]
    assert (found["value"], found["measured_at"]) == (16, rfc3339(BASE + 4 * MINUTE))
    minor, critical = found["levels"]
    assert (minor["phase"], minor["progress"], minor["since"]) == ("raising", "3m of 5m", rfc3339(BASE + MINUTE))
    assert minor["would_fire"][-1]["to"] == "at most 3m"
    assert (critical["phase"], critical["progress"]) == ("idle", None)


def test_an_alert_names_itself_and_why_it_has_no_case(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = why(capsys, folder, "d1/depth", 6.5, draft)
    assert found["why"] == ["alert", "mild"]
    assert (found["severity"], found["case"]) == ("minor", False)
    assert found["alert"]


def test_the_smallest_change_of_the_limit_fires_and_a_little_less_does_not(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = why(capsys, folder, "d2/depth", 6, draft)
    assert found["why"] == ["condition"]
    change = found["levels"][1]["would_fire"][0]
    assert (change["key"], change["to"], change["value"]) == ("above", "below 7", math.nextafter(7, 0))
    assert change["now"] == "25"
    text = SCENE.replace("above: 15, clear_below: 12, for: 5m, clear_for: 2m", "above: 1")
    for limit, fires in ((math.nextafter(7, 0), True), (7.0, False)):
        tried = draft.with_name("tried.yaml")
        tried.write_text(text.replace("above: 25, clear_below: 22", f"above: {limit!r}"))
        phase = why(capsys, folder, "d2/depth", 6, tried)["levels"][1]["phase"]
        assert (phase == "active") is fires


def test_the_limit_in_force_says_which_override_gave_it(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "with.yaml"
    path.write_text(
        f"{SCENE}overrides:\n"
        "  - {where: {device: d9}, levels: {minor: {above: 3}}}\n"
        "  - {where: {device: d2}, levels: {minor: {above: 6, for: 10m}}}\n"
        "stage: shadow\n"
    )
    found = why(capsys, folder, "d2/depth", 3, path)
    assert [level["comes_from"] for level in found["levels"]] == ["overrides.1 {where:{device:[d2]}}", "scene"]
    assert found["levels"][0]["condition"] == "above 6"
    assert found["why"] == ["shadow", "delay"]


def test_the_limit_in_force_says_which_row_of_the_table_gave_it(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "with.yaml"
    path.write_text(f"{SCENE}limits_from: {{table: pits.csv, by: device}}\nstage: shadow\n")
    (tmp_path / "pits.csv").write_text("device,minor,minor_clear,source,verified\nd9,3,2,,\nd2,6,5,the pit's own,yes\n")
    found = why(capsys, folder, "d2/depth", 3, path)
    row = "limits_from pits.csv line 3 (device d2): the pit's own (verified 已核实)"
    assert [level["comes_from"] for level in found["levels"]] == [row, "scene"]
    assert found["levels"][0]["condition"] == "above 6"


def test_what_is_part_of_another_alert_says_so(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = tmp_path / "devices.csv"
    devices.write_text("device,gateway,place\nd0,gw,M1\nd1,gw,M1\nd2,gw,M2\n")
    path = tmp_path / "low.yaml"
    path.write_text(SCENE.replace("above: 15, clear_below: 12, for: 5m", "above: 5, clear_below: 1.5"))
    assert (
        "folded"
        in why(capsys, folder, "d1/depth", 2, path, "--devices", devices)["why"]
        + why(capsys, folder, "d0/depth", 2, path, "--devices", devices)["why"]
    )


def test_a_person_reads_it_in_lines(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = rfc3339(BASE + 4 * MINUTE)
    status, out, _ = run(capsys, "explain", "d1/depth", "--at", at, "--scene", draft, "--history", folder)
    assert status == 0
    assert "a condition holds, and its delay runs" in out
    assert "minor: above 15 for 5m [scene] raising, 3m of 5m since" in out


@pytest.mark.parametrize(
    ("feed", "words"),
    [("d1/dept", "history knows no feed d1/dept (did you mean d1/depth?)"), ("a/b/c", "is no feed")],
)
def test_a_feed_that_is_not_known_is_told(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str], feed: str, words: str
) -> None:
    status, _, err = run(capsys, "explain", feed, "--at", "1d", "--scene", draft, "--history", folder)
    assert status == 2
    assert words in err


def test_two_versions_are_compared(
    draft: Path, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = tmp_path / "second.yaml"
    second.write_text(SCENE.replace("for: 5m", "for: 1m"))
    times = ("--from", rfc3339(BASE), "--to", rfc3339(BASE + 60 * MINUTE), "--history", folder)
    status, out, _ = run(capsys, "diff", draft, second, *times, "--json")
    assert status == 0
    found = json.loads(out)["difference"]
    assert [a["feed"] for a in found["added"]] == ["d0/depth"]
    assert [(m["alert"]["feed"], m["by_ms"]) for m in found["earlier"]] == [("d1/depth", -4 * MINUTE)]
    status, out, _ = run(capsys, "diff", draft, second, *times)
    assert "1 alerts added 新增" in out
