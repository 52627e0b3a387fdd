"""Scenes that a running system takes, keeps and takes back: what their leaves may be."""

import threading
from pathlib import Path

import pytest

from city.cases import cases_when_asked
from core.errors import ConfigError
from runtime.rules import RuleShelf, load_or_refuse
from runtime.scene_watch import SceneWatch
from thresholds.check import load_scenes
from thresholds.scene_set import SceneSet

CASES = cases_when_asked()
SCENE = """\
scene: a
feeds: {metric: depth_cm}
levels:
  - {severity: minor, above: 15}
raises: {leaf: "%s"}
"""
THERE, NOT_THERE = "02-02-01", "02-02-99"


def written(tmp_path: Path, leaf: str) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(SCENE % leaf, encoding="utf-8")
    return path


def test_a_start_refuses_a_leaf_that_is_not_in_the_case_catalogue(tmp_path: Path) -> None:
    assert load_or_refuse([written(tmp_path, THERE)], {}, ["depth_cm"], CASES).scenes
    with pytest.raises(ConfigError, match="S020 the case catalogue has no leaf 02-02-99"):
        load_or_refuse([written(tmp_path, NOT_THERE)], {}, ["depth_cm"], CASES)


def test_scenes_that_decided_are_taken_back_whatever_the_case_catalogue_says_now(tmp_path: Path) -> None:
    scenes, _ = load_scenes([written(tmp_path, NOT_THERE)], {}, extra_metrics=["depth_cm"])
    shelf = RuleShelf(tmp_path / "rules", {}, ["depth_cm"])
    shelf.keep(scenes)
    assert shelf.take(scenes.version).version == scenes.version


def test_an_edited_scene_with_an_unknown_leaf_does_not_take_over(tmp_path: Path) -> None:
    path, taken = written(tmp_path, THERE), list[SceneSet]()
    watch = SceneWatch([path], {}, ["depth_cm"], CASES, "before", taken.append, threading.Event())
    watch.look()
    assert len(taken) == 1
    path.write_text(
        SCENE % NOT_THERE + "# of another size: seen as edited within one tick of the clock\n", encoding="utf-8"
    )
    watch.look()
    assert len(taken) == 1
    assert [finding.code.value for finding in watch.findings] == ["S020"]
