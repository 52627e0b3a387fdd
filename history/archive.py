"""Readings at rest: small files as they come, sorted into days and metrics, few files in the end.

    fresh/N.parquet                                     as they came, some seconds each
    readings/day=D/type=T/metric=M/N.parquet            sorted into days (of event time, UTC) and metrics
    rollup/step=60000/day=D/type=T/metric=M/N.parquet   summaries (history/rollup.py)
    history.sqlite                                      the ledger, which says which of them count

Every file is written beside, synced and renamed before the ledger names it, and removed after the ledger has forgotten
it; so a death at any moment leaves at most files that nobody names, which the next start removes.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from core.reading import Int64, ReadingBatch
from history.columns import Stored, Unreadable, arranged, read_stored, taken, write_stored
from history.coverage import Span
from history.days import DAY_MS, day_label
from history.ledger import (
    FRESH,
    FileRow,
    Ledger,
    Mark,
    Progress,
    mark_dirty,
    put_brought,
    put_feeds,
    put_files,
    put_last,
    put_marks,
    put_progress,
    put_spans,
)
from history.query import FeedName

log = logging.getLogger("scenewatch.history")

_OLDEST_DAYS = 366
_FOLD_FILES = 64
_FOLD_ROWS = 1_000_000
_MERGE_AT = 8
_LARGE = 4_000_000

Tell = Callable[[int, int], None]
"""Called with (done, in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Readings of some journal entries and what the ledger has to know of them.

    Attributes:
        batch: In the order of arrival, sequenced; `feed` is history's own id.
        lag: ns between arrival and stamp, int64, shape (n,).
        progress: Up to where the journal is in history with this piece.
        new_feeds: Feeds that no piece before had.
        spans: Spans in which the pipeline listened; the first may be the last one, grown.
        goes_on: Whether it is.
        last: One more than the last event time of each feed, by id.
        marks: Up to where the parts of the log are in history with this piece, where it comes in several.
    """

    batch: ReadingBatch
    lag: Int64
    progress: Progress
    new_feeds: Sequence[tuple[int, FeedName]] = ()
    spans: Sequence[Span] = ()
    goes_on: bool = False
    last: Int64
    marks: Sequence[Mark] = ()


def settle(db: sqlite3.Connection, piece: Piece) -> None:
    """Write down all of a piece but where its readings lie: feeds, spans, last times, up to where the log is there."""
    put_feeds(db, piece.new_feeds)
    put_spans(db, piece.spans, goes_on=piece.goes_on)
    put_marks(db, piece.marks)
    if len(piece.batch):
        put_last(db, piece.last, np.unique(piece.batch.feed).tolist())
    put_progress(db, piece.progress, len(piece.batch))


class Archive:
    """The one writer of a folder of Parquet files; other processes may read it, and wait their turn to write.

    Args:
        folder: Where it lies; made if it is not there.

    Raises:
        UnavailableError: If it cannot be written.
        DataLossError: If it is of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder)
        with self.ledger.alone():
            self._sweep()

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    def put(self, piece: Piece) -> None:
        """Write a piece; it is in history on return, or nothing of it is.

        Raises:
            UnavailableError: If the disk is full or gone.
        """
        files = self._write_fresh(piece) if len(piece.batch) else []
        with self.ledger.transaction() as db:
            settle(db, piece)
            put_files(db, files)

    def bring(
        self, batch: ReadingBatch, lag: Int64, new_feeds: Sequence[tuple[int, FeedName]], digest: str, name: str
    ) -> None:
        """Write what was recorded elsewhere, sorted into days at once; it covers its own span for its own feeds.

        Raises:
            UnavailableError: If the disk is full or gone.
        """
        added = self._write_days(batch, lag, {**dict(self.ledger.feeds()), **dict(new_feeds)})
        with self.ledger.transaction() as db:
            put_feeds(db, new_feeds)
            put_files(db, added)
            mark_dirty(db, [(row.day, row.type, row.metric) for row in added])
            put_brought(db, batch, digest, name)

    def fold(self, *, least_files: int = _FOLD_FILES, least_rows: int = _FOLD_ROWS) -> int:
        """Sort fresh files into days and metrics once there are many; returns how many readings were."""
        with self.ledger.alone():
            fresh = [row for row in self.ledger.files() if row.day == FRESH]
            if not fresh or (len(fresh) < least_files and sum(row.rows for row in fresh) < least_rows):
                return 0
            stored, read = self._read(fresh)
            batch = ReadingBatch.concat([one.batch for one in stored])
            lag = np.concatenate([one.lag for one in stored]) if stored else np.empty(0, np.int64)
            added = self._write_days(batch, lag, dict(self.ledger.feeds())) if len(batch) else []
            with self.ledger.transaction() as db:
                put_files(db, added, gone=read)
                mark_dirty(db, [(row.day, row.type, row.metric) for row in added])
            self._remove(read)
            return len(batch)

    def compact(self, until_ms: int, tell: Tell | None = None) -> int:
        """Make few files of many: of a day that ended before `until_ms` one, of a running day fewer.

        Returns:
            How many files went.
        """
        with self.ledger.alone():
            groups = self._groups(until_ms)
        went = 0
        for i, group in enumerate(groups):
            with self.ledger.alone():
                went += self._merge(group)
            if tell is not None:
                tell(i + 1, len(groups))
        return went

    def expire(self, first_day: Callable[[str], str]) -> int:
        """Drop the readings of days before the one that `first_day` says for their device type; returns how many.

        Those whose roll-ups are not made yet stay until they are.
        """
        with self.ledger.alone():
            waiting = {(part.day, part.type, part.metric) for part in self.ledger.parts() if part.dirty}
            gone = [
                row
                for row in self.ledger.files()
                if row.day != FRESH and row.day < first_day(row.type) and (row.day, row.type, row.metric) not in waiting
            ]
            with self.ledger.transaction() as db:
                put_files(db, [], gone)
                db.executemany(
                    "UPDATE part SET expired = 1 WHERE day = ? AND type = ? AND metric = ?",
                    [(row.day, row.type, row.metric) for row in gone],
                )
            self._remove(gone)
            return sum(row.rows for row in gone)

    def _write_fresh(self, piece: Piece) -> list[FileRow]:
        batch = piece.batch
        rank = np.arange(len(batch), dtype=np.int32)
        # Named after its last stamp, which no other has: a piece that comes again takes the place of its first try.
        path = Path("fresh") / f"{piece.progress.stamp}.parquet"
        size = write_stored(self.folder / path, Stored(batch, piece.lag, rank))
        return [_row(path, FRESH, "", "", batch, size)]

    def _write_days(self, batch: ReadingBatch, lag: Int64, names: dict[int, FeedName]) -> list[FileRow]:
        """Readings in any order as one file for each day and metric."""
        kinds = sorted({(name.type, name.metric) for name in names.values()})
        position = {kind: i for i, kind in enumerate(kinds)}
        series_of = np.zeros(max(names) + 1, np.int64)
        for feed, name in names.items():
            series_of[feed] = position[name.type, name.metric]
        day = day_of(batch.event_time, batch.arrival)
        key = day * len(kinds) + series_of[batch.feed]
        order = np.argsort(key, kind="stable")
        cuts = np.flatnonzero(np.diff(key[order])) + 1
        added = []
        for rows in np.split(order, cuts):
            kind, metric = kinds[int(key[rows[0]] % len(kinds))]
            label = day_label(int(day[rows[0]]))
            added.append(self._write_part(label, kind, metric, arranged(taken(batch, rows), lag[rows])))
        return added

    def _write_part(self, day: str, kind: str, metric: str, stored: Stored) -> FileRow:
        number = f"{int(stored.stamp[0])}-{os.urandom(4).hex()}.parquet"
        path = Path("readings") / f"day={day}" / f"type={safe(kind)}" / f"metric={safe(metric)}" / number
        size = write_stored(self.folder / path, stored)
        return _row(path, day, kind, metric, stored.batch, size)

    def _groups(self, until_ms: int) -> list[list[FileRow]]:
        closed = day_label(until_ms // DAY_MS)
        by_part: dict[tuple[str, str, str], list[FileRow]] = {}
        for row in self.ledger.files():
            if row.day != FRESH and row.rows < _LARGE:
                by_part.setdefault((row.day, row.type, row.metric), []).append(row)
        return [
            rows for (day, _, _), rows in by_part.items() if len(rows) >= (2 if day < closed else _MERGE_AT)
        ]  # fmt: skip

    def _merge(self, rows: list[FileRow]) -> int:
        still = {row.path for row in self.ledger.files()}
        if not all(row.path in still for row in rows):
            return 0  # another process was here meanwhile
        stored, read = self._read(rows)
        if len(read) < 2:
            return 0
        batch = ReadingBatch.concat([one.batch for one in stored])
        lag = np.concatenate([one.lag for one in stored])
        first = rows[0]
        merged = self._write_part(first.day, first.type, first.metric, arranged(batch, lag))
        with self.ledger.transaction() as db:
            put_files(db, [merged], gone=read)
        self._remove(read)
        return len(read) - 1

    def _read(self, rows: Iterable[FileRow]) -> tuple[list[Stored], list[FileRow]]:
        """What can be read, and of which files; one that cannot stays where it is, and its hole is reported."""
        stored, read = [], []
        for row in rows:
            try:
                one = read_stored(self.folder / row.path)
                if len(one) != row.rows:
                    raise ValueError(f"{len(one)} rows, {row.rows} were written")
            except Unreadable as error:
                log.error("%s cannot be read, its readings are a hole in history: %s", row.path, _short(error))  # noqa: TRY400
                continue
            stored.append(one)
            read.append(row)
        return stored, read

    def _remove(self, rows: Iterable[FileRow]) -> None:
        for row in rows:
            (self.folder / row.path).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove files that nobody names: they were being written, or being removed, when the writer died."""
        named = {row.path for row in self.ledger.files()} | {row.path for row in self.ledger.rolled()}
        for top in ("fresh", "readings", "rollup"):
            for path in (self.folder / top).rglob("*.p*"):
                if path.is_file() and path.relative_to(self.folder).as_posix() not in named:
                    path.unlink(missing_ok=True)


def day_of(event_time: Int64, arrival: Int64) -> Int64:
    """Day of each reading since the epoch, UTC: that of its event time, but at most a year before its arrival.

    A clock that is wrong by decades makes no folder for each of its days; the file's own bounds say what is in it.
    """
    return np.maximum(event_time // DAY_MS, arrival // (DAY_MS * 1_000_000) - _OLDEST_DAYS)


def safe(name: str) -> str:
    """A name as a part of a path; `-` for none."""
    return quote(name, safe="").replace(".", "%2E") if name else "-"


def _row(path: Path, day: str, kind: str, metric: str, batch: ReadingBatch, size: int) -> FileRow:
    least, most = int(batch.event_time.min()), int(batch.event_time.max())
    return FileRow(path.as_posix(), day, kind, metric, len(batch), least, most, size)


def _short(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
