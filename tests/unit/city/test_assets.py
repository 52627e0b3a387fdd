import json
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from city.assets import Asset, AssetLayer, Assets, read_assets, write_assets
from city.atlas import Atlas
from city.datum import gcj02_of
from city.geojson import Source
from core.errors import ConfigError
from tests.unit.city.made import corner, small_district, squares
from tests.unit.city.test_atlas import DAY

ELLIPSOID = pyproj.Geod(ellps="WGS84")
degrees = st.tuples(st.floats(121.35, 121.45), st.floats(31.0, 31.1))


def hydrants(*at: tuple[float, float]) -> AssetLayer:
    return AssetLayer("hydrants", [Asset(f"H{i}", shapely.Point(point)) for i, point in enumerate(at)])


@settings(max_examples=60, deadline=None)
@given(st.lists(degrees, min_size=1, max_size=30, unique=True), degrees, st.integers(1, 8))
def test_the_nearest_are_those_that_measuring_all_of_them_finds(
    at: list[tuple[float, float]], point: tuple[float, float], k: int
) -> None:
    index, metres = hydrants(*at).nearest(*point, k)
    slow = sorted(ELLIPSOID.inv(*point, *one)[2] for one in at)[:k]
    found = metres[0][: len(slow)]
    assert found == pytest.approx(slow, rel=1e-5, abs=1e-3)
    for i, away in zip(index[0], found, strict=False):
        assert away == pytest.approx(ELLIPSOID.inv(*point, *at[i])[2], rel=1e-5, abs=1e-3)
    assert index[0][len(slow) :].tolist() == [-1] * (k - len(slow))
    assert np.isinf(metres[0][len(slow) :]).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(degrees, max_size=30), st.lists(degrees, min_size=1, max_size=5), st.floats(1, 20_000))
def test_within_a_radius_are_those_that_measuring_all_of_them_finds(
    at: list[tuple[float, float]], points: list[tuple[float, float]], radius: float
) -> None:
    point, asset, metres = hydrants(*at).within([x for x, _ in points], [y for _, y in points], radius)
    slow = {(p, a): ELLIPSOID.inv(*points[p], *at[a])[2] for p in range(len(points)) for a in range(len(at))}
    found = set(zip(point.tolist(), asset.tolist(), strict=True))
    assert {pair for pair, away in slow.items() if away < radius * 0.9999} <= found
    assert found <= {pair for pair, away in slow.items() if away < radius * 1.0001}
    assert list(zip(point, metres, strict=True)) == sorted(zip(point, metres, strict=True))


def test_a_line_is_as_near_as_its_nearest_part() -> None:
    pipe = Asset("P1", shapely.LineString([corner(0, 0), corner(4, 0)]))
    index, metres = AssetLayer("sewers", [pipe]).nearest(*corner(2, 1))
    assert index.tolist() == [[0]]
    assert metres[0, 0] == pytest.approx(ELLIPSOID.inv(*corner(2, 1), *corner(2, 0))[2], abs=0.005)


def test_a_point_that_is_no_number_is_near_nothing_and_an_empty_layer_has_nothing() -> None:
    index, metres = hydrants(corner(0, 0)).nearest([np.nan, corner(0, 0)[0]], [31.0, corner(0, 0)[1]], 2)
    assert index.tolist() == [[-1, -1], [0, -1]]
    assert metres[1].tolist() == [0.0, np.inf]
    assert hydrants().nearest(*corner(0, 0))[0].tolist() == [[-1]]
    assert hydrants().within(*corner(0, 0), 10.0)[0].tolist() == []


def test_a_layer_is_a_file_and_a_new_one_needs_no_code(tmp_path: Path) -> None:
    bench = Asset("B1", shapely.Point(corner(1, 1)), {"model": "oak", "seats": 3})
    path = write_assets(tmp_path, AssetLayer("park-benches", [bench], "长椅", "Benches"))
    assert path == tmp_path / "assets" / "park-benches.geojson"
    assets = Assets(tmp_path)
    assert assets.names() == ["park-benches"]
    layer = assets.layer("park-benches")
    assert (layer.title_zh, layer.title_en, layer.assets) == ("长椅", "Benches", (bench,))
    assert layer.assets[0].properties == {"model": "oak", "seats": 3}
    assert assets.nearest("park-benches", *corner(1, 1))[1].tolist() == [[0.0]]
    assert assets.within("park-benches", *corner(1, 1), 1.0)[1].tolist() == [0]
    for unknown in ("lamps", "../park-benches", ""):
        with pytest.raises(ConfigError, match="there is no asset layer"):
            assets.layer(unknown)
    with pytest.raises(ConfigError, match="cannot be the name of a layer"):
        write_assets(tmp_path, AssetLayer("../up", []))


def feature(form: str | None, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": form, "coordinates": coordinates}}


def test_every_wrong_asset_is_named(tmp_path: Path) -> None:
    inside, outside = list(corner(1, 1)), list(corner(9, 9))
    found = [
        feature("Point", inside, code="A"),
        feature("Point", inside, code="A"),
        feature("Point", inside),
        feature("Polygon", [[inside, inside, inside, inside]], code="C"),
        feature("LineString", [inside], code="D"),
        feature("Point", ["x", 1], code="E"),
        feature("Point", outside, code="F"),
        feature("LineString", [inside, outside], code="G"),
        feature("Point", [], code="H"),
    ]
    file = tmp_path / "a.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": found}))
    with pytest.raises(ConfigError) as caught:
        read_assets("a", Source(file), Atlas(squares(), DAY))
    said = [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]
    assert said == [
        "feature 1 (A): the code stands twice",
        "feature 2 (without a code): its code cannot be used: 1 to 64 characters, no / + #",
        "feature 3 (C): its geometry is Polygon; it has to be one of Point, MultiPoint, LineString, MultiLineString",
        "feature 4 (D): its LineString has too few positions",
        "feature 5 (E): a position is not two numbers",
        "feature 8 (H): its geometry has no coordinates",
        "F lies outside the district",
    ]


def test_every_form_of_point_and_line_is_read_in_its_datum(tmp_path: Path) -> None:
    a, b = (gcj02_of(np.array([corner(*at)]))[0].tolist() for at in ((1, 1), (2, 1)))
    found = [
        feature("Point", a, code="1"),
        feature("MultiPoint", [a, b], code="2"),
        feature("LineString", [a, b], code="3"),
        feature("MultiLineString", [[a, b], [b, a]], code="4"),
    ]
    file = tmp_path / "a.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": found}))
    layer = read_assets("a", Source(file, "gcj02"), Atlas(squares(), DAY))
    assert [asset.shape.geom_type for asset in layer.assets] == [one["geometry"]["type"] for one in found]
    for asset in layer.assets:
        assert tuple(shapely.get_coordinates(asset.shape)[0]) == corner(1, 1)


def test_a_made_district_finds_the_hydrants_around_a_module() -> None:
    atlas = small_district()
    point = atlas.modules[0].polygon.representative_point()
    edge = hydrants(*shapely.get_coordinates(atlas.modules[0].polygon.exterior).tolist())
    assert len(edge.within(point.x, point.y, 2_000.0)[0]) == len(edge.assets)
