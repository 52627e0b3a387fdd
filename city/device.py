"""Devices and their types: who may publish what, and where it stands."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from city.life import OUT_OF_USE, State
from city.limit import Evidence, Limit

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING  # one for all: a million devices mostly have none


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity that a device type measures.

    Attributes:
        name: As it stands in readings.
        unit: A UCUM code, "" for none.
        kind: `number` or `state` (true/false).
        title_en: Its name in English.
        title_zh: Its name in Chinese.
        range: (lowest, highest) that the device can physically say, both possible; None where it is not known.
        normal: (low, high) of a calm day, None where there is no such band.
        normal_evidence: Where `normal` comes from.
        limits: What is usual, mildest first.
    """

    name: str
    unit: str = ""
    kind: str = "number"
    title_en: str = ""
    title_zh: str = ""
    range: tuple[float, float] | None = None
    normal: tuple[float, float] | None = None
    normal_evidence: Evidence | None = None
    limits: tuple[Limit, ...] = ()

    def limits_on(self, day: dt.date) -> tuple[Limit, ...]:
        """The limits that are in force on a day."""
        return tuple(limit for limit in self.limits if limit.holds_on(day))


@dataclass(frozen=True, slots=True)
class DeviceType:
    """A type of device with its metrics by name.

    Attributes:
        id: Kebab-case.
        title_en: Its name in English.
        title_zh: Its name in Chinese.
        metrics: What it measures, by name.
        interval_ms: Between two readings when nothing happens, None where it is not known.
        alarm_interval_ms: When something does; 0: at once, by the event itself; None: as always.
        offline_after_ms: Silence after which it counts as offline, None where `interval_ms` is not known.
        group: Its part of the catalogue, e.g. `water`.
        beside: Whether it stands beside the catalogue: of tests and recordings, not of the district.
        evidence: Where what has no mark of its own comes from.
    """

    id: str
    title_en: str
    title_zh: str
    metrics: dict[str, Metric]
    interval_ms: int | None = None
    alarm_interval_ms: int | None = None
    offline_after_ms: int | None = None
    group: str = ""
    beside: bool = False
    evidence: Evidence | None = None


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
        state: Where it is in its life, a word of `city.life.State` other than `unknown`.
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
    state: str = State.ACTIVE.value

    @property
    def alert_place(self) -> str:
        """The place of its alerts: `place`, or the device where none is known."""
        return self.place or self.id

    @property
    def out_of_use(self) -> bool:
        """Whether its readings are refused and nothing decides about it."""
        return self.state in OUT_OF_USE

    @property
    def on_trial(self) -> bool:
        """Whether its alerts are in shadow."""
        return self.state == State.ADOPTED

    def moved_to(self, state: State) -> "Device":
        """The same device in another state of its life."""
        return replace(self, state=state.value)
