"""The slices that a worker holds: restored when it gets them, written down again and again, each with its offset.

What a slice gives is written before its state is: a state never stands for alerts that are not safe in Kafka.
"""

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from core.errors import DataLossError, UnavailableError
from runtime.snapshots import position_of
from runtime.stream.access import Address
from runtime.stream.plan import PlanBook
from runtime.stream.publisher import Publisher
from runtime.stream.reader import bounds, newest, open_reader, read_all
from runtime.stream.slice import Outcome, Slice
from runtime.stream.told import by_place, encode_told
from runtime.stream.topics import Topics

log = logging.getLogger("scenewatch.stream")

_SAFE_S = 60.0


@dataclass(frozen=True, slots=True)
class SliceOptions:
    """What a slice has to know.

    Attributes:
        max_feeds: Most feeds of one partition.
        settle_ms: What is allowed for transport before a delay ends by time alone, ms.
        state_every_ms: Longest time between two states of a slice, ms.
    """

    max_feeds: int = 262_144
    settle_ms: int = 1_000
    state_every_ms: int = 10_000


class Holder:
    """Holds slices; every call may be made by one thread at a time.

    Args:
        address: How Kafka is reached.
        topics: What the topics are called.
        plan: Scenes and devices; read from its topic here.
        options: What slices have to know.
        name: Name of this worker.
        wall_ns: Wall time in ns.
    """

    def __init__(
        self,
        address: Address,
        topics: Topics,
        plan: PlanBook,
        options: SliceOptions,
        *,
        name: str,
        wall_ns: Callable[[], int],
    ) -> None:
        self.slices: dict[int, Slice] = {}
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.told = 0
        """Changes of alerts that were published."""
        self.states = 0
        """States that were written."""
        self.strangers = 0
        """Records of partitions that are not held."""
        self._topics = topics
        self._plan = plan
        plan.refill = self.read_plan
        self._options = options
        self._wall_ns = wall_ns
        self._publisher = Publisher(address, name)
        self._reader = open_reader(address, f"{topics.prefix}-{name}")
        self._due: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._lock = threading.Lock()

    def assigned(self, partitions: Collection[int]) -> None:
        """Only these are to be held from here on; what is kept of them is looked at again before it goes on."""
        with self._lock:
            self.slices = {number: held for number, held in self.slices.items() if number in partitions}
            self._fresh &= set(partitions)

    def revoked(self, partitions: Collection[int]) -> None:
        """These may go to others: their states are written down, so that nobody has to catch up."""
        for number in partitions:
            if number in self.slices:
                self.write_state(number)
        with self._lock:
            self._fresh -= set(partitions)

    def positions(self, partitions: Collection[int]) -> dict[int, int]:
        """The offset that each partition has to be read from: its state's. Restores those that are not held yet.

        Raises:
            DataLossError: If what a slice needs is not in Kafka any more.
            UnavailableError: If Kafka does not answer.
        """
        with self._lock:
            for number in sorted(set(partitions) - self._fresh):
                self._refresh(number)
                self._fresh.add(number)
            return {number: self.slices[number].next_offset for number in partitions}

    def take(self, partition: int, offset: int, value: bytes) -> Outcome | None:
        """Let a slice take a record and publish what follows; None if the partition is not held.

        Raises:
            DataLossError: If the record cannot be understood.
            UnavailableError: If Kafka refuses what follows.
        """
        held = self.slices.get(partition)
        if held is None:
            self.strangers += 1
            return None
        outcome, changes = held.take(offset, value)
        self.outcomes[outcome] += 1
        self.told += len(changes)
        for place, of_place in by_place(changes).items():
            self._publisher.send(self._topics.alerts, encode_told(of_place), partition=partition, key=place.encode())
        self._publisher.poll()
        return outcome

    def due(self, now_ms: int) -> list[int]:
        """Partitions whose state is to be written by now."""
        every = self._options.state_every_ms
        count = max(1, len(self.slices))
        found = []
        for rank, number in enumerate(sorted(self.slices)):
            # Spread over the interval: states of several slices are not written at once.
            if now_ms >= self._due.setdefault(number, now_ms + every * (rank + 1) // count):
                self._due[number] = now_ms + every
                found.append(number)
        return found

    def write_state(self, partition: int) -> int | None:
        """Write the state of a slice down once all that it gave is safe; its offset, None if nothing is new.

        Raises:
            UnavailableError: If Kafka does not take it in time.
        """
        held = self.slices[partition]
        if self._written.get(partition) == held.next_offset:
            return None
        state, offset = held.state(), held.next_offset
        if not self._publisher.flush(_SAFE_S):
            raise UnavailableError(f"Kafka has not taken alerts for {_SAFE_S:.0f} s")
        self._publisher.send(self._topics.state, state, partition=partition, key=str(partition).encode())
        if not self._publisher.flush(_SAFE_S):
            raise UnavailableError(f"Kafka has not taken a state for {_SAFE_S:.0f} s")
        self._written[partition] = offset
        self.states += 1
        return offset

    def close(self) -> None:
        """Write every state down and leave."""
        for number in list(self.slices):
            self.write_state(number)
        self._reader.close()

    def warm_up(self) -> None:
        """Have every kernel compiled before the first partition is held: on a new machine that takes seconds."""
        self._empty(0).warm_up()

    def read_plan(self) -> None:
        """Take up every version of scenes and devices that stands in Kafka now.

        Raises:
            UnavailableError: If Kafka does not answer.
        """
        for message in read_all(self._reader, self._topics.plan):
            key, value = message.key(), message.value()
            if isinstance(key, bytes) and value is not None:
                self._plan.take(key, value)

    def _refresh(self, number: int) -> None:
        """Make the slice of a partition as new as anybody has written it down."""
        held = self.slices.get(number)
        best = self._stored(number, 0 if held is None else held.next_offset)
        held = best or held or self._empty(number)
        begin, end = bounds(self._reader, self._topics.readings, number)
        where = f"partition {number} of {self._topics.readings}"
        if begin > held.next_offset:
            raise DataLossError(
                f"records {held.next_offset} to {begin - 1} of {where} are gone and in no state: what they decide is "
                "lost; set stream.keep longer than workers may be away"
            )
        if end < held.next_offset:
            raise DataLossError(
                f"the state of {where} is of record {held.next_offset - 1}, but the topic ends at {end - 1}"
            )
        self.slices[number] = held
        log.info("partition %d goes on at record %d of %d", number, held.next_offset, end)

    def _stored(self, number: int, after: int) -> Slice | None:
        """The newest state that can be read, if it is of a later record than `after`."""
        states = newest(self._reader, self._topics.state, number)
        problems: list[str] = []
        for content in sorted(states, key=_offset, reverse=True):
            if _offset(content) <= after:
                break
            found = self._empty(number)
            try:
                found.restore(content)
            except DataLossError as error:
                problems.append(str(error))
                continue
            self._written[number] = found.next_offset
            return found
        for problem in problems:
            log.warning("%s", problem)
        return None

    def _empty(self, number: int) -> Slice:
        options = self._options
        return Slice(
            number,
            self._topics.partitions,
            self._plan,
            max_feeds=options.max_feeds,
            settle_ms=options.settle_ms,
            wall_ns=self._wall_ns,
        )


def _offset(content: bytes) -> int:
    """The offset of a state, -1 where it is damaged."""
    try:
        return position_of(content)
    except DataLossError:
        return -1
