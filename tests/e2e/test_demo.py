"""The demo as somebody types it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runtime.broker.mosquitto import find_mosquitto

COMMAND = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom runtime.main import main; main()",
]
"""A shell has what it starts in the background ignore Ctrl-C, and these tests may have been started so."""

KINDS = ["rumqttd", pytest.param("mosquitto", marks=pytest.mark.skipif(not find_mosquitto(), reason="no mosquitto"))]

PATIENCE_S = 60
"""A machine that does much else may take so long; the supervisor's own test holds it to its three seconds."""


def children_of(group: set[int]) -> set[int]:
    """Processes whose environment says that they were started by this test."""
    mark = f"SCENEWATCH_TEST_MARK={os.getpid()}".encode()
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) not in group:
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(int(folder.name))
            except OSError:
                continue
    return found


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "SCENEWATCH_TEST_MARK": str(os.getpid()), "TMPDIR": str(temporary)}


@pytest.mark.broker
@pytest.mark.parametrize("kind", KINDS)
def test_the_demo_raises_cases_and_says_that_nothing_was_lost(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    private = tmp_path / "private"
    private.mkdir()
    options = ["demo", "--seconds", "8", "--scale", "0.01", "--json", str(out), "--broker", kind]
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=280, env=environment(private), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    assert result["version"] == 1
    assert result["readings"] > 500
    assert result["lost"] == 0
    assert result["doubled"] == 0
    assert 1 <= result["cases"] <= result["alerts"], "a mild one has none"
    assert result["incidents"]["missed"] == []
    assert result["incidents"]["false"] == []
    assert {"p50", "p90", "p99", "max", "n"} == set(result["latency_ms"]["durable_to_case_ms"])
    first = done.stdout.splitlines()[0]
    assert kind in first
    assert ("lacks" in first) == (kind == "rumqttd")
    assert children_of(set()) == set()
    assert not list(private.iterdir())


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_and_leaves_nothing_behind(number: int, tmp_path: Path) -> None:
    options = ["demo", "--seconds", "120", "--scale", "0.01"]
    demo = subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)
    )
    assert demo.stdout is not None
    while "readings/s" not in demo.stdout.readline():
        assert demo.poll() is None
    assert list(tmp_path.iterdir())
    demo.send_signal(number)
    demo.communicate(timeout=PATIENCE_S)
    assert demo.returncode == 0
    assert children_of(set()) == set()
    assert not list(tmp_path.iterdir())


@pytest.mark.broker
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_starts_leaves_nothing_behind(number: int, status: int, tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*COMMAND, "demo", "--scale", "0.01"], stdout=subprocess.PIPE, text=True, env=environment(tmp_path)
    )
    pause = threading.Event()
    while not list(tmp_path.glob("*/scenewatch.toml")):  # the first thing that it makes
        assert demo.poll() is None
        pause.wait(0.01)
    demo.send_signal(number)
    demo.communicate(timeout=PATIENCE_S)
    assert demo.returncode == status
    assert children_of(set()) == set()
    assert not list(tmp_path.iterdir())


@pytest.mark.broker
def test_killed_outright_it_leaves_no_process_behind(tmp_path: Path) -> None:
    options = ["demo", "--seconds", "120", "--scale", "0.01"]
    demo = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True, env=environment(tmp_path))
    assert demo.stdout is not None
    while "readings/s" not in demo.stdout.readline():
        assert demo.poll() is None
    demo.kill()
    demo.wait()
    pause = threading.Event()
    deadline = time.monotonic() + PATIENCE_S
    while children_of(set()):
        assert time.monotonic() < deadline, "a process outlived the demo"
        pause.wait(0.05)
