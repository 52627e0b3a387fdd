"""Devices and their types: who may publish what, and where it stands."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING  # one for all: a million devices mostly have none


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity that a device type measures.

    `unit` is a UCUM code ("" for none); `kind` is `number` or `state` (true/false).
    """

    name: str
    unit: str = ""
    kind: str = "number"
    title_en: str = ""
    title_zh: str = ""


@dataclass(frozen=True, slots=True)
class DeviceType:
    """A type of device with its metrics by name."""

    id: str
    title_en: str
    title_zh: str
    metrics: dict[str, Metric]


@dataclass(frozen=True, slots=True)
class Device:
    """One device, as the register knows it.

    Attributes:
        id: Its name, one level of a topic.
        gateway: Behind which gateway it reports.
        type: Its device type; empty where it is not known.
        place: Where its alerts fold, the code of a map module; empty means the device itself.
        town: Code of the town or street.
        kind: Kind of site, e.g. `underpass`.
        tags: Whatever else is known of it.
        lon: Degrees east, WGS-84; None where it is not known.
        lat: Degrees north, WGS-84.
        self_grid: Code of its self-governance grid.
        disposal_grid: Code of its disposal grid.
        area_class: Class of the area, e.g. `2` of GB 3096 for noise.
        owner: The unit that it belongs to.
        gb28181: 20 digits of a camera.
        installed: Day on which it was installed.
        calibrated: Day of the last calibration.
        calibration_due: Day by which the next one is due.
        design: Design values by metric, in the metric's unit.
        state: Where it is in its life: `adopted`, `active`, `suspended` or `retired`.
    """

    id: str
    gateway: str
    type: str = ""
    place: str = ""
    town: str = ""
    kind: str = ""
    tags: Mapping[str, str] = field(default_factory=_nothing)
    lon: float | None = None
    lat: float | None = None
    self_grid: str = ""
    disposal_grid: str = ""
    area_class: str = ""
    owner: str = ""
    gb28181: str = ""
    installed: dt.date | None = None
    calibrated: dt.date | None = None
    calibration_due: dt.date | None = None
    design: Mapping[str, float] = field(default_factory=_nothing)
    state: str = "active"

    @property
    def alert_place(self) -> str:
        """The place of its alerts: `place`, or the device where none is known."""
        return self.place or self.id
