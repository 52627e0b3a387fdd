"""A journal as the pipeline writes it, and history made of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.reading import ReadingBatch
from history.archive import Archive
from history.names import JournalNames, types_of
from history.query import FeedName, Readings, Rollup
from history.recorder import Recorder, Sink, record
from ingest.journal import FeedNames, Journal, Listening, encode_batch, encode_listening, follow
from tests.reference.history_twin import Given, Row

TYPES = {"d0": "gauge", "d1": "gauge", "d2": "meter"}
BASE = 1_700_000_000_000
DAY = 86_400_000


def name(device: str) -> FeedName:
    return FeedName("gw", device, "depth" if device != "d3" else "level", TYPES.get(device, ""))


class Source:
    """The journal and the names beside it."""

    def __init__(self, folder: Path, *, segment_bytes: int = 128 << 20) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal", segment_bytes=segment_bytes)
        self.names = FeedNames(folder / "feeds.sqlite")
        self._numbers: dict[str, int] = {}
        for key in self.names.load():
            self._numbers[key.decode().split("\0")[1]] = len(self._numbers)

    def listens(self, at_ms: int, how: Listening = Listening.NEW) -> None:
        self.journal.append([encode_listening(at_ms, how)])

    def takes(self, rows: Sequence[Given]) -> None:
        """One batch."""
        for row in rows:
            if row.device not in self._numbers:
                number = self._numbers[row.device] = len(self._numbers)
                feed = name(row.device)
                self.names.append(number, [f"{feed.gateway}\0{feed.device}\0{feed.metric}".encode()])
        batch = ReadingBatch.of(
            [self._numbers[row.device] for row in rows],
            [row.event_time for row in rows],
            [row.value for row in rows],
            [row.arrival for row in rows],
            [row.quality for row in rows],
        )
        self.journal.append([encode_batch(batch)])

    def close(self) -> None:
        self.journal.close()
        self.names.close()


def recorder(source: Source, sink: Sink) -> Recorder:
    return Recorder(sink, JournalNames(source.folder / "feeds.sqlite"), types_of(TYPES))


def catch_up(source: Source, sink: Sink, *, most_bytes: int = 1 << 30) -> Recorder:
    """History as far as the journal goes."""
    at = recorder(source, sink)
    record(at, follow(source.folder / "journal", at.position), most_bytes=most_bytes)
    at.flush()
    return at


def catch_up_anew(source: Source, sink: Sink) -> Recorder:
    """As the role does when it finds another journal."""
    at = recorder(source, sink)
    first = next(follow(source.folder / "journal", at.position - 1), None)
    assert not at.recognises(first)
    at.begin_again()
    record(at, follow(source.folder / "journal", 0), most_bytes=1 << 30)
    at.flush()
    return at


def archive_of(tmp_path: Path, batches: Iterable[Sequence[Given]]) -> tuple[Source, Archive]:
    source = Source(tmp_path)
    for rows in batches:
        source.takes(rows)
    archive = Archive(tmp_path / "history")
    catch_up(source, archive)
    return source, archive


def rows_of(found: Readings) -> list[Row]:
    batch = found.batch
    return [
        (found.feeds[feed].device, time, value, arrival, quality)
        for feed, time, value, arrival, quality in zip(
            batch.feed.tolist(), batch.event_time.tolist(), batch.value.tolist(), batch.arrival.tolist(),
            batch.quality.tolist(), strict=True,
        )
    ]  # fmt: skip


def spans_of(found: Rollup) -> dict[tuple[str, int], tuple[int, float, float, float, float]]:
    rows = zip(
        found.feed.tolist(), found.start.tolist(), found.count.tolist(), found.least.tolist(), found.most.tolist(),
        found.mean.tolist(), found.last.tolist(), strict=True,
    )  # fmt: skip
    return {(found.feeds[feed].device, start): tuple(rest) for feed, start, *rest in rows}


def about(spans: dict[tuple[str, int], tuple[int, float, float, float, float]]) -> Any:
    """The same spans, means to within rounding."""
    return {key: pytest.approx(summary, rel=1e-9, abs=1e-9) for key, summary in spans.items()}
