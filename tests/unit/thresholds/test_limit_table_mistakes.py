"""Every mistake in a table of limits, at its row, and in what the scene says of it."""

from pathlib import Path

import pytest

from city.device import Device
from tests.unit.thresholds.stations import FERRY, PARK, SCENE, TABLE, told


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
