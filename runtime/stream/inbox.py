"""Alerts out of Kafka into the store whose outbox is delivered; how far it has got is kept beside it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import KafkaError, Message, TopicPartition

from alerts.change import AlertChange
from alerts.kept import LedgerChange
from alerts.store import AlertStore
from core.errors import ConfigError, UnavailableError
from core.whole import write_whole
from runtime.ending import Stop
from runtime.stream.access import Address
from runtime.stream.reader import bounds, open_reader
from runtime.stream.told import decode_told
from runtime.stream.topics import Topics

log = logging.getLogger("scenewatch.stream")

_MOST = 500
_LOOK_S = 0.2
_CHECKPOINT_EVERY = 20


class Positions:
    """The offset that comes next, by partition, in a file beside the store.

    It is written after the store: what is read again is known there by its id. Where store and file are lost together,
    everything that Kafka still has is read again, and the dispatch core knows it by its id.
    """

    def __init__(self, path: Path) -> None:
        """Read the file if there is one.

        Raises:
            ConfigError: If it is damaged.
        """
        self._path = path
        self._next: dict[str, int] = {}
        if path.exists():
            try:
                self._next = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
            except msgspec.MsgspecError as error:
                raise ConfigError(f"{path} is damaged ({error}): remove it, and alerts are read again") from error

    def get(self, partition: int) -> int:
        """The offset that comes next."""
        return self._next.get(str(partition), 0)

    def advance(self, offsets: dict[int, int]) -> None:
        """Take down the offsets that come next."""
        self._next.update((str(partition), offset) for partition, offset in offsets.items())
        write_whole(self._path, msgspec.json.encode(self._next))


class Inbox:
    """Reads every partition of `alerts` in order.

    Args:
        address: How Kafka is reached.
        topics: What the topics are called.
        store: Takes the changes, each once.
        positions: How far it has got.
        wake: Called when there is something new to deliver.

    Attributes:
        missing: Records that Kafka had thrown away before they were read.
    """

    def __init__(
        self, address: Address, topics: Topics, store: AlertStore, positions: Positions, wake: Callable[[], None]
    ) -> None:
        self.missing = 0
        self.taken = 0
        self._topics = topics
        self._store = store
        self._positions = positions
        self._wake = wake
        self._reader = open_reader(address, f"{topics.prefix}-delivery")

    def run(self, stop: Stop) -> None:
        """Read until `stop`.

        Raises:
            UnavailableError: If Kafka refuses, or the store cannot be written.
        """
        self._reader.assign([self._place(partition) for partition in range(self._topics.partitions)])
        rounds = 0
        while not stop.is_set():
            messages = self._reader.consume(_MOST, _LOOK_S)
            if messages:
                self._take(messages)
            rounds += 1
            if rounds % _CHECKPOINT_EVERY == 0:
                self._store.checkpoint()
        self._reader.close()

    def status(self) -> dict[str, Any]:
        """What it has done, in numbers."""
        return {"connected": True, "taken": self.taken, "missing": self.missing}

    def _place(self, partition: int) -> TopicPartition:
        """Where to begin: where it has got to, or what is left behind that."""
        wanted = self._positions.get(partition)
        begin, end = bounds(self._reader, self._topics.alerts, partition)
        if wanted < begin:
            self.missing += begin - wanted
            log.error(
                "records %d to %d of partition %d of %s are gone: alerts in them were never delivered; set stream.keep "
                "longer than delivery may be away", wanted, begin - 1, partition, self._topics.alerts,
            )  # fmt: skip
        if wanted > end:
            log.error("partition %d of %s is shorter than it was: it is read again", partition, self._topics.alerts)
            wanted = 0
        return TopicPartition(self._topics.alerts, partition, max(wanted, begin))

    def _take(self, messages: list[Message]) -> None:
        changes: list[AlertChange] = []
        ledger: list[LedgerChange] = []
        offsets: dict[int, int] = {}
        for message in messages:
            error, value = message.error(), message.value()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF or error.retriable():  # noqa: SLF001 - its public name
                    continue
                raise UnavailableError(f"alerts cannot be read from Kafka: {error.str()}")
            if value is not None:
                told = decode_told(value)
                changes += told.changes
                ledger += told.ledger
            offsets[message.partition() or 0] = (message.offset() or 0) + 1
        new = self._store.write(changes) + self._store.tell(ledger)
        if new:
            self._wake()
        self.taken += len(changes)
        if offsets:
            self._positions.advance(offsets)
