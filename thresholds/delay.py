"""Numbers, durations and delays as designers write them, and as the engine counts them."""

import math
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from core.units import format_duration, parse_duration

LONGEST_MS = 366 * 86_400_000
"""No delay is longer than a year: beyond that somebody mistook the unit."""

_SAMPLES = re.compile(r"([0-9]+)\s+samples?")
_SOME_OF = re.compile(r"[0-9]+\s+of\s+[0-9]+")
_DURATION_PATTERN = r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|min|s|m|h|d)\s*)+$"
_SAMPLES_PATTERN = r"^\s*[1-9][0-9]*\s+samples?\s*$"


@dataclass(frozen=True, slots=True)
class Delay:
    """How sure to be: a time, a number of readings in a row, or (both 0) no delay at all."""

    ms: int = 0
    samples: int = 0

    def __str__(self) -> str:
        """As it is written in a scene: `10m`, `2 samples`, `0s`."""
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
    if _SOME_OF.fullmatch(text):
        raise PydanticCustomError(
            "later",
            "`k of n` is part of the language but not evaluated by this version: use `N samples` or a duration",
        )
    match = _SAMPLES.fullmatch(text)
    if match is None:
        return Delay(ms=_delay_ms(text))
    if not 1 <= int(match[1]) <= 1_000_000:
        raise PydanticCustomError("duration", "{value}: write from 1 to 1000000 samples", {"value": _shown(value)})
    return Delay(samples=int(match[1]))


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
            ],
            "examples": ["30s", "10m", "2 samples"],
        }
    ),
]
"""A delay, written as a duration or as `N samples`."""
