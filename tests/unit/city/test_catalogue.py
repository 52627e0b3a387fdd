import datetime as dt
import re
from pathlib import Path

import pytest

from city.catalogue import load_catalogue, offline_after, shipped
from city.device import DeviceType
from city.limit import Limit
from core.errors import ConfigError

HEAD = "source: {text: a test, verified: false}\ntypes:\n"


def refused(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "types.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_the_shipped_catalogue_has_a_title_in_both_languages_for_every_type() -> None:
    types = load_catalogue()
    assert len(types) >= 28
    assert [kind.id for kind in types.values() if not (kind.title_en and kind.title_zh)] == []


def test_the_shipped_catalogue_knows_units_and_states() -> None:
    types = load_catalogue()
    assert types["road-water-level"].metrics["depth_cm"].unit == "cm"
    assert types["smoke-detector"].metrics["smoke"].kind == "state"


def test_shipped_folders_are_there() -> None:
    assert (shipped("scenes") / "road-flooding.yaml").is_file()
    assert (shipped("data") / "device-types.yaml").is_file()


def test_another_catalogue_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "types.yaml"
    path.write_text(HEAD + "  thing: {metrics: {x: {unit: mm}}}\n", encoding="utf-8")
    types = load_catalogue(path)
    assert list(types) == ["thing"]
    assert types["thing"].metrics["x"].kind == "number"


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    lines = refused(
        tmp_path, HEAD + "  a: {metric: {}}\n  b:\n    metrics:\n      x: {kind: colour}\n      y: {unti: m}\n"
    )
    assert lines == [
        "3: types.a.metrics: Field required",
        "3: types.a.metric: unknown key (did you mean metrics?)",
        "6: types.b.metrics.x.kind: Input should be 'number' or 'state'",
        "7: types.b.metrics.y.unti: unknown key (did you mean unit?)",
    ]


LIMIT = "source: s, verified: false"


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("{unit: '%[LEL]'}", "t.x: unit '%[LEL]': '%[LEL]' is no unit of UCUM"),
        ("{kind: state, unit: m}", "t.x: a state is true or false and has no unit"),
        ("{range: [5, 5]}", "t.x: the range ends before it begins"),
        ("{range: [0, 5], normal: [1, 9]}", "t.x: the normal band [1, 9] leaves the range"),
        ("{normal: [9, 1]}", "t.x: the normal band ends before it begins"),
        ("{normal: {band: [1, 2], verified: true}}", "t.x: it says verified and no source"),
        (f"{{limits: [{{level: 1, {LIMIT}}}]}}", "this one has no condition"),
        (f"{{limits: [{{level: 1, above: 1, below: 0, {LIMIT}}}]}}", "this one has both above and below"),
        (f"{{limits: [{{level: 1, is: true, {LIMIT}}}]}}", "is does not fit a number"),
        (f"{{kind: state, limits: [{{level: 1, above: 1, {LIMIT}}}]}}", "above does not fit a state: give `is: true`"),
        (f"{{range: [0, 5], limits: [{{level: 1, above: 6, {LIMIT}}}]}}", "outside the range [0, 5]: it would never"),
        (f"{{limits: [{{level: 1, outside: [2, 1], {LIMIT}}}]}}", "outside [low, high] with the low one first"),
        (f"{{limits: [{{level: 1, above: 6, statistic: mean, {LIMIT}}}]}}", "mean of what time? give `over`"),
        (f"{{limits: [{{level: 1, above: 6, over: 10, {LIMIT}}}]}}", "a duration needs its unit"),
        (f"{{limits: [{{level: 1, above: 1, where: {{colour: red}}, {LIMIT}}}]}}", "where knows no 'colour'"),
        (
            f"{{limits: [{{level: 1, above: 1, valid_from: 2026-01-02, valid_to: 2026-01-01, {LIMIT}}}]}}",
            "it ends before it begins",
        ),
        (
            f"{{limits: [{{level: 1, above: 2, {LIMIT}}}, {{level: 2, above: 1, {LIMIT}}}]}}",
            "level 2 (1.0) is met before",
        ),
        (f"{{limits: [{{level: 1, above: 2, {LIMIT}}}, {{level: 1, above: 3, {LIMIT}}}]}}", "level 1 stands twice"),
        ("{limits: [{level: 1, above: 2}]}", "types.t.metrics.x.limits.0.source: Field required"),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path: Path, metric: str, said: str) -> None:
    lines = refused(tmp_path, f"{HEAD}  t:\n    metrics:\n      x: {metric}\n")
    assert said in "\n".join(lines)
    assert all(line.startswith("5: ") for line in lines)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("interval: 1m, alarm_interval: 5m", "the alarm interval is longer than the normal one"),
        ("interval: 1m, offline_after: 30s", "it would be offline between any two readings"),
        ("interval: 0s", "should be greater than 0"),
    ],
)
def test_intervals_that_make_no_sense_are_said_to_be_so(tmp_path: Path, keys: str, said: str) -> None:
    assert said in refused(tmp_path, f"{HEAD}  t: {{{keys}, metrics: {{x: {{}}}}}}\n")[0]


def test_limits_of_other_days_and_other_places_do_not_clash(tmp_path: Path) -> None:
    rows = [
        "{level: 1, above: 9, valid_to: 2025-12-31, source: old, verified: true}",
        "{level: 1, above: 5, valid_from: 2026-01-01, source: new, verified: true}",
        "{level: 1, above: 7, where: {kind: road}, source: roads, verified: false}",
    ]
    path = tmp_path / "types.yaml"
    path.write_text(f"{HEAD}  t: {{metrics: {{x: {{limits: [{', '.join(rows)}]}}}}}}\n", encoding="utf-8")
    metric = load_catalogue(path)["t"].metrics["x"]
    assert [limit.value for limit in metric.limits_on(dt.date(2025, 12, 31))] == [9, 7]
    assert [limit.value for limit in metric.limits_on(dt.date(2026, 1, 1))] == [5, 7]


def every_limit() -> list[tuple[str, str, Limit]]:
    return [(t.id, m.name, limit) for t in load_catalogue().values() for m in t.metrics.values() for limit in m.limits]


def limit(kind: str, metric: str, day: dt.date, level: int = 1) -> Limit:
    (found,) = [one for one in load_catalogue()[kind].metrics[metric].limits_on(day) if one.level == level]
    return found


def test_the_shipped_catalogue_is_the_28_types_the_camera_and_what_stands_beside() -> None:
    types = load_catalogue()
    district = [kind.id for kind in types.values() if not kind.beside]
    assert district[-1] == "camera"
    assert len(district) == 29
    assert [kind.id for kind in types.values() if kind.beside] == ["traffic-detector", "thermometer"]


def test_every_type_of_the_district_says_how_often_it_reports_and_when_it_is_offline() -> None:
    def wrong(kind: DeviceType) -> bool:
        return kind.interval_ms is None or kind.offline_after_ms != offline_after(kind.interval_ms)

    assert [kind.id for kind in load_catalogue().values() if wrong(kind)] == []
    assert offline_after(60_000) == 15 * 60_000
    assert offline_after(3_600_000) == 3 * 3_600_000


def test_every_metric_has_both_names_and_every_number_has_a_unit_and_a_range() -> None:
    def wrong(kind: DeviceType, name: str) -> bool:
        metric = kind.metrics[name]
        number = metric.kind == "number"
        return not (metric.title_en and metric.title_zh and (not number or (metric.unit and metric.range)))

    assert [(kind.id, name) for kind in load_catalogue().values() for name in kind.metrics if wrong(kind, name)] == []


def test_readings_at_the_normal_intervals_are_77_a_second_for_15_000_devices() -> None:
    types = [kind for kind in load_catalogue().values() if not kind.beside and kind.id != "camera"]
    each = 15_000 / len(types)
    rate = sum(each * 1000 / kind.interval_ms for kind in types if kind.interval_ms)
    assert rate == pytest.approx(77, abs=1)


def test_what_is_a_proposal_or_was_not_read_is_not_called_verified() -> None:
    doubtful = re.compile(r"not read|project proposal|trade practice|general practice|is kept")
    assert [row for row in every_limit() if row[2].evidence.verified and doubtful.search(row[2].evidence.text)] == []
    assert all(one.evidence.text for _, _, one in every_limit())


def test_an_underpass_and_an_air_station_have_the_limits_of_their_standards() -> None:
    red = [one for one in load_catalogue()["road-water-level"].metrics["depth_cm"].limits if one.level == 3]
    assert [(one.where["kind"], one.condition, one.value) for one in red] == [
        ("underpass", "above", 25),
        ("road", "at_least", 27),
    ]
    assert all(one.evidence.verified for one in red)
    pm25 = [limit("air-station", "pm25", dt.date(year, 6, 1)) for year in (2025, 2026, 2031)]
    assert [(one.value, one.evidence.verified) for one in pm25] == [(75, False), (60, True), (50, True)]


def test_a_standard_that_was_replaced_ends_where_the_next_begins() -> None:
    site = load_catalogue()["site-dust-noise"].metrics["laeq"]
    night = {day: [one.evidence.text[:13] for one in site.limits_on(day) if one.where["period"] == "night"] for day in
             (dt.date(2025, 12, 31), dt.date(2026, 1, 1))}  # fmt: skip
    assert list(night.values()) == [["GB 12523-2011"], ["GB 12523-2025"]]


def test_what_is_not_yaml_is_said_to_be_so(tmp_path: Path) -> None:
    assert "not YAML: " in refused(tmp_path, "types: [")[0]


def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    text = HEAD + "  t: {metrics: {x: {}}}\n  t: {metrics: {y: {}}}\n"
    assert refused(tmp_path, text) == ["4: `t` stands twice, first on line 3"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml:1: cannot be read: no such file"):
        load_catalogue(tmp_path / "gone.yaml")
