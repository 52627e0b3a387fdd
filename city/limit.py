"""What a catalogue says of a value beside the value: limits that are usual, and where a number comes from."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

ConditionWord = Literal["above", "at_least", "below", "at_most", "outside", "is"]
StatisticWord = Literal["value", "mean", "energy_mean", "held", "rate", "change", "count", "percent_of_design"]
HIGH: frozenset[str] = frozenset(("above", "at_least"))
LOW: frozenset[str] = frozenset(("below", "at_most"))
OWN_SCALE: frozenset[str] = frozenset(("rate", "change", "count", "percent_of_design"))
"""Statistics whose limits are not on the metric's own scale."""
_EVERYWHERE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a number comes from, and whether it was read there."""

    text: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that is usual for a metric: data to begin a scene from, not what decides.

    Attributes:
        level: From 1, the mildest.
        condition: How a value is compared with `value`.
        value: The limit, in the metric's unit; (low, high) for `outside`, true or false for `is`.
        evidence: Where it comes from.
        severity: The severity that is usual; empty where the scene has to say.
        statistic: What of the readings is compared. `rate` is the change over `over_ms`, `change` since installation,
            `held` a value that stays so for `over_ms`, `count` how often in `over_ms`, `percent_of_design` a share.
        over_ms: Over how long, ms; None where the statistic needs none or the source does not say.
        more_a_day_than: Exceeding it so often a calendar day is allowed.
        where: For what it holds: e.g. `kind`, `station`, `area_class`, `period`; empty for everywhere.
        valid_from: First day on which it holds, None for any before `valid_to`.
        valid_to: Last day.
    """

    level: int
    condition: ConditionWord
    value: float | tuple[float, float] | bool
    evidence: Evidence
    severity: str = ""
    statistic: StatisticWord = "value"
    over_ms: int | None = None
    more_a_day_than: int | None = None
    where: Mapping[str, str] = field(default_factory=lambda: _EVERYWHERE)
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None

    def holds_on(self, day: dt.date) -> bool:
        """Whether it is in force on a day."""
        return (self.valid_from or day) <= day <= (self.valid_to or day)
