"""P6: a month of one scene's device type out of local history, from the command to the answer, and a sweep."""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.history import bare_read
from benchmarks.report import Report, cost, rate, report
from benchmarks.timing import best, timed
from city.catalogue import shipped
from core.clock import rfc3339
from core.reading import ReadingBatch
from history.archive import Archive, Piece
from history.as_stored import AsStored
from history.coverage import Span
from history.days import DAY_MS
from history.kernel import stamps
from history.ledger import Progress
from history.query import FeedName
from ingest.sequencing import Sequencer
from runtime.backtest.ground import Ground, range_of
from runtime.backtest.material import Material, load
from runtime.backtest.run import as_live, evaluate
from runtime.backtest.sweep import axes_of, sweep
from thresholds.by_feed import Block, parts
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

_BASE_MS = 1_700_006_400_000
_PERIOD_MS = 300_000
_TYPE, _METRIC = "road-water-level", "depth_cm"
_SWEEP = "levels.1.above=6..24/20"


def run(*, quick: bool = False) -> Report:
    """1,000 feeds of one type, a reading every five minutes; now and then one of them is flooded."""
    days, feeds, rounds = (2, 40, 1) if quick else (30, 1_000, 3)
    with tempfile.TemporaryDirectory(prefix="scenewatch-") as name:
        folder = Path(name)
        files = _month(folder, days, feeds)
        scene = folder / "road-flooding.yaml"
        text = (shipped("scenes") / "road-flooding.yaml").read_text()
        # The scene by itself: what the rain does would need weather stations in the history.
        scene.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("inhibit_by:")))
        span = (rfc3339(_BASE_MS), rfc3339(_BASE_MS + days * DAY_MS))
        _command(scene, folder, span)
        command = best(lambda: _command(scene, folder, span), rounds)
        ground = Ground(folder=folder)
        asked = range_of(*span, _BASE_MS + days * DAY_MS, warm="0s")
        chosen = ground.scene(str(scene))
        scenes = SceneSet.of([as_live(chosen)])

        def answer() -> None:
            evaluate(load(ground.history, scenes, ground.known, asked, keep=False), chosen)

        answer()
        material = load(ground.history, scenes, ground.known, asked)
        count = material.count
        assert count == days * feeds * DAY_MS // _PERIOD_MS  # noqa: S101 - a wrong answer is worth nothing
        assert not material.gaps  # noqa: S101
        assert evaluate(material, chosen).alerts  # noqa: S101
        warm = count / best(answer, rounds)
        bare = count / best(lambda: bare_read(files), rounds)
        in_order = count / best(lambda: _in_order(material, chosen), rounds)
        decided = count / best(lambda: evaluate(material, chosen), rounds)
        kernel = count / min(_kernel(scenes, material) for _ in range(rounds))
        axes = axes_of([_SWEEP])
        points = sweep(material, chosen, axes, ground.types)
        assert not any(point.problem for point in points)  # noqa: S101
        swept = best(lambda: sweep(material, chosen, axes, ground.types), rounds)
        ground.close()
    return report(
        "backtest",
        [
            cost(f"{count:,} readings, from the command to the answer", command, "s", at_most=2),
            rate("the same, process warm", warm, "readings/s", at_least=20_000_000),
            rate("the same against its floor", warm, "readings/s", floor=bare, floor_what="pyarrow, the bare files"),
            rate(
                "decided, readings at hand",
                decided,
                "readings/s",
                floor=kernel,
                floor_what="the kernel alone, one core",
            ),
            rate("put in the order of arrival and decided, readings at hand", in_order, "readings/s"),
            cost("sweep of 20 values", swept, "s", at_most=10),
        ],
    )


def _month(folder: Path, days: int, feeds: int) -> list[Path]:
    """Days of readings, sorted into days as the role does it; the files that hold them."""
    rng = np.random.default_rng(17)
    archive = Archive(folder)
    names = [(i, FeedName("gw", f"w{i}", _METRIC, _TYPE)) for i in range(feeds)]
    phase = rng.integers(0, _PERIOD_MS, feeds)
    sequencer, stamp = Sequencer(feeds), 0
    for day in range(days):
        rounds = DAY_MS // _PERIOD_MS
        time_ms = (_BASE_MS + day * DAY_MS + np.arange(rounds)[:, None] * _PERIOD_MS + phase).reshape(-1)
        value = np.round(np.abs(rng.normal(0.5, 0.4, (rounds, feeds))), 1)
        for flooded in rng.integers(0, feeds, max(1, feeds // 100)).tolist():
            begin = int(rng.integers(0, rounds - 24))
            value[begin : begin + 24, flooded] += np.round(rng.uniform(8, 35) * np.sin(np.linspace(0, np.pi, 24)), 1)
        order = np.argsort(time_ms, kind="stable")
        feed = np.tile(np.arange(feeds, dtype=np.int32), rounds)[order]
        batch = sequencer.on_batch(ReadingBatch.of(feed, time_ms[order], value.reshape(-1)[order]))
        lag = np.empty(len(batch), np.int64)
        stamp = int(stamps(batch.arrival, stamp, lag))
        archive.put(
            Piece(
                batch=batch, lag=lag, progress=Progress(day + 1, b"", stamp), new_feeds=names,
                spans=[Span(_BASE_MS, _BASE_MS + (day + 1) * DAY_MS)], goes_on=day > 0, last=np.zeros(feeds, np.int64),
            )
        )  # fmt: skip
        archive.fold(least_files=1)
        names = []
    files = [folder / row.path for row in archive.ledger.files()]
    archive.close()
    return files


def _command(scene: Path, folder: Path, span: tuple[str, str]) -> None:
    """What a designer types, in a process of its own."""
    call = [sys.executable, "-c", "from runtime.main import main; main()", "scene", "backtest", str(scene)]
    # As on a machine where it ran before: Python keeps what it has compiled.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [*call, "--history", str(folder), "--from", span[0], "--to", span[1], "--warm", "0s", "--json", "--quiet"],
        env=environment,
        capture_output=True,
        check=False,
    )
    if not done.stdout or not msgspec.json.decode(done.stdout)["alerts"]:
        raise RuntimeError(done.stderr.decode())


def _kernel(scenes: SceneSet, material: Material) -> float:
    """Seconds of the threshold kernel over the same readings on one core, and nothing else."""
    given = material.given
    assert isinstance(given, AsStored)  # noqa: S101
    engine = Engine(scenes, max_feeds=len(material.feeds))
    engine.bind_many((device, metric) for device, metric, _ in material.feeds)
    (part,) = parts(engine, material.frame(given), 1)
    blocks = [Block(group.batch, group.lag) for group in given.groups()]
    return timed(lambda: part.run(blocks, lambda _: None))


def _in_order(material: Material, scene: Scene) -> None:
    """The other way, for readings whose order matters."""
    evaluate(replace(material, given=replace(material).batch), scene)
