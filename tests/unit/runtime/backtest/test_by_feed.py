"""Deciding by feed, as history holds readings: where it can be done it is, and what comes of it is the same."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.reading import ReadingBatch
from history.archive import Archive
from history.as_stored import UnreadableFileError
from history.parquet import ParquetHistory
from history.query import GapReason
from runtime.backtest import run
from runtime.backtest.answer import Question, answer
from runtime.backtest.ground import Ground
from runtime.backtest.material import Material, load
from runtime.backtest.run import evaluate
from tests.reference.history_twin import Given
from tests.unit.history.parts import BASE, DAY, TYPES, catch_up
from tests.unit.runtime.backtest.parts import KNOWN, MINUTE, SCENE, Live, past, row, scene, walk
from thresholds.scene_set import SceneSet

ABSENT = """
scene: deep
feeds: {metric: depth}
levels:
  - {severity: minor, above: 15, for: 5m, clear_for: 2m}
  - {severity: critical, absent_for: 30m}
"""


def material(history: ParquetHistory, text: str, until: float, *, keep: bool = True) -> Material:
    return load(history, SceneSet.of([scene(text)]), KNOWN, past(until=until), keep=keep)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.sampled_from([1.0, 16.0, 30.0]), min_size=1, max_size=20),
    edges=st.lists(st.integers(-5, 140), min_size=2, max_size=6, unique=True),
)
def test_readings_that_came_while_nobody_should_have_listened(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], edges: list[int]
) -> None:
    live = Live(tmp_path_factory.mktemp("live"), scene(ABSENT))
    live.takes([*walk("d0", values, step=6), *walk("d1", reversed(values), start=0.5, step=6), row("d2", 80, 30)])
    history = live.history(130)
    moments = [BASE + edge * MINUTE for edge in sorted(edges)]
    breaks = tuple(pair for i, pair in enumerate(itertools.pairwise(moments)) if i % 2 == 0)
    for keep in (True, False):
        one = replace(material(history, ABSENT, 130, keep=keep), breaks=breaks)
        found = evaluate(one, scene(ABSENT))
        assert "batch" not in vars(one)
        assert found == evaluate(replace(one, given=one.batch), scene(ABSENT))
    history.close()


def test_a_reading_that_lies_on_both_sides_of_a_moment_needs_the_order_of_all(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    moment = BASE + 10 * MINUTE
    last = moment * 1_000_000 - 1
    live.takes([row("d0", 1, 16), Given("d0", moment - 10, 1.0, last), Given("d1", moment - 10, 30.0, last)])
    history = live.history(60)
    for keep in (True, False):
        found = replace(material(history, SCENE, 60, keep=keep), breaks=((moment, moment + 5 * MINUTE),))
        outcome = evaluate(found, scene())
        assert "batch" in vars(found)
        assert outcome == evaluate(replace(found, given=found.batch), scene())
    history.close()


def test_what_is_not_sorted_into_days_yet_is_part_of_it(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    archive = Archive(tmp_path / "history")
    live.takes([*walk("d0", [1, 16, 16]), *walk("d1", [30, 30, 30], start=0.5)])
    catch_up(live.source, archive)
    archive.fold(least_files=1)
    for minute in range(3, 12):
        live.takes([row("d1", minute, 16), row("d0", minute, 16 if minute < 7 else 1)])
        catch_up(live.source, archive)
    archive.close()
    history = ParquetHistory(tmp_path / "history")
    found = material(history, SCENE, 12)
    assert {alert.id for alert in evaluate(found, scene()).alerts} == set(live.events)
    assert len(live.events) == 3
    assert "batch" not in vars(found)
    history.close()


def test_a_device_that_changed_its_type_is_one_feed_and_needs_the_order_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live(tmp_path, scene())
    archive = Archive(tmp_path / "history")
    live.takes(walk("d0", [1, 16, 16]))
    catch_up(live.source, archive)
    monkeypatch.setitem(TYPES, "d0", "meter")
    live.takes(walk("d0", [16] * 9, start=3))
    catch_up(live.source, archive)
    archive.fold(least_files=1)
    archive.close()
    history = ParquetHistory(tmp_path / "history")
    found = material(history, SCENE, 12)
    assert [(device.id, metric) for device, metric, _ in found.feeds] == [("d0", "depth")]
    assert isinstance(found.given, ReadingBatch)
    assert {alert.id for alert in evaluate(found, scene()).alerts} == set(live.events)
    assert len(live.events) == 1
    history.close()


def test_rows_of_one_reading_are_told_together_wherever_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder = "\n  - ".join(f"{{severity: {s}, above: {n}}}" for s, n in [("minor", 2), ("major", 4), ("critical", 6)])
    text = f"scene: deep\nfeeds: {{metric: depth}}\nlevels:\n  - {ladder}\n"
    live = Live(tmp_path, scene(text))
    live.takes(walk("d0", [9, 1] * 10))
    history = live.history(60)
    whole = evaluate(material(history, text, 60), scene(text))
    monkeypatch.setattr(run, "BITE", 1)
    assert evaluate(material(history, text, 60), scene(text)) == whole
    assert len(whole.alerts) == 10
    history.close()


@pytest.mark.parametrize("how", ["damaged", "tidied"])
def test_a_file_that_cannot_be_read_on_the_way_ends_it(tmp_path: Path, how: str) -> None:
    live = Live(tmp_path, scene())
    live.takes([*walk("d0", [30] * 5), row("d0", DAY / MINUTE, 1)])
    history = live.history(DAY / MINUTE + 10)
    found = material(history, SCENE, DAY / MINUTE + 10, keep=False)
    for path in (tmp_path / "history" / "readings").rglob("*.parquet"):
        if how == "damaged":
            path.write_bytes(path.read_bytes()[:-9])
        else:
            path.unlink()
    with pytest.raises(UnreadableFileError):
        evaluate(found, scene())
    history.close()


def test_an_answer_tells_the_hole_of_a_file_that_cannot_be_read_and_goes_on(tmp_path: Path) -> None:
    live = Live(tmp_path, scene())
    live.takes([*walk("d0", [30] * 5), *walk("d0", [30] * 5, start=DAY / MINUTE)])
    live.history(DAY / MINUTE + 10).close()
    first = min((tmp_path / "history" / "readings").rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-9])
    ground = Ground(folder=tmp_path / "history")
    asked = Question(scene=scene(), span=past(until=DAY / MINUTE + 10), warm=False)
    found = answer(ground, asked, lambda *_: None, began=0.0)
    ground.close()
    assert [gap.reason for gap in found.gaps] == [GapReason.DAMAGED]
    assert len(found.problems) == 1
    assert len(found.alerts) == 1
    assert found.readings == 5
