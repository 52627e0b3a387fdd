"""The condition of an adaptive baseline: too far from what is usual for this feed."""

import math
import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from thresholds import kernel_state as kernel
from thresholds.delay import Duration, Number, Period, window_ms
from thresholds.level import LevelBase, Model, Span, in_words
from thresholds.measure import Measure

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_MOST_SIGMA = 1_000.0
_SIGMA = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:sigma|\u03c3)")
_PARTS = {"seasonal": 48, "daily": 24, "own": 1}
_LEARN_MS = {"seasonal": 14 * _DAY_MS, "daily": 7 * _DAY_MS, "own": 5 * _DAY_MS}
_REMEMBERED_MS = {"seasonal": 35 * _DAY_MS, "daily": 10 * _DAY_MS, "own": 10 * _DAY_MS}
"""Ten visits of a part, after which two thirds of what came before are forgotten: ten days off take five weeks."""
_LONGEST_MEAN_MS = {"seasonal": _HOUR_MS, "daily": _HOUR_MS, "own": _DAY_MS}
_SHORTEST_MS, _LONGEST_MS = _DAY_MS, 90 * _DAY_MS


def sigmas_in(value: object) -> float:
    """The number of spreads in `4 sigma`, or in a bare number.

    Raises:
        pydantic_core.PydanticCustomError: If it is neither, or not over 0.
    """
    if isinstance(value, str):
        match = _SIGMA.fullmatch(value.strip())
        number = float(match[1]) if match else 0.0
    else:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    if not 0 < number <= _MOST_SIGMA:
        raise PydanticCustomError(
            "number", "{value} is no distance: write it like 4 sigma, over 0", {"value": repr(value)[:60]}
        )
    return number


def _as_sigmas(value: float) -> str:
    return f"{value:.12g} sigma"


Sigmas = Annotated[
    float,
    BeforeValidator(sigmas_in),
    PlainSerializer(_as_sigmas, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(sigma|\u03c3)\s*$"},
                {"type": "number", "exclusiveMinimum": 0, "maximum": _MOST_SIGMA},
            ],
            "examples": ["4 sigma"],
        }
    ),
]
"""A distance in spreads, written like `4 sigma`; a bare number is the same, since it can mean nothing else."""


def _compared(value: object) -> object:
    if value == "readings":
        return value
    words = value.split() if isinstance(value, str) else []
    if len(words) == 2 and words[1] == "mean":
        return f"{Period(window_ms(words[0]))} mean"
    raise PydanticCustomError(
        "text", "{value}: what is compared is readings, or means like 1h mean", {"value": repr(value)}
    )


Compared = Annotated[
    str,
    BeforeValidator(_compared),
    WithJsonSchema({"anyOf": [{"const": "readings"}, {"type": "string", "pattern": "^.+ mean$"}]}),
]


class Deviation(Model):
    """From what, and how far."""

    from_: Literal["seasonal", "daily", "own"] = Field(
        alias="from",
        description="What is usual for the feed: seasonal, at this hour of working days or of days off; daily, at this "
        "hour of any day; own, at any time. 基线",
    )
    by: Sigmas = Field(description="How many spreads away, like 4 sigma. 偏离倍数")
    at_least: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="And more than this, in the unit of the metric. 最小偏离量"
    )
    direction: Literal["up", "down"] | None = Field(
        None, description="Only upwards, or only downwards; either way where it is left out. 方向"
    )
    of: Compared = Field("readings", description="What is compared: readings, or means like 1h mean. 比较对象")
    learn: Duration | None = Field(
        None, description="Says nothing before it was heard for so long; 14d, 7d and 5d of these. 学习时长"
    )

    @property
    def learn_ms(self) -> int:
        """For how long it has to learn."""
        return _LEARN_MS[self.from_] if self.learn is None else self.learn

    @property
    def remembers_ms(self) -> int:
        """How far back reaches what it has learnt."""
        return self.learn_ms + _REMEMBERED_MS[self.from_]

    @property
    def block_ms(self) -> int:
        """Length of the blocks whose means are compared, 0 where the readings are."""
        return window_ms(self.of.split()[0]) if self.of != "readings" else 0

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        if not _SHORTEST_MS <= self.learn_ms <= _LONGEST_MS:
            raise PydanticCustomError(
                "duration", "{value}: learning takes from 1d to 90d", {"value": Period(self.learn_ms), "at": "learn"}
            )
        longest = _LONGEST_MEAN_MS[self.from_]
        if self.block_ms and longest % self.block_ms:
            raise PydanticCustomError(
                "wrong_window",
                "{of} does not go with {source}: the time of its means has to divide {longest} evenly",
                {"of": self.of, "source": self.from_, "longest": Period(longest), "at": "of"},
            )
        return self


class Deviates(LevelBase):
    """Too far from what is usual."""

    condition: ClassVar[str] = "deviates"
    op: ClassVar[str] = "deviates"
    clears_by: ClassVar[str | None] = "clear_by"

    deviates: Deviation = Field(
        description="Holds while it is further than `by` spreads from what is usual for the feed. 偏离常态"
    )
    clear_by: Sigmas | None = Field(
        None, description="Clears at less than so many spreads, at most those of `by`. 偏离小于此倍数解除"
    )

    def measure(self, zone: str) -> Measure:
        """Distance from what is usual, and the spread: one for all levels that learn the same."""
        kept = self.deviates
        return Measure(
            kernel.BASELINE, kept.learn_ms, zone=zone, of=_PARTS[kept.from_], block_ms=kept.block_ms
        )  # fmt: skip

    @property
    def compared(self) -> tuple[float, float]:
        """In spreads, and in the unit of the metric."""
        return (self.deviates.by, self.deviates.at_least or 0.0)

    @property
    def cleared(self) -> tuple[float, float]:
        """The same for being back: `at_least` shrinks with the spreads."""
        back = self.deviates.by if self.clear_by is None else self.clear_by
        return (back, (self.deviates.at_least or 0.0) * back / self.deviates.by)

    @property
    def words(self) -> str:
        """E.g. `deviates from seasonal by 4 sigma up, at least 0.5, of 1h mean`."""
        kept = self.deviates
        way = f" {kept.direction}" if kept.direction else ""
        least = "" if kept.at_least is None else f", at least {in_words(kept.at_least)}"
        of = "" if kept.of == "readings" else f", of {kept.of}"
        return f"deviates from {kept.from_} by {_as_sigmas(kept.by)}{way}{least}{of}"

    @property
    def axis(self) -> tuple[Any, ...]:
        """Only comparable with deviations the same way from the same baseline, with the same `at_least`."""
        return (self.measure(""), self.deviates.direction, self.deviates.at_least)

    def region(self) -> tuple[Span, ...]:
        """That many spreads and more."""
        return ((self.deviates.by, math.inf),)

    def _is_clear_side(self, limit: Deviation, clear: float) -> bool:
        return clear <= limit.by
