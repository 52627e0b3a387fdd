"""History: what the archive takes in, and how fast a month of one metric comes back for the threshold kernel."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.report import Report, cost, rate, report
from benchmarks.timing import best, timed
from core.reading import ReadingBatch
from history.archive import Archive, Piece
from history.coverage import Span
from history.days import DAY_MS
from history.kernel import stamps
from history.ledger import Progress
from history.parquet import ParquetHistory
from history.query import FeedName, Selection

_BASE_MS = 1_700_006_400_000
_FEEDS = 1_000
_PERIOD_MS = 300_000
_PIECE_MS = 21_600_000
_METRICS = ("level", "flow")
_READ_TARGET = 20_000_000
_COLUMNS = ["feed", "event_time", "value", "arrival", "quality"]


def run(*, quick: bool = False) -> Report:
    """A month of 1,000 feeds a metric, two metrics, a reading every five minutes."""
    days, feeds, rounds = (2, 50, 1) if quick else (30, _FEEDS, 3)
    with tempfile.TemporaryDirectory(prefix="scenewatch-") as name:
        folder = Path(name)
        archive = Archive(folder / "history")
        pieces = list(_pieces(days, feeds))
        count = sum(len(piece.batch) for piece in pieces)
        floor = count / timed(lambda: _bare_write(folder / "bare", pieces))
        taken = count / timed(lambda: _put(archive, pieces))
        sorted_in = count / timed(lambda: _tidied(archive, days))
        size = sum(row.bytes for row in archive.ledger.files())
        metric = [folder / "history" / row.path for row in archive.ledger.files() if row.metric == _METRICS[0]]
        archive.close()
        history = ParquetHistory(folder / "history")
        month = Selection.of(_BASE_MS, _BASE_MS + days * DAY_MS, metrics=[_METRICS[0]])
        one = Selection.of(_BASE_MS, _BASE_MS + days * DAY_MS, metrics=[_METRICS[0]], devices=["d7"])
        found = history.readings(month)
        assert len(found) == count // 2  # noqa: S101 - a benchmark of a wrong answer is worth nothing
        assert not found.gaps  # noqa: S101
        bare = len(found) / best(lambda: bare_read(metric), rounds)
        read = len(found) / best(lambda: history.readings(month), rounds)
        single = best(lambda: history.readings(one), rounds) * 1e3
        plot = best(lambda: history.rollup(one, 3_600_000), rounds) * 1e3
        history.close()
    what = "pyarrow writing the same columns"
    return report(
        "history",
        [
            rate("taken in, durable", taken, "readings/s", floor=floor, floor_what=what),
            rate("sorted into days and metrics", sorted_in, "readings/s", floor=floor, floor_what=what),
            rate("one metric's month, in order of arrival", read, "readings/s", at_least=_READ_TARGET),
            rate(
                "the same against its floor",
                read,
                "readings/s",
                floor=bare,
                floor_what="pyarrow reading the bare files",
            ),
            cost("one feed's month", single, "ms"),
            cost("one feed's month, hourly", plot, "ms"),
            cost("on disk", size / count, "bytes/reading", floor=29.0, floor_what="the columns in memory"),
        ],
    )


def _pieces(days: int, feeds: int) -> Iterator[Piece]:
    """Quantised random walks of two metrics, each feed at its own second; a reading takes 20 to 200 ms to come."""
    rng = np.random.default_rng(11)
    names = [(i, FeedName("gw", f"d{i // 2}", _METRICS[i % 2], "gauge")) for i in range(2 * feeds)]
    phase = rng.integers(0, _PERIOD_MS, 2 * feeds)
    value = rng.uniform(0, 100, 2 * feeds)
    stamp, seq = 0, 0
    for begin in range(_BASE_MS, _BASE_MS + days * DAY_MS, _PIECE_MS):
        rounds = _PIECE_MS // _PERIOD_MS
        event_time = (begin + np.arange(rounds)[:, None] * _PERIOD_MS + phase).reshape(-1)
        walk = np.round(value + np.cumsum(rng.normal(0, 0.3, (rounds, 2 * feeds)), axis=0), 1)
        value = walk[-1]
        arrival = event_time * 1_000_000 + rng.integers(20_000_000, 200_000_000, len(event_time))
        order = np.argsort(arrival, kind="stable")
        feed = np.tile(np.arange(2 * feeds, dtype=np.int32), rounds)
        batch = ReadingBatch.of(feed[order], event_time[order], walk.reshape(-1)[order], arrival[order])
        lag = np.empty(len(batch), np.int64)
        stamp, seq = int(stamps(batch.arrival, stamp, lag)), seq + 1
        yield Piece(
            batch=batch, lag=lag, progress=Progress(seq, b"", stamp), new_feeds=names,
            spans=[Span(_BASE_MS, begin + _PIECE_MS)], goes_on=seq > 1, last=np.zeros(2 * feeds, np.int64),
        )  # fmt: skip
        names = []


def _put(archive: Archive, pieces: list[Piece]) -> None:
    for piece in pieces:
        archive.put(piece)


def _tidied(archive: Archive, days: int) -> None:
    archive.fold(least_files=1)
    archive.compact(_BASE_MS + (days + 1) * DAY_MS)


def _bare_write(folder: Path, pieces: list[Piece]) -> None:
    folder.mkdir()
    for i, piece in enumerate(pieces):
        b = piece.batch
        table = pa.table([b.feed, b.event_time, b.value, b.arrival, b.quality], names=_COLUMNS)
        parquet.write_table(table, folder / f"{i}.parquet", compression="zstd")


def bare_read(paths: list[Path]) -> None:
    """Read the columns of files as pyarrow does it by itself: the floor of whatever reads history."""
    for path in paths:
        table = parquet.read_table(path, columns=_COLUMNS)
        for name in _COLUMNS:
            table.column(name).to_numpy()
