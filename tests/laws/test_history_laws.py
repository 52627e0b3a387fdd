"""Whatever the journal holds, history answers it: nothing missing, nothing doubled, in the order of arrival."""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.archive import Archive
from history.parquet import ParquetHistory
from history.query import Readings, Selection
from history.rollup import make_rollups
from tests.reference.history_twin import Given, rolled, selected, sequenced
from tests.unit.history.parts import BASE, DAY, Source, about, catch_up, rows_of, spans_of

DEVICES = ("d0", "d1", "d2", "d3")
END = BASE + 10 * DAY


@st.composite
def batches(draw: st.DrawFn) -> list[list[Given]]:
    """Batches of readings: arrivals go on, event times jump back now and then, by seconds or by days."""
    arrival = BASE * 1_000_000
    made = []
    for size in draw(st.lists(st.integers(1, 6), min_size=1, max_size=12)):
        arrival += draw(st.sampled_from([0, 1, 500_000, 60_000_000_000, DAY * 1_000_000 // 3]))
        rows = []
        for _ in range(size):
            back = draw(st.sampled_from([0, 0, 0, 1, 30_000, 3_600_000, 2 * DAY, 3_000 * DAY]))
            time = arrival // 1_000_000 - back
            value = draw(st.floats(-1e6, 1e6, allow_nan=False, width=32))
            quality = draw(st.sampled_from([0, 0, 0, 1, 8]))
            rows.append(Given(draw(st.sampled_from(DEVICES)), time, value, arrival, quality))
        made.append(rows)
    return made


def work(archive: Archive, what: Sequence[int], until_ms: int) -> None:
    """Housekeeping in any order, as often as it comes."""
    for step in what:
        if step == 0:
            archive.fold(least_files=1)
        elif step == 1:
            archive.compact(until_ms)
        else:
            make_rollups(archive, until_ms)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches(), st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=4), st.integers(0, 2**32))
def test_history_is_what_the_journal_held_however_it_was_cut_and_tidied(
    made: list[list[Given]], tidyings: list[list[int]], seed: int
) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        source = Source(Path(folder))
        archive = Archive(Path(folder) / "history")
        for i, rows in enumerate(made):
            source.takes(rows)
            if rng.random() < 0.5:
                catch_up(source, archive, most_bytes=rng.choice([1, 1 << 20]))
            work(archive, tidyings[i % len(tidyings)], END)
        catch_up(source, archive)
        expected = sequenced([row for rows in made for row in rows])
        history = ParquetHistory(Path(folder) / "history", threads=1)
        everything = Selection.of(0, END)
        part = Selection.of(BASE + rng.randint(-DAY, DAY), BASE + rng.randint(DAY, 3 * DAY), devices=["d0", "d2"])
        assert rows_of(history.readings(everything)) == expected
        assert rows_of(history.readings(part)) == [row for row in selected(expected, part) if row[0] in ("d0", "d2")]
        for asked in (everything, part):
            found = history.readings(asked)
            for keep in (False, True):
                stored = history.as_stored(asked, keep=keep)
                assert all(np.all(np.diff(group.batch.feed) >= 0) for group in stored.groups())
                assert rows_of(Readings(stored.in_order(), stored.feeds, stored.gaps)) == rows_of(found)
                assert (stored.feeds, stored.gaps) == (found.feeds, found.gaps)
        for step in (60_000, 3_600_000, 2 * 3_600_000):
            assert spans_of(history.rollup(everything, step)) == about(rolled(expected, step))
        hours = Selection.of(part.start_ms // 3_600_000 * 3_600_000, -(-part.end_ms // 3_600_000) * 3_600_000)
        some = [row for row in selected(expected, hours) if row[0] in ("d0", "d2")]
        assert spans_of(history.rollup(part, 3_600_000)) == about(rolled(some, 3_600_000))
        history.close()
        archive.close()
        source.close()
