"""The command line as somebody mistypes it: one plain line, before anything is started."""

import socket
from importlib import metadata
from pathlib import Path

import pytest

from runtime.main import app, guarded


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
