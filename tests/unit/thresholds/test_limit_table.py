"""Limits out of a table: who gets which, what wins over what, every mistake at its row, and how a table travels."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from city.device import Device, DeviceType, Metric
from core.reading import ReadingBatch
from tests.unit.thresholds.parts import T0_MS, Watched, scene
from thresholds.beside import with_rows
from thresholds.check import load_scenes, load_text, whole_text
from thresholds.compiler import Tables
from thresholds.engine import Engine
from thresholds.finding import Finding
from thresholds.ladder import ladder_problems
from thresholds.register import RefusedError, SceneRegister
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

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


# ---- who gets which


def test_a_row_gives_its_device_limits_and_clear_values(tmp_path: Path) -> None:
    assert limits(loaded(tmp_path), PARK) == {"minor": (4.55, 4.45), "major": (4.91, 4.81)}


def test_who_has_no_row_has_the_written_limits_and_no_level_that_has_none(tmp_path: Path) -> None:
    one = loaded(tmp_path)
    assert limits(one, OTHER) == {"minor": (4.0, 3.9)}
    assert limits(one, FERRY) == {"minor": (3.8, 3.7)}  # its cells for major are empty


def test_the_delays_of_a_level_are_its_own(tmp_path: Path) -> None:
    assert [str(level.for_) for level in loaded(tmp_path).levels_for(PARK)] == ["0s", "2 samples"]


def test_a_table_by_class_of_area_or_kind_or_both(tmp_path: Path) -> None:
    text = SCENE.replace("by: device", "by: [area_class, kind]").replace(
        "  - {severity: major, above: table, for: 2 samples}\n", ""
    )
    one = loaded(tmp_path, "area_class,kind,minor,minor_clear\nIII,creek,1,0.9\nIII,lake,2,1.9\n", text)
    assert limits(one, Device("d", "g", "river", kind="lake", area_class="III")) == {"minor": (2.0, 1.9)}
    assert limits(one, Device("d", "g", "river", kind="lake", area_class="IV")) == {"minor": (4.0, 3.9)}


def test_limits_of_the_table_are_values_of_the_metric_unless_it_says_percent(tmp_path: Path) -> None:
    text = SCENE.replace("above: 4, clear_below: 3.9", "above: 90, clear_below: 80, percent_of: design")
    device = Device("park", "g", "river", design={"level_m": 5.0})
    one = loaded(tmp_path, text=text)
    assert one.levels_for(device)[0].words == "above 4.55"
    assert one.levels_for(OTHER)[0].words == "above 90 % of design"
    percent = loaded(tmp_path, text=text.replace("by: device", "by: device, percent_of: design"))
    assert percent.levels_for(device)[0].words == "above 4.55 % of design"


@pytest.mark.parametrize(
    ("level", "cell", "limit"),
    [
        ("outside: [6, 9]", "5.5..8", (5.5, 8.0)),
        ("rate_above: 2 per 30d", "1 per 30d", "1 per 30d"),
        ("absent_for: 30m", "2h", 7_200_000),
        ("mean_above: 3, window: 1h", "-1e-3", -0.001),
        ("mean_above: table, window: 1h", "2", 2.0),
    ],
)
def test_a_cell_is_written_as_the_limit_is(tmp_path: Path, level: str, cell: str, limit: Any) -> None:
    text = f"scene: a\nfeeds: {{metric: value}}\nlevels: [{{severity: minor, {level}}}]\n"
    one = loaded(tmp_path, f"device,minor\npark,{cell}\n", f"{text}limits_from: {{table: stations.csv, by: device}}\n")
    found = one.levels_for(PARK)[0].limit
    assert (str(found) if isinstance(limit, str) else found) == limit


NOISE = """\
scene: noise
feeds: {type: pit, metric: depth}
zone: UTC
levels: [{severity: minor, above: 70, clear_below: 68}]
limits_from: {table: stations.csv, by: area_class}
"""
HOURS = "area_class,when,minor,minor_clear\n1,,55,53\n1,night,45,43\n2,12:00-14:00,50,48\n"


def test_a_row_for_some_hours_wins_over_the_one_for_always(tmp_path: Path) -> None:
    one = loaded(tmp_path, HOURS, NOISE)
    midnight_ms = T0_MS - T0_MS % 86_400_000
    found = [
        one.levels_for(Device("d", "g", area_class=area), one.in_force_at(midnight_ms + hour * 3_600_000))[0].limit
        for area, hour in (("1", 5), ("1", 6), ("1", 13), ("2", 13), ("2", 14), ("3", 5))
    ]
    assert found == [45, 55, 55, 50, 70, 70]


def test_rows_for_times_that_coincide_are_as_specific_as_each_other(tmp_path: Path) -> None:
    (line,) = told(tmp_path, HOURS + "1,20:00-23:00,50,48\n", NOISE)
    assert line.startswith("stations.csv:5:1: S016 line 5 of stations.csv is as specific as line 3 of stations.csv")
    assert told(tmp_path, HOURS + "1,06:00-20:00,50,48\n", NOISE) == []


def test_a_time_that_cannot_be_read_and_a_row_that_is_there_twice_are_told(tmp_path: Path) -> None:
    assert told(tmp_path, HOURS + "1,night,46,44\n1,evening,46,44\n", NOISE) == [
        "stations.csv:5:1: S023 area_class 1, night, has a row already, line 3: keep one of the two",
        (
            "stations.csv:6:1: S023 when: 'evening' is no schedule: write day, night, working days, holidays, "
            "or hours like 22:00-06:00"
        ),
    ]


# ---- what wins


def test_precedence_is_that_of_overrides(tmp_path: Path) -> None:
    """Device over grid over town over class of area over schedule over what is written; a row ranks as its keys do."""
    order = ["device", "grid", "town", "area_class"]
    device = Device("park", "g", "river", self_grid="park", town="park", area_class="park")
    for by, other in product(order, order):
        text = (
            SCENE.replace("by: device", f"by: {by}")
            + f"overrides: [{{where: {{{other}: park}}, levels: {{minor: {{above: 4.2}}}}}}]\n"
        )
        table = TABLE.replace("device", by)
        if by == other:
            (line,) = told(tmp_path, table, text)
            assert line == (
                "stations.csv:2:1: S016 line 2 of stations.csv is as specific as override 1, one device may fit both, "
                "and both change minor: make one of them more specific"
            )
            continue
        row_wins = order.index(by) < order.index(other)
        assert limits(loaded(tmp_path, table, text), device)["minor"][0] == (4.55 if row_wins else 4.2)


def test_a_row_wins_over_a_season_and_a_profile_wins_over_a_row(tmp_path: Path) -> None:
    text = SCENE + (
        "overrides:\n"
        "  - {when: {months: [7]}, levels: {minor: {above: 1}}}\n"
        "  - {profile: typhoon, levels: {minor: {above: 2}}}\n"
    )
    one = loaded(tmp_path, text=text)
    (july,) = one.whens
    assert limits(one, PARK, {july.key})["minor"] == (4.55, 4.45)
    assert limits(one, OTHER, {july.key})["minor"] == (1.0, None)
    assert one.levels_for(PARK, profiles={"typhoon"})[0].limit == 2.0


def test_an_override_of_the_same_device_that_changes_another_level_goes_beside_its_row(tmp_path: Path) -> None:
    text = SCENE + "overrides: [{where: {device: ferry}, levels: {major: {above: 5}}}]\n"
    assert limits(loaded(tmp_path, text=text), FERRY) == {"minor": (3.8, 3.7), "major": (5.0, None)}


NAMES = {"device": ["d1", "d2"], "town": ["T1", "T2"], "kind": ["road", "bridge"]}
DEVICES = [
    Device(device, "g", "t", town=town, kind=kind)
    for device, town, kind in product(*([*names, "another"] for names in NAMES.values()))
]
wheres = st.fixed_dictionaries(
    {}, optional={name: st.lists(st.sampled_from(names), min_size=1, unique=True) for name, names in NAMES.items()}
).filter(bool)
changes = st.fixed_dictionaries(
    {}, optional={word: st.fixed_dictionaries({"above": st.integers(0, 9)}) for word in ("minor", "major")}
).filter(bool)
overrides = st.lists(st.fixed_dictionaries({"where": wheres, "levels": changes}), max_size=3)
cells = st.one_of(st.just(""), st.integers(0, 9).map(str))


@settings(max_examples=50)
@given(st.data(), overrides)
def test_a_scene_with_a_table_that_passes_has_a_ladder_on_every_device(data: st.DataObject, changed: list[Any]) -> None:
    by = data.draw(st.lists(st.sampled_from(sorted(NAMES)), min_size=1, max_size=2, unique=True))
    keys = data.draw(st.lists(st.tuples(*(st.sampled_from(NAMES[name]) for name in by)), min_size=1, unique=True))
    rows = "".join(f"{','.join(key)},{data.draw(cells)},{data.draw(cells)}\n" for key in keys)
    levels: list[dict[str, Any]] = [{"severity": "minor", "above": 3}, {"severity": "major", "above": "table"}]
    try:
        checked = scene(
            *levels, overrides=changed, limits_from={"by": by, "rows": f"{','.join(by)},minor,major\n{rows}"}
        )
    except ValidationError:
        return
    for device in DEVICES:
        assert list(ladder_problems(checked.levels_for(device))) == []


# ---- every mistake


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("", "1:1: S023 the table is empty: its first line names the columns"),
        ("device,minor,minor_clear,major\n", "1:1: S023 the table has no rows"),
        (
            "device,minor\npark,4\n",
            ("1:1: S023 the column 'minor_clear' is missing: the level has clear_below 3.9, which goes away "
             "with the limit that it belongs to"),
        ),
        (
            "device,minor,minor_clear\npark,4,3\n",
            "1:1: S023 the column 'major' is missing: the level has no limit of its own",
        ),
        ("device,minr,minor_clear,major\npark,4,3,5\n", "1:1: S023 unknown column 'minr' (did you mean minor?)"),
        (
            "device,major,critical\npark,5,6\n",
            "1:1: S023 the column 'critical' is of a level that the scene does not have",
        ),
        ("device,major,town\npark,5,6\n", "1:1: S023 the column 'town' is a key: write `by: [device, town]`"),
        ("device,major,major\npark,5,6\n", "1:1: S023 the column 'major' stands twice"),
        ("town,major\npark,5\n", "1:1: S023 the key column 'device' is missing: the table is by device"),
        ("device,source\npark,5\n", "1:1: S023 no column has limits: name one after a level, minor or major"),
        ("device;major\npark;5\n", "1:1: S023 columns are separated by commas"),
        ("device,major\npark,5,6\n", "2:1: S023 3 cells, and the table has 2 columns: mind commas and quotes"),
        ("device,major\n,5\n", "2:1: S023 device is missing: the row is for nobody"),
        ("device,major\npark,\n", "2:1: S023 the row gives no limit: fill one in, or take the row away"),
        ("device,major\npark,5 m\n", "2:1: S023 major: '5 m' is not a number"),
        ("device,major\npark,nan\n", "2:1: S023 major: 'nan' is not a number"),
        ("device,major\npark,1_0\n", "2:1: S023 major: '1_0' is not a number"),
        ("device,major\npark,5\n\npark,6\n", "4:1: S023 device park has a row already, line 2: keep one of the two"),
        (
            "device,major,major_clear\npark,5,6\n",
            ("2:1: S023 major_clear: 6 is on the wrong side of above 5: it would clear while the condition "
             "still holds"),
        ),
        ("device,major,major_clear\npark,5,\n", "2:1: S023 major_clear is missing: major 5 needs its clear value"),
        (
            "device,major,major_clear\npark,,5\n",
            "2:1: S023 major is missing, and major_clear 5 is there: give both or none",
        ),
        ("device,major,verified\npark,5,perhaps\n", "2:1: S023 verified: 'perhaps' is neither yes nor no"),
        (
            "device,major\npark,3\n",
            ("2:1: S018 with this row major (above 3) also holds where minor (above 4) does not: the worse "
             "level needs the stricter limit"),
        ),
        ('device,major\npark,"5\n5"\n', "2:1: S023 a cell holds a line break or a control character: take it out"),
        ('device,major\npark,"5\n', "2:1: S023 no CSV: unexpected end of data"),
        ("\ndevice,major\npark,5\n", "2:1: S023 the names of the columns stand in the first line"),
        ("device,major\n\x00,5\n", "2:1: S023 a cell holds a line break or a control character: take it out"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_and_row(tmp_path: Path, table: str, line: str) -> None:
    assert f"stations.csv:{line}" in told(tmp_path, table)


def test_all_mistakes_at_once_those_of_the_scene_too(tmp_path: Path) -> None:
    table = "device,minor,minor_clear,major\npark,4,5,x\nferry,,,\n,1,0.9,4\n"
    lines = told(tmp_path, table, SCENE.replace("fold:", "fold_by:"))
    assert [line.split(" ")[0] for line in lines] == [
        "river.yaml:7:1:", "stations.csv:2:1:", "stations.csv:2:1:", "stations.csv:3:1:", "stations.csv:4:1:",
    ]  # fmt: skip


def test_a_table_that_is_wrong_from_top_to_bottom_is_told_of_in_a_hundred_lines(tmp_path: Path) -> None:
    lines = told(tmp_path, "device,major\n" + "".join(f"d{at},x\n" for at in range(5_000)))
    assert len(lines) == 101
    assert "stations.csv:101:1: S023 100 mistakes up to here: the rest is looked at when they are mended" in lines


@pytest.mark.parametrize(
    ("given_as", "line"),
    [
        (
            "{table: station.csv, by: device}",
            ("6:22: S023 the table station.csv cannot be read: no such file or directory (did you mean "
             "stations.csv?)"),
        ),
        (
            "{table: ../stations.csv, by: device}",
            "6:22: S006 '../stations.csv' is no table: name a .csv file that lies beside the scene",
        ),
        (
            "{table: /etc/passwd, by: device}",
            "6:22: S006 '/etc/passwd' is no table: name a .csv file that lies beside the scene",
        ),
        (
            "{table: stations.csv, by: devise}",
            ("6:40: S006 by: 'devise' is not one of device, place, grid, disposal_grid, gateway, town, "
             "area_class, kind, type (did you mean device?)"),
        ),
        ("{table: stations.csv}", "6:1: S005 `by` is missing"),
        ("{by: device}", "6:1: S017 limits_from needs `table`, a .csv file beside the scene, or `rows`"),
        ("{table: stations.csv, by: [device, device]}", "6:36: S006 one column stands twice in `by`"),
        (
            "{table: stations.csv, by: device, sheet: 2}",
            "6:48: S004 unknown key `sheet`: there may be table, by, percent_of, rows here",
        ),
    ],
)  # fmt: skip
def test_what_the_scene_says_of_its_table_is_checked(tmp_path: Path, given_as: str, line: str) -> None:
    text = SCENE.replace("{table: stations.csv, by: device}", given_as)
    assert f"river.yaml:{line}" in told(tmp_path, TABLE, text)


def test_a_level_that_takes_its_limit_from_a_table_needs_one(tmp_path: Path) -> None:
    text = SCENE.replace("limits_from: {table: stations.csv, by: device}", "")
    line = "river.yaml:5:30: S005 major takes its limit from a table: give the scene `limits_from`"
    assert told(tmp_path, TABLE, text) == [line]


def test_a_level_of_the_table_has_its_clear_value_from_there_too(tmp_path: Path) -> None:
    text = SCENE.replace("above: table", "above: table, clear_below: 4")
    (line,) = told(tmp_path, TABLE, text)
    assert line.startswith("river.yaml:5:50: S010 the limit is the table's, and so is its clear value")


def test_a_table_that_is_not_utf8_is_told_where(tmp_path: Path) -> None:
    table = "device,major,source\npark,5,黄浦\n".encode("gb18030")
    assert told(tmp_path, table) == ["stations.csv:2:8: S001 the file is not UTF-8 here: save it as UTF-8"]


@pytest.mark.parametrize(("level", "why"), [
    ("state: true", "state is more than a limit, give it by `overrides`"),
    ("count_above: {limit: 1, times: 2, in: 1d}", "count_above is more than a limit, give it by `overrides`"),
])  # fmt: skip
def test_a_condition_of_several_numbers_is_not_of_a_table(tmp_path: Path, level: str, why: str) -> None:
    text = f"scene: a\nfeeds: {{device: d}}\nlevels: [{{severity: minor, {level}}}]\n"
    table = "device,minor\npark,1\n"
    lines = told(tmp_path, table, f"{text}limits_from: {{table: stations.csv, by: device}}\n")
    assert lines == [f"stations.csv:1:1: S023 the column 'minor': {why}"]


def test_a_row_for_nobody_is_told_where_the_devices_are_known(tmp_path: Path) -> None:
    devices = [PARK, Device("fery", "g", "river"), Device("ferry", "g", "pit")]
    assert told(tmp_path, TABLE, devices=devices) == [
        "stations.csv:3:1: S023 no device that the scene watches has the device 'ferry' (did you mean fery?)"
    ]
    assert told(tmp_path, TABLE, devices=[PARK, FERRY]) == []


def test_a_row_for_an_unknown_type_is_told(tmp_path: Path) -> None:
    text = SCENE.replace("{type: river, metric: level_m}", "{metric: level_m}").replace("by: device", "by: type")
    table = "type,major\nrivver,5\n"
    assert told(tmp_path, table, text) == [
        "stations.csv:2:1: S012 no device that the scene watches has the type 'rivver' (did you mean river?)"
    ]


# ---- how it travels


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


# ---- what the engine makes of it


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
