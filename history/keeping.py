"""What is kept for how long, and the housekeeping that brings it about."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from history.archive import Archive, Tell
from history.days import DAY_MS, day_label
from history.query import STEP_MS
from history.rollup import expire_rollups, make_rollups

_GRACE_MS = 900_000
"""Readings of a day come in until so long after it without being late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept, by whole days of event time, in ms.

    Attributes:
        readings_ms: Readings,
        by_type: of a device type that is named here, so long instead.
        minutes_ms: Roll-ups of a minute.
        hours_ms: Roll-ups of an hour.
    """

    readings_ms: int
    minutes_ms: int
    hours_ms: int
    by_type: Mapping[str, int] = field(default_factory=dict)

    def first_day(self, kind: str, now_ms: int) -> str:
        """The first day whose readings of a device type are kept."""
        return _day_before(now_ms, self.by_type.get(kind, self.readings_ms))


@dataclass(frozen=True, slots=True)
class Tidied:
    """What housekeeping did: files that were merged away, roll-ups made, readings that expired."""

    merged: int
    rolled: int
    expired: int


def tidy(archive: Archive, retention: Retention, *, until_ms: int, now_ms: int, tell: Tell | None = None) -> Tidied:
    """Few files out of many, roll-ups of days that have ended, and what has had its time goes.

    Args:
        archive: What to tidy.
        retention: What is kept for how long.
        until_ms: Up to where history has the readings; days that end later are still running.
        now_ms: By this retention counts.
        tell: Called now and then.

    Raises:
        UnavailableError: If the disk is full or gone; what was begun is whole nevertheless.
    """
    ended = until_ms - _GRACE_MS
    merged = archive.compact(ended, tell)
    rolled = make_rollups(archive, ended, tell)
    expired = archive.expire(lambda kind: retention.first_day(kind, now_ms))
    expire_rollups(archive, STEP_MS["1m"], _day_before(now_ms, retention.minutes_ms))
    expire_rollups(archive, STEP_MS["1h"], _day_before(now_ms, retention.hours_ms))
    return Tidied(merged, rolled, expired)


def _day_before(now_ms: int, kept_ms: int) -> str:
    return day_label(max(0, (now_ms - kept_ms) // DAY_MS))
