from collections import Counter

import numpy as np
import pytest

from simulators.district import District
from simulators.encode import Encoder
from simulators.limits import limits_of, worst
from simulators.patterns import PATTERNS
from simulators.run import Sent, batches
from simulators.truth import truth_of
from simulators.world import Scenario, World
from tests.unit.simulators.parts import BEGIN, SEED, joined, kind_index, readings, world

DAY = 86_400
EVERYTHING = {"incidents": 20, "faults": 13}


def frames(played: World, chunk_ms: int) -> bytes:
    encoder = Encoder(played.district)
    out = b""
    for begin in range(played.scenario.begin_ms, played.scenario.end_ms, chunk_ms):
        reports = list(played.reports(begin, min(begin + chunk_ms, played.scenario.end_ms)))
        out += b"".join(s.frames for s in encoder.segments(reports, played.scenario.begin_ms, 10))
    return out


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(there: District) -> None:
    first = frames(world(there, 120, **EVERYTHING), 1_000)
    assert len(first) > 10_000
    assert frames(world(there, 120, **EVERYTHING), 1_000) == first
    other = World(there, Scenario(seed=SEED + 1, begin_ms=BEGIN, seconds=120, **EVERYTHING))  # type: ignore[arg-type]
    assert frames(other, 1_000) != first


def test_whoever_asks_in_whatever_pieces_gets_the_same_readings(there: District) -> None:
    played = world(there, 3_600, **EVERYTHING)
    expected = readings(played, chunk_s=1_800.0)
    for chunk_s in (7.3, 60.0, 333.0, 5_000.0):
        assert readings(played, chunk_s=chunk_s) == expected, chunk_s


def test_readings_come_in_the_order_of_their_arrival_and_are_counted(there: District) -> None:
    sent = Sent()
    before, total, again = 0, 0, 0
    for batch in batches(world(there, 6 * 3_600, **EVERYTHING), chunk_s=900, sent=sent):
        assert batch.arrival_ns[0] >= before
        assert (np.diff(batch.arrival_ns) >= 0).all()
        before = int(batch.arrival_ns[-1])
        total += batch.readings
        again += int(batch.again.sum())
    assert sent.readings + sent.duplicates == total
    assert sent.duplicates == again > 0


def test_a_reading_stands_for_itself_once(there: District) -> None:
    batch = joined(world(there, 6 * 3_600, incidents=20))
    pairs = batch.feed.astype(np.int64) * (1 << 42) + (batch.event_ms - BEGIN)
    assert len(np.unique(pairs)) == len(pairs)


def test_what_a_calm_district_sends_is_what_its_intervals_say(there: District) -> None:
    played = world(there, 2 * 3_600)
    counts: Counter[int] = Counter()
    for report in played.reports(BEGIN, BEGIN + 7_200_000):
        counts[report.kind] += len(report.rows)
    for number, kind in enumerate(there.kinds):
        if not len(played.near_spans(number)):
            assert counts[number] == pytest.approx(
                22 * 7_200 / kind.interval_s, abs=22 if kind.type != "camera" else 1e9
            )


def test_what_sensors_show_lies_in_their_range_and_at_their_resolution(there: District) -> None:
    played = world(there, DAY, incidents=40)
    batch = joined(played)
    for number, (kind, fleet) in enumerate(zip(there.kinds, there.fleets, strict=True)):
        own = (batch.device >= fleet.first) & (batch.device < fleet.first + len(fleet))
        for metric, spec in enumerate(kind.metrics):
            values = batch.value[own & (batch.metric == metric)]
            assert len(values), (number, spec.name)
            assert values.min() >= spec.low, spec.name
            assert values.max() <= spec.high, spec.name
            assert np.array_equal(values, [float(f"{v:.{spec.decimals}f}") for v in values.tolist()]), spec.name


def test_a_calm_district_stays_within_every_limit_but_for_its_weather(there: District) -> None:
    """Every minute of a day in the middle of each season, sensors' noise included."""
    for season in range(4):
        begin = BEGIN + season * 91 * DAY * 1000
        played = World(there, Scenario(seed=SEED, begin_ms=begin, seconds=DAY))
        for number, kind in enumerate(there.kinds):
            for name, limits in limits_of(kind.type).items():
                calm = tuple(limit for limit in limits if not limit.weather)
                rows = np.repeat(np.arange(len(there.fleets[number]), dtype=np.int64), 288)
                t = np.tile(begin + np.arange(288, dtype=np.int64) * 300_000, len(there.fleets[number]))
                at = played.moment(number, rows, t)
                rank, _ = worst(calm, at, played.measured(at, number, kind.metric(name)))
                assert not rank.any(), (name, season)


def test_near_a_limit_a_device_reports_at_its_alarm_interval(there: District) -> None:
    played = world(there, 6 * 3_600, incidents=40)
    incident = next(i for i in played.incidents if i.pattern.kind == "gas-leak")
    effect = incident.effects[0]
    times = [
        int(t)
        for report in played.reports(effect.peak, effect.peak + 60_000)
        if report.kind == incident.kind
        for row, t in zip(report.rows, report.event, strict=True)
        if row == incident.row
    ]
    assert np.diff(sorted(times)).tolist() == [5_000] * (len(times) - 1)
    assert len(times) == 12


def test_batteries_run_down_and_cold_takes_more_of_them(there: District) -> None:
    kind = kind_index(there, "smoke-detector")
    metric = there.kinds[kind].metric("battery_pct")
    rows = np.arange(len(there.fleets[kind]), dtype=np.int64)
    played = world(there, 60)
    now = played.true(played.moment(kind, rows, np.full(len(rows), BEGIN)), kind, metric)
    later = played.true(played.moment(kind, rows, np.full(len(rows), BEGIN + 30 * DAY * 1000)), kind, metric)
    renewed = later > now
    assert renewed.sum() <= 4
    assert (later[~renewed] < now[~renewed]).all()
    assert (now > 20).all()


def test_people_make_the_day_and_the_week(there: District) -> None:
    kind = kind_index(there, "bridge-health")
    rows = np.arange(len(there.fleets[kind]), dtype=np.int64)
    midnight = BEGIN - (BEGIN + 8 * 3_600_000) % (DAY * 1000)  # a Thursday
    played = World(there, Scenario(seed=SEED, begin_ms=midnight, seconds=7 * DAY))

    def strain(hour: float) -> float:
        t = np.full(len(rows), midnight + int(hour * 3_600_000))
        return float(played.true(played.moment(kind, rows, t), kind, 0).mean())

    assert strain(8.5) > 1.2 * strain(3.0)
    assert strain(8.5) > strain(8.5 + 48)  # a Saturday


AT_THEIR_HOURS = {"lamp-line-out", "night-noise", "night-building-works", "purifier-out-of-order"}


@pytest.mark.parametrize("brisk", [False, True])
def test_every_incident_that_was_injected_stands_in_the_truth(there: District, *, brisk: bool) -> None:
    played = world(there, 3 * DAY, incidents=len(PATTERNS), brisk=brisk)
    truth = truth_of(played, Sent())
    told = Counter(i.kind for i in truth.incidents)
    for kind, number in Counter(i.pattern.kind for i in played.incidents).items():
        # By day a dark lamp is nobody's, and a brisk incident begins at any hour.
        assert told[kind] >= (0 if brisk and kind in AT_THEIR_HOURS else number)
    assert len(played.incidents) >= 40
