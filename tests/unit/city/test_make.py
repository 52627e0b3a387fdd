import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from city.atlas import Layers
from city.geojson import Problems
from city.make import Counts, make_district, shares_of
from city.make_assets import make_assets
from city.partition import check
from city.places import GridKind
from tests.unit.city.made import SMALL, small_district

SQUARE_METRE = (1 / 111_195.0) ** 2


def problems_of(layers: Layers) -> list[str]:
    problems = Problems()
    check(layers, problems)
    return problems


def test_the_whole_district_has_what_the_paper_counts_on_the_ground_that_it_has() -> None:
    atlas = make_district(1)
    assert [len(atlas.of(layer)) for layer in ("towns", "disposal_grids", "self_grids", "modules")] == [
        14,
        68,
        835,
        5589,
    ]
    assert problems_of(atlas.layers) == []
    polygons = np.array([module.polygon for module in atlas.modules])
    assert shapely.coverage_is_valid(polygons)
    latitude = shapely.get_y(shapely.centroid(polygons))
    km2 = shapely.area(polygons) * np.cos(np.radians(latitude)) / SQUARE_METRE / 1e6
    assert km2.sum() == pytest.approx(372, rel=0.01)
    assert {kind: sum(grid.kind is kind for grid in atlas.self_grids) for kind in GridKind} == {
        GridKind.RESIDENTS: 484, GridKind.VILLAGERS: 134, GridKind.STREET: 142, GridKind.EXTENSION: 75,
    }  # fmt: skip
    # A city and not a chessboard: the middle is finer than the fringe, and few blocks are squares that face north.
    assert np.quantile(km2, 0.9) > 3 * np.quantile(km2, 0.1)
    first = np.array([shapely.get_coordinates(polygon)[:2] for polygon in polygons])
    angles = np.arctan2(*(first[:, 1] - first[:, 0]).T[::-1]) % (np.pi / 2)
    assert np.histogram(angles, bins=9)[0].max() < 0.6 * len(polygons)


def test_the_same_seed_gives_the_same_district_and_another_seed_another() -> None:
    again, other = make_district(7, SMALL), make_district(8, SMALL)
    first = small_district()
    assert [m.polygon.wkb for m in again.modules] == [m.polygon.wkb for m in first.modules]
    assert again.self_grids == first.self_grids
    assert [m.polygon.wkb for m in other.modules] != [m.polygon.wkb for m in first.modules]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 6), st.integers(0, 20), st.integers(0, 60))
def test_a_district_of_any_size_is_a_partition(seed: int, towns: int, more: int, grids: int, modules: int) -> None:
    counts = Counts(towns, towns + more, towns + more + grids, towns + more + grids + modules, 25.0)
    layers = make_district(seed, counts).layers
    assert [len(layers.of(name)) for name in ("towns", "disposal_grids", "self_grids", "modules")] == [
        counts.towns, counts.disposal_grids, counts.self_grids, counts.modules,
    ]  # fmt: skip
    assert problems_of(layers) == []
    grids_by_code = {grid.code: grid for grid in layers.self_grids}
    assert all(grids_by_code[m.self_grid].polygon.covers(m.polygon) for m in layers.modules)
    assert all(
        shapely.get_num_geometries(place.polygon) == 1 for name in ("towns", "modules") for place in layers.of(name)
    )


def test_codes_are_numbered_within_their_parents_and_names_are_their_own() -> None:
    layers = small_district().layers
    assert [town.code for town in layers.towns] == ["T01", "T02", "T03"]
    assert [m.self_grid for m in layers.modules] == sorted(m.self_grid for m in layers.modules)
    for name in ("towns", "disposal_grids", "self_grids", "modules"):
        assert len({place.name_zh for place in layers.of(name)}) == len(layers.of(name))
        assert len({place.name_en for place in layers.of(name)}) == len(layers.of(name))


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="at least as many"):
        make_district(1, Counts(towns=5, disposal_grids=4))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.integers(0, 500))
def test_what_is_shared_out_is_all_of_it_and_everybody_has_some(weights: list[float], more: int) -> None:
    shares = shares_of(weights, len(weights) + more)
    assert sum(shares) == len(weights) + more
    assert min(shares) >= 1


def test_made_assets_lie_in_the_district_and_are_the_same_for_the_same_seed() -> None:
    atlas = small_district()
    layers, again = make_assets(atlas, 3), make_assets(atlas, 3)
    assert [layer.name for layer in layers] == ["hydrants", "manholes", "lamps", "sewers"]
    for layer, twin in zip(layers, again, strict=True):
        assert layer.assets == twin.assets
        assert [a.shape.wkb for a in layer.assets] == [a.shape.wkb for a in twin.assets]
