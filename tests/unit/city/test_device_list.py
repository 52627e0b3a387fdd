from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.catalogue import load_catalogue
from city.device import Device
from city.registry import dump_devices, load_devices, usable
from core.errors import ConfigError

TYPES = load_catalogue()
HEADER = "device,gateway,type,place,town,kind,tags\n"
names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/+#"), min_size=1, max_size=64
)
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters=";="), max_size=20)


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


def test_only_device_and_gateway_are_needed_and_alerts_then_fold_by_device(path: Path) -> None:
    path.write_text("gateway,device\npole-3,lvl-1\n")
    (device,) = load_devices(path, TYPES).values()
    assert (device.id, device.gateway, device.alert_place) == ("lvl-1", "pole-3", "lvl-1")


def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_header(path: Path) -> None:
    path.write_text(HEADER + "a,g,,,,,\n", encoding="utf-8-sig")
    assert list(load_devices(path, TYPES)) == ["a"]


def test_every_wrong_row_is_named_with_its_line(path: Path) -> None:
    text = HEADER + "a,g,,,,,\na,g,,,,,\nb,g,nonsense,,,,\nc/d,g,,,,,\ne,,,,,,\nf,g,,,,,,too,many\n"
    assert refused(path, text) == [
        ":3: device 'a' stands twice",
        ":4: unknown device type 'nonsense'",
        ":5: device 'c/d' cannot stand in a topic: 1 to 64 characters, no / + #",
        ":6: gateway '' cannot stand in a topic: 1 to 64 characters, no / + #",
        ":7: more fields than the header has",
    ]


def test_a_list_that_is_wrong_throughout_does_not_flood_the_screen(path: Path) -> None:
    lines = refused(path, HEADER + "a/b,g,,,,,\n" * 70)
    assert len(lines) == 51
    assert lines[-1] == ": and 20 more wrong rows"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("gateway,type\n", "lacks device"),
        ("device,gateway,colour\n", "has unknown columns colour"),
        ("", "lacks device"),
    ],
)
def test_a_wrong_header_is_said_to_be_so(path: Path, header: str, said: str) -> None:
    assert said in refused(path, header)[0]


def test_a_list_in_another_encoding_is_said_to_be_so(path: Path) -> None:
    path.write_bytes(HEADER.encode() + "a,g,,道路,,,\n".encode("gb18030"))
    with pytest.raises(ConfigError, match="not CSV in UTF-8"):
        load_devices(path, TYPES)


def test_a_list_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match="the device list cannot be read: No such file"):
        load_devices(path, TYPES)


@given(
    st.dictionaries(
        names, st.tuples(names, words, words, words, st.dictionaries(words.filter(bool), words, max_size=3)), max_size=5
    )
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, tuple[str, str, str, str, dict[str, str]]]
) -> None:
    path = tmp_path_factory.mktemp("devices") / "devices.csv"
    devices = {
        name: Device(name, gateway, "", place, town, kind, tags)
        for name, (gateway, place, town, kind, tags) in rows.items()
    }
    dump_devices(path, devices.values())
    assert load_devices(path, TYPES) == devices


@pytest.mark.parametrize(
    ("name", "fits"), [("a", True), ("井盖-7", True), ("", False), ("a" * 65, False), ("a+b", False), ("a\n", False)]
)
def test_a_name_can_stand_in_a_topic_or_not(name: str, *, fits: bool) -> None:
    assert usable(name) is fits
