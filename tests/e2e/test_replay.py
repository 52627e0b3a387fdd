"""A replay as somebody types it."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from city.device import Device
from core.clock import wall_ns
from runtime.main import main
from runtime.private import PrivateSystem

ROOT = Path(__file__).parents[2]
SCENE = """\
scene: tank-level
feeds: {metric: level}
levels:
  - {severity: minor, above: 5, clear_below: 4}
"""
DELAYED = SCENE.replace("clear_below: 4", "clear_below: 4, for: 10m")
RECORDING = """\
feed,timestamp,value
tank/level,2026-07-01T00:00:00Z,9
other/level,2026-07-01T01:00:00Z,1
"""


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def replay(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    out = folder / "out.json"
    command = [sys.executable, "-c", "from runtime.main import main; main()", "replay", *arguments]
    done = subprocess.run(
        [*command, "--json", str(out), "--quiet"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    return found


@pytest.mark.broker
@pytest.mark.parametrize("speed", ["3600x", "max"])
def test_a_delay_ends_without_a_further_reading_at_the_recordings_time(speed: str, tmp_path: Path) -> None:
    file = written(tmp_path / "recording.csv", RECORDING)
    scene = written(tmp_path / "scene.yaml", DELAYED)
    found = replay(tmp_path, file, "--scenes", scene, "--speed", speed)
    (event,) = found["events"]
    assert (event["feed"], event["raised_at"], event["cleared_at"]) == ("tank/level", "2026-07-01T00:10:00.000Z", None)
    assert event["task_number"]
    assert (found["readings"], found["lost"], found["doubled"], found["cases"]) == (2, 0, 0, 1)
    if speed != "max":
        assert found["seconds"] >= 1.0, "an hour, 3600 times as fast, is a second"


@pytest.mark.broker
def test_a_running_system_is_fed_with_times_that_begin_now(tmp_path: Path) -> None:
    scene = tmp_path / "scene.yaml"
    scene.write_text(SCENE)
    text = RECORDING.replace("01:00:00", "00:00:01") + "tank/level,2026-07-01T00:00:02Z,1\n"
    file = written(tmp_path / "recording.csv", text)
    devices = [Device("tank", "yard"), Device("other", "yard")]
    with PrivateSystem(devices, scenes=[scene], metrics=["level"]) as system:
        to = ["--to", f"mqtt://127.0.0.1:{system.broker_port}", "--gateway", "yard"]
        before = wall_ns() // 1_000_000
        found = replay(tmp_path, file, *to, SCENEWATCH_PASSWORD=system.accounts.gateways["yard"])
        after = wall_ns() // 1_000_000
        system.wait(lambda: system.status()["readings"] == 3 and system.cases() == 1, 20, "three readings, one case")
        system.wait(lambda: system.status()["outbox"] == 0, 20, "everything delivered")
        (alert,) = system.alerts()
    assert (found["readings"], found["lost"], found["doubled"]) == (3, None, None)
    assert before <= alert.raised_ms <= after
    assert alert.cleared_ms == alert.raised_ms + 2_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--speed", "fast"], "--speed fast: write max, 1x or 60x"),
        (["--speed", "0x"], "--speed 0x: write max, 1x or 60x"),
        (["--speed", "nan"], "--speed nan: write max, 1x or 60x"),
        (["--speed", "infx"], "--speed infx: write max, 1x or 60x"),
        (["--tz", "Mars"], "--tz Mars: no such time zone; write it like Asia/Shanghai"),
        (["--feed", "a/b/c"], "'a/b/c' is no feed: write device/metric, without further / and without + or #"),
        (["--gateway", "a/b"], "--gateway a/b: another name, of 1 to 64 characters without / + #"),
        (["--gateway", "scenewatch"], "--gateway scenewatch: another name, of 1 to 64 characters without / + #"),
        (["--type", "teapot"], "--type teapot: the catalogue has no such device type"),
        (["--json", "gone/out.json"], "--json gone/out.json: there is no such folder"),
        (["--to", "http://a:1"], "--to http://a:1: write it like mqtt://host:1883 or mqtts://host:8883"),
        (["--to", "mqtt://a:b"], "--to mqtt://a:b: write it like mqtt://host:1883 or mqtts://host:8883"),
        (["--to", "mqtt://a:1"], "a password is needed: --password-file FILE, or SCENEWATCH_PASSWORD"),
        (
            ["--to", "mqtt://a:1", "--password-file", "gone"],
            "--password-file: gone cannot be read: No such file or directory",
        ),
        (["--scenes", "gone.yaml"], "gone.yaml:1:1: S001 the file cannot be read: no such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_plain_line(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCENEWATCH_PASSWORD", raising=False)
    file = written(tmp_path / "recording.csv", RECORDING)
    assert status_of(monkeypatch, ["replay", file, "--quiet", *options]) == 2
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("scenewatch: ")
    assert line.endswith(f"{said}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "the file is empty"),
        ("timestamp,value\n", "no row can be used"),
    ],
    ids=["missing", "empty", "header only"],
)
def test_a_wrong_file_is_one_plain_line(
    text: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "recording.csv"
    if text is not None:
        file.write_text(text)
    assert status_of(monkeypatch, ["replay", str(file)]) == 2
    assert capfd.readouterr().err == f"scenewatch: {file}: {said}\n"


def status_of(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> object:
    """Exit status of the command line."""
    monkeypatch.setattr(sys, "argv", ["scenewatch", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.broker
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_behind(number: int, status: int, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    file = written(tmp_path / "recording.csv", RECORDING)
    program = (  # a shell has what it starts in the background ignore Ctrl-C, and this test may have been started so
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom runtime.main import main; main()"
    )
    command = [sys.executable, "-c", program, "replay", file, "--speed", "1x", "-q"]
    playing = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": str(private)})
    pause = threading.Event()
    while not list(private.glob("*/data/alerts.db")):
        assert playing.poll() is None
        pause.wait(0.01)
    playing.send_signal(number)
    assert playing.wait(60) == status
    assert not list(private.iterdir())
