"""Conditions over more than one reading: windows, change and rate, counts, totals, absence, a value that is stuck."""

import math
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from thresholds import kernel_state as kernel
from thresholds.delay import Duration, Limit, Number, Period, PerTime, Rate, Window, Within, window_ms
from thresholds.level import LevelBase, Limited, Model, Span, in_words
from thresholds.measure import Measure

Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]


class Windowed(Limited):
    """A number made of the readings of the last `window`."""

    kind: ClassVar[int]
    share: ClassVar[float] = 0.0

    window: Window = Field(description="Over the last so long. 滑动时间窗")
    min_samples: StrictInt = Field(
        1, ge=1, le=1_000_000, description="Fewer readings in the window than this say nothing. 最少读数"
    )
    min_share: Share | None = Field(
        None, description="Says nothing before the feed was heard for this share of the window. 最少覆盖比例"
    )

    def measure(self, zone: str) -> Measure:
        """The aggregate over the window."""
        return Measure(self.kind, self.window, need_ms=self._needed(self.window), need_n=self.min_samples)

    @property
    def words(self) -> str:
        """E.g. `mean_above 25 over 15m`."""
        return f"{super().words} over {Period(self.window)}"

    def _needed(self, window: int) -> int:
        return round(window * (self.share if self.min_share is None else self.min_share))


class _Over(Windowed):
    op: ClassVar[str] = "above"
    clears_by: ClassVar[str | None] = "clear_below"

    clear_below: Number | None = Field(None, description="Clears at less than this, at most the limit. 低于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything over the limit."""
        return ((self.limit, math.inf),)

    def _is_clear_side(self, limit: float, clear: float) -> bool:
        return clear <= limit


class _Under(Windowed):
    op: ClassVar[str] = "below"
    clears_by: ClassVar[str | None] = "clear_above"

    clear_above: Number | None = Field(None, description="Clears at more than this, at least the limit. 高于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything under the limit."""
        return ((-math.inf, self.limit),)

    def _is_clear_side(self, limit: float, clear: float) -> bool:
        return clear >= limit


class MeanAbove(_Over):
    """Too high on average."""

    condition: ClassVar[str] = "mean_above"
    kind: ClassVar[int] = kernel.MEAN
    share: ClassVar[float] = 0.5

    mean_above: Limit = Field(description="Holds while the mean > this. 均值高于此值")


class MeanBelow(_Under):
    """Too low on average."""

    condition: ClassVar[str] = "mean_below"
    kind: ClassVar[int] = kernel.MEAN
    share: ClassVar[float] = 0.5

    mean_below: Limit = Field(description="Holds while the mean < this. 均值低于此值")


class SumAbove(_Over):
    """Too much together, of readings that are amounts."""

    condition: ClassVar[str] = "sum_above"
    kind: ClassVar[int] = kernel.SUM

    sum_above: Limit = Field(description="Holds while the sum > this. 累计值高于此值")


class SumBelow(_Under):
    """Too little together, of readings that are amounts."""

    condition: ClassVar[str] = "sum_below"
    kind: ClassVar[int] = kernel.SUM
    share: ClassVar[float] = 1.0

    sum_below: Limit = Field(description="Holds while the sum < this. 累计值低于此值")


class MaxAbove(_Over):
    """Too high at least once."""

    condition: ClassVar[str] = "max_above"
    kind: ClassVar[int] = kernel.MAX

    max_above: Limit = Field(description="Holds while the highest > this. 最大值高于此值")


class MinBelow(_Under):
    """Too low at least once."""

    condition: ClassVar[str] = "min_below"
    kind: ClassVar[int] = kernel.MIN

    min_below: Limit = Field(description="Holds while the lowest < this. 最小值低于此值")


class LeqAbove(_Over):
    """Too loud: the energy mean of decibels."""

    condition: ClassVar[str] = "leq_above"
    kind: ClassVar[int] = kernel.LEQ
    share: ClassVar[float] = 0.5

    leq_above: Limit = Field(description="Holds while 10 lg(mean of 10^(L/10)) > this. 等效声级高于此值")


class Changes(Model):
    """How far, which way, in how long."""

    up: Positive | None = Field(None, description="Higher than the lowest by more than this. 上升超过")
    down: Positive | None = Field(None, description="Lower than the highest by more than this. 下降超过")
    in_: Window = Field(alias="in", description="Within the last so long. 时间窗")

    @model_validator(mode="after")
    def _some_way(self) -> Self:
        if self.up is None and self.down is None:
            raise PydanticCustomError("nothing", "changed_by needs `up`, `down` or both")
        return self


class ChangedBy(Limited):
    """Moved too far in a time, against the lowest and the highest of it."""

    condition: ClassVar[str] = "changed_by"
    op: ClassVar[str] = "moved"
    clears_by: ClassVar[str | None] = "clear_below"

    changed_by: Changes = Field(
        description="Holds while value - lowest > up, or highest - value > down, of the last so long. 变化超过"
    )
    clear_below: Positive | None = Field(None, description="Clears when both are less than this. 变化小于此值解除")

    def measure(self, zone: str) -> Measure:
        """Distance from the extremes of the window."""
        return Measure(kernel.CHANGE, self.changed_by.in_)

    @property
    def compared(self) -> tuple[float, float]:
        """The limits upwards and downwards."""
        return (self.changed_by.up or math.inf, self.changed_by.down or math.inf)

    @property
    def words(self) -> str:
        """E.g. `changed_by up 3 down 3 in 1d`."""
        ways = ((name, getattr(self.changed_by, name)) for name in ("up", "down"))
        said = " ".join(f"{name} {in_words(value)}" for name, value in ways if value is not None)
        return f"changed_by {said} in {Period(self.changed_by.in_)}"

    def region(self) -> tuple[Span, ...]:
        """The smaller of its limits and beyond, on the line of how far."""
        return ((min(self.compared), math.inf),)

    @property
    def axis(self) -> tuple[Any, ...]:
        """Only comparable with changes that look the same ways."""
        changed = self.changed_by
        return (kernel.CHANGE, changed.in_, changed.up is None, changed.down is None, self.percent_of)

    def _is_clear_side(self, limit: Changes, clear: float) -> bool:
        return clear <= min(limit.up or math.inf, limit.down or math.inf)


class _Rate(LevelBase):
    window: Window | None = Field(None, description="Over the last so long; the time of the rate itself. 时间窗")
    min_samples: StrictInt = Field(2, ge=2, le=1_000_000, description="Fewer readings than this say nothing. 最少读数")
    min_share: Share = Field(
        0.5, description="Says nothing before the feed was heard for this share of the window. 最少覆盖比例"
    )

    def measure(self, zone: str) -> Measure:
        """Slope of the least-squares line, per ms."""
        window = self.window or self.limit.per_ms
        return Measure(kernel.RATE, window, need_ms=round(window * self.min_share), need_n=self.min_samples)

    @property
    def compared(self) -> tuple[float, float]:
        """The limit per ms."""
        return (self.limit.per_millisecond, 0.0)

    @property
    def words(self) -> str:
        """E.g. `rate_above 2 per 1d`."""
        over = f" over {Period(self.window)}" if self.window else ""
        return f"{self.condition} {self.limit}{over}"


class RateAbove(_Rate):
    """Rising too fast."""

    condition: ClassVar[str] = "rate_above"
    op: ClassVar[str] = "above"
    clears_by: ClassVar[str | None] = "clear_rate_below"

    rate_above: PerTime = Field(description="Holds while the slope > this. 上升速率高于")
    clear_rate_below: PerTime | None = Field(None, description="Clears at a slope less than this. 低于此速率解除")

    def region(self) -> tuple[Span, ...]:
        """Everything steeper."""
        return ((self.rate_above.per_millisecond, math.inf),)

    def _is_clear_side(self, limit: Rate, clear: Rate) -> bool:
        return clear.per_millisecond <= limit.per_millisecond


class RateBelow(_Rate):
    """Falling too fast, or rising too slowly."""

    condition: ClassVar[str] = "rate_below"
    op: ClassVar[str] = "below"
    clears_by: ClassVar[str | None] = "clear_rate_above"

    rate_below: PerTime = Field(description="Holds while the slope < this. 变化速率低于")
    clear_rate_above: PerTime | None = Field(None, description="Clears at a slope more than this. 高于此速率解除")

    def region(self) -> tuple[Span, ...]:
        """Everything less steep."""
        return ((-math.inf, self.rate_below.per_millisecond),)

    def _is_clear_side(self, limit: Rate, clear: Rate) -> bool:
        return clear.per_millisecond >= limit.per_millisecond


_DAY_MS = 86_400_000


def _counted(value: object) -> object:
    if value in ("readings", "crossings"):
        return value
    words = value.split() if isinstance(value, str) else []
    if len(words) == 2 and words[1] == "mean":
        block = window_ms(words[0])
        if _DAY_MS % block == 0:
            return f"{Period(block)} mean"
    raise PydanticCustomError(
        "text",
        "{value}: what is counted is readings, crossings or means like 15m mean, of blocks that divide a day",
        {"value": repr(value)},
    )


Counted = Annotated[
    str,
    BeforeValidator(_counted),
    WithJsonSchema({"anyOf": [{"enum": ["readings", "crossings"]}, {"type": "string", "pattern": "^.+ mean$"}]}),
]


class Times(Model):
    """How often what is over what, in how long."""

    limit: Number = Field(description="What is counted is over this. 计数限值")
    times: StrictInt = Field(ge=1, le=1_000_000, description="Holds from the so-manieth on. 次数")
    in_: Within = Field(alias="in", description="A time like 1d, or `calendar day`, `week`, `month`. 时间窗")
    of: Counted = Field(
        "readings", description="readings; crossings (over it after one that was not); or means like 15m mean. 计数对象"
    )

    @property
    def block_ms(self) -> int:
        """Length of the blocks whose means are counted, 0 if none are."""
        return window_ms(self.of.split()[0]) if self.of.endswith(" mean") else 0


class CountAbove(LevelBase):
    """Over a limit too often."""

    condition: ClassVar[str] = "count_above"
    op: ClassVar[str] = "above"
    clears_by: ClassVar[str | None] = "clear_below"

    count_above: Times = Field(description="Holds while it was over the limit at least so many times. 次数达到")
    clear_below: Number | None = Field(None, description="Clears at fewer times than this. 少于此次数解除")

    def measure(self, zone: str) -> Measure:
        """How often, in the window."""
        count = self.count_above
        of = kernel.MEANS if count.block_ms else kernel.CROSSINGS if count.of == "crossings" else kernel.READINGS
        window = Measure(kernel.COUNT, count.in_.ms, count.in_.calendar, zone if count.in_.calendar else "")
        return window._replace(of=of, block_ms=count.block_ms, limit=count.limit)

    @property
    def compared(self) -> tuple[float, float]:
        """Half a time before the one from which on it holds."""
        return (self.count_above.times - 0.5, 0.0)

    @property
    def words(self) -> str:
        """E.g. `count_above 1 6 times in 1d`."""
        count = self.count_above
        of = "" if count.of == "readings" else f" ({count.of})"
        return f"count_above {in_words(count.limit)} {count.times} times in {count.in_}{of}"

    def region(self) -> tuple[Span, ...]:
        """That often and more."""
        return ((self.count_above.times - 0.5, math.inf),)

    def _is_clear_side(self, limit: Times, clear: float) -> bool:
        return clear <= limit.times


class Quantity(Model):
    """How much in how long."""

    value: Number = Field(description="The quantity, in the unit of the metric. 数量")
    in_: Within = Field(alias="in", description="A time like 12h, or `calendar day`, `week`, `month`. 时间窗")


class _Total(LevelBase):
    share: ClassVar[float] = 0.0

    min_share: Share | None = Field(
        None, description="Says nothing before the feed was heard for this share of the window. 最少覆盖比例"
    )
    min_samples: StrictInt = Field(1, ge=1, le=1_000_000, description="Fewer readings than this say nothing. 最少读数")

    def measure(self, zone: str) -> Measure:
        """Growth of the register in the window."""
        within = self.limit.in_
        need = round(within.ms * (self.share if self.min_share is None else self.min_share))
        window = Measure(kernel.TOTAL, within.ms, within.calendar, zone if within.calendar else "")
        return window._replace(need_ms=need, need_n=self.min_samples)

    @property
    def compared(self) -> tuple[float, float]:
        """The quantity."""
        return (self.limit.value, 0.0)

    @property
    def words(self) -> str:
        """E.g. `total_below 0.01 in 12h`."""
        return f"{self.condition} {in_words(self.limit.value)} in {self.limit.in_}"


class TotalAbove(_Total):
    """A register that grows too much."""

    condition: ClassVar[str] = "total_above"
    op: ClassVar[str] = "above"
    clears_by: ClassVar[str | None] = "clear_below"

    total_above: Quantity = Field(description="Holds while the register grew by more than this. 累计增量高于")
    clear_below: Number | None = Field(None, description="Clears at less than this. 低于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything over it."""
        return ((self.total_above.value, math.inf),)

    def _is_clear_side(self, limit: Quantity, clear: float) -> bool:
        return clear <= limit.value


class TotalBelow(_Total):
    """A register that does not move."""

    condition: ClassVar[str] = "total_below"
    op: ClassVar[str] = "below"
    clears_by: ClassVar[str | None] = "clear_above"
    share: ClassVar[float] = 1.0

    total_below: Quantity = Field(description="Holds while the register grew by less than this. 累计增量低于")
    clear_above: Number | None = Field(None, description="Clears at more than this. 高于此值解除")

    def region(self) -> tuple[Span, ...]:
        """Everything under it."""
        return ((-math.inf, self.total_below.value),)

    def _is_clear_side(self, limit: Quantity, clear: float) -> bool:
        return clear >= limit.value

    @model_validator(mode="after")
    def _slides(self) -> Self:
        if self.total_below.in_.calendar:
            raise PydanticCustomError(
                "wrong_window",
                "total_below would hold at the beginning of every {calendar}: give a time like 12h",
                {"calendar": self.total_below.in_.calendar, "at": "total_below"},
            )
        return self


class AbsentFor(LevelBase):
    """Nothing comes."""

    condition: ClassVar[str] = "absent_for"
    op: ClassVar[str] = "above"
    silent: ClassVar[bool] = False

    absent_for: Duration = Field(description="Holds when no reading came for so long; clears at one. 无数据时长")

    def measure(self, zone: str) -> Measure:
        """Whether nothing came for so long."""
        return Measure(kernel.ABSENT, self.absent_for)

    @property
    def compared(self) -> tuple[float, float]:
        """It is 1 when nothing came."""
        return (0.5, 0.0)

    @property
    def words(self) -> str:
        """E.g. `absent_for 30m`."""
        return f"absent_for {Period(self.absent_for)}"

    @property
    def axis(self) -> tuple[Any, ...]:
        """All absences lie on the line of how long."""
        return (kernel.ABSENT,)

    def region(self) -> tuple[Span, ...]:
        """That long and longer."""
        return ((self.absent_for, math.inf),)

    @model_validator(mode="after")
    def _is_its_own_delay(self) -> Self:
        if self.for_:
            raise PydanticCustomError(
                "wrong_delay", "`for` does not go with absent_for: write the longer time there", {"at": "for"}
            )
        if self.absent_for < 1:
            raise PydanticCustomError("duration", "absent_for needs a time, like 30m", {"at": "absent_for"})
        return self


class StuckFor(LevelBase):
    """The same value again and again."""

    condition: ClassVar[str] = "stuck_for"
    op: ClassVar[str] = "above"

    stuck_for: Duration = Field(description="Holds when every reading for so long had one value. 数值不变时长")
    except_: Number | None = Field(
        None, alias="except", description="The one value that may stay, e.g. 0 of a dry road. 允许不变的值"
    )

    def measure(self, zone: str) -> Measure:
        """How long the value has been the same, ms."""
        return Measure(kernel.STUCK, limit=self.except_)

    @property
    def compared(self) -> tuple[float, float]:
        """Half a millisecond before the time from which on it holds."""
        return (self.stuck_for - 0.5, 0.0)

    @property
    def words(self) -> str:
        """E.g. `stuck_for 6h`."""
        but = "" if self.except_ is None else f" except {in_words(self.except_)}"
        return f"stuck_for {Period(self.stuck_for)}{but}"

    def region(self) -> tuple[Span, ...]:
        """That long and longer."""
        return ((self.stuck_for, math.inf),)


WINDOWS: tuple[type[LevelBase], ...] = (
    MeanAbove, MeanBelow, SumAbove, SumBelow, MaxAbove, MinBelow, LeqAbove, ChangedBy, RateAbove, RateBelow, CountAbove,
    TotalAbove, TotalBelow, AbsentFor, StuckFor,
)  # fmt: skip
"""The conditions of this module."""
