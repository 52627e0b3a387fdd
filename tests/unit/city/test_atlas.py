import datetime as dt
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from city.atlas import Atlas, Layers
from city.point_index import PointIndex, first_covering
from core.errors import ConfigError
from tests.reference.locate_twin import Codes, locate_slowly
from tests.unit.city.made import SIDE, SOUTH, WEST, corner, small_district, squares

DAY = dt.date(2026, 3, 1)
ATLAS = small_district()
CORNERS = shapely.get_coordinates([module.polygon for module in ATLAS.modules])
BOX = shapely.total_bounds([module.polygon for module in ATLAS.modules])


def located(atlas: Atlas, lon: float, lat: float) -> Codes:
    spot = atlas.locate_one(lon, lat)
    if spot is None:
        return None
    assert spot.module is not None
    assert spot.self_grid is not None
    assert spot.disposal_grid is not None
    return spot.module.code, spot.self_grid.code, spot.disposal_grid.code, spot.town.code


@st.composite
def points(draw: st.DrawFn) -> tuple[float, float]:
    """Anywhere in and around the district, on corners, on edges, and a hair beside them."""
    how = draw(st.sampled_from(["anywhere", "corner", "edge", "beside"]))
    if how == "anywhere":
        west, south, east, north = BOX
        x, y = draw(st.floats(west - 0.01, east + 0.01)), draw(st.floats(south - 0.01, north + 0.01))
        return x, y
    module = ATLAS.modules[draw(st.integers(0, len(ATLAS.modules) - 1))]
    ring = shapely.get_coordinates(module.polygon.exterior)
    i = draw(st.integers(0, len(ring) - 2))
    share = 0.0 if how == "corner" else draw(st.floats(0, 1))
    x, y = (ring[i] + share * (ring[i + 1] - ring[i])).tolist()
    if how == "beside":
        steps = draw(st.integers(-2, 2))
        x = float(x + steps * np.spacing(x))
    return x, y


@settings(max_examples=150, deadline=None)
@given(points())
def test_a_point_lies_where_every_polygon_asked_one_by_one_says(point: tuple[float, float]) -> None:
    assert located(ATLAS, *point) == locate_slowly(ATLAS, *point)


@pytest.mark.parametrize("cells", [1, 50, 3_000, 400_000])
def test_how_fine_the_cells_are_changes_nothing(cells: int) -> None:
    polygons = [module.polygon for module in ATLAS.modules]
    rng = np.random.default_rng(3)
    middles = (CORNERS[1:] + CORNERS[:-1]) / 2
    anywhere = rng.uniform(BOX[:2] - 0.005, BOX[2:] + 0.005, (4_000, 2))
    xy = np.vstack([CORNERS, middles, anywhere])
    found = PointIndex(polygons, cells=cells).find(xy[:, 0], xy[:, 1])
    point, polygon = shapely.STRtree(polygons).query(shapely.points(xy), predicate="intersects")
    expected = np.full(len(xy), 10_000)
    np.minimum.at(expected, point, polygon)
    assert np.array_equal(found, np.where(expected == 10_000, -1, expected))
    assert len(set(found.tolist())) == len(polygons) + 1


def test_an_edge_and_a_corner_belong_to_the_lower_code_and_its_own_parents() -> None:
    atlas = Atlas(squares(), DAY)
    assert located(atlas, *corner(1, 0.5)) == ("M1", "S1", "D1", "T1")
    assert located(atlas, *corner(2, 1)) == ("M2", "S2", "D1", "T1")
    assert located(atlas, *corner(0, 0)) == ("M1", "S1", "D1", "T1")
    assert located(atlas, *corner(0, 2)) == ("M5", "S1", "D1", "T1")
    assert located(atlas, np.nextafter(WEST, 0), SOUTH) is None


def test_the_four_answers_agree_even_where_a_higher_grid_has_the_lower_module() -> None:
    layers = squares(2, 1)
    swapped = tuple(replace(m, code={"M1": "M2", "M2": "M1"}[m.code]) for m in layers.modules)
    atlas = Atlas(layers.replaced("modules", swapped), DAY)
    assert located(atlas, *corner(1, 0.5)) == ("M1", "S2", "D1", "T1")


def test_columns_are_int32_in_the_shape_of_the_points_and_what_is_no_number_lies_outside() -> None:
    lon = np.array([[WEST + SIDE / 2, np.nan, np.inf], [0.0, WEST, -np.inf]])
    found = Atlas(squares(), DAY).locate(lon, np.full((2, 3), SOUTH))
    for column in found:
        assert column.dtype == np.int32
        assert column.tolist() == [[0, -1, -1], [-1, 0, -1]]
    assert found.outside.tolist() == [[False, True, True], [True, False, True]]


def test_coarser_layers_alone_answer_what_they_can() -> None:
    layers = squares()
    towns = Atlas(Layers(towns=layers.towns), DAY)
    spot = towns.locate_one(*corner(1, 1))
    assert spot is not None
    assert spot == (None, None, None, layers.towns[0])
    grids = Atlas(layers.replaced("modules", ()), DAY)
    found = grids.locate(*corner(2.5, 1))
    assert [int(column) for column in found] == [-1, 2, 1, 0]
    assert Atlas(Layers(), DAY).locate_one(WEST, SOUTH) is None


def test_a_place_is_there_from_its_first_day_to_the_day_before_its_last() -> None:
    layers = squares(2, 1)
    old, new = dt.date(2026, 1, 1), dt.date(2026, 6, 1)
    before = tuple(replace(m, valid_from=old, valid_to=new) for m in layers.modules)
    one = replace(layers.modules[0], code="M9", polygon=layers.towns[0].polygon, valid_from=new)
    layers = layers.replaced("modules", [*before, one])
    atlas = Atlas(layers, new - dt.timedelta(1))
    at = corner(0.5, 0.5)
    assert located(atlas, *at) == ("M1", "S1", "D1", "T1")
    assert located(atlas.on(new), *at) == ("M9", "S1", "D1", "T1")
    assert atlas.on(old - dt.timedelta(1)).modules == ()
    atlas.prepare()
    assert atlas.on(old).index is atlas.index
    assert atlas.on(old).day == old


def test_a_parent_that_is_not_there_and_a_code_that_stands_twice_are_named() -> None:
    layers = squares(2, 1)
    lost = layers.replaced("self_grids", layers.self_grids[:1])
    with pytest.raises(ConfigError, match="M2: there is no S2"):
        Atlas(lost, DAY)
    with pytest.raises(ConfigError, match="T1 stands twice"):
        Atlas(layers.replaced("towns", layers.towns * 2), DAY)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=4, max_size=25, unique=True),
    st.integers(1, 20_000),
    st.randoms(use_true_random=False),
)
def test_any_partition_with_enclaves_is_answered_as_the_tree_answers(
    sites: list[tuple[int, int]], cells: int, random: Random
) -> None:
    voronoi = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(sites)))
    polygons = [polygon for polygon in voronoi if random.random() < 0.8] or list(voronoi)
    random.shuffle(polygons)
    corners = shapely.get_coordinates(voronoi)
    anywhere = [(random.uniform(-60, 100), random.uniform(-60, 100)) for _ in range(60)]
    xy = np.vstack([corners, (corners[1:] + corners[:-1]) / 2, sites, anywhere])
    found = PointIndex(polygons, cells=cells).find(xy[:, 0], xy[:, 1])
    assert np.array_equal(found, first_covering(shapely.STRtree(polygons), xy[:, 0], xy[:, 1]))
