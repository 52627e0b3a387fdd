"""kill -9 of the role `history`, and of Kafka, while records come: each reading is in history once."""

import contextlib
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import KafkaException, TopicPartition

from history.ledger import NAME
from history.parquet import ParquetHistory
from history.query import Selection
from runtime.config import write_config
from runtime.servers.kafka import PrivateKafka
from runtime.stream.reader import open_reader
from tests.chaos.system import wait_until
from tests.distributed.cluster import Cluster, Load
from tests.distributed.hour import BEGIN_MS, METRIC, Hour, make_hour
from tests.distributed.sides import PARTITIONS, records_of
from tests.reference.history_twin import Row
from tests.unit.history.parts import rows_of
from tests.unit.stream.test_recorder import by_device, in_the_hour

pytestmark = [pytest.mark.kafka, pytest.mark.distributed, pytest.mark.timeout(180)]

EVERYTHING = Selection.of(BEGIN_MS - 86_400_000, BEGIN_MS + 86_400_000)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    return make_hour(tmp_path_factory.mktemp("short"), minutes=6)


@contextlib.contextmanager
def role(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The role as a process; on leaving it is killed if it still runs."""
    command = [sys.executable, "-m", "runtime.role", "history", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def status_of(process: subprocess.Popen[bytes]) -> Callable[[], dict[str, Any]]:
    """What a role says of itself, asked when it is called."""
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline().removeprefix(b"READY "))
    return lambda: dict(httpx.get(f"{ready['status']}/status", timeout=10).json())


def configured(cluster: Cluster, folder: Path) -> Path:
    path = folder / "history.toml"
    stream = {"kafka": cluster.kafka.address, "prefix": cluster.topics.prefix, "partitions": PARTITIONS}
    write_config(
        path,
        {
            "data": {"dir": str(folder / "kept")},
            "scenes": {"metrics": [METRIC]},
            "stream": stream,
            "history": {"flush": "50ms", "keep": "9999d"},
        },
    )
    return path


def records_held(folder: Path) -> int:
    """Records of all partitions that history has; 0 while there is none."""
    with contextlib.suppress(sqlite3.Error):
        beside = sqlite3.connect(f"file:{folder / NAME}?mode=ro", uri=True, timeout=1.0)
        try:
            return int(beside.execute("SELECT coalesce(sum(next), 0) FROM part_of_log").fetchone()[0])
        finally:
            beside.close()
    return 0


def held(folder: Path) -> list[Row]:
    history = ParquetHistory(folder)
    try:
        return rows_of(history.readings(EVERYTHING))
    finally:
        history.close()


def test_killed_again_and_again_and_kafka_too_history_holds_each_reading_once(
    kafka: PrivateKafka, short: Hour, tmp_path: Path
) -> None:
    records = list(records_of(short, itertools.repeat(2)))
    rng = random.Random(20_261_125)
    folder = tmp_path / "kept" / "history"
    with Cluster(kafka, tmp_path, "kept-readings") as cluster:
        cluster.plan(short)
        config = configured(cluster, tmp_path)
        with Load(cluster, records, per_s=400) as load:
            for kill in range(3):
                at = (kill + 1) * len(records) // 4 - rng.randrange(60)
                with role(config) as process:
                    wait_until(lambda at=at: records_held(folder) >= at, 60, "history goes on")  # type: ignore[misc]
                    if kill == 1:
                        status = status_of(process)
                        kafka.kill()
                        wait_until(lambda s=status: not s()["connected"], 60, "it says that Kafka is away")  # type: ignore[misc]
                        kafka.start()
                        wait_until(lambda s=status: s()["connected"], 60, "it says that Kafka is back")  # type: ignore[misc]
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
            load.finish()
        with role(config) as process:
            wait_until(lambda: records_held(folder) == len(records), 60, "history has everything")
            wait_until(lambda: committed_of(cluster) == len(records), 30, "people see that there is no lag")
            quiet = status_of(process)
            kafka.kill()
            wait_until(lambda: not quiet()["connected"], 60, "it says that Kafka is away")
            kafka.start()
            wait_until(lambda: quiet()["connected"], 60, "it says that Kafka is back, though nobody sends anything")
            process.terminate()
            assert process.wait(60) == 0
    assert by_device(held(folder)) == by_device(in_the_hour(short))


def committed_of(cluster: Cluster) -> int:
    """Records of all partitions that the group has committed; -1 while Kafka does not say."""
    reader = open_reader(cluster.kafka.address, f"{cluster.topics.prefix}-history")
    places = [TopicPartition(cluster.topics.readings, number) for number in range(PARTITIONS)]
    try:
        return int(sum(place.offset for place in reader.committed(places, timeout=10)))
    except KafkaException:
        return -1
    finally:
        reader.close()
