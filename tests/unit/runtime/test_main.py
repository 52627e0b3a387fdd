"""The command line as somebody mistypes it: one plain line, before anything is started."""

import errno
import os
import signal
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from runtime.main import app, guarded

ROOT = Path(__file__).parents[3]


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Status, standard output and error of `scenewatch ARGUMENTS`."""
    status = guarded(lambda **how: app(list(arguments), **how))
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--json", "gone/x.json"], "--json gone/x.json: there is no such folder"),
        (["camera", "0", "--json", "gone/x.json"], "--json gone/x.json: there is no such folder"),
        (["bench", "packed", "--json", "."], "--json .: it is a folder, a file is wanted"),
        (["bench", "packed", "--plot", "x.xyz"], "--plot x.xyz: its name has to end in .png or .svg"),
        (["demo", "--seed", "-1"], "Invalid value for '--seed': Input should be greater than or equal to 0"),
        (["demo", "--broker", "emqx"], "'emqx' is not one of 'auto', 'mosquitto', 'rumqttd'"),
        (["replay", "."], ".: a folder; one file is played at a time"),
        (["simulate", "--plot", "x.pdf"], "--plot x.pdf: its name has to end in .png or .svg"),
        (["simulate", "--truth", "."], "--truth .: it is a folder, a file is wanted"),
        (
            ["scene", "backtest", "a.yaml", "--from", "1d", "--json", "gone/x.json"],
            "--json gone/x.json: there is no such",
        ),
        (["scene", "backtest", "a.yaml", "--from", "1d", "--plot", "x.pdf"], "its name has to end in .png or .svg"),
        (["history", "export", "gone/x.csv", "--dir", "."], "export to gone/x.csv: there is no such folder"),
        (["device", "export", "gone/x.csv", "--devices", "d.csv"], "export to gone/x.csv: there is no such folder"),
        (["city", "make", "c", "--plot", "x.pdf"], "--plot x.pdf: its name has to end in .png or .svg"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_said_at_once(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = ran(capsys, *arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "--version") == (0, f"scenewatch {metadata.version('scenewatch')}\n", "")


def test_doctor_says_which_port_is_taken_and_which_folder_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "devices.csv").write_text("device,gateway\npit-1,gw-1\n")
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = tmp_path / "scenewatch.toml"
        path.write_text(f'[data]\ndir = "file/data"\n[hub]\nport = {port}\n')
        status, out, _ = ran(capsys, "doctor", "-c", str(path))
    assert status == 1
    assert f"FAIL data: {tmp_path / 'file'} cannot be written" in out
    assert f"WARN hub.port: 127.0.0.1:{port} cannot be had (Address already in use)" in out


def test_what_the_system_refuses_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def refused(**_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "out.json")

    assert (guarded(refused), capsys.readouterr().err) == (1, "scenewatch: out.json: No space left on device\n")


def ended(command: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """`scenewatch ...` as a shell runs it."""
    program = f'set -o pipefail; {sys.executable} -c "from runtime.main import main; main()" {command}'
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False, cwd=ROOT, **how)


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("case catalogue 14 | true", 128 + signal.SIGPIPE, ""),
        ("case catalogue 14 > /dev/full", 1, "scenewatch: No space left on device\n"),
        ("case catalogue 14 >&-", 0, ""),
    ],
)
def test_a_reader_that_goes_away_is_no_error_and_a_full_disk_is_a_line(command: str, status: int, said: str) -> None:
    done = ended(command)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)


def test_a_terminal_without_chinese_is_told_what_it_can_show() -> None:
    done = ended("case catalogue 14-01", env={"PYTHONIOENCODING": "latin-1", "PATH": os.environ["PATH"]})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u" in done.stdout


def test_doctor_says_what_the_hub_would_refuse_to_start_with(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "devices.csv").write_text("device,gateway\npit-1,gw-1\n")
    path = tmp_path / "scenewatch.toml"
    path.write_text("")
    status, out, _ = ran(capsys, "doctor", "-c", str(path))
    assert status == 1
    assert "FAIL hub: dispatch.token: the hub needs a token for writes -> set it to a long random word" in out
    path.write_text('[dispatch]\ntoken = "t"\n[hub]\nhost = "0.0.0.0"\n')
    assert (
        "FAIL hub: on 0.0.0.0 the hub would let everybody read its cases -> set hub.read_token"
        in (ran(capsys, "doctor", "-c", str(path))[1])
    )
    path.write_text('[dispatch]\ntoken = "t"\n[hub]\nhost = "0.0.0.0"\nread_token = "r"\n')
    assert "hub: on" not in ran(capsys, "doctor", "-c", str(path))[1]
