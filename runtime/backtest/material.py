"""History made ready to be decided on: the readings that some scenes watch, whose they are, and where holes are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event
from typing import NamedTuple

import numpy as np

from city.device import Device, DeviceType
from core.errors import ScenewatchError
from core.reading import ReadingBatch
from history.as_stored import AsStored, HoldsByFeed, Survey, Surveyor
from history.query import FeedName, Gap, History, Progress, Readings, Selection
from runtime.offline import Feed
from thresholds.by_feed import Frame, Outage
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


@dataclass
class Material:
    """What is decided on; nothing changes it.

    Attributes:
        range: Which time.
        feeds: Device, metric and unit of every feed.
        given: Readings, marked as late and repeated as live; in the order of arrival with `feed` counting `feeds`, or
            by feed as the files hold them.
        gaps: Holes of the range, by start.
        breaks: Holes from `range.begin_ms` on, (start, end) in ms.
        problems: A line for each file that could not be read.
        survey: Of readings by feed, as soon as somebody has gone through them.
    """

    range: Range
    feeds: tuple[Feed, ...]
    given: ReadingBatch | AsStored
    gaps: tuple[Gap, ...]
    breaks: tuple[tuple[int, int], ...]
    problems: tuple[str, ...] = ()
    survey: Survey | None = field(default=None, init=False)

    @cached_property
    def batch(self) -> ReadingBatch:
        """The readings in the order of arrival; put in order when somebody needs it first."""
        return self.given if isinstance(self.given, ReadingBatch) else self.given.in_order()

    @property
    def count(self) -> int:
        """How many readings there are of the range itself."""
        if isinstance(self.given, ReadingBatch):
            return int((self.given.event_time >= self.range.start_ms).sum())
        return self._surveyed(self.given).readings

    @property
    def moments(self) -> list[tuple[int, bool]]:
        """Where holes begin and end, ms, and whether somebody listens again from there on; by time."""
        edges = sorted([(start, False) for start, _ in self.breaks] + [(end, True) for _, end in self.breaks])
        return [(at, resumes) for at, resumes in edges if not resumes or at < self.range.end_ms]

    @property
    def until_ms(self) -> int | None:
        """To where time passes at the end; None where history has not got to the end of the range."""
        return self.range.end_ms if all(end < self.range.end_ms for _, end in self.breaks) else None

    def frame(self, given: AsStored) -> Frame:
        """What has to be known to decide by feed, by what is known of the readings.

        Before they were gone through it is taken for granted that none came in while nobody listened.
        """
        latest = [-1] * len(self.moments) if self.survey is None else self.survey.latest_ms
        passed, outages = 0, []
        for (at, resumes), before in zip(self.moments, latest, strict=False):
            passed = max(passed, before if resumes else at)
            outages.append(Outage(at, passed, resumes))
        return Frame(
            lookup=given.lookup, start_ms=given.start_ms, end_ms=given.end_ms, outages=outages, until_ms=self.until_ms
        )

    @property
    def latest_ms(self) -> int:
        """By when the latest reading came in, ms; -1 if none did, or it is not known yet."""
        return -1 if self.survey is None else self.survey.latest_ms[-1]

    def surveyor(self, given: AsStored) -> Surveyor:
        """Goes through the readings by feed, for `survey`."""
        return Surveyor(given, self.range.start_ms, [at for at, _ in self.moments])

    def _surveyed(self, given: AsStored) -> Survey:
        if self.survey is None:
            surveyor = self.surveyor(given)
            for _ in surveyor.groups():
                pass
            self.survey = surveyor.seen
        return self.survey


def load(
    history: History,
    scenes: SceneSet,
    known: Known,
    asked: Range,
    *,
    only: Sequence[str] | None = None,
    keep: bool = True,
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
        keep: Whether the readings are kept in memory; else they are read whenever they are gone through, which may
            raise UnreadableFileError, and is right for whoever does it once.
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

    selection = _selection(history, scenes, known, asked, only)
    found = (
        history.as_stored(selection, tell, keep=keep)
        if isinstance(history, HoldsByFeed)
        else history.readings(selection, tell)
    )
    tell(1, 1)
    feeds, given = _one_for_each(found, known)
    inside = [
        Gap(max(gap.start_ms, asked.start_ms), min(gap.end_ms, asked.end_ms), gap.reason, gap.detail)
        for gap in found.gaps
        if gap.end_ms > asked.start_ms and gap.start_ms < asked.end_ms
    ]
    breaks = tuple((gap.start_ms, gap.end_ms) for gap in found.gaps)
    return Material(asked, feeds, given, tuple(inside), breaks, found.problems)


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


def _one_for_each(found: Readings | AsStored, known: Known) -> tuple[tuple[Feed, ...], ReadingBatch | AsStored]:
    """A feed whose device changed its type has two names in history and is one feed live."""
    numbers: dict[tuple[str, str, str], int] = {}
    feeds: list[Feed] = []
    lookup = np.empty(len(found.feeds), np.int32)
    for i, name in enumerate(found.feeds):
        number = lookup[i] = numbers.setdefault(name[:3], len(numbers))
        if number == len(feeds):
            device = known.device(name)
            feeds.append((device, name.metric, known.unit(device, name.metric)))
    if len(feeds) == len(found.feeds):
        return tuple(feeds), found if isinstance(found, AsStored) else found.batch
    batch = found.in_order() if isinstance(found, AsStored) else found.batch
    batch = ReadingBatch(lookup[batch.feed], batch.event_time, batch.value, batch.arrival, batch.quality)
    return tuple(feeds), batch
