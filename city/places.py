"""The places of a district: towns, disposal grids, self-governance grids, map modules.

Four layers over the same ground. Many modules lie in one self-governance grid, many of those in one disposal grid, many
of those in one town; which in which is data, and so is how many there are.
"""

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from shapely import MultiPolygon, Polygon

Shape: TypeAlias = "Polygon | MultiPolygon"
"""Degrees, WGS-84, longitude first; straight edges in longitude and latitude, as RFC 7946 has them."""


class GridKind(enum.StrEnum):
    """What kind of ground a self-governance grid is."""

    RESIDENTS = "residents"
    """居委网格: a residents' committee."""
    VILLAGERS = "villagers"
    """村委网格: a villagers' committee."""
    STREET = "street"
    """街面网格: a street front."""
    EXTENSION = "extension"
    """拓展网格: what belongs to no committee: works, parks, building sites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of one layer, as it is on the days from `valid_from` until the day before `valid_to`.

    Attributes:
        code: Its name for programs; unique in its layer on any one day.
        name_zh: Its Chinese name.
        name_en: Its English name.
        polygon: Its ground.
        valid_from: First day; None where it has always been.
        valid_to: First day on which it is no more; None while that is not known.
    """

    code: str
    name_zh: str = ""
    name_en: str = ""
    polygon: Shape = field(repr=False, compare=False)
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None

    def valid_on(self, day: dt.date) -> bool:
        """Whether it is there on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town(Place):
    """A town or street 街镇."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisposalGrid(Place):
    """A disposal grid 处置网格, where enforcement and management forces work; `town` is the code of its town."""

    town: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfGrid(Place):
    """A self-governance grid 自治网格; `disposal_grid` is the code of the grid that it is matched to."""

    kind: GridKind
    disposal_grid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Place):
    """A module of the map 网格模块, the cell to which a point resolves; `self_grid` is the code of its grid."""

    self_grid: str
