"""Records out of compacted topics, and from where one wants: consumers without a group."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from core.errors import UnavailableError
from runtime.stream.access import Address, access_of

_WAIT_S = 15.0
_POLL_S = 0.2
_NEWEST = 4
"""So many of the last records of a partition of `state` are looked at: a worker that was taken for dead may have added
an older state behind a newer one."""


def open_reader(
    address: Address,
    group: str,
    *,
    ends: bool = False,
    fetch_bytes: int = 64 << 20,
    on_error: Callable[[KafkaError], None] | None = None,
) -> Consumer:
    """A consumer that is given its partitions; the group serves to keep positions, if anything.

    Args:
        address: How Kafka is reached.
        group: The group.
        ends: Whether it says that there is nothing more in a partition now, as an error `_PARTITION_EOF`.
        fetch_bytes: Most bytes of a partition that one answer brings, if a single record is not larger.
        on_error: Told, while something is read, what the client itself goes on trying about.
    """
    told: dict[str, Any] = {"error_cb": on_error} if on_error is not None else {}
    return Consumer(
        {
            **access_of(address).client(),
            **told,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": ends,
            "fetch.message.max.bytes": fetch_bytes,
            "receive.message.max.bytes": 128 << 20,
            "fetch.wait.max.ms": 50,
            "log_level": 2,
        }
    )


def read_all(reader: Consumer, topic: str, partition: int = 0) -> Iterator[Message]:
    """Every record of a partition that stands there now.

    Raises:
        UnavailableError: If Kafka does not answer.
    """
    begin, end = bounds(reader, topic, partition)
    yield from _read(reader, topic, partition, begin, end)


def newest(reader: Consumer, topic: str, partition: int) -> list[bytes]:
    """The last few records of a partition, oldest first.

    Raises:
        UnavailableError: If Kafka does not answer.
    """
    begin, end = bounds(reader, topic, partition)
    found = _read(reader, topic, partition, max(begin, end - _NEWEST), end)
    return [value for message in found if (value := message.value()) is not None]


def bounds(reader: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Offsets of the first record that is there and of the one that comes next.

    Raises:
        UnavailableError: If Kafka does not answer.
    """
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            return reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=_WAIT_S)
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise UnavailableError(f"Kafka does not say what is in {topic}: {error.args[0].str()}") from error
            reader.poll(_POLL_S)


def _read(reader: Consumer, topic: str, partition: int, begin: int, end: int) -> Iterator[Message]:
    if begin >= end:
        return
    place = TopicPartition(topic, partition, begin if begin > 0 else OFFSET_BEGINNING)
    reader.assign([place])
    deadline = time.monotonic() + _WAIT_S
    try:
        while True:
            message = reader.poll(_POLL_S)
            error = None if message is None else message.error()
            if message is not None and error is None:
                yield message
                deadline = time.monotonic() + _WAIT_S
                if (message.offset() or 0) >= end - 1:
                    return
            elif error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - its public name
                raise UnavailableError(f"{topic} lost records while it was read; it is tried again")
            elif _position(reader, topic, partition) >= end:
                return  # the last records were compacted away
            if time.monotonic() > deadline:
                raise UnavailableError(f"Kafka does not give what is in {topic}")
    finally:
        reader.unassign()


def _position(reader: Consumer, topic: str, partition: int) -> int:
    return int(reader.position([TopicPartition(topic, partition)])[0].offset)
