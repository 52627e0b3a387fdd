"""Which devices are meant: by what they are known, and how specific that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from city.device import Device
from thresholds.level import Model


def _names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "{value} is not text: put it in quotes", {"value": repr(value)})
    if not 1 <= len(value) <= 64:
        raise PydanticCustomError("text", "a name has 1 to 64 characters")
    return value


Name = Annotated[str, BeforeValidator(_text)]
_NAME_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 64}
Names = Annotated[
    tuple[Name, ...],
    Field(min_length=1),
    BeforeValidator(_names),
    WithJsonSchema({"anyOf": [_NAME_SCHEMA, {"type": "array", "items": _NAME_SCHEMA, "minItems": 1}]}),
]
"""One name or a list of names."""

SPECIFIC = ("device", "place", "grid", "disposal_grid", "gateway", "town", "area_class", "kind", "type")
"""What a device is known by, most specific first: an override with an earlier one wins."""


class Where(Model):
    """Which devices: whatever is given has to fit; of a list, any of it."""

    device: Names | None = Field(None, description="Device ids. 设备编号")
    place: Names | None = Field(None, description="Places (map modules) where it stands. 所在模块")
    grid: Names | None = Field(None, description="Self-governance grids. 自治网格")
    disposal_grid: Names | None = Field(None, description="Disposal grids. 处置网格")
    gateway: Names | None = Field(None, description="Gateways through which it reports. 网关")
    town: Names | None = Field(None, description="Towns or streets. 街镇")
    area_class: Names | None = Field(None, description="Classes of area, e.g. 4a of GB 3096. 功能区类别")
    kind: Names | None = Field(None, description="Kinds of site, e.g. underpass. 场所类别")
    type: Names | None = Field(None, description="Device types of the catalogue. 设备类型")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.given:
            raise PydanticCustomError("nothing", "`where` is empty: give one of {keys}", {"keys": ", ".join(SPECIFIC)})
        return self

    @cached_property
    def given(self) -> dict[str, frozenset[str]]:
        """The names that fit, by attribute, the most specific one first."""
        return {name: frozenset(getattr(self, name)) for name in SPECIFIC if getattr(self, name) is not None}

    @cached_property
    def rank(self) -> tuple[bool, ...]:
        """How specific it is: the greater one wins."""
        return tuple(name in self.given for name in SPECIFIC)

    def fits(self, device: Device) -> bool:
        """Whether `device` is one of those meant."""
        return all(attribute(device, name) in names for name, names in self.given.items())

    def meets(self, other: "Scope") -> bool:
        """Whether some device may fit both."""
        theirs = other.given
        return all(name not in theirs or not names.isdisjoint(theirs[name]) for name, names in self.given.items())

    def covers(self, other: "Scope") -> bool:
        """Whether every device that fits `other` fits this as well."""
        theirs = other.given
        return all(name in theirs and theirs[name] <= names for name, names in self.given.items())


@dataclass(frozen=True, slots=True)
class OneOfEach:
    """A `Where` of one name for each attribute, of which a table has thousands; see `Where`."""

    given: Mapping[str, frozenset[str]]
    rank: tuple[bool, ...]

    def meets(self, other: "Scope") -> bool:
        """Whether some device may fit both."""
        theirs = other.given
        return all(name not in theirs or not names.isdisjoint(theirs[name]) for name, names in self.given.items())

    def covers(self, other: "Scope") -> bool:
        """Whether every device that fits `other` fits this as well."""
        theirs = other.given
        return all(name in theirs and theirs[name] <= names for name, names in self.given.items())


Scope = Where | OneOfEach
"""Which devices, however it is written."""


def attribute(device: Device, name: str) -> str:
    """What `device` is called where a scene says `name`, one of `SPECIFIC`."""
    return str(getattr(device, _ATTRIBUTES.get(name, name)))


_ATTRIBUTES = {"device": "id", "grid": "self_grid"}
"""What a device calls it, where that is another word."""


EVERYWHERE = Where.model_construct()
"""Where all devices are meant."""
