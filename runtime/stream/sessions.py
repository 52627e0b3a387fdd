"""What runs of bridges call their feeds, turned into the reader's own numbers. No I/O."""

from collections.abc import Callable

import msgspec
import numpy as np

from core.errors import DataLossError
from core.reading import Int32, ReadingBatch
from runtime.stream.records import decode_names

_KEPT = 2
"""So many runs of a bridge are known by their names: the one that sends, and the one before it."""


class _Map(msgspec.Struct):
    """Numbers of one run of a bridge, as bytes of int32: the reader's own number of each, -1 where there is none."""

    session: int
    feeds: bytes


class Sessions:
    """The numbers of each bridge's last runs, in one partition.

    Args:
        number_of: The reader's own number of a feed, by its key.

    Attributes:
        outlived: Readings left out since a run of a bridge sent them that two later runs have followed.
    """

    def __init__(self, number_of: Callable[[bytes], int]) -> None:
        self.outlived = 0
        self._number_of = number_of
        self._maps: dict[str, dict[int, Int32]] = {}

    def learn(self, bridge: str, session: int, body: bytes) -> list[int]:
        """Take up an entry of names; the reader's own numbers of the feeds in it.

        Raises:
            DataLossError: If it is damaged.
        """
        names = decode_names(body)
        of_bridge = self._maps.setdefault(bridge, {})
        numbers = of_bridge.get(session)
        highest = max((number for number, _ in names), default=-1)
        if numbers is None or highest >= len(numbers):
            grown = np.full(max(64, 2 * (highest + 1)), -1, np.int32)
            if numbers is not None:
                grown[: len(numbers)] = numbers
            numbers = of_bridge[session] = grown
        while len(of_bridge) > _KEPT:
            del of_bridge[next(iter(of_bridge))]
        own = [self._number_of(key) for _, key in names]
        numbers[[number for number, _ in names]] = own
        return own

    def renumbered(self, bridge: str, session: int, batch: ReadingBatch) -> ReadingBatch:
        """The batch with the reader's own numbers of its feeds.

        What a run of a bridge sent that two later runs have followed was never acknowledged to a gateway: the later
        ones got it again, so it is left out.

        Raises:
            DataLossError: If a feed has no name.
        """
        of_bridge = self._maps.get(bridge, {})
        numbers = of_bridge.get(session)
        if numbers is None and session < max(of_bridge, default=0):
            self.outlived += len(batch)
            return batch[:0]
        highest = int(batch.feed.max(initial=-1))
        if numbers is None or highest >= len(numbers):
            raise DataLossError(f"readings of bridge {bridge} come without the names of their feeds")
        feeds = numbers[batch.feed]
        if (feeds < 0).any():
            raise DataLossError(f"readings of bridge {bridge} come without the names of their feeds")
        return ReadingBatch(feeds, batch.event_time, batch.value, batch.arrival, batch.quality)

    def state(self) -> bytes:
        """Everything that is known, as bytes."""
        return msgspec.msgpack.encode(
            {
                bridge: [_Map(session, numbers.tobytes()) for session, numbers in of_bridge.items()]
                for bridge, of_bridge in self._maps.items()
            }
        )

    def restore(self, content: bytes) -> None:
        """Take up what `state` gave.

        Raises:
            DataLossError: If it is damaged.
        """
        try:
            found = msgspec.msgpack.decode(content, type=dict[str, list[_Map]])
            self._maps = {
                bridge: {one.session: np.frombuffer(one.feeds, np.int32).copy() for one in maps}
                for bridge, maps in found.items()
            }
        except (msgspec.MsgspecError, ValueError) as error:
            raise DataLossError(f"the names of feeds are damaged: {error}") from error
