"""The role `history`: what it does while its store is away, and what it says of itself."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from city.catalogue import load_catalogue
from core.errors import ConfigError, UnavailableError
from history.archive import Archive, Piece
from history.keeping import Retention
from history.names import types_of
from history.query import Selection
from history.stores import InfluxAddress, Store, Writer
from runtime.broker.base import free_port
from runtime.config import Config, load_config, write_config
from runtime.following import metrics
from runtime.history_role import Follower, KnownDevices, run
from tests.chaos.system import wait_until
from tests.reference.history_twin import Given, sequenced
from tests.unit.history.influxd import MISSING, PROGRAM, influxdb
from tests.unit.history.parts import BASE, DAY, TYPES, Source, rows_of

FOREVER = Retention(readings_ms=1 << 50, minutes_ms=1 << 50, hours_ms=1 << 50)
EVERYTHING = Selection.of(0, BASE + DAY)


@contextmanager
def following(sink: Writer, data: Path) -> Iterator[Follower]:
    stop = threading.Event()
    follower = Follower(sink, data, types_of(TYPES), FOREVER, flush_s=0.0, stop=stop)
    thread = threading.Thread(target=follower.run)
    thread.start()
    try:
        yield follower
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def some(count: int, start: int = 0) -> list[Given]:
    return [Given("d0", BASE + n, n, (BASE + n) * 10**6) for n in range(start, start + count)]


def test_it_waits_for_a_journal_and_then_follows_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "history")
    with following(archive, tmp_path) as follower:
        source = Source(tmp_path)
        source.takes(some(100))
        wait_until(lambda: follower.status()["held"] == 100, 30, "history has what came")
        source.takes(some(50, 100))
        wait_until(lambda: follower.status()["held"] == 150, 30, "history follows")
        status = follower.status()
    assert (status["seq"], status["lost_entries"], status["error"], status["connected"]) == (2, 0, "", True)
    text = metrics(status)
    assert "scenewatch_history_readings_total 150\n" in text
    assert text.count("# TYPE") == text.count("# HELP") == 10
    archive.close()
    source.close()


def test_a_full_disk_is_said_and_what_came_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(tmp_path)
    source.takes(some(10))
    archive = Archive(tmp_path / "history")
    whole = Archive.put

    def full(self: Archive, piece: Piece) -> None:  # noqa: ARG001 - as the method
        raise UnavailableError("the archive cannot be written: is the disk full?")

    monkeypatch.setattr(Archive, "put", full)
    with following(archive, tmp_path) as follower:
        wait_until(lambda: follower.status()["errors"] > 0, 30, "the error is counted")
        assert "disk full" in follower.status()["error"]
        assert not follower.status()["connected"]
        source.takes(some(10, 10))
        monkeypatch.setattr(Archive, "put", whole)
        wait_until(lambda: follower.status()["held"] == 20, 60, "history has everything")
        wait_until(lambda: not follower.status()["error"], 30, "the error is over")
    history = Store(tmp_path / "history").history()
    assert rows_of(history.readings(EVERYTHING)) == sequenced(some(20))
    history.close()
    archive.close()
    source.close()


def test_another_journal_is_followed_from_its_start_though_it_is_shorter(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "history")
    first, second = tmp_path / "first", tmp_path / "second"
    source = Source(first)
    for n in range(5):
        source.takes(some(10, 10 * n))
    with following(archive, first) as follower:
        wait_until(lambda: follower.status()["seq"] == 5, 30, "history has the first")
    source.close()
    source = Source(second)
    source.takes(some(10, 1_000))
    with following(archive, second) as follower:
        wait_until(lambda: follower.status()["held"] == 60, 30, "history has the second")
        assert follower.status()["seq"] == 1
    archive.close()
    source.close()


def test_influxdb_may_come_later_and_go_and_come_again(tmp_path: Path) -> None:
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    port = free_port()
    source = Source(tmp_path)
    source.takes(some(10))
    store = Store(tmp_path / "history", InfluxAddress(f"http://127.0.0.1:{port}", "o", "readings", "a-token"))
    sink = store.writer()
    with following(sink, tmp_path) as follower:
        wait_until(lambda: follower.status()["errors"] > 0, 30, "it is missed")
        assert f"InfluxDB at http://127.0.0.1:{port}" in follower.status()["error"]
        assert "\n" not in follower.status()["error"]
        (tmp_path / "influxdb").mkdir()
        with influxdb(tmp_path / "influxdb", port):
            wait_until(lambda: follower.status()["held"] == 10, 60, "history has what came before InfluxDB")
            history = store.history()
            assert rows_of(history.readings(EVERYTHING)) == sequenced(some(10))
            history.close()
    sink.close()
    source.close()


def test_a_device_that_is_adopted_while_it_runs_has_its_type(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    path.write_text("device,gateway,type\nn-1,gw,ambient-noise\n")
    os.utime(path, ns=(1, 1))
    known = KnownDevices(path, load_catalogue())
    assert (known.type_of("n-1"), known.type_of("n-2")) == ("ambient-noise", "")
    path.write_text("device,gateway,type\nn-1,gw,ambient-noise\nn-2,gw,ambient-noise\n")
    assert known.type_of("n-2") == "ambient-noise"
    path.write_text("device,gateway,type\nn-3,gw,toaster\n")
    assert (known.type_of("n-3"), known.type_of("n-2")) == ("", "ambient-noise")


def test_a_device_type_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text("device,gateway\n")
    path = tmp_path / "scenewatch.toml"
    write_config(path, {"history": {"keep_types": {"ambient-nois": "9d"}}})
    config: Config = load_config(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runtime.history_role.signal.signal", lambda *_: None)
        with pytest.raises(ConfigError, match=r"no device type 'ambient-nois' \(did you mean ambient-noise\?\)"):
            run(config)
