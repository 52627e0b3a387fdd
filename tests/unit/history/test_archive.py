"""What the archive of files does beyond what every store does: days, damage, retention, readers beside the writer."""

import logging
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from core.errors import DataLossError, UnavailableError
from core.reading import ReadingBatch
from history.archive import Archive
from history.columns import arranged, read_stored, write_stored
from history.keeping import Retention, tidy
from history.ledger import NAME, archived_seq
from history.parquet import ParquetHistory
from history.query import GapReason, Selection
from history.rollup import make_rollups
from tests.reference.history_twin import Given, Row, rolled, sequenced
from tests.unit.history.parts import BASE, DAY, Source, about, archive_of, catch_up, rows_of, spans_of

HOUR = 3_600_000
END = BASE + 30 * DAY
EVERYTHING = Selection.of(0, END)


def days(count: int, every_ms: int = HOUR) -> list[list[Given]]:
    """A reading of d0 (gauge) and d2 (meter) every hour for some days."""
    times = range(BASE, BASE + count * DAY, every_ms)
    return [
        [Given("d0", at, at % 7, at * 10**6 + 5), Given("d2", at, at % 11, at * 10**6 + 5)] for at in times
    ]  # fmt: skip


def flat(made: list[list[Given]]) -> list[Row]:
    return sequenced([row for rows in made for row in rows])


def tidied(archive: Archive, keep_days: int = 4_000, by_type: dict[str, int] | None = None) -> None:
    archive.fold(least_files=1)
    retention = Retention(
        readings_ms=keep_days * DAY, minutes_ms=4_000 * DAY, hours_ms=4_000 * DAY, by_type=by_type or {}
    )
    tidy(archive, retention, until_ms=END, now_ms=BASE + 10 * DAY)


def test_a_day_of_a_metric_is_one_file_in_the_end_and_another_program_can_read_it(tmp_path: Path) -> None:
    made = days(3)
    source, archive = archive_of(tmp_path, made[:30])
    archive.fold(least_files=1)
    for rows in made[30:]:
        source.takes(rows)
    catch_up(source, archive)
    tidied(archive)
    files = archive.ledger.files()
    assert len(files) == len({(row.day, row.type, row.metric) for row in files}) == 8
    everything = f"{tmp_path}/history/readings/*/*/*/*.parquet"
    with duckdb.connect() as connection:
        found = connection.sql(
            f"SELECT type, count(*), min(event_time), sum(value) FROM '{everything}' GROUP BY type ORDER BY type"  # noqa: S608
        ).fetchall()
    assert [(kind, count) for kind, count, *_ in found] == [("gauge", 72), ("meter", 72)]
    assert found[0][2].timestamp() * 1000 == BASE
    assert found[0][3] == sum(row.value for rows in made for row in rows if row.device == "d0")


def test_row_groups_that_hold_no_wanted_feed_are_not_read(tmp_path: Path) -> None:
    rows = [Given(f"x{n % 400}", BASE + n, n, (BASE + n) * 10**6) for n in range(200_000)]
    _, archive = archive_of(tmp_path, [rows])
    tidied(archive)
    (file,) = archive.ledger.files()
    whole = read_stored(archive.folder / file.path)
    assert len(whole) == 200_000
    some = read_stored(archive.folder / file.path, np.array([3], np.int32))
    assert 500 <= len(some) < 70_000
    assert np.count_nonzero(some.batch.feed == 3) == 500
    assert len(read_stored(archive.folder / file.path, None, BASE + DAY)) == 0


@pytest.mark.parametrize("how", ["flipped", "short", "gone", "another"])
def test_a_damaged_file_is_one_line_and_a_hole_and_the_rest_still_answers(tmp_path: Path, how: str) -> None:
    made = days(4)
    _, archive = archive_of(tmp_path, made)
    tidied(archive)
    victim = next(row for row in archive.ledger.files() if row.type == "gauge" and row.max_event > BASE + 2 * DAY)
    path = archive.folder / victim.path
    whole = path.read_bytes()
    if how == "flipped":
        at = len(whole) // 3
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    elif how == "short":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "another":
        longer = ReadingBatch.of(np.zeros(100), np.arange(100) + victim.min_event, np.arange(100))
        write_stored(path, arranged(longer, np.zeros(100, np.int64)))
    else:
        path.unlink()
    history = ParquetHistory(tmp_path / "history")
    found = history.readings(Selection.of(BASE, BASE + 4 * DAY))
    expected = [
        row for row in flat(made) if row[0] == "d2" or not victim.min_event <= row[1] <= victim.max_event
    ]  # fmt: skip
    assert rows_of(found) == expected
    assert len(found.problems) == 1
    assert victim.path in found.problems[0]
    reason = GapReason.MISSING if how == "gone" else GapReason.DAMAGED
    holes = [gap for gap in found.gaps if gap.reason is reason]
    assert [(gap.start_ms, gap.end_ms, gap.detail) for gap in holes] == [
        (victim.min_event, victim.max_event + 1, victim.path)
    ]
    assert not history.readings(Selection.of(BASE, BASE + 4 * DAY, types=["meter"])).problems
    if how in ("short", "gone"):
        assert any(gap.reason is GapReason.MISSING for gap in history.gaps(Selection.of(BASE, BASE + 4 * DAY)))
    history.close()


def test_a_damaged_file_is_never_merged_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = days(1, HOUR // 2)
    source, archive = archive_of(tmp_path, made[:20])
    archive.fold(least_files=1)
    for rows in made[20:]:
        source.takes(rows)
    catch_up(source, archive)
    archive.fold(least_files=1)
    victim = next(row for row in archive.ledger.files() if row.type == "gauge")
    (archive.folder / victim.path).write_bytes(b"no parquet")
    with caplog.at_level(logging.ERROR):
        tidied(archive)
    assert victim in archive.ledger.files()
    assert (archive.folder / victim.path).read_bytes() == b"no parquet"
    assert victim.path in caplog.text


def test_readings_expire_by_device_type_and_their_roll_ups_stay(tmp_path: Path) -> None:
    made = days(8)
    source, archive = archive_of(tmp_path, made)
    tidied(archive, keep_days=5, by_type={"meter": 3 * DAY})
    history = ParquetHistory(tmp_path / "history")
    first = {
        device: min(row[1] for row in rows_of(history.readings(EVERYTHING)) if row[0] == device)
        for device in ("d0", "d2")
    }
    day = DAY
    assert first["d0"] // day == (BASE + 10 * day) // day - 5
    assert first["d2"] // day == (BASE + 10 * day) // day - 3
    of = Selection.of(BASE, BASE + 8 * DAY, types=["meter"])
    expired = [gap for gap in history.gaps(of) if gap.reason is GapReason.EXPIRED]
    assert [(gap.start_ms, gap.end_ms, gap.detail) for gap in expired] == [
        (BASE, (BASE + 7 * DAY) // DAY * DAY, "meter/depth")
    ]
    hours = history.rollup(Selection.of(0, END), HOUR)
    assert spans_of(hours) == about(rolled(flat(made), HOUR))
    assert GapReason.EXPIRED not in {gap.reason for gap in hours.gaps}
    # A late reading of a day that has expired is added to its roll-ups, once.
    for round_ in range(2):
        late = Given("d2", BASE + HOUR + 1 + round_, 1_000 + round_, (BASE + 9 * DAY) * 10**6 + round_)
        source.takes([late])
        made.append([late])
        catch_up(source, archive)
        assert spans_of(history.rollup(EVERYTHING, HOUR)) == about(rolled(flat(made), HOUR))
        tidied(archive, keep_days=5, by_type={"meter": 3 * DAY})
        assert spans_of(history.rollup(EVERYTHING, HOUR)) == about(rolled(flat(made), HOUR))
    history.close()


def test_a_late_reading_corrects_the_roll_ups_of_its_day(tmp_path: Path) -> None:
    made = days(2)
    source, archive = archive_of(tmp_path, made)
    tidied(archive)
    assert not [part for part in archive.ledger.parts() if part.dirty]
    late = [Given("d0", BASE + HOUR + 5, 99, (BASE + 3 * DAY) * 10**6)]
    source.takes(late)
    catch_up(source, archive)
    archive.fold(least_files=1)
    assert [part.type for part in archive.ledger.parts() if part.dirty] == ["gauge"]
    assert make_rollups(archive, END) == 2
    history = ParquetHistory(tmp_path / "history")
    wanted = rolled(flat([*made, late]), HOUR)
    assert spans_of(history.rollup(EVERYTHING, HOUR)) == wanted
    assert wanted["d0", (BASE + HOUR) // HOUR * HOUR][0] == 2
    history.close()


def test_a_clock_that_is_wrong_by_decades_makes_one_folder_and_is_found(tmp_path: Path) -> None:
    rows = [Given("d0", n * 400 * DAY, n, BASE * 10**6 + n) for n in range(40)]
    _, archive = archive_of(tmp_path, [rows])
    archive.fold(least_files=1)
    assert len({row.day for row in archive.ledger.files()}) <= 2
    history = ParquetHistory(tmp_path / "history")
    assert [row[2] for row in rows_of(history.readings(Selection.of(0, 1_000 * DAY)))] == [0, 1, 2]
    history.close()


def test_a_reader_sees_one_moment_while_the_archive_is_tidied_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = days(2)
    _, archive = archive_of(tmp_path, made)
    history = ParquetHistory(tmp_path / "history", threads=1)
    done: list[bool] = []

    def slow(*args: Any) -> Any:
        if not done:
            done.append(True)
            tidied(archive)
        return read_stored(*args)

    monkeypatch.setattr("history.parquet.read_stored", slow)
    assert rows_of(history.readings(EVERYTHING)) == flat(made)
    assert done
    history.close()


def test_how_far_history_is_can_be_asked_from_beside(tmp_path: Path) -> None:
    assert archived_seq(tmp_path / "history") == 0
    _, archive = archive_of(tmp_path, days(1))
    assert archived_seq(tmp_path / "history") == 24
    archive.close()
    (tmp_path / "history" / NAME).write_bytes(b"nothing")
    assert archived_seq(tmp_path / "history") == 0


def test_a_ledger_of_another_version_or_none_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no history yet"):
        ParquetHistory(tmp_path / "history")
    _, archive = archive_of(tmp_path, days(1))
    archive.close()
    with sqlite3.connect(tmp_path / "history" / NAME) as ledger:
        ledger.execute("UPDATE progress SET version = 99")
    ledger.close()
    with pytest.raises(DataLossError, match="version 99"):
        Archive(tmp_path / "history")


def test_entries_that_the_journal_dropped_before_history_had_them_are_a_hole(tmp_path: Path) -> None:
    source = Source(tmp_path, segment_bytes=300)
    source.listens(BASE)
    made = days(1)
    for rows in made[:8]:
        source.takes(rows)
    archive = Archive(tmp_path / "history")
    catch_up(source, archive)
    for rows in made[8:]:
        source.takes(rows)
    source.journal.drop_before(18)
    at = catch_up(source, archive)
    assert at.counts.lost_entries > 0
    history = ParquetHistory(tmp_path / "history")
    found = rows_of(history.readings(EVERYTHING))
    (hole,) = [gap for gap in history.gaps(Selection.of(BASE, BASE + 20 * HOUR)) if gap.reason is GapReason.LOST]
    assert found == [row for row in flat(made) if not hole.start_ms < row[1] < hole.end_ms - HOUR // 2]
    assert hole.start_ms == BASE + 7 * HOUR
    history.close()
