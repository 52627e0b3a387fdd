"""The form of a catalogue of device types: what stands in the file, type by type, with every mistake at its place."""

import datetime as dt
import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, StringConstraints, ValidationError

from city.limit import ConditionWord, Evidence, StatisticWord
from city.marked import Place
from core.units import parse_duration

Fault = tuple[Place, str]
"""Where, and what is wrong."""
Part = TypeVar("Part", bound="Form")
CONDITIONS: tuple[ConditionWord, ...] = ("above", "at_least", "below", "at_most", "outside", "is")


def _milliseconds(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    # pydantic collects ValueError and no other.
    raise ValueError("a duration needs its unit: write it like 30s, 10m or 1h30m")


def _alarm(value: object) -> object:
    return 0 if value == "event" else _milliseconds(value)


def _band(value: object) -> object:
    return {"band": value} if isinstance(value, list) else value


Duration = Annotated[int, BeforeValidator(_milliseconds), Field(gt=0)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Pair = tuple[Number, Number]
Text = Annotated[str, StringConstraints(min_length=1)]


class Form(BaseModel):
    """A part of the file; a key that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Title(Form):
    """A name in both languages."""

    en: str = ""
    zh: str = ""


class Source(Form):
    """The mark of everything that has none of its own."""

    text: Text
    verified: bool


class Normal(Form):
    """Where a value lies when all is well: a pair, or a pair with a mark of its own."""

    band: Pair
    source: str = ""
    verified: bool = False


class LimitForm(Form):
    """One limit; exactly one condition."""

    level: Annotated[int, Field(ge=1, le=4)]
    above: Number | None = None
    at_least: Number | None = None
    below: Number | None = None
    at_most: Number | None = None
    outside: Pair | None = None
    is_: Annotated[bool | None, Field(alias="is", strict=True)] = None
    severity: Literal["", "info", "minor", "major", "critical"] = ""
    statistic: StatisticWord = "value"
    over: Duration | None = None
    more_a_day_than: Annotated[int, Field(ge=0)] | None = None
    where: dict[str, Text] = Field(default_factory=dict)
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    source: Text
    verified: bool

    @property
    def given(self) -> dict[str, Any]:
        """The conditions that are there, by name."""
        values = {name: getattr(self, "is_" if name == "is" else name) for name in CONDITIONS}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def condition(self) -> ConditionWord:
        """The condition."""
        return next(word for word in CONDITIONS if word in self.given)

    @property
    def value(self) -> float | tuple[float, float] | bool:
        """What the condition compares with."""
        found: float | tuple[float, float] | bool = next(iter(self.given.values()))
        return found


class MetricForm(Form):
    """What a type measures."""

    unit: str = ""
    kind: Literal["number", "state"] = "number"
    title: Title = Title()
    range: Pair | None = None
    normal: Annotated[Normal | None, BeforeValidator(_band)] = None
    limits: list[dict[str, Any]] = Field(default_factory=list)
    _limits: list[LimitForm] = PrivateAttr(default_factory=list)

    @property
    def limit_forms(self) -> list[LimitForm]:
        """Its limits that are of the right form, in the file's order."""
        return self._limits


class TypeForm(Form):
    """A device type."""

    title: Title = Title()
    group: Literal["", "fire", "structure", "water", "environment", "facility", "people", "camera"] = ""
    beside: bool = False
    interval: Duration | None = None
    alarm_interval: Annotated[int | None, BeforeValidator(_alarm)] = None
    offline_after: Duration | None = None
    metrics: dict[str, dict[str, Any]]
    _metrics: dict[str, MetricForm] = PrivateAttr(default_factory=dict)

    @property
    def metric_forms(self) -> dict[str, MetricForm]:
        """Its metrics that are of the right form."""
        return self._metrics


class _File(Form):
    source: dict[str, Any]
    types: dict[str, dict[str, Any]]


def read_types(plain: Any) -> tuple[Evidence | None, dict[str, TypeForm], list[Fault]]:
    """The file's own mark, the types that are of the right form, and what is wrong in the others.

    Each part is looked at by itself, so that one mistake never hides another.
    """
    wrong: list[Fault] = []
    file = _part(_File, plain, (), wrong)
    if file is None:
        inside = plain if isinstance(plain, dict) else {}
        source, types = inside.get("source"), inside.get("types")
    else:
        source, types = file.source, file.types
    mark = _part(Source, source, ("source",), wrong) if isinstance(source, dict) else None
    forms: dict[str, TypeForm] = {}
    for name, content in types.items() if isinstance(types, dict) else ():
        if isinstance(content, dict) and (form := _type(content, ("types", name), wrong)) is not None:
            forms[name] = form
    return (Evidence(mark.text, mark.verified) if mark else None), forms, wrong


def _type(content: Mapping[str, Any], place: Place, wrong: list[Fault]) -> TypeForm | None:
    form = _part(TypeForm, content, place, wrong)
    metrics = content.get("metrics")
    found: dict[str, MetricForm] = {}
    for name, inside in metrics.items() if isinstance(metrics, dict) else ():
        if not isinstance(inside, dict):
            continue
        here = (*place, "metrics", name)
        metric = _part(MetricForm, inside, here, wrong)
        limits = inside.get("limits")
        rows = [
            _part(LimitForm, row, (*here, "limits", index), wrong)
            for index, row in enumerate(limits if isinstance(limits, list) else ())
            if isinstance(row, dict)
        ]
        if metric is not None:
            metric._limits = [row for row in rows if row is not None]  # noqa: SLF001 - of this module
            found[name] = metric
    if form is not None:
        form._metrics = found  # noqa: SLF001 - of this module
    return form


def _part(form: type[Part], content: Any, place: Place, wrong: list[Fault]) -> Part | None:
    try:
        return form.model_validate(content)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            here = (*place, *detail["loc"])
            wrong.append((here, f"{_words(here)}: {_said(form, detail)}"))
        return None


def _words(place: Place) -> str:
    return ".".join(map(str, place)) or "the file"


def _said(form: type[Form], detail: Mapping[str, Any]) -> str:
    if detail["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in form.model_fields.items()]
        close = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1)
        return "unknown key" + (f" (did you mean {close[0]}?)" if close else f"; there are {', '.join(known)}")
    message: str = detail["msg"]
    return message.removeprefix("Value error, ")
