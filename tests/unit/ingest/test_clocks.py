"""Devices whose times are wrong, told of at the time of arrival."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from city.own import CLOCK, STALE
from core.reading import Quality, ReadingBatch
from ingest.clocks import GOOD, SAMPLE_MS, Clocks
from ingest.kernel_clock import suspects

T0 = 1_780_000_000_000
MINUTE, HOUR = 60_000, 3_600_000
OWN_FEEDS = {CLOCK: 100, STALE: 101}
Told = list[tuple[str, int, float]]


class Seen:
    """Feeds 0 to 3 are of device `d`, the others of `e`; times are ms since the beginning."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, str]] = []
        self.clocks = Clocks(64, lambda feed: ("g", "d" if feed < 4 else "e"), self._own, tolerance_ms=MINUTE)

    def _own(self, gateway: str, device: str, metric: str) -> int:
        self.made.append((gateway, device, metric))
        return OWN_FEEDS[metric] + (10 if device == "e" else 0)

    def read(self, arrival: int, ahead: int, feed: int = 0, quality: int = 0) -> Told:
        """One reading whose time is so much ahead of its arrival."""
        at = [(T0 + arrival) * 1_000_000]
        return self._told(self.clocks.take(ReadingBatch.of([feed], [T0 + arrival + ahead], [1.0], at, [quality])))

    def refuse(self, arrival: int, ahead: int) -> Told:
        told = self.clocks.refused(("g", "d"), [0], T0 + arrival + ahead, (T0 + arrival) * 1_000_000)
        return self._told(told)

    @staticmethod
    def _told(told: ReadingBatch | None) -> Told:
        if told is None:
            return []
        assert (told.quality == Quality.DERIVED).all()
        names = {feed: metric for metric, feed in OWN_FEEDS.items()}
        rows = zip(told.feed.tolist(), told.event_time.tolist(), told.value.tolist(), strict=True)
        return [(names.get(feed, "of e"), at - T0, value) for feed, at, value in rows]


def test_a_clock_that_is_an_hour_behind_is_told_from_the_second_reading_on_at_the_time_of_arrival() -> None:
    seen = Seen()
    assert [seen.read(at, -HOUR) for at in (0, MINUTE)] == [[], [(CLOCK, MINUTE, -3600.0), (STALE, MINUTE, 0.0)]]


def test_a_clock_that_is_ahead_is_told_alike() -> None:
    seen = Seen()
    seen.read(0, 3 * MINUTE)
    assert seen.read(5 * MINUTE, 3 * MINUTE) == [(CLOCK, 5 * MINUTE, 180.0), (STALE, 5 * MINUTE, 0.0)]


def test_a_reading_that_is_refused_for_its_time_says_as_much_about_the_clock() -> None:
    seen = Seen()
    assert seen.refuse(0, HOUR) == []
    assert seen.refuse(MINUTE, HOUR) == [(CLOCK, MINUTE, 3600.0), (STALE, MINUTE, 0.0)]
    assert seen.read(2 * MINUTE, 0) == [(CLOCK, 2 * MINUTE, 0.0), (STALE, 2 * MINUTE, 0.0)]


def test_the_same_old_reading_again_and_again_is_stale_data_and_no_clock() -> None:
    seen = Seen()
    told = [seen.read(turn * MINUTE, -HOUR - turn * MINUTE) for turn in range(3)]
    assert told[1:] == [
        [(CLOCK, MINUTE, 0.0), (STALE, MINUTE, 3660.0)],
        [(CLOCK, 2 * MINUTE, 0.0), (STALE, 2 * MINUTE, 3720.0)],
    ]


def test_a_gateway_that_sends_in_a_moment_what_it_kept_says_nothing() -> None:
    seen = Seen()
    flushed = [seen.read(10 * turn, -HOUR + turn * 5 * MINUTE) for turn in range(12)]
    assert flushed + [seen.read(turn * 5 * MINUTE, 0) for turn in range(1, 6)] == [[]] * 17
    assert seen.made == []
    assert seen.clocks.watched == 0


def test_what_was_told_wrong_is_told_right_a_few_times_and_then_no_more() -> None:
    seen = Seen()
    for turn in range(2):
        seen.read(turn * MINUTE, -HOUR)
    right = [seen.read(turn * MINUTE, -20) for turn in range(2, 4 + GOOD)]
    assert [told[0] for told in right[:GOOD]] == [(CLOCK, turn * MINUTE, -0.02) for turn in range(2, 2 + GOOD)]
    assert right[GOOD:] == [[], []]
    assert seen.clocks.watched == 0


def test_a_device_is_looked_at_once_a_minute_however_much_it_sends_and_by_all_its_feeds() -> None:
    seen = Seen()
    told = [seen.read(at, -HOUR, feed=at // 500 % 4) for at in range(0, 5 * MINUTE, 500)]
    assert len([one for one in told if one]) == 4
    assert seen.read(6 * MINUTE, -HOUR, feed=5) == [], "another device begins anew"


def test_what_has_no_time_of_its_own_or_is_said_to_be_old_says_nothing() -> None:
    seen = Seen()
    for turn in range(4):
        assert seen.read(turn * MINUTE, -HOUR, quality=int(Quality.NO_TIME)) == []
        assert seen.read(turn * MINUTE, -HOUR, quality=int(Quality.HISTORICAL)) == []
    assert seen.clocks.watched == 0


def test_after_a_restart_a_device_that_was_wrong_is_looked_at_until_it_is_right() -> None:
    seen = Seen()
    seen.clocks.expect(("g", "d"), [0, 1])
    told = [seen.read(turn * MINUTE, 0, feed=1) for turn in range(GOOD + 1)]
    assert [len(one) for one in told] == [2] * GOOD + [0]


def test_when_every_clock_is_wrong_only_so_many_are_looked_at_in_a_second() -> None:
    clocks = Clocks(10_000, lambda feed: ("g", f"d{feed}"), lambda *_: 0, tolerance_ms=MINUTE)
    feeds = np.arange(10_000, dtype=np.int32)
    for second in range(5):
        clocks.take(
            ReadingBatch.of(feeds, np.full(10_000, T0), feeds, [(T0 + HOUR + second * 1000) * 1_000_000] * 10_000)
        )
    assert clocks.watched <= 256 + 4 * 200


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.sampled_from([0, 1, 2, 4, 8])), max_size=30),
    st.integers(0, 12),
)
def test_the_kernel_finds_what_plain_words_say(rows: list[tuple[int, int, int]], room: int) -> None:
    """Half a minute between two rows; a time is so many minutes off."""
    arrival = T0 + 30_000 * np.arange(len(rows))
    batch = ReadingBatch.of(
        [f for f, _, _ in rows], [at + off * MINUTE for at, (_, off, _) in zip(arrival, rows, strict=True)],
        [0.0] * len(rows), arrival * 1_000_000, [q for _, _, q in rows],
    )  # fmt: skip
    found = np.zeros(room, np.int64)
    due = np.zeros(4, np.int64)
    count = suspects(batch.feed, batch.event_time, batch.arrival, batch.quality, MINUTE, SAMPLE_MS, 0, due, found)
    wanted: list[int] = []
    last: dict[int, int] = {}
    for row, (feed, off, quality) in enumerate(rows):
        says_nothing = quality in (Quality.NO_TIME, Quality.HISTORICAL)
        off_or_watched = abs(off) > 1 or feed in last
        if len(wanted) < room and not says_nothing and off_or_watched and row - last.get(feed, -2) >= 2:
            wanted.append(row)
            last[feed] = row
    assert found[:count].tolist() == wanted
