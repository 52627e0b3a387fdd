from pathlib import Path

from ingest.journal import Journal, encode_batch
from runtime.journal_keep import JournalKeep
from tests.unit.ingest.test_journal import batch

LONG_AFTER = 1e12


def long_journal(folder: Path) -> Journal:
    journal = Journal(folder, segment_bytes=2_000)
    for i in range(100):
        journal.append([encode_batch(batch(9, i))])
    return journal


def first_kept(journal: Journal) -> int:
    return int(journal.segments()[0].stem.split("-")[1])


def test_a_segment_goes_only_when_recovery_and_history_have_it(tmp_path: Path) -> None:
    journal = long_journal(tmp_path)
    archived = 0
    keep = JournalKeep(journal, keep_ms=0, keep_bytes=0, archived=lambda: archived)
    keep.drop(80, LONG_AFTER)
    assert first_kept(journal) == 1
    archived = 40
    keep.drop(80, LONG_AFTER)
    assert 1 < first_kept(journal) <= 40
    archived = 100
    keep.drop(60, LONG_AFTER)
    assert 40 < first_kept(journal) <= 60
    assert keep.unarchived_dropped == 0
    journal.close()


def test_history_finds_its_last_entry_again_however_much_was_dropped(tmp_path: Path) -> None:
    journal = long_journal(tmp_path)
    for archived in range(1, 101):
        JournalKeep(journal, keep_ms=0, keep_bytes=0, archived=lambda archived=archived: archived).drop(101, LONG_AFTER)  # type: ignore[misc]
        assert next(journal.read(archived - 1)).seq == archived
    journal.close()


def test_without_history_only_recovery_counts(tmp_path: Path) -> None:
    journal = long_journal(tmp_path)
    JournalKeep(journal, keep_ms=0, keep_bytes=0).drop(101, LONG_AFTER)
    assert len(journal.segments()) == 1
    journal.close()


def test_a_history_that_stands_still_does_not_fill_the_disk(tmp_path: Path) -> None:
    journal = long_journal(tmp_path)
    many = len(journal.segments())
    keep = JournalKeep(journal, keep_ms=0, keep_bytes=0, archived=lambda: 5, unarchived_bytes=1 << 30)
    keep.drop(101, LONG_AFTER)
    assert keep.unarchived_dropped == 0
    tight = JournalKeep(journal, keep_ms=0, keep_bytes=0, archived=lambda: 5, unarchived_bytes=40_000)
    tight.drop(101, LONG_AFTER)
    assert 0 < tight.unarchived_dropped < many
    assert first_kept(journal) > 5
    journal.close()
