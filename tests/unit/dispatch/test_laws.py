"""Whatever happens to events on their way, the cases are those of every event once, in order per place."""

import itertools
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.event import AlertEvent, EventType
from dispatch.case import Case
from dispatch.intake import Intake, Known
from dispatch.queries import Wanted
from dispatch.store import Store
from tests.unit.dispatch.events import event

NOW = 1_795_514_400_000
SEVERITIES = ["info", "minor", "major", "critical"]
OPENING = {EventType.RAISED, EventType.CHANGED}
LATER = [k for k in EventType if k is not EventType.RAISED]


@st.composite
def lives(draw: st.DrawFn) -> list[list[AlertEvent]]:
    """Events by place, in the order in which the pipeline made them."""
    places = []
    for p in range(draw(st.integers(1, 3))):
        events: list[AlertEvent] = []
        for a in range(draw(st.integers(1, 2))):
            worst = 0
            bad_enough = draw(st.integers(0, 4))
            leaves = draw(st.lists(st.sampled_from([None, "leaf", "worse"]), min_size=4, max_size=4))
            for n, kind in enumerate([EventType.RAISED, *draw(st.lists(st.sampled_from(LATER), max_size=3))]):
                level = draw(st.integers(0, 3))
                worst = max(worst, level)
                auto = worst >= bad_enough
                severity, of_all = SEVERITIES[level], SEVERITIES[worst]
                name, place, leaf = f"p{p}-a{a}", f"M{p}", leaves[worst]
                events.append(
                    event(name, n + 1, kind, place=place, severity=severity, worst=of_all, auto=auto, leaf=leaf)
                )
        places.append(events)
    return places


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[AlertEvent], list[list[AlertEvent]]]:
    """(every event once, in order per place), and the same in any order, repeated, cut into batches."""
    once = [e for place in draw(lives()) for e in place]
    repeated = once + draw(st.lists(st.sampled_from(once), max_size=8))
    shuffled = draw(st.permutations(repeated))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    bounds = [0, *cuts, len(shuffled)]
    return once, [shuffled[a:b] for a, b in itertools.pairwise(bounds)]


def facts(cases: list[Case]) -> set[tuple[object, ...]]:
    return {(c.alert, c.place, c.leaf, c.severity, c.state, c.alert_state, c.raised_at, c.cleared_at) for c in cases}


def in_order(events: list[AlertEvent]) -> list[Case]:
    intake = Intake(Known(), first_seq=1, last_number=0, day="20261124", now_ms=NOW)
    return list(intake.take_all(events).cases.values())


@given(deliveries())
def test_the_pure_intake_gives_the_same_cases(
    delivery: tuple[list[AlertEvent], list[list[AlertEvent]]],
) -> None:
    once, batches = delivery
    cases = in_order([e for batch in batches for e in batch])
    assert facts(cases) == facts(in_order(once))
    assert {c.alert for c in cases} == {e.data.alert for e in once if e.data.auto and e.type in OPENING}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries())
def test_the_store_gives_the_same_cases(delivery: tuple[list[AlertEvent], list[list[AlertEvent]]]) -> None:
    once, batches = delivery
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{Path(folder) / 'hub.db'}") as store:
        answered: dict[str, set[str]] = {}
        for batch in batches:
            for outcome in store.take(batch, NOW).outcomes:
                if outcome.task_number is not None:
                    answered.setdefault(outcome.id.rpartition(".")[0], set()).add(outcome.task_number)
        cases = store.cases(Wanted(), before=None, limit=500)
    assert facts(cases) == facts(in_order(once))
    assert {c.alert: {c.task_number} for c in cases} == answered
    assert len({c.task_number for c in cases}) == len(cases)
