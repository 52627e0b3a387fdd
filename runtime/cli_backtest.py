"""`scenewatch scene backtest`: what a scene would have raised, and with other values."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from core.clock import wall_ns
from runtime.backtest.answer import Answer, Question, Tell, answer
from runtime.backtest.ground import Ground, range_of
from runtime.backtest.material import Range
from runtime.backtest.sweep import axes_of
from runtime.backtest.which import changed
from runtime.summary import write_json

TO_STDOUT = "-"


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


def backtest(asked: Asked) -> int:
    """Answer; 0, or 1 if the scene breaks its daily budget. Holes in the range are told, each a line.

    Raises:
        ConfigError: If something that was typed is wrong.
        UnavailableError: If there is no history.
    """
    found = answered(asked)
    _write(asked, found)
    return 1 if found.budget.days_over else 0


def answered(asked: Asked) -> Answer:
    """The answer; holes in the range and files that cannot be read are told on standard error.

    Raises:
        ConfigError: If something that was typed is wrong.
        UnavailableError: If there is no history.
    """
    began = time.perf_counter()
    span, axes = asked.range(), axes_of(asked.sweeps)
    ground = asked.ground()
    try:
        scene = ground.scene(asked.scene)
        if asked.settings:
            scene = changed(scene, asked.settings, ground.types, ground.metrics)
        other = None if asked.compare is None else ground.scene(asked.compare)
        question = Question(
            scene=scene, span=span, warm=asked.warm is None, other=other, axes=tuple(axes), truth=asked.labels,
            plot=asked.plot,
        )  # fmt: skip
        with bar(quiet=asked.quiet) as tell:
            found = answer(ground, question, tell, began=began)
    finally:
        ground.close()
    holes = [f"gap: {g.start} to {g.end}: {g.reason}{f' ({g.detail})' if g.detail else ''}" for g in found.gaps]
    for line in [*holes, *found.problems]:
        sys.stderr.write(f"scenewatch scene backtest: {line}\n")
    return found


def _write(asked: Asked, found: Answer) -> None:
    if asked.json_file == TO_STDOUT:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
        return
    if asked.json_file is not None:
        write_json(Path(asked.json_file), found)
    if not asked.quiet:
        from runtime.backtest.show import show  # noqa: PLC0415 - a program needs no tables

        show(found, found.compare, found.sweep)


@contextmanager
def bar(*, quiet: bool) -> Iterator[Tell]:
    """A progress bar on a terminal, a line for each part of the work; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            progress.update(tasks[what], completed=done, total=total)

        yield tell
