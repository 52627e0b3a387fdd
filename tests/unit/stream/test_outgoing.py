"""What a bridge sends: to the right partition, named before it is used, acknowledged in order and never too early."""

import msgspec
import numpy as np
import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataLossError
from core.reading import Quality, ReadingBatch, is_derived
from ingest.codec import ClockTick, GatewayState
from ingest.journal import Entry, decode_batch
from ingest.journal import Kind as JournalKind
from runtime.stream.outgoing import MOST_ROWS, Outgoing
from runtime.stream.places import partition_of
from runtime.stream.records import Kind, decode_names, decode_record, encode_record
from runtime.stream.rounds import Rounds

FEEDS = 20
PARTITIONS = 3


def outgoing() -> Outgoing:
    return Outgoing(
        "b", 7, PARTITIONS, max_feeds=FEEDS, partition_of=lambda feed: feed % PARTITIONS,
        key_of=lambda feed: f"g\0d{feed}\0m".encode(),
    )  # fmt: skip


def batch(feeds: list[int], at: int = 1_000) -> ReadingBatch:
    return ReadingBatch.of(feeds, [at + i for i in range(len(feeds))], [float(feed) for feed in feeds])


def readings(records: list[tuple[int, bytes]]) -> dict[int, list[tuple[int, int, float]]]:
    """(feed, event time, value) by partition, with every number named before it is used."""
    found: dict[int, list[tuple[int, int, float]]] = {}
    named: dict[int, set[int]] = {}
    for partition, value in records:
        for kind, body in decode_record(value).entries:
            if kind == Kind.NAMES:
                for number, key in decode_names(body):
                    assert key == f"g\0d{number}\0m".encode()
                    named.setdefault(partition, set()).add(number)
            elif kind in (1, 2):
                rows = decode_batch(Entry(0, JournalKind(kind), body))
                assert set(rows.feed.tolist()) <= named[partition], "a number without a name"
                assert (np.diff(rows.arrival) >= 0).all()
                columns = (rows.feed.tolist(), rows.event_time.tolist(), rows.value.tolist())
                found.setdefault(partition, []).extend(zip(*columns, strict=True))
    return found


@given(st.text(min_size=1, max_size=40), st.integers(1, 200))
def test_a_place_goes_where_kafka_s_own_clients_would_put_it(place: str, partitions: int) -> None:
    everything = list(range(partitions))
    assert partition_of(place, partitions) == DefaultPartitioner()(place.encode(), everything, everything)


@given(st.lists(st.lists(st.integers(0, FEEDS - 1), min_size=1, max_size=9), max_size=9), st.integers(1, 5))
def test_every_reading_arrives_once_in_order_in_its_partition(batches: list[list[int]], every: int) -> None:
    out, records = outgoing(), []
    for number, feeds in enumerate(batches):
        out.add(batch(feeds, 1_000 * number))
        if number % every == 0:
            records += out.take()
    records += out.take()
    expected: dict[int, list[tuple[int, int, float]]] = {}
    for number, feeds in enumerate(batches):
        for i, feed in enumerate(feeds):
            expected.setdefault(feed % PARTITIONS, []).append((feed, 1_000 * number + i, float(feed)))
    assert readings(records) == expected
    assert out.take() == []
    assert (len(out), out.rows) == (0, 0)


def test_what_was_derived_is_an_entry_of_its_own_so_that_it_can_be_counted_apart() -> None:
    out = outgoing()
    out.add(batch([0, 3]))
    derived = ReadingBatch.of([6], [2_000], [1.0], quality=[int(Quality.DERIVED)])
    out.add(derived)
    out.add(batch([9], 3_000))
    (record,) = (value for partition, value in out.take() if partition == 0)
    entries = [one for one in decode_record(record).entries if one[0] in (1, 2)]
    batches = [decode_batch(Entry(0, JournalKind(kind), body)) for kind, body in entries]
    assert [(rows.feed.tolist(), is_derived(rows)) for rows in batches] == [([0, 3], False), ([6], True), ([9], False)]


def test_what_is_about_everybody_stands_in_every_partition_between_the_same_readings() -> None:
    out = outgoing()
    out.add(batch([0, 1, 2]))
    out.add(GatewayState("g", online=False, at_ms=1_500))
    out.add(batch([0, 1, 2], 2_000))
    out.add(ClockTick(3_000))
    for _, value in out.take():
        kinds = [kind for kind, _ in decode_record(value).entries]
        assert kinds == [Kind.NAMES, JournalKind.READINGS, JournalKind.GATEWAY, JournalKind.READINGS, JournalKind.CLOCK]


def test_a_record_stays_small_enough_for_kafka() -> None:
    out = outgoing()
    for _ in range(5):
        out.add(ReadingBatch.of(np.zeros(MOST_ROWS // 2, np.int32), np.zeros(MOST_ROWS // 2), np.zeros(MOST_ROWS // 2)))
    records = out.take()
    assert [partition for partition, _ in records] == [0, 0, 0]
    assert max(len(value) for _, value in records) < 1_000_000
    assert len(readings(records)[0]) == 5 * (MOST_ROWS // 2)


def test_a_record_of_another_version_says_what_to_do() -> None:
    value = msgspec.msgpack.encode([2, "b", 1, []])
    with pytest.raises(DataLossError, match="version 2, this program reads 1: upgrade workers before bridges"):
        decode_record(value)
    assert decode_record(encode_record("b", 1, [])).entries == []


def test_acknowledgements_go_out_in_order_and_never_before_their_round_is_safe() -> None:
    rounds = Rounds()
    first, second = rounds.begin(2, b"first", 10), rounds.begin(1, b"second", 5, said=9)
    second()
    assert rounds.release() == b""
    first()
    assert (rounds.release(), rounds.rows, rounds.said) == (b"", 15, 0)
    first()
    assert (rounds.release(), rounds.rows, rounds.said) == (b"firstsecond", 0, 9)
    assert len(rounds) == 0


def test_births_of_edge_nodes_are_kept_once_their_round_is_safe_and_in_order() -> None:
    rounds = Rounds()
    key = ("g", "n1")
    first, second = rounds.begin(1, b"", 1, kept=[(key, b"old")]), rounds.begin(1, b"", 1, kept=[(key, b"new")])
    second()
    rounds.release()
    assert rounds.take_kept() == []
    first()
    rounds.release()
    assert rounds.take_kept() == [(key, b"old"), (key, b"new")]
    assert rounds.take_kept() == []


def test_a_round_without_records_waits_for_those_before_it() -> None:
    rounds = Rounds()
    first = rounds.begin(1, b"first", 1)
    rounds.begin(0, b"refused", 0)
    assert rounds.release() == b""
    first()
    assert rounds.release() == b"firstrefused"


def test_acknowledgements_of_an_old_connection_are_never_sent_on_a_new_one() -> None:
    rounds = Rounds()
    first = rounds.begin(1, b"old", 1)
    rounds.forget_acks()
    rounds.begin(0, b"new", 0)
    first()
    assert rounds.release() == b"new"
