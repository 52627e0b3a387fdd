"""History made ready to be decided on: the readings that some scenes watch, whose they are, and where holes are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import NamedTuple

import numpy as np

from city.device import Device, DeviceType
from core.errors import ScenewatchError
from core.reading import ReadingBatch
from history.query import FeedName, Gap, History, Progress, Selection
from runtime.offline import Feed
from thresholds.scene_set import SceneSet


class CancelledError(ScenewatchError):
    """Whoever asked wants no answer any more."""

    def __init__(self) -> None:
        super().__init__("cancelled")


class Range(NamedTuple):
    """Which time is asked about.

    `start_ms` is the first event time, `end_ms` the one at which it ends. Readings from `begin_ms` on, which lies
    before, bring the levels into the state in which they were at the start; what is raised there does not count.
    """

    begin_ms: int
    start_ms: int
    end_ms: int

    @property
    def days(self) -> float:
        """Its length without what lies before, in days."""
        return (self.end_ms - self.start_ms) / 86_400_000


class Known(NamedTuple):
    """What is known of devices today, and of their types."""

    devices: Mapping[str, Device]
    types: Mapping[str, DeviceType]

    def device(self, name: FeedName) -> Device:
        """Who stands behind a feed; one that the device list does not have is known by its names alone."""
        return self.devices.get(name.device) or Device(name.device, name.gateway, name.type)

    def unit(self, device: Device, metric: str) -> str:
        """Unit of a metric, "" where it is not known."""
        kind = self.types.get(device.type)
        known = None if kind is None else kind.metrics.get(metric)
        return "" if known is None else known.unit


@dataclass(frozen=True, slots=True)
class Material:
    """What is decided on.

    Attributes:
        range: Which time.
        feeds: Device, metric and unit of every feed.
        batch: In the order of arrival, marked as late and repeated as live; `feed` counts `feeds`.
        gaps: Holes of the range, by start.
        breaks: Holes from `range.begin_ms` on, (start, end) in ms.
        problems: A line for each file that could not be read.
    """

    range: Range
    feeds: tuple[Feed, ...]
    batch: ReadingBatch
    gaps: tuple[Gap, ...]
    breaks: tuple[tuple[int, int], ...]
    problems: tuple[str, ...] = ()


def load(
    history: History,
    scenes: SceneSet,
    known: Known,
    asked: Range,
    *,
    only: Sequence[str] | None = None,
    progress: Progress | None = None,
    cancel: Event | None = None,
) -> Material:
    """Read what `scenes` watch, and nothing else.

    Args:
        history: Where readings are.
        scenes: Whoever watches.
        known: Devices and their types.
        asked: Which time.
        only: Devices, where not all of them are wanted.
        progress: Called with (files read, files in all).
        cancel: Ends it once it is set.

    Raises:
        CancelledError: If `cancel` was set.
        UnavailableError: If history cannot be asked.
    """

    def tell(done: int, total: int) -> None:
        if cancel is not None and cancel.is_set():
            raise CancelledError
        if progress is not None:
            progress(done, total)

    found = history.readings(_selection(history, scenes, known, asked, only), tell)
    tell(1, 1)
    feeds, batch = _one_for_each(found.feeds, found.batch, known)
    inside = [
        Gap(max(gap.start_ms, asked.start_ms), min(gap.end_ms, asked.end_ms), gap.reason, gap.detail)
        for gap in found.gaps
        if gap.end_ms > asked.start_ms and gap.start_ms < asked.end_ms
    ]
    breaks = tuple((gap.start_ms, gap.end_ms) for gap in found.gaps)
    return Material(asked, feeds, batch, tuple(inside), breaks, found.problems)


def _selection(history: History, scenes: SceneSet, known: Known, asked: Range, only: Sequence[str] | None) -> Selection:
    """The feeds that are watched; by type and metric alone where that says it, so that no long list is compared."""
    metrics = {scene.feeds.metric for scene in scenes.scenes}
    measured = None if None in metrics else [metric for metric in metrics if metric]
    every = history.feeds(Selection.of(asked.begin_ms, asked.end_ms, metrics=measured, devices=only))
    watched = [name for name in every if _is_watched(name, scenes, known)]
    devices = {name.device for name in watched}
    return Selection.of(
        asked.begin_ms,
        asked.end_ms,
        types={name.type for name in watched},
        metrics={name.metric for name in watched},
        devices=devices if len(watched) < len(every) else only,
    )


def _is_watched(name: FeedName, scenes: SceneSet, known: Known) -> bool:
    device = known.device(name)
    return any(scene.feeds.watch(device, name.metric) for scene in scenes.scenes)


def _one_for_each(
    names: Sequence[FeedName], batch: ReadingBatch, known: Known
) -> tuple[tuple[Feed, ...], ReadingBatch]:
    """A feed whose device changed its type has two names in history and is one feed live."""
    numbers: dict[tuple[str, str, str], int] = {}
    feeds: list[Feed] = []
    lookup = np.empty(len(names), np.int32)
    for i, name in enumerate(names):
        number = lookup[i] = numbers.setdefault(name[:3], len(numbers))
        if number == len(feeds):
            device = known.device(name)
            feeds.append((device, name.metric, known.unit(device, name.metric)))
    if len(feeds) < len(names):
        batch = ReadingBatch(lookup[batch.feed], batch.event_time, batch.value, batch.arrival, batch.quality)
    return tuple(feeds), batch
