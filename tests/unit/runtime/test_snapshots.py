"""Snapshots: there whole or not at all, and never ahead of what they follow from."""

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.errors import DataLossError
from core.reading import ReadingBatch
from ingest.journal import Journal, encode_batch
from runtime.snapshots import Snapshots


def state(n: int) -> dict[str, dict[str, np.ndarray]]:
    return {"stage": {"numbers": np.arange(n)}}


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files in the order in which they were synced."""
    names: list[str] = []
    real: Callable[[int], None] = os.fsync

    def sync(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    return names


def test_the_newest_comes_back(tmp_path: Path) -> None:
    for seq in (3, 5, 9):
        Snapshots(tmp_path).write(seq, state(seq), wait=True)
    found = Snapshots(tmp_path).newest()
    assert found is not None
    assert (found[0], len(found[1]["stage"]["numbers"])) == (9, 9)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_older_one_counts_where_the_newest_is_cut_short(tmp_path: Path) -> None:
    for seq in (3, 5):
        Snapshots(tmp_path).write(seq, state(seq), wait=True)
    newest = tmp_path / f"state-{5:016d}.npz"
    os.truncate(newest, newest.stat().st_size - 40)
    found = Snapshots(tmp_path).newest()
    assert found is not None
    assert found[0] == 3
    os.truncate(tmp_path / f"state-{3:016d}.npz", 10)
    with pytest.raises(DataLossError, match="can be read"):
        Snapshots(tmp_path).newest()


def test_the_journal_is_synced_before_a_snapshot_of_it_is(tmp_path: Path, synced: list[str]) -> None:
    journal = Journal(tmp_path / "journal")
    seq = journal.append([encode_batch(ReadingBatch.of([0], [1], [2.0]))])
    Snapshots(tmp_path / "state").write(seq, state(1), behind=journal.unsynced(), wait=True)
    journal.close()
    segment = f"journal-{1:016d}.sqlite"
    assert synced == [f"{segment}-wal", f"state-{1:016d}.partial", "state"]


def test_one_that_cannot_be_written_is_told_of_and_leaves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = Snapshots(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.WARNING):
        snapshots.write(7, state(1), wait=True)
    assert "No space left on device" in caplog.text
    assert snapshots.written_seq == 0
    assert not list(tmp_path.iterdir())


def test_a_snapshot_leaves_another_program_no_way_to_take_the_log_away(tmp_path: Path) -> None:
    """Closing a file drops this process's locks on it: whoever syncs a database must not open it beside SQLite."""
    path = tmp_path / "alerts.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as ours:
        ours.execute("PRAGMA journal_mode = WAL")
        ours.execute("CREATE TABLE t (x)")
        Snapshots(tmp_path / "state").write(1, state(1), behind=[path], wait=True)
        other = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM t'); db.close()"
        subprocess.run([sys.executable, "-c", other, str(path)], check=True)
        assert path.with_name("alerts.db-wal").exists()
        ours.execute("INSERT INTO t VALUES (1)")
    with closing(sqlite3.connect(path)) as again:
        assert again.execute("SELECT x FROM t").fetchall() == [(1,)]
