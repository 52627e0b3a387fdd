"""Transitions row by row, grouped as they were decided: what one reading did in one scene stands together."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from alerts.alert import Member, level_key
from alerts.event import Measured
from alerts.ports import Scene
from city.device import Device
from core.clock import rfc3339
from core.severity import Severity
from thresholds import transition
from thresholds.transition import TransitionKind, Transitions


class Row(transition.Row):
    """One transition as plain numbers, of one level of an alert."""

    __slots__ = ()

    @property
    def key(self) -> int:
        """The level's key among the levels of its scene."""
        return level_key(self.feed, self.severity)

    @property
    def by_reading(self) -> bool:
        """False if the end of a delay decided, at an instant that no reading needs to have."""
        return not (self.delay_ms > 0 and self.at == self.onset + self.delay_ms)


class Source(NamedTuple):
    """Who stands behind a feed."""

    device: Device
    metric: str
    unit: str

    @property
    def feed(self) -> str:
        """The feed's name, `device/metric`."""
        return f"{self.device.id}/{self.metric}"


def by_reading(transitions: Transitions) -> Iterator[list[Row]]:
    """The rows of each reading and scene together, in the order in which they were decided.

    A reading is known by its feed, its time and its arrival; the rows of one are never in two calls.
    """
    rows = map(Row._make, transitions.rows())
    for _, of_reading in groupby(rows, key=lambda row: (row.feed, row.at, row.arrival)):
        scenes: dict[int, list[Row]] = {}
        for row in of_reading:
            scenes.setdefault(row.scene, []).append(row)
        yield from scenes.values()


def raised_again(member: Member) -> Row:
    """The transition that made `member`, without its arrival."""
    return Row(
        kind=TransitionKind.RAISED,
        feed=member.feed,
        scene=-1,
        severity=member.severity,
        at=member.at_ms,
        onset=member.onset_ms,
        value=member.measured.value,
        arrival=0,
        delay_ms=member.delay_ms,
    )


def member_of(scene: Scene, source: Source, row: Row) -> Member:
    """The active level that a raise makes."""
    return Member(
        feed=row.feed,
        severity=row.severity,
        at_ms=row.at,
        onset_ms=row.onset,
        delay_ms=row.delay_ms,
        gateway=source.device.gateway,
        leaf=scene.leaf(Severity(row.severity), source.device, row.at),
        measured=Measured(
            device=source.device.id,
            metric=source.metric,
            value=row.value,
            unit=source.unit,
            limit=scene.limit_words(Severity(row.severity), source.device, row.at),
            since=rfc3339(row.onset),
        ),
    )
