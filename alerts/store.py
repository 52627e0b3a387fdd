"""Alerts on disk: each change and its outbox row in one SQLite transaction, each event once for ever."""

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from alerts.change import AlertChange, Timing, latency
from alerts.event import EventType, Feedback, LedgerType, Receipt, Verdict
from alerts.kept import LedgerChange
from alerts.stored import (
    SELECT_STORED,
    Acknowledged,
    Durability,
    Status,
    StoredAlert,
    Waiting,
    data_of,
    stored,
    type_of,
)
from core.clock import parse_rfc3339, wall_ns
from core.errors import DataLossError, ScenewatchError, UnavailableError

SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 5_000
_REMEMBERED = 20_000
"""So many events' moment of durability are kept in memory; past that their latency is in part not known."""

_LAST_RESORT_PAGES = 16_384
_CHECKPOINT_EVERY = 200

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    scene TEXT NOT NULL,
    feed TEXT NOT NULL,
    place TEXT NOT NULL,
    town TEXT NOT NULL,
    severity TEXT NOT NULL,
    worst TEXT NOT NULL,
    state TEXT NOT NULL,
    raised_ms INTEGER NOT NULL,
    cleared_ms INTEGER,
    count INTEGER NOT NULL,
    task_number TEXT,
    data BLOB NOT NULL,
    latency BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_raised ON alerts (raised_ms, id);
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (state, severity) WHERE cleared_ms IS NULL;
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    alert TEXT NOT NULL,
    place TEXT NOT NULL,
    type TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    data BLOB NOT NULL,
    timing BLOB NOT NULL,
    status INTEGER NOT NULL,
    done_ns INTEGER,
    reason TEXT
);
CREATE TABLE IF NOT EXISTS verdicts (
    alert TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    by TEXT NOT NULL,
    comment TEXT,
    at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (seq) WHERE status = 0;
CREATE INDEX IF NOT EXISTS outbox_status ON outbox (status, alert);
"""

_INSERT_EVENT = """
INSERT OR IGNORE INTO outbox (id, alert, place, type, at_ms, data, timing, status)
VALUES (?, ?, ?, ?, ?, ?, ?, 0)
"""

_UPSERT_ALERT = """
INSERT INTO alerts (id, revision, scene, feed, place, town, severity, worst, state,
                    raised_ms, cleared_ms, count, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    revision = excluded.revision, severity = excluded.severity, worst = excluded.worst,
    state = excluded.state, cleared_ms = excluded.cleared_ms, count = excluded.count, data = excluded.data
WHERE excluded.revision > alerts.revision
"""

_JUDGE = """
INSERT INTO verdicts (alert, seq, verdict, by, comment, at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (alert) DO UPDATE SET
    seq = excluded.seq, verdict = excluded.verdict, by = excluded.by, comment = excluded.comment, at_ms = excluded.at_ms
WHERE excluded.seq > verdicts.seq
"""

_WAITING = """
SELECT seq, id, type, at_ms, data, timing FROM outbox
WHERE status = 0 AND seq > ? AND place NOT IN (SELECT value FROM json_each(?))
ORDER BY seq LIMIT ?
"""


class AlertStore:
    """Alerts and their outbox in one SQLite file (WAL).

    Any thread may call anything; each has a connection of its own, and writers of this process wait for each
    other on a lock, which is fair and quick, not in SQLite's sleeps. A replay writes what it likes: an event
    is taken once, and an alert only moves on.

    Checkpoints sync and would stall an alert now and then, so `checkpoint` is for another thread to call; a
    writer does it itself only past 64 MiB of log.

    Args:
        path: The file; it is made if it is not there.
        durability: What a write outlives.
        now_ns: Wall time in ns, for measuring.

    Attributes:
        path: The file.

    Raises:
        UnavailableError: If the file cannot be opened or is locked.
        DataLossError: If it is no database, damaged, or of another version.
    """

    def __init__(
        self,
        path: Path,
        durability: Durability = Durability.PROCESS,
        now_ns: Callable[[], int] = wall_ns,
    ) -> None:
        self.path = path
        self._durability = Durability(durability)
        self._now_ns = now_ns
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._durable_ns: OrderedDict[str, int] = OrderedDict()
        self._since_checkpoint = 0
        try:
            with self._errors():
                self._prepare()
        except ScenewatchError:
            self.close()
            raise

    def write(self, changes: Sequence[AlertChange]) -> int:
        """Put changes and their events on disk, all or none; how many were new.

        Raises:
            UnavailableError: If the disk is full or the file is locked or gone; nothing was written.
            DataLossError: If the file is damaged.
        """
        if not changes:
            return 0
        with self._errors(), self._writing:
            with self._transaction(synced=self._durability is Durability.POWER) as db:
                new = [change.id for change in changes if _write_one(db, change)]
            self._durable_ns.update(dict.fromkeys(new, self._now_ns()))
            while len(self._durable_ns) > _REMEMBERED:
                self._durable_ns.popitem(last=False)
            self._since_checkpoint += len(new)
        return len(new)

    def tell(self, ledger: Sequence[LedgerChange]) -> int:
        """Put events of the ledger into the outbox, all or none, each once for ever; how many were new.

        Raises:
            UnavailableError: As for `write`.
        """
        if not ledger:
            return 0
        timing = msgspec.json.encode(Timing())
        rows = [
            (one.id, one.subject, one.data.place, one.type.value, one.at_ms, msgspec.json.encode(one.data), timing)
            for one in ledger
        ]
        with self._errors(), self._writing, self._transaction(synced=self._durability is Durability.POWER) as db:
            new = sum(db.execute(_INSERT_EVENT, row).rowcount for row in rows)
        self._since_checkpoint += new
        return new

    def judge(self, feedback: Feedback) -> None:
        """Keep what an alert turned out to be; an older word than the one that is kept changes nothing.

        Raises:
            ValueError: If it is no verdict.
        """
        if feedback.verdict is None:
            raise ValueError(f"feedback {feedback.seq} is no verdict")
        row = (
            feedback.alert,
            feedback.seq,
            feedback.verdict,
            feedback.by,
            feedback.comment,
            parse_rfc3339(feedback.at),
        )
        with self._errors(), self._writing, self._transaction(synced=self._durability is Durability.POWER) as db:
            db.execute(_JUDGE, row)

    def verdicts(self) -> dict[str, Verdict]:
        """What alerts turned out to be, by alert; those that nobody judged are not there."""
        with self._errors():
            rows = self._db().execute("SELECT alert, verdict FROM verdicts").fetchall()
        return {alert: Verdict(verdict) for alert, verdict in rows}

    def pending(self, limit: int, *, after: int = 0, without: Collection[str] = ()) -> list[Waiting]:
        """Events that wait, in order.

        Args:
            limit: How many at most.
            after: Only those with a higher `seq`.
            without: Places to leave out.
        """
        with self._errors():
            rows = self._db().execute(_WAITING, (after, json.dumps(list(without)), limit)).fetchall()
        with self._writing:  # a writer that has just committed may not have said yet when
            durable_ns = {row[1]: self._durable_ns.get(row[1]) for row in rows}
        return [
            Waiting(
                seq,
                event,
                type_of(kind),
                at_ms,
                data_of(type_of(kind), data),
                msgspec.json.decode(timing, type=Timing),
                durable_ns[event],
            )
            for seq, event, kind, at_ms, data, timing in rows
        ]

    def acked(self, receipts: Sequence[Receipt], at_ns: int) -> list[Acknowledged]:
        """Take receipts down; those of events that wait no longer change nothing.

        The first task number that comes for an alert stays; its latency is that of its opening.

        Args:
            receipts: What the dispatch core answered.
            at_ns: Wall time at which the answer came, ns.
        """
        with self._errors(), self._writing:
            with self._transaction() as db:
                found = [self._ack(db, receipt, at_ns) for receipt in receipts]
            for receipt in receipts:
                self._durable_ns.pop(receipt.id, None)
        return [acknowledged for acknowledged in found if acknowledged is not None]

    def failed(self, event: str, reason: str, at_ns: int) -> None:
        """Park an event that can never be taken; later events of its place go on."""
        with self._errors(), self._writing, self._transaction() as db:
            db.execute(
                "UPDATE outbox SET status = ?, reason = ?, done_ns = ? WHERE id = ? AND status = ?",
                (Status.PARKED, reason, at_ns, event, Status.WAITING),
            )
            self._durable_ns.pop(event, None)

    def retry_parked(self) -> int:
        """Let every parked event wait again; how many there were."""
        with self._errors(), self._writing, self._transaction() as db:
            return db.execute(
                "UPDATE outbox SET status = ?, reason = NULL, done_ns = NULL WHERE status = ?",
                (Status.WAITING, Status.PARKED),
            ).rowcount

    def parked(self, limit: int = 100) -> list[tuple[str, str]]:
        """Event ids that are parked and why, newest first."""
        with self._errors():
            return (
                self._db()
                .execute(
                    "SELECT id, reason FROM outbox WHERE status = ? ORDER BY seq DESC LIMIT ?",
                    (Status.PARKED, limit),
                )
                .fetchall()
            )

    def counts(self) -> dict[str, int]:
        """How many: `alerts`, `open`, `open_{severity}`, `with_task`; events by `Status` in small letters."""
        with self._errors():
            db = self._db()
            total, cased = db.execute("SELECT count(*), count(task_number) FROM alerts").fetchone()
            by_severity = db.execute(
                "SELECT severity, count(*) FROM alerts WHERE cleared_ms IS NULL GROUP BY severity"
            ).fetchall()
            by_status = dict(db.execute("SELECT status, count(*) FROM outbox GROUP BY status").fetchall())
        counts = {"alerts": total, "open": sum(n for _, n in by_severity), "with_task": cased}
        counts.update({status.name.lower(): by_status.get(status, 0) for status in Status})
        counts.update({f"open_{severity}": n for severity, n in by_severity})
        return counts

    def recent(self, limit: int = 50, *, open_only: bool = False) -> list[StoredAlert]:
        """Alerts, the one raised last first."""
        which = " WHERE cleared_ms IS NULL" if open_only else ""
        with self._errors():
            rows = (
                self._db()
                .execute(f"{SELECT_STORED}{which} ORDER BY raised_ms DESC, id DESC LIMIT ?", (limit,))
                .fetchall()
            )
        return [stored(row) for row in rows]

    def by_raised(self) -> list[StoredAlert]:
        """Every alert, the one raised first first."""
        with self._errors():
            return [stored(row) for row in self._db().execute(f"{SELECT_STORED} ORDER BY raised_ms, id").fetchall()]

    def get(self, alert: str) -> StoredAlert | None:
        """One alert by its id."""
        with self._errors():
            row = self._db().execute(f"{SELECT_STORED} WHERE id = ?", (alert,)).fetchone()
        return None if row is None else stored(row)

    def prune(self, before_ms: int) -> int:
        """Forget alerts that cleared before `before_ms` and have nothing left to deliver; how many.

        Call it with a time that no replay goes back to: what is forgotten could be written again.
        """
        gone = (
            "SELECT id FROM alerts WHERE cleared_ms < ? AND NOT EXISTS "
            "(SELECT 1 FROM outbox WHERE outbox.alert = alerts.id AND outbox.status IN (?, ?))"
        )
        arguments = (before_ms, Status.WAITING, Status.PARKED)
        with self._errors(), self._writing, self._transaction() as db:
            db.execute(f"DELETE FROM outbox WHERE alert IN ({gone})", arguments)  # noqa: S608 - no outside text
            db.execute(
                "DELETE FROM outbox WHERE at_ms < ? AND status = ? AND type IN (?, ?, ?)",
                (before_ms, Status.ACKNOWLEDGED, *LedgerType),
            )
            return db.execute(
                "DELETE FROM alerts WHERE cleared_ms < ? AND NOT EXISTS "
                "(SELECT 1 FROM outbox WHERE outbox.alert = alerts.id)",
                (before_ms,),
            ).rowcount

    def checkpoint(self) -> None:
        """Move the log into the file if enough came together; no writer waits for it."""
        if self._since_checkpoint >= _CHECKPOINT_EVERY:
            self._since_checkpoint = 0
            with self._errors():
                self._db().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Close the connections of all threads; nobody may be in a call."""
        with self._opening:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = threading.local()

    # ---- inside

    def _prepare(self) -> None:
        db = self._db()
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, SCHEMA_VERSION}:
            raise DataLossError(
                f"{self.path} is of version {version}, this program reads {SCHEMA_VERSION}; "
                "start the program that wrote it"
            )
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
            )
            with self._opening:
                self._connections.append(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LAST_RESORT_PAGES}")
            self._local.connection = connection
        return connection

    @contextmanager
    def _transaction(self, *, synced: bool = False) -> Iterator[sqlite3.Connection]:
        """A write transaction; one that is not `synced` may be undone by a power cut.

        For receipts that does no harm: the event is sent again, and known by its id.
        """
        db = self._db()
        if self._durability is Durability.POWER:
            db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as plain lines that say the cure."""
        try:
            yield
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise  # ours to mend, not the reader's
        except sqlite3.DatabaseError as error:
            raise _plain(error, self.path) from error

    def _ack(self, db: sqlite3.Connection, receipt: Receipt, at_ns: int) -> Acknowledged | None:
        rows = db.execute(
            "UPDATE outbox SET status = ?, done_ns = ? WHERE id = ? AND status = ? RETURNING alert, type, timing",
            (Status.ACKNOWLEDGED, at_ns, receipt.id, Status.WAITING),
        ).fetchall()
        if not rows:
            return None
        alert, kind, timing = rows[0]
        spent = latency(msgspec.json.decode(timing, type=Timing), self._durable_ns.get(receipt.id), case_ns=at_ns)
        if receipt.task_number is not None:
            db.execute(
                "UPDATE alerts SET task_number = ? WHERE id = ? AND task_number IS NULL",
                (receipt.task_number, alert),
            )
        if kind == EventType.RAISED:
            db.execute("UPDATE alerts SET latency = ? WHERE id = ?", (msgspec.json.encode(spent), alert))
        return Acknowledged(receipt.id, alert, type_of(kind), receipt.task_number, spent)


def _write_one(db: sqlite3.Connection, change: AlertChange) -> bool:
    data = change.data
    content = msgspec.json.encode(data)
    event = (change.id, data.alert, data.place, change.type.value, change.at_ms, content)
    cursor = db.execute(_INSERT_EVENT, (*event, msgspec.json.encode(change.timing)))
    if cursor.rowcount != 1:
        return False
    who = (data.alert, data.revision, data.scene, change.opened_by, data.place, data.town)
    what = (data.severity, data.worst_severity, data.state, change.raised_ms, change.cleared_ms, data.count)
    db.execute(_UPSERT_ALERT, (*who, *what, content))
    return True


_UNAVAILABLE = {
    sqlite3.SQLITE_FULL: "the disk is full; make room, nothing of this write was kept",
    sqlite3.SQLITE_BUSY: "another process holds it locked; stop that one",
    sqlite3.SQLITE_LOCKED: "it is locked; stop the other process that uses it",
    sqlite3.SQLITE_READONLY: "it may not be written to; check its owner and its rights",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and may be written to",
    sqlite3.SQLITE_PERM: "it may not be opened; check its owner and its rights",
    sqlite3.SQLITE_IOERR: "the disk fails to read or write it; check the disk",
}


def _plain(error: sqlite3.DatabaseError, path: Path) -> ScenewatchError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return DataLossError(
            f"{path} is damaged or no alert database ({error}); restore it from a copy, or move it away and "
            "recover the alerts from the journal"
        )
    return UnavailableError(f"{path}: {_UNAVAILABLE.get(code, str(error))}")
