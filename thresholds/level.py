"""What a level can hold: one model a condition, told apart by the key that is there.

A new condition is a new class in `CONDITIONS`; the compiler gives it its row, the kernel its measure.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, Tag, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from core.severity import Severity
from thresholds.delay import NO_DELAY, Interval, Number, Waiting

SEVERITIES = tuple(severity.word for severity in Severity)
SeverityWord = Literal["info", "minor", "major", "critical"]

Span = tuple[float, float]
"""The open interval of values between two numbers; where both are the same, that one value."""


class Model(BaseModel):
    """Base of all that a scene file holds: what is not known is refused, what is read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LevelBase(Model):
    """What every level has beside its condition."""

    condition: ClassVar[str]
    clears_by: ClassVar[str | None] = None

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

    @property
    def limit(self) -> Any:
        """The limit as the designer wrote it: a number, a pair or a truth value."""
        return getattr(self, self.condition)

    @property
    def clear_value(self) -> Any:
        """The clear value, None where the level clears as soon as its condition does not hold."""
        return getattr(self, self.clears_by) if self.clears_by else None

    @property
    def words(self) -> str:
        """The condition in words, e.g. `above 25`."""
        return f"{self.condition} {in_words(self.limit)}"

    def region(self) -> tuple[Span, ...]:
        """Where on the line of numbers the condition holds, mildly put: without the ends of its intervals."""
        raise NotImplementedError

    def _is_clear_side(self, limit: Any, clear: Any) -> bool:
        """Whether a reading beyond `clear` can never be one for which the condition holds."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _clear_side(self) -> Self:
        clear = self.clear_value
        if clear is not None and not self._is_clear_side(self.limit, clear):
            raise PydanticCustomError(
                "clear_side",
                "{key}: {clear} is on the wrong side of {words}: it would clear while the condition still holds",
                {"key": self.clears_by, "clear": in_words(clear), "words": self.words, "at": self.clears_by},
            )
        return self


class Above(LevelBase):
    """Too high."""

    condition: ClassVar[str] = "above"
    clears_by: ClassVar[str | None] = "clear_below"

    above: Number = Field(description="Holds while value > this, strictly. 高于此值")
    clear_below: Number | None = Field(None, description="Clears at value < this, at most the limit. 低于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything over the limit."""
        return ((self.above, math.inf),)

    def _is_clear_side(self, limit: float, clear: float) -> bool:
        return clear <= limit


class Below(LevelBase):
    """Too low."""

    condition: ClassVar[str] = "below"
    clears_by: ClassVar[str | None] = "clear_above"

    below: Number = Field(description="Holds while value < this, strictly. 低于此值")
    clear_above: Number | None = Field(None, description="Clears at value > this, at least the limit. 高于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything under the limit."""
        return ((-math.inf, self.below),)

    def _is_clear_side(self, limit: float, clear: float) -> bool:
        return clear >= limit


class Outside(LevelBase):
    """Too low or too high."""

    condition: ClassVar[str] = "outside"
    clears_by: ClassVar[str | None] = "clear_inside"

    outside: Interval = Field(description="Holds while value < lo or value > hi. 超出区间 [下限, 上限]")
    clear_inside: Interval | None = Field(None, description="Clears at lo < value < hi, within it. 回到区间内解除")

    def region(self) -> tuple[Span, ...]:
        """Both ends of the line."""
        return ((-math.inf, self.outside[0]), (self.outside[1], math.inf))

    def _is_clear_side(self, limit: Span, clear: Span) -> bool:
        return limit[0] <= clear[0] and clear[1] <= limit[1]


class Inside(LevelBase):
    """In a band where it must not be."""

    condition: ClassVar[str] = "inside"
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

    equals: Number = Field(description="Holds while value = this, exactly; clears at any other. 等于此值")

    def region(self) -> tuple[Span, ...]:
        """The value."""
        return ((self.equals, self.equals),)


class NotEquals(LevelBase):
    """Any but one certain value."""

    condition: ClassVar[str] = "not_equals"

    not_equals: Number = Field(description="Holds while value is any other than this; clears at it. 不等于此值")

    def region(self) -> tuple[Span, ...]:
        """The line without the value."""
        return ((-math.inf, self.not_equals), (self.not_equals, math.inf))


class State(LevelBase):
    """A metric that is true or false, which travels as 1 or 0."""

    condition: ClassVar[str] = "state"

    state: StrictBool = Field(description="Holds while the metric is true, or false; clears at the other. 开关量状态")

    def region(self) -> tuple[Span, ...]:
        """1 or 0."""
        return ((float(self.state), float(self.state)),)


CONDITIONS: dict[str, type[LevelBase]] = {
    model.condition: model for model in (Above, Below, Outside, Inside, Equals, NotEquals, State)
}
"""Conditions that this version evaluates, by their key."""

CLEAR_KEYS = {model.clears_by: name for name, model in CONDITIONS.items() if model.clears_by}
"""Keys of clear values, and the condition that each goes with."""

TAG = "~"
"""Begins the third step in pydantic's places in a level, which stands for its kind and not for a key of the file."""


def _kind(value: Any) -> str | None:
    """The condition of raw or ready level content, None if there is none."""
    if isinstance(value, LevelBase):
        return TAG + value.condition
    if isinstance(value, dict):
        return next((TAG + key for key in value if key in CONDITIONS), None)
    return None


Level = Annotated[
    Annotated[Above, Tag("~above")]
    | Annotated[Below, Tag("~below")]
    | Annotated[Outside, Tag("~outside")]
    | Annotated[Inside, Tag("~inside")]
    | Annotated[Equals, Tag("~equals")]
    | Annotated[NotEquals, Tag("~not_equals")]
    | Annotated[State, Tag("~state")],
    Discriminator(_kind, custom_error_type="no_condition", custom_error_message="no condition"),
]
"""One step of the ladder: a severity, one condition, its clear value and delays."""

_LEVEL: TypeAdapter[LevelBase] = TypeAdapter(Level)
parse_level: Callable[[dict[str, Any]], LevelBase] = _LEVEL.validate_python
"""A level from the keys of a scene file; raises `pydantic.ValidationError`."""


class Change(Model):
    """What an override says about one level: any of a level's keys but the severity."""

    above: Number | None = Field(None, description="Holds while value > this. 高于此值")
    below: Number | None = Field(None, description="Holds while value < this. 低于此值")
    outside: Interval | None = Field(None, description="Holds outside [lo, hi]. 超出区间")
    inside: Interval | None = Field(None, description="Holds inside [lo, hi]. 处于区间")
    equals: Number | None = Field(None, description="Holds at this value. 等于此值")
    not_equals: Number | None = Field(None, description="Holds at any other value. 不等于此值")
    state: StrictBool | None = Field(None, description="Holds while true, or false. 开关量状态")
    clear_below: Number | None = Field(None, description="Clears below this. 低于此值解除")
    clear_above: Number | None = Field(None, description="Clears above this. 高于此值解除")
    clear_inside: Interval | None = Field(None, description="Clears inside [lo, hi]. 回到区间内解除")
    clear_outside: Interval | None = Field(None, description="Clears outside [lo, hi]. 离开此区间解除")
    for_: Waiting | None = Field(None, alias="for", description="Delay before it is raised. 持续多久才报警")
    clear_for: Waiting | None = Field(None, description="Delay before it clears. 恢复多久才解除")

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "this changes nothing: give a limit, a clear value or a delay")
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError(
                "two_conditions",
                "a level holds one condition, this changes it to {names}",
                {"names": " and ".join(given), "at": given[1]},
            )
        return self

    def laid_over(self, level: LevelBase) -> LevelBase:
        """`level` with what is said here; a new limit takes the old clear value away with it.

        Raises:
            pydantic.ValidationError: If the two do not go together.
        """
        kept = level.model_dump(by_alias=True, exclude_unset=True)
        given = self.model_dump(by_alias=True, exclude_none=True)
        if any(name in given for name in CONDITIONS):
            kept.pop(level.condition)
            kept.pop(level.clears_by or "", None)
        return parse_level({**kept, **given})


def in_words(limit: object) -> str:
    """A limit as it is written: `25`, `[1, 6]`, `true`."""
    if isinstance(limit, bool):
        return str(limit).lower()
    if isinstance(limit, tuple):
        return f"[{', '.join(in_words(part) for part in limit)}]"
    return f"{limit:.12g}" if isinstance(limit, float) else str(limit)
