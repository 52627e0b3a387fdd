"""How a table of limits travels with its scene, and what the engine makes of it."""

from pathlib import Path

import numpy as np
import pytest

from city.device import Device
from core.reading import ReadingBatch
from tests.unit.thresholds.parts import T0_MS, Watched, scene
from tests.unit.thresholds.stations import PARK, SCENE, TABLE, TYPES, limits, loaded, written
from thresholds.beside import with_rows
from thresholds.check import load_scenes, load_text, whole_text
from thresholds.compiler import Tables
from thresholds.engine import Engine
from thresholds.finding import Finding
from thresholds.register import RefusedError, SceneRegister
from thresholds.scene_set import SceneSet


def test_a_change_of_the_table_is_a_change_of_the_scene(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    assert loaded(tmp_path, TABLE.replace("\n", "\r\n") + "\n\n").version == first.version
    assert loaded(tmp_path, "\ufeff" + TABLE).version == first.version
    assert loaded(tmp_path, TABLE.replace("4.91", "4.92")).version != first.version


@pytest.mark.parametrize(
    "layout",
    [
        "limits_from: {table: stations.csv, by: device}  # of the water bureau\n",
        "limits_from:\n  # the bureau's\n  table: stations.csv  # current\n  by: device\n# more\n",
        "limits_from:\n    by: [device]\n    table: 'stations.csv'\n",
    ],
)
def test_the_text_of_a_set_holds_the_table_and_the_authors_comments(tmp_path: Path, layout: str) -> None:
    text = SCENE.replace("limits_from: {table: stations.csv, by: device}  # of the water bureau\n", layout)
    scenes, findings = load_scenes([written(tmp_path, text=text)], TYPES)
    assert findings == []
    (source,) = scenes.sources
    assert "park,4.55" in source
    assert [
        c for c in ("# of the water bureau", "# the bureau's", "# current", "# more") if (c in layout) != (c in source)
    ] == []
    alone, none_wrong = load_text(source, TYPES)
    assert (none_wrong, alone.version) == ([], scenes.version)
    assert whole_text(tmp_path / "river.yaml", text) == source


def test_a_scene_among_several_in_a_file_travels_with_its_table(tmp_path: Path) -> None:
    text = SCENE + "---\nscene: other\nfeeds: {type: river}\nlevels: [{severity: minor, above: 1}]\n"
    scenes, _ = load_scenes([written(tmp_path, text=text)], TYPES)
    assert [load_text(source, TYPES)[0].scenes[0].version for source in scenes.sources] == [
        one.version for one in scenes.scenes
    ]


def test_a_text_that_names_a_file_says_how_to_write_the_table() -> None:
    _, (finding,) = load_text(SCENE, TYPES, name="scene.yaml")
    assert str(finding) == (
        "scene.yaml:6:22: S023 stations.csv lies beside the file of a scene, and this is a text: "
        "write its lines under `rows`"
    )


def test_a_mistake_in_lines_that_stand_in_the_scene_is_told_there() -> None:
    text = with_rows(SCENE, TABLE.replace("3.80", "x"))
    assert text is not None
    _, findings = load_text(text, TYPES, name="scene.yaml")
    (line,) = [at for at, row in enumerate(text.split("\n"), 1) if "ferry" in row]
    assert findings == [
        Finding(Path("scene.yaml"), line, 1, findings[0].code, "minor: 'x' is not a number"),
    ]


def test_the_register_keeps_compares_and_rolls_back_tables(tmp_path: Path) -> None:
    register = SceneRegister(tmp_path / "register", TYPES)
    text = SCENE.replace("feeds:", "stage: shadow\nfeeds:", 1)
    first = whole_text(written(tmp_path, text=text), text)
    second = whole_text(written(tmp_path, TABLE.replace("4.91", "4.95"), text), text)
    assert register.propose(first, "Li", "a first try", 1).number == 1
    assert register.propose(second, "Li", "other levels", 2).number == 2
    changed = [line for line in register.diff("river-level", 1, 2).splitlines() if line[0] in "+-"][2:]
    assert changed == [
        "-    park,4.55,4.45,4.91,4.81,bulletin,yes",
        "+    park,4.55,4.45,4.95,4.81,bulletin,yes",
    ]
    register.roll_back("river-level", "Li", "too high", 3)
    published = register.in_force_folder / "river-level.yaml"
    (now,) = load_scenes([published], TYPES)[0].scenes
    assert limits(now, PARK)["major"] == (4.91, 4.81)
    with pytest.raises(RefusedError, match="under `rows`"):
        register.propose(text, "Li", "without its table", 4)


def test_a_register_that_is_filled_from_files_takes_their_tables_in(tmp_path: Path) -> None:
    register = SceneRegister(tmp_path / "register", TYPES)
    assert register.fill([written(tmp_path)], "Li", 1) == 1
    version = register.in_force("river-level")
    assert version is not None
    assert limits(register.scene(version), PARK)["major"] == (4.91, 4.81)


def test_the_engine_decides_by_rows() -> None:
    rows = "device,minor,major\nd0,10,20\n"
    one = scene({"above": 5}, {"severity": "major", "above": "table"}, limits_from={"by": "device", "rows": rows})
    watched = Watched(one, feeds=2)
    assert watched.read((0, 8.0), feed=0) == []
    assert watched.read((0, 100.0), feed=1) == [("raised", 0.0)]  # who has no row has no major
    assert watched.read((1, 30.0), feed=0) == [("raised", 1.0), ("raised", 1.0)]


def test_a_level_that_only_an_override_for_some_hours_gives_a_limit_holds_only_then() -> None:
    night = {"hours": ["00:00-06:00"]}
    one = scene(
        {"above": 5},
        {"severity": "major", "above": "table"},
        overrides=[{"when": night, "levels": {"major": {"above": 50}}}],
        limits_from={"by": "device", "rows": "device,major\nelsewhere,9\n"},
        zone="UTC",
    )
    engine = Engine(SceneSet.of([one]), max_feeds=1)
    engine.bind(0, Device("d", "g"), "m")
    midnight_ms = T0_MS - T0_MS % 86_400_000
    hours = np.array([1, 7, 25], np.int64)
    times = midnight_ms + hours * 3_600_000
    told_of = engine.on_batch(ReadingBatch.of(np.zeros(3, np.int64), times, np.full(3, 60.0)))
    assert [
        (kind, severity) for kind, severity in zip(told_of.kind.tolist(), told_of.severity.tolist(), strict=True)
    ] != []
    majors = [
        (int(at) - midnight_ms) // 3_600_000
        for at, severity in zip(told_of.at, told_of.severity, strict=True)
        if severity == 3
    ]
    assert majors == [1, 6, 24]


def test_a_table_of_fourteen_thousand_rows_compiles() -> None:
    count = 14_000
    limits_of = np.round(np.random.default_rng(1).uniform(1, 9, count), 3).tolist()
    lines = [f"d{at},{limit},{limit - 0.5:.3f},{limit + 1:.3f}" for at, limit in enumerate(limits_of)]
    rows = "\n".join(["device,minor,minor_clear,major", *lines])
    one = scene(
        {"above": 5, "clear_below": 4},
        {"severity": "major", "above": "table"},
        overrides=[{"when": "night", "levels": {"minor": {"for": "1m"}}}],
        limits_from={"by": "device", "rows": rows},
    )
    tables = Tables(SceneSet.of([one]))
    watches = [tables.watch(Device(f"d{at}", "g"), "m") for at in range(count)]
    found = tables.levels["lo"][[watch.first for watch in watches]]
    assert found.tolist() == limits_of
