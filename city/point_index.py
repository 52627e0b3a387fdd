"""Which polygon holds a point: exact, and fast because almost no point has to ask the geometry.

A fine grid of cells is laid over the polygons once. Cells that no edge touches lie in one polygon, or in none, as a
whole: their points are answered by a look-up. Points in the other cells ask shapely, with exact predicates, about the
few polygons whose edges touch the cell. Both ways give the same answer, so the grid's fineness is a matter of speed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from city.places import Shape

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

_SLACK = 1e-12
"""Degrees by which the box of a piece of an edge grows: more than the rounding of the points that cut it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the cells lie; cell (row, column) of a point is its distance from the corner in sizes, rounded down."""

    west: float
    south: float
    size: float
    columns: int
    rows: int

    def column(self, lon: Floats) -> Floats:
        """Columns as whole numbers in float64; never falls where `lon` rises."""
        return np.floor((lon - self.west) / self.size)

    def row(self, lat: Floats) -> Floats:
        """Rows as whole numbers in float64; never falls where `lat` rises."""
        return np.floor((lat - self.south) / self.size)


class PointIndex:
    """Finds the first of some polygons that covers a point, its edge included.

    Args:
        polygons: They do not overlap, and stand in the order in which they win a point of a common edge.
        cells: About how many cells to lay; 4 bytes each.
        kept: `arrays()` of an index of the same polygons, instead of making them.
    """

    def __init__(
        self, polygons: Sequence[Shape], *, cells: int = 4_000_000, kept: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        self._polygons: npt.NDArray[Any] = np.array(polygons, dtype=object)
        shapely.prepare(self._polygons)
        self._tree = shapely.STRtree(self._polygons)
        if kept is not None:
            west, south, size, columns, rows = kept["grid"]
            self._grid = Grid(float(west), float(south), float(size), int(columns), int(rows))
            self._cells, self._starts, self._candidates = kept["cells"], kept["starts"], kept["candidates"]
            return
        self._grid = _grid_over(self._polygons, cells)
        touched, self._starts, self._candidates = _touched(self._polygons, self._grid)
        self._cells = self._labelled(touched)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What was laid over the polygons, to be kept."""
        grid = np.array([self._grid.west, self._grid.south, self._grid.size, self._grid.columns, self._grid.rows])
        return {"grid": grid, "cells": self._cells, "starts": self._starts, "candidates": self._candidates}

    def find(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Ints:
        """Index of the first polygon that covers each point, -1 where none does; int32 in the shape of `lon`.

        A point with a NaN or an infinity is in no polygon.
        """
        x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
        shape = x.shape
        x, y = x.ravel(), y.ravel()
        column, row = self._grid.column(x), self._grid.row(y)
        inside = (column >= 0) & (column < self._grid.columns) & (row >= 0) & (row < self._grid.rows)
        cell = np.where(inside, row * self._grid.columns + column, 0).astype(np.int64)
        found: Ints = np.where(inside, self._cells[cell], np.int32(-1))
        asking = np.flatnonzero(found < -1)
        if len(asking):
            # Neighbours one after the other: each polygon's own index is then in the processor's cache.
            asking = asking[np.argsort(found[asking])]
            found[asking] = self._ask(x[asking], y[asking], -2 - found[asking])
        return found.reshape(shape)

    def _ask(self, x: Floats, y: Floats, mixed: Ints) -> Ints:
        """The answer of the geometry for points in touched cells; `mixed` is the number of the touched cell."""
        found = np.full(len(x), -1, np.int32)
        at, end = self._starts[mixed], self._starts[mixed + 1]
        open_ = np.arange(len(x))
        while len(open_):
            candidate = self._candidates[at[open_]]
            holds = shapely.intersects_xy(self._polygons[candidate], x[open_], y[open_])
            found[open_[holds]] = candidate[holds]
            at[open_] += 1
            open_ = open_[~holds & (at[open_] < end[open_])]
        return self._ask_all(x, y, found)

    def _ask_all(self, x: Floats, y: Floats, found: Ints) -> Ints:
        """Ask every polygon about points that no candidate holds: outside, or near another's edge by a hair."""
        rest = np.flatnonzero(found < 0)
        if len(rest):
            found[rest] = first_covering(self._tree, x[rest], y[rest])
        return found

    def _labelled(self, touched: npt.NDArray[np.bool_]) -> Ints:
        """The answer of each cell: a polygon, -1 for none, -2 - k for the k-th touched cell."""
        from scipy import ndimage  # noqa: PLC0415 - slow to load, and a kept index needs none of it

        faces, _ = ndimage.label(~touched)
        cells = np.empty(touched.shape, np.int32)
        cells[touched] = -2 - np.arange(np.count_nonzero(touched), dtype=np.int32)
        row, column = np.divmod(_one_of_each(faces.ravel()), self._grid.columns)
        x = self._grid.west + (column + 0.5) * self._grid.size
        y = self._grid.south + (row + 0.5) * self._grid.size
        answers = np.concatenate([np.full(1, -1, np.int32), first_covering(self._tree, x, y)])
        return np.where(touched, cells, answers[faces]).astype(np.int32).ravel()


def first_covering(tree: shapely.STRtree, lon: Floats, lat: Floats) -> Ints:
    """Index of the first polygon of a tree that covers each point, -1 where none does."""
    found = np.full(len(lon), np.iinfo(np.int32).max, np.int32)
    finite = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
    point, polygon = tree.query(shapely.points(lon[finite], lat[finite]), predicate="intersects")
    np.minimum.at(found, finite[point], polygon.astype(np.int32))
    return np.where(found == np.iinfo(np.int32).max, np.int32(-1), found)


def _one_of_each(faces: Ints) -> npt.NDArray[np.int64]:
    """The position of one cell of each face 1, 2, ...; 0 stands for the touched cells."""
    starts = np.flatnonzero(np.diff(faces, prepend=0))
    face, first = np.unique(faces[starts], return_index=True)
    return starts[first[face > 0]]


def _grid_over(polygons: npt.NDArray[Any], cells: int) -> Grid:
    if not len(polygons):
        return Grid(0.0, 0.0, 1.0, 1, 1)
    west, south, east, north = shapely.total_bounds(polygons)
    size = max(np.sqrt((east - west) * (north - south) / cells), (east - west) / cells, (north - south) / cells, 1e-7)
    # One empty cell all around: what lies outside is one face.
    columns, rows = int((east - west) / size) + 3, int((north - south) / size) + 3
    return Grid(float(west - size), float(south - size), float(size), columns, rows)


def _touched(polygons: npt.NDArray[Any], grid: Grid) -> tuple[npt.NDArray[np.bool_], Ints, Ints]:
    """The cells that an edge touches, or almost, and for each of them (starts, candidates) whose edge it is.

    Every edge is cut into pieces of at most half a cell's size; a piece marks all cells that its box touches.
    """
    rings, owner = shapely.get_parts(shapely.boundary(polygons), return_index=True)
    points, ring = shapely.get_coordinates(shapely.segmentize(rings, grid.size / 2), return_index=True)
    same = ring[1:] == ring[:-1]
    a, b, owner = points[:-1][same], points[1:][same], owner[ring[1:][same]]
    low, high = np.minimum(a, b) - _SLACK, np.maximum(a, b) + _SLACK
    columns = (grid.column(low[:, 0]), grid.column(high[:, 0]))
    rows = (grid.row(low[:, 1]), grid.row(high[:, 1]))
    keys = np.sort(
        np.concatenate(
            [
                ((row * grid.columns + column) * len(polygons) + owner).astype(np.int64)
                for row in rows
                for column in columns
            ]
        )
    )
    keys = keys[np.diff(keys, prepend=-1) != 0]  # np.unique hashes: far slower on so many
    cell, candidate = np.divmod(keys, max(1, len(polygons)))
    marked, starts = np.unique(cell, return_index=True)
    touched = np.zeros(grid.rows * grid.columns, np.bool_)
    touched[marked] = True
    ends = np.append(starts, len(cell)).astype(np.int32)
    return touched.reshape(grid.rows, grid.columns), ends, candidate.astype(np.int32)
