"""`scenewatch scene backtest`: what a scene would have raised, and with other values."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from core.clock import wall_ns
from core.errors import ConfigError
from runtime.backtest.compare import Difference, difference
from runtime.backtest.ground import Ground, range_of
from runtime.backtest.labels import Labels, LabelScore
from runtime.backtest.material import Material, Range, load
from runtime.backtest.report import Backtest, report
from runtime.backtest.run import Outcome, as_live, evaluate
from runtime.backtest.sweep import Axis, Point, axes_of, sweep
from runtime.backtest.which import changed
from runtime.summary import write_json
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

TO_STDOUT = "-"
_READ, _DECIDED = "reading", "deciding"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks; the texts as they were typed."""

    scene: str
    start: str
    end: str | None = None
    config: Path | None = None
    folder: Path | None = None
    devices: Path | None = None
    scenes: Path | None = None
    settings: list[str] = field(default_factory=list)
    sweeps: list[str] = field(default_factory=list)
    compare: str | None = None
    labels: Path | None = None
    plot: Path | None = None
    tz: str = "UTC"
    warm: str | None = None
    json_file: str | None = None
    quiet: bool = False

    def ground(self) -> Ground:
        """Where it finds what it needs."""
        return Ground.of(self.config, self.folder, self.devices, self.scenes)

    def range(self) -> Range:
        """The range that is meant."""
        return range_of(self.start, self.end, wall_ns() // 1_000_000, tz=self.tz, warm=self.warm)


class Answer(Backtest, frozen=True, kw_only=True):
    """What `--json` writes: a backtest, and what was asked beside it."""

    compare: Difference | None = None
    sweep: list[Point] | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """One scene on the material, and what came of it."""

    scene: Scene
    outcome: Outcome
    held: LabelScore | None


def backtest(asked: Asked) -> int:
    """Answer; 0, or 1 if the scene breaks its daily budget. Holes in the range are told, each a line.

    Raises:
        ConfigError: If something that was typed is wrong.
        UnavailableError: If there is no history.
    """
    answer = answered(asked)
    _write(asked, answer)
    return 1 if answer.budget.days_over else 0


def answered(asked: Asked) -> Answer:
    """The answer; holes in the range and files that cannot be read are told on standard error.

    Raises:
        ConfigError: If something that was typed is wrong.
        UnavailableError: If there is no history.
    """
    began = time.perf_counter()
    span, axes = asked.range(), axes_of(asked.sweeps)
    if asked.plot is not None and asked.plot.suffix not in (".png", ".svg"):
        raise ConfigError(f"--plot {asked.plot}: write a .png or a .svg")
    ground = asked.ground()
    try:
        answer = _answered(asked, ground, span, axes, began)
    finally:
        ground.close()
    holes = [f"gap: {g.start} to {g.end}: {g.reason}{f' ({g.detail})' if g.detail else ''}" for g in answer.gaps]
    for line in [*holes, *answer.problems]:
        sys.stderr.write(f"scenewatch scene backtest: {line}\n")
    return answer


def _answered(asked: Asked, ground: Ground, span: Range, axes: list[Axis], began: float) -> Answer:
    scene = ground.scene(asked.scene)
    if asked.settings:
        scene = changed(scene, asked.settings, ground.types, ground.metrics)
    other = None if asked.compare is None else ground.scene(asked.compare)
    both = [scene] if other is None else [scene, other]
    context, labels = ground.context(*both), ground.labels(asked.labels)
    with bar(quiet=asked.quiet) as tell:
        watchers = SceneSet.of([*{one.id: one for one in [*context.scenes, *both]}.values()])
        if other is not None and other.feeds != scene.feeds:
            watchers = _both(context, scene, other)
        material = load(ground.history, watchers, ground.known, span, progress=tell(_READ))
        first = _tried(material, scene, context, labels, tell(_DECIDED))
        compared = None
        if other is not None:
            second = _tried(material, other, context, labels, tell("comparing"))
            held = (first.held, second.held) if first.held and second.held else None
            compared = difference(first.outcome, second.outcome, held)
        points = None
        if axes:
            points = sweep(
                material, scene, axes, ground.types, context=context, labels=labels, metrics=ground.metrics,
                tell=tell("sweeping"),
            )  # fmt: skip
    told = report(scene, as_live(scene).stage, material, first.outcome, first.held, time.perf_counter() - began)
    if asked.plot is not None:
        from runtime.backtest.plot import draw  # noqa: PLC0415 - only a plot needs it, and it is slow to load

        draw(asked.plot, scene, material, first.outcome, points or [])
    return Answer(**msgspec.structs.asdict(told), compare=compared, sweep=points)


def _both(context: SceneSet, scene: Scene, other: Scene) -> SceneSet:
    """Everybody who watches, where two versions of one scene watch different feeds."""
    renamed = Scene.model_validate({**other.content, "scene": f"{other.id[:55]}-compared"})
    return SceneSet.of([*(one for one in context.scenes if one.id != scene.id), scene, renamed])


def _tried(
    material: Material, scene: Scene, context: SceneSet, labels: Labels | None, tell: Callable[[int, int], None]
) -> Tried:
    outcome = evaluate(material, scene, context, tell=tell)
    held = None if labels is None else labels.held_against(scene.id, outcome, material.range, scene.worth)
    return Tried(scene, outcome, held)


def _write(asked: Asked, answer: Answer) -> None:
    if asked.json_file == TO_STDOUT:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")
        return
    if asked.json_file is not None:
        write_json(Path(asked.json_file), answer)
    if not asked.quiet:
        from runtime.backtest.show import show  # noqa: PLC0415 - a program needs no tables

        show(answer, answer.compare, answer.sweep)


@contextmanager
def bar(*, quiet: bool) -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """A progress bar on a terminal, a line for each part of the work; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda _what: lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:

        def tell(what: str) -> Callable[[int, int], None]:
            task = progress.add_task(what, total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield tell
