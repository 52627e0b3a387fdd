"""Layers as GeoJSON (RFC 7946): one FeatureCollection a layer, every wrong feature named, nothing half loaded."""

import datetime as dt
import difflib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from city.datum import DECIMALS, WGS84, from_wgs84, to_wgs84
from city.device_list import usable
from city.places import DisposalGrid, GridKind, Module, Place, SelfGrid, Shape, Town
from core.errors import ConfigError
from core.whole import write_whole

LAYERS: Mapping[str, type[Place]] = {
    "towns": Town,
    "disposal_grids": DisposalGrid,
    "self_grids": SelfGrid,
    "modules": Module,
}
"""From the coarsest to the finest; a file of each is named after it."""
PARENT: Mapping[str, tuple[str, str]] = {
    "disposal_grids": ("town", "towns"),
    "self_grids": ("disposal_grid", "disposal_grids"),
    "modules": ("self_grid", "self_grids"),
}
"""For each layer that has one: the property that names the parent, and the layer in which it is."""
_KINDS = {**{kind.value: kind for kind in GridKind}, "居委": GridKind.RESIDENTS, "村委": GridKind.VILLAGERS,
          "街面": GridKind.STREET, "拓展": GridKind.EXTENSION}  # fmt: skip
_KNOWN = ("code", "name_zh", "name_en", "kind", "town", "disposal_grid", "self_grid", "valid_from", "valid_to")
_SHOWN = 50


@dataclass(slots=True)
class Source:
    """How a file is to be read.

    Attributes:
        path: The file.
        datum: What its coordinates are: `wgs84`, `gcj02`, or a local grid that PROJ knows.
        renamed: Our names of properties and what they are called in the file, where that differs.
    """

    path: Path
    datum: str = WGS84
    renamed: Mapping[str, str] = field(default_factory=dict)


class Problems(list[str]):
    """What is wrong, a line each."""

    def raise_if_any(self) -> None:
        """Raise what there is.

        Raises:
            ConfigError: With the first lines and the count of the others.
        """
        if self:
            more = [f"and {len(self) - _SHOWN} more"] if len(self) > _SHOWN else []
            raise ConfigError("\n".join([*self[:_SHOWN], *more]))


def read_layer(layer: str, source: Source, problems: Problems) -> list[Place]:
    """The places in a file; what is wrong with it goes to `problems`.

    A parent that a feature does not name is "" and has to be found by its ground (`city.partition`).
    """
    turn = to_wgs84(source.datum)
    places: list[Place] = []
    for number, feature in enumerate(features(source, problems)[1]):
        properties = renamed(feature.get("properties"), source.renamed)
        where = f"{source.path}: feature {number} ({properties.get('code', 'without a code')})"
        wrong = [f"{where}: {what}" for what in _wrong_properties(layer, properties)]
        try:
            polygon = shape_of(feature.get("geometry"), turn)
        except ValueError as error:
            wrong.append(f"{where}: {error}")
        else:
            if not wrong:
                places.append(_place(layer, properties, polygon))
        problems.extend(wrong)
    return places


def features(source: Source, problems: Problems) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The member `scenewatch` and the features of a file."""
    try:
        content = msgspec.json.decode(source.path.read_bytes())
    except OSError as error:
        problems.append(f"{source.path}: cannot be read: {error.strerror}")
        return {}, []
    except msgspec.DecodeError as error:
        problems.append(f"{source.path}: not JSON: {error}")
        return {}, []
    if not isinstance(content, dict) or not isinstance(content.get("features"), list):
        problems.append(f"{source.path}: not a GeoJSON FeatureCollection")
        return {}, []
    crs = str(content.get("crs", ""))
    if crs and source.datum == WGS84 and not any(word in crs for word in ("CRS84", "4326")):
        problems.append(f"{source.path}: its crs member says {crs}: say which datum that is (--datum)")
    found = [feature if isinstance(feature, dict) else {} for feature in content["features"]]
    if not found:
        problems.append(f"{source.path}: has no features")
    head = content.get("scenewatch")
    return head if isinstance(head, dict) else {}, found


def write_layer(path: Path, layer: str, places: Iterable[Place], *, source_datum: str, datum: str = WGS84) -> None:
    """Write a layer in a datum, a feature a line; a file that is there is replaced as a whole or not at all.

    Args:
        path: The file.
        layer: Which layer.
        places: What it holds.
        source_datum: In what the coordinates were once measured; it is written down.
        datum: In what they are written; anything but `wgs84` is not RFC 7946, and the file says so.
    """
    turn = from_wgs84(datum)
    head = {"layer": layer, "datum": datum, "source_datum": source_datum}
    write_features(path, head, (_feature(place, turn) for place in places))


def write_features(path: Path, head: Mapping[str, Any], found: Iterable[Mapping[str, Any]]) -> None:
    """Write a FeatureCollection with the foreign member `scenewatch`, beside the file, and put it in its place.

    Raises:
        ConfigError: If it cannot be written.
    """
    lines = b",\n".join(map(msgspec.json.encode, found))
    start = b'{"type":"FeatureCollection","scenewatch":' + msgspec.json.encode(head) + b',"features":[\n'
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, start + lines + b"\n]}\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def shape_of(geometry: Any, turn: Any) -> Shape:
    """The polygon of a GeoJSON geometry in WGS-84, its rings in the order that RFC 7946 wants.

    Raises:
        ValueError: That says what is wrong with it.
    """
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in {"Polygon", "MultiPolygon"}:
        raise ValueError(f"its geometry is {kind or 'missing'}; it has to be a Polygon or MultiPolygon")
    parts = parts_of(geometry)
    polygons = [_polygon(part, turn) for part in (parts if kind == "MultiPolygon" else [parts])]
    shape = polygons[0] if kind == "Polygon" else MultiPolygon(polygons)
    if not shape.is_valid:
        raise ValueError(f"its ground is not simple: {shapely.is_valid_reason(shape)}")
    return shapely.orient_polygons(shape)


def _polygon(rings: Any, turn: Any) -> Polygon:
    if not isinstance(rings, list) or not rings:
        raise ValueError("a polygon has no ring")
    turned = [positions(ring, turn) for ring in rings]
    for number, ring in enumerate(turned):
        if len(ring) < 4:
            raise ValueError(f"ring {number} has {len(ring)} positions; a ring has at least 4")
        if not np.array_equal(ring[0], ring[-1]):
            raise ValueError(f"ring {number} is not closed: it begins and ends at different positions")
    return Polygon(turned[0], turned[1:])


def positions(found: Any, turn: Any) -> Any:
    """Positions (longitude, latitude) of a line or ring in WGS-84, rounded to `DECIMALS`; heights are dropped.

    Raises:
        ValueError: If they are no numbers or lie nowhere on Earth.
    """
    try:
        xy = np.array([position[:2] for position in found], np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        raise ValueError("a position is not two numbers") from None
    xy = np.round(turn(xy), DECIMALS)
    if not (np.isfinite(xy).all() and (np.abs(xy) <= (180.0, 90.0)).all()):
        raise ValueError("a position lies nowhere on Earth: is the datum right (--datum), does longitude come first?")
    return xy


def renamed(properties: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """The properties of a feature, with ours beside those that the file calls by another name."""
    found = dict(properties) if isinstance(properties, dict) else {}
    return {**found, **{ours: found[theirs] for ours, theirs in names.items() if theirs in found}}


def parts_of(geometry: Mapping[str, Any]) -> list[Any]:
    """The coordinates of a geometry.

    Raises:
        ValueError: If it has none.
    """
    parts = geometry.get("coordinates")
    if not isinstance(parts, list) or not parts:
        raise ValueError("its geometry has no coordinates")
    return parts


def _wrong_properties(layer: str, properties: Mapping[str, Any]) -> Iterator[str]:
    code = properties.get("code")
    if code is None or code == "":
        yield "it has no property code"
    elif not isinstance(code, (str, int)) or isinstance(code, bool) or not usable(str(code)):
        yield f"its code {code!r} cannot be used: 1 to 64 characters, no / + #"
    if not properties.get("name_zh") and not properties.get("name_en"):
        yield "it has neither name_zh nor name_en"
    if layer == "self_grids" and properties.get("kind") not in _KINDS:
        yield f"its kind is {properties.get('kind')!r}; it has to be one of {', '.join(_KINDS)}"
    dates: list[dt.date] = []
    for name in ("valid_from", "valid_to"):
        try:
            dates += [day] if (day := _day(properties.get(name))) else []
        except ValueError:
            yield f"its {name} is {properties[name]!r}; it has to be a day like 2026-01-31"
    if len(dates) == 2 and dates[0] >= dates[1]:
        yield "its valid_to is not after its valid_from"
    for name in properties:
        meant = None if name in _KNOWN else _meant(name)
        if meant is not None and meant not in properties:
            yield f"its property {name} is not known (did you mean {meant}?)"


@functools.cache
def _meant(name: str) -> str | None:
    """One of our names that this one is probably a slip of."""
    return next(iter(difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.85)), None)


def _day(text: Any) -> dt.date | None:
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise ValueError("not a day")  # noqa: TRY004 - one kind of error for one kind of mistake
    return dt.date.fromisoformat(text)


def _place(layer: str, properties: Mapping[str, Any], polygon: Shape) -> Place:
    zh, en = str(properties.get("name_zh") or ""), str(properties.get("name_en") or "")
    values: dict[str, Any] = {
        "code": str(properties["code"]),
        "name_zh": zh or en,
        "name_en": en or zh,
        "polygon": polygon,
        "valid_from": _day(properties.get("valid_from")),
        "valid_to": _day(properties.get("valid_to")),
    }
    if layer == "self_grids":
        values["kind"] = _KINDS[properties["kind"]]
    if layer in PARENT:
        parent = PARENT[layer][0]
        values[parent] = str(properties.get(parent) or "")
    return LAYERS[layer](**values)


def properties_of(place: Place) -> dict[str, Any]:
    """The properties of a place as they stand in a file."""
    found: dict[str, Any] = {"code": place.code, "name_zh": place.name_zh, "name_en": place.name_en}
    if isinstance(place, SelfGrid):
        found["kind"] = place.kind.value
    for name, _ in PARENT.values():
        if hasattr(place, name):
            found[name] = getattr(place, name)
    for name in ("valid_from", "valid_to"):
        if (day := getattr(place, name)) is not None:
            found[name] = day.isoformat()
    return found


def _feature(place: Place, turn: Any) -> dict[str, Any]:
    ground = shapely.orient_polygons(place.polygon)
    several = isinstance(ground, MultiPolygon)
    polygons: Sequence[Polygon] = list(ground.geoms) if several else [ground]
    parts = [
        [np.round(turn(shapely.get_coordinates(ring)), DECIMALS).tolist() for ring in (p.exterior, *p.interiors)]
        for p in polygons
    ]
    geometry = {"type": ground.geom_type, "coordinates": parts if several else parts[0]}
    return {"type": "Feature", "properties": properties_of(place), "geometry": geometry}
