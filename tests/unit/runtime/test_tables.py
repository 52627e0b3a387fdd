"""Tables of limits on their way: watched, kept on the shelf, distributed, checked and proposed from a terminal."""

import threading
from pathlib import Path

import pytest

from city.cases import cases_when_asked
from city.catalogue import load_catalogue
from city.device import Device
from runtime.cli_register import Desk
from runtime.cli_scene import check
from runtime.rules import RuleShelf
from runtime.scene_watch import SceneWatch
from runtime.stream.plan import PlanBook, scenes_record
from thresholds.check import load_scenes
from thresholds.scene_set import SceneSet

TYPES = load_catalogue()
SCENE = """\
scene: river-stations
stage: shadow
feeds: {type: river-level, metric: level_m}
levels:
  - {severity: minor, above: 4, clear_below: 3.9}
  - {severity: major, above: table}
limits_from: {table: stations.csv, by: device}
"""
TABLE = "device,minor,minor_clear,major\npark,4.55,4.45,4.91\n"
DEVICES = "device,gateway,type\npark,gw,river-level\nferry,gw,river-level\nlamp,gw,street-lamp\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    (scenes / "river.yaml").write_text(SCENE)
    (scenes / "stations.csv").write_text(TABLE)
    (tmp_path / "devices.csv").write_text(DEVICES)
    return scenes


def major_of(scenes: SceneSet, device: str = "park") -> float:
    (one,) = scenes.scenes
    return float(one.levels_for(Device(device, "gw", "river-level"))[-1].limit)


def test_a_change_of_the_table_takes_over_and_a_wrong_one_changes_nothing(folder: Path) -> None:
    running = load_scenes([folder], TYPES)[0]
    took_over: list[SceneSet] = []
    watch = SceneWatch(
        [folder], TYPES, (), cases_when_asked(None, TYPES), running.version, took_over.append, threading.Event()
    )
    watch.look()
    assert took_over == []
    (folder / "stations.csv").write_text(TABLE.replace("4.91", "4.995"))
    watch.look()
    assert [major_of(scenes) for scenes in took_over] == [4.995]
    (folder / "stations.csv").write_text(TABLE.replace("4.91", "much"))
    watch.look()
    assert [str(one) for one in watch.findings] == [
        f"{folder / 'stations.csv'}:2:1: S023 major: 'much' is not a number"
    ]
    (folder / "stations.csv").unlink()
    watch.look()
    assert len(watch.findings) == len(took_over) == 1
    (folder / "stations.csv").write_text(TABLE.replace("park", "park2"))
    watch.look()
    assert (watch.findings, major_of(took_over[-1], "park2")) == ([], 4.91)


def test_the_shelf_and_the_plan_hold_the_table_as_it_was(folder: Path, tmp_path: Path) -> None:
    scenes = load_scenes([folder], TYPES)[0]
    shelf = RuleShelf(tmp_path / "rules", TYPES)
    shelf.keep(scenes)
    book = PlanBook(TYPES)
    book.take(*scenes_record(scenes))
    (folder / "stations.csv").write_text(TABLE.replace("4.91", "5.5"))
    assert major_of(shelf.take(scenes.version)) == 4.91
    assert major_of(book.scenes(scenes.version)) == 4.91


def test_the_check_says_whom_the_table_leaves_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check([folder], None, None, json_out=False) == 0
    assert capsys.readouterr().out == (
        "note: river-stations: who has no row in stations.csv has the scene's minor and no major\n1 file, 0 findings\n"
    )
    assert check([folder], None, None, json_out=False, devices=folder.parent / "devices.csv") == 0
    assert capsys.readouterr().out == (
        "note: river-stations: ferry has no row in stations.csv, and so the scene's minor and no major\n"
        "1 file, 0 findings\n"
    )


def test_the_check_tells_a_row_of_a_device_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "stations.csv").write_text(TABLE + "lamp,4.2,4.1,5\n")
    assert check([folder], None, None, json_out=False, devices=folder.parent / "devices.csv") == 1
    assert "stations.csv:3:1: S023 no device that the scene watches has the device 'lamp'" in capsys.readouterr().out


def test_a_scene_is_proposed_from_a_terminal_with_its_table(folder: Path, tmp_path: Path) -> None:
    desk = Desk(None, tmp_path / "register", json_out=True)
    assert desk.propose(folder / "river.yaml", "Li", "levels of the stations") == 0
    in_force = tmp_path / "register" / "in-force" / "river-stations.yaml"
    assert in_force.read_text() == SCENE.replace(
        "limits_from: {table: stations.csv, by: device}\n",
        "limits_from:\n  table: stations.csv\n  by: device\n  rows: |\n"
        "    device,minor,minor_clear,major\n    park,4.55,4.45,4.91\n",
    )
