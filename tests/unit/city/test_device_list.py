import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.catalogue import load_catalogue
from city.device import Device
from city.device_list import dump_devices, load_devices, usable
from city.life import LISTED
from core.errors import ConfigError

TYPES = load_catalogue()
HEADER = "device,gateway,type,place,town,kind,tags\n"
CAMERA = "31011201001320000001"
letters = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/+#"), min_size=1, max_size=64
)
words = st.text(letters, max_size=20)
keys = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters=";="), min_size=1)
values = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters=";"), max_size=20)
days = st.dates(dt.date(2000, 1, 1), dt.date(2030, 1, 1)) | st.none()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "devices.csv"


def refused(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_devices(path, TYPES)
    return [line.removeprefix(str(path)) for line in str(caught.value).splitlines()]


def test_a_row_is_a_device_with_its_place_and_tags(path: Path) -> None:
    path.write_text(HEADER + "lvl-1,pole-3,road-water-level,M0412,T03,underpass,asset=A17; owner = water \n")
    assert load_devices(path, TYPES) == {
        "lvl-1": Device(
            "lvl-1", "pole-3", "road-water-level", "M0412", "T03", "underpass", {"asset": "A17", "owner": "water"}
        )
    }


def test_any_column_stands_anywhere(path: Path) -> None:
    path.write_text(
        "state,lat,lon,gb28181,device,gateway,type,design,installed,owner,self_grid,disposal_grid,area_class\n"
        f"adopted,31.1,121.4,{CAMERA},cam-1,g,camera,foreground_share=0.5,2024-02-29,police,S1,D1,4a\n"
    )
    assert load_devices(path, TYPES)["cam-1"] == Device(
        "cam-1", "g", "camera", lon=121.4, lat=31.1, gb28181=CAMERA, owner="police", self_grid="S1",
        disposal_grid="D1", area_class="4a", installed=dt.date(2024, 2, 29), design={"foreground_share": 0.5},
        state="adopted",
    )  # fmt: skip


def test_only_device_and_gateway_are_needed_and_alerts_then_fold_by_device(path: Path) -> None:
    path.write_text("gateway,device\npole-3,lvl-1\n")
    (device,) = load_devices(path, TYPES).values()
    assert (device.id, device.gateway, device.alert_place, device.state) == ("lvl-1", "pole-3", "lvl-1", "active")


def test_a_byte_order_mark_and_empty_rows_of_a_spreadsheet_are_no_part_of_the_list(path: Path) -> None:
    path.write_text(HEADER + "a,g,,,,,\n\n,,,,,,\n", encoding="utf-8-sig")
    assert list(load_devices(path, TYPES)) == ["a"]


def test_every_wrong_row_is_named_with_its_line(path: Path) -> None:
    text = HEADER + "a,g,,,,,\na,g,,,,,\nb,g,nonsense,,,,\nc/d,g,,,,,\ne,,,,,,\nf,g,,,,,,too,many\ng,g\n"
    assert refused(path, text) == [
        ":3: device 'a' stands twice: take one row away",
        ":4: unknown device type 'nonsense': take one of the catalogue, or add it there",
        ":5: device 'c/d' cannot stand in a topic: 1 to 64 characters, no / + #",
        ":6: gateway '' cannot stand in a topic: 1 to 64 characters, no / + #",
        ":7: more fields than the header has (9, not 7)",
        ":8: fewer fields than the header has (2, not 7)",
    ]


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("lon,lat", "121.4,", "lon without lat: give both or none"),
        ("lon,lat", ",31.1", "lat without lon: give both or none"),
        ("lon,lat", "east,31.1", "lon 'east' is not a number: degrees, like 121.38"),
        ("lon,lat", "nan,31.1", "lon 'nan' is not a number: degrees, like 121.38"),
        ("lon,lat", "31.1,121.4", "lat 121.4 is not between -90 and 90 degrees"),
        ("lon,lat", "181,0", "lon 181 is not between -180 and 180 degrees"),
        ("installed", "2026/01/02", "installed '2026/01/02' is not a day: write it like 2026-11-25"),
        ("installed", "20260102", "installed '20260102' is not a day: write it like 2026-11-25"),
        ("calibrated", "2026-02-30", "calibrated '2026-02-30' is not a day: write it like 2026-11-25"),
        (
            "calibrated,calibration_due",
            "2026-02-02,2026-01-01",
            "calibration_due 2026-01-01 comes before calibrated 2026-02-02",
        ),
        ("state", "broken", "state 'broken' is none of adopted, active, suspended, retired"),
        ("state", "unknown", "state 'unknown' is none of adopted, active, suspended, retired"),
        ("design", "depth_cm", "design 'depth_cm': write it like key=value, with ; between two"),
        ("design", "depth_cm=deep", "design depth_cm=deep: not a number; write it like depth_cm=30"),
        ("design", "depth_m=3", "design depth_m: road-water-level does not measure it; it measures depth_cm"),
        ("design", "depth_cm=1;depth_cm=2", "design depth_cm stands twice"),
        ("tags", "=x", "tags '=x': write it like key=value, with ; between two"),
        ("gb28181", "3101", "gb28181: '3101' has 4 digits, an id has 20"),
        ("owner", '"a\nb"', "owner 'a\\nb' is too long or has control characters: at most 200"),
    ],
)
def test_a_wrong_value_is_told_with_its_cure(path: Path, column: str, text: str, said: str) -> None:
    lines = refused(path, f"device,gateway,type,{column}\na,g,road-water-level,{text}\n")
    assert [line.partition(": ")[2] for line in lines] == [said]


def test_a_camera_has_the_id_of_a_camera(path: Path) -> None:
    text = "device,gateway,type,gb28181\nc,g,camera,31011201001180000001\n"
    assert refused(path, text) == [":2: gb28181: digits 11-13 (type) 118: a camera is 131 or 132"]


def test_everything_that_is_wrong_in_a_row_is_told_at_once(path: Path) -> None:
    lines = refused(path, "device,gateway,type,lon,state\na+,g,boat,400,lost\n")
    assert len(lines) == 5
    assert all(line.startswith(":2: ") for line in lines)


def test_a_list_that_is_wrong_throughout_does_not_flood_the_screen_and_yet_names_every_row(path: Path) -> None:
    lines = refused(path, HEADER + "a/b,g,,,,,\n" * 70 + "ok,g,,,,,\n" + "c/d,g,,,,,\n")
    assert len(lines) == 51
    assert lines[-1] == ": and 21 more wrong rows, on lines 52-71, 73"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("gateway,type\n", "lacks device"),
        ("device,gateway,colour\n", "has the unknown column 'colour'"),
        ("device,gateway,townn\n", "has the unknown column 'townn' (did you mean town?)"),
        ("device,gateway,town,town\n", "has town twice"),
        (
            "devices,town,town\n",
            "lacks device, gateway, and has the unknown column 'devices' (did you mean device?)",
        ),
        ("", "lacks device"),
    ],
)
def test_a_wrong_header_is_said_to_be_so(path: Path, header: str, said: str) -> None:
    assert said in refused(path, header)[0]


def test_a_list_in_another_encoding_is_said_to_be_so_with_the_line(path: Path) -> None:
    path.write_bytes(HEADER.encode() + "a,g,,道路,,,\n".encode("gb18030"))
    with pytest.raises(ConfigError, match=r"devices\.csv:2: not CSV in UTF-8"):
        load_devices(path, TYPES)


def test_a_quote_that_does_not_end_is_told(path: Path) -> None:
    assert "not CSV" in refused(path, HEADER + 'a,g,,"x,,,\n')[0]


def test_a_list_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match="the device list cannot be read: No such file"):
        load_devices(path, TYPES)


@st.composite
def devices(draw: st.DrawFn, name: str) -> Device:
    kind = TYPES[draw(st.sampled_from(["road-water-level", "bridge-health", "camera"]))]
    metrics = [metric.name for metric in kind.metrics.values() if metric.kind == "number"]
    lon, lat = draw(st.tuples(st.floats(-180, 180), st.floats(-90, 90)) | st.just((None, None)))
    installed, calibrated, due = sorted((draw(days), draw(days), draw(days)), key=lambda day: day or dt.date.min)
    return Device(
        name, draw(names), kind.id, draw(words), draw(words), draw(words),
        draw(st.dictionaries(keys, values, max_size=3)),
        lon=lon, lat=lat, self_grid=draw(words), disposal_grid=draw(words), area_class=draw(words), owner=draw(words),
        gb28181=draw(st.sampled_from(["", CAMERA])), installed=installed, calibrated=calibrated, calibration_due=due,
        design=draw(st.dictionaries(st.sampled_from(metrics), st.floats(-1e12, 1e12), max_size=3)),
        state=draw(st.sampled_from(LISTED)).value,
    )  # fmt: skip


@given(st.data(), st.sets(names, max_size=5))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, ids: set[str]
) -> None:
    path = tmp_path_factory.mktemp("devices") / "devices.csv"
    known = {name: data.draw(devices(name)) for name in ids}
    dump_devices(path, known.values())
    assert load_devices(path, TYPES) == known


@pytest.mark.parametrize(
    "device",
    [
        Device("a", "g", owner=" x"),
        Device("a", "g", place="x\ny"),
        Device("a", "g", tags={"": "x"}),
        Device("a", "g", tags={"a=b": "x"}),
        Device("a", "g", tags={"a": "x;y"}),
    ],
)
def test_what_a_list_cannot_hold_is_not_written(path: Path, device: Device) -> None:
    with pytest.raises(ValueError, match="cannot stand in a list"):
        dump_devices(path, [device])
    assert not path.exists()


def test_text_that_stands_in_many_rows_is_kept_once(path: Path) -> None:
    path.write_text("device,gateway,type,owner\n" + "".join(f"d{i},gw,camera,city{0}\n" for i in range(3)))
    found = list(load_devices(path, TYPES).values())
    assert len({id(device.gateway) for device in found}) == len({id(device.owner) for device in found}) == 1


@pytest.mark.parametrize(
    ("name", "fits"),
    [("a", True), ("井盖-7", True), ("", False), ("a" * 65, False), ("a+b", False), ("a\n", False), (" a", False)],
)
def test_a_name_can_stand_in_a_topic_or_not(name: str, *, fits: bool) -> None:
    assert usable(name) is fits
