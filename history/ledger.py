"""The ledger: what history has, up to where, and under which names; one SQLite file, the truth about the others.

A file of readings counts once the ledger names it, and a journal entry is in history once the ledger says so: both in
one transaction. Whatever lies in the folder and is not named here was being written when the writer died.
"""

import contextlib
import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from core.errors import DataLossError, UnavailableError
from core.reading import Int64, ReadingBatch
from history.coverage import Brought, Span
from history.days import DAY_MS, day_label
from history.query import FeedName, GapReason, Selection

NAME = "history.sqlite"
_VERSION = 1
_PAGE = 4096
_PATIENCE_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS progress (
  one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, seq INTEGER NOT NULL, seal BLOB NOT NULL,
  stamp INTEGER NOT NULL, readings INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS span (
  id INTEGER PRIMARY KEY, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, after TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS feed (
  id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, device TEXT NOT NULL, metric TEXT NOT NULL, type TEXT NOT NULL,
  UNIQUE (gateway, device, metric, type));
CREATE TABLE IF NOT EXISTS last (page INTEGER PRIMARY KEY, times BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS file (
  path TEXT PRIMARY KEY, day TEXT NOT NULL, type TEXT NOT NULL, metric TEXT NOT NULL, rows INTEGER NOT NULL,
  min_event INTEGER NOT NULL, max_event INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS file_by_time ON file (min_event);
CREATE TABLE IF NOT EXISTS part (
  day TEXT NOT NULL, type TEXT NOT NULL, metric TEXT NOT NULL, dirty INTEGER NOT NULL, expired INTEGER NOT NULL,
  PRIMARY KEY (day, type, metric));
CREATE TABLE IF NOT EXISTS rolled (
  path TEXT PRIMARY KEY, day TEXT NOT NULL, type TEXT NOT NULL, metric TEXT NOT NULL, step_ms INTEGER NOT NULL,
  rows INTEGER NOT NULL, bytes INTEGER NOT NULL, UNIQUE (day, type, metric, step_ms));
CREATE TABLE IF NOT EXISTS brought (
  digest TEXT PRIMARY KEY, name TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
  readings INTEGER NOT NULL, feeds BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS part_of_log (part INTEGER PRIMARY KEY, next INTEGER NOT NULL, known BLOB NOT NULL);
"""
FRESH = ""
"""Day of a file that is not sorted into days yet."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of readings: `path` in the archive, `day` (empty: not sorted into days yet), and what is in it."""

    path: str
    day: str
    type: str
    metric: str
    rows: int
    min_event: int
    max_event: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PartRow:
    """One day of one metric: whether its roll-ups are older than its readings, and whether these have expired."""

    day: str
    type: str
    metric: str
    dirty: bool
    expired: bool


@dataclass(frozen=True, slots=True)
class RolledRow:
    """A file of roll-ups."""

    path: str
    day: str
    type: str
    metric: str
    step_ms: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Up to where history has the journal.

    Attributes:
        seq: Position of the last entry, 0 for none.
        seal: Fingerprint of that entry, by which another journal is recognised.
        stamp: The highest stamp given, ns.
        readings: How many readings there are in all.
    """

    seq: int = 0
    seal: bytes = b""
    stamp: int = 0
    readings: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where history has one part of a log that comes in several.

    Attributes:
        part: Its number.
        next: Position of the first entry that history does not have.
        known: What the reader has to know to go on there, in its own words.
    """

    part: int
    next: int
    known: bytes


class Ledger:
    """Opens or makes the ledger of a history folder.

    Args:
        folder: Where it lies.
        write: False for a reader, which makes nothing.

    Raises:
        UnavailableError: If it cannot be opened, or there is none and `write` is False.
        DataLossError: If it is of another version.
    """

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        self.folder = folder
        path = folder / NAME
        self._mutex = threading.RLock()
        try:
            if write:
                folder.mkdir(parents=True, exist_ok=True)
            elif not path.exists():
                raise UnavailableError(f"{folder}: there is no history yet")
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            if write:
                self._db.executescript(_SCHEMA)
                self._db.execute("INSERT OR IGNORE INTO progress VALUES (1, ?, 0, x'', 0, 0)", (_VERSION,))
            version = self._db.execute("SELECT version FROM progress").fetchone()[0]
        except OSError as error:
            raise UnavailableError(f"{folder} cannot be made for history: {error.strerror}") from error
        except (sqlite3.Error, TypeError) as error:
            raise UnavailableError(f"{path} cannot be opened: {error}") from error
        if version != _VERSION:
            raise DataLossError(f"{path} is of version {version}, this program reads {_VERSION}")

    def close(self) -> None:
        """Close the file."""
        with self._mutex:
            self._db.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the archive against every other writer, of this process and others."""
        with self._mutex, (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside happens, or nothing does.

        Raises:
            UnavailableError: If the disk is full or gone.
        """
        with self._mutex:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise UnavailableError(f"{self.folder / NAME} cannot be written: {error}; is the disk full?") from error

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Everything asked inside is of one moment."""
        with self._mutex:
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("COMMIT")

    def progress(self) -> Progress:
        """Up to where history has the journal."""
        return Progress(*self._one("SELECT seq, seal, stamp, readings FROM progress"))

    def spans(self) -> list[Span]:
        """Spans in which the pipeline listened, by start."""
        rows = self._all("SELECT start_ms, end_ms, after FROM span ORDER BY id")
        return [Span(start, end, GapReason(after)) for start, end, after in rows]

    def marks(self) -> dict[int, Mark]:
        """Up to where history has each part of a log that comes in several; empty where there never was one."""
        return {row[0]: Mark(*row) for row in self._all("SELECT part, next, known FROM part_of_log")}

    def brought(self) -> list[Brought]:
        """What imports brought."""
        rows = self._all("SELECT start_ms, end_ms, feeds FROM brought")
        return [Brought(start, end, frozenset(np.frombuffer(feeds, np.int32).tolist())) for start, end, feeds in rows]

    def import_of(self, digest: str) -> str | None:
        """Name of the file of this digest if it was imported already."""
        row = self._all("SELECT name FROM brought WHERE digest = ?", digest)
        return row[0][0] if row else None

    def feeds(self, beyond: int = -1) -> list[tuple[int, FeedName]]:
        """Feeds with their ids, those after `beyond`."""
        rows = self._all("SELECT id, gateway, device, metric, type FROM feed WHERE id > ? ORDER BY id", beyond)
        return [(row[0], FeedName(*row[1:])) for row in rows]

    def last_times(self) -> Int64:
        """One more than the last event time of each feed by id, whole pages; 0 for none yet."""
        rows = self._all("SELECT page, times FROM last ORDER BY page")
        times = np.zeros((rows[-1][0] + 1) * _PAGE if rows else 0, np.int64)
        for page, body in rows:
            times[page * _PAGE : (page + 1) * _PAGE] = np.frombuffer(body, np.int64)
        return times

    def files(self, of: Selection | None = None) -> list[FileRow]:
        """Files that may hold readings of a selection; all without one."""
        sql = f"SELECT {_columns(FileRow)} FROM file"  # noqa: S608 - names of fields
        if of is None:
            return [FileRow(*row) for row in self._all(f"{sql} ORDER BY day, path")]
        inside = self._all(f"{sql} WHERE min_event < ? AND max_event >= ? ORDER BY day, path", of.end_ms, of.start_ms)
        return [
            row
            for row in (FileRow(*values) for values in inside)
            if row.day == FRESH
            or ((of.types is None or row.type in of.types) and (of.metrics is None or row.metric in of.metrics))
        ]

    def parts(self, of: Selection | None = None) -> list[PartRow]:
        """Every day of every metric; those of the days of a range with a selection."""
        sql = f"SELECT {_columns(PartRow)} FROM part WHERE day BETWEEN ? AND ? ORDER BY day, type, metric"  # noqa: S608
        return [PartRow(d, t, m, bool(dirty), bool(expired)) for d, t, m, dirty, expired in self._all(sql, *_days(of))]

    def rolled(self, of: Selection | None = None) -> list[RolledRow]:
        """Every file of roll-ups; those of the days of a range with a selection."""
        sql = f"SELECT {_columns(RolledRow)} FROM rolled WHERE day BETWEEN ? AND ? ORDER BY day, path"  # noqa: S608
        return [RolledRow(*row) for row in self._all(sql, *_days(of))]

    def _one(self, sql: str) -> tuple[int, bytes, int, int]:
        return self._all(sql)[0]

    def _all(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        with self._mutex:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise UnavailableError(f"{self.folder / NAME} cannot be read: {error}") from error


def put_marks(db: sqlite3.Connection, marks: Sequence[Mark]) -> None:
    """Write up to where the parts of a log are in history."""
    db.executemany("INSERT OR REPLACE INTO part_of_log VALUES (?, ?, ?)", [astuple(mark) for mark in marks])


def put_feeds(db: sqlite3.Connection, feeds: Sequence[tuple[int, FeedName]]) -> None:
    """Write down new feeds."""
    db.executemany("INSERT INTO feed VALUES (?, ?, ?, ?, ?)", [(number, *name) for number, name in feeds])


def put_last(db: sqlite3.Connection, times: Int64, touched: Sequence[int]) -> None:
    """Write the pages of last event times in which the feeds `touched` lie; `times` is padded to whole pages."""
    pages = sorted({int(feed) // _PAGE for feed in touched})
    rows = []
    for page in pages:
        body = np.zeros(_PAGE, np.int64)
        part = times[page * _PAGE : (page + 1) * _PAGE]
        body[: len(part)] = part
        rows.append((page, body.tobytes()))
    db.executemany("INSERT OR REPLACE INTO last VALUES (?, ?)", rows)


def put_files(db: sqlite3.Connection, added: Sequence[FileRow], gone: Sequence[FileRow] = ()) -> None:
    """Name new files and forget others; each day of a metric that got readings needs its roll-ups made again."""
    db.executemany("DELETE FROM file WHERE path = ?", [(row.path,) for row in gone])
    db.executemany("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [astuple(row) for row in added])


def mark_dirty(db: sqlite3.Connection, parts: Sequence[tuple[str, str, str]]) -> None:
    """Note that the roll-ups of days of metrics are older than their readings."""
    db.executemany(
        "INSERT INTO part VALUES (?, ?, ?, 1, 0) ON CONFLICT (day, type, metric) DO UPDATE SET dirty = 1", parts
    )


def put_spans(db: sqlite3.Connection, spans: Sequence[Span], *, goes_on: bool) -> None:
    """Write spans; the first is the last one on disk, grown, if `goes_on`."""
    for i, span in enumerate(spans):
        if i == 0 and goes_on:
            db.execute("UPDATE span SET end_ms = ? WHERE id = (SELECT max(id) FROM span)", (span.end_ms,))
        else:
            db.execute(
                "INSERT INTO span (start_ms, end_ms, after) VALUES (?, ?, ?)",
                (span.start_ms, span.end_ms, str(span.after)),
            )


def put_progress(db: sqlite3.Connection, progress: Progress, readings: int) -> None:
    """Write up to where the log is in history, and that so many readings more are."""
    db.execute(
        "UPDATE progress SET seq = ?, seal = ?, stamp = ?, readings = readings + ?",
        (progress.seq, progress.seal, progress.stamp, readings),
    )


def put_brought(db: sqlite3.Connection, batch: ReadingBatch, digest: str, name: str) -> None:
    """Write down what an import brought: its span, for its own feeds, and that so many readings more are there."""
    start, end = int(batch.event_time.min()), int(batch.event_time.max()) + 1
    feeds = np.unique(batch.feed).astype(np.int32).tobytes()
    db.execute("UPDATE progress SET readings = readings + ?", (len(batch),))
    db.execute(
        "INSERT OR REPLACE INTO brought VALUES (?, ?, ?, ?, ?, ?)", (digest, name, start, end, len(batch), feeds)
    )


def archived_seq(folder: Path) -> int:
    """Up to which journal entry the history in `folder` has it; 0 if that cannot be known."""
    try:
        beside = sqlite3.connect(f"file:{folder / NAME}?mode=ro", uri=True, timeout=1.0)
        try:
            return int(beside.execute("SELECT seq FROM progress").fetchone()[0])
        finally:
            beside.close()
    except (sqlite3.Error, TypeError):
        return 0


def _days(of: Selection | None) -> tuple[str, str]:
    """The first and last day of a range; all days without one."""
    if of is None:
        return "", "9999-99-99"
    return day_label(of.start_ms // DAY_MS), day_label((of.end_ms - 1) // DAY_MS)


def _columns(kind: type) -> str:
    return ", ".join(field.name for field in fields(kind))
