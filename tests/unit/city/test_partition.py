import datetime as dt
from dataclasses import replace

import pytest
from shapely import Polygon

from city.atlas import Layers
from city.geojson import Problems
from city.partition import check, with_parents
from tests.unit.city.made import SIDE, corner, squares

METRE = 1 / 111_195 / SIDE
"""In squares."""


def problems_of(layers: Layers) -> list[str]:
    problems = Problems()
    check(layers, problems)
    return [line for line in problems if "--mend" not in line]


def ground(*corners: tuple[float, float]) -> Polygon:
    return Polygon([corner(*at) for at in corners])


def changed(layer: str, at: int, **values: object) -> Layers:
    layers = squares()
    places = list(layers.of(layer))
    places[at] = replace(places[at], **values)  # type: ignore[arg-type]
    return layers.replaced(layer, places)


def test_squares_are_a_partition() -> None:
    assert problems_of(squares()) == []


def test_an_overlap_is_named_with_both_and_its_size() -> None:
    layers = changed("modules", 0, polygon=ground((0, 0), (1.5, 0), (1.5, 1), (0, 1)))
    found = problems_of(layers)
    assert len(found) == 2
    assert found[0].startswith("modules: M1 and M2 overlap by 5.")
    assert found[1] == "modules: M1 lies outside its self_grid S1 by 33% of its ground"


def test_a_place_that_covers_another_overlaps_it() -> None:
    layers = changed("modules", 1, polygon=ground((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4)))
    assert any(line.startswith("modules: M1 and M2 overlap") for line in problems_of(layers))


def test_a_hole_is_named_with_its_neighbours() -> None:
    layers = squares(4, 4)
    found = problems_of(layers.replaced("modules", [m for m in layers.modules if m.code != "M6"]))
    assert len(found) == 2
    assert found[0].startswith("modules: a gap of 1.0")
    assert found[0].endswith("between M1, M10, M11, M2, M3, M5")
    assert found[1].startswith("modules: 25% of the self_grid S2 is bare")


def test_a_missing_corner_of_the_district_is_bare_ground() -> None:
    layers = squares()
    found = problems_of(layers.replaced("modules", layers.modules[1:]))
    assert found == ["modules: 50% of the self_grid S1 is bare: none of the modules that name it lies there"]


@pytest.mark.parametrize("wide", [0.05, 0.4])
def test_a_crack_that_is_open_at_an_end_is_found(wide: float) -> None:
    layers = changed("modules", 0, polygon=ground((0, 0), (1 - wide * METRE, 0), (1, 1), (0, 1)))
    found = problems_of(layers)
    assert len(found) == 1
    assert found[0].startswith("modules: a gap of ")
    assert found[0].endswith("between M1, M2, M5, M6")


def test_a_sharp_corner_of_the_border_is_no_crack() -> None:
    thin = ground((0, 0), (4, 0), (4, 0.0001), (0, 1))
    layers = Layers(towns=(replace(squares().towns[0], polygon=thin),))
    assert problems_of(layers) == []


def test_corners_that_only_one_neighbour_has_are_no_fault_where_the_edges_are_the_same() -> None:
    layers = changed("modules", 0, polygon=ground((0, 0), (1, 0), (1, 0.5), (1, 1), (0, 1)))
    assert problems_of(layers) == []


def test_parents_that_are_not_there_and_codes_that_stand_twice_are_named() -> None:
    found = problems_of(changed("self_grids", 1, disposal_grid="D9"))
    assert "self_grids: S2 names the disposal_grid D9, and there is none" in found
    layers = squares()
    assert "modules: the code M1 stands twice" in problems_of(
        layers.replaced("modules", [*layers.modules, layers.modules[0]])
    )


def test_a_layer_may_differ_from_the_one_above_by_a_little_and_not_by_more() -> None:
    little = changed("self_grids", 0, polygon=ground((0, 0), (1, 0), (1, 1.97), (0, 1.97)))
    assert problems_of(little) == ["modules: M5 lies outside its self_grid S1 by 3% of its ground"]
    less = changed("self_grids", 0, polygon=ground((0, 0), (1, 0), (1, 1.99), (0, 1.99)))
    assert problems_of(less) == []


def test_every_day_is_looked_at_and_named() -> None:
    layers = squares()
    change = dt.date(2026, 5, 1)
    first = [replace(m, valid_to=change) for m in layers.modules]
    then = [replace(m, valid_from=change) for m in layers.modules]
    assert problems_of(layers.replaced("modules", [*first, *then])) == []
    lost = problems_of(layers.replaced("modules", [*first, *then[1:]]))
    assert lost == [
        "modules: 50% of the self_grid S1 is bare: none of the modules that name it lies there (on 2026-05-01)"
    ]
    ended = [replace(grid, valid_to=change) for grid in layers.self_grids]
    assert "modules: M1 names the self_grid S1, and there is none (on 2026-05-01)" in problems_of(
        layers.replaced("self_grids", ended)
    )


def test_a_place_without_a_parent_gets_the_one_with_most_of_its_ground_on_its_days() -> None:
    layers = squares()
    orphans = layers.replaced("modules", [replace(m, self_grid="") for m in layers.modules])
    problems = Problems()
    assert with_parents(orphans, problems).modules == layers.modules
    assert problems == []
    late = replace(layers.self_grids[0], valid_from=dt.date(2027, 1, 1))
    early = replace(orphans.modules[0], valid_to=dt.date(2026, 1, 1))
    away = replace(orphans.modules[1], code="M99", polygon=ground((8, 8), (9, 8), (9, 9), (8, 8)))
    found = with_parents(orphans.replaced("self_grids", [late]).replaced("modules", [early, away]), problems)
    assert [m.self_grid for m in found.modules] == ["", ""]
    assert problems == [
        "modules: M1 lies in none of the self_grids and names no self_grid",
        "modules: M99 lies in none of the self_grids and names no self_grid",
    ]
