"""What every store of history does, whatever holds its readings."""

import random
from pathlib import Path

import numpy as np
import pytest

from core.errors import UnavailableError
from core.reading import ReadingBatch
from history.archive import Piece
from history.ledger import Progress
from history.query import FeedName, Gap, GapReason, Selection
from ingest.journal import Listening
from tests.reference.history_twin import Given, Row, rolled, selected, sequenced
from tests.unit.history.conftest import MakeStore
from tests.unit.history.parts import BASE, DAY, Source, about, catch_up, catch_up_anew, name, rows_of, spans_of

EVERYTHING = Selection.of(0, BASE + 100 * DAY)


def some_batches(seed: int, count: int = 60) -> list[list[Given]]:
    """Two days of four devices, with late, repeated and untimed readings."""
    rng = random.Random(seed)
    arrival = BASE * 1_000_000
    made = []
    for _ in range(count):
        arrival += rng.randrange(1_000_000, DAY * 1_000_000 // 30)
        made.append(
            [
                Given(
                    rng.choice(["d0", "d1", "d2", "d3"]),
                    arrival // 1_000_000 - rng.choice([0, 0, 0, 1_000, 7_200_000]),
                    round(rng.gauss(5, 2), 3),
                    arrival,
                    rng.choice([0, 0, 0, 1]),
                )
                for _ in range(rng.randrange(1, 8))
            ]
        )
    return made


@pytest.fixture
def filled(tmp_path: Path, make_store: MakeStore) -> tuple[MakeStore, Source, list[Row]]:
    made = some_batches(3)
    source = Source(tmp_path)
    for rows in made:
        source.takes(rows)
    return make_store, source, sequenced([row for rows in made for row in rows])


def test_what_the_journal_held_comes_back_in_the_order_of_arrival_with_its_marks(
    tmp_path: Path, filled: tuple[MakeStore, Source, list[Row]]
) -> None:
    make_store, source, expected = filled
    store = make_store(tmp_path / "history")
    writer = store.writer()
    catch_up(source, writer, most_bytes=500)
    history = store.history()
    assert any(row[4] & 2 for row in expected)
    assert any(row[4] & 4 for row in expected)
    assert rows_of(history.readings(EVERYTHING)) == expected
    part = Selection.of(BASE + DAY // 3, BASE + DAY, types=["gauge"])
    wanted = [row for row in selected(expected, part) if row[0] in ("d0", "d1")]
    assert wanted
    assert rows_of(history.readings(part)) == wanted
    history.close()
    writer.close()


def test_a_selection_takes_feeds_by_any_of_their_names(
    tmp_path: Path, filled: tuple[MakeStore, Source, list[Row]]
) -> None:
    make_store, source, expected = filled
    store = make_store(tmp_path / "history")
    writer = store.writer()
    catch_up(source, writer)
    history = store.history()
    for of, devices in (
        (Selection.of(0, BASE + 100 * DAY, metrics=["level"]), {"d3"}),
        (Selection.of(0, BASE + 100 * DAY, types=[""]), {"d3"}),
        (Selection.of(0, BASE + 100 * DAY, devices=["d1", "nobody"]), {"d1"}),
        (Selection.of(0, BASE + 100 * DAY, gateways=["another"]), set()),
        (Selection.of(0, BASE + 100 * DAY, gateways=["gw"], types=["meter", ""]), {"d2", "d3"}),
    ):
        assert set(history.feeds(of)) == {name(device) for device in devices}
        assert rows_of(history.readings(of)) == [row for row in expected if row[0] in devices]
    history.close()
    writer.close()


def test_roll_ups_say_what_plain_python_says(tmp_path: Path, filled: tuple[MakeStore, Source, list[Row]]) -> None:
    make_store, source, expected = filled
    store = make_store(tmp_path / "history")
    writer = store.writer()
    catch_up(source, writer)
    history = store.history()
    for step in (60_000, 15 * 60_000, 3_600_000, DAY):
        assert spans_of(history.rollup(EVERYTHING, step)) == about(rolled(expected, step))
    with pytest.raises(ValueError, match="whole number of minutes"):
        history.rollup(EVERYTHING, 90_000)
    history.close()
    writer.close()


def test_a_piece_whose_answer_was_lost_is_written_again_and_is_there_once(
    tmp_path: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "history")
    writer = store.writer()
    batch = ReadingBatch.of([0, 0, 0], [BASE, BASE + 1, BASE], [1, 2, 3], [BASE * 10**6] * 3, [0, 0, 2])
    piece = Piece(
        batch=batch, lag=np.array([0, 1, 2], np.int64), progress=Progress(7, b"x", BASE * 10**6 + 2),
        new_feeds=[(0, FeedName("gw", "d0", "depth", "gauge"))], last=np.array([BASE + 2], np.int64),
    )  # fmt: skip

    def fails() -> None:
        raise UnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(writer.ledger, "transaction", fails)
        with pytest.raises(UnavailableError):
            writer.put(piece)
    assert writer.ledger.progress().seq == 0
    writer.put(piece)
    assert writer.ledger.progress() == Progress(7, b"x", BASE * 10**6 + 2, 3)
    history = store.history()
    assert history.readings(EVERYTHING).batch.value.tolist() == [1, 2, 3]
    assert sum(held.readings for held in history.held()) == 3
    history.close()
    writer.close()


def test_names_survive_a_journal_that_numbers_its_feeds_otherwise(tmp_path: Path, make_store: MakeStore) -> None:
    store = make_store(tmp_path / "history")
    writer = store.writer()
    for folder, devices in (("one", ["d0", "d1"]), ("two", ["d1", "d2", "d0"])):
        source = Source(tmp_path / folder)
        start = BASE if folder == "one" else BASE + DAY
        for i, device in enumerate(devices):
            source.takes([Given(device, start + i, i, (start + i) * 10**6)])
        at = (catch_up_anew if folder == "two" else catch_up)(source, writer)
        assert at.progress.seq == len(devices)
        source.close()
    history = store.history()
    found = [(row[0], row[2]) for row in rows_of(history.readings(EVERYTHING))]
    assert found == [("d0", 0), ("d1", 1), ("d1", 0), ("d2", 1), ("d0", 2)]
    reasons = {gap.reason for gap in history.gaps(Selection.of(BASE, BASE + DAY))}
    assert reasons == {GapReason.LOST}
    history.close()
    writer.close()


def test_a_range_is_covered_where_the_pipeline_listened_however_silent_the_sensors_were(
    tmp_path: Path, make_store: MakeStore
) -> None:
    store = make_store(tmp_path / "history")
    source = Source(tmp_path)
    minute = 60_000
    source.listens(BASE)
    source.takes([Given("d0", BASE + minute, 1, (BASE + minute) * 10**6)])
    source.listens(BASE + 10 * minute, Listening.STILL)
    source.listens(BASE + 12 * minute, Listening.KEPT)
    source.listens(BASE + 20 * minute, Listening.STILL)
    source.listens(BASE + 25 * minute, Listening.NEW)
    source.takes([Given("d0", BASE + 30 * minute, 1, (BASE + 30 * minute) * 10**6)])
    writer = store.writer()
    catch_up(source, writer)
    history = store.history()
    found = history.gaps(Selection.of(BASE - minute, BASE + 40 * minute))
    assert found == (
        Gap(BASE - minute, BASE, GapReason.BEFORE),
        Gap(BASE + 10 * minute, BASE + 12 * minute, GapReason.QUEUED),
        Gap(BASE + 20 * minute, BASE + 25 * minute, GapReason.AWAY),
        Gap(BASE + 30 * minute, BASE + 40 * minute, GapReason.NOT_WRITTEN),
    )
    assert history.readings(Selection.of(BASE - minute, BASE + 40 * minute)).gaps == found
    assert history.gaps(Selection.of(BASE, BASE + 10 * minute)) == ()
    history.close()
    writer.close()
    source.close()
