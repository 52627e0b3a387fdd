"""What a producer says is safe is there, in its order, even in a partition whose leader is not ready yet."""

import random

import pytest

from runtime.servers.kafka import PrivateKafka
from runtime.stream.publisher import Publisher
from runtime.stream.reader import newest, open_reader, read_all
from runtime.stream.topics import Topics, ensure_topics

pytestmark = [pytest.mark.kafka, pytest.mark.distributed, pytest.mark.timeout(120)]

TOPICS = 25


def test_the_first_records_of_new_topics_are_all_there(kafka: PrivateKafka) -> None:
    """Several requests under way lose one in ten of these without a word."""
    publisher = Publisher(kafka.address, "first")
    large = random.Random(1).randbytes(1_200_000)
    reader = open_reader(kafka.address, "first")
    for number in range(TOPICS):
        topics = Topics(f"first-{number}", 1)
        ensure_topics(kafka.address, topics, replication=1, keep_ms=1 << 40)
        publisher.send(topics.plan, large, partition=0, key=b"large")
        publisher.send(topics.plan, b"small", partition=0, key=b"small")
        assert publisher.flush(30)
        assert [message.key() for message in read_all(reader, topics.plan)] == [b"large", b"small"]
    assert (publisher.sent, publisher.safe, publisher.waiting) == (2 * TOPICS, 2 * TOPICS, 0)
    reader.close()


def test_only_the_last_few_records_are_read_for_a_state(kafka: PrivateKafka) -> None:
    topics = Topics("newest", 2)
    ensure_topics(kafka.address, topics, replication=1, keep_ms=1 << 40)
    publisher, reader = Publisher(kafka.address, "newest"), open_reader(kafka.address, "newest")
    assert newest(reader, topics.state, 1) == []
    for number in range(9):
        publisher.send(topics.state, str(number).encode(), partition=1, key=b"1")
    assert publisher.flush(30)
    assert newest(reader, topics.state, 1) == [b"5", b"6", b"7", b"8"]
    assert newest(reader, topics.state, 0) == []
    reader.close()
