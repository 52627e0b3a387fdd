"""Summaries of spans, made by DuckDB out of readings and of shorter summaries alike.

They are made of days that have ended; of a running day the readings themselves are summarised when somebody asks.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from core.reading import Int32, Quality
from history.archive import Archive, Tell, safe
from history.columns import ROLLED, Stored, Unreadable, read_stored, write_rolled
from history.days import DAY_MS, day_start_ms
from history.ledger import FileRow, PartRow, RolledRow, put_files
from history.query import STEP_MS

log = logging.getLogger("scenewatch.history")

_STEPS = tuple(STEP_MS.values())
_SUMMARY = """
SELECT feed, start - start % {step} AS start, CAST(sum(count) AS BIGINT) AS count, min(least) AS least,
       max(most) AS most, sum(mean * count) / sum(count) AS mean,
       arg_max(last, (last_time, last_stamp)) AS last, max(last_time) AS last_time,
       max_by(last_stamp, (last_time, last_stamp)) AS last_stamp
FROM parts GROUP BY ALL ORDER BY feed, start
"""


def as_parts(stored: Stored) -> pa.Table:
    """Each reading as a summary of itself; repeated ones are left out, for they are the same measurement again."""
    batch = stored.batch
    rows = np.flatnonzero(batch.quality & int(Quality.REPEATED) == 0)
    value, time = pa.array(batch.value[rows]), pa.array(batch.event_time[rows])
    ones = pa.array(np.ones(len(rows), np.int64))
    columns = [pa.array(batch.feed[rows]), time, ones, value, value, value, value, time, pa.array(stored.stamp[rows])]
    return pa.table(columns, schema=ROLLED)


def summarised(
    parts: Sequence[pa.Table], step_ms: int, connection: duckdb.DuckDBPyConnection | None = None
) -> pa.Table:
    """Summaries by feed and span of `step_ms`, by feed, then start, of any summaries that lie within its spans.

    Args:
        parts: Tables of `ROLLED`.
        step_ms: Length of a span, ms.
        connection: A connection to DuckDB, where there is one already.
    """
    if connection is None:
        with duckdb.connect() as made:
            return summarised(parts, step_ms, made)
    connection.register("parts", pa.concat_tables([*parts, ROLLED.empty_table()]))
    found: pa.Table = connection.sql(_SUMMARY.format(step=step_ms)).to_arrow_table()
    return found.cast(ROLLED)


def read_rolled(path: Path, wanted: Int32 | None, start_ms: int, end_ms: int) -> pa.Table:
    """Summaries of a file whose spans begin in a range, of some feeds.

    Raises:
        Unreadable: Any of these, if it is damaged.
    """
    tests: list[tuple[str, str, object]] = [("start", ">=", start_ms), ("start", "<", end_ms)]
    if wanted is not None:
        tests.append(("feed", "in", wanted.tolist()))
    found: pa.Table = parquet.read_table(path, filters=tests, page_checksum_verification=True, schema=ROLLED)
    return found


def make_rollups(archive: Archive, until_ms: int, tell: Tell | None = None) -> int:
    """Make the roll-ups of every day of a metric again that got readings since; returns how many files were written.

    Args:
        archive: What to summarise.
        until_ms: Days that end later are still running and wait.
        tell: Called now and then.
    """
    dirty = [part for part in archive.ledger.parts() if part.dirty and day_start_ms(part.day) + DAY_MS <= until_ms]
    if not dirty:
        return 0
    with duckdb.connect() as connection:
        for i, part in enumerate(dirty):
            with archive.ledger.alone():
                _make(archive, part, connection)
            if tell is not None:
                tell(i + 1, len(dirty))
    return len(dirty) * len(_STEPS)


def expire_rollups(archive: Archive, step_ms: int, before_day: str) -> int:
    """Drop the roll-ups of `step_ms` of days before `before_day`; returns how many files."""
    with archive.ledger.alone():
        gone = [row for row in archive.ledger.rolled() if row.step_ms == step_ms and row.day < before_day]
        with archive.ledger.transaction() as db:
            db.executemany("DELETE FROM rolled WHERE path = ?", [(row.path,) for row in gone])
        for row in gone:
            (archive.folder / row.path).unlink(missing_ok=True)
        return len(gone)


def _make(archive: Archive, part: PartRow, connection: duckdb.DuckDBPyConnection) -> None:
    ledger = archive.ledger
    files = [row for row in ledger.files() if (row.day, row.type, row.metric) == (part.day, part.type, part.metric)]
    before = [row for row in ledger.rolled() if (row.day, row.type, row.metric) == (part.day, part.type, part.metric)]
    readings = list(_readable(archive.folder, files))
    if len(readings) < len(files):
        return  # what was summarised while it could be read is better than less
    written = []
    for step in _STEPS:
        # Readings that have expired live on in their roll-ups only: late ones are added to these.
        old = [read_rolled(archive.folder / row.path, None, 0, 1 << 62) for row in before if row.step_ms == step]
        made = summarised([*readings, *(old if part.expired else [])], step, connection)
        folder = Path("rollup") / f"step={step}" / f"day={part.day}" / f"type={safe(part.type)}"
        path = folder / f"metric={safe(part.metric)}" / f"{os.urandom(8).hex()}.parquet"
        size = write_rolled(archive.folder / path, made)
        written.append(RolledRow(path.as_posix(), part.day, part.type, part.metric, step, len(made), size))
    _name(archive, part, written, gone=files if part.expired else [])
    for one in [row.path for row in before] + [row.path for row in files if part.expired]:
        (archive.folder / one).unlink(missing_ok=True)


def _name(archive: Archive, part: PartRow, written: list[RolledRow], gone: list[FileRow]) -> None:
    """Let the new roll-ups count; late readings of a day that has expired go, once their roll-ups have them."""
    with archive.ledger.transaction() as db:
        put_files(db, [], gone)
        for row in written:
            db.execute("INSERT OR REPLACE INTO rolled VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(row))
        db.execute(
            "UPDATE part SET dirty = 0 WHERE day = ? AND type = ? AND metric = ?", (part.day, part.type, part.metric)
        )


def _readable(folder: Path, files: Iterable[FileRow]) -> Iterable[pa.Table]:
    for row in files:
        try:
            yield as_parts(read_stored(folder / row.path))
        except Unreadable as error:
            log.error("%s cannot be read, its roll-ups stay as they are: %s", row.path, error)  # noqa: TRY400
