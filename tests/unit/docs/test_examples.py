"""What a document shows as an example is taken by the program that it is for."""

import re
from pathlib import Path

import pytest

from city.cases import cases_when_asked
from city.catalogue import load_catalogue
from city.device_list import load_devices
from runtime.config import load_config
from thresholds.check import load_scenes
from tools.check_docs import documents

ROOT = Path(__file__).parents[3]
TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SHOW_MISTAKES = {"scene-findings.md", "tutorial.md"}


def blocks(document: Path, language: str) -> list[str]:
    return [body for said, body in BLOCK.findall(document.read_text(encoding="utf-8")) if said == language]


SCENES = [
    pytest.param(body, id=f"{document.name}-{place}")
    for document in documents(ROOT)
    if document.name not in SHOW_MISTAKES
    for place, body in enumerate(blocks(document, "yaml"), 1)
    if re.search(r"^scene:", body, re.MULTILINE)
]


@pytest.mark.parametrize("text", SCENES)
def test_a_scene_in_a_document_has_no_mistake(text: str, tmp_path: Path) -> None:
    (tmp_path / "scene.yaml").write_text(text, encoding="utf-8")
    _, findings = load_scenes([tmp_path], load_catalogue(), cases=cases_when_asked())
    assert list(map(str, findings)) == []


def test_the_device_list_and_the_configuration_of_the_tutorial_are_taken(tmp_path: Path) -> None:
    (devices,) = [text for text in blocks(TUTORIAL, "") if text.startswith("device,")]
    (tmp_path / "devices.csv").write_text(devices, encoding="utf-8")
    (tmp_path / "scenewatch.toml").write_text(blocks(TUTORIAL, "toml")[0], encoding="utf-8")
    config = load_config(tmp_path / "scenewatch.toml")
    assert list(load_devices(config.ingest.devices, load_catalogue())) == ["cold-1"]
