import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shapely import MultiPolygon, Polygon

from city.folder import import_layers, layer_file, load_city, save_city, source_datum
from city.geojson import LAYERS, Problems, Source, properties_of, read_layer, write_layer
from core.errors import ConfigError
from tests.unit.city.made import SIDE, corner, small_district, squares

DAY = dt.date(2026, 3, 1)


def feature(coordinates: Any, form: str = "Polygon", /, **properties: Any) -> dict[str, Any]:
    geometry = {"type": form, "coordinates": coordinates}
    return {"type": "Feature", "properties": {"name_en": "x", **properties}, "geometry": geometry}


def ring(*corners: tuple[float, float]) -> list[list[float]]:
    return [list(corner(*at)) for at in corners]


SQUARE = ring((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))


def collection(path: Path, *features: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def refused(folder: Path, **files: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        import_layers(folder, {layer: Source(path) for layer, path in files.items()})
    return [line.replace(f"{folder.parent}/", "") for line in str(caught.value).splitlines()]


@pytest.fixture
def city(tmp_path: Path) -> Path:
    save_city(tmp_path / "city", squares())
    return tmp_path / "city"


def test_what_is_written_is_read_again_to_the_last_digit(tmp_path: Path) -> None:
    layers = small_district().layers
    save_city(tmp_path, layers)
    for _ in ("made", "kept"):
        found = load_city(tmp_path, DAY)
        for name in LAYERS:
            assert found.layers.of(name) == layers.of(name)
            for mine, theirs in zip(found.layers.of(name), layers.of(name), strict=True):
                assert mine.polygon.normalize() == theirs.polygon.normalize()
        assert found.locate_one(*small_district().modules[5].polygon.representative_point().coords[0]) is not None


def test_a_file_is_geojson_as_the_rfc_has_it(city: Path) -> None:
    content = json.loads(layer_file(city, "modules").read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection"
    assert content["scenewatch"] == {"layer": "modules", "datum": "wgs84", "source_datum": "wgs84"}
    assert "crs" not in content
    first = content["features"][0]
    assert first["properties"] == {"code": "M1", "name_zh": "", "name_en": "Module", "self_grid": "S1"}
    rings = first["geometry"]["coordinates"]
    assert rings[0][0] == rings[0][-1]
    assert Polygon(rings[0]).exterior.is_ccw
    assert all(len(repr(degree).partition(".")[2]) <= 7 for position in rings[0] for degree in position)


def test_every_wrong_feature_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    file = collection(
        tmp_path / "grids.geojson",
        feature([SQUARE[:-1]], code="A", kind="residents", disposal_grid="D1"),
        feature([ring((0, 0), (1, 1), (1, 0), (0, 1), (0, 0))], code="B", kind="居委", disposal_grid="D1"),
        feature([SQUARE], code="C", kind="suburb", disposal_grid="D1", valid_from="soon"),
        feature([SQUARE], code="a/b", kind="street"),
        feature([SQUARE], kind="street", name_en=""),
        feature(SQUARE[0], "Point", code="F", kind="street"),
        feature([ring((0, 0), (1, 0), (0, 0))], code="G", kind="street"),
        feature([[[31.0, 121.4], [31.0, 121.5], [31.1, 121.5], [31.0, 121.4]]], code="H", kind="street"),
        feature([SQUARE], code="I", kind="street", disposal_gird="D1", valid_from="2026-02-01", valid_to="2026-02-01"),
        {"type": "Feature", "properties": {"code": "J", "name_en": "x", "kind": "street"}, "geometry": None},
        feature([[["x", 1], [1, 2], [1, 3], ["x", 1]]], code="K", kind="street"),
        feature([SQUARE], code="L", kind="street", disposal_grid="D1"),
    )
    lines = refused(tmp_path / "city", self_grids=file)
    said = [line.removeprefix("grids.geojson: feature ") for line in lines]
    expected = [
        "0 (A): ring 0 is not closed",
        "1 (B): its ground is not simple: Self-intersection",
        "2 (C): its kind is 'suburb'; it has to be one of residents",
        "2 (C): its valid_from is 'soon'; it has to be a day like 2026-01-31",
        "3 (a/b): its code 'a/b' cannot be used",
        "4 (without a code): it has no property code",
        "4 (without a code): it has neither name_zh nor name_en",
        "5 (F): its geometry is Point; it has to be a Polygon or MultiPolygon",
        "6 (G): ring 0 has 3 positions",
        "7 (H): a position lies nowhere on Earth",
        "8 (I): its valid_to is not after its valid_from",
        "8 (I): its property disposal_gird is not known (did you mean disposal_grid?)",
        "9 (J): its geometry is missing",
        "10 (K): a position is not two numbers",
    ]
    assert len(said) == len(expected)
    assert all(line.startswith(start) for line, start in zip(said, expected, strict=True)), said
    assert not (tmp_path / "city").exists()


def test_rings_in_the_wrong_order_are_mended_and_chinese_kinds_are_understood(tmp_path: Path) -> None:
    hole = ring((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4), (0.2, 0.2))
    file = collection(
        tmp_path / "g.geojson",
        feature([SQUARE[::-1], hole], code=12, kind="村委", name_zh="村"),
        feature([[SQUARE], [ring((2, 0), (3, 0), (3, 1), (2, 0))]], "MultiPolygon", code="two", kind="拓展"),
    )
    problems = Problems()
    village, two = read_layer("self_grids", Source(file), problems)
    assert problems == []
    assert village.polygon.exterior.is_ccw
    assert not village.polygon.interiors[0].is_ccw
    assert properties_of(village) == {
        "code": "12", "name_zh": "村", "name_en": "x", "kind": "villagers", "disposal_grid": "",
    }  # fmt: skip
    assert isinstance(two.polygon, MultiPolygon)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not JSON"),
        ("[]", "not a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "has no features"),
        ('{"crs": {"name": "EPSG:4549"}, "features": [{}]}', r"its crs member says .*EPSG:4549.*--datum"),
    ],
)
def test_a_file_that_is_no_layer_is_refused(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "towns.geojson"
    file.write_text(content)
    with pytest.raises(ConfigError, match=why):
        import_layers(tmp_path / "city", {"towns": Source(file)})


def test_layers_come_one_after_the_other_and_find_their_parents_by_their_ground(tmp_path: Path, city: Path) -> None:
    new = tmp_path / "new"
    for name in LAYERS:
        content = json.loads(layer_file(city, name).read_text())
        for one in content["features"]:
            for parent in ("town", "disposal_grid", "self_grid"):
                one["properties"].pop(parent, None)
        file = collection(tmp_path / f"{name}.geojson", *content["features"])
        assert import_layers(new, {name: Source(file)}) == {name: (len(content["features"]), 0)}
    assert load_city(new, DAY).layers == load_city(city, DAY).layers


def test_a_layer_without_the_one_above_it_is_refused(tmp_path: Path, city: Path) -> None:
    lines = refused(tmp_path / "new", modules=layer_file(city, "modules"))
    assert "modules need self_grids: import those first, or a folder with both" in lines


def test_a_wrong_layer_leaves_the_folder_as_it_was(tmp_path: Path, city: Path) -> None:
    before = {path.name: path.read_bytes() for path in city.iterdir()}
    file = collection(tmp_path / "modules.geojson", feature([SQUARE], code="M1", self_grid="S9"))
    lines = refused(city, modules=file)
    assert "modules: M1 names the self_grid S9, and there is none" in lines
    assert {path.name: path.read_bytes() for path in city.iterdir()} == before


def test_the_datum_is_turned_and_written_down(tmp_path: Path, city: Path) -> None:
    file = tmp_path / "towns.geojson"
    write_layer(file, "towns", squares().towns, source_datum="wgs84", datum="gcj02")
    assert json.loads(file.read_text())["scenewatch"]["datum"] == "gcj02"
    import_layers(tmp_path / "new", {"towns": Source(file, "gcj02")})
    assert source_datum(tmp_path / "new", "towns") == "gcj02"
    there = load_city(tmp_path / "new", DAY).towns[0].polygon.normalize()
    assert there == load_city(city, DAY).towns[0].polygon.normalize()


def test_properties_may_have_other_names(tmp_path: Path) -> None:
    file = collection(tmp_path / "t.geojson", feature([SQUARE], 街镇代码="T7", JDMC="某镇"))
    import_layers(tmp_path / "new", {"towns": Source(file, "wgs84", {"code": "街镇代码", "name_zh": "JDMC"})})
    town = load_city(tmp_path / "new", DAY).towns[0]
    assert (town.code, town.name_zh) == ("T7", "某镇")


def test_a_kept_index_serves_only_the_files_and_the_day_that_it_was_made_of(city: Path) -> None:
    load_city(city, DAY)
    kept = city / "index.npz"
    first = kept.read_bytes()
    load_city(city, DAY)
    assert kept.read_bytes() == first
    kept.write_bytes(first[:100])
    assert load_city(city, DAY).locate_one(*corner(0.5, 0.5)) is not None
    east = squares(2, 1)
    save_city(city, east)
    assert len(load_city(city, DAY).modules) == 2
    assert load_city(city, DAY).locate_one(*corner(2.5, 0.5)) is None


def test_a_place_in_the_folder_that_names_no_parent_is_named_itself(city: Path) -> None:
    file = layer_file(city, "modules")
    file.write_text(file.read_text().replace(',"self_grid":"S2"', ""))
    with pytest.raises(ConfigError) as caught:
        load_city(city, DAY)
    assert {"modules: M2 names no self_grid", "modules: M6 names no self_grid"} <= set(str(caught.value).splitlines())


def test_an_empty_folder_is_no_city(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no city lies here"):
        load_city(tmp_path, DAY)


def test_narrow_gaps_and_overlaps_are_mended_where_that_is_asked_for(tmp_path: Path, city: Path) -> None:
    hair = 0.3 / 111_195 / SIDE  # 30 cm in squares
    content = json.loads(layer_file(city, "modules").read_text())
    content["features"][0]["geometry"]["coordinates"] = [ring((0, 0), (1 + hair, 0), (1, 1), (0, 1), (0, 0))]
    content["features"][5]["geometry"]["coordinates"] = [ring((1, 1 + hair), (2, 1), (2, 2), (1, 2), (1, 1 + hair))]
    file = collection(tmp_path / "modules.geojson", *content["features"])
    lines = refused(city, modules=file)
    assert any(line.startswith("modules: M1 and M2 overlap by ") for line in lines)
    assert any(line.startswith("modules: a gap of ") for line in lines)
    assert "--mend" in lines[-1]
    assert import_layers(city, {"modules": Source(file)}, mend_m=1.0)["modules"][0] == 8
    assert len(load_city(city, DAY).modules) == 8


def test_a_layer_of_several_days_is_not_mended(tmp_path: Path, city: Path) -> None:
    layers = squares()
    towns = [replace(layers.towns[0], valid_to=DAY), replace(layers.towns[0], valid_from=DAY)]
    file = tmp_path / "towns.geojson"
    write_layer(file, "towns", towns, source_datum="wgs84")
    import_layers(city, {"towns": Source(file)})
    with pytest.raises(ConfigError, match="all the same days"):
        import_layers(city, {"towns": Source(file)}, mend_m=1.0)
