"""What stays together: devices of an area in one partition, and scenes that would tear an alert apart are refused."""

from pathlib import Path

from city.device import Device
from runtime.stream.places import area_of, shortsighted, torn
from tests.distributed.hour import scene_set
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

DEVICES = [
    Device("a", "g", place="M1", town="T1", disposal_grid="D1"),
    Device("b", "g", place="M2", town="T1", disposal_grid="D2"),
    Device("c", "g", place="M3", town="T2", disposal_grid="D2"),
]


def test_a_device_without_the_area_stays_with_its_place() -> None:
    assert [area_of(device, "town") for device in DEVICES] == ["T1", "T1", "T2"]
    assert area_of(Device("x", "g", place="M9"), "town") == "M9"
    assert area_of(Device("x", "g"), "disposal_grid") == "x"


def test_a_fold_within_the_area_is_right(tmp_path: Path) -> None:
    by_place = scene_set(tmp_path / "place", "depth", minor=15)
    by_town = scene_set(tmp_path / "town", "depth", minor=15, fold="town")
    assert list(torn(by_place, DEVICES, "place")) == []
    assert list(torn(by_place, DEVICES, "town")) == []
    assert list(torn(by_town, DEVICES, "town")) == []


def test_a_fold_across_areas_is_named_with_its_scene_and_both_areas(tmp_path: Path) -> None:
    by_town = scene_set(tmp_path / "town", "depth", minor=15, fold="town")
    (line,) = torn(by_town, DEVICES, "place")
    assert line == (
        "scene depth: it folds by town, and T1 lies in M1 and in M2, which may be two partitions: "
        "set stream.by to something coarser"
    )
    by_grid = scene_set(tmp_path / "grid", "depth", minor=15, fold="disposal_grid")
    (line,) = torn(by_grid, DEVICES, "town")
    assert "D2 lies in T1 and in T2" in line
    by_district = scene_set(tmp_path / "district", "depth", minor=15, fold="district")
    (line,) = torn(by_district, DEVICES, "town")
    assert "the district lies in T1 and in T2" in line


def looking(within: str) -> SceneSet:
    return SceneSet.of(
        [
            Scene.model_validate(
                {
                    "scene": "looks",
                    "title": {"en": "It looks around", "zh": "联动"},
                    "feeds": {"metric": "depth_cm"},
                    "levels": [{"severity": "minor", "above": 5}],
                    "confirm": {"any": [{"feeds": 2, "within": within, "in_last": "5m"}]},
                }
            )
        ]
    )


def test_a_scene_that_looks_over_the_border_of_its_area_is_told() -> None:
    assert list(shortsighted(looking("town"), "town")) == []
    assert list(shortsighted(looking("module"), "place")) == []
    assert list(shortsighted(looking("town"), "place")) == [
        "scene looks: it looks at other feeds by town; over Kafka it sees only those of its own place"
    ]
    (line,) = shortsighted(looking("300m"), "town")
    assert "by 300m; over Kafka it sees only those of its own town" in line
