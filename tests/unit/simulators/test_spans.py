import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulators.spans import Spans, ticks

SPAN = st.tuples(st.integers(0, 4), st.integers(0, 500), st.integers(1, 120)).map(
    lambda s: (s[0], 1_000 + s[1], 1_000 + s[1] + s[2])
)


def inside_slow(spans: list[tuple[int, int, int]], row: int, t: int) -> bool:
    return any(row == r and begin <= t < end for r, begin, end in spans)


@given(spans=st.lists(SPAN, max_size=12), asked=st.lists(st.tuples(st.integers(0, 4), st.integers(1_000, 1_700))))
def test_what_lies_inside_is_what_a_plain_loop_says(
    spans: list[tuple[int, int, int]], asked: list[tuple[int, int]]
) -> None:
    rows = np.array([row for row, _ in asked], np.int64)
    t = np.array([at for _, at in asked], np.int64)
    assert Spans(1_000, spans).inside(rows, t).tolist() == [inside_slow(spans, row, at) for row, at in asked]


@given(
    spans=st.lists(SPAN, max_size=8), period=st.integers(1, 70),
    cuts=st.lists(st.integers(1_000, 1_700), max_size=5, unique=True),
)  # fmt: skip
def test_ticks_do_not_depend_on_where_time_is_cut(
    spans: list[tuple[int, int, int]], period: int, cuts: list[int]
) -> None:
    held = Spans(1_000, spans)
    edges = [1_000, *sorted(cuts), 1_700]
    pieces = [held.ticks(period, a, b) for a, b in itertools.pairwise(edges)]
    found = sorted((r, t) for rows, times in pieces for r, t in zip(rows.tolist(), times.tolist(), strict=True))
    merged = zip(held.rows.tolist(), held.begin.tolist(), held.end.tolist(), strict=True)
    assert found == sorted((row, t) for row, begin, end in merged for t in range(begin, end, period))


def test_ticks_of_rows_with_nothing_left() -> None:
    rows, t = ticks(np.array([3, 4]), np.array([10, 50]), np.array([40, 50]), 15)
    assert rows.tolist() == [3, 3]
    assert t.tolist() == [10, 25]
