"""Holes beside a twin that asks of every millisecond and every feed whether anybody heard it."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from history.archive import Archive
from history.coverage import Brought, Hole, Listener, Span, holes
from history.ledger import NAME
from history.parquet import ParquetHistory
from history.query import GapReason, Selection

END = 24
FEEDS = range(4)
moments = st.integers(0, END)
ranges = st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1])
some_feeds = st.frozensets(st.sampled_from(FEEDS), max_size=len(FEEDS))


def spans_of(cuts: Sequence[int]) -> list[Span]:
    """Spans between every second cut."""
    ordered = sorted(set(cuts))
    pairs = zip(ordered[::2], ordered[1::2], strict=False)
    return [Span(start, end, GapReason.AWAY if n else GapReason.BEFORE) for n, (start, end) in enumerate(pairs)]


missed = st.lists(ranges.map(lambda pair: (*pair, GapReason.QUEUED)), max_size=2)
listeners = st.builds(Listener, moments, missed, some_feeds)
imports = st.builds(lambda pair, feeds: Brought(pair[0], pair[1], feeds), ranges, some_feeds)


def unheard(
    moment: int, feed: int, spans: Sequence[Span], brought: Sequence[Brought], ears: Sequence[Listener]
) -> bool:
    if any(one.start_ms <= moment < one.end_ms and feed in one.feeds for one in brought):
        return False
    mine = [one for one in ears if feed in one.feeds]
    anybody = any(span.start_ms <= moment < span.end_ms for span in spans)
    return not anybody or (bool(mine) and not any(listened(one, moment) for one in mine))


def listened(one: Listener, moment: int) -> bool:
    return moment < one.until_ms and not any(start <= moment < end for start, end, _ in one.missed)


@given(st.lists(moments, max_size=5), st.lists(imports, max_size=2), st.lists(listeners, max_size=3))
@settings(max_examples=50)
def test_a_hole_is_where_nobody_heard_a_feed_and_counts_those_feeds(
    cuts: list[int], brought: list[Brought], ears: list[Listener]
) -> None:
    spans = spans_of(cuts)
    found = holes(0, END, spans, brought, FEEDS, ears)
    for moment in range(END):
        wanted = sum(unheard(moment, feed, spans, brought, ears) for feed in FEEDS)
        told = [gap.detail for gap in found if gap.start_ms <= moment < gap.end_ms]
        assert sum(map(count, told)) >= wanted
        assert bool(told) == bool(wanted)


def count(detail: str) -> int:
    return int(detail.split(" of ", maxsplit=1)[0]) if detail else len(FEEDS)


def test_what_two_listeners_missed_at_once_is_told_once_for_the_feeds_of_both() -> None:
    hole: Hole = (3, 5, GapReason.AWAY)
    ears = [Listener(9, [hole], frozenset({0})), Listener(9, [hole], frozenset({1}))]
    (found,) = holes(0, 9, [Span(0, 9)], [], [0, 1], ears)
    assert (found.start_ms, found.end_ms, found.reason, found.detail) == (*hole, "")


def test_a_ledger_whose_writer_told_no_listeners_apart_is_read_as_ever(tmp_path: Path) -> None:
    Archive(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as db:
        for table in ("listener", "listened_for", "missed"):
            db.execute(f"DROP TABLE {table}")
    history = ParquetHistory(tmp_path)
    assert [gap.reason for gap in history.gaps(Selection.of(0, 10))] == [GapReason.BEFORE]
    history.close()
