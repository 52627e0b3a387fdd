import numpy as np
import pytest

from city.catalogue import load_catalogue
from simulators import faults
from simulators.district import District
from simulators.faults import ALL, Fault
from simulators.run import Batch
from simulators.world import rounded
from tests.unit.simulators.parts import BEGIN, joined, kind_index, world

HOUR = 3_600_000
START, END = BEGIN + HOUR, BEGIN + 3 * HOUR
TYPE = "residual-current-monitor"


def with_fault(
    there: District, monkeypatch: pytest.MonkeyPatch, name: str, type_id: str = TYPE, **more: float
) -> tuple[Batch, Batch, int]:
    """(what comes with the fault, what would have come without it, number of the device)."""
    fleet = there.fleets[kind_index(there, type_id)]
    device = fleet.first + 3
    gateway = int(there.gateway_of[device])
    fault = (
        Fault(name=name, gateway=gateway, start=START, end=END)
        if name in faults.GATEWAY
        else Fault(name=name, device=device, start=START, end=END, **more)  # type: ignore[arg-type]
    )
    monkeypatch.setattr(faults, "plan", lambda *_: [fault])
    ill = joined(world(there, 4 * 3_600))
    monkeypatch.setattr(faults, "plan", lambda *_: [])
    return ill, joined(world(there, 4 * 3_600)), device


def rows(batch: Batch, device: int, metric: int = 0) -> Batch:
    own = (batch.device == device) & (batch.metric == metric)
    return Batch(*(column[own] for column in batch))


def during(batch: Batch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray((batch.event_ms >= START) & (batch.event_ms < END))


def test_stuck_says_the_same_until_it_is_over(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "stuck")
    mine, true = rows(ill, device), rows(well, device)
    assert len(set(mine.value[during(mine)].tolist())) == 1
    assert len(set(true.value[during(true)].tolist())) > 5
    assert np.array_equal(mine.value[~during(mine)], true.value[~during(true)])


def test_drift_goes_away_from_the_truth_bit_by_bit(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "drift", size=0.35)
    mine, true = rows(ill, device), rows(well, device)
    gone = (mine.value - true.value)[during(mine)]
    assert gone[0] < 0.1 * gone[-1]
    assert gone[-1] == pytest.approx(0.35 * true.value[during(true)][0], rel=0.2)
    assert (np.diff(gone) >= 0).all()


def test_spikes_are_rare_high_and_alone(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "spike", "ambient-noise", size=0.08)
    mine, true = rows(ill, device), rows(well, device)
    high = mine.value > 1.5 * true.value
    assert 0 < high.sum() < 0.25 * during(mine).sum()
    assert np.array_equal(mine.value[~high], true.value[~high])


def test_dropout_says_nothing_and_comes_back(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "dropout")
    mine, true = rows(ill, device), rows(well, device)
    assert not during(mine).any()
    assert during(true).sum() == 24
    assert np.array_equal(mine.value, true.value[~during(true)])


def test_a_skewed_clock_changes_the_times_and_not_the_values(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "skewed-clock", size=-420_000)
    mine, true = rows(ill, device), rows(well, device)
    skewed = during(true)
    assert np.array_equal(mine.value, true.value)
    assert set((mine.event_ms - true.event_ms)[skewed].tolist()) == {-420_000}
    assert not (mine.event_ms - true.event_ms)[~skewed].any()
    assert np.array_equal(mine.arrival_ns, true.arrival_ns)


def test_a_duplicate_comes_twice_right_after_itself(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "duplicate")
    mine, true = rows(ill, device), rows(well, device)
    assert mine.again.sum() == during(true).sum()
    copies = np.flatnonzero(mine.again)
    assert np.array_equal(mine.event_ms[copies], mine.event_ms[copies - 1])
    assert np.array_equal(mine.value[copies], mine.value[copies - 1])


def test_reordered_readings_overtake_each_other(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "reordered")
    mine, true = rows(ill, device), rows(well, device)
    assert sorted(mine.event_ms.tolist()) == true.event_ms.tolist()
    assert (np.diff(mine.event_ms) < 0).sum() >= 10


def test_flapping_goes_to_and_fro(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, _, device = with_fault(there, monkeypatch, "flapping")
    mine = rows(ill, device)
    high = mine.value[during(mine)] > 200
    assert np.array_equal(high[1:], ~high[:-1])
    assert len(high) == 2 * 3_600 / 10


def test_babbling_is_twenty_times_as_much(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "babbling", size=20.0)
    mine, true = rows(ill, device), rows(well, device)
    assert during(mine).sum() == pytest.approx(21 * during(true).sum(), rel=0.05)


def test_a_wrong_unit_is_the_same_in_another_unit(there: District, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well, device = with_fault(there, monkeypatch, "wrong-unit", "indoor-water-pressure")
    mine, true = rows(ill, device), rows(well, device)
    assert np.allclose(mine.value[during(mine)], 1000 * true.value[during(true)])


@pytest.mark.parametrize("name", ["disconnect", "will"])
def test_a_gateway_that_is_away_sends_nothing_of_anybody(
    there: District, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ill, well, device = with_fault(there, monkeypatch, name)
    behind = np.flatnonzero(there.gateway_of == there.gateway_of[device])
    assert len(behind) > 10
    mine, true = (np.isin(batch.device, behind) & during(batch) for batch in (ill, well))
    assert not mine.any()
    assert true.any()
    others = ~np.isin(ill.device, behind)
    assert others.sum() == (~np.isin(well.device, behind)).sum()


def test_a_backlog_brings_everything_afterwards_in_order_with_its_old_times(
    there: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill, well, device = with_fault(there, monkeypatch, "backlog")
    behind = np.flatnonzero(there.gateway_of == there.gateway_of[device])
    held = np.isin(ill.device, behind) & during(ill)
    assert held.sum() == (np.isin(well.device, behind) & during(well)).sum()
    assert ill.arrival_ns[held].min() >= END * 1_000_000
    assert ill.arrival_ns[held].max() < (END + 60_000) * 1_000_000
    mine = rows(ill, device)
    assert (np.diff(mine.event_ms) > 0).all()


def test_every_fault_has_its_turn_before_one_comes_again(there: District) -> None:
    played = world(there, 86_400, faults=len(ALL))
    assert sorted(fault.name for fault in played.faults) == sorted(ALL)
    assert all(BEGIN < fault.start < fault.end <= played.scenario.end_ms for fault in played.faults)


def test_what_has_an_incident_tells_the_truth(there: District) -> None:
    played = world(there, 86_400, incidents=30, faults=26)
    touched = {there.fleets[e.kind].first + e.row for i in played.incidents for e in i.effects}
    behind = {int(there.gateway_of[device]) for device in touched}
    assert not {fault.device for fault in played.faults} & touched
    assert not {fault.gateway for fault in played.faults if fault.gateway >= 0} & behind


def test_what_says_zero_in_the_wrong_unit_is_less_than_half_a_step_of_its_sensor(there: District) -> None:
    """Of the types with a scene for what is stuck, by the ordinary values of their first metric."""
    units = load_catalogue()
    found = set()
    for number, (kind, fleet) in enumerate(zip(there.kinds, there.fleets, strict=True)):
        first = kind.metrics[0]
        if kind.type not in faults.SHOWS["stuck"]:
            continue
        t = BEGIN + np.arange(48) * HOUR
        played = world(there, 3_600)
        value = played.measured(played.moment(number, np.zeros(len(t), np.int64), t), number, 0)
        fault = Fault(name="wrong-unit", device=fleet.first, start=BEGIN, end=BEGIN + 48 * HOUR)
        unit = units[kind.type].metrics[first.name].unit
        said = faults.lie(fault, kind, 0, unit, 1, np.zeros(len(t), np.int64), t, value, float(value[0]))
        if len(set(rounded(said, first.decimals).tolist())) == 1 and len(set(value.tolist())) > 1:
            found.add(kind.type)
    assert found == faults.FREEZES
