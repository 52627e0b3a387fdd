"""A good scene, and what is told of a text that is one no more."""

from pathlib import Path

from city.cases import cases_when_asked
from city.device import DeviceType, Metric
from thresholds.check import load_scenes
from thresholds.finding import Finding
from thresholds.scene_set import SceneSet

CASES = cases_when_asked()
TYPES = {
    "water": DeviceType("water", "", "", {"depth_cm": Metric("depth_cm"), "wet": Metric("wet", kind="state")}),
    "gas": DeviceType("gas", "", "", {"lel": Metric("lel")}),
}
GOOD = """\
scene: road-flooding
title: {en: Flooding, zh: 积水}
feeds: {type: water, metric: depth_cm}
levels:
  - {severity: info, above: 5, clear_below: 3}
  - {severity: critical, above: 25, clear_below: 22, for: 2 samples, clear_for: 10m}
overrides:
  - {where: {kind: road}, levels: {critical: {above: 27, clear_below: 24}}}
raises: {leaf: "14-01-02", auto: true}
"""


def check(tmp_path: Path, text: str | bytes, name: str = "scene.yaml") -> tuple[SceneSet, list[Finding]]:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_scenes([path], TYPES)


def told(tmp_path: Path, text: str | bytes) -> list[str]:
    """Findings without the path."""
    return [str(finding).split("scene.yaml:", 1)[1] for finding in check(tmp_path, text)[1]]
