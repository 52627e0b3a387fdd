"""A made-up district: four layers that look like a city, the same ones for the same seed.

Nothing in it is surveyed. An outline is cut by a river, a ring road and two main roads into towns, the towns by
streets into disposal grids, those into self-governance grids, those into modules; where more people live the pieces
are smaller. All edges are noded on a grid of 1e-7 degrees (about a centimetre), so neighbours share theirs exactly.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString, Polygon
from shapely.ops import split

from city.atlas import Atlas, Layers
from city.datum import DECIMALS, metres_around
from city.make_names import Name, names
from city.places import DisposalGrid, GridKind, Module, SelfGrid, Shape, Town
from city.streets import Floats, Ground, Streets, divide, streets_of

CENTRE = (121.40, 31.06)
"""Degrees; about where Minhang lies. Nothing else is Minhang's."""
_GRID = 10.0**-DECIMALS
_PEOPLE = 100_000
_SHARES = ((GridKind.VILLAGERS, 0.16), (GridKind.EXTENSION, 0.09), (GridKind.STREET, 0.17))
"""Of the self-governance grids; the others are residents'. A guess: no source gives the shares."""
_WORDS = {
    GridKind.RESIDENTS: ("居委网格", "Residents' Grid"),
    GridKind.VILLAGERS: ("村委网格", "Villagers' Grid"),
    GridKind.STREET: ("路街面网格", "Road Street Grid"),
    GridKind.EXTENSION: ("拓展网格", "Extension Grid"),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many places of each layer, on how much ground."""

    towns: int = 14
    disposal_grids: int = 68
    self_grids: int = 835
    modules: int = 5_589
    area_km2: float = 372.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What everything else is cut from, in metres around the centre."""

    outline: Polygon
    river: LineString
    roads: tuple[LineString, ...]
    streets: Streets
    centres: Floats
    """x, y, reach, weight of each centre, one a row."""


Tell = Callable[[int, int], None]
"""Told how much is done, and of how much."""
_ANY_DAY = dt.date(2000, 1, 1)


def make_district(
    seed: int, counts: Counts | None = None, *, valid_from: dt.date | None = None, tell: Tell | None = None
) -> Atlas:
    """The layers of a made-up district; same seed and counts, same bytes (with the same numpy, GEOS and PROJ).

    Args:
        seed: Which district.
        counts: How many places of each layer.
        valid_from: The first day of all of them; None for always.
        tell: Told how far it is, now and then.

    Raises:
        ValueError: If the counts cannot be: each layer has at least as many places as the one above it.
    """
    counts = counts or Counts()
    numbers = (1, counts.towns, counts.disposal_grids, counts.self_grids, counts.modules)
    if any(above > below for above, below in itertools.pairwise(numbers)):
        raise ValueError("each layer needs at least as many places as the one above it, and there is at least one town")
    rng = np.random.default_rng(seed)
    plan = make_plan(counts.area_km2, rng)
    towns = _in_order(_towns(plan, counts.towns, rng))
    tree = [_Level(towns, [0] * len(towns))]
    done, total = 0, sum(numbers[2:]) + counts.modules // 4
    for number in numbers[2:]:
        level = _Level([], [])
        for parent, ground, share in _shared_out(tree[-1].grounds, number, rng):
            parts = _in_order(divide(ground, share, plan.streets, rng))
            level.grounds.extend(parts)
            level.parents.extend([parent] * share)
            done += share
            if tell is not None:
                tell(done, total)
        tree.append(level)
    modules = _in_degrees([ground.polygon for ground in tree[-1].grounds])
    layers = _layers(tree, modules, _kinds(tree[-2].grounds, plan, rng), rng, valid_from)
    if tell is not None:
        tell(total, total)
    return Atlas(layers, valid_from or _ANY_DAY)


@dataclass(frozen=True, slots=True)
class _Level:
    """The pieces of one layer in the order of their codes, and for each the number of its parent."""

    grounds: list[Ground]
    parents: list[int]


def make_plan(area_km2: float, rng: np.random.Generator) -> Plan:
    """Outline, river, roads, the run of the streets and the centres."""
    radius = float(np.sqrt(area_km2 / np.pi)) * 1000
    outline = _outline(area_km2, radius, rng)
    heart = np.array([0.22, 0.30]) * radius + rng.normal(0, 0.05 * radius, 2)
    river = _curve(
        np.array(
            [(-1.6, -0.30), (-0.75, -0.42), (-0.15, -0.38), (0.32, -0.52), (0.70, -0.22), (0.86, 0.35), (1.05, 1.5)]
        )
        * radius
        + rng.normal(0, 0.05 * radius, (7, 2))
    )
    turn = np.linspace(0, 2 * np.pi, 9)[:-1]
    ring = heart + (0.52 + rng.normal(0, 0.03, (8, 1))) * radius * np.column_stack([np.cos(turn), np.sin(turn)])
    roads = (
        _curve(np.vstack([ring, ring[:1]])),
        _curve(np.array([(-1.7, 0.12), (-0.6, 0.02), (0.22, 0.16), (1.7, -0.05)]) * radius),
        _curve(np.array([(-0.28, 1.7), (-0.20, 0.5), (-0.30, -0.4), (-0.12, -1.7)]) * radius),
    )
    centres = np.array([
        (*heart, 0.26 * radius, 1.0),
        (-0.50 * radius, 0.42 * radius, 0.17 * radius, 0.55),
        (-0.10 * radius, -0.66 * radius, 0.16 * radius, 0.50),
        (0.42 * radius, -0.12 * radius, 0.20 * radius, 0.35),
    ])  # fmt: skip
    return Plan(outline, river, roads, _make_streets(heart, river, radius, rng), centres)


def _make_streets(heart: Floats, river: LineString, radius: float, rng: np.random.Generator) -> Streets:
    """Around the heart streets run along and across the rings, at the river along its banks, else as they please."""
    turn = rng.uniform(0, 2 * np.pi, 10)
    rings = heart + 0.55 * radius * np.column_stack([np.cos(turn), np.sin(turn)])
    banks = np.array([river.interpolate(share, normalized=True).coords[0] for share in np.linspace(0.1, 0.9, 9)])
    ahead = np.array([river.interpolate(share + 0.01, normalized=True).coords[0] for share in np.linspace(0.1, 0.9, 9)])
    wild = rng.uniform(-1.1, 1.1, (16, 2)) * radius
    flow = np.arctan2(*(ahead - banks).T[::-1])
    return streets_of(
        at=np.vstack([rings, banks, wild]),
        angle=np.concatenate([turn, flow, rng.normal(0.12, 0.28, len(wild))]),
        reach=np.concatenate([np.full(10, 0.16), np.full(9, 0.12), np.full(16, 0.22)]) * radius,
        extent=1.5 * radius,
    )


def _outline(area_km2: float, radius: float, rng: np.random.Generator) -> Polygon:
    """The border: a lobed shape of straight stretches, of just the area that is wanted."""
    turn = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    reach = np.ones_like(turn)
    for lobes, size in ((2, 0.12), (3, 0.10), (4, 0.05), (5, 0.05), (7, 0.035), (11, 0.025), (17, 0.015), (29, 0.012)):
        reach += size * np.cos(lobes * turn + rng.uniform(0, 2 * np.pi))
    points = radius * reach[:, None] * np.column_stack([0.94 * np.cos(turn), 1.06 * np.sin(turn)])
    rough = Polygon(points).simplify(0.008 * radius)
    grown = float(np.sqrt(area_km2 * 1e6 / rough.area))
    return Polygon(shapely.get_coordinates(rough.exterior) * grown)


def _curve(points: Floats) -> LineString:
    """A smooth line through points, with a vertex every 200 m or so."""
    from scipy.interpolate import make_interp_spline  # noqa: PLC0415 - slow to load, and most never make a city

    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return LineString(make_interp_spline(at, points, k=3)(np.linspace(0, at[-1], int(at[-1] / 200) + 2)))


def _people(plan: Plan, rng: np.random.Generator) -> Floats:
    """Points all over the district, denser around the centres."""
    west, south, east, north = plan.outline.bounds
    taken: list[Floats] = []
    while sum(map(len, taken)) < _PEOPLE:
        points = rng.random((_PEOPLE, 2)) * (east - west, north - south) + (west, south)
        many = np.full(len(points), 0.16)
        for x, y, reach, weight in plan.centres:
            many += weight * np.exp(-((points[:, 0] - x) ** 2 + (points[:, 1] - y) ** 2) / (2 * reach**2))
        lives = rng.random(len(points)) < many / (0.16 + plan.centres[:, 3].sum())
        taken.append(points[lives & shapely.contains_xy(plan.outline, points[:, 0], points[:, 1])])
    return np.vstack(taken)[:_PEOPLE]


def _towns(plan: Plan, number: int, rng: np.random.Generator) -> list[Ground]:
    """The outline cut by river and roads where these leave large pieces, and by streets into the number wanted."""
    pieces = [plan.outline]
    for line in (plan.river, *plan.roads):
        pieces = [part for piece in pieces for part in split(piece, line).geoms]
    people = _people(plan, rng)
    pieces = _joined(pieces, people, len(people) / number, number)
    grounds = [Ground(piece, _within(piece, people)) for piece in pieces]
    shares = shares_of([len(ground.people) for ground in grounds], number)
    return [
        part for ground, share in zip(grounds, shares, strict=True) for part in divide(ground, share, plan.streets, rng)
    ]


def _joined(pieces: list[Polygon], people: Floats, fair: float, most: int) -> list[Polygon]:
    """Pieces with less than half the people of a town join the neighbour of the longest border."""
    while len(pieces) > 1:
        counts = [len(_within(piece, people)) for piece in pieces]
        small = int(np.argmin(counts))
        if counts[small] >= 0.55 * fair and len(pieces) <= most:
            break
        piece = pieces.pop(small)
        borders = [piece.intersection(other).length for other in pieces]
        neighbour = int(np.argmax(borders))
        pieces[neighbour] = shapely.union(pieces[neighbour], piece)
    return pieces


def _within(polygon: Polygon, people: Floats) -> Floats:
    shapely.prepare(polygon)
    inside: Floats = people[shapely.contains_xy(polygon, people[:, 0], people[:, 1])]
    return inside


def shares_of(weights: Sequence[float], total: int) -> list[int]:
    """`total` shared out by weight in whole numbers, at least one each (largest remainder)."""
    weight = np.asarray(weights, np.float64) + 1e-9
    exact = weight / weight.sum() * (total - len(weight))
    whole = np.floor(exact).astype(int)
    for i in np.argsort(whole - exact, kind="stable")[: total - len(weight) - whole.sum()]:
        whole[i] += 1
    return [1 + int(share) for share in whole]


def _shared_out(grounds: list[Ground], number: int, rng: np.random.Generator) -> Iterator[tuple[int, Ground, int]]:
    """(position, piece, into how many it is to be cut), of `number` in all."""
    weights = [len(ground.people) * rng.uniform(0.8, 1.25) for ground in grounds]
    for parent, (ground, share) in enumerate(zip(grounds, shares_of(weights, number), strict=True)):
        yield parent, ground, share


def _in_order(grounds: Iterable[Ground]) -> list[Ground]:
    """From west to east in bands from north to south, as GB/T 30428.1 numbers cells (verified: no)."""
    pieces = list(grounds)
    band = float(np.sqrt(np.mean([piece.polygon.area for piece in pieces])))
    centre = [piece.polygon.centroid for piece in pieces]
    key = [(round(-point.y / band), point.x) for point in centre]
    return [pieces[i] for i in sorted(range(len(pieces)), key=key.__getitem__)]


def _kinds(grids: list[Ground], plan: Plan, rng: np.random.Generator) -> list[GridKind]:
    """Villagers where few live, street fronts along the main roads, extensions anywhere at the edge of town."""
    crowd = np.array([len(grid.people) / grid.polygon.area for grid in grids])
    from_road = np.array([min(road.distance(grid.polygon.centroid) for road in plan.roads) for grid in grids])
    size = np.sqrt([grid.polygon.area for grid in grids])
    rank = {
        GridKind.VILLAGERS: crowd * rng.uniform(0.75, 1.3, len(grids)),
        GridKind.EXTENSION: crowd * rng.uniform(0.3, 3.0, len(grids)),
        GridKind.STREET: from_road / size,
    }
    kinds: list[GridKind] = [GridKind.RESIDENTS] * len(grids)
    for kind, share in _SHARES:
        free = [i for i in np.argsort(rank[kind], kind="stable") if kinds[i] is GridKind.RESIDENTS]
        for i in free[: round(share * len(grids))]:
            kinds[i] = kind
    return kinds


def _in_degrees(polygons: list[Polygon]) -> list[Polygon]:
    """The same pieces in degrees, with edges that neighbours share vertex by vertex."""
    plane = metres_around(*CENTRE)
    # Noded in metres first: what is straight there is bent in degrees, and a corner on an edge would leave it.
    edges = shapely.unary_union(shapely.get_exterior_ring(np.array(polygons, dtype=object)), grid_size=0.001)
    bent = shapely.transform(
        edges, lambda xy: np.column_stack(plane.transform(xy[:, 0], xy[:, 1], direction="INVERSE"))
    )
    exact = shapely.transform(shapely.unary_union(bent, grid_size=_GRID), lambda xy: np.round(xy, DECIMALS))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(exact)))
    inside = [polygon.representative_point() for polygon in faces]
    metres = shapely.transform(inside, lambda xy: np.column_stack(plane.transform(xy[:, 0], xy[:, 1])))
    face, piece = shapely.STRtree(polygons).query(metres, predicate="intersects")
    if len(faces) != len(polygons) or len(np.unique(piece)) != len(polygons):
        raise ValueError(f"{len(polygons)} pieces became {len(faces)} faces: some are thinner than a centimetre")
    return [faces[i] for i in face[np.argsort(piece, kind="stable")]]


def _layers(
    tree: list[_Level], modules: list[Polygon], kinds: list[GridKind], rng: np.random.Generator, day: dt.date | None
) -> Layers:
    """Codes, names and polygons; the polygons of each layer are the union of those below."""
    polygons: list[Sequence[Shape]] = [modules]
    for level in reversed(tree[1:]):
        polygons.append(_united(polygons[-1], level.parents))
    towns, disposal_grids, self_grids = polygons[:0:-1]
    fresh = names(rng)
    town_names = [_town_name(next(fresh), ground, tree[0].grounds) for ground in tree[0].grounds]
    grid_names = [next(fresh) for _ in self_grids]
    return Layers(
        tuple(
            Town(code=f"T{i + 1:02d}", name_zh=zh, name_en=en, polygon=polygon, valid_from=day)
            for i, (polygon, (zh, en)) in enumerate(zip(towns, town_names, strict=True))
        ),
        tuple(
            DisposalGrid(
                code=f"D{i + 1:02d}",
                name_zh=f"{town_names[parent][0]}第{nth}处置网格",
                name_en=f"{town_names[parent][1]} Disposal Grid {nth}",
                polygon=polygon,
                town=f"T{parent + 1:02d}",
                valid_from=day,
            )
            for i, (polygon, parent, nth) in enumerate(_numbered(disposal_grids, tree[1]))
        ),
        tuple(
            SelfGrid(
                code=f"S{i + 1:03d}",
                name_zh=grid_names[i][0] + _WORDS[kinds[i]][0],
                name_en=f"{grid_names[i][1]} {_WORDS[kinds[i]][1]}",
                polygon=polygon,
                kind=kinds[i],
                disposal_grid=f"D{parent + 1:02d}",
                valid_from=day,
            )
            for i, (polygon, parent, _) in enumerate(_numbered(self_grids, tree[2]))
        ),
        tuple(
            Module(
                code=f"M{i + 1:04d}",
                name_zh=f"{grid_names[parent][0]}{nth:02d}",
                name_en=f"{grid_names[parent][1]} {nth:02d}",
                polygon=polygon,
                self_grid=f"S{parent + 1:03d}",
                valid_from=day,
            )
            for i, (polygon, parent, nth) in enumerate(_numbered(modules, tree[3]))
        ),
    )


def _numbered(polygons: Sequence[Shape], level: _Level) -> Iterator[tuple[Shape, int, int]]:
    """(polygon, number of its parent, its number within the parent from 1)."""
    begun: dict[int, int] = {}
    for polygon, parent in zip(polygons, level.parents, strict=True):
        begun[parent] = begun.get(parent, 0) + 1
        yield polygon, parent, begun[parent]


def _united(polygons: Sequence[Shape], parents: list[int]) -> list[Shape]:
    """The union of the polygons of each parent; every vertex on its border stays."""
    parent = np.array(parents)
    every: npt.NDArray[Any] = np.array(polygons, dtype=object)
    return [_one(shapely.coverage_union_all(every[parent == i])) for i in range(parent.max() + 1)]


def _one(shape: Any) -> Shape:
    """A polygon where a collection holds just one."""
    return shape.geoms[0] if hasattr(shape, "geoms") and len(shape.geoms) == 1 else shape


def _town_name(name: Name, ground: Ground, towns: list[Ground]) -> Name:
    """The denser towns are streets 街道, the others towns 镇."""
    crowd = len(ground.people) / ground.polygon.area
    others = sorted((len(town.people) / town.polygon.area for town in towns), reverse=True)
    street = crowd >= others[max(0, round(0.35 * len(towns)) - 1)]
    return (f"{name[0]}街道", f"{name[1]} Subdistrict") if street else (f"{name[0]}镇", f"{name[1]} Town")
