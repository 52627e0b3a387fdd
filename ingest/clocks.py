"""What a device's own times are worth, as readings that nobody sends: `clock_s` and `stale_s`.

A condition sees the event time of a reading and not its arrival, and readings with wrong times are the very ones that
are late or refused, so that no scene on their values could tell of them. Here, where both times are at hand, a device
whose times are far off becomes a feed of its own, at the time of arrival, and an ordinary scene judges it. Devices
whose times are right cost one comparison a reading and nothing else.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from city.own import CLOCK, STALE
from core.reading import Quality, ReadingBatch
from ingest.kernel_clock import suspects

SAMPLE_MS = 60_000
"""A device is looked at no more often than this."""
GOOD = 3
"""So many samples that are right are told after one that was not; then nobody looks any more."""
_A_SECOND = 200
"""Samples over all devices: when a whole district's clocks are wrong, readings still go first."""
_MOST = 256

Names = Callable[[int], tuple[str, str]]
"""(gateway, device) of a feed."""
OwnFeed = Callable[[str, str, str], int]
"""The feed of (gateway, device, metric of `city.own.OWN`), made where needed; -1 where the device is not let in."""
Device = tuple[str, str]
"""Gateway and name."""


@dataclass(slots=True)
class _Off:
    """A device that is looked at: its last sample, and what was told of it."""

    at_ms: int = -SAMPLE_MS
    age_ms: int | None = None
    told: bool = False
    good: int = 0
    feeds: set[int] = field(default_factory=set)


class Clocks:
    """Looks at the times of readings as they arrive; no I/O, no clock.

    The first sample that is off only makes the device be looked at again, at least a minute later: a gateway that was
    away sends what it kept within seconds and says nothing about anybody's clock. From the second one on both feeds of
    the device get a reading with each sample: `clock_s` where the times went on by at least half and at most one and a
    half of the time that went by, so that it is the clock that is off; `stale_s` where they did not. What is derived is
    journalled like what was sent, so that a replay needs nothing of this; therefore it keeps no snapshot.

    Args:
        max_feeds: Most feeds.
        names: Who stands behind a feed.
        own_feed: Finds or makes the feeds of `city.own.OWN`.
        tolerance_ms: An event time and its arrival may be so far apart.
    """

    def __init__(self, max_feeds: int, names: Names, own_feed: OwnFeed, *, tolerance_ms: int) -> None:
        self._names = names
        self._own_feed = own_feed
        self._tolerance_ms = tolerance_ms
        # Zeros whose pages cost nothing until a feed is watched.
        self._due = np.zeros(max_feeds, np.int64)
        self._watched = 0
        self._off: dict[Device, _Off] = {}
        self._rows = np.zeros(_MOST, np.int64)
        self._left = float(_MOST)
        self._filled_ms = 0

    @property
    def watched(self) -> int:
        """How many devices are looked at now."""
        return len(self._off)

    @staticmethod
    def warm_up() -> None:
        """Have the kernel compiled."""
        nothing = ReadingBatch.of([], [], [])
        times = np.zeros(0, np.int64)
        suspects(nothing.feed, times, times, nothing.quality, 0, SAMPLE_MS, 0, times, times)

    def expect(self, device: Device, feeds: Iterable[int]) -> None:
        """A device was off before the start: look at it until it is known to be right."""
        self._keep(self._off.setdefault(device, _Off(told=True)), feeds)

    def take(self, batch: ReadingBatch) -> ReadingBatch | None:
        """What a batch says about clocks, as a batch that goes behind it; None for nothing."""
        if not len(batch):
            return None
        arrival = int(batch.arrival[-1])
        room = self._room(arrival // 1_000_000)
        found = suspects(
            batch.feed, batch.event_time, batch.arrival, batch.quality, self._tolerance_ms, SAMPLE_MS, self._watched,
            self._due, self._rows[:room],
        )  # fmt: skip
        if not found:
            return None
        self._left -= found
        told: list[tuple[int, int, float]] = []
        for row in self._rows[:found].tolist():
            feed, at_ms = int(batch.feed[row]), int(batch.arrival[row]) // 1_000_000
            told += self._sample(self._names(feed), (feed,), at_ms, at_ms - int(batch.event_time[row]))
        return _batch(told, arrival)

    def refused(self, device: Device, feeds: Collection[int], event_ms: int, arrival_ns: int) -> ReadingBatch | None:
        """The same of a reading that was refused since its time is too far ahead."""
        at_ms = arrival_ns // 1_000_000
        return _batch(self._sample(device, feeds, at_ms, at_ms - event_ms), arrival_ns)

    def _room(self, now_ms: int) -> int:
        gone = max(0, now_ms - self._filled_ms)
        self._filled_ms = max(self._filled_ms, now_ms)
        self._left = min(float(_MOST), self._left + gone * _A_SECOND / 1000)
        return int(self._left)

    def _sample(self, device: Device, feeds: Collection[int], at_ms: int, age_ms: int) -> list[tuple[int, int, float]]:
        """One look at a device: (feed, event time, value) of what is to be told of it."""
        off = self._off.setdefault(device, _Off())
        self._keep(off, feeds)
        if at_ms - off.at_ms < SAMPLE_MS:
            return []
        before, gone = off.age_ms, at_ms - off.at_ms
        off.at_ms, off.age_ms = at_ms, age_ms
        right = abs(age_ms) <= self._tolerance_ms
        off.good = off.good + 1 if right else 0
        if right and (not off.told or off.good >= GOOD):
            self._drop(device, off)
        if not off.told and (right or before is None):
            return []
        off.told = True
        steady = right or age_ms < 0 or (before is not None and 2 * abs(age_ms - before) <= gone)
        values = {CLOCK: -age_ms / 1000 if steady else 0.0, STALE: 0.0 if steady else age_ms / 1000}
        own = ((self._own_feed(*device, metric), value) for metric, value in values.items())
        return [(feed, at_ms, value) for feed, value in own if feed >= 0]

    def _keep(self, off: _Off, feeds: Iterable[int]) -> None:
        for feed in feeds:
            if feed not in off.feeds:
                off.feeds.add(feed)
                self._watched += 1
                self._due[feed] = max(int(self._due[feed]), 1)

    def _drop(self, device: Device, off: _Off) -> None:
        self._watched -= len(off.feeds)
        self._due[list(off.feeds)] = 0
        del self._off[device]


def _batch(told: list[tuple[int, int, float]], arrival_ns: int) -> ReadingBatch | None:
    if not told:
        return None
    feed, event, value = zip(*told, strict=True)
    rows = len(told)
    return ReadingBatch.of(feed, event, value, [arrival_ns] * rows, [int(Quality.DERIVED)] * rows)
