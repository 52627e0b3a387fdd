"""Numbers, durations and delays as designers write them, and as the engine counts them."""

import math
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema, WrapValidator
from pydantic_core import PydanticCustomError

from core.units import format_duration, parse_duration

LONGEST_MS = 366 * 86_400_000
"""No delay is longer than a year: beyond that somebody mistook the unit."""

_SAMPLES = re.compile(r"([0-9]+)\s+samples?")
_SOME_OF = re.compile(r"([0-9]+)\s+of\s+([0-9]+)")
_DURATION_PATTERN = r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|min|s|m|h|d)\s*)+$"
_SAMPLES_PATTERN = r"^\s*[1-9][0-9]*\s+samples?\s*$"
_SOME_OF_PATTERN = r"^\s*[1-9][0-9]*\s+of\s+[1-9][0-9]*\s*$"
MOST_OF = 62
"""No `k of n` looks back further than this many readings."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How sure to be: a time, a number of readings in a row or out of the last `of`, or (all 0) no delay at all."""

    ms: int = 0
    samples: int = 0
    of: int = 0

    def __str__(self) -> str:
        """As it is written in a scene: `10m`, `2 samples`, `3 of 5`, `0s`."""
        if self.of:
            return f"{self.samples} of {self.of}"
        if self.samples:
            return f"{self.samples} sample{'s' if self.samples > 1 else ''}"
        return format_duration(self.ms)

    def __bool__(self) -> bool:
        return bool(self.ms or self.samples)


NO_DELAY = Delay()


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str):
        raise PydanticCustomError(
            "duration", "{value} has no unit: write a duration like 30s, 10m, 1h30m or 2d", {"value": _shown(value)}
        )
    try:
        ms = parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "{text}", {"text": str(error)}) from None
    if ms > LONGEST_MS:
        raise PydanticCustomError("duration", "{value} is longer than a year", {"value": _shown(value)})
    return ms


def _delay(value: object) -> object:
    if isinstance(value, Delay):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError(
            "duration",
            "{value} has no unit: write a duration (30s, 10m, 1h30m) or a number of readings (3 samples)",
            {"value": _shown(value)},
        )
    text = value.strip()
    some = _SOME_OF.fullmatch(text)
    if some is not None:
        return _some_of(int(some[1]), int(some[2]), value)
    match = _SAMPLES.fullmatch(text)
    if match is None:
        return Delay(ms=_delay_ms(text))
    if not 1 <= int(match[1]) <= 1_000_000:
        raise PydanticCustomError("duration", "{value}: write from 1 to 1000000 samples", {"value": _shown(value)})
    return Delay(samples=int(match[1]))


def _some_of(k: int, n: int, value: str) -> Delay:
    if not 1 <= k <= n <= MOST_OF:
        raise PydanticCustomError(
            "duration",
            "{value}: write k of n with 1 <= k <= n <= {most}, like 3 of 5",
            {"value": _shown(value), "most": MOST_OF},
        )
    return Delay(samples=k, of=n)


def _delay_ms(text: str) -> int:
    try:
        return _milliseconds(text)
    except PydanticCustomError as error:
        if "year" in error.message():
            raise
        raise PydanticCustomError(
            "duration",
            "{value} is no delay: write a duration (30s, 10m, 1h30m) or a number of readings (3 samples)",
            {"value": _shown(text)},
        ) from None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "{value} is not a number", {"value": _shown(value)})
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PydanticCustomError("number", "a limit has to be a finite number, this is {value}", {"value": str(value)})
    return number


def _interval(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise PydanticCustomError("interval", "two limits are needed here: write [lowest, highest]")
    lo, hi = _number(value[0]), _number(value[1])
    if not lo < hi:
        raise PydanticCustomError(
            "interval",
            "the first limit has to be below the second: write [{lo}, {hi}]",
            {"lo": f"{min(lo, hi):g}", "hi": f"{max(lo, hi):g}"},
        )
    return (lo, hi)


def _shown(value: object) -> str:
    """How a value is named in a message: as YAML writes it, and short."""
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


Number = Annotated[float, BeforeValidator(_number)]
"""A finite number; nothing else is taken for one, neither text nor true/false."""

OF_TABLE = "table"
"""Stands where a level has no limit of its own: only a row of the scene's table, or an override, gives it one."""


def _limit(value: object, _handler: object) -> float:
    # One object for all of them, so that two levels that say the same are equal although NaN is not.
    return math.nan if value == OF_TABLE else _number(value)


def _as_written(limit: float) -> float | str:
    return OF_TABLE if math.isnan(limit) else limit


Limit = Annotated[
    float,
    WrapValidator(_limit),
    PlainSerializer(_as_written, return_type=float | str),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"const": OF_TABLE}]}),
]
"""A finite number; or NaN for a limit of the table, written `table`."""

Interval = Annotated[
    tuple[float, float],
    BeforeValidator(_interval),
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]
"""Two finite numbers, the lower one first."""

Duration = Annotated[
    int,
    BeforeValidator(_milliseconds),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["30s", "10m", "1h30m", "2d"]}),
]
"""Milliseconds, written with a unit."""

Waiting = Annotated[
    Delay,
    BeforeValidator(_delay),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _DURATION_PATTERN},
                {"type": "string", "pattern": _SAMPLES_PATTERN},
                {"type": "string", "pattern": _SOME_OF_PATTERN},
            ],
            "examples": ["30s", "10m", "2 samples", "3 of 5"],
        }
    ),
]
"""A delay, written as a duration, as `N samples` or as `k of n`."""


@dataclass(frozen=True, slots=True)
class Period:
    """A window: the last `ms`, or the calendar's present day, week or month."""

    ms: int = 0
    calendar: str = ""

    def __str__(self) -> str:
        """As it is written: `1d`, `calendar day`."""
        return f"calendar {self.calendar}" if self.calendar else format_duration(self.ms)


CALENDARS = ("day", "week", "month")
_CALENDAR = re.compile(r"calendar\s+(\w+)")


def window_ms(value: object) -> int:
    """Milliseconds of a window as it is written: whole seconds."""
    ms = _milliseconds(value)
    if ms < 1_000 or ms % 1_000:
        raise PydanticCustomError(
            "duration", "{value}: a window is a whole number of seconds, at least one", {"value": _shown(value)}
        )
    return ms


def _period(value: object) -> object:
    if isinstance(value, Period):
        return value
    match = _CALENDAR.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return Period(ms=window_ms(value))
    if match[1] not in CALENDARS:
        raise PydanticCustomError(
            "duration", "{value}: a calendar window is a day, a week or a month", {"value": _shown(value)}
        )
    return Period(calendar=match[1])


_WINDOW_SCHEMA = {"type": "string", "pattern": _DURATION_PATTERN, "examples": ["15m", "1h", "1d"]}

Window = Annotated[
    int,
    BeforeValidator(window_ms),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_WINDOW_SCHEMA),
]
"""The length of a sliding window in ms: whole seconds, written with a unit."""

Within = Annotated[
    Period,
    BeforeValidator(_period),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"anyOf": [_WINDOW_SCHEMA, {"enum": [f"calendar {name}" for name in CALENDARS]}]}),
]
"""A sliding or a calendar window, written like `1d` or `calendar day`."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much in so long."""

    amount: float
    per_ms: int

    @property
    def per_millisecond(self) -> float:
        """The same for one millisecond."""
        return self.amount / self.per_ms

    def __str__(self) -> str:
        """As it is written: `2 per 1d`."""
        return f"{self.amount:.12g} per {format_duration(self.per_ms)}"


_RATE = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s+per\s+(.+)")
_RATE_PATTERN = r"^\s*[+-]?[0-9]+(\.[0-9]+)?\s+per\s+.+$"


def _rate(value: object) -> object:
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("number", "{value} is no rate: write it like 2 per 1d", {"value": _shown(value)})
    return Rate(float(match[1]), window_ms(match[2]))


PerTime = Annotated[
    Rate,
    BeforeValidator(_rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _RATE_PATTERN, "examples": ["2 per 1d", "0.5 per 1h"]}),
]
"""A rate, written like `2 per 1d`."""
