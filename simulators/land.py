"""The ground that the simulated district stands on: where a site of some kind can be, and what lies there."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from city.atlas import Atlas
from city.datum import DECIMALS, metres_around
from city.make import CENTRE, Counts, make_district, make_plan
from city.places import GridKind
from simulators.chance import Floats

FULL = Counts()
_HOME = {
    "compound": (GridKind.RESIDENTS,),
    "road": (GridKind.RESIDENTS, GridKind.STREET),
    "river": (GridKind.VILLAGERS, GridKind.EXTENSION, GridKind.RESIDENTS),
    "works": (GridKind.EXTENSION, GridKind.VILLAGERS),
    "kitchen": (GridKind.STREET, GridKind.RESIDENTS),
    "open": tuple(GridKind),
}
"""In grids of which kind a site may lie."""


class Codes(NamedTuple):
    """Codes of the places that points lie in, one text for each."""

    module: NDArray[np.str_]
    self_grid: NDArray[np.str_]
    disposal_grid: NDArray[np.str_]
    town: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class _Lines:
    """Streets run along the modules' edges; creeks along those of the disposal grids, and the river through them."""

    streets: shapely.STRtree
    waters: shapely.STRtree


class Land:
    """A made-up district of `city.make`, in metres from the south-west corner of its box.

    Args:
        seed: Same seed, same ground.
        share: How much of the district: 1.0 is 372 km2 with 5,589 modules; less makes fewer places on less ground.
    """

    def __init__(self, seed: int, share: float = 1.0) -> None:
        counts = counts_of(share)
        self.atlas = make_district(seed, counts)
        self._plane = metres_around(*CENTRE)
        plan = make_plan(counts.area_km2, np.random.default_rng(seed))
        west, south, east, north = plan.outline.bounds
        self._corner = np.array([west, south])
        self.size_m = (east - west, north - south)
        edges = self._metres([shapely.boundary(module.polygon) for module in self.atlas.modules])
        creeks = self._metres([shapely.boundary(grid.polygon) for grid in self.atlas.disposal_grids])
        river = shapely.transform(plan.river.intersection(plan.outline), lambda xy: xy - self._corner)
        self._lines = _Lines(shapely.STRtree(edges), shapely.STRtree([*creeks, river]))
        self._kinds = np.array([g.kind.value for g in self.atlas.self_grids])[_grid_of_modules(self.atlas)]
        self._middles = shapely.get_coordinates(
            self._metres([shapely.point_on_surface(module.polygon) for module in self.atlas.modules])
        )

    def sites(self, home: str, number: int, rng: np.random.Generator) -> Floats:
        """Middles of sites of a kind, shape (number, 2): in different modules while there are enough."""
        fits = np.flatnonzero(np.isin(self._kinds, [kind.value for kind in _HOME[home]]))
        fits = fits if len(fits) else np.arange(len(self._kinds))
        chosen: Floats = self._middles[rng.permutation(np.resize(rng.permutation(fits), number))]
        return chosen

    def onto_streets(self, points: Floats) -> Floats:
        """The nearest points at the edge of a street; shape (n, 2) and metres from the corner, as what is given."""
        return _onto(self._lines.streets, points)

    def onto_waters(self, points: Floats) -> Floats:
        """The nearest points at a river or creek, as `onto_streets`."""
        return _onto(self._lines.waters, points)

    def degrees(self, points: Floats) -> Floats:
        """Longitude and latitude, shape (n, 2), as exact as the places' own edges."""
        metres = points + self._corner
        lonlat = self._plane.transform(metres[:, 0], metres[:, 1], direction="INVERSE")
        return np.round(np.column_stack(lonlat), DECIMALS)

    def inside(self, points: Floats) -> NDArray[np.bool_]:
        """Which points, in metres from the corner, lie in the district, shape (n,)."""
        found = self.atlas.locate(*self.degrees(points).T)
        return np.asarray(~found.outside)

    def codes(self, points: Floats) -> Codes:
        """The places that they lie in; all have to lie inside."""
        found = self.atlas.locate(*self.degrees(points).T)
        layers = (self.atlas.modules, self.atlas.self_grids, self.atlas.disposal_grids, self.atlas.towns)
        return Codes(*(np.array([p.code for p in layer])[i] for layer, i in zip(layers, found, strict=True)))

    def _metres(self, shapes: list[Any]) -> list[Any]:
        def turn(lonlat: Floats) -> Floats:
            x, y = self._plane.transform(lonlat[:, 0], lonlat[:, 1])
            return np.asarray(np.column_stack([x, y]) - self._corner)

        return list(shapely.transform(np.array(shapes, dtype=object), turn))


def counts_of(share: float) -> Counts:
    """How many places there are on a share of the district's ground."""
    if share >= 1.0:
        return FULL
    towns = max(1, round(FULL.towns * share))
    disposal = max(towns, round(FULL.disposal_grids * share))
    grids = max(disposal, 4, round(FULL.self_grids * share))
    return Counts(towns, disposal, grids, max(grids, 24, round(FULL.modules * share)), max(4.0, FULL.area_km2 * share))


def _grid_of_modules(atlas: Atlas) -> NDArray[np.int64]:
    return np.array([atlas.self_grid_index[module.self_grid] for module in atlas.modules])


def _onto(lines: shapely.STRtree, points: Floats) -> Floats:
    there = shapely.points(points)
    line = lines.geometries[lines.nearest(there)]
    at = shapely.line_interpolate_point(line, shapely.line_locate_point(line, there))
    return np.asarray(shapely.get_coordinates(at))
