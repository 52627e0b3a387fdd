"""kill -9 of the role `history` while the journal grows: nothing is missing, nothing is doubled."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from city.device import Device
from city.device_list import dump_devices
from history.ledger import archived_seq
from history.parquet import ParquetHistory
from history.query import Selection
from runtime.config import write_config
from tests.chaos.system import wait_until
from tests.reference.history_twin import Given, sequenced
from tests.unit.history.parts import BASE, DAY, Source, rows_of

pytestmark = pytest.mark.chaos

KILLS = min(20, int(os.environ.get("SCENEWATCH_KILLS", "2")))
DEVICES = ("d0", "d1", "d2", "d3")


def start(config: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "runtime.role", "history", "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def grow(source: Source, rng: random.Random, arrival: int, batches: int) -> tuple[list[Given], int]:
    """Readings of a few hours, some late by days."""
    rows: list[Given] = []
    for _ in range(batches):
        arrival += rng.randrange(120_000_000_000)
        batch = [
            Given(rng.choice(DEVICES), arrival // 10**6 - rng.choice([0, 0, 0, 0, DAY]), rng.random(), arrival)
            for _ in range(20)
        ]
        source.takes(batch)
        rows += batch
    return rows, arrival


@pytest.mark.timeout(600)
def test_killed_again_and_again_history_holds_what_the_journal_held(tmp_path: Path) -> None:
    rng = random.Random(20_261_125)
    dump_devices(tmp_path / "devices.csv", [Device(name, "gw") for name in DEVICES])
    config = tmp_path / "scenewatch.toml"
    write_config(config, {"data": {"dir": "."}, "history": {"flush": "1ms", "keep": "9999d"}})
    source = Source(tmp_path, segment_bytes=200_000)
    made, arrival = grow(source, rng, BASE * 10**6, 1)
    for _ in range(KILLS):
        role = start(config)
        behind = rng.randint(1, 60)
        rows, arrival = grow(source, rng, arrival, 150)
        made += rows
        wanted = source.journal.last_seq - behind
        wait_until(lambda wanted=wanted: archived_seq(tmp_path / "history") >= wanted, 60, "history goes on")  # type: ignore[misc]
        role.send_signal(signal.SIGKILL)
        role.wait()
        assert role.stdout is not None
        role.stdout.close()
    role = start(config)
    wait_until(lambda: archived_seq(tmp_path / "history") == source.journal.last_seq, 60, "history has everything")
    assert role.stdout is not None
    ready = json.loads(role.stdout.readline().removeprefix("READY "))
    assert ready["kind"] == "parquet"
    role.send_signal(signal.SIGTERM)
    assert role.wait(10) == 0
    role.stdout.close()
    history = ParquetHistory(tmp_path / "history")
    assert rows_of(history.readings(Selection.of(0, BASE + 1_000 * DAY))) == sequenced(made)
    history.close()
    source.close()
