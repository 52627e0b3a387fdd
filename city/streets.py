"""Ground cut along streets: the geometry behind a made-up district.

A field of directions says how streets run at each point; it has no sense and no side, so a street and its cross street
are the same direction. Ground is halved again and again by streets that follow the field, so that blocks of one
quarter lie alike and quarters differ. shapely does the cutting.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString, Polygon
from shapely.ops import split

Floats = npt.NDArray[np.float64]

_CURVED_FROM_M = 900.0
"""Ground longer than this is cut by a curved street, shorter by a straight one."""
_STEP_M = 140.0
_CELL_M = 100.0
_TRIES = 48
_FEWEST_POINTS = 12


@dataclass(frozen=True, slots=True)
class Streets:
    """Which way streets run, on a square of cells of `_CELL_M` around the middle; made by `streets_of`."""

    angles: Floats

    def direction(self, x: float, y: float) -> float:
        """Angle of the streets at a point in radians; a quarter turn more or less is the same."""
        half, most = len(self.angles) // 2, len(self.angles) - 1
        column, row = int(x // _CELL_M) + half, int(y // _CELL_M) + half
        return float(self.angles[min(max(row, 0), most), min(max(column, 0), most)])

    def trace(self, x: float, y: float, heading: float, length: float) -> list[tuple[float, float]]:
        """Points of the street from (x, y) in the direction nearest to `heading`."""
        points = []
        for _ in range(int(length / _STEP_M) + 1):
            turned = self.direction(x, y) - heading
            heading += turned - np.pi / 2 * round(turned / (np.pi / 2))
            x, y = x + _STEP_M * np.cos(heading), y + _STEP_M * np.sin(heading)
            points.append((x, y))
        return points


def streets_of(at: Floats, angle: Floats, reach: Floats, extent: float) -> Streets:
    """Streets that run as their anchors say: the nearer one is, and the farther it reaches, the more it says.

    Args:
        at: Where the anchors are, metres around the middle, one a row.
        angle: Their directions in radians.
        reach: How far they reach, metres.
        extent: How far from the middle anybody will ask; beyond, streets run as at the edge.
    """
    cells = 2 * (int(extent / _CELL_M) + 1)
    middle = (np.arange(cells) - cells // 2 + 0.5) * _CELL_M
    # Four times the angle: a street and its cross street are the same direction, and can be added.
    sine, cosine = np.zeros((cells, cells)), np.zeros((cells, cells))
    for (x, y), turn, far in zip(at, angle, reach, strict=True):
        weight = np.exp(-((middle[None, :] - x) ** 2 + (middle[:, None] - y) ** 2) / (2 * far**2)) + 1e-12
        sine += weight * np.sin(4 * turn)
        cosine += weight * np.cos(4 * turn)
    return Streets(np.arctan2(sine, cosine) / 4)


@dataclass(frozen=True, slots=True)
class Ground:
    """A piece of ground and the people on it (points in metres, one a row): where there are more, it is cut smaller."""

    polygon: Polygon
    people: Floats


def divide(ground: Ground, parts: int, streets: Streets, rng: np.random.Generator) -> Iterator[Ground]:
    """Cut ground into `parts` of about as many people each, by streets."""
    if parts == 1:
        yield ground
        return
    first = int(np.clip(round(parts * rng.uniform(0.4, 0.6)), 1, parts - 1))
    for half, share in zip(halve(ground, first / parts, streets, rng), (first, parts - first), strict=True):
        yield from divide(half, share, streets, rng)


def halve(ground: Ground, share: float, streets: Streets, rng: np.random.Generator) -> tuple[Ground, Ground]:
    """Cut ground in two, about `share` of its people in the first part.

    Raises:
        ValueError: If no street leaves two parts that are each in one piece.
    """
    people = ground.people if len(ground.people) >= _FEWEST_POINTS else _sprinkled(ground.polygon, rng)
    corners = shapely.get_coordinates(ground.polygon)
    middle = people.mean(axis=0)
    angle = streets.direction(*middle)
    angle += np.pi / 2 * (_extent(corners, angle) * rng.uniform(0.85, 1.18) > _extent(corners, angle + np.pi / 2))
    for attempt in range(_TRIES):
        # The first tries keep to the streets; the later ones take any way that works.
        turned = angle + attempt // 2 * (np.pi / 2 if attempt < 4 else np.pi / 7)
        at = np.clip(share * rng.uniform(0.88, 1.12), 0.02, 0.98)
        line = _street(people, corners, turned, at, streets, curved=attempt < 4)
        halves = [part for part in split(ground.polygon, line).geoms if part.area > 0]
        if len(halves) == 2 and min(half.area for half in halves) > 0.25 * min(share, 1 - share) * ground.polygon.area:
            return _sorted_halves(halves, people, share)
    raise ValueError(f"no street halves the ground around {ground.polygon.representative_point()}")


def _street(
    people: Floats, corners: Floats, angle: float, share: float, streets: Streets, *, curved: bool
) -> LineString:
    """A street in the direction of `angle` that has `share` of the people on its right."""
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    offset = np.quantile(people @ across, share)
    x, y = np.median(people @ along) * along + offset * across
    length = 1.5 * float(np.hypot(*np.ptp(corners, axis=0)))
    if not curved or length < 1.5 * _CURVED_FROM_M:
        return LineString([(x, y) - length * along, (x, y) + length * along])
    back = streets.trace(x, y, angle + np.pi, length)
    return LineString([*reversed(back), (x, y), *streets.trace(x, y, angle, length)])


def _sorted_halves(halves: list[Any], people: Floats, share: float) -> tuple[Ground, Ground]:
    """The halves with their people, the one first whose share is nearer to `share`."""
    shapely.prepare(halves)
    inside = shapely.contains_xy(halves[0], people[:, 0], people[:, 1])
    a, b = Ground(halves[0], people[inside]), Ground(halves[1], people[~inside])
    return (a, b) if abs(inside.mean() - share) <= abs(1 - inside.mean() - share) else (b, a)


def _extent(corners: Floats, angle: float) -> float:
    return float(np.ptp(corners @ np.array([np.cos(angle), np.sin(angle)])))


def _sprinkled(polygon: Polygon, rng: np.random.Generator) -> Floats:
    """Some points all over a polygon."""
    west, south, east, north = polygon.bounds
    points = rng.random((96, 2)) * (east - west, north - south) + (west, south)
    inside: Floats = points[shapely.contains_xy(polygon, points[:, 0], points[:, 1])]
    return inside if len(inside) else np.array(polygon.representative_point().coords)
