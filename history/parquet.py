"""History in Parquet files: answers as columns, with the holes that the ledger and the files themselves show."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from core.errors import UnavailableError
from core.reading import Int32
from history.as_stored import AsStored, Merged, UnreadableFileError, asked_for
from history.columns import Stored, Unreadable, by_feed, check_written, read_groups, read_stored
from history.coverage import Brought, Listener, Span, holes, joined
from history.days import DAY_MS, day_start_ms
from history.ledger import FRESH, FileRow, Ledger, PartRow, RolledRow
from history.query import (
    STEP_MS,
    FeedName,
    Gap,
    GapReason,
    Held,
    Progress,
    Readings,
    Rollup,
    Selection,
    empty_rollup,
)

_TRIES = 5
_AHEAD = 2
_MINUTE = STEP_MS["1m"]
_HOUR = STEP_MS["1h"]

Read = TypeVar("Read")
Row = TypeVar("Row", FileRow, RolledRow)


class _Moved(Exception):  # noqa: N818 - no fault: the archive was tidied while it was read
    """A file was replaced by another since it was listed."""


@dataclass(slots=True)
class _Picture:
    """The ledger at one moment, as far as a selection goes."""

    names: tuple[FeedName, ...]
    ids: Int32
    lookup: Int32
    spans: list[Span]
    brought: list[Brought]
    listeners: list[Listener]
    files: list[FileRow]
    parts: list[PartRow]
    rolled: list[RolledRow]
    gaps: list[Gap] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class ParquetHistory:
    """Answers out of an archive that this or another process writes.

    Args:
        folder: Where the archive lies.
        threads: How many files are read at once; by default one for each core.

    Raises:
        UnavailableError: If there is none.
        DataLossError: If it is of another version.
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        self._folder = folder
        self._ledger = Ledger(folder, write=False)
        self._threads = threads or min(8, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="history")
        self._names: list[tuple[int, FeedName]] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the ledger."""
        self._pool.shutdown()
        self._ledger.close()

    def readings(self, of: Selection, progress: Progress | None = None) -> Readings:
        """See `History`."""
        return self._steady(lambda: self._readings(of, progress))

    def as_stored(self, of: Selection, progress: Progress | None = None, *, keep: bool = True) -> AsStored:
        """See `HoldsByFeed`."""
        return self._steady(lambda: self._as_stored(of, progress, keep=keep))

    def rollup(self, of: Selection, step_ms: int, progress: Progress | None = None) -> Rollup:
        """See `History`."""
        if step_ms <= 0 or step_ms % _MINUTE:
            raise ValueError(f"a step of {step_ms} ms is no whole number of minutes")
        return self._steady(lambda: self._rollup(of, step_ms, progress))

    def gaps(self, of: Selection) -> tuple[Gap, ...]:
        """See `History`. Files are looked at from outside: one that is there but damaged is found by reading it."""
        picture = self._picture(of)
        self._expired(picture, of, ())
        for row in picture.files:
            try:
                if (self._folder / row.path).stat().st_size == row.bytes:
                    continue
            except OSError:
                if row not in self._ledger.files():
                    continue
            self._hole(picture, of, row, GapReason.MISSING)
        return tuple(joined(picture.gaps))

    def feeds(self, of: Selection) -> tuple[FeedName, ...]:
        """See `History`."""
        return tuple(name for _, name in self._known() if of.takes(name))

    def held(self) -> tuple[Held, ...]:
        """See `History`; files that are not sorted into days yet stand under the day, type and metric ``."""
        sums: dict[tuple[str, str, str], list[int]] = {}
        for row in self._ledger.files():
            one = sums.setdefault((row.day, row.type, row.metric), [0, 0, 0])
            one[0] += row.rows
            one[1] += 1
            one[2] += row.bytes
        return tuple(Held(*key, *one) for key, one in sorted(sums.items()))

    def _readings(self, of: Selection, progress: Progress | None) -> Readings:
        picture = self._picture(of)
        self._expired(picture, of, ())
        merged = Merged(sum(row.rows for row in picture.files), picture.lookup)

        def read(row: FileRow) -> tuple[Stored, Int32]:
            return self._read(row, picture, of.start_ms, of.end_ms)

        for stored, order in self._each(picture, of, picture.files, read, progress):
            merged.add(stored, order)
        return Readings(merged.batch, picture.names, tuple(joined(picture.gaps)), tuple(picture.problems))

    def _as_stored(self, of: Selection, progress: Progress | None, *, keep: bool) -> AsStored:
        picture = self._picture(of)
        self._expired(picture, of, ())
        # What lies in no day yet came last.
        rows = sorted(picture.files, key=lambda row: row.day == FRESH)
        files: Iterable[Sequence[Stored]] = _Files(self, picture, of, rows)
        if keep:
            files = tuple(self._groups(picture, of, rows, progress, ranked=True))
        return AsStored(
            files=files, rows=sum(row.rows for row in rows), kept=keep, lookup=picture.lookup, start_ms=of.start_ms,
            end_ms=of.end_ms, feeds=picture.names, gaps=tuple(joined(picture.gaps)), problems=tuple(picture.problems),
        )  # fmt: skip

    def _groups(
        self, picture: _Picture, of: Selection, rows: Sequence[FileRow], progress: Progress | None, *, ranked: bool
    ) -> Iterator[list[Stored]]:
        """The row groups of each file, by feed."""

        def read(row: FileRow) -> list[Stored]:
            if row.day == FRESH:
                return [by_feed(read_stored(self._folder / row.path, picture.ids, of.start_ms, of.end_ms))]
            groups = read_groups(self._folder / row.path, picture.ids, of.start_ms, of.end_ms, ranked=ranked)
            check_written(groups, row.rows)
            return groups

        return self._each(picture, of, rows, read, progress)

    def _rollup(self, of: Selection, step_ms: int, progress: Progress | None) -> Rollup:
        # DuckDB is slow to load, and a backtest does without.
        from history.rollup import as_parts, read_rolled, summarised  # noqa: PLC0415

        base = _HOUR if step_ms % _HOUR == 0 else _MINUTE
        start, end = of.start_ms - of.start_ms % step_ms, of.end_ms + -of.end_ms % step_ms
        wide = Selection(
            start_ms=start, end_ms=end, types=of.types, metrics=of.metrics, devices=of.devices, gateways=of.gateways
        )
        picture = self._picture(wide)
        if not len(picture.ids):
            return empty_rollup(picture.names, step_ms, tuple(joined(picture.gaps)))
        rolled, files = _sources(picture, base, start, end)
        self._expired(picture, wide, rolled)
        tables = list(
            self._each(
                picture,
                wide,
                rolled,
                lambda row: read_rolled(self._folder / row.path, picture.ids, start, end),
                None,
            )
        )

        def read(row: FileRow) -> pa.Table:
            stored, order = self._read(row, picture, start, end)
            return as_parts(stored) if len(order) == len(stored) else as_parts(stored.rows(order))

        tables += self._each(picture, wide, files, read, progress)
        return _answer(summarised(tables, step_ms), picture, step_ms)

    def _read(self, row: FileRow, picture: _Picture, start_ms: int, end_ms: int) -> tuple[Stored, Int32]:
        """Readings of a file, and which of them are asked for, in the order of arrival.

        Raises:
            Unreadable: Any of these, if it is damaged.
        """
        stored = read_stored(self._folder / row.path, picture.ids, start_ms, end_ms)
        return stored, asked_for(stored, picture.lookup, start_ms, end_ms, row.rows)

    def _picture(self, of: Selection) -> _Picture:
        with self._ledger.still():
            known = [(number, name) for number, name in self._known() if of.takes(name)]
            ids = np.array([number for number, _ in known], np.int32)
            lookup = np.full(int(ids[-1]) + 1 if len(ids) else 0, -1, np.int32)
            lookup[ids] = np.arange(len(ids), dtype=np.int32)
            series = {(name.type, name.metric) for _, name in known}
            files = [
                row for row in self._ledger.files(of) if row.day == FRESH or (row.type, row.metric) in series
            ]  # fmt: skip
            picture = _Picture(
                tuple(name for _, name in known), ids, lookup, self._ledger.spans(), self._ledger.brought(),
                self._ledger.listeners(of.start_ms, of.end_ms),
                files if len(ids) else [],
                [part for part in self._ledger.parts(of) if (part.type, part.metric) in series],
                [row for row in self._ledger.rolled(of) if (row.type, row.metric) in series],
            )  # fmt: skip
        picture.gaps += holes(
            of.start_ms, of.end_ms, picture.spans, picture.brought, ids.tolist(), picture.listeners
        )  # fmt: skip
        return picture

    def _known(self) -> list[tuple[int, FeedName]]:
        with self._lock:
            beyond = self._names[-1][0] if self._names else -1
            self._names += self._ledger.feeds(beyond)
            return list(self._names)

    def _each(
        self,
        picture: _Picture,
        of: Selection,
        rows: Sequence[Row],
        read: Callable[[Row], Read],
        progress: Progress | None,
    ) -> Iterator[Read]:
        """What `read` makes of each file, in order, a few of them ahead; a file that cannot be read is a hole."""
        waiting: deque[tuple[Row, Future[Read]]] = deque()
        left = deque(rows)
        done = 0
        while left or waiting:
            while left and len(waiting) < self._threads + _AHEAD:
                row = left.popleft()
                waiting.append((row, self._pool.submit(read, row)))
            row, future = waiting.popleft()
            try:
                yield future.result()
            except Unreadable as error:
                self._unreadable(picture, of, row, error)
            done += 1
            if progress is not None:
                progress(done, len(rows))

    def _unreadable(self, picture: _Picture, of: Selection, row: FileRow | RolledRow, error: Exception) -> None:
        missing = isinstance(error, FileNotFoundError)
        named = {one.path for one in self._ledger.files()} | {one.path for one in self._ledger.rolled()}
        if missing and row.path not in named:
            raise _Moved from error
        reason = GapReason.MISSING if missing else GapReason.DAMAGED
        words = "is missing" if missing else f"cannot be read ({str(error).splitlines()[0]})"
        picture.problems.append(f"{row.path} {words}; its readings are a hole: restore it from a copy")
        self._hole(picture, of, row, reason)

    @staticmethod
    def _hole(picture: _Picture, of: Selection, row: FileRow | RolledRow, reason: GapReason) -> None:
        if isinstance(row, FileRow):
            start, end = row.min_event, row.max_event + 1
        else:
            start, end = day_start_ms(row.day), day_start_ms(row.day) + DAY_MS
        start, end = max(start, of.start_ms), min(end, of.end_ms)
        if start < end:
            picture.gaps.append(Gap(start, end, reason, row.path))

    @staticmethod
    def _expired(picture: _Picture, of: Selection, rolled: Sequence[RolledRow]) -> None:
        kept = {(row.day, row.type, row.metric) for row in rolled}
        for part in picture.parts:
            begin = day_start_ms(part.day)
            start, end = max(begin, of.start_ms), min(begin + DAY_MS, of.end_ms)
            if part.expired and start < end and (part.day, part.type, part.metric) not in kept:
                detail = f"{part.type or '-'}/{part.metric}"
                picture.gaps.append(Gap(start, end, GapReason.EXPIRED, detail))

    @staticmethod
    def _steady(ask: Callable[[], Read]) -> Read:
        """The answer, asked again while the archive is being tidied under it.

        Raises:
            UnavailableError: If that does not end.
        """
        for _ in range(_TRIES):
            try:
                return ask()
            except _Moved:
                continue
        raise UnavailableError("history is being rewritten faster than it can be read; try again")


@dataclass(frozen=True, slots=True)
class _Files:
    """Files that are read again whenever somebody goes through them, a few of them ahead, and not kept."""

    history: ParquetHistory
    picture: _Picture
    of: Selection
    rows: Sequence[FileRow]

    def __iter__(self) -> Iterator[list[Stored]]:
        known = len(self.picture.problems)
        try:
            for groups in self.history._groups(self.picture, self.of, self.rows, None, ranked=False):  # noqa: SLF001
                yield groups
                if len(self.picture.problems) > known:
                    break
        except _Moved as error:
            raise UnreadableFileError("a file was replaced by another while it was read") from error
        if len(self.picture.problems) > known:
            raise UnreadableFileError(self.picture.problems[-1])


def _sources(picture: _Picture, base: int, start: int, end: int) -> tuple[list[RolledRow], list[FileRow]]:
    """Roll-ups where they are current, the files of readings where they are not; never both of one day and metric."""
    dirty = {(part.day, part.type, part.metric) for part in picture.parts if part.dirty and not part.expired}
    rolled = [
        row
        for row in picture.rolled
        if row.step_ms == base
        and day_start_ms(row.day) < end
        and day_start_ms(row.day) + DAY_MS > start
        and (row.day, row.type, row.metric) not in dirty
    ]
    current = {(row.day, row.type, row.metric) for row in rolled}
    late = {(part.day, part.type, part.metric) for part in picture.parts if part.dirty and part.expired}
    files = [
        row
        for row in picture.files
        if (row.day, row.type, row.metric) not in current or (row.day, row.type, row.metric) in late
    ]
    return rolled, files


def _answer(table: pa.Table, picture: _Picture, step_ms: int) -> Rollup:
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    return Rollup(
        picture.lookup[columns["feed"]], columns["start"], columns["count"], columns["least"], columns["most"],
        columns["mean"], columns["last"], picture.names, step_ms,
        tuple(joined(picture.gaps)), tuple(picture.problems),
    )  # fmt: skip
