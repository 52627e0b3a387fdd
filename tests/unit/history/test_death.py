"""Death at every step of writing and tidying: nothing is missing afterwards, nothing is there twice."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from history.archive import Archive
from history.keeping import Retention, tidy
from history.ledger import Ledger
from history.parquet import ParquetHistory
from history.query import Selection
from tests.reference.history_twin import Given, rolled, sequenced
from tests.unit.history.parts import BASE, DAY, Source, about, catch_up, rows_of, spans_of

END = BASE + 20 * DAY
FOREVER = Retention(readings_ms=4_000 * DAY, minutes_ms=4_000 * DAY, hours_ms=4_000 * DAY)


class Death(BaseException):
    """What no `except Exception` survives."""


@contextmanager
def dies_at(step: int) -> Iterator[list[str]]:
    """Die at the given one of everything that the outside could see: a sync, a rename, a removal, a commit."""
    seen: list[str] = []

    def stepping(name: str, original: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            seen.append(name)
            if len(seen) == step:
                raise Death(name)
            return original(*args, **named)

        return call

    @contextmanager
    def transaction(self: Ledger) -> Iterator[Any]:
        stepping("begin", lambda: None)()
        with whole(self) as db:
            yield db
            stepping("commit", lambda: None)()
        stepping("committed", lambda: None)()

    whole = Ledger.transaction
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", stepping("sync", os.fsync))
        patch.setattr(Path, "replace", stepping("rename", Path.replace))
        patch.setattr(Path, "unlink", stepping("remove", Path.unlink))
        patch.setattr(Ledger, "transaction", transaction)
        yield seen


def a_week(seed: int) -> list[list[Given]]:
    rng = random.Random(seed)
    arrival = BASE * 1_000_000
    made = []
    for _ in range(10):
        arrival += rng.randrange(DAY * 1_000_000 // 8)
        now = arrival // 1_000_000
        made.append(
            [Given(rng.choice(["d0", "d2"]), now - rng.choice([0, 0, DAY]), i, arrival) for i in range(3)]
        )  # fmt: skip
    return made


def work(source: Source, folder: Path) -> None:
    """What the role does in a week."""
    archive = Archive(folder)
    try:
        catch_up(source, archive, most_bytes=150)
        archive.fold(least_files=3)
        tidy(archive, FOREVER, until_ms=END, now_ms=END)
    finally:
        archive.close()


def test_at_whichever_step_the_writer_dies_the_next_one_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    made = a_week(5)
    expected = sequenced([row for rows in made for row in rows])
    hours = rolled(expected, 3_600_000)
    source = Source(tmp_path)
    for rows in made:
        source.takes(rows)
    with dies_at(0) as steps:
        work(source, tmp_path / "history-0")
    assert {"sync", "rename", "remove", "begin", "commit", "committed"} <= set(steps)
    rng = random.Random(17)
    moments = sorted(rng.sample(range(1, len(steps) + 1), 16))
    for moment in moments:
        folder = tmp_path / f"history-{moment}"
        with dies_at(moment), pytest.raises(Death):
            work(source, folder)
        work(source, folder)
        history = ParquetHistory(folder, threads=1)
        everything = Selection.of(0, END)
        assert rows_of(history.readings(everything)) == expected, f"death at {steps[moment - 1]}, step {moment}"
        assert spans_of(history.rollup(everything, 3_600_000)) == about(hours)
        ledger = Ledger(folder)
        named = {row.path for row in ledger.files()} | {row.path for row in ledger.rolled()}
        ledger.close()
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.p*")}
        assert there == named, "a file that nobody names stays"
        history.close()
    source.close()
