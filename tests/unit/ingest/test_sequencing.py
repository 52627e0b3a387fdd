import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.reading import Quality, ReadingBatch
from ingest.sequencing import Sequencer


def test_a_reading_older_than_the_last_of_its_feed_is_late() -> None:
    out = Sequencer(4).on_batch(ReadingBatch.of([0, 0, 1], [10, 9, 9], [1, 2, 3]))
    assert out.quality.tolist() == [0, Quality.LATE, 0]


def test_the_same_instant_again_is_repeated_whatever_its_value() -> None:
    out = Sequencer(4).on_batch(ReadingBatch.of([0, 0], [10, 10], [1, 2]))
    assert out.quality.tolist() == [0, Quality.REPEATED]


def test_readings_without_a_time_of_their_own_in_one_millisecond_are_kept_apart() -> None:
    batch = ReadingBatch.of([0, 0, 0], [10, 10, 10], [1, 2, 3], quality=[1, 1, 1])
    out = Sequencer(4).on_batch(batch)
    assert out.event_time.tolist() == [10, 11, 12]
    assert batch.event_time.tolist() == [10, 10, 10]


def test_a_reading_at_the_epoch_is_not_taken_for_a_repeat() -> None:
    assert Sequencer(4).on_batch(ReadingBatch.of([0], [0], [1])).quality.tolist() == [0]


readings = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(0, 1)), max_size=40)


@given(readings, st.integers(0, 40))
def test_where_a_batch_is_cut_and_a_restart_there_change_nothing(rows: list[tuple[int, int, int]], cut: int) -> None:
    feed, time, mark = ([row[i] for row in rows] for i in range(3))
    batch = ReadingBatch.of(feed, time, np.zeros(len(rows)), quality=mark)
    whole = Sequencer(4).on_batch(batch)
    first, second = Sequencer(4), Sequencer(4)
    left = first.on_batch(batch[:cut])
    second.restore(first.snapshot())
    right = second.on_batch(batch[cut:])
    joined = ReadingBatch.concat([left, right])
    assert joined.quality.tolist() == whole.quality.tolist()
    assert joined.event_time.tolist() == whole.event_time.tolist()


@given(readings)
def test_the_loop_says_what_its_plain_twin_says(rows: list[tuple[int, int, int]]) -> None:
    last: dict[int, int] = {}
    expected = []
    for feed, time, mark in rows:
        before = last.get(feed, -1)
        if time > before:
            last[feed], quality = time, mark
        elif mark:
            last[feed], quality = before + 1, mark
        else:
            quality = mark | (Quality.REPEATED if time == before else Quality.LATE)
        expected.append(int(quality))
    feed_, time_, mark_ = ([row[i] for row in rows] for i in range(3))
    out = Sequencer(4).on_batch(ReadingBatch.of(feed_, time_, np.zeros(len(rows)), quality=mark_))
    assert out.quality.tolist() == expected
