"""Schedules: which hours and days, and what turns at that very moment."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from city.device import Device
from city.workdays import LAST_YEAR, is_working_day
from core.reading import ReadingBatch
from tests.unit.thresholds.parts import rows, scene
from thresholds.calendars import borders
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet
from thresholds.schedule import When, holds_at, timeline

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(day: str, time: str) -> int:
    return round(dt.datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=SHANGHAI).timestamp() * 1000)


def when(said: Any) -> When:
    return When.model_validate(said)


@pytest.mark.parametrize(
    ("said", "inside", "outside"),
    [
        ("night", ["2026-11-25T22:00", "2026-11-26T05:59"], ["2026-11-25T21:59", "2026-11-26T06:00"]),
        ({"days": "sat", "hours": "22:00-06:00"}, ["2026-11-28T23:00", "2026-11-29T05:00"], ["2026-11-28T05:00"]),
        ({"months": [6, 7]}, ["2026-06-01T00:00", "2026-07-31T23:59"], ["2026-08-01T00:00"]),
        ({"season": {"from": "11-15", "to": "03-15"}}, ["2026-12-31T12:00", "2026-03-15T23:59"], ["2026-03-16T00:00"]),
        # The Spring Festival of 2026: the Saturday before is a working day, the week is none.
        ("working days", ["2026-02-14T12:00"], ["2026-02-16T12:00", "2026-02-17T12:00"]),
    ],
)
def test_a_schedule_is_in_force_at_its_times(said: Any, inside: list[str], outside: list[str]) -> None:
    assert all(holds_at(when(said), dt.datetime.fromisoformat(text)) for text in inside)
    assert not any(holds_at(when(said), dt.datetime.fromisoformat(text)) for text in outside)


def test_the_timeline_says_the_same_minute_by_minute() -> None:
    whens = [when("night"), when({"days": "holiday", "hours": ["08:00-12:00", "13:30-24:00"]})]
    times, masks = timeline(tuple(one.key for one in whens), "Asia/Shanghai")
    for moment in range(at("2026-02-13", "00:00"), at("2026-02-19", "00:00"), 600_000):
        local = dt.datetime.fromtimestamp(moment / 1000, SHANGHAI)
        mask = masks[np.searchsorted(times, moment, side="right") - 1]
        assert [bool(mask >> bit & 1) for bit in range(2)] == [holds_at(one, local) for one in whens]


def test_past_the_last_year_of_the_calendar_it_says_so() -> None:
    with pytest.raises(ValueError, match=f"knows 2004 to {LAST_YEAR}, not {LAST_YEAR + 1}-01-04: update"):
        is_working_day(dt.date(LAST_YEAR + 1, 1, 4))


def test_a_day_begins_at_its_zones_midnight_through_a_change_of_clocks() -> None:
    days = borders("day", "Europe/Berlin")
    begin = np.searchsorted(days, dt.datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
    assert (np.diff(days[begin : begin + 3]) / 3_600_000).tolist() == [23, 24]


def watched(**parts: Any) -> Engine:
    engine = Engine(SceneSet.of([scene({"above": 60, "clear_below": 55}, **parts)]), max_feeds=1)
    engine.bind(0, Device("d", "g"), "m")
    return engine


def read(engine: Engine, moment: int, value: float) -> list[tuple[str, int, int, float]]:
    return rows(engine.on_batch(ReadingBatch.of([0], [moment], [value])))


def test_a_schedule_that_opens_while_the_condition_holds_acts_at_that_moment() -> None:
    engine = watched(when="night")
    assert read(engine, at("2026-11-25", "21:30"), 70) == []
    assert engine.next_timer() == at("2026-11-25", "22:00") + 1_000
    raised = engine.on_timer(at("2026-11-25", "22:01"))
    assert (raised.kind.tolist(), raised.at.tolist()) == ([3], [at("2026-11-25", "22:00")])


def test_a_schedule_that_closes_clears_what_it_watched() -> None:
    engine = watched(when="day")
    assert len(read(engine, at("2026-11-25", "21:30"), 70)) == 1
    cleared = engine.on_timer(at("2026-11-26", "08:00"))
    assert cleared.at.tolist() == [at("2026-11-25", "22:00"), at("2026-11-26", "06:00")]


def test_the_place_is_more_specific_than_the_time() -> None:
    limits = [
        {"when": "night", "levels": {"minor": {"above": 50}}},
        {"where": {"device": "d"}, "levels": {"minor": {"above": 65}}},
    ]
    engine = watched(overrides=limits)
    assert read(engine, at("2026-11-25", "23:00"), 62) == []
    assert len(read(engine, at("2026-11-25", "23:01"), 66)) == 1


def test_two_schedules_that_never_meet_do_not_tie() -> None:
    day, night = ({"when": name, "levels": {"minor": {"above": limit}}} for name, limit in (("day", 58), ("night", 48)))
    assert scene({"above": 60}, overrides=[day, night]).overrides
    with pytest.raises(ValueError, match="as specific as"):
        scene({"above": 60}, overrides=[night, {**night, "when": {"days": "working"}}])


def test_a_profile_is_stronger_than_the_place() -> None:
    limits = [
        {"where": {"device": "d"}, "levels": {"minor": {"above": 65}}},
        {"profile": "typhoon", "levels": {"minor": {"above": 40}}},
    ]
    engine = watched(overrides=limits)
    assert read(engine, at("2026-11-25", "12:00"), 50) == []
    engine.replace(engine.scenes.under({"typhoon"}))
    assert len(read(engine, at("2026-11-25", "12:10"), 50)) == 1


def test_a_restart_keeps_the_delay_of_the_limit_in_force() -> None:
    parts = {"overrides": [{"when": "night", "levels": {"minor": {"above": 50, "for": "10m"}}}]}
    engine, again = watched(**parts), watched(**parts)
    assert [kind for kind, *_ in read(engine, at("2026-11-25", "23:00"), 52)] == ["onset"]
    again.restore(engine.snapshot())
    assert again.next_timer() == engine.next_timer() == at("2026-11-25", "23:10") + 1_000


def test_a_clear_delay_that_becomes_one_in_time_ends_by_time_though_the_window_is_empty_by_then() -> None:
    night = [{"when": "night", "levels": {"minor": {"for": "1s", "clear_for": "2s"}}}]
    level = {"mean_above": 5, "window": "5s", "clear_for": "2 samples", "min_share": 0}
    engine = Engine(SceneSet.of([scene(level, overrides=night)]), max_feeds=1)
    engine.bind(0, Device("d", "g"), "m")
    evening = at("2026-11-25", "21:59")
    assert [kind for kind, *_ in read(engine, evening, 6)] == ["raised"]
    assert read(engine, evening + 400, 0) == []
    cleared = engine.on_timer(at("2026-11-25", "22:01"))
    assert [(kind, moment) for kind, moment in zip(cleared.kind, cleared.at, strict=True)] == [(4, evening + 2_400)]
