"""When something is in force: hours, days, months and seasons of a time zone, laid out as borders in time."""

import datetime as dt
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from city.workdays import LAST_YEAR as WORKDAYS_KNOWN_TO
from city.workdays import is_working_day_or_weekday
from core.reading import Int32, Int64
from thresholds.calendars import FIRST_YEAR, LAST_YEAR, to_ms
from thresholds.level import Model

_DAY_MIN = 1440
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DATE = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMED = {
    "day": {"hours": "06:00-22:00"},
    "night": {"hours": "22:00-06:00"},
    "working days": {"days": "working"},
    "holidays": {"days": "holiday"},
}
"""Schedules that have a name; day and night are those of GB 3096-2008."""


SCHEDULES = tuple(_NAMED)
"""Their names."""


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str | int) else value


def _hours(value: object) -> object:
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is None or minutes_of(value) is None:
        raise PydanticCustomError("text", "{value} are no hours: write 22:00-06:00, in quotes", {"value": repr(value)})
    return value


def minutes_of(hours: object) -> tuple[int, int] | None:
    """Minutes of the day from and to, None if they are the same or past the day's end."""
    a, b, c, d = (int(part) for part in re.split("[:-]", str(hours)))
    begin, end = a * 60 + b, c * 60 + d
    return None if begin == end or end > _DAY_MIN else (begin, end)


def _date(value: object) -> object:
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        raise PydanticCustomError("text", "{value} is no day of the year: write 06-01", {"value": repr(value)})
    return value


Hours = Annotated[str, BeforeValidator(_hours), WithJsonSchema({"type": "string", "pattern": f"^{_HOURS.pattern}$"})]
DayOfYear = Annotated[str, BeforeValidator(_date), WithJsonSchema({"type": "string", "pattern": f"^{_DATE.pattern}$"})]
Days = Literal["working", "holiday", "mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Month = Annotated[StrictInt, Field(ge=1, le=12)]


class Season(Model):
    """From one day of the year to another, both included; over the turn of the year where it ends before it begins."""

    from_: DayOfYear = Field(alias="from", description="First day, like 06-01. 起始日")
    to: DayOfYear = Field(description="Last day, like 09-30. 结束日")


class When(Model):
    """When: whatever is given has to fit; of a list, any of it."""

    hours: Annotated[tuple[Hours, ...], BeforeValidator(_listed), Field(min_length=1)] | None = Field(
        None, description="Hours like 22:00-06:00; past midnight they belong to the day they began on. 时段"
    )
    days: Annotated[tuple[Days, ...], BeforeValidator(_listed), Field(min_length=1)] | None = Field(
        None, description="working, holiday (moved days included), mon ... sun. 日期类型"
    )
    months: Annotated[tuple[Month, ...], BeforeValidator(_listed), Field(min_length=1)] | None = Field(
        None, description="Months, 1 to 12. 月份"
    )
    season: Season | None = Field(None, description="From one day of the year to another. 季节")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in _NAMED:
                raise PydanticCustomError(
                    "text", "{value} is no schedule: write {names}, or hours, days, months, season as keys",
                    {"value": repr(value), "names": ", ".join(_NAMED)},
                )  # fmt: skip
            return _NAMED[value]
        return value

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.hours or self.days or self.months or self.season):
            raise PydanticCustomError("nothing", "`when` is empty: give hours, days, months or season")
        return self

    @property
    def key(self) -> str:
        """What it says, as text."""
        return msgspec.json.encode(self.model_dump(mode="json", by_alias=True, exclude_none=True)).decode()

    @property
    def uses_working_days(self) -> bool:
        """Whether it needs to know who works when."""
        return any(day in ("working", "holiday") for day in self.days or ())


def holds_at(when: When, local: dt.datetime) -> bool:
    """Whether a schedule is in force at a local time."""
    minute = local.hour * 60 + local.minute
    today, before = _fits(when, local.date()), _fits(when, local.date() - dt.timedelta(days=1))
    return any(_covers(span, minute, today=today, before=before) for span in _spans(when))


@lru_cache(maxsize=256)
def timeline(whens: tuple[str, ...], zone: str) -> tuple[Int64, Int64]:
    """When which of some schedules (by their keys) are in force in a zone.

    Returns:
        (borders in ms, rising; from each of them on, a bit for each schedule that is in force).
    """
    read = [When.model_validate_json(key) for key in whens]
    edges = {0} | {edge % _DAY_MIN for when in read for span in _spans(when) for edge in span}
    marks = np.array(sorted(edges), np.int64)
    days = np.arange(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR + 1}-01-01", dtype="datetime64[D]")
    masks = np.zeros((len(days), len(marks)), np.int64)
    for bit, when in enumerate(read):
        masks |= _in_force(when, days, marks).astype(np.int64) << bit
    flat = masks.reshape(-1)
    turns = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    local = days[turns // len(marks)].astype("datetime64[m]") + marks[turns % len(marks)].astype("timedelta64[m]")
    return to_ms(local, zone), flat[turns]


def faces_of(whens: Sequence[When], zone: str) -> tuple[list[int], Int64, Int32]:
    """(masks that occur, borders in ms, index of the mask in force from each of them on)."""
    times, masks = timeline(tuple(when.key for when in whens), zone)
    kinds, index = np.unique(masks, return_inverse=True)
    return [int(kind) for kind in kinds], times, index.astype(np.int32)


def working_days_end_ms(zone: str) -> int:
    """The first instant of which it is not known whether it lies on a working day."""
    return int(to_ms(np.array([f"{WORKDAYS_KNOWN_TO + 1}-01-01"], "datetime64[m]"), zone)[0])


def _in_force(when: When, days: NDArray[np.datetime64], marks: Int64) -> NDArray[np.bool_]:
    fits = np.array([_fits(when, day) for day in days.astype(object)])
    before = np.concatenate([[False], fits[:-1]])
    found = np.zeros((len(days), len(marks)), np.bool_)
    for column, mark in enumerate(marks.tolist()):
        for begin, end in _spans(when):
            if begin < end:
                found[:, column] |= fits & (begin <= mark < end)
            else:
                found[:, column] |= (fits & (mark >= begin)) | (before & (mark < end))
    return found


def _covers(span: tuple[int, int], minute: int, *, today: bool, before: bool) -> bool:
    begin, end = span
    if begin < end:
        return today and begin <= minute < end
    return (today and minute >= begin) or (before and minute < end)


def _spans(when: When) -> list[tuple[int, int]]:
    spans = [minutes_of(hours) for hours in when.hours or ("00:00-24:00",)]
    return [span for span in spans if span is not None]


def _fits(when: When, day: dt.date) -> bool:
    """Whether a day is one of those meant."""
    if when.months is not None and day.month not in when.months:
        return False
    if when.season is not None and not _in_season(when.season, f"{day:%m-%d}"):
        return False
    return when.days is None or any(_is(name, day) for name in when.days)


def _is(name: str, day: dt.date) -> bool:
    if name in WEEKDAYS:
        return WEEKDAYS[day.weekday()] == name
    return is_working_day_or_weekday(day) == (name == "working")


def _in_season(season: Season, day: str) -> bool:
    if season.from_ <= season.to:
        return season.from_ <= day <= season.to
    return day >= season.from_ or day <= season.to
