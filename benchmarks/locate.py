"""Points to their places on one core; the floor is shapely's own tree, asked for the same points in the same run."""

import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely

from benchmarks.report import Report, cost, rate, report
from benchmarks.timing import best, timed
from city.assets import AssetLayer
from city.atlas import Atlas
from city.device import Device
from city.folder import load_city, save_city
from city.make import Counts, make_district
from city.make_assets import make_assets
from city.placing import placed

_FLOOR = "shapely STRtree, intersects"
_DAY = dt.date(2026, 1, 1)
_DEVICES = 30_000
_TARGET = 1_000_000


def run(*, quick: bool = False) -> Report:
    """A made-up district: points anywhere in its box, points on edges, a folder loaded and its devices placed."""
    begin = time.perf_counter()
    atlas = make_district(1, Counts(3, 7, 60, 400, 27.0) if quick else None)
    made = time.perf_counter() - begin
    atlas.prepare()
    number, asked = (20_000, 5_000) if quick else (1_000_000, 50_000)
    polygons = [module.polygon for module in atlas.modules]
    tree = shapely.STRtree(polygons)
    anywhere, edges = _anywhere(polygons, number), _on_edges(polygons, number)
    rows = []
    for what, xy in (("points anywhere in its box", anywhere), ("points on edges of modules", edges)):
        floor = _per_second(lambda xy=xy: _by_tree(tree, xy[:asked]), asked, 2)  # type: ignore[misc]
        value = _per_second(lambda xy=xy: atlas.locate(xy[:, 0], xy[:, 1]), number, 2 if quick else 5)  # type: ignore[misc]
        rows.append(rate(f"{what} to module, grids, town", value, "points/s", floor=floor, floor_what=_FLOOR))
        rows.append(rate(f"{what}: as asked for", value, "points/s", at_least=_TARGET))
    hydrants = make_assets(atlas, 1)[0]
    near = _per_second(lambda: hydrants.nearest(anywhere[:asked, 0], anywhere[:asked, 1]), asked, 2)
    rows.append(rate("nearest hydrant", near, "points/s", floor=_nearest_floor(hydrants, asked), floor_what=_NEAREST))
    first, again = _load_and_place(atlas, anywhere[:_DEVICES])
    rows.append(cost("district made", made, "s"))
    rows.append(cost(f"folder checked, indexed and {_DEVICES:,} devices placed, first time", first, "s", at_most=10))
    rows.append(cost(f"folder loaded and {_DEVICES:,} devices placed", again, "s", at_most=10))
    return report("locate", rows)


_NEAREST = "shapely STRtree, query_nearest"


def _per_second(work: Callable[[], object], number: int, rounds: int) -> float:
    """Points a second in the best of some rounds after one to warm up."""
    work()
    return number / best(work, rounds)


def _by_tree(tree: shapely.STRtree, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The lowest polygon of each point, in the obvious way."""
    found = np.full(len(xy), np.iinfo(np.int64).max)
    point, polygon = tree.query(shapely.points(xy), predicate="intersects")
    np.minimum.at(found, point, polygon)
    return found


def _nearest_floor(layer: AssetLayer, number: int) -> float:
    """The nearest of a layer's points to points among them, on a plane of degrees: right or wrong, it is the tree's."""
    tree = shapely.STRtree([asset.shape for asset in layer.assets])
    rng = np.random.default_rng(9)
    west, south, east, north = shapely.total_bounds([asset.shape for asset in layer.assets])
    points = shapely.points(rng.uniform((west, south), (east, north), (number, 2)))
    return _per_second(lambda: tree.query_nearest(points, return_distance=True), number, 2)


def _anywhere(polygons: list[shapely.Polygon], number: int) -> npt.NDArray[np.float64]:
    west, south, east, north = shapely.total_bounds(polygons)
    return np.random.default_rng(5).uniform((west, south), (east, north), (number, 2))


def _on_edges(polygons: list[shapely.Polygon], number: int) -> npt.NDArray[np.float64]:
    """Corners, and points between neighbouring corners."""
    rng = np.random.default_rng(6)
    lines = shapely.boundary(polygons)
    line = rng.integers(0, len(lines), number)
    points = shapely.line_interpolate_point(lines[line], rng.random(number), normalized=True)
    xy: npt.NDArray[np.float64] = shapely.get_coordinates(points)
    corners = shapely.get_coordinates(polygons)
    xy[::4] = corners[rng.integers(0, len(corners), len(xy[::4]))]
    return xy


def _load_and_place(atlas: Atlas, xy: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Seconds for a folder to devices in their places, without and with a kept index."""
    devices = [Device(f"d{i}", "g", lon=x, lat=y) for i, (x, y) in enumerate(xy.tolist())]
    with tempfile.TemporaryDirectory() as folder:
        save_city(Path(folder), atlas.layers)
        seconds = [timed(lambda: placed(devices, load_city(Path(folder), _DAY))) for _ in range(2)]
    return seconds[0], seconds[1]
