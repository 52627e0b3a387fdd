"""The scene: one governed situation, as a designer writes it. Descriptions are what editors show."""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from city.device import Device
from core.severity import Severity
from thresholds.across import Confirm, Inhibit, across_problems
from thresholds.conditions import Change, Level
from thresholds.delay import Duration, Number
from thresholds.ladder import Problem, ladder_problems
from thresholds.level import SEVERITIES, Leaf, LevelBase, Model, SeverityWord
from thresholds.limit_table import LimitsFrom, LimitTable, TableRow, read_table, table_problems
from thresholds.overrides import override_problems
from thresholds.schedule import When, holds_at
from thresholds.where import EVERYWHERE, Name, Names, Where

Amount = Annotated[Number, Field(ge=0)]
SceneId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Distance = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?\s*(m|km)$")]


class Title(Model):
    """The scene's name for people."""

    en: StrictStr = Field("", description="English. 英文")
    zh: StrictStr = Field("", description="Chinese. 中文")


class Pilot(Model):
    """Where a scene in pilot opens real cases; it is in shadow everywhere else."""

    towns: Names | None = Field(None, description="Towns or streets. 试点街镇")
    grids: Names | None = Field(None, description="Self-governance or disposal grids. 试点网格")
    devices: Names | None = Field(None, description="Devices. 试点设备")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.towns or self.grids or self.devices):
            raise PydanticCustomError("nothing", "the pilot is nowhere: give one of towns, grids and devices")
        return self

    def takes_in(self, device: Device) -> bool:
        """Whether `device` is part of the pilot."""
        grids = self.grids or ()
        return (
            device.town in (self.towns or ())
            or device.id in (self.devices or ())
            or bool({device.self_grid, device.disposal_grid} & set(grids) - {""})
        )


class Owner(Model):
    """Who supervises the scene."""

    unit: StrictStr | None = Field(None, description="The unit that owns it. 责任单位")
    force: StrictStr | None = Field(None, description="The force that handles its cases. 处置力量")


class Worth(Model):
    """What the scene costs and what it saves."""

    build_cost: Amount | None = Field(None, description="Once, in yuan. 建设成本(元)")
    yearly_cost: Amount | None = Field(None, description="A year, in yuan. 年运行成本(元)")
    minutes_saved_per_case: Amount | None = Field(None, description="Working time saved by a case. 每件节省(分钟)")


class Feeds(Model):
    """Which feeds the scene watches: at least one of type, metric, device and where."""

    type: Name | None = Field(None, description="Device type of the catalogue. 设备类型")
    metric: Name | None = Field(None, description="What is measured; any metric where it is left out. 指标")
    device: Names | None = Field(None, description="Device ids. 设备编号")
    where: Where | None = Field(None, description="Only devices that fit this. 附加条件")
    silent_after: Duration | None = Field(
        None,
        description="A delay that would end later than this after the last reading waits for the next. 静默后暂停计时",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.type or self.metric or self.device or self.where):
            raise PydanticCustomError(
                "empty_feeds", "the scene watches nothing: give one of type, metric, device and where"
            )
        return self

    def watch(self, device: Device, metric: str) -> bool:
        """Whether `metric` of `device` is watched."""
        return (
            self.type in (None, device.type)
            and self.metric in (None, metric)
            and (self.device is None or device.id in self.device)
            and (self.where is None or self.where.fits(device))
        )


class OverrideLevels(Model):
    """What is different, by severity."""

    info: Change | None = Field(None, description="What is different about the level info. 提示")
    minor: Change | None = Field(None, description="What is different about the level minor. 一般")
    major: Change | None = Field(None, description="What is different about the level major. 较重")
    critical: Change | None = Field(None, description="What is different about the level critical. 严重")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.given:
            raise PydanticCustomError("nothing", "this overrides nothing: name a severity and what it changes")
        return self

    @cached_property
    def given(self) -> dict[str, Change]:
        """The changes that are there, by severity."""
        found = ((name, getattr(self, name)) for name in SEVERITIES)
        return {name: change for name, change in found if change is not None}


class Override(Model):
    """Other limits for some devices or times; for each severity the most specific override that is in force wins."""

    where: Where | None = Field(None, description="Which devices; all of them where it is left out. 适用范围")
    when: When | None = Field(None, description="At which times; always where it is left out. 适用时间")
    profile: Name | None = Field(None, description="Only while a person has switched this profile on. 应急预案")
    levels: OverrideLevels = Field(description="What is different there, by severity. 替换的级别")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.where is None and self.when is None and self.profile is None:
            raise PydanticCustomError("nothing", "an override needs `where`, `when` or `profile`")
        return self

    @property
    def scope(self) -> Where:
        """Which devices."""
        return self.where or EVERYWHERE

    @property
    def rank(self) -> tuple[bool, ...]:
        """How specific it is, the greater one winning: what a person switched on, then the place, then the time."""
        return (self.profile is not None, *self.scope.rank, self.when is not None)

    @property
    def changes(self) -> dict[str, Change]:
        """What is different, by severity."""
        return self.levels.given


FoldBy = Literal["device", "module", "place", "self_grid", "disposal_grid", "town", "district"]


class Fold(Model):
    """Alerts of one place are one alert, with a count."""

    by: tuple[FoldBy, ...] = Field(
        ("module",),
        min_length=1,
        description="What they are folded by, all of it together; a place is a map module. 合并依据",
    )
    window: Duration | None = Field(
        None, description="Raises further apart than this are alerts of their own. 合并时间窗"
    )

    def key(self, device: Device) -> str:
        """What alerts of `device` are folded by; where the device has no such place, by its own."""
        return "/".join(_fold_value(device, name) for name in self.by)


def _fold_value(device: Device, name: FoldBy) -> str:
    match name:
        case "device":
            return device.id
        case "module" | "place":
            return device.alert_place
        case "district":
            return ""
        case "self_grid" | "disposal_grid" | "town":
            return str(getattr(device, name)) or device.alert_place


class Evidence(Model):
    """Which cameras are asked for pictures, and of when."""

    cameras: StrictInt = Field(1, ge=0, description="How many of the nearest. 摄像机数量")
    within: Distance | None = Field(None, description="How near, e.g. 150m. 距离")
    before: Duration | None = Field(None, description="How long before the alert. 报警前")
    after: Duration | None = Field(None, description="How long after it. 报警后")


class Raises(Model):
    """What an alert of the scene opens."""

    leaf: Leaf | None = Field(
        None,
        description="Leaf of the case catalogue where a level has none of its own; none: a person classifies. 案件细类",
    )
    auto: StrictBool = Field(True, description="Whether cases open by themselves. 自动立案")
    from_: SeverityWord = Field(
        "minor",
        alias="from",
        description="The mildest severity that opens a case; milder ones are only listed. 立案起点",
    )
    budget_per_day: StrictInt | None = Field(None, ge=1, description="Cases a day that are bearable. 每日预算")


class Source(Model):
    """Where a limit comes from."""

    text: StrictStr = Field(description="Standard and clause, or who said it. 依据")
    clause: StrictStr | None = Field(None, description="Clause or page. 条款")
    url: StrictStr | None = Field(None, description="Where it can be read. 链接")
    verified: StrictBool = Field(False, description="Whether somebody has read it there. 是否核实")


def _day(value: object) -> object:
    if isinstance(value, dt.date | str):
        return value
    raise PydanticCustomError("text", "{value} is no day: write it like 2026-01-01", {"value": repr(value)})


Day = Annotated[dt.date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


def _zone(value: object) -> object:
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "text", "{value} is no time zone: write it like Asia/Shanghai", {"value": repr(value)}
        ) from None
    return value


Zone = Annotated[str, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Asia/Shanghai"]})]


class Valid(Model):
    """From when to when its limits are in force, for the record: it does not switch the scene on or off."""

    from_: Day | None = Field(None, alias="from", description="First day. 生效日期")
    to: Day | None = Field(None, description="Last day. 失效日期")


class SceneParts(Model):
    """A scene whose parts are each right; whether they go together is another question."""

    scene: SceneId = Field(description="Unique id: lower-case words with hyphens. 场景编号")
    title: Title = Field(Title(), description="Its name for people. 名称")
    stage: Literal["draft", "shadow", "pilot", "live", "retired"] = Field(
        "live",
        description="draft and retired: not evaluated; shadow opens nothing; pilot opens cases in some towns. 阶段",
    )
    pilot: Pilot | None = Field(None, description="Where a pilot opens real cases. 试点范围")
    owner: Owner | None = Field(None, description="Who supervises it. 责任人")
    worth: Worth | None = Field(None, description="What it costs and saves. 成本效益")
    feeds: Feeds = Field(description="Which feeds it watches. 监测对象")
    zone: Zone = Field("Asia/Shanghai", description="Time zone of its calendars and schedules. 时区")
    levels: tuple[Level, ...] = Field(min_length=1, description="The ladder, mildest first. 级别, 由轻到重")
    overrides: tuple[Override, ...] = Field((), description="Other limits for some devices or times. 例外")
    limits_from: LimitsFrom | None = Field(None, description="Limits out of a table, a row each. 限值表")
    when: When | None = Field(None, description="It watches only then; at other times nothing holds. 监测时段")
    confirm: Confirm | None = Field(None, description="What else has to be so before it alerts. 确认条件")
    inhibit_by: tuple[Inhibit, ...] = Field((), description="Scenes while which are active it raises nothing. 抑制")
    fold: Fold = Field(Fold(), description="Which alerts are one. 合并")
    evidence: Evidence | None = Field(None, description="Pictures to go with it. 取证")
    raises: Raises = Field(Raises(), description="What an alert opens. 立案")
    sources: tuple[Source, ...] = Field((), description="Where the limits come from. 依据")
    valid: Valid | None = Field(None, description="When its limits are in force, for the record. 有效期")
    notes: StrictStr | None = Field(None, description="Whatever else should be known. 备注")

    @cached_property
    def whens(self) -> tuple[When, ...]:
        """The schedules by which its limits turn."""
        of_rows = self.limit_table.whens if self.limit_table else ()
        found = [self.when, *(override.when for override in self.overrides), *of_rows]
        return tuple({when.key: when for when in found if when is not None}.values())

    @cached_property
    def limit_table(self) -> LimitTable | None:
        """Its table of limits, None if it has none."""
        return None if self.limits_from is None else read_table(self.limits_from, self.levels)

    @property
    def uses_working_days(self) -> bool:
        """Whether it needs to know who works when: by a schedule, or by what is usual on working days."""
        changes = [change for override in self.overrides for change in override.levels.given.values()]
        kept = [getattr(one, "deviates", None) for one in (*self.levels, *changes)]
        return any(when.uses_working_days for when in self.whens) or any(
            one and one.from_ == "seasonal" for one in kept
        )

    def problems(self) -> list[Problem]:
        """What does not go together, each with its place."""
        rows = self.limit_table.rows if self.limit_table else ()
        found = [*ladder_problems(self.levels), *override_problems(self.levels, self.overrides, self.zone, rows)]
        found += table_problems(self.levels, self.limits_from, self.limit_table)
        found += across_problems(self.scene, self.confirm, self.inhibit_by)
        if self.stage == "pilot" and self.pilot is None:
            found.append(Problem("missing", ("stage",), "a scene in pilot needs `pilot: {towns: [...]}`", ()))
        return found


class Scene(SceneParts):
    """One governed situation: which feeds it watches, what counts as wrong, how sure to be, what it opens.

    Raises:
        pydantic.ValidationError: If a part is wrong, or the parts do not go together.
    """

    @model_validator(mode="after")
    def _together(self) -> Self:
        problems = self.problems()
        if problems:
            text = "; ".join(problem.message for problem in problems)
            raise PydanticCustomError("together", "{text}", {"text": text})
        return self

    @property
    def id(self) -> str:
        """Its id."""
        return self.scene

    @cached_property
    def content(self) -> dict[str, Any]:
        """What it says, as plain data that makes the same scene again; defaults are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def version(self) -> str:
        """Hash of what it says: the same for the same content, whatever the file looks like."""
        return hashlib.blake2b(msgspec.json.encode(self.content), digest_size=8).hexdigest()

    def in_force_at(self, at_ms: int) -> frozenset[str]:
        """Keys of its schedules that are in force at an instant."""
        local = dt.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(self.zone)) if self.whens else None
        return frozenset(when.key for when in self.whens if local is not None and holds_at(when, local))

    def levels_for(
        self, device: Device, whens: Collection[str] = (), profiles: Collection[str] = ()
    ) -> tuple[LevelBase, ...]:
        """The ladder in force for `device`: each level with the most specific override or row of it that fits.

        Levels that have no limit there are left out. `whens`: keys of the schedules in force; `profiles`: what people
        have switched on.
        """
        return tuple(level for level in self.ladder_for(device, whens, profiles) if not level.from_table)

    def ladder_for(
        self, device: Device, whens: Collection[str] = (), profiles: Collection[str] = ()
    ) -> tuple[LevelBase, ...]:
        """As `levels_for`, with the levels that have no limit there (`LevelBase.from_table`)."""
        given = self.given_by(device, whens, profiles)
        return tuple(
            given[level.severity].changes[level.severity].laid_over(level) if level.severity in given else level
            for level in self.levels
        )

    def given_by(
        self, device: Device, whens: Collection[str] = (), profiles: Collection[str] = ()
    ) -> dict[str, Override | TableRow]:
        """What changes a level for `device`, by severity: the most specific override, or the row of the table."""
        fitting: list[Override | TableRow] = [*self._fitting(device, whens, profiles)]
        rows = self.limit_table.rows_of(device) if self.limit_table else ()
        fitting += [row for row in rows if row.when is None or row.when.key in whens]
        fitting.sort(key=lambda one: one.rank)
        return {severity: one for one in fitting for severity, change in one.changes.items() if not change.only_leaf}

    def leaf_for(
        self, severity: str, device: Device, whens: Collection[str] = (), profiles: Collection[str] = ()
    ) -> str | None:
        """The leaf of a level for `device`, None where a person has to classify.

        That of the most specific override that names one for the level, else the level's own, else the scene's.
        """
        own = next((level.leaf for level in self.levels if level.severity == severity), None)
        fitting = sorted(self._fitting(device, whens, profiles), key=lambda one: one.rank, reverse=True)
        changes = (one.changes[severity] for one in fitting if severity in one.changes)
        return next((change.leaf for change in changes if change.leaf is not None), own or self.raises.leaf)

    def _fitting(self, device: Device, whens: Collection[str], profiles: Collection[str]) -> Iterator[Override]:
        return (
            o
            for o in self.overrides
            if o.scope.fits(device)
            and (o.when is None or o.when.key in whens)
            and (o.profile is None or o.profile in profiles)
        )

    @cached_property
    def leaves(self) -> tuple[tuple[str, Override | None, str | None], ...]:
        """Every leaf that its cases may have: severity, the override that names it (None for the level), leaf."""
        found: list[tuple[str, Override | None, str | None]] = [
            (level.severity, None, level.leaf or self.raises.leaf) for level in self.levels
        ]
        found += [
            (severity, o, change.leaf)
            for o in self.overrides
            for severity, change in o.changes.items()
            if change.leaf is not None
        ]
        return tuple(found)

    def hold_words(self, severity: Severity, device: Device | None = None, at_ms: int | None = None) -> str:
        """Condition and delay of a level in words, e.g. `above 25 for 1m`; with `device`, those in force there, then.

        Raises:
            KeyError: If the scene has no such level.
        """
        levels = self.levels if device is None else self.ladder_for(device, self.in_force_at(at_ms) if at_ms else ())
        for level in levels:
            if level.severity == severity.word:
                return f"{level.words} for {level.for_}" if level.for_ else level.words
        raise KeyError(severity.word)
