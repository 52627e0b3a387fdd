"""The live stages over what history holds: the same alerts as live, one pass."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np

from core.reading import ReadingBatch
from history.as_stored import AsStored
from history.columns import Stored
from ingest.sequencing import Sequencer
from runtime.backtest.material import CancelledError, Material
from runtime.offline import OfflineAlert, OfflineRun
from thresholds.by_feed import Block, Frame, NeedsOrderError, joined, parts
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import Transitions

PIECE = 1 << 20
"""Readings between two looks at whether somebody still wants the answer."""

BITE = 1 << 14
"""The same for transitions."""

_AS_IT_IS = frozenset({"pilot", "live"})

Tell = Callable[[int, int], None]
"""Called with (readings looked at, readings in all)."""


class _Sequenced(Sequencer):
    """For readings that were sequenced when they came, which history keeps."""

    def on_batch(self, batch: ReadingBatch) -> ReadingBatch:
        """The batch as it is."""
        return batch


@dataclass(frozen=True, slots=True)
class Raised:
    """One alert of the scene that was asked about.

    Attributes:
        id: As live.
        feed: `device/metric` of the feed that opened it.
        feeds: Of every feed that was part of it.
        place: Where.
        severity: The worst it reached.
        raised_ms: When, ms.
        cleared_ms: When it cleared, ms; None if it was open at the end.
        delay_ms: Configured delay of the level that opened it, ms.
        case: Whether a case opened.
    """

    id: str
    feed: str
    feeds: tuple[str, ...]
    place: str
    severity: str
    raised_ms: int
    cleared_ms: int | None
    delay_ms: int
    case: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scene raised.

    Attributes:
        alerts: Raised within the range, by time, then id.
        open_before: How many were raised before the range and were still open at its start.
    """

    alerts: tuple[Raised, ...]
    open_before: int

    @property
    def cases(self) -> int:
        """How many of the alerts have a case."""
        return sum(alert.case for alert in self.alerts)


def as_live(scene: Scene) -> Scene:
    """The scene as it would decide in force: a pilot only opens cases in its places, any other stage counts as live."""
    if scene.stage in _AS_IT_IS:
        return scene
    return Scene.model_validate({**scene.content, "stage": "live"})


class Pass:
    """One set of scenes on its way through the material.

    Args:
        material: What it decides on.
        scenes: What decides, as in force.
        cancel: Ends it once it is set.
        threads: How many cores decide; None for all there are.
    """

    def __init__(
        self, material: Material, scenes: SceneSet, *, cancel: Event | None = None, threads: int | None = None
    ) -> None:
        self.material = material
        self._scenes = scenes
        self._cancel = cancel
        self._threads = threads or min(8, os.cpu_count() or 1)
        self._begin()

    def _begin(self) -> None:
        room = max(1, len(self.material.feeds))
        self.run = OfflineRun(self._scenes, self.material.feeds, sequencer=_Sequenced(room))

    def to_end(self, tell: Tell | None = None) -> None:
        """Take all of it: what arrived in its order, with the holes where they are.

        At the start of a hole time has passed to there; at its end the stages go on as the pipeline does after an
        outage: delays that run are counted from there, so that what comes then has its say first.

        Readings that lie by feed are decided so, which gives the same and is much faster, unless their order matters.

        Raises:
            CancelledError: If somebody said so.
        """
        if not self._by_feed(tell):
            self._begin()
            self._in_order(tell)

    def _by_feed(self, tell: Tell | None) -> bool:
        """Decide by feed; whether that could be done.

        Once more where it was not known yet when readings came in, and that turns out not to be as it was taken to be.
        """
        material = self.material
        while not isinstance(material.given, ReadingBatch):
            self._begin()
            frame = material.frame(material.given)
            try:
                transitions = self._decided(material.given, frame, tell)
            except NeedsOrderError:
                return False
            if material.survey is not None and material.survey.torn:
                return False
            if material.frame(material.given) == frame:
                self._take_decided(transitions, max(material.latest_ms, frame.until_ms or 0))
                return True
        return False

    def _decided(self, given: AsStored, frame: Frame, tell: Tell | None) -> Transitions:
        engine, looked = self.run.chain.engine, 0

        def look(rows: int) -> None:
            nonlocal looked
            self._look_up()
            looked += rows * len(work)
            if tell is not None:
                tell(min(looked, given.rows), given.rows)

        # Files that are read on the way keep the other cores busy.
        work = parts(engine, frame, self._threads if given.kept and given.rows > PIECE else 1)
        surveyor = self.material.surveyor(given)
        with ThreadPoolExecutor(len(work), thread_name_prefix="by-feed") as pool:
            others = [pool.submit(part.run, _blocks(given.groups()), lambda _: self._look_up()) for part in work[1:]]
            work[0].run(_blocks(surveyor.groups()), look)
            for other in others:
                other.result()
        self.material.survey = surveyor.seen
        return joined(engine, frame, work, [one for part in work for one in part.end(self.material.latest_ms)])

    def _take_decided(self, transitions: Transitions, now_ms: int) -> None:
        """A bite at a time, cut between readings, so that it can be given up."""
        done = 0
        while done < len(transitions):
            self._look_up()
            upto = done + BITE
            while 0 < upto < len(transitions) and _is_same_reading(transitions, upto):
                upto += 1
            self.run.decided(transitions[done:upto], int(transitions.arrival[done:upto].max()) // 1_000_000)
            done = upto
        self.run.decided(Transitions.empty(), now_ms)

    def _in_order(self, tell: Tell | None) -> None:
        batch, done = self.material.batch, 0
        for at_ms, resumes in self.material.moments:
            upto = int(np.searchsorted(batch.arrival, at_ms * 1_000_000))
            self._take(done, upto, tell)
            done = max(done, upto)
            if resumes:
                self.run.chain.on_resume(at_ms)
            else:
                self.run.pass_time(at_ms)
        self._take(done, len(batch), tell)
        if self.material.until_ms is not None:
            self.run.pass_time(self.material.until_ms)

    def outcome(self, scene: str) -> Outcome:
        """What the scene with that id raised."""
        start_ms, end_ms = self.material.range.start_ms, self.material.range.end_ms
        own = [_raised(name, a) for name, a in self.run.alerts.items() if a.last.data.scene == scene]
        inside = sorted((a for a in own if start_ms <= a.raised_ms < end_ms), key=lambda a: (a.raised_ms, a.id))
        before = [a for a in own if a.raised_ms < start_ms and (a.cleared_ms is None or a.cleared_ms > start_ms)]
        return Outcome(tuple(inside), len(before))

    def _take(self, first: int, upto: int, tell: Tell | None) -> None:
        batch = self.material.batch
        for begin in range(first, upto, PIECE):
            self._look_up()
            end = min(begin + PIECE, upto)
            self.run.take([batch[begin:end]])
            if tell is not None:
                tell(end, len(batch))

    def _look_up(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise CancelledError


def evaluate(
    material: Material,
    scene: Scene,
    context: SceneSet | None = None,
    *,
    tell: Tell | None = None,
    cancel: Event | None = None,
    threads: int | None = None,
) -> Outcome:
    """What a scene would have raised.

    Args:
        material: Of a time, read for this scene and its context.
        scene: Any stage.
        context: Scenes that it looks at; they decide too, and what they raise is not told.
        tell: Told how far it is.
        cancel: Ends it once it is set.
        threads: How many cores decide; None for all there are.

    Raises:
        CancelledError: If `cancel` was set.
    """
    others = [other for other in (context.scenes if context else ()) if other.id != scene.id]
    way = Pass(material, SceneSet.of([as_live(scene), *others]), cancel=cancel, threads=threads)
    way.to_end(tell)
    return way.outcome(scene.id)


def _blocks(groups: Iterable[Stored]) -> Iterator[Block]:
    return (Block(group.batch, group.lag) for group in groups)


def _is_same_reading(rows: Transitions, at: int) -> bool:
    """Whether a row was decided by the reading by which the one before was."""
    return bool(
        rows.feed[at] == rows.feed[at - 1]
        and rows.at[at] == rows.at[at - 1]
        and rows.arrival[at] == rows.arrival[at - 1]
    )


def _raised(name: str, alert: OfflineAlert) -> Raised:
    data = alert.last.data
    return Raised(
        id=name, feed=alert.last.opened_by, feeds=tuple(data.feeds), place=data.place, severity=data.worst_severity,
        raised_ms=alert.last.raised_ms, cleared_ms=alert.last.cleared_ms, delay_ms=alert.delay_ms, case=alert.case,
    )  # fmt: skip
