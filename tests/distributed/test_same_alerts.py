"""The same recorded hour gives the same alerts: on one machine, with one worker, with three while everything breaks."""

import itertools
import os
import signal
from pathlib import Path

import pytest

from runtime.servers.kafka import PrivateKafka
from tests.chaos.system import wait_until
from tests.distributed.cluster import Cluster, Load, Told, paused
from tests.distributed.hour import Hour
from tests.distributed.sides import records_of

pytestmark = [pytest.mark.kafka, pytest.mark.distributed]

PER_S = 100.0
PAUSE_S = float(os.environ.get("SCENEWATCH_PAUSE_S", "10"))
"""How long a worker stands still at least: longer than its session, and a minute in `make distributed`."""


def assert_same(told: Told, expected: dict[str, bytes]) -> None:
    missing, extra = sorted(set(expected) - set(told.events)), sorted(set(told.events) - set(expected))
    assert not missing, f"{len(missing)} of {len(expected)} events are missing, the first is {missing[0]}"
    assert not extra, f"{len(extra)} events are too many, the first is {extra[0]}"
    assert not told.different, f"told in two ways: {told.different[:3]}"
    assert told.events == expected


def assert_in_order(told: Told) -> None:
    """Each alert's revisions come one after the other."""
    revisions: dict[str, int] = {}
    for events in told.order.values():
        for event in events:
            alert, _, revision = event.rpartition(".")
            assert int(revision) == revisions.get(alert, 0) + 1, event
            revisions[alert] = int(revision)


@pytest.mark.timeout(180)
def test_one_worker_says_what_one_machine_says(
    kafka: PrivateKafka, hour: Hour, expected: dict[str, bytes], tmp_path: Path
) -> None:
    records = list(records_of(hour, itertools.repeat(20)))
    with Cluster(kafka, tmp_path, "one") as cluster, Load(cluster, records) as load:
        cluster.plan(hour)
        cluster.start_workers("worker-1")
        load.finish()
        told = cluster.wait_told(len(expected), 120)
    assert_same(told, expected)
    assert_in_order(told)
    assert told.again == 0


@pytest.mark.timeout(600)
def test_three_workers_say_it_while_they_are_killed_added_and_paused_and_kafka_restarts(
    kafka: PrivateKafka, hour: Hour, expected: dict[str, bytes], tmp_path: Path
) -> None:
    records = list(records_of(hour, itertools.repeat(4)))
    names = ["worker-1", "worker-2", "worker-3"]
    with Cluster(kafka, tmp_path, "three") as cluster:
        cluster.plan(hour)
        cluster.start_workers(*names)
        with Load(cluster, records, per_s=PER_S, until=0.25) as load:
            wait_until(load.reached(0.1), 120, "the load runs")
            cluster.signal("worker-1", signal.SIGKILL)
            wait_until(lambda: cluster.restarts("worker-1") >= 1, 30, "the killed worker is started again")
            wait_until(lambda: cluster.settled(names), 60, "its partitions are held again")

            load.let(0.5)
            cluster.start_workers("worker-4")
            names.append("worker-4")
            wait_until(lambda: cluster.settled(names), 60, "the added worker has its share")

            others = [name for name in names if name != "worker-2"]
            wait_until(load.reached(0.5), 120, "the load runs")
            with paused(cluster, "worker-2"):
                # A quarter of the hour comes while it stands still, at a pace that makes it so long.
                load.let(0.75, per_s=min(PER_S, len(records) / 4 / PAUSE_S))
                wait_until(lambda: cluster.settled(others), 60, "the others take over what it held")
                wait_until(load.reached(0.75), PAUSE_S * 3, "the pause is over")
            load.let(0.9, per_s=PER_S)
            wait_until(lambda: cluster.settled(names), 60, "it is back with a share")

            load.let(1.0)
            kafka.stop()
            kafka.start()
            load.finish()
            told = cluster.wait_told(len(expected), 120)
    assert_same(told, expected)
    assert_in_order(told)
