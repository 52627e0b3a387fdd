"""What of a level can be turned so that it is raised sooner: its limits, its durations and counts, its delay."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from core.units import format_duration
from thresholds.conditions import parse_level
from thresholds.delay import Delay, Rate
from thresholds.level import LevelBase

Content = dict[str, Any]
_EXPANSIONS = 60
_HALVINGS = 48
_DIGITS = 6
_LEAST_MS = 1_000
_NUMBERS = frozenset({
    "above", "below", "mean_above", "mean_below", "sum_above", "sum_below", "max_above", "min_below", "leq_above",
})  # fmt: skip
_DURATIONS = frozenset({"absent_for", "stuck_for"})
_IN_A_TABLE = "nothing to suggest: its limits stand in a table, a row each 限值取自表格, 请逐行调整"
_NOTHING = {
    "equals": "nothing to suggest: it compares with one certain value 固定值比较, 无可调阈值",
    "not_equals": "nothing to suggest: it compares with one certain value 固定值比较, 无可调阈值",
    "state": "nothing to suggest: it is true or false 开关量, 无可调阈值",
}


@dataclass(frozen=True, slots=True)
class Knob:
    """One number of a level.

    Attributes:
        path: Where it stands in the level: `above`, `outside.0`, `changed_by.up`, `for`.
        now: What it is; durations in ms.
        sooner: 1 if the level is raised sooner with more of it, -1 with less.
        end: It cannot be turned as far as this; whole numbers can. None where there is no such end.
        whole: Whether it is a whole number.
        write: The number as a scene file writes it.
    """

    path: str
    now: float
    sooner: int
    end: float | None
    whole: bool
    write: Callable[[float], Any]


def nothing(level: LevelBase) -> str:
    """Why the condition of a level has no limit that can be turned; "" where it has one."""
    return _IN_A_TABLE if level.from_table else _NOTHING.get(level.condition, "")


def knobs(level: LevelBase) -> list[Knob]:
    """Everything of a level that can be turned, its limits first and its delay last."""
    return [*(() if level.from_table else _limits(level)), *_delay(level.for_)]


def turned(level: LevelBase, knob: Knob, value: float) -> Content | None:
    """The keys of the level with a knob turned, None where that is no level; a clear value in the way moves along."""
    content: Content = level.model_dump(mode="json", by_alias=True, exclude_unset=True)
    *way, last = knob.path.split(".")
    place: Any = content
    for part in way:
        place = place[part]
    place[int(last) if isinstance(place, list) else last] = knob.write(value)
    if _is_level(content):
        return content
    return next((one for one in _clearing_elsewhere(content, level) if _is_level(one)), None)


def smallest(knob: Knob, fires: Callable[[float], bool]) -> float | None:
    """The value nearest to the present one with which it fires, found by trying; None if none does.

    Between what is found and its neighbour on the side of the present value lies the turning point: whole numbers are
    exact, others to six digits. `fires` was true of what is returned.
    """
    return _smallest_whole(knob, fires) if knob.whole else _smallest_real(knob, fires)


def said(knob: Knob, value: float) -> str:
    """A value as a scene file writes it."""
    written = knob.write(value)
    return f"{written:.12g}" if isinstance(written, float) else str(written)


def _limits(level: LevelBase) -> Iterator[Knob]:
    name, limit = level.condition, level.limit
    down = -1 if name.endswith("above") else 1
    if name in _NUMBERS:
        yield Knob(name, limit, down, None, whole=False, write=float)
    elif name in _DURATIONS:
        yield Knob(name, limit, -1, _LEAST_MS, whole=True, write=_duration)
    elif name in ("outside", "inside"):
        inwards = 1 if name == "outside" else -1
        for index, way in ((0, inwards), (1, -inwards)):
            end = limit[1 - index] if name == "outside" else None
            yield Knob(f"{name}.{index}", limit[index], way, end, whole=False, write=float)
    else:
        yield from _parts(name, limit, down)


def _parts(name: str, limit: Any, down: int) -> Iterator[Knob]:
    """The numbers of a limit that has several, or a unit of its own."""
    if name == "deviates":
        yield Knob(f"{name}.by", limit.by, -1, 0.0, whole=False, write=float)
    elif name == "changed_by":
        for way, now in (("up", limit.up), ("down", limit.down)):
            if now is not None:
                yield Knob(f"{name}.{way}", now, -1, 0.0, whole=False, write=float)
    elif name in ("rate_above", "rate_below"):
        yield Knob(name, limit.amount, down, None, whole=False, write=lambda amount: str(Rate(amount, limit.per_ms)))
    elif name == "count_above":
        yield Knob(f"{name}.times", limit.times, -1, 1, whole=True, write=int)
        yield Knob(f"{name}.limit", limit.limit, -1, None, whole=False, write=float)
    elif name in ("total_above", "total_below"):
        yield Knob(f"{name}.value", limit.value, down, None, whole=False, write=float)


def _delay(delay: Delay) -> Iterator[Knob]:
    if delay.samples:
        yield Knob("for", delay.samples, -1, 1, whole=True, write=lambda n: str(Delay(samples=int(n), of=delay.of)))
    elif delay.ms:
        yield Knob("for", delay.ms, -1, 0, whole=True, write=_duration)


def _duration(ms: float) -> str:
    return format_duration(int(ms))


def _is_level(content: Content) -> bool:
    try:
        parse_level(copy.deepcopy(content))
    except (ValidationError, ValueError):
        return False
    return True


def _clearing_elsewhere(content: Content, level: LevelBase) -> Iterator[Content]:
    """The level with its clear value at the limit, or without one."""
    key, limit = level.clears_by, content.get(level.condition)
    if key is None or key not in content:
        return
    yield {**content, key: limit}
    yield {name: value for name, value in content.items() if name != key}


def _smallest_whole(knob: Knob, fires: Callable[[float], bool]) -> float | None:
    near, far = int(knob.now), int(knob.end or 0)
    if near <= far or not fires(far):
        return None
    while near - far > 1:  # it fires at `far` and not at `near`
        middle = (near + far) // 2
        near, far = (near, middle) if fires(middle) else (middle, far)
    return far


def _smallest_real(knob: Knob, fires: Callable[[float], bool]) -> float | None:
    found = _beyond(knob, fires)
    if found is None:
        return None
    near, far = found
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        if abs(near - far) <= 10**-_DIGITS * max(abs(far), 1e-9) / 2 or middle in (near, far):
            break
        near, far = (near, middle) if fires(middle) else (middle, far)
    rounded = float(f"{far:.{_DIGITS}g}")
    if rounded != far and (rounded - knob.now) * knob.sooner > 0 and fires(rounded):
        return rounded
    return far


def _beyond(knob: Knob, fires: Callable[[float], bool]) -> tuple[float, float] | None:
    """A value with which it does not fire, and one further on with which it does; each step is twice the last."""
    step, near = max(abs(knob.now), 1.0) / 64, knob.now
    for _ in range(_EXPANSIONS):
        far = knob.now + knob.sooner * step
        if knob.end is not None and (far - knob.end) * knob.sooner >= 0:
            far = (near + knob.end) / 2
            if abs(far - knob.end) <= 10**-_DIGITS * max(abs(knob.end), abs(knob.now)):
                return None
        if fires(far):
            return near, far
        near, step = far, step * 2
    return None
