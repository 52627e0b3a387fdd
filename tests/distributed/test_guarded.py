"""A Kafka that asks for TLS and a password (SASL_SSL, SCRAM): all works over it, and what is wrong is one line."""

import dataclasses
import itertools
from pathlib import Path

import pytest

from core.errors import UnavailableError
from runtime.servers.kafka import Guard, PrivateKafka, why_not
from runtime.stream.access import Access
from runtime.stream.reader import open_reader, read_all
from runtime.stream.topics import Topics, ensure_topics
from tests.distributed.cluster import Cluster, Load
from tests.distributed.hour import make_hour
from tests.distributed.inside import InsideWorker
from tests.distributed.sides import embedded, records_of
from tests.distributed.test_same_alerts import assert_same
from tests.unit.certificates import make_certificates

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.distributed,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Faust's own
]

USER, PASSWORD = "scenewatch", "a-long-password"


def test_the_whole_way_works_over_tls_with_a_password_and_a_wrong_one_is_told_in_one_line(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    files = make_certificates(tmp_path)
    with PrivateKafka(guard=Guard(files.server, USER, PASSWORD)) as kafka:
        right = Access(kafka.guarded, tls=True, ca_file=files.authority, user=USER, password=PASSWORD)
        topics = Topics("guarded", 2)
        for access, said in (
            (dataclasses.replace(right, password=PASSWORD[::-1]), "it does not know this user and password"),
            (
                dataclasses.replace(right, ca_file=files.stranger),
                "TLS fails: look at stream.kafka_tls and stream.kafka",
            ),
        ):
            with pytest.raises(UnavailableError, match=said):
                ensure_topics(access, topics, replication=1, keep_ms=1 << 40)
        _play(kafka, right, tmp_path)


def _play(kafka: PrivateKafka, access: Access, folder: Path) -> None:
    """Some minutes through publisher, Faust worker and reader, all of them over the guarded listener."""
    hour = make_hour(folder / "hour", minutes=3)
    wanted = embedded(hour)
    records = list(records_of(hour, itertools.repeat(4)))
    with Cluster(kafka, folder, "over-tls", access=access) as cluster:
        cluster.plan(hour)
        with Load(cluster, records) as load, InsideWorker(cluster, hour):
            load.finish()
            told = cluster.wait_told(len(wanted), 60)
        reader = open_reader(access, "over-tls-test")
        assert sum(1 for _ in read_all(reader, cluster.topics.readings)) == sum(number == 0 for number, _ in records)
        reader.close()
    assert_same(told, wanted)
