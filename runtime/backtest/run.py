"""The live stages over what history holds: the same alerts as live, one pass."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

import numpy as np

from core.reading import ReadingBatch
from ingest.sequencing import Sequencer
from runtime.backtest.material import CancelledError, Material
from runtime.offline import OfflineAlert, OfflineRun
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

PIECE = 1 << 20
"""Readings between two looks at whether somebody still wants the answer."""

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
    """

    def __init__(self, material: Material, scenes: SceneSet, *, cancel: Event | None = None) -> None:
        room = max(1, len(material.feeds))
        self.run = OfflineRun(scenes, material.feeds, sequencer=_Sequenced(room))
        self.material = material
        self._cancel = cancel

    def to_end(self, tell: Tell | None = None) -> None:
        """Take all of it: what arrived in its order, with the holes where they are.

        At the start of a hole time has passed to there; at its end the stages go on as the pipeline does after an
        outage: delays that run are counted from there, so that what comes then has its say first.

        Raises:
            CancelledError: If somebody said so.
        """
        batch, done = self.material.batch, 0
        end_ms = self.material.range.end_ms
        marks = [(start, 0) for start, _ in self.material.breaks] + [(end, 1) for _, end in self.material.breaks]
        for at_ms, ends in sorted(marks):
            upto = int(np.searchsorted(batch.arrival, at_ms * 1_000_000))
            self._take(done, upto, tell)
            done = max(done, upto)
            if ends and at_ms < end_ms:
                self.run.chain.on_resume(at_ms)
            elif not ends:
                self.run.pass_time(at_ms)
        self._take(done, len(batch), tell)
        if all(end < end_ms for _, end in self.material.breaks):
            self.run.pass_time(end_ms)

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
            if self._cancel is not None and self._cancel.is_set():
                raise CancelledError
            end = min(begin + PIECE, upto)
            self.run.take([batch[begin:end]])
            if tell is not None:
                tell(end, len(batch))


def evaluate(
    material: Material,
    scene: Scene,
    context: SceneSet | None = None,
    *,
    tell: Tell | None = None,
    cancel: Event | None = None,
) -> Outcome:
    """What a scene would have raised.

    Args:
        material: Of a time, read for this scene and its context.
        scene: Any stage.
        context: Scenes that it looks at; they decide too, and what they raise is not told.
        tell: Told how far it is.
        cancel: Ends it once it is set.

    Raises:
        CancelledError: If `cancel` was set.
    """
    others = [other for other in (context.scenes if context else ()) if other.id != scene.id]
    way = Pass(material, SceneSet.of([as_live(scene), *others]), cancel=cancel)
    way.to_end(tell)
    return way.outcome(scene.id)


def _raised(name: str, alert: OfflineAlert) -> Raised:
    data = alert.last.data
    return Raised(
        id=name, feed=alert.last.opened_by, feeds=tuple(data.feeds), place=data.place, severity=data.worst_severity,
        raised_ms=alert.last.raised_ms, cleared_ms=alert.last.cleared_ms, delay_ms=alert.delay_ms, case=alert.case,
    )  # fmt: skip
