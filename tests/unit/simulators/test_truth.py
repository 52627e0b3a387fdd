from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.clock import parse_rfc3339
from simulators.district import District
from simulators.limits import LIMITS
from simulators.patterns import PATTERNS
from simulators.run import Sent
from simulators.signals import crane_moment
from simulators.truth import Truth, read_truth, truth_of, write_truth
from simulators.world import Scenario, World
from tests.unit.simulators.parts import BEGIN, SEED, kind_index, of_device, readings, world

DAY = 86_400
HOUR = 3_600_000
RANKS = ("info", "minor", "major", "critical")
PLAIN = {
    "gas-leak": ((25.0, "major"), (50.0, "critical")),
    "electrical-leakage": ((300.0, "major"), (500.0, "critical")),
    "ebike-overheating": ((60.0, "major"), (75.0, "critical")),
    "sewer-blockage": ((80.0, "minor"), (99.9, "major")),
    "shaft-hydrogen-sulphide": ((10.0, "major"), (28.0, "critical")),
    "turbid-tank": ((1.0, "major"),),
    "bin-fire": ((60.0, "critical"),),
}
"""Limits once more, by hand, of incidents that go upwards."""


@pytest.fixture(scope="module")
def played(there: District) -> World:
    return world(there, 3 * DAY, incidents=len(PATTERNS))


@pytest.fixture(scope="module")
def truth(played: World) -> Truth:
    return truth_of(played, Sent(messages=1, readings=2, duplicates=3))


def test_what_reaches_over_a_border_of_towns_is_an_incident_in_each(there: District) -> None:
    """The same district with a border through the middle of everything."""
    towns = tuple(replace(device, town=f"T{number % 2}") for number, device in enumerate(there.devices))
    torn = world(replace(there, devices=towns), DAY, incidents=len(PATTERNS))
    found = truth_of(torn, Sent())
    town_of = {device.id: device.town for device in towns}
    wide = {pattern.kind for pattern in PATTERNS if pattern.apart == "town"}  # the others have smaller areas
    made = {one.pattern.kind for one in torn.incidents} & wide  # those of the weather are of one map module each
    for told in (one for one in found.incidents if one.kind in made):
        assert {town_of[seen.device] for seen in told.devices} == {told.town}
    (flood,) = (one for one in torn.incidents if one.pattern.kind == "river-backwater")
    assert len({effect.row for effect in flood.effects}) > 1
    assert [told.town for told in found.incidents if told.kind == "river-backwater"] in (["T0", "T1"], ["T1", "T0"])


def test_an_incident_begins_when_a_slow_twin_sees_the_true_value_pass_the_limit(
    there: District, played: World, truth: Truth
) -> None:
    """The twin knows nothing but the formula: it walks from second to second and compares."""
    checked = 0
    for told in truth.incidents:
        if told.kind not in PLAIN:
            continue
        levels = PLAIN[told.kind]
        for seen in told.devices:
            number = next(i for i, d in enumerate(there.devices) if d.id == seen.device)
            kind = kind_index(there, there.devices[number].type)
            row = number - there.fleets[kind].first
            incident = next(
                i for i in played.incidents if i.pattern.kind == told.kind for e in i.effects if e.row == row
            )
            t = np.arange(incident.start - 1_000, min(incident.end, played.scenario.end_ms) + 1_000, 1_000)
            metric = there.kinds[kind].metric(seen.metric)
            value = played.true(played.moment(kind, np.full(len(t), row), t), kind, metric)
            past = [int(at) for at, v in zip(t, value, strict=True) if v > levels[0][0]]
            assert abs(past[0] - parse_rfc3339(seen.from_)) <= 1_000
            assert abs(past[-1] - parse_rfc3339(seen.to)) <= 1_000
            assert seen.severity == [name for limit, name in levels if value.max() > limit][-1]
            checked += 1
    assert checked >= len(PLAIN)


def test_the_readings_agree_with_the_truth(played: World, truth: Truth, there: District) -> None:
    everything = readings(played)
    alarm = {kind.type: kind.alarm_s for kind in there.kinds}
    for told in truth.incidents:
        if told.kind not in PLAIN:
            continue
        for seen in told.devices:
            limit = PLAIN[told.kind][0][0]
            begin, end = parse_rfc3339(seen.from_), parse_rfc3339(seen.to)
            type_id = next(d.type for d in there.devices if d.id == seen.device)
            own = of_device(everything, seen.device, seen.metric)
            # Rain of another day fills sewers, too.
            past = [t for t, value in own if value > limit and begin - HOUR <= t <= end + HOUR]
            # Noise may bring a reading over the limit a little before the true value.
            slack = 3 * alarm[type_id] * 1_000 + (end - begin) // 10
            assert begin - slack <= past[0] <= begin + slack
            assert end - slack <= past[-1] <= end + slack


def test_start_and_end_are_those_of_the_devices_and_every_reference_is_known(truth: Truth, there: District) -> None:
    devices = {d.id: d for d in there.devices}
    for told in truth.incidents:
        assert told.start == min(seen.from_ for seen in told.devices)
        assert told.end == max(seen.to for seen in told.devices)
        assert told.start <= told.peak <= told.end
        assert told.severity == max((seen.severity for seen in told.devices), key=RANKS.index)
        assert told.place in {devices[seen.device].place for seen in told.devices}
    assert [i.id for i in truth.incidents] == [f"inc-{n:04d}" for n in range(1, len(truth.incidents) + 1)]
    assert [i.start for i in truth.incidents] == sorted(i.start for i in truth.incidents)


def test_the_weather_makes_incidents_of_its_own(there: District) -> None:
    truth = truth_of(world(there, 3 * 3_600, storm=True), Sent())
    kinds = {i.kind for i in truth.incidents}
    assert {"rain-on-road", "sewer-overload", "cloudburst"} <= kinds
    rain = [i for i in truth.incidents if i.kind == "cloudburst"]
    assert len({i.place for i in rain}) == len(rain)
    onset = BEGIN + 20_000
    assert all(parse_rfc3339(i.start) > onset for i in truth.incidents)


def test_a_calm_world_has_no_truth_but_the_weather(there: District) -> None:
    weather = {"rain-on-road", "high-water", "sewer-overload", "cloudburst", "gale", "heat"}
    assert {i.kind for i in truth_of(world(there, DAY), Sent()).incidents} <= weather


def test_what_had_not_begun_when_it_was_ended_did_not_happen(played: World) -> None:
    until = BEGIN + DAY * 1000
    early = truth_of(played, Sent(), until_ms=until)
    assert 0 < len(early.incidents) < len(played.incidents)
    assert all(parse_rfc3339(i.start) < until for i in early.incidents)
    assert parse_rfc3339(early.end) == until


def test_what_stands_in_a_building_or_a_street_is_an_incident_of_each_place(there: District) -> None:
    """The same district with every other device of a type in another map module and disposal grid."""
    devices = tuple(
        replace(device, place=f"M{number % 2}", disposal_grid=f"D{number % 2}")
        for number, device in enumerate(there.devices)
    )
    torn = world(replace(there, devices=devices), DAY, incidents=len(PATTERNS))
    area_of = {"place": {d.id: d.place for d in devices}, "disposal_grid": {d.id: d.disposal_grid for d in devices}}
    apart = {pattern.kind: pattern.apart for pattern in PATTERNS}
    seen = 0
    for told in truth_of(torn, Sent()).incidents:
        areas = area_of.get(apart.get(told.kind, ""))
        if areas is not None:
            assert len({areas[one.device] for one in told.devices}) == 1, told.kind
            seen += 1
    assert seen


def test_a_station_has_the_one_level_that_its_record_gives(truth: Truth) -> None:
    floods = [one for one in truth.incidents if one.kind == "river-backwater"]
    assert {one.severity for one in floods} == {"minor"}


def test_wind_is_an_incident_at_a_crane_that_works(there: District) -> None:
    """A twin that walks over the minutes; at one o'clock in the night hardly a crane works."""
    monday = parse_rfc3339("2026-07-06T00:00:00+08:00")
    limit = next(one for one in LIMITS if one.scene == "crane-wind")
    kind = kind_index(there, "tower-crane-monitor")
    for hour, works in ((1, False), (10, True)):
        played = World(there, Scenario(seed=SEED, begin_ms=monday, seconds=12 * 3_600))
        t = np.full(len(there.fleets[kind]), monday + hour * HOUR)
        at = played.moment(kind, np.arange(len(t)), t)
        rank, near = limit.excess(at, np.full(len(t), 12.0))
        lifted = np.zeros(len(t), np.bool_)
        for minute in range(30):
            lifted |= crane_moment(played.moment(kind, np.arange(len(t)), t - minute * 60_000)) > 20.0
        assert np.array_equal(rank > 0, lifted)
        assert (lifted.mean() > 0.9) == works
        assert (near > 1).all(), "it reports faster all the same"


def test_what_is_over_before_anybody_could_tell_is_brief(there: District) -> None:
    """Sewers and wind, a fortnight of summer: some stretches are shorter than the catalogue's own delay."""
    stormy = World(there, Scenario(seed=4, begin_ms=parse_rfc3339("2026-07-10T00:00:00+08:00"), seconds=3 * DAY))
    found = truth_of(stormy, Sent()).incidents
    assert found
    for told in found:
        lasting_s = max(limit.lasting_s for limit in LIMITS if limit.scene == told.scenes[0])
        spans = [parse_rfc3339(seen.to) - parse_rfc3339(seen.from_) for seen in told.devices]
        assert told.brief == (max(spans) < lasting_s * 1000)
    assert {told.brief for told in found} == {True, False}


def test_it_is_written_and_read(truth: Truth, tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.json", truth)
    assert read_truth(tmp_path / "truth.json") == truth
    text = (tmp_path / "truth.json").read_text()
    assert '"from":' in text
    assert truth.sent.readings == 2
