"""What a level means, reading by reading and second by second."""

from typing import Any

import pytest

from core.reading import Quality
from tests.unit.thresholds.parts import T0_MS, Watched, scene, seconds

SILENT = {"metric": "m", "silent_after": "5s"}


@pytest.mark.parametrize(
    ("level", "holds", "does_not"),
    [
        ({"above": 5}, [5.1, 100], [5, 4.9, -100]),
        ({"below": 5}, [4.9, -100], [5, 5.1]),
        ({"outside": [1, 6]}, [0.9, 6.1], [1, 3, 6]),
        ({"inside": [1, 6]}, [1, 3, 6], [0.9, 6.1]),
        ({"equals": 3}, [3], [2.9, 3.1, 0]),
        ({"not_equals": 3}, [2.9, 3.1, 0], [3]),
        ({"state": True}, [1, 2], [0]),
        ({"state": False}, [0], [1]),
    ],
)
def test_a_condition_holds_for_exactly_its_values(
    level: dict[str, Any], holds: list[float], does_not: list[float]
) -> None:
    for value in holds:
        assert Watched(scene(level)).read((1, value)) == [("raised", 1)]
    for value in does_not:
        assert Watched(scene(level)).read((1, value)) == []


@pytest.mark.parametrize(
    ("level", "raises", "stays", "clears"),
    [
        ({"above": 5}, 6, [5.1], 5),
        ({"above": 5, "clear_below": 3}, 6, [5, 3], 2.9),
        ({"above": 5, "clear_below": 5}, 6, [5], 4.9),
        ({"below": 5}, 4, [4.9], 5),
        ({"below": 5, "clear_above": 7}, 4, [5, 7], 7.1),
        ({"outside": [1, 6]}, 7, [0, 8], 6),
        ({"outside": [1, 6], "clear_inside": [2, 5]}, 7, [6, 5, 2, 1], 3),
        ({"inside": [3, 4]}, 3.5, [3, 4], 4.1),
        ({"inside": [3, 4], "clear_outside": [2, 5]}, 3.5, [2, 5, 2.5], 1.9),
        ({"equals": 3}, 3, [3], 4),
        ({"not_equals": 3}, 4, [5], 3),
        ({"state": True}, 1, [1], 0),
    ],
)
def test_an_active_level_clears_strictly_beyond_its_clear_value(
    level: dict[str, Any], raises: float, stays: list[float], clears: float
) -> None:
    watched = Watched(scene(level))
    assert watched.read((1, raises)) == [("raised", 1)]
    assert watched.read(*((2 + i, value) for i, value in enumerate(stays))) == []
    assert watched.read((10, clears)) == [("cleared", 10)]


def test_the_clear_value_plays_no_part_before_the_level_is_active() -> None:
    watched = Watched(scene({"above": 95, "clear_below": 90, "for": "10s"}))
    assert watched.read((0, 96), (5, 93)) == [("onset", 0), ("lapsed", 5)]


def test_a_delay_ends_at_its_instant_and_not_when_that_is_noticed() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    assert watched.read((0, 6)) == [("onset", 0)]
    assert watched.wait(10.999) == []
    assert watched.wait(11) == [("raised", 10)]


def test_a_delay_also_ends_when_a_later_reading_comes_whatever_it_says() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    assert watched.read((0, 6)) == [("onset", 0)]
    assert watched.read((10.5, 0)) == [("raised", 10), ("cleared", 10.5)]


def test_a_reading_of_the_very_instant_is_taken_first_and_can_break_the_delay() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    assert watched.read((0, 6), (10, 5)) == [("onset", 0), ("lapsed", 10)]
    assert watched.wait(100) == []


def test_a_reading_of_the_very_instant_that_still_holds_raises_there() -> None:
    assert Watched(scene({"above": 5, "for": "10s"})).read((0, 6), (10, 7)) == [("onset", 0), ("raised", 10)]


def test_a_delay_begins_again_after_it_was_broken() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    told = watched.read((0, 6), (9, 5), (9.5, 6), (15, 6), (19.4, 6))
    assert told == [("onset", 0), ("lapsed", 9), ("onset", 9.5)]
    assert watched.wait(30) == [("raised", 19.5)]


def test_samples_are_over_at_the_nth_reading_in_a_row() -> None:
    watched = Watched(scene({"above": 5, "for": "3 samples", "clear_for": "2 samples"}))
    told = watched.read((0, 6), (1, 6), (2, 5), (3, 6), (4, 6), (5, 6), (6, 5), (7, 6), (8, 5), (9, 5))
    assert told == [("onset", 0), ("lapsed", 2), ("onset", 3), ("raised", 5), ("cleared", 9)]


def test_samples_do_not_end_by_time() -> None:
    watched = Watched(scene({"above": 5, "for": "2 samples"}))
    watched.read((0, 6))
    assert watched.engine.next_timer() is None
    assert watched.wait(10_000) == []


def test_one_sample_is_no_delay() -> None:
    assert Watched(scene({"above": 5, "for": "1 sample"})).read((0, 6)) == [("raised", 0)]


def test_a_clear_delay_is_ended_by_a_reading_that_is_not_beyond_the_clear_value() -> None:
    watched = Watched(scene({"above": 5, "clear_below": 3, "clear_for": "10s"}))
    assert watched.read((0, 6), (1, 2), (8, 3), (9, 2.9)) == [("raised", 0)]
    assert watched.wait(30) == [("cleared", 19)]


def test_a_chain_of_ends_is_told_in_its_order() -> None:
    watched = Watched(scene({"above": 5, "for": "10s", "clear_for": "5s"}))
    assert watched.read((0, 6), (12, 0), (20, 6)) == [("onset", 0), ("raised", 10), ("cleared", 17), ("onset", 20)]


def test_levels_run_side_by_side() -> None:
    ladder = scene(
        {"severity": "info", "above": 5, "clear_below": 3},
        {"severity": "minor", "above": 15, "clear_below": 12, "for": "60s", "clear_for": "10m"},
        {"severity": "critical", "above": 25, "clear_below": 22, "for": "2 samples", "clear_for": "10m"},
    )
    watched = Watched(ladder)
    watched.read((0, 30), (30, 30), (90, 10), (100, 2))
    watched.wait(2000)
    assert watched.all == [
        ("raised", 0, 1, 0),
        ("onset", 0, 2, 0),
        ("onset", 0, 4, 0),
        ("raised", 0, 4, 30),
        ("raised", 0, 2, 60),
        ("cleared", 0, 1, 100),
        ("cleared", 0, 2, 690),
        ("cleared", 0, 4, 690),
    ]


def test_a_recurrence_is_raised_again() -> None:
    told = Watched(scene({"above": 5})).read((0, 6), (1, 0), (2, 6))
    assert told == [("raised", 0), ("cleared", 1), ("raised", 2)]


@pytest.mark.parametrize("quality", [Quality.LATE, Quality.REPEATED, Quality.HISTORICAL])
def test_what_is_late_repeated_or_old_never_raises_and_never_clears(quality: Quality) -> None:
    watched = Watched(scene({"above": 5}))
    assert watched.read((0, 6), quality=quality) == []
    assert watched.read((1, 6)) == [("raised", 1)]
    assert watched.read((2, 0), quality=quality) == []
    assert watched.engine.decisions == 1


def test_a_reading_whose_sender_gave_no_time_is_looked_at() -> None:
    assert Watched(scene({"above": 5})).read((0, 6), quality=Quality.NO_TIME) == [("raised", 0)]


def test_time_passes_with_readings_that_are_not_looked_at() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}), feeds=2)
    watched.read((0, 6))
    assert watched.read((20, 6), feed=1, quality=Quality.HISTORICAL) == [("raised", 10)]


def test_a_device_whose_clock_is_slow_keeps_its_delay_whole() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    assert watched.read((0, 6), arrival=300) == [("onset", 0)]
    assert watched.wait(310.9) == []
    assert watched.wait(311) == [("raised", 10)]


def test_a_device_whose_clock_is_fast_keeps_its_delay_whole() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    assert watched.read((300, 6), arrival=0) == [("onset", 300)]
    assert watched.wait(10.9) == []
    assert watched.wait(11) == [("raised", 310)]


def test_a_backlog_that_is_flushed_decides_as_if_it_had_come_in_time() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    told = watched.read((0, 6), (9, 0), (20, 6), (25, 6), (31, 6), (32, 0), arrival=500)
    assert told == [("onset", 0), ("lapsed", 9), ("onset", 20), ("raised", 30), ("cleared", 32)]


def test_a_reading_that_came_late_but_is_newer_moves_the_end_to_where_it_now_has_to_be() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    watched.read((0, 6), arrival=8)
    watched.read((5, 6), arrival=9)
    assert watched.wait(14.9) == []
    assert watched.wait(15) == [("raised", 10)]


def test_in_a_silence_longer_than_allowed_a_delay_waits_for_the_next_reading() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}, feeds=SILENT))
    watched.read((0, 6))
    assert watched.wait(1000) == []
    assert watched.read((1001, 6)) == [("raised", 1001)]


def test_a_reading_that_does_not_hold_after_a_long_silence_ends_the_delay() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}, feeds=SILENT))
    assert watched.read((0, 6), (1001, 0)) == [("onset", 0), ("lapsed", 1001)]


def test_a_silence_as_long_as_allowed_is_none() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}, feeds=SILENT))
    watched.read((0, 6), (5, 6))
    assert watched.wait(100) == [("raised", 10)]


def test_a_clear_delay_waits_in_silence_as_well() -> None:
    watched = Watched(scene({"above": 5, "clear_for": "10s"}, feeds=SILENT))
    assert watched.read((0, 6), (1, 0)) == [("raised", 0)]
    assert watched.wait(1000) == []
    assert watched.read((1001, 0)) == [("cleared", 1001)]


def test_after_an_outage_the_backlog_has_its_say_before_time_does() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    watched.read((0, 6))
    watched.engine.resume(seconds(600))
    assert watched.wait(610.9) == []
    assert watched.read((9, 0), arrival=610.9) == [("lapsed", 9)]


def test_after_an_outage_a_delay_that_nothing_breaks_ends_at_its_instant() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}))
    watched.read((0, 6))
    watched.engine.resume(seconds(600))
    assert watched.wait(611) == [("raised", 10)]


def test_timers_of_several_feeds_end_in_the_order_of_their_moments() -> None:
    watched = Watched(scene({"above": 5, "for": "10s"}), feeds=3)
    watched.read((2, 6), feed=2)
    watched.read((3, 6), feed=0)
    watched.read((3, 6), feed=1)
    watched.wait(100)
    assert [(feed, at) for kind, feed, _, at in watched.all if kind == "raised"] == [(2, 12), (0, 13), (1, 13)]


def test_a_row_says_what_decided_it() -> None:
    watched = Watched(scene({"above": 5, "for": "10s", "clear_for": "2 samples"}))
    watched.read((0, 6), (4, 8), arrival=100)
    watched.wait(1000)
    watched.read((20, 1), (21, 2), arrival=1001)
    onset, raised, cleared = watched.decided[0], watched.decided[1], watched.decided[2]
    assert onset.arrival[0] == seconds(100) * 1_000_000
    assert (raised.value[0], raised.onset[0], raised.delay_ms[0]) == (8, T0_MS, 10_000)
    assert raised.arrival[0] == seconds(107) * 1_000_000
    assert (cleared.value[0], cleared.onset[0], cleared.delay_ms[0]) == (2, seconds(20), 0)
    assert cleared.arrival[0] == seconds(1001) * 1_000_000
