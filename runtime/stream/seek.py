"""Faust's consumer, reading from where the states are instead of from where somebody committed.

Everything in Faust that (re)positions a partition ends in `seek_to_committed`: after each rebalance, and whenever a
fetch was under way while one began. It is the one place to say that a slice knows its own offset.
"""

from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP
from faust.types.transports import ConsumerT

Positions = Callable[[AbstractSet[int]], Awaitable[Mapping[int, int]]]
"""Partitions of `readings` -> the offset that each has to be read from."""


class _Forgetful(dict[TP, int | None]):
    """Offsets that were read last, as Faust keeps them, and never gives back.

    Faust drops a record that is older than the last one read, and a fetch that is under way while one seeks back sets
    that mark ahead again: what was asked for would be dropped without a word. Here the slices know what they have read.
    """

    def __getitem__(self, _: TP) -> int | None:
        return None


class SliceConsumer(Consumer):
    """Seeks to what `positions` says, and lets every record through."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _Forgetful()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition to the offset of its state, restoring states first."""
        assigned = {tp.partition: tp for tp in self.assignment()}
        transport: Any = self.transport
        wanted = await transport.positions(assigned.keys())
        offsets = {assigned[number]: offset for number, offset in wanted.items()}
        if offsets:
            await self.seek_wait(offsets)
        return offsets


class SliceTransport(Transport):
    """Faust's transport with that consumer.

    Attributes:
        positions: Who knows the offsets.
    """

    Consumer: ClassVar[type[ConsumerT]] = SliceConsumer
    positions: Positions
