"""All places of the district on one day, and where a point lies among them."""

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from city.places import DisposalGrid, Module, Place, SelfGrid, Town
from city.point_index import Ints, PointIndex
from core.errors import ConfigError

AnyPlace = TypeVar("AnyPlace", bound=Place)


@dataclass(frozen=True, slots=True)
class Layers:
    """Every place that is known, of all days; a layer may be empty."""

    towns: tuple[Town, ...] = ()
    disposal_grids: tuple[DisposalGrid, ...] = ()
    self_grids: tuple[SelfGrid, ...] = ()
    modules: tuple[Module, ...] = ()

    def of(self, layer: str) -> tuple[Place, ...]:
        """The places of a layer by its name."""
        places: tuple[Place, ...] = getattr(self, layer)
        return places

    def replaced(self, layer: str, places: Iterable[Place]) -> "Layers":
        """The same with other places in one layer."""
        changed: dict[str, Any] = {layer: tuple(places)}
        return replace(self, **changed)


class Located(NamedTuple):
    """Where points lie: indices into the layers of an atlas, int32, -1 outside the district.

    With an atlas that has no modules (or grids), the columns of what is missing are -1 everywhere.
    """

    module: Ints
    self_grid: Ints
    disposal_grid: Ints
    town: Ints

    @property
    def outside(self) -> npt.NDArray[np.bool_]:
        """Which points lie in no place at all, shape (n,)."""
        return self.town < 0


class Spot(NamedTuple):
    """Where one point lies; None for a layer that the atlas has not."""

    module: Module | None
    self_grid: SelfGrid | None
    disposal_grid: DisposalGrid | None
    town: Town


class Atlas:
    """The four layers on one day, each in the order of its codes, looked up fast.

    A point on an edge belongs to the place of the lower code (codes compare as text), and its grids and town are those
    of that place: the four answers always agree. The layers have to be a partition; `city.partition` tells.

    Args:
        layers: Every place that is known.
        day: The day.
        kept: The arrays of an index of its finest layer, where they were kept.

    Raises:
        ConfigError: If a place names a parent that is not there on the day, or a code stands twice.
    """

    def __init__(self, layers: Layers, day: dt.date, *, kept: Mapping[str, npt.NDArray[Any]] | None = None) -> None:
        self._kept = kept
        self.layers = layers
        self.day = day
        self.towns = of_day(layers.towns, day)
        self.disposal_grids = of_day(layers.disposal_grids, day)
        self.self_grids = of_day(layers.self_grids, day)
        self.modules = of_day(layers.modules, day)
        self.town_index = _by_code(self.towns)
        self.disposal_grid_index = _by_code(self.disposal_grids)
        self.self_grid_index = _by_code(self.self_grids)
        self._self_grid_of = _parents(self.modules, [m.self_grid for m in self.modules], self.self_grid_index)
        self._disposal_grid_of = _parents(
            self.self_grids, [g.disposal_grid for g in self.self_grids], self.disposal_grid_index
        )
        self._town_of = _parents(self.disposal_grids, [g.town for g in self.disposal_grids], self.town_index)

    def of(self, layer: str) -> tuple[Place, ...]:
        """The places of a layer by its name, in the order of their codes."""
        places: tuple[Place, ...] = getattr(self, layer)
        return places

    def on(self, day: dt.date) -> "Atlas":
        """The atlas of another day; it shares the index of this one where nothing is different on it."""
        other = Atlas(self.layers, day)
        same = all(
            len(mine) == len(theirs) and all(a is b for a, b in zip(mine, theirs, strict=True))
            for mine, theirs in (
                (self.modules, other.modules),
                (self.self_grids, other.self_grids),
                (self.disposal_grids, other.disposal_grids),
                (self.towns, other.towns),
            )
        )
        if same:
            other.__dict__.update({**self.__dict__, "day": day})
        return other

    @cached_property
    def index(self) -> PointIndex:
        """The index of the finest layer; made when it is first asked for."""
        return PointIndex([place.polygon for place in self._finest], kept=self._kept)

    def prepare(self) -> None:
        """Make the index now, so that the first point does not wait for it."""
        self.index  # noqa: B018 - asking makes it

    @property
    def _finest(self) -> Sequence[Place]:
        return self.modules or self.self_grids or self.disposal_grids or self.towns

    def locate(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Located:
        """Where points lie, vectorised.

        Args:
            lon: Degrees east, WGS-84, float64 of any shape.
            lat: Degrees north.
        """
        found = self.index.find(lon, lat)
        nowhere = np.full(found.shape, -1, np.int32)
        module = found if self.modules else nowhere
        self_grid = self._self_grid_of[found] if self.modules else found if self.self_grids else nowhere
        if self.self_grids:
            disposal_grid = self._disposal_grid_of[self_grid]
        else:
            disposal_grid = found if self.disposal_grids else nowhere
        town = self._town_of[disposal_grid] if self.disposal_grids else found
        return Located(module, self_grid, disposal_grid, town)

    def locate_one(self, lon: float, lat: float) -> Spot | None:
        """Where one point lies; None outside the district."""
        module, self_grid, disposal_grid, town = (int(column) for column in self.locate(lon, lat))
        if town < 0:
            return None
        return Spot(
            self.modules[module] if module >= 0 else None,
            self.self_grids[self_grid] if self_grid >= 0 else None,
            self.disposal_grids[disposal_grid] if disposal_grid >= 0 else None,
            self.towns[town],
        )


def of_day(places: Sequence[AnyPlace], day: dt.date) -> tuple[AnyPlace, ...]:
    """The places that are there on a day, in the order of their codes."""
    return tuple(sorted((p for p in places if p.valid_on(day)), key=lambda p: p.code))


def _by_code(places: Sequence[Place]) -> Mapping[str, int]:
    index = {place.code: i for i, place in enumerate(places)}
    if len(index) < len(places):
        twice = next(a.code for a, b in itertools.pairwise(places) if a.code == b.code)
        raise ConfigError(f"the code {twice} stands twice on one day")
    return index


def _parents(children: Sequence[Place], codes: Sequence[str], index: Mapping[str, int]) -> Ints:
    """The index of each child's parent, and -1 at the end: the parent of -1."""
    lost = [(child, code) for child, code in zip(children, codes, strict=True) if code not in index]
    if lost:
        raise ConfigError("\n".join(f"{child.code}: there is no {code} to lie in" for child, code in lost))
    return np.array([*(index[code] for code in codes), -1], np.int32)
