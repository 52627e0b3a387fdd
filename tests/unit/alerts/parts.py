"""Scenes, feeds and transitions to drive the alert stage with, from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alerts.change import AlertChange
from alerts.lifecycle import AlertStage
from city.device import Device
from core.severity import Severity
from thresholds.transition import TransitionKind, Transitions

MIN = 60_000
T0 = 1_780_000_000_000


@dataclass(frozen=True)
class SceneOf:
    id: str = "road-flooding"
    title_en: str = "Road flooding"
    title_zh: str = "道路积水"
    stage: str = "live"
    pilot_towns: frozenset[str] = frozenset()
    leaf_of_all: str | None = "14-01-02"
    leaf_of: Mapping[tuple[str, Severity], str] = field(default_factory=dict)
    auto: bool = True
    case_from: Severity = Severity.MINOR
    fold_window_ms: int | None = None
    by_town: bool = False
    version: str = "v1"

    def fold_key(self, device: Device) -> str:
        return device.town if self.by_town else device.alert_place

    def leaf(self, severity: Severity, device: Device, at_ms: int) -> str | None:  # noqa: ARG002
        return self.leaf_of.get((device.kind, severity), self.leaf_of_all)

    def leaves(self, device: Device, at_ms: int) -> str:
        return " ".join(str(self.leaf(severity, device, at_ms)) for severity in Severity)

    def pilot_at(self, device: Device) -> bool:
        return device.town in self.pilot_towns

    def limit_words(self, severity: Severity, device: Device, at_ms: int) -> str:  # noqa: ARG002
        return f"above {10 * severity}"


@dataclass(frozen=True)
class ScenesOf:
    scenes: Sequence[SceneOf] = (SceneOf(),)


@dataclass(frozen=True)
class FeedsOf:
    rows: list[tuple[Device, str, str]] = field(default_factory=list)

    def feed(self, index: int) -> tuple[Device, str, str]:
        return self.rows[index]


def device(name: str, place: str = "M1", gateway: str = "g1", town: str = "T01") -> tuple[Device, str, str]:
    return Device(id=name, gateway=gateway, place=place, town=town), "depth_cm", "cm"


def feeds() -> FeedsOf:
    """Two feeds of g1 and one of g2 in module M1, one of g1 in M2."""
    return FeedsOf([device("d0"), device("d1"), device("d2", gateway="g2"), device("d3", place="M2")])


@dataclass(frozen=True)
class Row:
    kind: TransitionKind
    feed: int
    at: int
    severity: Severity = Severity.MINOR
    value: float = 20.0
    scene: int = 0
    arrival: int | None = None
    onset: int | None = None
    delay_ms: int = 0


def transitions(*rows: Row) -> Transitions:
    columns = zip(
        *[
            (
                int(r.kind),
                r.feed,
                r.scene,
                int(r.severity),
                r.at,
                r.at - r.delay_ms if r.onset is None else r.onset,
                r.value,
                r.at * 1_000_000 if r.arrival is None else r.arrival,
                r.delay_ms,
            )
            for r in rows
        ],
        strict=True,
    )
    empty = Transitions.empty()
    dtypes = [getattr(empty, name).dtype for name in Transitions.__slots__]
    return Transitions(*(np.array(c, dtype) for c, dtype in zip(columns, dtypes, strict=True)))


class Timeline:
    """A stage, and everything that it said."""

    def __init__(self, *scenes: SceneOf, feeds_of: FeedsOf | None = None, wall: bool = True) -> None:
        self.scenes = ScenesOf(scenes or (SceneOf(),))
        self.stage = AlertStage(self.scenes, feeds_of or feeds(), wall=wall)
        self.told: list[AlertChange] = []

    def push(self, *rows: Row, decided_ns: int | None = None) -> list[AlertChange]:
        """All rows in one call."""
        changes = self.stage.on_transitions(transitions(*rows), decided_ns)
        self.told += changes
        return changes

    def raised(
        self, feed: int, at: int, severity: Severity = Severity.MINOR, value: float = 20.0, scene: int = 0
    ) -> list[AlertChange]:
        return self.push(Row(TransitionKind.RAISED, feed, at, severity, value, scene))

    def cleared(
        self, feed: int, at: int, severity: Severity = Severity.MINOR, value: float = 1.0, scene: int = 0
    ) -> list[AlertChange]:
        return self.push(Row(TransitionKind.CLEARED, feed, at, severity, value, scene))

    @property
    def story(self) -> list[tuple[str, str, str]]:
        """What was told: the type's name, the severity, the state."""
        return [(c.type.name.lower(), c.data.severity, c.data.state) for c in self.told]


def only(changes: list[AlertChange]) -> AlertChange:
    assert len(changes) == 1, changes
    return changes[0]
