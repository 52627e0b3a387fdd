"""Assets: what stands or lies in the district, in as many layers as there are files. A new layer needs no code.

Each layer is one GeoJSON file of points and lines in `assets/` of a city folder, with its titles in the file itself:

    {"type": "FeatureCollection",
     "scenewatch": {"layer": "hydrants", "title_zh": "消火栓", "title_en": "Hydrants", "source_datum": "gcj02"},
     "features": [{"type": "Feature", "properties": {"code": "H00017", ...}, "geometry": {"type": "Point", ...}}]}

Distances are metres on a plane (transverse Mercator around the layer's middle), right to 1e-5 of themselves within
25 km east and west of it. Between its positions a line is straight on that plane, not in degrees: off by a centimetre
in the middle of a stretch of one kilometre.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from city.atlas import Atlas
from city.datum import WGS84, metres_around, to_wgs84
from city.device_list import usable
from city.geojson import Problems, Source, features, parts_of, positions, renamed, write_features
from city.point_index import Floats, Ints
from core.errors import ConfigError

FOLDER = "assets"
_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "Point": lambda parts: shapely.Point(parts[0][0]),
    "MultiPoint": lambda parts: shapely.MultiPoint(parts[0]),
    "LineString": lambda parts: shapely.LineString(parts[0]),
    "MultiLineString": shapely.MultiLineString,
}
_WHOLE_EARTH_M = 5e7


@dataclass(frozen=True, slots=True)
class Asset:
    """One thing of a layer.

    Attributes:
        code: Its name, unique in the layer, e.g. the 16 digits of a part's code.
        shape: Point or line in degrees, WGS-84.
        properties: Everything else that the file says of it.
    """

    code: str
    shape: Any = field(repr=False, compare=False)
    properties: Mapping[str, Any] = field(default_factory=dict)


class Nearest(NamedTuple):
    """Positions of assets and how far away they are, each of shape (points, k), nearest first.

    Where there are no more it has -1 and infinity.
    """

    asset: Ints
    metres: Floats


class AssetLayer:
    """The assets of one kind, found by distance."""

    def __init__(self, name: str, assets: Sequence[Asset], title_zh: str = "", title_en: str = "") -> None:
        self.name = name
        self.assets = tuple(assets)
        self.title_zh = title_zh or name
        self.title_en = title_en or name
        shapes: npt.NDArray[Any] = np.array([asset.shape for asset in assets], dtype=object)
        west, south, east, north = shapely.total_bounds(shapes) if len(shapes) else (0.0, 0.0, 0.0, 0.0)
        self._plane = metres_around((west + east) / 2, (south + north) / 2)
        self._shapes: npt.NDArray[Any] = shapely.transform(shapes, self._metres)
        self._tree = shapely.STRtree(self._shapes)
        # Within this reach of a point there is about one asset, if they lie evenly.
        ground = np.prod(np.subtract(*np.split(shapely.total_bounds(self._shapes), 2))) if len(shapes) else 0.0
        self._reach = max(10.0, float(np.sqrt(abs(ground) / max(1, len(shapes)))))

    def nearest(self, lon: npt.ArrayLike, lat: npt.ArrayLike, k: int = 1) -> Nearest:
        """The `k` nearest assets to each point; of those as near as each other the lower position first.

        Args:
            lon: Degrees east, WGS-84, one-dimensional.
            lat: Degrees north.
            k: How many.
        """
        points = self._points(lon, lat)
        index = np.full((len(points), k), -1, np.int32)
        metres = np.full((len(points), k), np.inf)
        wanted, reach = min(k, len(self.assets)), self._reach * np.sqrt(k)
        open_ = np.flatnonzero(~shapely.is_empty(points)) if wanted else np.empty(0, np.int64)
        while len(open_):
            if wanted == 1:
                (point, asset), away = self._tree.query_nearest(points[open_], return_distance=True)
                point, asset, away = _in_order(point, asset, away)
            else:
                point, asset, away = self._within(points[open_], min(reach, _WHOLE_EARTH_M))
            count = np.bincount(point, minlength=len(open_))
            done = count >= wanted
            rank = np.arange(len(point)) - np.repeat(np.cumsum(count) - count, count)
            take = done[point] & (rank < wanted)
            index[open_[point[take]], rank[take]] = asset[take]
            metres[open_[point[take]], rank[take]] = away[take]
            open_ = open_[~done]
            reach *= 2
        return Nearest(index, metres)

    def within(self, lon: npt.ArrayLike, lat: npt.ArrayLike, radius_m: float) -> tuple[Ints, Ints, Floats]:
        """`(point, asset, metres)` of every pair not further apart than `radius_m`, by point, nearest first."""
        points = self._points(lon, lat)
        here = np.flatnonzero(~shapely.is_empty(points))
        point, asset, away = self._within(points[here], radius_m)
        return here[point].astype(np.int32), asset, away

    def _within(self, points: npt.NDArray[Any], radius_m: float) -> tuple[Ints, Ints, Floats]:
        point, asset = self._tree.query(points, predicate="dwithin", distance=radius_m)
        away: Floats = shapely.distance(points[point], self._shapes[asset])
        return _in_order(point, asset, away)

    def _points(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[Any]:
        """Points on the plane; an empty one where a coordinate is no number."""
        degrees = np.column_stack([np.atleast_1d(np.asarray(c, np.float64)) for c in (lon, lat)])
        xy = self._metres(degrees)
        points: npt.NDArray[Any] = shapely.points(np.where(np.isfinite(xy), xy, 0.0))
        points[~np.isfinite(xy).all(axis=1)] = shapely.Point()
        return points

    def _metres(self, xy: Floats) -> Floats:
        return np.column_stack(self._plane.transform(xy[:, 0], xy[:, 1]))


def _in_order(point: Any, asset: Any, away: Any) -> tuple[Ints, Ints, Floats]:
    """By point, nearest first; of those as near as each other the lower position first."""
    order = np.lexsort((asset, away, point))
    return point[order].astype(np.int32), asset[order].astype(np.int32), away[order]


class Assets:
    """All layers of a city folder, each read when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._read: dict[str, AssetLayer] = {}

    def names(self) -> list[str]:
        """The layers that there are."""
        return sorted(path.stem for path in self._folder.glob("*.geojson"))

    def layer(self, name: str) -> AssetLayer:
        """One layer.

        Raises:
            ConfigError: If there is none, or its file is wrong.
        """
        if name not in self._read:
            path = self._folder / f"{name}.geojson"
            if not usable(name) or not path.is_file():
                raise ConfigError(f"there is no asset layer {name!r}; there are {', '.join(self.names()) or 'none'}")
            self._read[name] = read_assets(name, Source(path))
        return self._read[name]

    def nearest(self, layer: str, lon: npt.ArrayLike, lat: npt.ArrayLike, k: int = 1) -> Nearest:
        """See `AssetLayer.nearest`."""
        return self.layer(layer).nearest(lon, lat, k)

    def within(self, layer: str, lon: npt.ArrayLike, lat: npt.ArrayLike, radius_m: float) -> tuple[Ints, Ints, Floats]:
        """See `AssetLayer.within`."""
        return self.layer(layer).within(lon, lat, radius_m)


def read_assets(name: str, source: Source, atlas: Atlas | None = None) -> AssetLayer:
    """The assets in a file.

    Args:
        name: Of the layer.
        source: The file, its datum, and what it calls our properties.
        atlas: The district in which every asset has to lie, at least in part; None does not ask.

    Raises:
        ConfigError: With every wrong feature.
    """
    problems = Problems()
    turn = to_wgs84(source.datum)
    assets: dict[str, Asset] = {}
    head, found = features(source, problems)
    for number, feature in enumerate(found):
        properties = renamed(feature.get("properties"), source.renamed)
        code = properties.pop("code", None)
        where = f"{source.path}: feature {number} ({'without a code' if code is None else code})"
        if code is None or not usable(str(code)):
            problems.append(f"{where}: its code cannot be used: 1 to 64 characters, no / + #")
        elif str(code) in assets:
            problems.append(f"{where}: the code stands twice")
        try:
            shape = _shape_of(feature.get("geometry"), turn)
        except ValueError as error:
            problems.append(f"{where}: {error}")
        else:
            assets[str(code)] = Asset(str(code), shape, properties)
    if atlas is not None:
        problems.extend(f"{source.path}: {code} lies outside the district" for code in _outside(assets, atlas))
    problems.raise_if_any()
    return AssetLayer(name, list(assets.values()), str(head.get("title_zh", "")), str(head.get("title_en", "")))


def write_assets(folder: Path, layer: AssetLayer, *, source_datum: str = WGS84) -> Path:
    """Write a layer into a city folder, as a whole or not at all; the file.

    Raises:
        ConfigError: If its name cannot be a file's, or it cannot be written.
    """
    if not usable(layer.name) or layer.name.startswith("."):
        raise ConfigError(f"{layer.name!r} cannot be the name of a layer: letters, digits, - and _")
    head = {"layer": layer.name, "title_zh": layer.title_zh, "title_en": layer.title_en, "source_datum": source_datum}
    path = folder / FOLDER / f"{layer.name}.geojson"
    write_features(path, head, (_feature(asset) for asset in layer.assets))
    return path


def _shape_of(geometry: Any, turn: Any) -> Any:
    kind = str(geometry.get("type")) if isinstance(geometry, dict) else "missing"
    if kind not in _KINDS:
        raise ValueError(f"its geometry is {kind}; it has to be one of {', '.join(_KINDS)}")
    coordinates = parts_of(geometry)
    parts = {"Point": [[coordinates]], "MultiPoint": [coordinates], "LineString": [coordinates]}.get(kind, coordinates)
    try:
        return _KINDS[kind]([positions(part, turn) for part in parts])
    except (shapely.GEOSException, IndexError) as error:
        raise ValueError(f"its {kind} has too few positions") from error


def _outside(assets: Mapping[str, Asset], atlas: Atlas) -> list[str]:
    """Codes of assets of which no position lies in the district."""
    shapes = [asset.shape for asset in assets.values()]
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    inside = np.bincount(owner[~atlas.locate(xy[:, 0], xy[:, 1]).outside], minlength=len(shapes))
    return [code for code, count in zip(assets, inside, strict=True) if not count]


def _feature(asset: Asset) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": asset.code, **asset.properties},
        "geometry": msgspec.Raw(shapely.to_geojson(asset.shape).encode()),
    }
