"""Slices over records, without Kafka: what one chain says of the same hour, however it is cut, killed and repeated."""

import itertools
import random

import pytest

from core.errors import DataLossError
from core.reading import ReadingBatch
from runtime.recovery import encode_rules
from runtime.stream.records import encode_names, encode_readings, encode_record
from runtime.stream.slice import Outcome, Slice
from tests.distributed.hour import Hour, make_hour
from tests.distributed.sides import PARTITIONS, SETTLE_MS, embedded, line, plan_of, records_of

MINUTES = 12


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    return make_hour(tmp_path_factory.mktemp("hour"), minutes=MINUTES)


@pytest.fixture(scope="module")
def expected(hour: Hour) -> dict[str, bytes]:
    return embedded(hour)


def logs_of(hour: Hour, every: int, seed: int = 0) -> list[list[bytes]]:
    """The records of each partition."""
    rng = random.Random(seed)
    logs: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    cuts = (every or rng.randint(1, 40) for _ in itertools.count())
    for partition, record in records_of(hour, cuts):
        logs[partition].append(record)
    return logs


def fresh(hour: Hour, partition: int) -> Slice:
    return Slice(partition, PARTITIONS, plan_of(hour), max_feeds=1_000, settle_ms=SETTLE_MS, wall_ns=lambda: 0)


def first_reading(hour: Hour) -> ReadingBatch:
    return next(entry for entry in hour.entries if isinstance(entry, ReadingBatch))[:1]


def test_the_hour_is_worth_the_name(expected: dict[str, bytes]) -> None:
    text = b"".join(expected.values())
    assert len(expected) > 300
    for word in (b'"stale"', b'"cleared"', b'"critical"', b"depth-again", b'"count":3'):
        assert word in text, word


@pytest.mark.parametrize("every", [1, 7, 0, 1_000_000])
def test_slices_say_what_one_chain_says_however_the_records_are_cut(
    hour: Hour, expected: dict[str, bytes], every: int
) -> None:
    found: dict[str, bytes] = {}
    for partition, log in enumerate(logs_of(hour, every)):
        held = fresh(hour, partition)
        for offset, record in enumerate(log):
            outcome, changes, _ = held.take(offset, record)
            assert outcome is Outcome.TAKEN
            found.update(line(change) for change in changes)
    assert found == expected


@pytest.mark.parametrize("seed", range(4))
def test_killed_restored_replayed_and_given_twice_they_say_it_too(
    hour: Hour, expected: dict[str, bytes], seed: int
) -> None:
    rng = random.Random(seed)
    found: dict[str, bytes] = {}
    for partition, log in enumerate(logs_of(hour, 0, seed)):
        held, states = fresh(hour, partition), [fresh(hour, partition).state()]
        offset = 0
        while held.next_offset < len(log):
            changes = held.take(offset, log[offset]).changes
            for event, content in map(line, changes):
                assert found.setdefault(event, content) == content, f"{event} is told in two ways"
            what = rng.random()
            if what < 0.05:
                states.append(held.state())
            elif what < 0.08:  # killed; the next owner finds a state that need not be the newest
                held = fresh(hour, partition)
                held.restore(rng.choice(states))
            offset = held.next_offset
            if what > 0.95:  # redelivered from earlier on
                offset = rng.randrange(held.next_offset)
            elif what > 0.93 and held.next_offset + 2 < len(log):  # prefetched: too early
                before = held.state()
                assert held.take(held.next_offset + 1, log[held.next_offset + 1]).outcome is Outcome.GAP
                assert held.state() == before
    assert found == expected


def test_a_record_that_came_already_changes_nothing(hour: Hour) -> None:
    log = logs_of(hour, 50)[0]
    held = fresh(hour, 0)
    held.take(0, log[0])
    held.take(1, log[1])
    before = held.state()
    assert held.take(0, log[0]) == (Outcome.KNOWN, [], [])
    assert held.state() == before
    assert held.skipped == 1


def test_a_bridge_that_starts_again_names_its_feeds_again(hour: Hour) -> None:
    held = fresh(hour, 0)
    batch = first_reading(hour)
    names = encode_names([(int(batch.feed[0]), b"g\0d\0depth_cm")])
    held.take(0, encode_record("b", 1, [names, encode_readings(batch)]))
    other = ReadingBatch.of([0], batch.event_time + 1, batch.value, batch.arrival)
    held.take(1, encode_record("b", 2, [encode_names([(0, b"g\0d\0depth_cm")]), encode_readings(other)]))
    assert held.feeds == 1
    assert held.chain.readings == 2
    assert held.chain.sequencer.late == held.chain.sequencer.repeated == 0


def test_readings_without_names_stop_everything_with_one_line(hour: Hour) -> None:
    held = fresh(hour, 3)
    batch = first_reading(hour)
    with pytest.raises(DataLossError, match=r"record 0 of partition 3: readings of bridge b come without the names"):
        held.take(0, encode_record("b", 1, [encode_readings(batch)]))


def test_what_a_long_ended_run_of_a_bridge_sends_is_left_out(hour: Hour) -> None:
    held = fresh(hour, 3)
    batch = first_reading(hour)
    name = encode_names([(int(batch.feed[0]), b"g\0d\0depth_cm")])
    for offset, session in enumerate((5, 6, 7)):
        held.take(offset, encode_record("b", session, [name]))
    held.take(3, encode_record("b", 5, [encode_readings(batch)]))
    assert (held.chain.readings, held.outlived) == (0, 1)


def test_bytes_that_are_no_record_stop_everything_with_one_line(hour: Hour) -> None:
    with pytest.raises(DataLossError, match="record 0 of partition 0: it cannot be read"):
        fresh(hour, 0).take(0, b"\xc1 nonsense")


def test_a_version_that_nobody_distributed_is_named(hour: Hour) -> None:
    kind, body = encode_rules("0123456789abcdef")
    with pytest.raises(DataLossError, match="scenes/0123456789abcdef is not in the topic of plans"):
        fresh(hour, 0).take(0, encode_record("b", 1, [(int(kind), body)]))


@pytest.mark.parametrize("damage", [b"", b"PK nonsense", None])
def test_a_damaged_state_is_refused(hour: Hour, damage: bytes | None) -> None:
    held = fresh(hour, 0)
    content = held.state()
    with pytest.raises(DataLossError):
        held.restore(content[: len(content) // 2] if damage is None else damage)


def test_a_state_of_another_partition_is_refused(hour: Hour) -> None:
    with pytest.raises(DataLossError, match="partition 1 was found for partition 0"):
        fresh(hour, 0).restore(fresh(hour, 1).state())
