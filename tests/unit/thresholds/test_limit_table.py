"""Limits out of a table: who gets which, and what wins over what."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from city.device import Device
from tests.unit.thresholds.parts import T0_MS, scene
from tests.unit.thresholds.stations import FERRY, OTHER, PARK, SCENE, TABLE, limits, loaded, told
from thresholds.ladder import ladder_problems

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
