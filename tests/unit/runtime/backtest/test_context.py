"""Scenes that look at others: the others decide too, and nothing of theirs is told."""

from pathlib import Path

import pytest

from core.errors import ConfigError
from runtime.backtest.explain import Why, explain, moment
from runtime.backtest.ground import warmed
from runtime.backtest.material import load
from runtime.backtest.run import evaluate
from runtime.backtest.which import context_of
from tests.unit.history.parts import BASE, DAY
from tests.unit.runtime.backtest.parts import HOUR, KNOWN, MINUTE, SCENE, Live, past, scene, walk
from thresholds.scene_set import SceneSet

RAIN = """
scene: rain
feeds: {metric: level}
levels: [{severity: minor, above: 10}]
"""
CONFIRMED = scene(f"{SCENE}confirm: {{any: [{{scene: rain, within: gateway, in_last: 1m}}]}}\n")


def test_a_scene_that_waits_for_another_raises_what_it_raised_live(tmp_path: Path) -> None:
    library = SceneSet.of([scene(RAIN), CONFIRMED])
    live = Live(tmp_path, *library.scenes)
    live.takes(walk("d0", [30] * 20))
    live.takes([*walk("d3", [1, 20, 20, 1], start=20), *walk("d0", [30] * 20, start=20)])
    history = live.history(60)
    context = context_of(CONFIRMED, lambda: library)
    assert [one.id for one in context.scenes] == ["rain"]
    material = load(history, SceneSet.of([CONFIRMED, *context.scenes]), KNOWN, past(until=60))
    found = evaluate(material, CONFIRMED, context)
    assert len(found.alerts) == 1
    assert {alert.id for alert in found.alerts} < set(live.events)  # the rest is the rain's own
    assert len(live.events) == 2
    before = load(history, SceneSet.of([CONFIRMED, *context.scenes]), KNOWN, moment(BASE + 15 * MINUTE, HOUR))
    feed = next(i for i, (device, _, _) in enumerate(before.feeds) if device.id == "d0")
    said = explain(before, CONFIRMED, context, feed)
    assert (said.why, said.kept_back) == ([Why.HELD_BACK], ["unconfirmed"])
    history.close()


def test_a_scene_that_is_looked_at_and_not_there_is_told() -> None:
    near = SceneSet.of([scene(RAIN.replace("scene: rain", "scene: rains"))])
    with pytest.raises(ConfigError, match=r"looks at the scene 'rain', which is not in force \(did you mean rains\?\)"):
        context_of(CONFIRMED, lambda: near)


def test_as_much_is_read_before_the_range_as_the_longest_window_looks_back() -> None:
    span = past(until=60)
    long = scene(SCENE.replace("above: 15, clear_below: 12, for: 5m", "changed_by: {up: 3, in: 3d}"))
    assert span.start_ms - warmed(span, SceneSet.of([scene()])).begin_ms == DAY
    assert span.start_ms - warmed(span, SceneSet.of([long])).begin_ms == 3 * DAY
