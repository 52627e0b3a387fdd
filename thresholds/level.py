"""What every level is, and the conditions on the reading itself."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from core.severity import Severity
from thresholds.delay import NO_DELAY, OF_TABLE, Interval, Limit, Number, Waiting
from thresholds.measure import Measure

SEVERITIES = tuple(severity.word for severity in Severity)
SeverityWord = Literal["info", "minor", "major", "critical"]

Leaf = Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{2}-[0-9]{2}$")]
"""Code of a leaf of the case catalogue."""

Span = tuple[float, float]
"""The open interval of values between two numbers; where both are the same, that one value."""


class Model(BaseModel):
    """Base of all that a scene file holds: what is not known is refused, what is read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LevelBase(Model):
    """What every level has beside its condition."""

    condition: ClassVar[str]
    op: ClassVar[str]
    clears_by: ClassVar[str | None] = None
    silent: ClassVar[bool] = True

    severity: SeverityWord = Field(
        description="How bad it is: info, minor, major or critical. 级别: 提示、一般、较重、严重"
    )
    for_: Waiting = Field(
        NO_DELAY,
        alias="for",
        description="How long (30s) or how many readings in a row (3 samples) before it is raised. 持续多久才报警",
    )
    clear_for: Waiting = Field(
        NO_DELAY, description="How long or how many readings beyond the clear value before it clears. 恢复多久才解除"
    )
    latch: Literal["manual"] | None = Field(
        None, description="manual: once raised it clears only when a person says so. 锁定, 须人工复位"
    )

    leaf: Leaf | None = Field(None, description="Leaf of its cases, in place of the scene's. 本级别的案件细类")

    @property
    def limit(self) -> Any:
        """The limit as the designer wrote it: a number, a pair or a truth value."""
        return getattr(self, self.condition)

    @property
    def clear_value(self) -> Any:
        """The clear value, None where the level clears as soon as its condition does not hold."""
        return getattr(self, self.clears_by) if self.clears_by else None

    @property
    def from_table(self) -> bool:
        """Whether it has no limit of its own: where no row of a table and no override gives it one, it never holds."""
        return isinstance(self.limit, float) and math.isnan(self.limit)

    @property
    def words(self) -> str:
        """The condition in words, e.g. `above 25`."""
        return f"{self.condition} {in_words(self.limit)}"

    def measure(self, zone: str) -> Measure | None:  # noqa: ARG002 - the zone is for calendars
        """What it compares, None for the reading itself; `zone`: the time zone of the scene."""
        return None

    @property
    def compared(self) -> tuple[float, float]:
        """The limits in the unit of what it compares."""
        return self.limit if isinstance(self.limit, tuple) else (self.limit, 0.0)

    @property
    def axis(self) -> tuple[Any, ...]:
        """The line of numbers on which its region lies: levels on two lines cannot be compared."""
        return (self.measure(""), getattr(self, "percent_of", None))

    def region(self) -> tuple[Span, ...]:
        """Where on the line of numbers the condition holds, mildly put: without the ends of its intervals."""
        raise NotImplementedError

    def _is_clear_side(self, limit: Any, clear: Any) -> bool:
        """Whether a reading beyond `clear` can never be one for which the condition holds."""
        raise NotImplementedError

    def can_clear_at(self, limit: Any, clear: Any) -> bool:
        """Whether `clear` can be the clear value of `limit`: it never clears where the condition still holds."""
        return self._is_clear_side(limit, clear)

    @model_validator(mode="after")
    def _latched(self) -> Self:
        if self.latch and self.clear_for:
            raise PydanticCustomError(
                "wrong_delay", "`clear_for` does not go with a latch: a person clears it", {"at": "clear_for"}
            )
        return self

    @model_validator(mode="after")
    def _clear_side(self) -> Self:
        clear = self.clear_value
        if clear is not None and self.from_table:
            raise PydanticCustomError(
                "clear_side",
                "the limit is the table's, and so is its clear value: take `{key}` away, and give the table a column"
                " {severity}_clear",
                {"key": self.clears_by, "severity": self.severity, "at": self.clears_by},
            )
        if clear is not None and not self._is_clear_side(self.limit, clear):
            raise PydanticCustomError(
                "clear_side",
                "{key}: {clear} is on the wrong side of {words}: it would clear while the condition still holds",
                {"key": self.clears_by, "clear": in_words(clear), "words": self.words, "at": self.clears_by},
            )
        return self


class Limited(LevelBase):
    """Whose limits may be a share of what the device was designed for."""

    percent_of: Literal["design"] | None = Field(
        None, description="design: limits are percent of the device's own design value. 相对设计值的百分比"
    )

    @property
    def words(self) -> str:
        """The condition in words, e.g. `above 80 % of design`."""
        return f"{super().words} % of design" if self.percent_of else super().words


class Above(Limited):
    """Too high."""

    condition: ClassVar[str] = "above"
    op: ClassVar[str] = "above"
    clears_by: ClassVar[str | None] = "clear_below"

    above: Limit = Field(description="Holds while value > this, strictly. 高于此值")
    clear_below: Number | None = Field(None, description="Clears at value < this, at most the limit. 低于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything over the limit."""
        return ((self.above, math.inf),)

    def _is_clear_side(self, limit: float, clear: float) -> bool:
        return clear <= limit


class Below(Limited):
    """Too low."""

    condition: ClassVar[str] = "below"
    op: ClassVar[str] = "below"
    clears_by: ClassVar[str | None] = "clear_above"

    below: Limit = Field(description="Holds while value < this, strictly. 低于此值")
    clear_above: Number | None = Field(None, description="Clears at value > this, at least the limit. 高于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything under the limit."""
        return ((-math.inf, self.below),)

    def _is_clear_side(self, limit: float, clear: float) -> bool:
        return clear >= limit


class Outside(Limited):
    """Too low or too high."""

    condition: ClassVar[str] = "outside"
    op: ClassVar[str] = "outside"
    clears_by: ClassVar[str | None] = "clear_inside"

    outside: Interval = Field(description="Holds while value < lo or value > hi. 超出区间 [下限, 上限]")
    clear_inside: Interval | None = Field(None, description="Clears at lo < value < hi, within it. 回到区间内解除")

    def region(self) -> tuple[Span, ...]:
        """Both ends of the line."""
        return ((-math.inf, self.outside[0]), (self.outside[1], math.inf))

    def _is_clear_side(self, limit: Span, clear: Span) -> bool:
        return limit[0] <= clear[0] and clear[1] <= limit[1]


class Inside(Limited):
    """In a band where it must not be."""

    condition: ClassVar[str] = "inside"
    op: ClassVar[str] = "inside"
    clears_by: ClassVar[str | None] = "clear_outside"

    inside: Interval = Field(description="Holds while lo <= value <= hi. 处于区间 [下限, 上限]")
    clear_outside: Interval | None = Field(
        None, description="Clears at value < lo or value > hi, not within the limits. 离开此区间解除"
    )

    def region(self) -> tuple[Span, ...]:
        """The band."""
        return (self.inside,)

    def _is_clear_side(self, limit: Span, clear: Span) -> bool:
        return clear[0] <= limit[0] and limit[1] <= clear[1]


class Equals(LevelBase):
    """One certain value, such as a fault code."""

    condition: ClassVar[str] = "equals"
    op: ClassVar[str] = "equals"

    equals: Number = Field(description="Holds while value = this, exactly; clears at any other. 等于此值")

    def region(self) -> tuple[Span, ...]:
        """The value."""
        return ((self.equals, self.equals),)


class NotEquals(LevelBase):
    """Any but one certain value."""

    condition: ClassVar[str] = "not_equals"
    op: ClassVar[str] = "not_equals"

    not_equals: Number = Field(description="Holds while value is any other than this; clears at it. 不等于此值")

    def region(self) -> tuple[Span, ...]:
        """The line without the value."""
        return ((-math.inf, self.not_equals), (self.not_equals, math.inf))


class State(LevelBase):
    """A metric that is true or false, which travels as 1 or 0."""

    condition: ClassVar[str] = "state"
    op: ClassVar[str] = "state"

    state: StrictBool = Field(description="Holds while the metric is true, or false; clears at the other. 开关量状态")

    def region(self) -> tuple[Span, ...]:
        """1 or 0."""
        return ((float(self.state), float(self.state)),)


def in_words(limit: object) -> str:
    """A limit as it is written: `25`, `[1, 6]`, `true`."""
    if isinstance(limit, bool):
        return str(limit).lower()
    if isinstance(limit, tuple):
        return f"[{', '.join(in_words(part) for part in limit)}]"
    if isinstance(limit, float):
        return OF_TABLE if math.isnan(limit) else f"{limit:.12g}"
    return str(limit)
