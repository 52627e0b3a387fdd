"""Where the time went: what is known, what is null, and that the stages add up."""

import pytest

from alerts.change import AlertChange, Timing, latency
from alerts.event import Latency
from alerts.lifecycle import AlertStage
from core.severity import Severity
from tests.unit.alerts.parts import MIN, T0, Row, ScenesOf, Timeline, feeds, only, transitions
from thresholds.transition import TransitionKind

RAISED = TransitionKind.RAISED
MS = 1_000_000
ARRIVAL = T0 * MS + 3 * MS


def decide(row: Row, *, wall: bool = True, **more: object) -> AlertChange:
    stage = AlertStage(ScenesOf(), feeds(), wall=wall)
    return only(stage.on_transitions(transitions(row), ARRIVAL + 2 * MS, **more))  # type: ignore[arg-type]


def test_a_reading_with_its_own_time_gives_every_stage_and_they_add_up() -> None:
    timing = decide(Row(RAISED, 0, T0, arrival=ARRIVAL)).timing
    found = latency(timing, ARRIVAL + 3 * MS, ARRIVAL + 7 * MS)
    assert found == Latency(
        device_to_ingest_ms=3.0,
        ingest_to_decision_ms=2.0,
        decision_to_durable_ms=1.0,
        durable_to_case_ms=4.0,
        total_ms=10.0,
        configured_delay_ms=0.0,
    )


def test_what_is_not_known_yet_is_null_and_so_is_the_total() -> None:
    timing = decide(Row(RAISED, 0, T0, arrival=ARRIVAL)).timing
    assert latency(timing).total_ms is None
    assert latency(timing).decision_to_durable_ms is None
    assert latency(timing, ARRIVAL + 3 * MS).durable_to_case_ms is None


def test_the_end_of_a_delay_is_nobodys_reading() -> None:
    row = Row(RAISED, 0, T0, onset=T0 - MIN, delay_ms=MIN, arrival=ARRIVAL)
    found = latency(decide(row).timing)
    assert found.device_to_ingest_ms is None
    assert found.ingest_to_decision_ms == 2.0
    assert found.configured_delay_ms == 60_000.0


def test_a_reading_that_ends_a_hold_after_a_silence_decides_itself() -> None:
    row = Row(RAISED, 0, T0, onset=T0 - 2 * MIN, delay_ms=MIN, arrival=ARRIVAL)
    assert latency(decide(row).timing).device_to_ingest_ms == 3.0


def test_a_reading_without_a_time_of_its_own_says_nothing_of_the_way() -> None:
    change = decide(Row(RAISED, 0, T0, arrival=ARRIVAL), untimed={0})
    assert latency(change.timing).device_to_ingest_ms is None


def test_on_a_recordings_clock_the_way_from_the_device_is_not_known() -> None:
    row = Row(RAISED, 0, T0 - 400 * MIN, arrival=(T0 - 400 * MIN) * MS)
    assert decide(row, wall=False).timing == Timing(decided_ns=ARRIVAL + 2 * MS, delay_ms=0)
    received = latency(decide(row, wall=False, received_ns=ARRIVAL).timing, ARRIVAL + 3 * MS, ARRIVAL + 4 * MS)
    assert received.ingest_to_decision_ms == 2.0
    assert received.device_to_ingest_ms is None
    assert received.total_ms is None


def test_a_device_whose_clock_is_ahead_shows_that_nobody_knows_the_way() -> None:
    found = latency(decide(Row(RAISED, 0, T0 + MIN, arrival=ARRIVAL)).timing, ARRIVAL, ARRIVAL)
    assert found.device_to_ingest_ms is None
    assert found.total_ms is None


def test_what_a_gateway_brings_about_has_no_reading_behind_it() -> None:
    line = Timeline()
    line.raised(0, T0)
    change = only(line.stage.on_gateway("g1", False, T0 + 1, decided_ns=5))
    assert change.timing == Timing(decided_ns=5)


def test_a_ladder_is_timed_by_its_worst_level() -> None:
    line = Timeline()
    change = only(
        line.push(
            Row(RAISED, 0, T0, Severity.MINOR, onset=T0 - 1, delay_ms=1),
            Row(RAISED, 0, T0, Severity.MAJOR, onset=T0 - MIN, delay_ms=MIN),
        )
    )
    assert change.timing.delay_ms == MIN


@pytest.mark.parametrize("missing", ["device_ms", "arrival_ns", "decided_ns"])
def test_a_missing_moment_never_counts_as_zero(missing: str) -> None:
    moments = {"device_ms": 1, "arrival_ns": 2 * MS, "decided_ns": 3 * MS}
    del moments[missing]
    assert latency(Timing(**moments), 4 * MS, 5 * MS).total_ms is None
