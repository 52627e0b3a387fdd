"""One question and its answer: what the command line and HTTP ask alike."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import msgspec

from core.errors import ConfigError
from history.as_stored import UnreadableFileError
from runtime.backtest.compare import Difference, difference
from runtime.backtest.ground import Ground, warmed
from runtime.backtest.labels import Labels, LabelScore
from runtime.backtest.material import Material, Range, load
from runtime.backtest.report import Backtest, report
from runtime.backtest.run import Outcome, as_live, evaluate
from runtime.backtest.sweep import Axis, Point, sweep
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

Tell = Callable[[str, int, int], None]
"""Called with (what is being done, done, in all)."""


class Answer(Backtest, frozen=True, kw_only=True):
    """A backtest, and what was asked beside it."""

    compare: Difference | None = None
    sweep: list[Point] | None = None


class Compared(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Two versions held beside each other, as `scene diff --json` writes it."""

    first: str
    second: str
    start: str
    end: str
    gaps: int
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        scene: The scene.
        span: Which time.
        warm: Whether as much before it is read as the scenes look back.
        other: Another version that is held beside it.
        axes: Values that are varied.
        truth: `truth.json` of a simulated run, in place of operators' verdicts.
        plot: Where a picture is to be written.
    """

    scene: Scene
    span: Range
    warm: bool = True
    other: Scene | None = None
    axes: tuple[Axis, ...] = ()
    truth: Path | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class _Tried:
    outcome: Outcome
    held: LabelScore | None


def answer(ground: Ground, asked: Question, tell: Tell, *, began: float, cancel: Event | None = None) -> Answer:
    """Read once, decide, compare, sweep.

    Args:
        ground: What it stands on.
        asked: What is asked.
        tell: Told how far it is.
        began: `time.perf_counter()` when it was asked.
        cancel: Ends it once it is set.

    Raises:
        CancelledError: If `cancel` was set.
        ConfigError: If what is asked cannot be.
        UnavailableError: If there is no history.
    """
    scene, other = asked.scene, asked.other
    both = [scene] if other is None else [scene, other]
    context, labels = ground.context(*both), ground.labels(asked.truth)
    watchers = _watchers(context, scene, other)
    span = warmed(asked.span, watchers) if asked.warm else asked.span

    def read(*, keep: bool) -> Material:
        return load(
            ground.history, watchers, ground.known, span, keep=keep,
            progress=lambda done, total: tell("reading", done, total), cancel=cancel,
        )  # fmt: skip

    def tried(one: Scene, what: str) -> _Tried:
        outcome = evaluate(material, one, context, tell=lambda done, total: tell(what, done, total), cancel=cancel)
        return _Tried(outcome, _held(labels, one, outcome, material))

    material = read(keep=other is not None or bool(asked.axes) or asked.plot is not None)
    try:
        first = tried(scene, "deciding")
    except UnreadableFileError:
        material = read(keep=True)
        first = tried(scene, "deciding")
    beside = None if other is None else _compared(first, tried(other, "comparing"))
    points = None
    if asked.axes:
        points = sweep(
            material, scene, asked.axes, ground.types, context=context, labels=labels, metrics=ground.metrics,
            tell=lambda done, total: tell("sweeping", done, total), cancel=cancel,
        )  # fmt: skip
    told = report(scene, as_live(scene).stage, material, first.outcome, first.held, time.perf_counter() - began)
    if asked.plot is not None:
        from runtime.backtest.plot import draw  # noqa: PLC0415 - only a plot needs it, and it is slow to load

        draw(asked.plot, scene, material, first.outcome, points or [])
    return Answer(**msgspec.structs.asdict(told), compare=beside, sweep=points)


def compared(answer: Answer, first: str, second: str) -> Compared:
    """What an answer says of its two versions.

    Raises:
        ConfigError: If it was asked about one only.
    """
    if answer.compare is None:
        raise ConfigError("name two versions")
    return Compared(
        first=first, second=second, start=answer.start, end=answer.end, gaps=len(answer.gaps),
        difference=answer.compare,
    )  # fmt: skip


def _compared(first: _Tried, second: _Tried) -> Difference:
    held = (first.held, second.held) if first.held and second.held else None
    return difference(first.outcome, second.outcome, held)


def _held(labels: Labels | None, scene: Scene, outcome: Outcome, material: Material) -> LabelScore | None:
    return None if labels is None else labels.held_against(scene.id, outcome, material.range, scene.worth)


def _watchers(context: SceneSet, scene: Scene, other: Scene | None) -> SceneSet:
    """Everybody whose feeds are read; two versions of one scene may watch different ones."""
    others = [one for one in context.scenes if one.id != scene.id]
    if other is not None:
        others.append(Scene.model_validate({**other.content, "scene": f"{other.id[:55]}-compared"}))
    return SceneSet.of([scene, *others])
