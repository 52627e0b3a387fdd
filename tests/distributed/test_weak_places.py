"""What Faust is known to get wrong around a rebalance, done to a worker on purpose: it changes nothing.

Which test answers which of faust-streaming's issues: docs/adr/0026-slices-know-their-offset.md.
"""

import itertools
import random
import threading
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from core.errors import DataLossError
from runtime.servers.kafka import PrivateKafka
from runtime.stream.slice import Outcome
from tests.chaos.system import wait_until
from tests.distributed.cluster import Cluster, Load
from tests.distributed.hour import Hour, make_hour
from tests.distributed.inside import InsideWorker, holder_for
from tests.distributed.sides import PARTITIONS, embedded, records_of
from tests.distributed.test_same_alerts import assert_in_order, assert_same

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.distributed,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Faust's own
]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    return make_hour(tmp_path_factory.mktemp("short"), minutes=8)


@pytest.fixture(scope="module")
def wanted(short: Hour) -> dict[str, bytes]:
    return embedded(short)


@pytest.fixture(scope="module")
def records(short: Hour) -> list[tuple[int, bytes]]:
    return list(records_of(short, itertools.repeat(2)))


def cluster_of(kafka: PrivateKafka, folder: Path, name: str, short: Hour) -> Cluster:
    cluster = Cluster(kafka, folder, name)
    cluster.plan(short)
    return cluster


def taken(inside: InsideWorker) -> int:
    return inside.holder.outcomes[Outcome.TAKEN]


def sizes(records: list[tuple[int, bytes]]) -> dict[int, int]:
    """How many records each partition has."""
    return {partition: sum(number == partition for number, _ in records) for partition in range(PARTITIONS)}


def some_runs(rng: random.Random, lengths: dict[int, int]) -> set[tuple[int, int]]:
    """Of every ten records one to five in a row, as (partition, offset); never the last one, which shows the rest."""
    return {
        (partition, offset)
        for partition, length in lengths.items()
        for start in range(1, length - 6, 10)
        for offset in range(start, start + rng.randint(1, 5))
    }


def test_records_that_are_given_too_early_are_refused_and_come_again_in_order(
    kafka: PrivateKafka,
    short: Hour,
    wanted: dict[str, bytes],
    records: list[tuple[int, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seek, movers = AIOKafkaConsumer.seek, set()

    def watched(consumer: AIOKafkaConsumer, place: object, offset: int) -> None:
        movers.add(threading.current_thread())
        seek(consumer, place, offset)

    monkeypatch.setattr(AIOKafkaConsumer, "seek", watched)
    missing = some_runs(random.Random(7), sizes(records))
    with (
        cluster_of(kafka, tmp_path, "early", short) as cluster,
        InsideWorker(cluster, short, loses=missing) as inside,
        Load(cluster, records, per_s=150) as load,
    ):
        load.finish()
        wait_until(lambda: taken(inside) == len(records), 60, "all of it")
        told = cluster.wait_told(len(wanted), 60)
        assert inside.worker is not None
        assert inside.lost == len(missing) > 100
        assert inside.worker.refused > 0
        assert inside.failure is None
    assert_same(told, wanted)
    assert_in_order(told)
    assert told.again == 0
    assert len(movers) == 1, "two threads move one consumer: a fetch can be cut in two"


def test_a_partition_that_others_have_by_now_is_asked_for_in_vain_and_that_ends_nothing(
    kafka: PrivateKafka, short: Hour, wanted: dict[str, bytes], records: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    with (
        cluster_of(kafka, tmp_path, "others", short) as cluster,
        InsideWorker(cluster, short) as inside,
        Load(cluster, records) as load,
    ):
        wait_until(inside.ready, 60, "it holds everything")
        worker = inside.worker
        assert worker is not None
        inside.call(lambda: worker._ask(PARTITIONS, 1))
        load.finish()
        told = cluster.wait_told(len(wanted), 60)
        assert inside.failure is None
    assert_same(told, wanted)


def test_records_that_are_given_again_are_left_out(
    kafka: PrivateKafka, short: Hour, wanted: dict[str, bytes], records: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    with cluster_of(kafka, tmp_path, "again", short) as cluster, InsideWorker(cluster, short) as inside:
        with Load(cluster, records) as load:
            load.finish()
        wait_until(lambda: taken(inside) > len(records) // 2, 60, "much of it")
        for partition in range(PARTITIONS):
            inside.seek(partition, 1)
        wait_until(lambda: inside.holder.outcomes[Outcome.KNOWN] >= PARTITIONS, 60, "records come again")
        told = cluster.wait_told(len(wanted), 60)
    assert_same(told, wanted)
    assert told.again == 0


@pytest.mark.parametrize("wrong", ["too far", "not far enough"])
def test_a_wrong_offset_that_somebody_committed_is_not_believed(
    kafka: PrivateKafka,
    short: Hour,
    wanted: dict[str, bytes],
    records: list[tuple[int, bytes]],
    tmp_path: Path,
    wrong: str,
) -> None:
    half = len(records) // 2
    with cluster_of(kafka, tmp_path, f"committed-{wrong.replace(' ', '-')}", short) as cluster:
        with Load(cluster, records[:half]) as load, InsideWorker(cluster, short) as inside:
            load.finish()
            wait_until(lambda: taken(inside) == half, 60, "the first half")
        with Load(cluster, records[half:]) as load:
            load.finish()
        # Kafka takes nothing from a stranger while it still counts the worker that has left as a member.
        wait_until(lambda: commit(cluster, 10_000 if wrong == "too far" else 0), 60, "somebody commits")
        with InsideWorker(cluster, short) as inside:
            told = cluster.wait_told(len(wanted), 60)
    assert inside.first == sizes(records[:half]), "it read from what was committed"
    assert_same(told, wanted)
    assert told.again == 0


def commit(cluster: Cluster, offset: int) -> bool:
    consumer = Consumer({"bootstrap.servers": cluster.kafka.address, "group.id": f"{cluster.topics.prefix}-workers"})
    places = [TopicPartition(cluster.topics.readings, partition, offset) for partition in range(PARTITIONS)]
    try:
        consumer.commit(offsets=places, asynchronous=False)
    except KafkaException:
        return False
    finally:
        consumer.close()
    return True


def test_two_workers_that_both_believe_to_own_everything_tell_the_same(
    kafka: PrivateKafka, short: Hour, wanted: dict[str, bytes], records: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    logs: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    for partition, record in records:
        logs[partition].append(record)
    everything = range(PARTITIONS)
    with cluster_of(kafka, tmp_path, "both", short) as cluster:
        with Load(cluster, records) as load:
            load.finish()
        quick, slow = holder_for(cluster, short, "quick"), holder_for(cluster, short, "slow")
        for holder in (quick, slow):
            holder.positions(everything)
        for partition, log in enumerate(logs):
            for offset, record in enumerate(log):
                quick.take(partition, offset, record)
                if offset < len(log) // 2:
                    slow.take(partition, offset, record)
            quick.write_state(partition)
            slow.write_state(partition)  # the older state is the last one that stands in Kafka
        heir = holder_for(cluster, short, "heir")
        assert heir.positions(everything) == {partition: len(log) for partition, log in enumerate(logs)}
        told = cluster.told()
        for holder in (quick, slow, heir):
            holder.close()
    assert_same(told, wanted)
    assert_in_order(told)
    assert told.again > 0, "nothing was provoked"


def test_workers_that_come_and_go_while_records_are_prefetched_skip_and_repeat_nothing(
    kafka: PrivateKafka, short: Hour, wanted: dict[str, bytes], records: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    with (
        cluster_of(kafka, tmp_path, "storm", short) as cluster,
        InsideWorker(cluster, short) as host,
        Load(cluster, records, per_s=150, until=0.1) as load,
    ):
        wait_until(host.ready, 60, "the first one holds everything")
        guests = []
        for number in range(3):
            load.let(0.2 + 0.3 * number)  # records come while it comes
            guest = InsideWorker(cluster, short, holder=holder_for(cluster, short, f"guest-{number}"))
            with guest:
                wait_until(lambda g=guest: bool(g.holder.slices), 60, "a guest has its share")  # type: ignore[misc]
                load.let(0.3 + 0.3 * number)
                wait_until(lambda g=guest: taken(g) > 0, 60, "a guest works")  # type: ignore[misc]
            guests.append(guest)
            wait_until(host.ready, 60, "the first one holds everything again")
        load.finish()
        told = cluster.wait_told(len(wanted), 60)
        assert all(one.failure is None for one in (host, *guests))
    assert_same(told, wanted)
    assert_in_order(told)


def test_a_record_that_fails_is_not_passed_over(
    kafka: PrivateKafka,
    short: Hour,
    wanted: dict[str, bytes],
    records: list[tuple[int, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with cluster_of(kafka, tmp_path, "fails", short) as cluster:
        holder = holder_for(cluster, short)
        take, calls = holder.take, itertools.count()

        def fails_once(partition: int, offset: int, value: bytes) -> Outcome | None:
            if next(calls) == len(records) // 3:
                raise ZeroDivisionError("a bug")
            return take(partition, offset, value)

        monkeypatch.setattr(holder, "take", fails_once)
        with Load(cluster, records) as load, InsideWorker(cluster, short, holder=holder) as inside:
            load.finish()
            assert inside.ended.wait(60), "it went on after a bug"
        assert "ZeroDivisionError" in str(inside.failure)
        with InsideWorker(cluster, short):
            told = cluster.wait_told(len(wanted), 60)
    assert_same(told, wanted)


def test_a_damaged_state_gives_way_to_the_one_before_it(
    kafka: PrivateKafka, short: Hour, wanted: dict[str, bytes], records: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    with cluster_of(kafka, tmp_path, "damaged", short) as cluster:
        with Load(cluster, records) as load, InsideWorker(cluster, short) as inside:
            load.finish()
            wait_until(lambda: taken(inside) == len(records), 60, "all of it")
            told = cluster.told()
        for partition in range(PARTITIONS):
            cluster.publisher.send(cluster.topics.state, b"PK nonsense", partition=partition, key=b"damage")
        assert cluster.publisher.flush(30)
        heir = holder_for(cluster, short, "heir")
        assert heir.positions(range(PARTITIONS)) == sizes(records)
        heir.close()
    assert_same(told, wanted)


def test_readings_that_kafka_threw_away_before_they_were_decided_stop_it_with_one_line(
    kafka: PrivateKafka, short: Hour, records: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    with cluster_of(kafka, tmp_path, "gone", short) as cluster:
        with Load(cluster, records) as load:
            load.finish()
        admin = AdminClient({"bootstrap.servers": kafka.address})
        gone = admin.delete_records([TopicPartition(cluster.topics.readings, 3, 4)])
        for future in gone.values():
            future.result(30)
        holder = holder_for(cluster, short)
        with pytest.raises(DataLossError, match=r"records 0 to 3 of partition 3 of gone\.readings are gone"):
            holder.positions([3])
