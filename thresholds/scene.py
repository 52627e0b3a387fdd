"""The scene language: what a designer may write, checked on the way in. Descriptions are what editors show."""

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from core.severity import Severity
from core.units import format_duration, parse_duration

SEVERITIES = ("info", "minor", "major", "critical")

LATER = {
    "confirm", "inhibit_by", "latch", "changed_by", "rate_above", "mean_above", "sum_above", "max_above", "min_below",
    "leq_above", "window", "count_above", "total_below", "absent_for", "stuck_for", "deviates", "percent_of", "when",
}  # fmt: skip
"""Keys of the language that this version does not evaluate: refused, for a scene that is not evaluated misses leaks."""

_SAMPLES = re.compile(r"(\d+)\s+samples?")


class Duration(int):
    """Milliseconds, written as `30s`, `10m`, `1h30m`."""


class Samples(int):
    """A number of readings in a row, written as `3 samples`."""


def _duration(value: object) -> object:
    if isinstance(value, Duration):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("duration", "a duration needs its unit: write it like 30s, 10m, 1h30m or 2d")
    try:
        return Duration(parse_duration(value))
    except ValueError as error:
        raise PydanticCustomError("duration", "{text}", {"text": str(error)}) from None


def _delay(value: object) -> object:
    if isinstance(value, (Duration, Samples)):
        return value
    if isinstance(value, str):
        match = _SAMPLES.fullmatch(value.strip())
        if match:
            if int(match[1]) < 1:
                raise PydanticCustomError("duration", "at least 1 sample is needed")
            return Samples(int(match[1]))
        if re.fullmatch(r"\d+\s+of\s+\d+", value.strip()):
            raise PydanticCustomError(
                "later", "`k of n` is part of the language but this version does not evaluate it; use `N samples`"
            )
        try:
            return Duration(parse_duration(value))
        except ValueError:
            pass
    raise PydanticCustomError(
        "duration", "{value} is no delay: write a duration (30s, 10m, 1h30m) or a number of readings (3 samples)",
        {"value": repr(value)},
    )  # fmt: skip


_DURATION_SCHEMA = {"type": "string", "examples": ["30s", "10m", "1h30m", "2d"]}
_DELAY_SCHEMA = {"type": "string", "examples": ["30s", "10m", "2 samples"]}


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("number", "{value} is not a number", {"value": repr(value)})
    if not math.isfinite(value):
        raise PydanticCustomError("number", "a limit has to be a finite number")
    return float(value)


Number = Annotated[float, BeforeValidator(_number)]
Interval = tuple[Number, Number]
Span = Annotated[Any, BeforeValidator(_duration), Field(json_schema_extra=_DURATION_SCHEMA)]
Delay = Annotated[Any, BeforeValidator(_delay), Field(json_schema_extra=_DELAY_SCHEMA)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Title(_Model):
    """Names for people."""

    en: str = ""
    zh: str = ""


class Where(_Model):
    """Which devices: all that is given has to fit."""

    device: Name | tuple[Name, ...] | None = Field(None, description="One device or several. 设备编号")
    place: Name | None = Field(None, description="The place (map module) it stands in. 所在模块")
    town: Name | None = Field(None, description="Town or street. 街镇")
    kind: Name | None = Field(None, description="Kind of site, e.g. underpass. 场所类别")
    type: Name | None = Field(None, description="Device type. 设备类型")
    gateway: Name | None = Field(None, description="Gateway it reports through. 网关")

    def devices(self) -> tuple[str, ...]:
        """The devices named, none if any may fit."""
        if self.device is None:
            return ()
        return (self.device,) if isinstance(self.device, str) else self.device


class Feeds(_Model):
    """Which feeds a scene watches; at least one of type, metric, device, where."""

    type: Name | None = Field(None, description="Device type of the catalogue. 设备类型")
    metric: Name | None = Field(None, description="What is measured. 指标")
    device: Name | tuple[Name, ...] | None = Field(None, description="One device or several. 设备编号")
    where: Where | None = Field(None, description="Further conditions on the device. 附加条件")
    silent_after: Span = Field(
        None, description="After this silence a delay is held and not ended by time. 静默后暂停计时"
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.type or self.metric or self.device or self.where):
            raise PydanticCustomError("empty_feeds", "a scene watches something: give type, metric, device or where")
        return self


CONDITIONS = ("above", "below", "outside", "inside", "equals", "not_equals", "state")
CLEARS = {
    "above": "clear_below",
    "below": "clear_above",
    "outside": "clear_inside",
    "inside": "clear_outside",
    "equals": None,
    "not_equals": None,
    "state": None,
}


class Limits(_Model):
    """A condition, its clear value and its delays."""

    above: Number | None = Field(None, description="Holds while value > this. 高于")
    below: Number | None = Field(None, description="Holds while value < this. 低于")
    outside: Interval | None = Field(None, description="Holds while value < lo or value > hi. 超出区间")
    inside: Interval | None = Field(None, description="Holds while lo <= value <= hi. 处于区间")
    equals: Number | None = Field(None, description="Holds while value = this. 等于")
    not_equals: Number | None = Field(None, description="Holds while value is another. 不等于")
    state: bool | None = Field(None, description="Holds while a true/false metric is this. 状态")
    clear_below: Number | None = Field(None, description="Clears at value < this. 低于此值解除")
    clear_above: Number | None = Field(None, description="Clears at value > this. 高于此值解除")
    clear_inside: Interval | None = Field(None, description="Clears at lo < value < hi. 回到区间内解除")
    clear_outside: Interval | None = Field(None, description="Clears at value < lo or value > hi. 离开区间解除")
    for_: Delay = Field(
        None, alias="for", description="How long, or how many readings in a row, before it is raised. 持续"
    )
    clear_for: Delay = Field(None, description="The same before it is cleared. 解除持续")

    def condition(self) -> str | None:
        """The name of its condition; None where an override changes only a delay."""
        found = [name for name in CONDITIONS if getattr(self, name) is not None]
        return found[0] if found else None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError(
                "conditions",
                "a level has one condition, this has {names}; use two levels",
                {"names": " and ".join(given)},
            )
        for name in ("outside", "inside", "clear_inside", "clear_outside"):
            pair = getattr(self, name)
            if pair is not None and not pair[0] < pair[1]:
                raise PydanticCustomError(
                    "interval", "{name}: the first limit has to be below the second", {"name": name}
                )
        if given:
            _check_clear(self, given[0])
        return self


def _check_clear(limits: Limits, condition: str) -> None:
    wanted = CLEARS[condition]
    for name in ("clear_below", "clear_above", "clear_inside", "clear_outside"):
        if getattr(limits, name) is not None and name != wanted:
            cure = f"did you mean {wanted}?" if wanted else "it clears when the condition does not hold"
            raise PydanticCustomError(
                "clear", "{name} does not go with {condition}: {cure}",
                {"name": name, "condition": condition, "cure": cure, "at": name},
            )  # fmt: skip
    if wanted is None or getattr(limits, wanted) is None:
        return
    limit, clear = getattr(limits, condition), getattr(limits, wanted)
    right = {
        "above": lambda: clear <= limit,
        "below": lambda: clear >= limit,
        "outside": lambda: limit[0] <= clear[0] and clear[1] <= limit[1],
        "inside": lambda: clear[0] <= limit[0] and limit[1] <= clear[1],
    }[condition]()
    if not right:
        raise PydanticCustomError(
            "clear", "the clear value {clear} is on the wrong side of {condition} {limit}: it clears while it holds",
            {"clear": _words(clear), "condition": condition, "limit": _words(limit), "at": wanted},
        )  # fmt: skip


def _words(limit: object) -> str:
    return f"[{limit[0]:g}, {limit[1]:g}]" if isinstance(limit, tuple) else f"{limit:g}"


class Level(Limits):
    """One step of the ladder."""

    severity: Literal["info", "minor", "major", "critical"] = Field(description="How bad it is. 级别")

    @model_validator(mode="after")
    def _has_condition(self) -> Self:
        if self.condition() is None:
            raise PydanticCustomError(
                "no_condition", "a level needs a condition: one of {names}", {"names": ", ".join(CONDITIONS)}
            )
        return self

    def words(self) -> str:
        """The condition in words, e.g. `above 25`."""
        name = self.condition()
        value = getattr(self, str(name))
        return f"{name} {str(value).lower() if isinstance(value, bool) else _words(value)}"


class OverrideLevels(_Model):
    """Replacements by severity."""

    info: Limits | None = None
    minor: Limits | None = None
    major: Limits | None = None
    critical: Limits | None = None


class Override(_Model):
    """Other limits for some devices; the most specific one that fits wins."""

    where: Where
    levels: OverrideLevels


class Fold(_Model):
    """Alerts of one place are one alert, with a count."""

    by: tuple[Literal["module", "place"], ...] = ("place",)
    window: Span = Field(None, description="Only raises that come within this of the last one are folded. 折叠窗口")


class Raises(_Model):
    """What an alert opens."""

    leaf: str | None = Field(
        None, pattern=r"^\d{2}-\d{2,3}(-\d{2})?$", description="Leaf of the case catalogue. 案件子类"
    )
    auto: bool = Field(True, description="Whether a case opens by itself. 自动立案")
    budget_per_day: int | None = Field(None, ge=1, description="Cases a day that are bearable. 每日预算")


class Owner(_Model):
    """Who supervises the scene."""

    unit: str | None = None
    force: str | None = None


class Worth(_Model):
    """What it costs and what it saves."""

    build_cost: Number | None = None
    yearly_cost: Number | None = None
    minutes_saved_per_case: Number | None = None


class Pilot(_Model):
    """Where a scene in pilot opens real cases."""

    towns: tuple[Name, ...] = ()


class Evidence(_Model):
    """Which cameras to ask for pictures."""

    cameras: int = Field(1, ge=0)
    within: str | None = None
    before: Span = None
    after: Span = None


class Source(_Model):
    """Where a limit comes from."""

    text: str
    verified: bool = False
    clause: str | None = None
    url: str | None = None


class Scene(_Model):
    """One governed situation: which feeds it watches, what counts as wrong, how sure to be, what it opens."""

    scene: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)] = Field(
        description="Unique id in kebab-case. 场景编号"
    )
    title: Title = Field(Title(), description="Names for people. 名称")
    stage: Literal["draft", "shadow", "pilot", "live", "retired"] = Field(
        "live", description="Where in its life it is. 阶段"
    )
    pilot: Pilot | None = None
    owner: Owner | None = None
    worth: Worth | None = None
    feeds: Feeds
    levels: tuple[Level, ...] = Field(min_length=1, max_length=4, description="Mildest first. 由轻到重")
    overrides: tuple[Override, ...] = ()
    fold: Fold = Fold()
    evidence: Evidence | None = None
    raises: Raises = Raises()
    sources: tuple[Source, ...] = ()
    valid: dict[Literal["from", "to"], Any] | None = None
    notes: str | None = None

    @model_validator(mode="after")
    def _ladder(self) -> Self:
        ranks = [Severity.of(level.severity) for level in self.levels]
        for index, (a, b) in enumerate(zip(self.levels, self.levels[1:], strict=False), 1):
            place = {"at": f"levels.{index}"}
            if ranks[index] == ranks[index - 1] or level_seen(ranks, index):
                raise PydanticCustomError(
                    "ladder",
                    "severity {severity} stands twice; each is used at most once",
                    {"severity": b.severity, **place},
                )
            if ranks[index] < ranks[index - 1]:
                raise PydanticCustomError(
                    "ladder",
                    "levels go mildest first: {b} comes before {a}",
                    {"a": a.severity, "b": b.severity, **place},
                )
            if not _worse(a, b):
                raise PydanticCustomError(
                    "overlap", "{b} ({bw}) is not stricter than {a} ({aw}): levels overlap",
                    {"a": a.severity, "b": b.severity, "aw": a.words(), "bw": b.words(), **place},
                )  # fmt: skip
        return self

    def hold_words(self, severity: Severity) -> str:
        """Condition and delay of a level in words."""
        level = next(level for level in self.levels if level.severity == severity.word)
        delay = level.for_
        if isinstance(delay, Samples):
            return f"{level.words()} for {int(delay)} samples"
        return f"{level.words()} for {format_duration(delay)}" if delay else level.words()


def level_seen(ranks: list[Severity], index: int) -> bool:
    """Whether the severity at `index` stood before."""
    return ranks[index] in ranks[:index]


def _worse(a: Level, b: Level) -> bool:
    """Whether `b` is at least as strict as `a` where the two can be compared; equal limits need a longer delay."""
    name = a.condition()
    if name != b.condition() or name is None:
        return True
    first, second = getattr(a, name), getattr(b, name)
    if first == second:
        return _longer(a.for_, b.for_)
    if name in ("above", "below"):
        return bool(second > first if name == "above" else second < first)
    if name in ("outside", "inside"):
        wider, narrower = (first, second) if name == "inside" else (second, first)
        return bool(wider[0] <= narrower[0] and narrower[1] <= wider[1])
    return True


def _longer(a: object, b: object) -> bool:
    """Whether delay `b` is longer than `a`, or of another kind."""
    if isinstance(a, int) and isinstance(b, int) and type(a) is type(b):
        return a < b
    return a != b
