import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from city.assets import Assets
from city.folder import layer_file, save_city
from city.make import make_district
from runtime.main import app, guarded
from tests.unit.city.made import SMALL, corner, squares

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `scenewatch city ...`: status, standard output, standard error."""

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["scenewatch", "city", *map(str, arguments)])
        status = guarded(app)
        out, err = capsys.readouterr()
        return status, out, err

    monkeypatch.setattr("runtime.cli_city.make_district", partial(make_district, counts=SMALL))
    return command


@pytest.fixture
def city(tmp_path: Path) -> Path:
    save_city(tmp_path / "city", squares())
    return tmp_path / "city"


def test_a_district_is_made_drawn_exported_and_imported_again(run: Run, tmp_path: Path) -> None:
    made, out, back = tmp_path / "made", tmp_path / "out", tmp_path / "back"
    status, said, _ = run("make", made, "--seed", 3, "--plot", tmp_path / "made.png")
    assert status == 0
    assert "3 towns, 7 disposal grids, 24 self grids, 90 modules; 97 hydrants" in said
    assert (tmp_path / "made.png").read_bytes().startswith(b"\x89PNG")
    assert Assets(made).names() == ["hydrants", "lamps", "manholes", "sewers"]
    assert run("export", out, "--city", made, "--datum", "gcj02", "--plot", tmp_path / "again.svg")[0] == 0
    assert run("import", out, "--into", back, "--datum", "gcj02")[0] == 0
    for layer in ("towns", "disposal_grids", "self_grids", "modules"):
        first, there, again = (layer_file(folder, layer).read_bytes().splitlines()[1:] for folder in (made, out, back))
        assert first == again
        assert first != there


def test_a_city_is_not_made_over_another(run: Run, city: Path) -> None:
    status, _, err = run("make", city)
    assert status == 2
    assert "a city lies here already" in err


def test_a_point_is_answered_with_module_grids_and_town(run: Run, city: Path) -> None:
    status, out, _ = run("locate", *corner(2.5, 0.5), "--city", city)
    assert status == 0
    assert [line[14:16] for line in out.splitlines()] == ["M3", "S3", "D2", "T1"]
    assert out.splitlines()[1].startswith("self grid ")
    assert out.splitlines()[1].endswith(" (residents)")
    status, out, _ = run("locate", *corner(2.5, 0.5), "--city", city, "--json")
    found = json.loads(out)
    assert found["inside"] is True
    assert [found[name]["code"] for name in ("module", "self_grid", "disposal_grid", "town")] == [
        "M3",
        "S3",
        "D2",
        "T1",
    ]
    assert found["self_grid"]["kind"] == "residents"


def test_a_point_outside_is_said_to_be_outside(run: Run, city: Path) -> None:
    assert run("locate", -1.5, 31.0, "--city", city)[:2] == (1, "outside the district 区外\n")
    status, out, _ = run("locate", -1.5, 31.0, "--city", city, "--json")
    assert status == 1
    assert json.loads(out) == {
        "lon": -1.5, "lat": 31.0, "inside": False,
        "module": None, "self_grid": None, "disposal_grid": None, "town": None,
    }  # fmt: skip


def test_a_point_of_another_datum_is_turned_first(run: Run, city: Path) -> None:
    _, plain, _ = run("locate", *corner(0.5, 0.5), "--city", city, "--json")
    _, shifted, _ = run("locate", *corner(0.5, 0.5), "--city", city, "--json", "--datum", "gcj02")
    assert json.loads(plain)["inside"]
    assert json.loads(shifted)["lon"] != json.loads(plain)["lon"]


def test_one_layer_and_assets_go_in_and_out(run: Run, city: Path, tmp_path: Path) -> None:
    point = {"type": "Point", "coordinates": corner(1.5, 0.5)}
    file = tmp_path / "hydrants.json"
    features = [{"type": "Feature", "properties": {"NO": "H1"}, "geometry": point}]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    status, out, err = run(
        "import", file, "--into", city, "--layer", "assets/hydrants", "--property", "code=NO", "--title-zh", "消火栓"
    )
    assert (status, err) == (0, "")
    assert out == f"{city}/assets/hydrants.geojson: 1 hydrants\n"
    assert Assets(city).layer("hydrants").title_zh == "消火栓"
    assert run("export", tmp_path / "m.geojson", "--city", city, "--layer", "modules")[0] == 0
    assert run("import", tmp_path / "m.geojson", "--into", city, "--layer", "modules", "--mend", 1, "--quiet") == (
        0,
        "",
        "",
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("locate", 999, 31, "--city", "CITY"), "999.0 31.0 is no point of wgs84"),
        (("locate", 121, 31, "--city", "CITY", "--day", "soon"), "--day soon: write it like 2026-01-31"),
        (("locate", 121, 31, "--city", "CITY", "--datum", "mars"), "the datum 'mars' is neither wgs84 nor gcj02"),
        (("locate", 121, 31, "--city", "CITY/nowhere"), "no city lies here"),
        (("import", "CITY/towns.geojson", "--into", "CITY"), "say which layer that is: --layer towns|"),
        (("import", "CITY/towns.geojson", "--into", "CITY", "--layer", "town"), "there is no layer 'town'"),
        (("import", "CITY/towns.geojson", "--into", "CITY", "--property", "code"), "write it like --property code="),
        (("import", "CITY/none.geojson", "--into", "CITY", "--layer", "towns"), "none.geojson: cannot be read"),
        (("export", "CITY/x", "--city", "CITY", "--plot", "CITY/no/such.png"), "there is no such folder"),
    ],
)
def test_what_is_wrong_is_one_plain_line(run: Run, city: Path, arguments: tuple[object, ...], why: str) -> None:
    status, _, err = run(*(str(argument).replace("CITY", str(city)) for argument in arguments))
    assert status == 2
    assert why in err
    assert err.startswith("scenewatch: ")
    assert len(err.splitlines()) == 1
