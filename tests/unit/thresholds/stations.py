"""A scene whose limits stand in a table of stations, and what becomes of the two."""

from pathlib import Path
from typing import Any

from city.device import Device, DeviceType, Metric
from thresholds.check import load_scenes
from thresholds.scene import Scene

TYPES = {
    "river": DeviceType("river", "", "", {"level_m": Metric("level_m"), "wet": Metric("wet", kind="state")}),
    "pit": DeviceType("pit", "", "", {"depth": Metric("depth")}),
}
SCENE = """\
scene: river-level
feeds: {type: river, metric: level_m}
levels:
  - {severity: minor, above: 4, clear_below: 3.9}
  - {severity: major, above: table, for: 2 samples}
limits_from: {table: stations.csv, by: device}  # of the water bureau
fold: {by: [town]}
"""
TABLE = """\
device,minor,minor_clear,major,major_clear,source,verified
park,4.55,4.45,4.91,4.81,bulletin,yes
ferry,3.80,3.70,,,yearbook,no
"""
PARK, FERRY, OTHER = (Device(name, "g", "river") for name in ("park", "ferry", "other"))


def written(folder: Path, table: str | bytes = TABLE, text: str = SCENE) -> Path:
    (folder / "river.yaml").write_text(text, encoding="utf-8")
    (folder / "stations.csv").write_bytes(table.encode() if isinstance(table, str) else table)
    return folder / "river.yaml"


def loaded(folder: Path, table: str = TABLE, text: str = SCENE) -> Scene:
    scenes, findings = load_scenes([written(folder, table, text)], TYPES)
    assert findings == []
    return scenes.scenes[0]


def told(folder: Path, table: str | bytes, text: str = SCENE, devices: list[Device] | None = None) -> list[str]:
    _, findings = load_scenes([written(folder, table, text)], TYPES, devices=devices)
    return [str(finding).replace(f"{folder}/", "") for finding in findings]


def limits(scene: Scene, device: Device, whens: set[str] | None = None) -> dict[str, tuple[Any, Any]]:
    return {level.severity: (level.limit, level.clear_value) for level in scene.levels_for(device, whens or ())}
