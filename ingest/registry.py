"""Every (gateway, device, metric) has one dense index, for ever.

Arrays are reserved once for `max_feeds`; pages that are never touched cost nothing, so growth never pauses.
"""

import re
from collections.abc import Iterable

import numpy as np

from ingest import kernel

NUL = b"\0"


class RegistryFull(Exception):  # noqa: N818 - it names a state of the registry, not a fault of the program
    """No index is left: `max_feeds` feeds are known already."""


class FeedRegistry:
    """An open-addressing table with exact comparison that the ingest kernel reads.

    Attributes:
        slots: feed + 1 or 0, int32, at least four times `max_feeds` rounded up to a power of two.
        hashes: uint64 per feed.
        arena: keys `gateway NUL device NUL metric`, one after the other, uint8.
        starts: where each key starts, int64, one more than there are feeds.
        barred: feeds that cannot be found for now, though their index stays theirs.
    """

    def __init__(self, max_feeds: int, *, mean_key_bytes: int = 96) -> None:
        """Reserve room for `max_feeds` keys of `mean_key_bytes` on average."""
        self.max_feeds = max_feeds
        self.slots = np.zeros(1 << max(4, (2 * max_feeds - 1).bit_length()), np.int32)
        self.hashes = np.zeros(max_feeds, np.uint64)
        self.arena = np.zeros(max_feeds * mean_key_bytes, np.uint8)
        self.starts = np.zeros(max_feeds + 1, np.int64)
        self.barred: set[int] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, gateway: str, device: str, metric: str) -> int:
        """Index of the feed, -1 if it is not known yet."""
        return self._find(_key(gateway, device, metric))

    def add(self, gateway: str, device: str, metric: str) -> int:
        """Index of the feed, a new one if it was not known.

        Raises:
            RegistryFull: If no room is left.
        """
        key = _key(gateway, device, metric)
        known = self._find(key)
        return known if known >= 0 else self._append(key)

    def bar(self, feed: int, *, barred: bool = True) -> None:
        """Let a feed not be found any more, as if it were not known, or be found again.

        Its key is still there: while it is barred, `add` must not be called for it.
        """
        if barred != (feed in self.barred):
            # Another hash is never looked for: one pass of the kernel is enough to see that it is not this key.
            self.hashes[feed] = ~self.hashes[feed]
            (self.barred.add if barred else self.barred.discard)(feed)

    def load(self, keys: Iterable[bytes]) -> None:
        """Take up keys in the order of their indices, as `key_of` gave them."""
        for key in keys:
            self._append(key)

    def may_have(self, metrics: Iterable[str]) -> bool:
        """Whether a key may be of one of these metrics: a search through the arena as it lies, without a copy."""
        wanted = b"|".join(re.escape(NUL + metric.encode()) for metric in metrics)
        return re.search(wanted, self.arena[: self.starts[self._count]].data) is not None

    def key_of(self, feed: int) -> bytes:
        """The key of a feed as bytes: `gateway NUL device NUL metric`."""
        return self.arena[self.starts[feed] : self.starts[feed + 1]].tobytes()

    def names(self, feed: int) -> tuple[str, str, str]:
        """(gateway, device, metric) of a feed.

        Raises:
            IndexError: If there is no such feed.
        """
        if not 0 <= feed < self._count:
            raise IndexError(f"feed {feed} of {self._count}")
        gateway, device, metric = self.key_of(feed).decode().split("\0")
        return gateway, device, metric

    def _find(self, key: bytes) -> int:
        code = np.frombuffer(key, np.uint8)
        return int(kernel.find_whole(self.slots, self.hashes, self.arena, self.starts, code))

    def _append(self, key: bytes) -> int:
        start = int(self.starts[self._count])
        if self._count >= self.max_feeds or start + len(key) > len(self.arena):
            raise RegistryFull(f"{self._count} feeds are known; raise ingest.max_feeds")
        feed = self._count
        self.arena[start : start + len(key)] = np.frombuffer(key, np.uint8)
        kernel.insert(self.slots, self.hashes, self.arena, self.starts, feed, start, len(key))
        self._count += 1
        return feed


def _key(gateway: str, device: str, metric: str) -> bytes:
    return NUL.join((gateway.encode(), device.encode(), metric.encode()))
