"""The published schema says what the model takes."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from city.catalogue import load_catalogue
from tests.unit.thresholds.checked import GOOD
from thresholds.check import load_scenes
from thresholds.schema import ROOT, SCHEMA_PATH, scene_schema

DESIGNED = """\
scene: road-flooding
title: {en: Road and underpass flooding, zh: 道路(下立交)积水}
stage: pilot
pilot: {towns: [T03, T07]}
owner: {unit: water-bureau, force: 防汛应急队}
worth: {build_cost: 120000, yearly_cost: 8000, minutes_saved_per_case: 35}
feeds: {type: road-water-level, metric: depth_cm, where: {kind: underpass, town: T03, device: [a, b]}, silent_after: 1h}
levels:
  - {severity: info,     above: 5,  clear_below: 3}
  - {severity: minor,    above: 15, clear_below: 12, for: 60s,       clear_for: 10m}
  - {severity: critical, above: 25, clear_below: 22, for: 2 samples, clear_for: 10m}
overrides:
  - {where: {kind: road}, levels: {critical: {above: 27, clear_below: 24}}}
fold: {by: [module], window: 30m}
evidence: {cameras: 2, within: 150m, before: 10s, after: 10s}
raises: {leaf: "14-01-02", auto: true, budget_per_day: 40}
sources: [{text: "Shanghai underpass practice, closed at 25 cm", verified: true}]
valid: {from: "2026-01-01"}
"""
"""The scene of the design, without what is not evaluated yet."""

CHECK = jsonschema.Draft202012Validator(json.loads(scene_schema()))


def content(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def pages() -> list[str]:
    """Every whole scene in the reference."""
    text = (ROOT / "docs/reference/scenes.md").read_text(encoding="utf-8")
    return [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("scene:")]


def test_the_schema_file_is_current() -> None:
    assert (ROOT / SCHEMA_PATH).read_text(encoding="utf-8") == scene_schema(), "run python -m thresholds.schema"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(scene_schema()))


@pytest.mark.parametrize("text", [DESIGNED, GOOD, *pages()])
def test_a_scene_of_the_design_and_of_the_reference_fits_the_schema_and_the_check(text: str, tmp_path: Path) -> None:
    CHECK.validate(content(text))
    (tmp_path / "scene.yaml").write_text(text.replace("type: water,", "type: road-water-level,"), encoding="utf-8")
    assert load_scenes([tmp_path], load_catalogue())[1] == []


def test_every_shipped_scene_fits_the_schema() -> None:
    for path in sorted((ROOT / "scenes").glob("*.yaml")):
        CHECK.validate(content(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("clear_below: 3", "clear_above: 3"),
        ("clear_below: 3", "below: 3"),
        ("above: 5, clear_below: 3", "for: 3s"),
        ("above: 5,", "above: high,"),
        ("severity: info", "severity: inof"),
        ("for: 2 samples", "for: 60"),
        ("for: 2 samples", "for: 2 out of 3"),
        ("above: 5, clear_below: 3", "mean_above: 5"),
        ("above: 5, clear_below: 3", "count_above: {limit: 1, in: 1d}"),
        ("for: 2 samples", "for: 0 samples"),
        ("scene: road-flooding", "scene: Road_Flooding"),
        ("title:", "titel:"),
        ("{type: water, metric: depth_cm}", "{}"),
        ("{kind: road}", "{}"),
        ("raises:", "confirm: {any: []}\nraises:"),
    ],
)
def test_what_a_schema_can_see_it_refuses(was: str, becomes: str) -> None:
    assert not CHECK.is_valid(content(GOOD.replace(was, becomes, 1)))


def test_every_key_is_described_in_english_and_chinese() -> None:
    schema = json.loads(scene_schema())
    for name, part in {"Scene": schema, **schema["$defs"]}.items():
        for key, value in part.get("properties", {}).items():
            text = value.get("description", "")
            assert re.search(r"[A-Za-z]", text), f"{name}.{key}"
            assert re.search(r"[\u4e00-\u9fff]", text), f"{name}.{key}"
