"""What a bridge has taken in, sorted into records by partition. No I/O."""

from collections.abc import Callable, Collection

import numpy as np

from core.reading import ReadingBatch, is_derived
from ingest.codec import ClockTick, GatewayState
from ingest.journal import encode_clock, encode_gateway
from runtime.stream.records import Entries, encode_names, encode_readings, encode_record

MOST_ROWS = 16_384
"""Most readings of one record: its bytes stay well under Kafka's usual limit of 1 MB."""


class Outgoing:
    """Collects entries until they are taken, a record a partition.

    Readings go to the partition of their feed's place. What is about everybody (a gateway's state, time passing, other
    scenes) goes to every partition, at its place in the order there.

    Args:
        bridge: Name of the bridge.
        session: Number of this run of it; another one than any before.
        partitions: How many there are.
        max_feeds: Most feeds.
        partition_of: The partition of a feed.
        key_of: The key of a feed.
    """

    def __init__(
        self,
        bridge: str,
        session: int,
        partitions: int,
        *,
        max_feeds: int,
        partition_of: Callable[[int], int],
        key_of: Callable[[int], bytes],
    ) -> None:
        self._bridge = bridge
        self._session = session
        self._partition_of = partition_of
        self._key_of = key_of
        self._home = np.zeros(max_feeds, np.int32)  # partition + 1; pages that are never touched cost nothing
        self._parts = [_Part() for _ in range(partitions)]
        self.rows = 0
        """Readings that wait."""

    def __len__(self) -> int:
        """How many partitions have something that waits."""
        return sum(part.waits for part in self._parts)

    def add(self, entry: ReadingBatch | GatewayState | ClockTick) -> None:
        """Take an entry."""
        if isinstance(entry, ReadingBatch):
            self._add_batch(entry)
        elif isinstance(entry, GatewayState):
            self.add_to_all(encode_gateway(entry))
        else:
            self.add_to_all(encode_clock(entry))

    def add_to_all(self, entry: tuple[int, bytes]) -> None:
        """Take an entry for every partition."""
        for part in self._parts:
            part.add((int(entry[0]), entry[1]))

    def add_to(self, partition: int, entry: tuple[int, bytes]) -> None:
        """Take an entry for one partition."""
        self._parts[partition].add((int(entry[0]), entry[1]))

    def quiet(self) -> list[int]:
        """Partitions that have nothing to send."""
        return [number for number, part in enumerate(self._parts) if not part.waits]

    def forget_homes(self, feeds: Collection[int]) -> None:
        """The devices of these feeds are others now: partitions are asked for again, and names are sent again."""
        self._home[list(feeds)] = 0

    def take(self) -> list[tuple[int, bytes]]:
        """Everything that waits as (partition, record), in the order in which each partition has to get it."""
        self.rows = 0
        return [
            (number, encode_record(self._bridge, self._session, entries))
            for number, part in enumerate(self._parts)
            for entries in part.take()
        ]

    def _add_batch(self, batch: ReadingBatch) -> None:
        self.rows += len(batch)
        homes = self._home[batch.feed]
        if not homes.all():
            self._announce(np.unique(batch.feed[homes == 0]).tolist())
            homes = self._home[batch.feed]
        first = int(homes[0]) if len(homes) else 0
        if (homes == first).all():
            if first:
                self._parts[first - 1].take_in(batch)
            return
        for home in np.unique(homes).tolist():
            rows = np.flatnonzero(homes == home)
            self._parts[home - 1].take_in(
                ReadingBatch(
                    batch.feed[rows],
                    batch.event_time[rows],
                    batch.value[rows],
                    batch.arrival[rows],
                    batch.quality[rows],
                )
            )

    def _announce(self, feeds: list[int]) -> None:
        names: dict[int, list[tuple[int, bytes]]] = {}
        for feed in feeds:
            home = self._partition_of(feed)
            self._home[feed] = home + 1
            names.setdefault(home, []).append((feed, self._key_of(feed)))
        for home, pairs in names.items():
            self._parts[home].add(encode_names(pairs))


class _Part:
    """What waits for one partition: whole records, the entries of the one being made, readings not yet an entry."""

    def __init__(self) -> None:
        self._whole: list[Entries] = []
        self._entries: Entries = []
        self._batches: list[ReadingBatch] = []
        self._rows = 0

    @property
    def waits(self) -> bool:
        """Whether there is anything."""
        return bool(self._whole or self._entries or self._batches)

    def add(self, entry: tuple[int, bytes]) -> None:
        self._close_batch()
        self._entries.append(entry)

    def take_in(self, batch: ReadingBatch) -> None:
        """Readings that were sent grow to one entry; what was derived stays apart, so that it can be counted apart."""
        if is_derived(batch):
            self.add(encode_readings(batch))
        else:
            self.add_readings(batch)

    def add_readings(self, batch: ReadingBatch) -> None:
        for start in range(0, len(batch), MOST_ROWS):
            piece = batch[start : start + MOST_ROWS]
            if self._rows + len(piece) > MOST_ROWS:
                self._close_record()
            self._batches.append(piece)
            self._rows += len(piece)

    def take(self) -> list[Entries]:
        self._close_record()
        whole, self._whole = self._whole, []
        return whole

    def _close_batch(self) -> None:
        if self._batches:
            self._entries.append(encode_readings(_in_order(ReadingBatch.concat(self._batches))))
            self._batches = []

    def _close_record(self) -> None:
        self._close_batch()
        if self._entries:
            self._whole.append(self._entries)
        self._entries = []
        self._rows = 0


def _in_order(batch: ReadingBatch) -> ReadingBatch:
    """The batch with arrivals that never decrease, as a batch promises."""
    if len(batch) < 2 or (np.diff(batch.arrival) >= 0).all():
        return batch
    return ReadingBatch(batch.feed, batch.event_time, batch.value, np.maximum.accumulate(batch.arrival), batch.quality)
