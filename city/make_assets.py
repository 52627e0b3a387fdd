"""Made-up assets for a made-up district: a few layers that stand where such things stand, along its edges."""

import numpy as np
import numpy.typing as npt
import shapely

from city.assets import Asset, AssetLayer
from city.atlas import Atlas
from city.datum import DECIMALS

_POINTS = (
    ("hydrants", "消火栓", "Hydrants", "H", 6_000),
    ("manholes", "窨井盖", "Manholes", "W", 20_000),
    ("lamps", "路灯", "Lamps", "L", 24_000),
)
"""Layer, titles, first letter of the codes, how many in a whole district. The numbers are guesses."""
_WHOLE = 5_589


def make_assets(atlas: Atlas, seed: int) -> list[AssetLayer]:
    """Hydrants, manholes and lamps along the edges of modules, and sewers along those of self-governance grids."""
    rng = np.random.default_rng([seed, 1])
    streets = _edges([module.polygon for module in atlas.modules])
    layers = []
    for name, zh, en, letter, whole in _POINTS:
        count = max(1, round(whole * len(atlas.modules) / _WHOLE))
        points = shapely.points(_along(streets, count, rng))
        found = [Asset(f"{letter}{i + 1:05d}", point) for i, point in enumerate(points)]
        layers.append(AssetLayer(name, found, zh, en))
    sewers = [Asset(f"P{i + 1:05d}", line) for i, line in enumerate(_edges([g.polygon for g in atlas.self_grids]))]
    return [*layers, AssetLayer("sewers", sewers, "排水管道", "Sewers")]


def _edges(polygons: list[shapely.Polygon]) -> npt.NDArray[np.object_]:
    """Every edge between corners once, as a line."""
    merged = shapely.line_merge(shapely.union_all(shapely.boundary(polygons)))
    edges: npt.NDArray[np.object_] = shapely.get_parts(merged)
    return edges


def _along(lines: npt.NDArray[np.object_], count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Points spread over lines by length, seven decimals each."""
    ends = np.cumsum(shapely.length(lines))
    at = np.sort(rng.random(count)) * ends[-1]
    line = np.searchsorted(ends, at)
    points = shapely.line_interpolate_point(lines[line], ends[line] - at)
    xy: npt.NDArray[np.float64] = np.round(shapely.get_coordinates(points), DECIMALS)
    return xy
