"""Columns in Parquet files: how they are encoded, written whole or not at all, and read back checked."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from core.errors import UnavailableError
from core.reading import Int32, Int64, ReadingBatch

SCHEMA = pa.schema(
    [
        pa.field("feed", pa.int32(), nullable=False),
        pa.field("event_time", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("arrival", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("quality", pa.uint8(), nullable=False),
        pa.field("lag", pa.int64(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
    ]
)
"""`arrival + lag` is the stamp: unique, in the order in which the live engine took the readings. `rank` is the position
in that order within the file."""

ROLLED = pa.schema(
    [
        pa.field("feed", pa.int32(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("least", pa.float64(), nullable=False),
        pa.field("most", pa.float64(), nullable=False),
        pa.field("mean", pa.float64(), nullable=False),
        pa.field("last", pa.float64(), nullable=False),
        pa.field("last_time", pa.int64(), nullable=False),
        pa.field("last_stamp", pa.int64(), nullable=False),
    ]
)

# The others keep what was freed: hundreds of MiB after a month was read, and on machines that are given memory as they
# touch it getting it anew takes longer than reading.
pa.set_memory_pool(pa.system_memory_pool())

_NO_RANK: Int32 = np.empty(0, np.int32)
_GROUP = 65_536
_LEVEL = 3
_DELTA = "DELTA_BINARY_PACKED"

Unreadable = (OSError, ValueError, pa.ArrowException)
"""What a damaged file raises."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Readings as they stand in a file: the columns of a batch and what puts them in order.

    Attributes:
        batch: By feed, then stamp; `feed` is history's own id.
        lag: ns between arrival and stamp, int64, shape (n,).
        rank: Position in the order of arrival, int32, shape (n,), each once; shape (0,) where it was not read.
    """

    batch: ReadingBatch
    lag: Int64
    rank: Int32

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def stamp(self) -> Int64:
        """Order of arrival over all files, ns."""
        return self.batch.arrival + self.lag

    @classmethod
    def joined(cls, parts: "Sequence[Stored]") -> "Stored":
        """Parts of a file, one after the other, in memory of their own."""
        batch = ReadingBatch.concat([part.batch for part in parts])
        lags, ranks = [part.lag for part in parts], [part.rank for part in parts]
        return cls(batch, np.concatenate([np.empty(0, np.int64), *lags]), np.concatenate([_NO_RANK, *ranks]))

    def fixed(self) -> "Stored":
        """The same, not to be written to: numba compiles a kernel once more for columns that may be."""
        b = self.batch
        feed, event_time, value, arrival, quality, lag, rank = (
            _fixed(column) for column in (b.feed, b.event_time, b.value, b.arrival, b.quality, self.lag, self.rank)
        )
        return Stored(ReadingBatch(feed, event_time, value, arrival, quality), lag, rank)

    def rows(self, which: Int32) -> "Stored":
        """Some rows, in the order given."""
        return Stored(taken(self.batch, which), self.lag[which], self.rank[which])


def arranged(batch: ReadingBatch, lag: Int64) -> Stored:
    """Readings in any order, arranged for a file: by feed, then stamp, which is arrival and `lag`, ns, shape (n,)."""
    stamp = batch.arrival + lag
    by_feed = np.lexsort((stamp, batch.feed))
    rank = np.empty(len(batch), np.int32)
    rank[np.argsort(stamp[by_feed], kind="stable")] = np.arange(len(batch), dtype=np.int32)
    return Stored(taken(batch, by_feed), lag[by_feed], rank)


def check_written(groups: Sequence[Stored], rows: int) -> None:
    """See to it that what was read of a file of so many rows can be what was written.

    Raises:
        ValueError: If it cannot.
    """
    for group in groups:
        if group.batch.feed.min(initial=0) < 0 or group.rank.min(initial=0) < 0 or group.rank.max(initial=-1) >= rows:
            raise ValueError("its rows are not those that were written")


def ranked(stored: Stored) -> Stored:
    """The same with ranks where they were not read."""
    if len(stored.rank) == len(stored):
        return stored
    rank = np.empty(len(stored), np.int32)
    rank[np.argsort(stored.stamp, kind="stable")] = np.arange(len(stored), dtype=np.int32)
    return Stored(stored.batch, stored.lag, rank)


def by_feed(stored: Stored) -> Stored:
    """Readings of a file in the order of arrival, arranged by feed."""
    return stored.rows(np.argsort(stored.batch.feed, kind="stable").astype(np.int32))


def taken(batch: ReadingBatch, rows: NDArray[np.intp] | Int32) -> ReadingBatch:
    """Some rows of a batch, in the order given."""
    return ReadingBatch(
        batch.feed[rows], batch.event_time[rows], batch.value[rows], batch.arrival[rows], batch.quality[rows]
    )


def write_stored(path: Path, stored: Stored) -> int:
    """Write readings; the file is there whole and synced on return. Returns its size.

    Raises:
        UnavailableError: If the disk is full or gone.
    """
    batch = stored.batch
    table = pa.table(
        [
            batch.feed,
            pa.array(batch.event_time).cast(SCHEMA.field("event_time").type),
            batch.value,
            pa.array(batch.arrival).cast(SCHEMA.field("arrival").type),
            batch.quality,
            stored.lag,
            stored.rank,
        ],
        schema=SCHEMA,
    )
    return _whole(path, lambda partial: write_readings_table(partial, table))


def write_readings_table(path: Path, table: pa.Table) -> None:
    """Write a table of `SCHEMA` with the encodings that suit its columns."""
    parquet.write_table(
        table, path, row_group_size=_GROUP, compression="zstd", compression_level=_LEVEL,
        use_dictionary=["feed", "value", "quality"], write_statistics=["feed", "event_time", "value"],
        column_encoding={"event_time": _DELTA, "arrival": _DELTA, "lag": _DELTA, "rank": _DELTA},
        write_page_checksum=True, store_schema=False,
    )  # fmt: skip


def write_rolled(path: Path, table: pa.Table) -> int:
    """Write roll-ups of `ROLLED`; as `write_stored`."""
    return _whole(
        path,
        lambda partial: parquet.write_table(
            table.cast(ROLLED), partial, row_group_size=_GROUP, compression="zstd", compression_level=_LEVEL,
            write_page_checksum=True, store_schema=False,
        ),
    )  # fmt: skip


def read_stored(path: Path, wanted: Int32 | None = None, start_ms: int = 0, end_ms: int = 1 << 62) -> Stored:
    """Readings of a file in one; see `read_groups`."""
    return Stored.joined(read_groups(path, wanted, start_ms, end_ms))


def read_groups(
    path: Path, wanted: Int32 | None = None, start_ms: int = 0, end_ms: int = 1 << 62, *, ranked: bool = True
) -> list[Stored]:
    """Row groups of a file, in their order; those whose statistics show that nothing of them is wanted are not read.

    The columns are those that the reader made, and cannot be written to.

    Args:
        path: The file.
        wanted: Ids of feeds, ascending; None for all.
        start_ms: First event time.
        end_ms: Event time at which it ends.
        ranked: Whether ranks are wanted; whoever goes by feed needs none.

    Raises:
        Unreadable: Any of these, if it is damaged.
    """
    names = SCHEMA.names if ranked else SCHEMA.names[:-1]
    with parquet.ParquetFile(path, page_checksum_verification=True, memory_map=False) as file:
        groups = [
            i for i in range(file.metadata.num_row_groups) if _may_hold(file.metadata, i, wanted, start_ms, end_ms)
        ]
        if file.schema_arrow.names != SCHEMA.names:
            raise ValueError(f"its columns are {', '.join(file.schema_arrow.names)}")
        table = file.read_row_groups(groups, columns=names, use_threads=False)
    return [_stored(batch) for batch in table.to_batches()]


def _stored(columns: pa.RecordBatch) -> Stored:
    """Columns as they were read; nothing is copied."""
    feed, event_time, value, arrival, quality, lag, *rank = (_plain(column) for column in columns.columns)
    return Stored(ReadingBatch(feed, event_time, value, arrival, quality), lag, rank[0] if rank else _NO_RANK)


def rows_of(path: Path) -> int:
    """Rows of a file, by its footer.

    Raises:
        Unreadable: Any of these, if it is damaged.
    """
    return int(parquet.read_metadata(path).num_rows)


def _may_hold(metadata: object, group: int, wanted: Int32 | None, start_ms: int, end_ms: int) -> bool:
    columns = metadata.row_group(group)  # type: ignore[attr-defined]
    feeds, times = columns.column(0).statistics, columns.column(1).statistics
    if times is not None and times.has_min_max:
        least, most = times.min_raw, times.max_raw
        if least >= end_ms or most < start_ms:
            return False
    if wanted is None or feeds is None or not feeds.has_min_max:
        return True
    at = int(np.searchsorted(wanted, feeds.min_raw))
    return at < len(wanted) and bool(wanted[at] <= feeds.max_raw)


def _fixed(column: Any) -> Any:
    view = column.view()
    view.flags.writeable = False
    return view


def _plain(column: pa.Array) -> Any:
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    return column.to_numpy()


def _whole(path: Path, write: Callable[[Path], None]) -> int:
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        size = partial.stat().st_size
        partial.replace(path)
        for folder in (path.parent, path.parent.parent):
            _sync(folder)
    except (OSError, pa.ArrowException) as error:
        raise UnavailableError(f"{path} cannot be written: {error}; is the disk full?") from error
    return size


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
