"""Whether layers are a partition: no overlaps, no gaps, everything in just one parent, on every day.

Lengths and areas in messages are for a person: they are reckoned on a sphere, right to about a half per cent.
"""

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from city.atlas import Layers, of_day
from city.datum import DECIMALS
from city.geojson import LAYERS, PARENT, Problems
from city.places import Place

GAP_M = 1.0
"""Narrower gaps between neighbours are found even where they are open at an end, like a crack."""
MOST_APART = 0.02
"""Share of its ground by which a place may stick out of its parent, or a parent be bare of places: layers drawn by
different hands do not meet to the centimetre. Within a layer nothing is allowed."""
_LONG = 20
"""A crack is longer than so many times its width; a sharp corner of the border is not."""
_THIN = 0.001
"""Metres; what is thinner is the rounding of a buffer."""
_METRE = 1 / 111_195.0
"""Degrees of a great circle."""

Shapes = npt.NDArray[Any]


def check(layers: Layers, problems: Problems) -> None:
    """Say everything that keeps the layers from being a partition; a line each, with codes."""
    said = set(problems)
    days = _days(layers)
    for day in days:
        for line in itertools.chain.from_iterable(_wrong(layers, name, day) for name in LAYERS):
            if line not in said:
                said.add(line)
                problems.append(line if len(days) == 1 else f"{line} (on {day})")
    if any("overlap by" in line or "a gap of" in line for line in said):
        problems.append("what is narrow of these can be closed by the import: --mend METRES")


def with_parents(layers: Layers, problems: Problems) -> Layers:
    """The same with a parent for each place that named none: the one in which the largest share of its ground lies."""
    for name, (attribute, above) in PARENT.items():
        parents: Sequence[Place] = layers.of(above)
        children: list[Place] = list(layers.of(name))
        orphans = [i for i, child in enumerate(children) if not getattr(child, attribute)]
        found = _largest_shares([children[i] for i in orphans], parents)
        for i, parent in zip(orphans, found, strict=True):
            if parent is None:
                problems.append(f"{name}: {children[i].code} lies in none of the {above} and names no {attribute}")
            else:
                named: dict[str, Any] = {attribute: parent}
                children[i] = replace(children[i], **named)
        layers = layers.replaced(name, children)
    return layers


def mended(places: Sequence[Place], metres: float) -> tuple[list[Place], int]:
    """The same places with gaps and overlaps mended, and how many of them changed.

    Overlaps go to the neighbour with the longer border; gaps narrower than `metres` too; corners nearer to each other
    than a tenth of that become one.
    """
    before: Shapes = np.array([place.polygon for place in places], dtype=object)
    clean = shapely.coverage_clean(before, gap_width=metres * _METRE, snapping_distance=0.1 * metres * _METRE)
    after = shapely.orient_polygons(shapely.transform(clean, lambda xy: np.round(xy, DECIMALS)))
    changed = ~shapely.equals_exact(shapely.normalize(before), shapely.normalize(after), tolerance=0.0)
    return [replace(p, polygon=polygon) for p, polygon in zip(places, after, strict=True)], int(changed.sum())


def _days(layers: Layers) -> list[dt.date]:
    """A day of every stretch of days on which nothing changes."""
    edges = sorted(
        {
            edge
            for name in LAYERS
            for place in layers.of(name)
            for edge in (place.valid_from, place.valid_to)
            if edge is not None
        }
    )
    before = edges[0] - dt.timedelta(1) if edges and edges[0] > dt.date.min else dt.date.min
    return [day for day in (before, *edges) if any(of_day(layers.of(name), day) for name in LAYERS)]


def _wrong(layers: Layers, name: str, day: dt.date) -> Iterator[str]:
    places = of_day(layers.of(name), day)
    if not places:
        return
    for a, b in itertools.pairwise(places):
        if a.code == b.code:
            yield f"{name}: the code {a.code} stands twice"
    shapes: Shapes = np.array([place.polygon for place in places], dtype=object)
    yield from _wrong_ground(name, places, shapes)
    if name in PARENT:
        attribute, above = PARENT[name]
        parents = {place.code: place for place in of_day(layers.of(above), day)}
        yield from _wrong_parents(name, places, shapes, attribute, parents)


def _wrong_ground(name: str, places: Sequence[Place], shapes: Shapes) -> Iterator[str]:
    """Overlaps, holes and cracks of one layer."""
    if not shapely.coverage_is_valid(shapes):
        yield from _overlaps(name, places, shapes)
    tree = shapely.STRtree(shapes)
    for gap in (*_holes(shapes), *_cracks(shapes, tree)):
        point = gap.representative_point()
        around = [places[i].code for i in sorted(tree.query(gap, predicate="intersects"))]
        yield f"{name}: a gap of {_area(gap):,.3g} m2 at {point.x:.7f},{point.y:.7f} between {', '.join(around[:6])}"


def _overlaps(name: str, places: Sequence[Place], shapes: Shapes) -> Iterator[str]:
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    a, b = a[a < b], b[a < b]
    common = shapely.intersection(shapes[a], shapes[b])
    for i, j, ground in zip(a, b, common, strict=True):
        if ground.area > 0:
            yield f"{name}: {places[i].code} and {places[j].code} overlap by {_area(ground):,.3g} m2"


def _holes(shapes: Shapes) -> list[Any]:
    parts = shapely.get_parts(shapely.union_all(shapes))
    return [shapely.Polygon(ring) for part in parts for ring in part.interiors]


def _cracks(shapes: Shapes, tree: shapely.STRtree) -> list[Any]:
    """Narrow gaps that are open at an end: what closes when the ground around an edge grows and shrinks again.

    GEOS names edges that are close to another's; where the thin end of a polygon lies between them there is no gap.
    """
    wide = GAP_M * _METRE
    edges = shapely.coverage_invalid_edges(shapes, gap_width=wide)
    found = []
    for edge in edges[~shapely.is_empty(edges)]:
        around = shapely.union_all(shapes[tree.query(edge, predicate="dwithin", distance=2 * wide)])
        closed = around.buffer(wide, join_style="mitre").buffer(-wide, join_style="mitre")
        near = closed.difference(around).intersection(edge.buffer(2 * wide))
        found += [part for part in shapely.get_parts(near) if part.length > _LONG * wide]
    merged = shapely.get_parts(shapely.union_all(found)) if found else []
    return [crack for crack in merged if 2 * crack.area / crack.length > _THIN * _METRE]


def _wrong_parents(
    name: str, places: Sequence[Place], shapes: Shapes, attribute: str, parents: dict[str, Place]
) -> Iterator[str]:
    """Parents that are not there, places that stick out of theirs, parents that are bare."""
    codes = [getattr(place, attribute) for place in places]
    for place, code in zip(places, codes, strict=True):
        if not code:
            yield f"{name}: {place.code} names no {attribute}"
        elif code not in parents:
            yield f"{name}: {place.code} names the {attribute} {code}, and there is none"
    known = [i for i, code in enumerate(codes) if code in parents]
    grounds: Shapes = np.array([parents[codes[i]].polygon for i in known], dtype=object)
    covered = dict.fromkeys(parents, 0.0)
    if known:
        mine = shapes[known]
        shapely.prepare(grounds)
        inside = shapely.covers(grounds, mine)
        area = shapely.area(mine)
        common = np.where(inside, area, 0.0)
        common[~inside] = shapely.area(shapely.intersection(grounds[~inside], mine[~inside]))
        for i, has, of in zip(known, common, area, strict=True):
            covered[codes[i]] += has
            if has < (1 - MOST_APART) * of:
                part = f"{1 - has / of:.0%} of its ground"
                yield f"{name}: {places[i].code} lies outside its {attribute} {codes[i]} by {part}"
    for code, parent in parents.items():
        bare = 1 - covered[code] / shapely.area(parent.polygon)
        if bare > MOST_APART:
            yield f"{name}: {bare:.0%} of the {attribute} {code} is bare: none of the {name} that name it lies there"


def _largest_shares(children: Sequence[Place], parents: Sequence[Place]) -> list[str | None]:
    """For each child the code of the parent in which most of its ground lies, among those of its days."""
    if not children or not parents:
        return [None] * len(children)
    ours: Shapes = np.array([child.polygon for child in children], dtype=object)
    theirs: Shapes = np.array([parent.polygon for parent in parents], dtype=object)
    child, parent = shapely.STRtree(theirs).query(ours, predicate="intersects")
    common = shapely.area(shapely.intersection(ours[child], theirs[parent]))
    best = [(0.0, "")] * len(children)
    for i, j, area in zip(child, parent, common, strict=True):
        if area > best[i][0] and _meet(children[i], parents[j]):
            best[i] = (area, parents[j].code)
    return [code or None for _, code in best]


def _meet(a: Place, b: Place) -> bool:
    """Whether there is a day on which both are there."""
    begin = max(a.valid_from or dt.date.min, b.valid_from or dt.date.min)
    end = min(a.valid_to or dt.date.max, b.valid_to or dt.date.max)
    return begin < end


def _area(shape: Any) -> float:
    """Square metres, about."""
    latitude = shape.representative_point().y if not shape.is_empty else 0.0
    return float(shape.area / _METRE**2 * np.cos(np.radians(latitude)))
