"""The short form: some minutes of the district say over Kafka what they say on one machine, through a kill -9."""

import itertools
import signal
from pathlib import Path

import pytest

from runtime.servers.kafka import PrivateKafka
from tests.chaos.system import wait_until
from tests.distributed.cluster import Cluster, Load
from tests.distributed.hour import Hour, make_hour
from tests.distributed.sides import embedded, records_of
from tests.distributed.test_history import configured, held, records_held, role
from tests.distributed.test_same_alerts import assert_in_order, assert_same
from tests.unit.stream.test_recorder import by_device, in_the_hour

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    return make_hour(tmp_path_factory.mktemp("short"), minutes=8)


def test_a_worker_and_history_that_are_killed_under_load_say_what_one_machine_says(
    kafka: PrivateKafka, short: Hour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    expected = embedded(short)
    records = list(records_of(short, itertools.repeat(4)))
    folder = tmp_path / "kept" / "history"
    with Cluster(kafka, tmp_path, "short") as cluster:
        cluster.plan(short)
        config = configured(cluster, tmp_path)
        cluster.start_workers("worker-1")
        with Load(cluster, records, per_s=200, until=0.6) as load:
            with role(config) as history:
                wait_until(lambda: records_held(folder) > 0, 60, "history has begun")
                wait_until(load.reached(0.5), 60, "half of it is sent")
                cluster.signal("worker-1", signal.SIGKILL)
                history.kill()
            load.finish()
        with role(config):
            told = cluster.wait_told(len(expected), 150)
            wait_until(lambda: records_held(folder) == len(records), 60, "history has everything")
    assert_same(told, expected)
    assert_in_order(told)
    assert not [*here.iterdir()], "what they keep lies in the data folder"
    assert by_device(held(folder)) == by_device(in_the_hour(short))
