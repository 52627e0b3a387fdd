"""`scenewatch history` from outside: what a person types, and what they read."""

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from core.clock import rfc3339
from history.parquet import ParquetHistory
from history.query import FeedName, Selection
from runtime.config import write_config
from runtime.main import app, guarded
from tests.reference.history_twin import Given
from tests.unit.history.parts import BASE, DAY, archive_of, rows_of

RECORDING = "feed,timestamp,value\n" + "".join(
    f"cold-1/temperature_c,{BASE + i * 60_000},{i % 9}\n" for i in range(3_000)
)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = guarded(lambda **named: app([str(one) for one in ("history", *arguments)], **named))
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "winter.csv"
    path.write_text(RECORDING)
    return path


def test_a_recording_goes_in_and_comes_out_again(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = tmp_path / "archive", tmp_path / "out.csv"
    status, said, _ = run(capsys, "import", recording, "--dir", archive, "--gateway", "cellar")
    assert (status, said) == (0, "3,000 readings of 1 feed imported\n")
    status, said, warned = run(capsys, "export", out, "--dir", archive, "--from", BASE, "--to", BASE + 3_000 * 60_000)
    assert status == 1  # the last minute is not covered by a recording that ends in it
    assert "3,000 readings" in said
    assert warned.startswith("scenewatch history: gap: ")
    lines = out.read_text().splitlines()
    assert len(lines) == 3_001
    assert lines[0].replace('"', "") == "feed,gateway,type,timestamp,value,arrival,quality"
    status, said, _ = run(capsys, "import", out, "--dir", tmp_path / "again", "--gateway", "cellar")
    assert (status, said) == (0, "3,000 readings of 1 feed imported\n")
    both = [ParquetHistory(tmp_path / name) for name in ("archive", "again")]
    first, second = (rows_of(history.readings(Selection.of(0, BASE + 30 * DAY))) for history in both)
    assert first == second
    assert both[0].feeds(Selection.of(0, 1)) == (FeedName("cellar", "cold-1", "temperature_c"),)
    for history in both:
        history.close()


def test_the_same_recording_is_not_taken_twice(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "import", recording, "--dir", tmp_path / "archive")
    status, _, said = run(capsys, "import", recording, "--dir", tmp_path / "archive")
    assert status == 2
    assert "in history already, imported as winter.csv" in said


def test_what_retention_would_drop_at_once_is_refused(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "devices.csv").write_text("device,gateway\n")
    config = tmp_path / "scenewatch.toml"
    write_config(config, {"history": {"keep": "30d"}})
    status, _, said = run(capsys, "import", recording, "-c", config)
    assert status == 2
    assert "longer ago than history keeps it: raise history.keep" in said
    write_config(config, {"history": {"keep": "99999d"}})
    assert run(capsys, "import", recording, "-c", config, "--quiet")[:2] == (0, "")


def test_the_status_says_what_there_is_and_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, archive = archive_of(tmp_path, [[Given("d0", BASE + i, i, (BASE + i) * 10**6)] for i in range(50)])
    archive.fold(least_files=1)
    archive.close()
    status, said, _ = run(capsys, "status", "--dir", tmp_path / "history", "--json")
    assert status == 0
    found = json.loads(said)
    assert [(one["type"], one["metric"], one["readings"]) for one in found["held"]] == [("gauge", "depth", 50)]
    assert [gap["reason"] for gap in found["gaps"]] == ["before", "not_written"]
    assert found["gaps"][1]["from"] == rfc3339(BASE + 49)
    status, said, _ = run(capsys, "status", "--dir", tmp_path / "history")
    assert "gauge" in said
    assert "gap: " in said
    next((tmp_path / "history" / "readings").rglob("*.parquet")).unlink()
    status, said, _ = run(capsys, "status", "--dir", tmp_path / "history")
    assert status == 1
    assert "missing" in said


def test_compact_makes_few_files_of_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, archive = archive_of(tmp_path, [[Given("d0", BASE + i, i, (BASE + i) * 10**6)] for i in range(9)])
    archive.close()
    status, said, _ = run(capsys, "compact", "--dir", tmp_path / "history")
    assert (status, said) == (0, "9 readings sorted in, 0 files merged away, 2 roll-ups made, 0 readings expired\n")
    out = tmp_path / "hours.parquet"
    run(capsys, "export", out, "--dir", tmp_path / "history", "--step", "1h", "--metric", "depth")
    assert parquet.read_table(out).select(["feed", "count", "last"]).to_pylist() == [
        {"feed": "d0/depth", "count": 9, "last": 8.0}
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status"], "say which history"),
        (["status", "--dir", "nowhere"], "no history yet"),
        (["export", "x.xls", "--dir", "nowhere"], "write it as .csv or .parquet"),
        (["export", "x.csv", "--dir", "nowhere", "--step", "90s"], "whole minutes"),
        (["import", "nowhere.csv", "--dir", "a"], "cannot be read"),
        (["import", "nowhere.csv", "--dir", "a", "--type", "toaster"], "no such device type"),
        (["import", "nowhere.csv", "--dir", "a", "--gateway", "a/b"], "cannot stand in a topic"),
    ],
)
def test_a_mistake_is_one_line_with_its_cure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, said = run(capsys, *arguments)
    assert status in (1, 2)
    assert words in said
    assert said.count("\n") == 1


def test_a_folder_that_was_mistyped_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "compact", "--dir", tmp_path / "histroy")
    assert (status, err) == (1, f"scenewatch: {tmp_path / 'histroy'}: there is no history yet\n")
    assert not (tmp_path / "histroy").exists()
