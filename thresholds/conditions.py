"""All conditions of the language: which there are, how a level is read, how an override changes one."""

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, StrictBool, StrictInt, Tag, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from thresholds.delay import Duration, Interval, Number, PerTime, Waiting, Window
from thresholds.deviates import Deviates, Deviation, Sigmas
from thresholds.level import Above, Below, Equals, Inside, Leaf, LevelBase, Model, NotEquals, Outside, State
from thresholds.windows import WINDOWS, Changes, Quantity, Share, Times

_MODELS: tuple[type[LevelBase], ...] = (Above, Below, Outside, Inside, Equals, NotEquals, State, *WINDOWS, Deviates)

CONDITIONS = {model.condition: model for model in _MODELS}
"""Conditions that this version evaluates, by their key."""

CLEAR_KEYS = {model.clears_by: name for name, model in reversed(CONDITIONS.items()) if model.clears_by}
"""Keys of clear values, and the first condition that each goes with."""

TAG = "~"
"""Begins the third step in pydantic's places in a level, which stands for its kind and not for a key of the file."""


def _kind(value: Any) -> str | None:
    """The condition of raw or ready level content, None if there is none."""
    if isinstance(value, LevelBase):
        return TAG + value.condition
    if isinstance(value, dict):
        return next((TAG + key for key in value if key in CONDITIONS), None)
    return None


def _either(left: Any, right: Any) -> Any:
    return left | right


if TYPE_CHECKING:
    Level = LevelBase
else:
    Level = Annotated[
        reduce(_either, (Annotated[model, Tag(TAG + name)] for name, model in CONDITIONS.items())),
        Discriminator(_kind, custom_error_type="no_condition", custom_error_message="no condition"),
    ]
"""One step of the ladder: a severity, one condition, its clear value and delays."""

_LEVEL: TypeAdapter[LevelBase] = TypeAdapter(Level)
parse_level: Callable[[dict[str, Any]], LevelBase] = _LEVEL.validate_python
"""A level from the keys of a scene file; raises `pydantic.ValidationError`."""

_COMMON = frozenset(str(field.alias or name) for name, field in LevelBase.model_fields.items())


class Change(Model):
    """What an override says about one level: any of a level's keys but the severity."""

    above: Number | None = Field(None, description="Holds while value > this. 高于此值")
    below: Number | None = Field(None, description="Holds while value < this. 低于此值")
    outside: Interval | None = Field(None, description="Holds outside [lo, hi]. 超出区间")
    inside: Interval | None = Field(None, description="Holds inside [lo, hi]. 处于区间")
    equals: Number | None = Field(None, description="Holds at this value. 等于此值")
    not_equals: Number | None = Field(None, description="Holds at any other value. 不等于此值")
    state: StrictBool | None = Field(None, description="Holds while true, or false. 开关量状态")
    changed_by: Changes | None = Field(None, description="Holds when it changed by more than this. 变化超过")
    rate_above: PerTime | None = Field(None, description="Holds while the slope > this. 上升速率高于")
    rate_below: PerTime | None = Field(None, description="Holds while the slope < this. 变化速率低于")
    mean_above: Number | None = Field(None, description="Holds while the mean > this. 均值高于此值")
    mean_below: Number | None = Field(None, description="Holds while the mean < this. 均值低于此值")
    sum_above: Number | None = Field(None, description="Holds while the sum > this. 累计值高于此值")
    sum_below: Number | None = Field(None, description="Holds while the sum < this. 累计值低于此值")
    max_above: Number | None = Field(None, description="Holds while the highest > this. 最大值高于此值")
    min_below: Number | None = Field(None, description="Holds while the lowest < this. 最小值低于此值")
    leq_above: Number | None = Field(None, description="Holds while the energy mean > this. 等效声级高于此值")
    count_above: Times | None = Field(None, description="Holds while it was over the limit so often. 次数达到")
    total_above: Quantity | None = Field(None, description="Holds while the register grew by more. 累计增量高于")
    total_below: Quantity | None = Field(None, description="Holds while the register grew by less. 累计增量低于")
    absent_for: Duration | None = Field(None, description="Holds when no reading came for so long. 无数据时长")
    stuck_for: Duration | None = Field(None, description="Holds when the value stayed for so long. 数值不变时长")
    deviates: Deviation | None = Field(None, description="Holds when it is far from what is usual. 偏离常态")
    window: Window | None = Field(None, description="Over the last so long. 滑动时间窗")
    min_samples: StrictInt | None = Field(None, ge=1, le=1_000_000, description="Least readings. 最少读数")
    min_share: Share | None = Field(None, description="Least share of the window. 最少覆盖比例")
    except_: Number | None = Field(None, alias="except", description="The one value that may stay. 允许不变的值")
    percent_of: Literal["design"] | None = Field(
        None, description="Limits in percent of the design value. 设计值百分比"
    )
    latch: Literal["manual"] | None = Field(None, description="Clears only when a person says so. 人工复位")
    clear_below: Number | None = Field(None, description="Clears below this. 低于此值解除")
    clear_above: Number | None = Field(None, description="Clears above this. 高于此值解除")
    clear_inside: Interval | None = Field(None, description="Clears inside [lo, hi]. 回到区间内解除")
    clear_outside: Interval | None = Field(None, description="Clears outside [lo, hi]. 离开此区间解除")
    clear_rate_below: PerTime | None = Field(None, description="Clears at a slope less than this. 低于此速率解除")
    clear_rate_above: PerTime | None = Field(None, description="Clears at a slope more than this. 高于此速率解除")
    clear_by: Sigmas | None = Field(None, description="Clears at fewer spreads than this. 偏离小于此倍数解除")
    for_: Waiting | None = Field(None, alias="for", description="Delay before it is raised. 持续多久才报警")
    clear_for: Waiting | None = Field(None, description="Delay before it clears. 恢复多久才解除")

    leaf: Leaf | None = Field(None, description="Leaf of the level's cases. 案件细类")

    @property
    def only_leaf(self) -> bool:
        """Whether it names a leaf and changes nothing else: then it stands in nobody's way."""
        return self.model_fields_set == {"leaf"}

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "this changes nothing: give a limit, a clear value, a delay or a leaf")
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError(
                "two_conditions",
                "a level holds one condition, this changes it to {names}",
                {"names": " and ".join(given), "at": given[1]},
            )
        return self

    def laid_over(self, level: LevelBase) -> LevelBase:
        """`level` with what is said here; a new limit takes the old clear value away, another condition all of the old.

        Raises:
            pydantic.ValidationError: If the two do not go together.
        """
        kept = level.model_dump(by_alias=True, exclude_unset=True)
        given = self.model_dump(by_alias=True, exclude_none=True)
        condition = next((name for name in given if name in CONDITIONS), None)
        if condition == level.condition:
            kept.pop(level.clears_by or "", None)
        elif condition is not None:
            kept = {key: value for key, value in kept.items() if key in _COMMON}
        return parse_level({**kept, **given})
