"""The one append-only log: everything else reads it, and a reading is acknowledged only once it stands here.

SQLite in WAL mode, one row a batch, one file a segment. With `durability="process"` a commit survives the death of the
process (kill -9), with `"power"` that of the machine: each commit is synced, and batches grow by themselves meanwhile.

References: SQLite documentation, "Write-Ahead Logging" and "PRAGMA synchronous" (verified: yes).
"""

import enum
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from core.errors import DataLossError, UnavailableError
from core.reading import ReadingBatch
from ingest.codec import ClockTick, GatewayState

Durability = Literal["process", "power"]

_APPLICATION_ID = 0x53574A31  # "SWJ1"
_SCHEMA = "CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, body BLOB NOT NULL)"
_INSERT = "INSERT INTO entry (seq, kind, body) VALUES (?, ?, ?)"
_SEGMENT = re.compile(r"journal-\d{16}\.sqlite")
_CHECKPOINT_S = 1.0
_NARROW = 4 + 8 + 8 + 1
_WIDE = _NARROW + 8


class Kind(enum.IntEnum):
    """What an entry is; the numbers stand in files."""

    READINGS = 1
    READINGS_WITH_ARRIVAL = 2
    GATEWAY = 3
    CLOCK = 4
    FEEDBACK = 5
    RULES = 6
    RESUME = 7
    DEVICES = 8
    EXPECT = 9
    LISTENING = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal: its position, kind and bytes."""

    seq: int
    kind: Kind
    body: bytes


def encode_batch(batch: ReadingBatch) -> tuple[Kind, bytes]:
    """A batch as bytes: arrival once if it is the same for all rows, then the columns, little-endian."""
    head = int(batch.arrival[0]) if len(batch) else 0
    columns = [
        head.to_bytes(8, "little", signed=True),
        batch.feed.tobytes(),
        batch.event_time.tobytes(),
        batch.value.tobytes(),
        batch.quality.tobytes(),
    ]
    if len(batch) and int(batch.arrival[-1]) != head:
        return Kind.READINGS_WITH_ARRIVAL, b"".join([*columns, batch.arrival.tobytes()])
    return Kind.READINGS, b"".join(columns)


def decode_batch(entry: Entry) -> ReadingBatch:
    """The batch that `encode_batch` wrote.

    Its columns are copies, aligned and writable like those of a batch that comes in live: for views of the bytes the
    kernels would be compiled once more, up to four times, while a start after a crash waits.

    Raises:
        DataLossError: If the bytes do not add up.
    """
    wide = entry.kind is Kind.READINGS_WITH_ARRIVAL
    rows, rest = divmod(len(entry.body) - 8, _WIDE if wide else _NARROW)
    if rest or rows < 0:
        raise DataLossError(f"journal entry {entry.seq} is cut short")
    body, at = entry.body, 8
    feed = np.frombuffer(body, np.int32, rows, at).copy()
    event_time = np.frombuffer(body, np.int64, rows, at + 4 * rows).copy()
    value = np.frombuffer(body, np.float64, rows, at + 12 * rows).copy()
    quality = np.frombuffer(body, np.uint8, rows, at + 20 * rows).copy()
    arrival = (
        np.frombuffer(body, np.int64, rows, at + 21 * rows).copy()
        if wide
        else np.full(rows, int.from_bytes(body[:8], "little", signed=True), np.int64)
    )
    return ReadingBatch(feed, event_time, value, arrival, quality)


def encode_gateway(state: GatewayState) -> tuple[Kind, bytes]:
    """A gateway state as an entry."""
    return Kind.GATEWAY, msgspec.json.encode(state)


def decode_gateway(entry: Entry) -> GatewayState:
    """The gateway state of an entry."""
    return msgspec.json.decode(entry.body, type=GatewayState)


def encode_clock(tick: ClockTick) -> tuple[Kind, bytes]:
    """A tick of a recording's clock as an entry."""
    return Kind.CLOCK, msgspec.json.encode(tick)


def decode_clock(entry: Entry) -> ClockTick:
    """The tick of an entry."""
    return msgspec.json.decode(entry.body, type=ClockTick)


class Listening(enum.IntEnum):
    """What the pipeline knows of its own ears when it writes down that it listens."""

    NEW = 0
    """From now on; the broker kept nothing for us meanwhile."""
    KEPT = 1
    """From now on; the broker kept its session, so what it had acknowledged comes now."""
    STILL = 2
    """It has listened all along since the entry before."""


def encode_listening(at_ms: int, how: Listening) -> tuple[Kind, bytes]:
    """That the pipeline listens at `at_ms`, as an entry."""
    return Kind.LISTENING, at_ms.to_bytes(8, "little") + bytes([how])


def decode_listening(entry: Entry) -> tuple[int, Listening]:
    """(ms, how) of the entry."""
    return int.from_bytes(entry.body[:8], "little"), Listening(entry.body[8])


class Journal:
    """Appends entries in segments; one writer, any number of readers.

    Args:
        folder: Where the segments lie; made if it is not there.
        durability: What a commit survives: `process` or `power`.
        segment_bytes: A new file is begun past this many bytes of entries.

    Raises:
        UnavailableError: If the folder cannot be written.
        DataLossError: If a segment is no journal of this version.
    """

    def __init__(self, folder: Path, *, durability: Durability = "process", segment_bytes: int = 128 << 20) -> None:
        self._folder = folder
        self._durability = durability
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"{folder} cannot be made for the journal: {error.strerror}") from error
        self.last_seq = self._find_last()
        segments = self.segments()
        self._current = segments[-1] if segments else self._path(self.last_seq + 1)
        self._connection = self._open(self._current)
        self._written = self._current.stat().st_size
        self._retired: list[sqlite3.Connection] = []
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="journal-checkpoint", daemon=True)
        self._keeper.start()

    def append(self, entries: list[tuple[Kind, bytes]]) -> int:
        """Write entries in one transaction; durable on return. Returns the position of the last one.

        Raises:
            UnavailableError: If the disk is full or gone; nothing of this call was written.
        """
        if not entries:
            return self.last_seq
        seq = self.last_seq
        try:
            if len(entries) == 1:
                kind, body = entries[0]
                self._connection.execute(_INSERT, (seq + 1, int(kind), body))
            else:
                self._connection.execute("BEGIN IMMEDIATE")
                rows = [(seq + 1 + i, int(kind), body) for i, (kind, body) in enumerate(entries)]
                self._connection.executemany(_INSERT, rows)
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise UnavailableError(
                f"the journal in {self._folder} cannot be written: {error}; is the disk full?"
            ) from error
        self.last_seq = seq + len(entries)
        self._written += sum(len(body) for _, body in entries)
        if self._written >= self._segment_bytes:
            self._rotate()
        return self.last_seq

    def read(self, after: int) -> Iterator[Entry]:
        """Entries behind position `after`, in order, as far as they stood when each segment was opened.

        Raises:
            DataLossError: If a segment cannot be read or entries are missing between segments.
        """
        expected = after + 1
        for path, until in self._spans():
            if until is not None and until <= expected:
                continue
            for entry in _entries(path, expected):
                if entry.seq != expected:
                    raise DataLossError(
                        f"journal entries {expected} to {entry.seq - 1} are missing before {path.name}: "
                        "restore the folder, or start with an empty data folder"
                    )
                expected += 1
                yield entry

    def segments(self) -> list[Path]:
        """Files of the journal, oldest first."""
        return sorted(path for path in self._folder.glob("journal-*.sqlite") if _SEGMENT.fullmatch(path.name))

    def unsynced(self) -> list[Path]:
        """Files of the journal that a power cut may take the end of: those whose log is not in the file yet."""
        return [path for path in self.segments() if path.with_name(path.name + "-wal").exists()]

    def drop_before(self, seq: int, *, keep_since_s: float = float("inf"), keep_bytes: int = 0) -> int:
        """Delete segments all of whose entries come before `seq`; the one written to stays. Returns how many went.

        Args:
            seq: What recovery and history still need begins here.
            keep_since_s: Segments last written at or after this moment (s since the epoch) stay nevertheless,
            keep_bytes: as long as all of them together are not larger than this.
        """
        spans = [(path, until) for path, until in self._spans() if path.exists()]
        total = sum(path.stat().st_size for path, _ in spans)
        dropped = 0
        for path, until in spans:
            if until is None or until > seq or path == self._current:
                break
            stat = path.stat()
            if stat.st_mtime >= keep_since_s and total <= keep_bytes:
                break
            total -= stat.st_size
            self._discard_unused(path)
            dropped += 1
        return dropped

    def close(self) -> None:
        """Checkpoint and close; a second call does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._keeper.join()
        self._connection.close()
        for connection in self._retired:
            connection.close()

    def _spans(self) -> list[tuple[Path, int | None]]:
        """Each segment with the first position of the one after it."""
        paths = [path for path in self.segments() if _first_seq(path) <= self.last_seq or path == self._current]
        firsts = [_first_seq(path) for path in paths]
        return list(zip(paths, [*firsts[1:], None], strict=True))

    def _find_last(self) -> int:
        for path in reversed(self.segments()):
            last = _last_seq(path)
            if last is not None:
                return last
            self._discard_unused(path)
        return 0

    @staticmethod
    def _discard_unused(path: Path) -> None:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def _path(self, first_seq: int) -> Path:
        return self._folder / f"journal-{first_seq:016d}.sqlite"

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=16)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if self._durability == 'power' else 'NORMAL'}")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise UnavailableError(f"{path} cannot be opened for the journal: {error}") from error
        return connection

    def _rotate(self) -> None:
        """Go on in a new file; the old one is checkpointed and closed by the keeper."""
        with self._lock:
            self._retired.append(self._connection)
            self._current = self._path(self.last_seq + 1)
            self._connection = self._open(self._current)
            self._written = 0

    def _keep(self) -> None:
        """Move what was written from the WAL to the file, beside the writer, so that it never waits for a sync."""
        while not self._stop.wait(_CHECKPOINT_S):
            with self._lock:
                retired, self._retired = self._retired, []
                current = self._current
            # What fails (a full disk) is tried again in the next round; nothing depends on it but the size of the WAL.
            for connection in retired:
                try:
                    # Closing would checkpoint too, but under the interpreter's lock.
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    connection.close()
                except sqlite3.Error:
                    with self._lock:
                        self._retired.append(connection)
            with suppress(sqlite3.Error), closing(sqlite3.connect(current, isolation_level=None)) as beside:
                beside.execute("PRAGMA wal_checkpoint(PASSIVE)")


class FeedNames:
    """The feeds' names on disk: index and key, appended before the first batch that uses them.

    They are synced whatever the journal's durability is: a name that a power cut took would be given to another feed,
    and the readings in the journal with it.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            UnavailableError: If it cannot be opened.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS feed (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE)"
            )
        except (sqlite3.Error, OSError) as error:
            raise UnavailableError(f"{path} cannot be opened for the feeds' names: {error}") from error

    def load(self) -> Iterator[bytes]:
        """Keys in the order of their indices.

        Raises:
            DataLossError: If an index is missing or the file is damaged.
        """
        try:
            for expected, (feed, key) in enumerate(self._connection.execute("SELECT id, key FROM feed ORDER BY id")):
                if feed != expected:
                    raise DataLossError(f"feed {expected} has no name: the data folder is damaged")
                yield key
        except sqlite3.Error as error:
            raise DataLossError(f"{self._path} cannot be read: {error}; restore it from a copy") from error

    def append(self, first: int, keys: Iterable[bytes]) -> None:
        """Write the keys of the feeds from `first` on; durable on return.

        Raises:
            UnavailableError: If the disk is full or gone; nothing of this call was written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO feed (id, key) VALUES (?, ?)", list(enumerate(keys, first)))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise UnavailableError(f"{self._path} cannot be written: {error}; is the disk full?") from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _first_seq(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _last_seq(path: Path) -> int | None:
    """Position of a segment's last entry; None if it was begun and nothing was written to it."""
    with _segment(path) as db:
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            return None  # the program was killed while it made the file
        _require_ours(path, db)
        last: int | None = db.execute("SELECT max(seq) FROM entry").fetchone()[0]
        return last


def follow(folder: Path, after: int) -> Iterator[Entry]:
    """Entries behind position `after` of a journal that another process writes; those that are gone are passed over.

    Whoever follows looks at the positions: where one does not follow the one before, entries were dropped.

    Raises:
        DataLossError: If a segment cannot be read.
    """
    paths = sorted(folder.glob("journal-*.sqlite"))
    for path, following in zip(paths, [*paths[1:], None], strict=True):
        if following is not None and _first_seq(following) <= after + 1:
            continue
        try:
            for entry in _entries(path, after + 1):
                yield entry
                after = entry.seq
        except DataLossError:
            if path.exists():
                raise


def _entries(path: Path, first: int) -> Iterator[Entry]:
    with _segment(path) as db:
        _require_ours(path, db)
        for seq, kind, body in db.execute("SELECT seq, kind, body FROM entry WHERE seq >= ? ORDER BY seq", (first,)):
            try:
                yield Entry(seq, Kind(kind), body)
            except ValueError as error:
                raise DataLossError(f"{path}: entry {seq} is of kind {kind}; a newer program wrote it") from error


@contextmanager
def _segment(path: Path) -> Iterator[sqlite3.Connection]:
    """A segment open for reading.

    Raises:
        DataLossError: If it cannot be read, or is shorter than it says.
    """
    try:
        # Not to make a file that was dropped between the look and the opening.
        uri = f"{path.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            log = path.with_name(path.name + "-wal")
            if not log.exists() or not log.stat().st_size:  # else the pages at the end may still be in there
                (pages,), (page,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
                if path.stat().st_size < pages * page:
                    raise DataLossError(f"{path} is cut short; restore it from a copy")
            yield db
    except (sqlite3.Error, OSError) as error:
        raise DataLossError(f"{path} is no readable journal segment: {error}; restore it, or move it away") from error


def _require_ours(path: Path, db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA application_id").fetchone()
    if found != _APPLICATION_ID:
        raise DataLossError(f"{path} is no journal segment of this version; start the program that wrote it")
