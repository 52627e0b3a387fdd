"""`scene suggest` and `scene propose --preview` from outside."""

import json
from pathlib import Path

import pytest

from core.clock import rfc3339
from runtime.config import write_config
from simulators.truth import write_truth
from tests.unit.history.parts import BASE, TYPES
from tests.unit.runtime.backtest.parts import MINUTE, SCENE, Live, scene, truth_of, walk
from tests.unit.runtime.backtest.test_cli import run

HOURS = 8 * 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight hours of two calm gauges, of which one is twice deep for ten minutes, the second time to the end."""
    live = Live(tmp_path, scene())
    calm = [float(i % 10) for i in range(HOURS)]
    flood = list(calm)
    flood[100:110] = [30.0] * 10
    flood[-3:] = [20.0] * 3
    live.takes([*walk("d0", calm), *walk("d1", flood)])
    live.history(HOURS).close()
    return tmp_path / "history"


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "deep.yaml"
    path.write_text(SCENE)
    return path


def truth(path: Path) -> Path:
    write_truth(path, truth_of(BASE, BASE + HOURS * MINUTE, ("i1", "d1", 100, 112)))
    return path


def test_each_limit_worth_trying_comes_with_what_it_would_have_raised(
    tmp_path: Path, draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = ("--from", BASE, "--to", rfc3339(BASE + HOURS * MINUTE), "--history", folder)
    status, out, err = run(
        capsys, "suggest", draft, *times, "--labels", truth(tmp_path / "truth.json"), "--json"
    )  # fmt: skip
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["labels"] == "truth"
    (gauges,) = found["classes"]
    assert (gauges["type"], gauges["devices"], gauges["readings"]) == (TYPES["d0"], 2, 2 * HOURS)
    assert gauges["quantiles"]["0.5"] == 5
    assert gauges["quantiles"]["1"] == 30
    assert sum(band["readings"] for band in gauges["bands"]) == 2 * HOURS
    paths = [level["path"] for level in found["levels"]]
    assert paths == ["levels.0.above", "levels.0.for", "levels.1.above", "levels.1.for"]
    minor, _, critical, samples = found["levels"]
    assert [one["value"] for one in samples["candidates"]] == ["1 sample", "2 samples", "3 samples", "4 samples"]
    now = next(one for one in critical["candidates"] if "now" in one["reason"])
    assert (now["value"], now["raised"]["found"], now["raised"]["missed"]) == (25, 1, 0)
    knee = [one for one in minor["candidates"] if "knee" in one["reason"]]
    assert len(knee) == 1
    assert knee[0]["raised"]["recall"] == 1
    assert draft.read_text() == SCENE


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("outside: [-1, 25]", {"levels.0.outside.0": [-1], "levels.0.outside.1": [24.1, 25]}),
        ("mean_above: 20, window: 10m", {"levels.0.mean_above": [10, 15, 20, 30, 40]}),
        ('rate_above: "4 per 1m", window: 5m', {"levels.0.rate_above": ["2 per 1m", "4 per 1m", "8 per 1m"]}),
        ("changed_by: {up: 20, in: 5m}", {"levels.0.changed_by.up": [10, 15, 20, 30, 40]}),
        ("count_above: {limit: 15, times: 4, in: 1h}", {"levels.0.count_above.times": [2, 3, 4, 6, 8]}),
        ("total_below: {value: 2, in: 30m}", {"levels.0.total_below.value": [1, 1.5, 2, 3, 4]}),
        ("absent_for: 20m", {"levels.0.absent_for": ["10m", "15m", "20m", "30m", "40m"]}),
        ("stuck_for: 4m", {"levels.0.stuck_for": ["2m", "3m", "4m", "6m", "8m"]}),
        ("above: 15, for: 3 of 5", {"levels.0.for": ["2 of 5", "3 of 5", "4 of 5"]}),
    ],
)
def test_every_number_of_every_condition_is_tried(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str], level: str, expected: dict[str, list[object]]
) -> None:
    draft.write_text(f"scene: deep\nfeeds: {{metric: depth}}\nlevels:\n  - {{severity: minor, {level}}}\n")
    times = ("--from", BASE, "--to", rfc3339(BASE + HOURS * MINUTE), "--history", folder)
    status, out, _ = run(capsys, "suggest", draft, *times, "--json")
    assert status == 0
    found = {one["path"]: one["candidates"] for one in json.loads(out)["levels"]}
    for path, values in expected.items():
        given = {one["value"]: one["raised"] for one in found[path]}
        assert set(values) <= set(given)
        assert any(raised["problem"] is None for raised in given.values())
        assert any("now" in one["reason"] for one in found[path])


def test_what_has_no_number_says_so(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft.write_text("scene: deep\nfeeds: {metric: depth}\nlevels:\n  - {severity: minor, equals: 30}\n")
    times = ("--from", BASE, "--to", rfc3339(BASE + HOURS * MINUTE), "--history", folder)
    status, out, _ = run(capsys, "suggest", draft, *times)
    assert status == 0
    assert "nothing to suggest" in out


def test_a_person_reads_them_in_tables(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = ("--from", BASE, "--to", rfc3339(BASE + HOURS * MINUTE), "--history", folder)
    status, out, _ = run(capsys, "suggest", draft, *times)
    assert status == 0
    assert "levels.1.above" in out
    assert "Nothing was changed" in out


def test_before_publishing_one_reads_who_is_in_mid_hold_and_what_would_fire(
    tmp_path: Path, draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """23 feeds are in mid-hold; 4 would fire now."""
    config = tmp_path / "scenewatch.toml"
    (tmp_path / "devices.csv").write_text("device,gateway\n")
    write_config(
        config,
        {"scenes": {"paths": [str(draft)], "metrics": ["depth"]}, "history": {"dir": str(folder)}},
    )
    after = tmp_path / "after.yaml"
    seen = {}
    for hold in ("1m", "10m"):
        after.write_text(SCENE.replace("for: 5m", f"for: {hold}"))
        status, out, err = run(capsys, "propose", after, "--preview", "-c", config, "--json")
        assert (status, err) == (0, "")
        seen[hold] = json.loads(out)
    assert (seen["1m"]["mid_hold"], seen["1m"]["fire_now"]) == ([], ["d1/depth"])
    assert (seen["10m"]["mid_hold"], seen["10m"]["fire_now"]) == (["d1/depth"], [])
    assert seen["1m"]["feeds"] == 2
    after.write_text(SCENE.replace("above: 15, clear_below: 12, for: 5m", "above: 8, clear_below: 1, for: 1s"))
    status, out, _ = run(capsys, "propose", after, "--preview", "-c", config)
    assert status == 0
    assert "1 would fire now" in out


def test_without_a_preview_who_and_why_are_asked_for(
    tmp_path: Path, draft: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "propose", draft, "--register", tmp_path / "register")
    assert status == 2
    assert "who does it" in err
