"""Levels that hold a feed against what is usual for it: when they are raised, and what they have learnt by then."""

from typing import Any

import pytest

from city.device import Device
from core.reading import ReadingBatch
from tests.unit.thresholds.parts import scene
from thresholds.calendars import borders, days_off
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind
from thresholds.usual import Standing

MONDAY_MS = 1_772_985_600_000
"""9 March 2026, 00:00 in Shanghai."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def own(**more: Any) -> dict[str, Any]:
    return {"from": "own", "by": "4 sigma", "learn": "3d", **more}


class Feed:
    """One feed under one scene, told of readings by day and hour of it."""

    def __init__(self, *levels: dict[str, Any], **parts: Any) -> None:
        self.scene: Scene = scene(*levels, **parts)
        self.engine = Engine(SceneSet.of([self.scene]), max_feeds=1)
        self.engine.bind(0, Device("d", "g"), "m")

    def reads(self, day: float, *values: float, step_h: float = 1.0) -> list[tuple[str, float]]:
        """One reading after another from a day on; what was decided, and on which day."""
        times = [MONDAY_MS + round(day * DAY_MS + i * step_h * HOUR_MS) for i in range(len(values))]
        out = self.engine.on_batch(ReadingBatch.of([0] * len(values), times, list(values)))
        kinds = [TransitionKind(kind).name.lower() for kind in out.kind.tolist()]
        return [(kind, (at - MONDAY_MS) / DAY_MS) for kind, at in zip(kinds, out.at.tolist(), strict=True)]

    def days(self, first: int, last: int, *values: float) -> list[tuple[str, float]]:
        """The same hours, day after day, up to and without the last."""
        return [one for day in range(first, last) for one in self.reads(day, *values)]

    @property
    def standing(self) -> Standing | None:
        measure = self.scene.levels[0].measure(self.scene.zone)
        return None if measure is None else self.engine.standing(0, "s", measure)


WAVE = [9.0, 11.0] * 12


def test_it_says_nothing_while_it_learns_and_then_what_is_far_is_raised_at_once() -> None:
    feed = Feed({"deviates": own()})
    assert feed.days(0, 2, *WAVE) == []
    assert feed.reads(2, *WAVE[:-1], 500.0) == []
    assert feed.standing == Standing("all the time", learning="2 of 3 days")
    feed = Feed({"deviates": own()})
    feed.days(0, 4, *WAVE)
    assert feed.reads(4, 10.0, 16.0, 10.0) == [("raised", 4 + 1 / 24), ("cleared", 4 + 2 / 24)]


def test_three_visits_are_needed_however_short_it_has_to_learn() -> None:
    feed = Feed({"deviates": {"from": "seasonal", "by": "4 sigma", "learn": "1d"}})
    assert feed.days(0, 3, 10.0) == []
    assert feed.standing is not None
    assert feed.standing.learning == "2 of 3 visits to working days 00-01"
    assert feed.reads(3, 10.5) == [("raised", 3.0)]


def test_what_is_usual_by_night_is_not_by_day() -> None:
    feed = Feed({"deviates": {"from": "daily", "by": "4 sigma", "learn": "4d"}})
    night_and_day = [1.0, 2.0] * 4 + [51.0, 52.0] * 8
    assert feed.days(0, 8, *night_and_day) == []
    assert feed.reads(8, 1.0, 2.0, 51.0) == [("raised", 8 + 2 / 24)]


def test_days_off_are_days_of_their_own() -> None:
    busy, quiet = [50.0, 52.0] * 12, [10.0, 12.0] * 12
    feed = Feed({"deviates": {"from": "seasonal", "by": "4 sigma", "learn": "14d"}})
    raised = []
    for day in range(28):
        raised += feed.reads(day, *(quiet if day % 7 >= 5 else busy))
    assert raised == []
    # Monday 6 April is off (Qingming), Tuesday is not.
    assert feed.reads(28, *quiet) == []
    assert feed.reads(29, *quiet)[0] == ("raised", 29.0)


def test_a_saturday_on_which_people_work_is_a_working_day() -> None:
    day = {int(at): off for at, off in zip(borders("day", "Asia/Shanghai"), days_off(), strict=True)}
    # 9 October 2021 was a working Saturday, 4 October 2021 a Monday off.
    assert day[1_633_708_800_000] == 0
    assert day[1_633_276_800_000] == 1


@pytest.mark.parametrize(("direction", "value", "raises"), [("up", 16, True), ("up", 4, False), ("down", 4, True)])
def test_only_the_direction_that_is_meant_counts(direction: str, value: float, raises: bool) -> None:  # noqa: FBT001 - drawn
    feed = Feed({"deviates": own(direction=direction)})
    feed.days(0, 4, *WAVE)
    assert bool(feed.reads(4, value)) is raises


def test_nearer_than_at_least_is_no_deviation() -> None:
    feed = Feed({"deviates": own(at_least=20)})
    feed.days(0, 4, *WAVE)
    assert feed.reads(4, 29.9, 30.1) == [("raised", 4 + 1 / 24)]


def test_it_clears_at_fewer_spreads_than_it_raised_at() -> None:
    feed = Feed({"deviates": own(), "clear_by": "1 sigma"})
    feed.days(0, 10, *WAVE)
    sigma = (feed.standing or Standing("")).spread or 0.0
    assert feed.reads(10, 10 + 4.5 * sigma, 10 + 2 * sigma, 10.0) == [("raised", 10.0), ("cleared", 10 + 2 / 24)]


def test_a_flat_sensor_does_not_raise_by_its_last_digit() -> None:
    feed = Feed({"deviates": own()})
    feed.days(0, 4, *[20.0] * 23, 20.1)
    assert feed.reads(4, 20.0, 20.1, 19.9) == []


def test_a_mean_is_held_against_it_with_the_first_reading_after_it() -> None:
    feed = Feed({"deviates": own(of="2h mean")})
    feed.days(0, 5, *WAVE)
    # One reading far away moves the mean of two by less than what is usual.
    assert feed.reads(5, 9.0, 14.0, 9.0, 11.0) == []
    assert feed.reads(5.5, 19.0, 19.0) == []
    assert feed.reads(5.75, 10.0) == [("raised", 5.75)]


def test_a_restart_forgets_nothing() -> None:
    feed, again = Feed({"deviates": own()}), Feed({"deviates": own()})
    feed.days(0, 4, *WAVE)
    again.engine.restore(feed.engine.snapshot())
    assert again.standing == feed.standing
    assert again.reads(4, 16.0) == feed.reads(4, 16.0) == [("raised", 4.0)]


def test_levels_that_learn_the_same_share_it() -> None:
    feed = Feed({"deviates": own()}, {"severity": "major", "deviates": own(by="8 sigma")})
    assert len(feed.engine._tables.measures) == 1
    feed.days(0, 4, *WAVE)
    assert [kind for kind, _ in feed.reads(4, 15.0, 30.0)] == ["raised", "raised"]


def test_feeds_without_it_keep_nothing_for_it() -> None:
    plain = Engine(SceneSet.of([scene({"above": 1})]), max_feeds=1)
    plain.bind(0, Device("d", "g"), "m")
    assert len(plain._gauges) == 0


def test_a_calendar_that_ends_is_told_for_what_is_usual_on_working_days() -> None:
    seasonal = Feed({"deviates": {"from": "seasonal", "by": "4 sigma"}})
    daily = Feed({"deviates": {"from": "daily", "by": "4 sigma"}})
    assert seasonal.engine.calendar_ends_ms is not None
    assert daily.engine.calendar_ends_ms is None


def test_times_outside_the_calendar_do_no_harm() -> None:
    feed = Feed({"deviates": {"from": "seasonal", "by": "4 sigma", "learn": "1d"}})
    for year in (0, 86, 200):
        feed.reads(year * 365.25, 10.0, 11.0, step_h=30)
    early = Feed({"deviates": {"from": "seasonal", "by": "4 sigma", "learn": "1d"}})
    early.engine.on_batch(ReadingBatch.of([0, 0], [5, 90_000_000], [1.0, 2.0]))
    assert early.standing is not None
