"""`scenewatch scene backtest` from outside: what a designer types, and what they read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from city.catalogue import load_catalogue
from core.clock import rfc3339
from runtime.config import write_config
from runtime.main import app, guarded
from tests.unit.history.parts import BASE
from tests.unit.runtime.backtest.parts import MINUTE, SCENE, Live, scene, walk
from thresholds.register import SceneRegister


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = guarded(lambda **named: app([str(one) for one in ("scene", *arguments)], **named))
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "deep.yaml"
    path.write_text(SCENE)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two hours: one wave to 30, one to 20, and a feed that stays calm."""
    live = Live(tmp_path, scene())
    live.takes([*walk("d0", [1, 16, 30, 31, 30, 2, 2, 2, 2]), *walk("d2", [3] * 100)])
    live.takes(walk("d1", [20] * 9 + [1] * 5, start=40))
    live.history(120).close()
    return tmp_path / "history"


HOURS = ("--from", rfc3339(BASE), "--to", rfc3339(BASE + 120 * MINUTE))


def asked(capsys: pytest.CaptureFixture[str], draft: Path, folder: Path, *more: object) -> dict[str, Any]:
    status, out, err = run(capsys, "backtest", draft, *HOURS, "--history", folder, *more, "--json")
    assert (status, err) == (0, "")
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_the_answer_for_programs_says_all_that_the_contract_names(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = asked(capsys, draft, folder)
    assert answer["scene"] == "deep"
    assert (answer["from"], answer["to"]) == (rfc3339(BASE), rfc3339(BASE + 120 * MINUTE))
    assert (answer["feeds"], answer["readings"], answer["gaps"], answer["labels"]) == (3, 123, [], None)
    assert [(a["feed"], a["severity"], a["case"]) for a in answer["alerts"]] == [
        ("d0/depth", "critical", True),
        ("d1/depth", "minor", False),
    ]
    assert set(answer["alerts"][0]) >= {"id", "feed", "place", "severity", "raised_at", "cleared_at"}
    assert answer["alerts"][0]["raised_at"] == rfc3339(BASE + 3 * MINUTE)
    assert answer["cases"] == 1
    assert list(answer["per_day"].values()) == [{"alerts": 2, "cases": 1}]
    assert answer["per_place"] == {"d0": {"alerts": 1, "cases": 1}, "d1": {"alerts": 1, "cases": 0}}
    assert answer["per_device"] == answer["per_place"]
    assert answer["budget"] == {"per_day": 1, "busiest_day": 1, "days_over": []}


def test_a_value_is_tried_without_touching_the_file(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_it_is = asked(capsys, draft, folder)
    higher = asked(capsys, draft, folder, "--set", "levels.1.above=40")
    named = asked(capsys, draft, folder, "--set", "levels.critical.above=40")
    assert [a["severity"] for a in higher["alerts"]] == ["minor"]
    assert higher["version"] == named["version"] != as_it_is["version"]
    assert higher["cases"] == 0
    assert draft.read_text() == SCENE


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("levels.2.above=30", "levels counts from 0 to 1 (minor, critical): there is no '2'"),
        ("levels.1.abov=30", "there is no 'abov' in levels.1 (did you mean levels.1.above?)"),
        ("level.1.above=30", "the scene has no 'level' (did you mean levels?)"),
        ("levels.1.below=30", "levels.1 holds above (did you mean levels.1.above?)"),
        ("raises.budget=3", "(did you mean raises.budget_per_day?)"),
        ("levels.1.above", "write it like levels.2.above=30"),
        ("levels.1.above=20", "S010"),
        ("levels.1.for=soon", "S007"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_was_meant(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str], setting: str, words: str
) -> None:
    status, out, err = run(capsys, "backtest", draft, *HOURS, "--history", folder, "--set", setting)
    assert (status, out) == (2, "")
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "yesterday", "--history", "."], "'yesterday' is no time"),
        (["--from", "2023-11-20", "--to", "2023-11-10", "--history", "."], "before it begins"),
        (["--from", "2023-11-01"], "say which history"),
        (["--from", "2023-11-01", "--history", "nowhere"], "nowhere"),
        (["--from", "2023-11-01", "--history", ".", "--sweep", "levels.1.above=2..x/3"], "(20 values)"),
        (["--from", "2023-11-01", "--history", ".", "--plot", "a.pdf"], "its name has to end in .png or .svg"),
        (["--from", "2023-11-01", "--history", ".", "--tz", "Mars/Base"], "no such time zone"),
    ],
)
def test_what_is_typed_wrong_is_told_in_a_line(
    draft: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    status, out, err = run(capsys, "backtest", draft, *arguments)
    assert status in (1, 2)
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_hole_is_a_line_on_standard_error(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(
        capsys, "backtest", draft, "--from", BASE, "--to", rfc3339(BASE + 180 * MINUTE), "--history", folder, "-q"
    )
    assert status == 0
    assert err == (
        "scenewatch scene backtest: gap: "
        f"{rfc3339(BASE + 120 * MINUTE)} to {rfc3339(BASE + 180 * MINUTE)}: not_written\n"
    )


def test_a_broken_budget_is_a_finding(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "answer.json"
    status, said, _ = run(
        capsys, "backtest", draft, *HOURS, "--history", folder, "--set", "raises.from=minor", "--json", out
    )
    assert status == 1
    assert json.loads(out.read_text())["budget"]["days_over"] == ["2023-11-15"]
    assert "over on 1 days" in said


def test_a_sweep_gives_the_whole_curve(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = asked(capsys, draft, folder, "--sweep", "levels.0.above=10..40/4")["sweep"]
    assert [(p["values"]["levels.0.above"], p["alerts"], p["problem"] is None) for p in points] == [
        (10, 2, True),
        (20, 1, True),
        (30, 0, False),
        (40, 0, False),
    ]
    assert "levels.0.above=30" in points[2]["problem"]


def test_the_clear_value_goes_with_the_limit_that_is_swept(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = asked(capsys, draft, folder, "--sweep", "levels.1.above=16..31/4")["sweep"]
    assert [p["cases"] for p in points] == [2, 1, 1, 0]


def test_a_sweep_over_two_values_is_a_table_of_both(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = asked(capsys, draft, folder, "--sweep", "levels.1.above=26,40", "--sweep", "levels.1.for=1m..5m/2")[
        "sweep"
    ]
    assert [(p["values"]["levels.1.above"], p["values"]["levels.1.for"], p["cases"]) for p in points] == [
        (26, "1m", 1),
        (26, "5m", 0),
        (40, "1m", 0),
        (40, "5m", 0),
    ]


def test_another_version_is_held_beside_it(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(SCENE.replace("above: 15", "above: 21").replace("for: 2 samples", "for: 1 samples"))
    found = asked(capsys, draft, folder, "--compare", other)["compare"]
    assert [a["feed"] for a in found["lost"]] == ["d1/depth"]
    assert found["added"] == []
    assert [(m["alert"]["feed"], m["by_ms"]) for m in found["earlier"]] == [("d0/depth", -MINUTE)]
    assert (found["cases_added"], found["cases_lost"], found["true_missed"]) == (0, 0, None)


def test_a_person_reads_tables(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(
        capsys, "backtest", draft, *HOURS, "--history", folder, "--sweep", "levels.0.above=10,20", "--compare", draft
    )
    assert status == 0
    for words in ("alerts 告警", "cases 案件", "Sweep 扫描", "2 the same 相同"):
        assert words in out


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_it_is_drawn(
    draft: Path, folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"picture{suffix}"
    asked(capsys, draft, folder, "--plot", picture, "--sweep", "levels.0.above=10,20")
    head = picture.read_bytes()[:8]
    assert head.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")


def test_times_may_be_dates_and_so_long_ago(draft: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(
        capsys, "backtest", draft, "--from", "2023-11-14", "--to", "2023-11-16", "--tz", "Asia/Shanghai",
        "--history", folder, "--json",
    )  # fmt: skip
    assert status == 0
    assert json.loads(out)["from"] == "2023-11-13T16:00:00.000Z"
    assert len(json.loads(out)["alerts"]) == 2
    status, out, _ = run(capsys, "backtest", draft, "--from", "2d", "--history", folder, "--json")
    assert (status, json.loads(out)["alerts"]) == (0, [])


def test_a_version_in_the_register_is_named_by_its_number(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SCENE.replace("scene: deep", "scene: deep\nstage: draft\ntitle: {en: Deep}")
    register = SceneRegister(tmp_path / "register", load_catalogue(), ["depth"])
    register.propose(text, "Li", "first", BASE)
    register.propose(text.replace("above: 25", "above: 40"), "Li", "higher", BASE + 1)
    (tmp_path / "devices.csv").write_text("device,gateway\n")
    (tmp_path / "first.yaml").write_text(text)
    config = tmp_path / "scenewatch.toml"
    write_config(
        config,
        {
            "scenes": {"register_dir": "register", "metrics": ["depth"], "paths": ["first.yaml"]},
            "history": {"dir": str(folder)},
        },
    )
    cases = {}
    for which in ("deep@1", "deep@2", "deep"):
        status, out, _ = run(capsys, "backtest", which, *HOURS, "-c", config, "--json")
        assert status == 0
        cases[which] = json.loads(out)["cases"]
    assert cases == {"deep@1": 1, "deep@2": 0, "deep": 0}
    for which, words in (("dep", "did you mean deep?"), ("deep@9", "no version 9"), ("deep@x", "write a version")):
        status, _, err = run(capsys, "backtest", which, *HOURS, "-c", config)
        assert status == 2
        assert words in err


def test_what_an_answer_does_not_need_is_not_loaded() -> None:
    """Half of the time of a short answer would be loading."""
    heavy = (
        "duckdb", "scipy.signal", "matplotlib", "simulators.world", "sqlalchemy", "fastapi", "pyproj", "runtime.config",
        "city.cases",
    )  # fmt: skip
    code = f"import sys, runtime.cli_backtest, history.parquet; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_scene_whose_feeds_history_does_not_have_says_so(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(SCENE.replace("{metric: depth}", "{metric: depth, device: [d99]}"))
    status, out, err = run(capsys, "backtest", path, *HOURS, "--history", folder, "--json")
    assert status == 0
    assert (json.loads(out)["feeds"], json.loads(out)["alerts"]) == (0, [])
    assert "history has no feed that deep watches" in err
