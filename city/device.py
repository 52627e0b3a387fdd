"""Devices and their types: who may publish what, and where it stands."""

from dataclasses import dataclass, field


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
    """One device. `place` is where alerts of it fold (a map module); empty means the device itself."""

    id: str
    gateway: str
    type: str = ""
    place: str = ""
    town: str = ""
    kind: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def alert_place(self) -> str:
        """The place of its alerts: `place`, or the device where none is known."""
        return self.place or self.id
