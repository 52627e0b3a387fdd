"""Readings decided feed by feed, as history holds them: row by row what the live engine says of them in their order."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.reading import Int64, ReadingBatch
from history.columns import Stored, taken
from history.kernel import stamps
from tests.laws import test_baseline_laws as baseline
from tests.laws import test_engine_laws as plain
from tests.laws import test_measure_laws as measured
from tests.laws.test_engine_laws import FEEDS, Case, rows_of
from thresholds import kernel_state as arrays
from thresholds.by_feed import Block, Frame, NeedsOrderError, Outage, joined, parts
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind, Transitions

_MS = 1_000_000

cases = st.one_of(plain.cases, measured.cases, baseline.cases)
outages = st.lists(st.tuples(st.integers(0, 120_000), st.booleans()), max_size=4)
cuts = st.lists(st.integers(-50_000, 120_000), max_size=3)


def lag_of(stream: ReadingBatch) -> Int64:
    lag = np.empty(len(stream), np.int64)
    stamps(stream.arrival, 0, lag)
    return lag


def marked(case: Case, given_outages: list[tuple[int, bool]]) -> list[Outage]:
    """Outages so many ms after the first arrival: when they are, and to where time has passed by then."""
    arrival = case.stream.arrival // _MS
    first = int(arrival[0]) if len(arrival) else 0
    found: list[Outage] = []
    passed = 0
    for after, resumes in sorted(given_outages):
        at = first + after
        before = arrival[case.stream.arrival < at * _MS]
        passed = max([passed, *before[-1:].tolist()]) if resumes else at
        found.append(Outage(at, passed, resumes))
    return found


def blocks_of(stream: ReadingBatch, lag: Int64, edges: list[int]) -> list[Block]:
    """By event time between the edges, in each by feed."""
    found = []
    for low, high in itertools.pairwise([-(1 << 62), *sorted(edges), 1 << 62]):
        rows = np.flatnonzero((stream.event_time >= low) & (stream.event_time < high))
        rows = rows[np.argsort(stream.feed[rows], kind="stable")]
        stored = Stored(taken(stream, rows), lag[rows], rows.astype(np.int32)).fixed()
        found.append(Block(stored.batch, stored.lag))
    return found


def frame(marks: list[Outage], until_ms: int | None) -> Frame:
    return Frame(
        lookup=np.arange(FEEDS, dtype=np.int32), start_ms=-(1 << 62), end_ms=1 << 62, outages=marks, until_ms=until_ms
    )


def live(engine: Engine, case: Case, marks: list[Outage], until_ms: int | None) -> Transitions:
    """What the engine says of the readings in the order of arrival, with the outages between them."""
    found, done = [], 0
    for one in marks:
        upto = int(np.searchsorted(case.stream.arrival, one.at * _MS))
        found.append(engine.on_batch(case.stream[done:upto]))
        done = upto
        if one.resumes:
            engine.resume(one.at)
        else:
            found.append(engine.on_timer(one.at))
    found.append(engine.on_batch(case.stream[done:]))
    if until_ms is not None:
        found.append(engine.on_timer(until_ms))
    return Transitions.concat(found)


def decided(engine: Engine, stream: ReadingBatch, edges: list[int], of: Frame, count: int) -> Transitions:
    """What it says of them by feed."""
    ran = parts(engine, of, count)
    for part in ran:
        part.run(blocks_of(stream, lag_of(stream), edges), lambda _: None)
    last_ms = int(stream.arrival[-1]) // _MS if len(stream) else 0
    return joined(engine, of, ran, [one for part in ran for one in part.end(last_ms)])


@settings(max_examples=50, deadline=None)
@given(cases, outages, cuts, st.integers(1, 3), st.integers(0, 1), st.sampled_from([1, 20, 4_096]))
def test_whatever_decides_says_the_same_in_the_same_order(
    case: Case, given_outages: list[tuple[int, bool]], edges: list[int], count: int, to_end: int, room: int
) -> None:
    marks, until_ms = marked(case, given_outages), case.end_ms if to_end else None
    base = int(case.stream.event_time[0]) if len(case.stream) else 0
    one, other = case.engine(), case.engine()
    other._out = np.zeros(max(room, arrays.ROWS_PER_LEVEL * other._tables.widest), arrays.OUT)
    expected = live(one, case, marks, until_ms)
    found = decided(other, case.stream, [base + edge for edge in edges], frame(marks, until_ms), count)
    assert rows_of(found) == rows_of(expected)
    assert other.decisions == one.decisions
    later = case.end_ms + 500_000
    assert other.next_timer() == one.next_timer()
    assert rows_of(other.on_timer(later)) == rows_of(one.on_timer(later))


def case_of(*rows: tuple[int, int, float, int]) -> Case:
    """A case of (feed, event time, value, arrival in ns) under the first ladder."""
    feed, time, value, arrival = zip(*rows, strict=True)
    scene = {"scene": "a", "feeds": {"metric": "m"}, "levels": [{"severity": "minor", "above": 4, "for": "2s"}]}
    return Case(SceneSet.of([Scene.model_validate(scene)]), ReadingBatch.of(feed, time, value, arrival))


def said(case: Case, edges: list[int], *, lag: Int64 | None = None) -> list[tuple[object, ...]]:
    ran = parts(engine := case.engine(), of := frame([], case.end_ms), 1)
    ran[0].run(blocks_of(case.stream, lag_of(case.stream) if lag is None else lag, edges), lambda _: None)
    return rows_of(joined(engine, of, ran, ran[0].end(int(case.stream.arrival[-1]) // _MS)))


def test_a_feed_whose_readings_do_not_come_in_their_order_needs_that_of_all() -> None:
    case = case_of((0, 5_000, 1.0, 5_000 * _MS), (0, 4_000, 9.0, 6_000 * _MS))
    with pytest.raises(NeedsOrderError):
        said(case, [])


def test_of_two_feeds_that_decide_at_one_stamp_that_of_the_earlier_block_is_first() -> None:
    case = case_of((1, 5_000, 9.0, 5_000 * _MS), (0, 5_001, 9.0, 5_000 * _MS))
    together = np.zeros(2, np.int64)
    assert [row[1] for row in said(case, [], lag=together)][:2] == [0, 1]
    assert [row[1] for row in said(case, [5_001], lag=together)][:2] == [1, 0]
    with pytest.raises(NeedsOrderError):
        said(case_of((1, 5_000, 9.0, 4_999 * _MS), (0, 5_001, 9.0, 5_000 * _MS)), [], lag=np.array([_MS, 0]))


def test_a_reading_before_which_time_may_have_got_further_than_its_arrival_does_too() -> None:
    # The delay is over at 8,000; the last reading came before that and was taken after it, or at once.
    case = case_of((0, 5_000, 9.0, 5_000 * _MS), (0, 5_500, 1.0, 7_999 * _MS))
    assert [row[0] for row in said(case, [])] == [TransitionKind.ONSET, TransitionKind.LAPSED]
    with pytest.raises(NeedsOrderError):
        said(case, [], lag=np.array([0, 2 * _MS], np.int64))


def test_readings_that_nobody_asked_for_decide_nothing() -> None:
    case = case_of((0, 5_000, 9.0, 5_000 * _MS), (1, 5_000, 9.0, 5_000 * _MS), (2, 5_000, 9.0, 5_000 * _MS))
    engine = case.engine()
    of = Frame(lookup=np.array([-1, 0, -1], np.int32), start_ms=0, end_ms=1 << 62, outages=[], until_ms=None)
    ran = parts(engine, of, 2)
    for part in ran:
        part.run(blocks_of(case.stream, lag_of(case.stream), []), lambda _: None)
    found = joined(engine, of, ran, [one for part in ran for one in part.end(0)])
    assert found.feed.tolist() == [0]
