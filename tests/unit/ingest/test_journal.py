import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from core.errors import DataLossError, UnavailableError
from core.reading import ReadingBatch
from ingest.codec import GatewayState
from ingest.journal import (
    Entry,
    FeedNames,
    Journal,
    Kind,
    decode_batch,
    decode_gateway,
    encode_batch,
    encode_gateway,
)


def batch(n: int, arrival: int = 7) -> ReadingBatch:
    return ReadingBatch.of(np.arange(n), np.arange(n) + 100, np.arange(n) / 3, np.full(n, arrival), np.arange(n) % 2)


def same(a: ReadingBatch, b: ReadingBatch) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ReadingBatch.__slots__)


def test_what_was_appended_is_read_back_in_order_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([encode_batch(batch(3))])
    journal.append([encode_gateway(GatewayState("gw-1", online=False, at_ms=5)), encode_batch(batch(1, 9))])
    journal.close()
    again = Journal(tmp_path)
    entries = list(again.read(0))
    again.close()
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert same(decode_batch(entries[0]), batch(3))
    assert decode_gateway(entries[1]) == GatewayState("gw-1", online=False, at_ms=5)
    assert same(decode_batch(entries[2]), batch(1, 9))


def test_readings_of_different_arrivals_keep_theirs(tmp_path: Path) -> None:
    rows = ReadingBatch.of([0, 1], [5, 6], [1, 2], [70, 80])
    journal = Journal(tmp_path)
    journal.append([encode_batch(rows)])
    entry = next(journal.read(0))
    journal.close()
    assert entry.kind is Kind.READINGS_WITH_ARRIVAL
    assert same(decode_batch(entry), rows)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("arrivals", [[70, 70, 70], [70, 80, 90]])
def test_columns_that_are_read_back_have_the_form_for_which_kernels_are_compiled(
    rows: int, arrivals: list[int]
) -> None:
    kind, body = encode_batch(ReadingBatch.of([0, 1, 2], [5, 6, 7], [1, 2, 3], arrivals)[:rows])
    found = decode_batch(Entry(1, kind, body))
    columns = [getattr(found, name) for name in ReadingBatch.__slots__]
    assert all(one.flags.aligned and one.flags.writeable and one.flags.c_contiguous for one in columns)


def test_an_entry_stands_in_the_file_before_append_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([encode_batch(batch(2))])
    beside = sqlite3.connect(journal.segments()[0])
    assert beside.execute("SELECT count(*) FROM entry").fetchone() == (1,)
    beside.close()
    journal.close()


def test_segments_follow_one_another_and_old_ones_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2_000)
    for i in range(100):
        journal.append([encode_batch(batch(9, i))])
    assert len(journal.segments()) > 5
    assert [entry.seq for entry in journal.read(0)] == list(range(1, 101))
    assert [entry.seq for entry in journal.read(95)] == [96, 97, 98, 99, 100]
    assert journal.drop_before(51) > 0
    assert [entry.seq for entry in journal.read(50)] == list(range(51, 101))
    journal.close()
    again = Journal(tmp_path, segment_bytes=2_000)
    assert again.last_seq == 100
    assert again.append([encode_batch(batch(1))]) == 101
    assert [entry.seq for entry in again.read(99)] == [100, 101]
    again.close()


def test_segments_that_nobody_needs_stay_while_they_are_young_and_few(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2_000)
    for i in range(100):
        journal.append([encode_batch(batch(9, i))])
    everything = len(journal.segments())
    assert journal.drop_before(101, keep_since_s=0.0, keep_bytes=1 << 30) == 0
    assert journal.drop_before(101, keep_since_s=0.0, keep_bytes=20_000) > 0
    assert 1 < len(journal.segments()) < everything
    journal.drop_before(101)
    assert len(journal.segments()) == 1
    assert journal.append([encode_batch(batch(1))]) == 101
    journal.close()


def test_a_missing_segment_is_said_and_not_passed_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2_000)
    for i in range(100):
        journal.append([encode_batch(batch(9, i))])
    journal.close()
    lost = sorted(tmp_path.glob("journal-*.sqlite"))[2]
    lost.unlink()
    again = Journal(tmp_path)
    with pytest.raises(DataLossError, match="are missing"):
        list(again.read(0))
    again.close()


def test_a_file_that_is_no_journal_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "journal-0000000000000001.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DataLossError, match="journal-0000000000000001"):
        Journal(tmp_path)


def test_a_segment_that_was_only_begun_when_the_program_was_killed_does_not_matter(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    written.append([encode_batch(batch(2))])
    written.close()
    (tmp_path / "journal-0000000000000002.sqlite").touch()
    begun = sqlite3.connect(tmp_path / "journal-0000000000000003.sqlite")
    begun.execute("PRAGMA journal_mode=WAL")
    begun.close()
    again = Journal(tmp_path)
    assert again.append([encode_batch(batch(1))]) == 2
    assert [entry.seq for entry in again.read(0)] == [1, 2]
    again.close()


def test_a_copy_beside_the_segments_is_none_of_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([encode_batch(batch(2))])
    journal.close()
    shutil.copy(journal.segments()[0], tmp_path / "journal-copy.sqlite")
    again = Journal(tmp_path)
    assert len(again.segments()) == 1
    assert again.append([encode_batch(batch(2))]) == 2
    again.close()


def test_a_segment_of_another_version_is_refused_and_not_written_to(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([encode_batch(batch(2))])
    journal.close()
    other = sqlite3.connect(journal.segments()[0])
    other.execute(f"PRAGMA application_id={0x53574A32}")
    other.close()
    with pytest.raises(DataLossError, match="of this version"):
        Journal(tmp_path)


def test_an_entry_of_an_unknown_kind_is_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    other = sqlite3.connect(journal.segments()[0])
    other.execute("INSERT INTO entry VALUES (1, 99, x'00')")
    other.commit()
    other.close()
    with pytest.raises(DataLossError, match="entry 1 is of kind 99"):
        list(journal.read(0))
    journal.close()


@pytest.mark.parametrize("cut", [1, 4096, 5000])
def test_a_segment_that_is_cut_short_is_refused_by_name(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path, segment_bytes=20_000)
    for i in range(300):
        journal.append([encode_batch(batch(9, i))])
    journal.close()
    first = journal.segments()[0]
    os.truncate(first, first.stat().st_size - cut)
    again = Journal(tmp_path)
    with pytest.raises(DataLossError, match=first.name):
        list(again.read(0))
    again.close()


def test_a_full_disk_is_one_clear_error_and_nothing_half_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([encode_batch(batch(1))])
    names = FeedNames(tmp_path / "feeds.sqlite")
    for connection in (journal._connection, names._connection):
        connection.execute("PRAGMA max_page_count=1")  # SQLite raises it to what is there: not a page more
    with pytest.raises(UnavailableError, match="disk"):
        journal.append([encode_batch(batch(9)), encode_batch(batch(4000))])
    with pytest.raises(UnavailableError, match="disk"):
        names.append(0, [b"gw\0a\0m" * 1000])
    assert journal.last_seq == 1
    assert [entry.seq for entry in journal.read(0)] == [1]
    assert list(names.load()) == []
    journal.close()
    names.close()


def test_feed_names_keep_their_indices(tmp_path: Path) -> None:
    names = FeedNames(tmp_path / "feeds.sqlite")
    names.append(0, [b"gw\0a\0m", b"gw\0b\0m"])
    names.append(2, [b"gw\0c\0m"])
    names.close()
    again = FeedNames(tmp_path / "feeds.sqlite")
    assert list(again.load()) == [b"gw\0a\0m", b"gw\0b\0m", b"gw\0c\0m"]
    again.close()
