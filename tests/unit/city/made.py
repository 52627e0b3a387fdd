"""A small made-up district, and one of squares, for the tests of places."""

from collections.abc import Sequence
from functools import cache

from shapely import box

from city.atlas import Atlas, Layers
from city.make import Counts, make_district
from city.places import DisposalGrid, GridKind, Module, SelfGrid, Town

SMALL = Counts(towns=3, disposal_grids=7, self_grids=24, modules=90, area_km2=12.0)
WEST, SOUTH = 121.4, 31.0
SIDE = 0.001


@cache
def small_district() -> Atlas:
    return make_district(7, SMALL)


def squares(columns: int = 4, rows: int = 2) -> Layers:
    """Modules M1, M2, ... row by row from the south-west; a grid a column, a disposal grid two columns, one town."""

    def square(column: int, row: int, width: int = 1, height: int = 1) -> object:
        west, south = WEST + column * SIDE, SOUTH + row * SIDE
        corners = (west, south, WEST + (column + width) * SIDE, SOUTH + (row + height) * SIDE)
        return box(*(round(edge, 7) for edge in corners))

    pairs = range(0, columns, 2)
    return Layers(
        (Town(code="T1", name_en="Town", polygon=square(0, 0, columns, rows)),),
        tuple(
            DisposalGrid(code=f"D{c // 2 + 1}", name_en="Grid", polygon=square(c, 0, 2, rows), town="T1") for c in pairs
        ),
        tuple(
            SelfGrid(
                code=f"S{c + 1}",
                name_en="Grid",
                polygon=square(c, 0, 1, rows),
                kind=GridKind.RESIDENTS,
                disposal_grid=f"D{c // 2 + 1}",
            )
            for c in range(columns)
        ),
        tuple(
            Module(code=f"M{r * columns + c + 1}", name_en="Module", polygon=square(c, r), self_grid=f"S{c + 1}")
            for r in range(rows)
            for c in range(columns)
        ),
    )


def corner(column: float, row: float) -> tuple[float, float]:
    """A corner of the squares, or a point between."""
    return round(WEST + column * SIDE, 7), round(SOUTH + row * SIDE, 7)


def codes(places: Sequence[object]) -> list[str]:
    return [place.code for place in places]  # type: ignore[attr-defined]
