"""`scenewatch device ...` on real files, as a person calls it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from city.catalogue import load_catalogue
from city.device import Device
from city.device_list import load_devices
from core.errors import ConfigError, UnavailableError
from ingest.unknown import UnknownDevices
from runtime.config import write_config
from runtime.main import app

LEVEL = "road-water-level"
LIST = f"gateway,device,type,state,owner\ng,a,{LEVEL},,water\ng,b,{LEVEL},suspended,\nh,c,camera,retired,police\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "devices.csv").write_text(LIST)
    write_config(tmp_path / "scenewatch.toml", {"data": {"dir": "data"}, "ingest": {"devices": "devices.csv"}})
    (tmp_path / "data").mkdir()
    unknown = UnknownDevices(tmp_path / "data" / "unknown.sqlite")
    unknown.note("g", "new", "depth_cm", 12.5, 1_000)
    unknown.note("g", "two", "depth_cm", 1.0, 1_000)
    unknown.note("h", "two", "depth_cm", 1.0, 1_000)
    unknown.write()
    return tmp_path


def run(folder: Path, command: str, *arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["device", command, *arguments, "-c", str(folder / "scenewatch.toml")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output


def devices(folder: Path) -> dict[str, Device]:
    return load_devices(folder / "devices.csv", load_catalogue())


def audit(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "devices.csv.audit").read_text().splitlines()]


def test_a_device_that_was_heard_is_adopted_on_trial_and_then_decides(folder: Path) -> None:
    out = run(folder, "adopt", "new", "--type", LEVEL, "--lon", "121.38", "--lat", "31.1", "--set", "owner=water")
    assert "state=adopted" in out
    assert devices(folder)["new"] == Device("new", "g", LEVEL, lon=121.38, lat=31.1, owner="water", state="adopted")
    run(folder, "resume", "new", "--who", "Li", "--reason", "checked on site")
    assert devices(folder)["new"].state == "active"
    assert [(line["act"], line["device"], line["from"], line["to"]) for line in audit(folder)] == [
        ("adopt", "new", "unknown", "adopted"),
        ("resume", "new", "adopted", "active"),
    ]
    assert (audit(folder)[1]["who"], audit(folder)[1]["reason"]) == ("Li", "checked on site")


def test_the_columns_stay_in_their_order_and_what_is_new_comes_behind(folder: Path) -> None:
    run(folder, "adopt", "new", "--type", LEVEL, "--set", "town=T03")
    assert (folder / "devices.csv").read_text().splitlines()[0] == "gateway,device,type,state,owner,town"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "--type", "boat"], "device 'new': unknown device type 'boat'"),
        (["new", "--type", LEVEL, "--lon", "121"], "lon without lat: give both or none"),
        (["new", "--type", LEVEL, "--set", "onwer=x"], "no column that can be set (did you mean owner?)"),
        (["new", "--type", LEVEL, "--set", "owner"], "write it like --set owner=water"),
        (["a", "--type", LEVEL], "device 'a' is on the list already: it is active"),
        (["two", "--type", LEVEL], "it was heard behind g, h: say with --gateway"),
        (["nobody", "--type", LEVEL], "it was not heard yet: say with --gateway"),
    ],
)
def test_an_adoption_that_cannot_be_is_refused_and_changes_nothing(
    folder: Path, arguments: list[str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(folder, "adopt", *arguments)
    assert said in str(caught.value)
    assert (folder / "devices.csv").read_text() == LIST
    assert not (folder / "devices.csv.audit").exists()


def test_acts_take_all_devices_or_none(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run(folder, "suspend", "a", "b", "nobody", "c")
    assert str(caught.value).splitlines() == [
        "device 'b' is suspended: suspend is not for it, resume or retire is",
        "device 'nobody' is not on the list; adopt it first",
        "device 'c' is retired: suspend is not for it, adopt is",
    ]
    assert (folder / "devices.csv").read_text() == LIST
    run(folder, "retire", "a", "b")
    assert {device.state for device in devices(folder).values()} == {"retired"}
    run(folder, "adopt", "c", "--type", "camera")
    assert devices(folder)["c"] == Device("c", "h", "camera", owner="police", state="adopted")


def test_a_dry_run_shows_what_would_change_and_changes_nothing(folder: Path) -> None:
    out = run(folder, "suspend", "a", "--dry-run")
    assert out.splitlines() == ["~ a: state: active -> suspended", "1 device would change; nothing was written"]
    assert (folder / "devices.csv").read_text() == LIST
    assert not (folder / "devices.csv.previous").exists()


def test_undo_goes_back_and_forth(folder: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to undo"):
        run(folder, "undo")
    run(folder, "suspend", "a")
    changed = (folder / "devices.csv").read_text()
    run(folder, "undo")
    assert (folder / "devices.csv").read_text() == LIST
    run(folder, "undo")
    assert (folder / "devices.csv").read_text() == changed
    assert [line["act"] for line in audit(folder)] == ["suspend", "undo", "undo"]


def test_a_list_is_imported_whole_or_merged(folder: Path) -> None:
    other = folder / "other.csv"
    other.write_text("device,gateway,owner\na,g,parks\nz,g,\n")
    assert "~ a: type: road-water-level -> -, owner: water -> parks" in run(folder, "import", str(other), "--merge")
    assert list(devices(folder)) == ["a", "b", "c", "z"]
    assert "- device=b" in run(folder, "import", str(other))
    assert list(devices(folder)) == ["a", "z"]
    assert run(folder, "import", str(other)) == "nothing changes\n"
    other.write_text("device,gateway\na,g\na,g\n")
    with pytest.raises(ConfigError, match=r"other\.csv:3: device 'a' stands twice"):
        run(folder, "import", str(other))
    assert list(devices(folder)) == ["a", "z"]


def test_what_is_exported_is_the_list_or_a_part_of_it(folder: Path) -> None:
    assert run(folder, "export", "--state", "retired") == (
        "device,gateway,type,place,town,kind,owner,state\nc,h,camera,,,,police,retired\n"
    )
    target = folder / "copy.csv"
    run(folder, "export", str(target))
    assert load_devices(target, load_catalogue()) == devices(folder)


def test_lists_are_shown_for_people_and_for_programs(folder: Path) -> None:
    assert "1 device\n" in run(folder, "list", "--gateway", "h")
    assert [one["device"] for one in json.loads(run(folder, "list", "--type", LEVEL, "--json"))] == ["a", "b"]
    unknown = json.loads(run(folder, "list", "--unknown", "--gateway", "g", "--json"))
    assert [(one["device"], one["count"], one["metrics"]) for one in unknown] == [
        ("new", 1, {"depth_cm": 12.5}),
        ("two", 1, {"depth_cm": 1.0}),
    ]
    assert "depth_cm 12.5" in run(folder, "list", "--unknown")


def test_one_device_is_shown_with_what_was_heard_of_it(folder: Path) -> None:
    assert "owner: water" in run(folder, "show", "a")
    assert json.loads(run(folder, "show", "two", "--json"))["state"] == "unknown"
    assert "nothing was heard" in run(folder, "show", "nobody", status=1)


def test_a_camera_is_shown_with_the_parts_of_its_number(folder: Path) -> None:
    run(folder, "adopt", "cam", "--type", "camera", "--gateway", "g", "--set", "gb28181=31011201001327000042")
    assert json.loads(run(folder, "show", "cam", "--json"))["gb28181_parts"]["network"] == "internet"


def test_a_list_may_be_named_without_a_configuration_and_one_has_to_be(folder: Path) -> None:
    done = CliRunner().invoke(app, ["device", "list", "--devices", str(folder / "devices.csv"), "--json"])
    assert len(json.loads(done.output)) == 3
    for arguments in (["list"], ["list", "--unknown", "--devices", str(folder / "devices.csv")]):
        failed = CliRunner().invoke(app, ["device", *arguments]).exception
        assert isinstance(failed, ConfigError)
        assert "--config FILE" in str(failed)


def test_a_list_that_cannot_be_written_is_said_to_be_so(folder: Path) -> None:
    (folder / "devices.csv.partial").mkdir()
    with pytest.raises(UnavailableError, match="cannot be written"):
        run(folder, "suspend", "a")
    assert (folder / "devices.csv").read_text() == LIST


def test_the_point_decides_where_a_device_stands(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = CliRunner().invoke(
        app, ["city", "import", str(one_town(folder)), "--into", str(folder / "data" / "city"), "-q"]
    )
    assert made.exit_code == 0, made.output
    (folder / "more.csv").write_text("device,gateway,lon,lat,town\nin,g,121.405,31.055,T99\nout,g,121.9,31.055,T99\n")
    out = run(folder, "import", str(folder / "more.csv"), "--merge")
    found = devices(folder)
    assert (found["in"].place, found["in"].self_grid, found["in"].disposal_grid, found["in"].town) == (
        "M0001", "S001", "D01", "T01",
    )  # fmt: skip
    assert found["out"].town == "T99"
    assert "outside the district, left where the list says they are: out" in out + capfd.readouterr().err
    run(folder, "adopt", "new", "--type", LEVEL, "--lon", "121.41", "--lat", "31.06")
    assert devices(folder)["new"].place == "M0001"


def one_town(folder: Path) -> Path:
    """A district of one town, grid and module, as GeoJSON files."""
    square = [[[121.40, 31.05], [121.42, 31.05], [121.42, 31.07], [121.40, 31.07], [121.40, 31.05]]]
    layers = {
        "towns": {"code": "T01", "name_zh": "镇", "name_en": "Town"},
        "disposal_grids": {"code": "D01", "name_zh": "处置", "name_en": "Disposal", "town": "T01"},
        "self_grids": {
            "code": "S001", "name_zh": "自治", "name_en": "Self", "disposal_grid": "D01", "kind": "residents",
        },
        "modules": {"code": "M0001", "name_zh": "模块", "name_en": "Module", "self_grid": "S001"},
    }  # fmt: skip
    target = folder / "map"
    target.mkdir()
    for name, properties in layers.items():
        feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": square}, "properties": properties}
        (target / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return target


def test_a_user_without_a_name_is_written_down_by_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    run(folder, "suspend", "a")
    assert audit(folder)[0]["who"] == "uid 4711"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--state", "suspendet"], "--state suspendet: there is none such (did you mean suspended?)"),
        (["--type", "road-water-levl"], "--type road-water-levl: there is none such (did you mean road-water-level?)"),
    ],
)
def test_a_word_that_no_device_can_have_is_told(folder: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(folder, "list", *arguments)
    assert str(caught.value) == said
