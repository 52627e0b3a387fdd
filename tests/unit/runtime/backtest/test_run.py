"""What a backtest raises is what was raised live: the same stages over what history kept."""

import itertools
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ScenewatchError
from history.query import GapReason
from ingest.journal import Listening
from runtime.backtest.material import Range, load
from runtime.backtest.run import Outcome, evaluate
from tests.unit.history.parts import BASE, DAY
from tests.unit.runtime.backtest.parts import KNOWN, MINUTE, SCENE, Live, past, row, scene, walk
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet


def outcome(live: Live, until: float, of: Scene, asked: Range | None = None) -> Outcome:
    """By feed, read on the way or kept, on one core or two, and in the order of arrival: all the same."""
    history = live.history(until)
    try:
        span = asked or past(until=until)
        kept, read = (load(history, SceneSet.of([of]), KNOWN, span, keep=keep) for keep in (True, False))
        found = [evaluate(kept, of), evaluate(kept, of, threads=2), evaluate(read, of)]
        assert "batch" not in {**vars(kept), **vars(read)}, "put in the order of arrival without need"
        found.append(evaluate(replace(kept, given=kept.batch), of))
        assert found == [found[0]] * 4
        assert read.count == kept.count == replace(kept, given=kept.batch).count
        return found[0]
    finally:
        history.close()


def test_it_raises_what_was_raised_live(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes([*walk("d0", [1, 16, 30, 31, 30, 2, 2, 2, 2]), *walk("d1", [20] * 9, start=0.5)])
    live.takes(walk("d0", [40, 40, 1, 1, 1], start=60))
    found = outcome(live, 90, scene())
    assert {a.id: a.cleared_ms is not None for a in found.alerts} == {
        id_: state == "cleared" for id_, state in live.events.items()
    }
    assert [(a.feed, a.severity, (a.raised_ms - BASE) // MINUTE, a.case) for a in found.alerts] == [
        ("d0/depth", "critical", 3, True),
        ("d1/depth", "minor", 5, False),
        ("d0/depth", "critical", 61, True),
    ]
    assert found.cases == 2


WINDOWED = """
scene: deep
feeds: {metric: depth}
levels:
  - {severity: minor, mean_above: 14, clear_below: 9, window: 1h}
  - {severity: major, changed_by: {up: 20, in: 2h}, for: 3m}
  - {severity: critical, absent_for: 90m}
"""


@pytest.mark.parametrize("text", [SCENE, WINDOWED], ids=["plain", "windowed"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["d0", "d1", "d2"]), st.integers(0, 400), st.sampled_from([1.0, 13.0, 16.0, 23.0, 30.0]),
            st.sampled_from([0.0, 0.0, 0.0, 7.5]),
        ),
        min_size=1, max_size=60,
    ),
    cuts=st.sets(st.integers(0, 60), max_size=4),
)  # fmt: skip
def test_whatever_comes_late_or_twice_and_wherever_batches_were_cut(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int, float, float]],
    cuts: set[int],
    text: str,
) -> None:
    live = Live(tmp_path_factory.mktemp("live"), scene(text))
    rows = sorted((row(d, m, v, late_min=late) for d, m, v, late in steps), key=lambda one: one.arrival)
    edges = [0, *sorted(cuts & set(range(1, len(rows)))), len(rows)]
    for begin, end in itertools.pairwise(edges):
        live.takes(rows[begin:end])
    found = outcome(live, 500, scene(text))
    assert {a.id: a.cleared_ms is not None for a in found.alerts} == {
        id_: state == "cleared" for id_, state in live.events.items()
    }


def test_an_alert_that_began_before_the_range_is_not_one_of_it(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes(walk("d0", [30] * 100))
    asked = Range(BASE, BASE + 50 * MINUTE, BASE + 100 * MINUTE)
    found = outcome(live, 100, scene(), asked)
    assert found.alerts == ()
    assert found.open_before == 1


def test_without_what_lies_before_it_would_seem_to_begin_in_it(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes(walk("d0", [30] * 100))
    asked = Range(BASE + 50 * MINUTE, BASE + 50 * MINUTE, BASE + 100 * MINUTE)
    found = outcome(live, 100, scene(), asked)
    assert [(a.raised_ms - BASE) // MINUTE for a in found.alerts] == [51]


@pytest.mark.parametrize("how", [Listening.NEW, Listening.KEPT])
def test_a_delay_that_runs_across_an_outage_goes_on_as_it_does_live(tmp_path: Path, how: Listening) -> None:
    live = Live(tmp_path, scene())
    live.takes([row("d0", 0, 16), row("d1", 0, 16)])
    live.restarts(3, 63, how=how)
    live.takes([row("d0", 4, 1, late_min=60)])  # it came as soon as somebody listened, and breaks the delay
    found = outcome(live, 120, scene())
    assert set(live.events) == {a.id for a in found.alerts}
    assert [(a.feed, a.raised_ms - BASE) for a in found.alerts] == [("d1/depth", 5 * MINUTE)]


def test_a_delay_that_was_over_before_the_outage_has_raised(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes([row("d0", 0, 16)])
    live.restarts(10, 70)
    live.takes([row("d0", 4, 1, late_min=66)])
    found = outcome(live, 120, scene())
    assert set(live.events) == {a.id for a in found.alerts}
    assert [a.raised_ms - BASE for a in found.alerts] == [5 * MINUTE]


def test_holes_are_told_and_those_before_the_range_are_not(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes(walk("d0", [1] * 5))
    live.restarts(5, 10)
    live.takes(walk("d0", [1] * 5, start=20))
    live.restarts(25, 40)
    live.takes(walk("d0", [1] * 5, start=50))
    history = live.history(60)
    asked = Range(BASE, BASE + 15 * MINUTE, BASE + 70 * MINUTE)
    material = load(history, SceneSet.of([scene()]), KNOWN, asked)
    history.close()
    assert [((g.start_ms - BASE) // MINUTE, (g.end_ms - BASE) // MINUTE, g.reason) for g in material.gaps] == [
        (25, 40, GapReason.AWAY),
        (60, 70, GapReason.NOT_WRITTEN),
    ]


def test_time_does_not_pass_where_history_has_not_got_to(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes([row("d0", 0, 16)])
    found = outcome(live, 3, scene(), past(until=600))
    assert found.alerts == ()


def test_only_what_the_scene_watches_is_read(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes([*walk("d0", [1] * 5), *walk("d3", [1] * 5), *walk("d2", [1] * 5)])
    history = live.history(60)
    some = scene(SCENE.replace("{metric: depth}", "{metric: depth, device: [d2]}"))
    material = load(history, SceneSet.of([some]), KNOWN, past(until=60))
    history.close()
    assert [device.id for device, _, _ in material.feeds] == ["d2"]
    assert len(material.batch) == 5


def test_any_stage_is_tried_as_if_it_were_in_force(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes(walk("d0", [30] * 5))
    history = live.history(60)
    for stage in ("draft", "shadow", "retired", "live"):
        one = scene(f"{SCENE}stage: {stage}\n")
        found = evaluate(load(history, SceneSet.of([one]), KNOWN, past(until=60)), one)
        assert {a.id for a in found.alerts} == set(live.events)
        assert found.cases == 1
    history.close()


def test_once_nobody_wants_the_answer_it_ends(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes(walk("d0", [30] * 5))
    history, stop = live.history(60), Event()
    material = load(history, SceneSet.of([scene()]), KNOWN, past(until=60))
    stop.set()
    with pytest.raises(ScenewatchError, match="cancelled"):
        load(history, SceneSet.of([scene()]), KNOWN, past(until=60), cancel=stop)
    with pytest.raises(ScenewatchError, match="cancelled"):
        evaluate(material, scene(), cancel=stop)
    assert len(evaluate(material, scene()).alerts) == 1
    history.close()


def test_the_readings_are_left_as_they_are(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes(walk("d0", [30] * 5))
    history = live.history(60)
    material = load(history, SceneSet.of([scene()]), KNOWN, past(until=2 * DAY / MINUTE))
    before = material.batch.value.copy(), material.batch.quality.copy()
    first, second = evaluate(material, scene()), evaluate(material, scene())
    history.close()
    assert first == second
    assert np.array_equal(material.batch.value, before[0])
    assert np.array_equal(material.batch.quality, before[1])
