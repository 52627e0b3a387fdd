import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.district import District
from simulators.hydrology import DRAIN_MM_H, Hydrology
from simulators.weather import SIDE, WARM_UP_MIN, Weather, cell_of
from simulators.world import World
from tests.unit.simulators.parts import BEGIN, SEED, kind_index, world

BOX = (20_000.0, 24_000.0)
HOUR = 3_600_000


def showers(monkeypatch: pytest.MonkeyPatch, mm_h: float, minutes: int) -> Weather:
    """One shower at one cell, an hour after the beginning, and not a drop elsewhere."""
    monkeypatch.setattr(Weather, "_fronts", lambda _: [])
    weather = Weather(SEED, BEGIN, BEGIN + 24 * HOUR, BOX)
    first = WARM_UP_MIN + 60
    weather.rain[first : first + minutes, 100] = mm_h
    weather.fallen[:] = np.cumsum(weather.rain, axis=0, dtype=np.float64) / 60
    return weather


def peak_min(series: NDArray[np.float32]) -> int:
    return int(np.argmax(series)) - WARM_UP_MIN - 60


def test_rain_fills_sewers_in_minutes_and_rivers_in_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    water = Hydrology(showers(monkeypatch, 50.0, 30))
    rain, sewer, river = (peak_min(field[:, 100]) for field in (water.weather.rain, water.sewer, water.runoff))
    assert 0 <= rain < 29 <= sewer < 60 < river < 240
    assert water.sewer[:, 99].max() == 0


def test_no_water_is_made_and_none_is_lost_in_a_reservoir(monkeypatch: pytest.MonkeyPatch) -> None:
    water = Hydrology(showers(monkeypatch, 50.0, 30))
    assert water.sewer[:, 100].sum() == pytest.approx(50.0 * 30, rel=1e-3)
    assert water.runoff[:, 100].sum() == pytest.approx(50.0 * 30, rel=1e-2)


@pytest.mark.parametrize(("mm_h", "stands"), [(DRAIN_MM_H - 5, False), (DRAIN_MM_H + 30, True)])
def test_a_road_floods_only_when_its_gullies_cannot_take_the_rain(
    monkeypatch: pytest.MonkeyPatch, *, mm_h: float, stands: bool
) -> None:
    water = Hydrology(showers(monkeypatch, mm_h, 60))
    assert (water.pond[:, 100].max() > 1.0) == stands
    assert water.pond[-1, 100] < 0.01


def test_more_rain_makes_more_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    less, more = (Hydrology(showers(monkeypatch, mm_h, 60)) for mm_h in (40.0, 60.0))
    assert (more.pond >= less.pond).all()
    assert (more.sewer >= less.sewer).all()
    assert more.pond.max() > 2 * less.pond.max()


def test_downstream_the_river_rises_later(monkeypatch: pytest.MonkeyPatch) -> None:
    water = Hydrology(showers(monkeypatch, 60.0, 60))
    t = BEGIN + np.arange(0, 22 * HOUR, 60_000)
    tops = []
    for metres in (0.0, 6_000.0, 15_000.0):
        far = np.zeros(len(t), np.int64)
        tops.append(int(np.argmax(water.river_rise_m(t, far, np.full(len(t), metres)))))
    assert tops[0] < tops[1] < tops[2]
    assert tops[2] - tops[0] == pytest.approx(15_000 / 0.9 / 60, abs=3)


def storm(there: District) -> World:
    return world(there, 3 * 3600, storm=True)


def test_an_underpass_takes_more_water_than_a_road(there: District) -> None:
    played = storm(there)
    kind = kind_index(there, "road-water-level")
    fleet = there.fleets[kind]
    rows = np.arange(len(fleet), dtype=np.int64)
    top = np.max(
        [
            played.true(played.moment(kind, rows, np.full(len(rows), BEGIN + m * 60_000)), kind, 0)
            for m in range(0, 180, 5)
        ],
        axis=0,
    )
    assert top[fleet.site == "underpass"].min() > top[fleet.site == "road"].max()
    assert (top[fleet.site == "underpass"] > 15).all()


def test_in_a_storm_every_water_device_is_in_alarm_interval_within_a_minute(there: District) -> None:
    played = storm(there)
    for type_id in ("road-water-level", "river-level", "sewer-level", "weather-station"):
        kind = kind_index(there, type_id)
        rows = np.arange(len(there.fleets[kind]), dtype=np.int64)
        onset = BEGIN + 20_000  # a whole minute
        assert played.near_spans(kind).inside(rows, np.full(len(rows), onset + 60_000)).all()
        assert not played.near_spans(kind).inside(rows, np.full(len(rows), onset - 1)).any()


def test_rain_is_heard_where_it_is_quiet(there: District) -> None:
    played, dry = storm(there), world(there, 3 * 3600)
    kind = kind_index(there, "ambient-noise")
    rows = np.arange(len(there.fleets[kind]), dtype=np.int64)
    t = np.full(len(rows), BEGIN + 30 * 60_000)
    louder = played.true(played.moment(kind, rows, t), kind, 0) - dry.true(dry.moment(kind, rows, t), kind, 0)
    assert (louder > 0).all()
    assert louder[there.fleets[kind].area_class == 1].mean() > louder[there.fleets[kind].area_class == 3].mean()


def test_a_front_comes_to_one_side_before_the_other() -> None:
    weather = Weather(2, 1_785_000_000_000, 1_785_000_000_000 + 14 * 24 * HOUR, BOX)
    middle = [f for f in weather.fronts if 4_000 < f.at_min < weather.minutes - 1_000]
    front = max(middle, key=lambda f: np.cos(f.heading) / f.speed)
    west = int(cell_of(np.array([500.0]), np.array([BOX[1] / 2]), BOX)[0])
    east = int(cell_of(np.array([BOX[0] - 500.0]), np.array([BOX[1] / 2]), BOX)[0])
    weather.blow[:] = 0
    weather._add(front)
    first, second = (int(np.argmax(weather.blow[:, cell])) for cell in (west, east))
    way_m = (BOX[0] - BOX[0] / SIDE) * np.cos(front.heading)
    assert second - first == pytest.approx(way_m / front.speed, abs=2)
    assert second - first > 10


def test_the_weather_of_a_day_is_the_same_whenever_a_run_begins() -> None:
    early = Weather(3, BEGIN, BEGIN + 72 * HOUR, BOX)
    late = Weather(3, BEGIN + 24 * HOUR, BEGIN + 48 * HOUR, BOX)
    shared = late.minutes - 62
    part = early.rain[24 * 60 : 24 * 60 + shared]
    assert part.max() >= 0
    assert np.allclose(part[1440:], late.rain[1440:shared], atol=1e-4)
