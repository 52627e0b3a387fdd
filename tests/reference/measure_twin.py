"""The slow, obvious twin of the measures: every reading is kept, and each number is made of the list of them."""

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from core.units import parse_duration
from tests.reference.baseline_twin import BaselineTwin
from thresholds.level import LevelBase
from thresholds.scene import Scene

DAY_MS = 86_400_000


def panes_of(window_ms: int) -> int:
    """Into how many panes a window is cut."""
    return max(n for n in range(1, 61) if window_ms % n == 0)


def calendar_start(time_ms: int, unit: str, zone: str) -> int:
    """When the calendar day, week or month of an instant began."""
    local = dt.datetime.fromtimestamp(time_ms / 1000, ZoneInfo(zone))
    day = local.date()
    if unit == "week":
        day -= dt.timedelta(days=day.weekday())
    if unit == "month":
        day = day.replace(day=1)
    return round(dt.datetime.combine(day, dt.time(), ZoneInfo(zone)).timestamp() * 1000)


def calendar_end(time_ms: int, unit: str, zone: str) -> int:
    """When it ends."""
    later = calendar_start(time_ms, unit, zone)
    while calendar_start(later, unit, zone) == calendar_start(time_ms, unit, zone):
        later += DAY_MS
    return calendar_start(later, unit, zone)


@dataclass
class MeasureTwin:
    """One measure of one feed: `kept` holds (instant it counts as of, what it counts), in order."""

    level: LevelBase
    zone: str
    kept: list[tuple[int, float]] = field(default_factory=list)
    at: int | None = None
    last: int | None = None
    since: int = 0
    before: float | None = None
    absent: bool = False
    absent_at: int | None = None
    block: tuple[int, list[float]] | None = None
    pane_at: int = 0
    shown: float = 0.0
    usual: BaselineTwin | None = None

    @property
    def content(self) -> Any:
        """What the level says under its condition."""
        return self.level.limit

    @property
    def window(self) -> tuple[int, str]:
        """(ms, calendar) of the window."""
        level: Any = self.level
        match level.condition:
            case "changed_by":
                return level.changed_by.in_, ""
            case "rate_above" | "rate_below":
                return level.window or self.content.per_ms, ""
            case "count_above" | "total_above" | "total_below":
                return self.content.in_.ms, self.content.in_.calendar
            case _:
                return level.window, ""

    @property
    def needed(self) -> tuple[float, int]:
        """(share, readings) that the window has to have."""
        level: Any = self.level
        share = getattr(level, "min_share", None)
        usual = {"sum_below": 1.0, "total_below": 1.0}
        half = {"mean_above", "mean_below", "leq_above", "rate_above", "rate_below"}
        if share is None:
            share = usual.get(level.condition, 0.5 if level.condition in half else 0.0)
        return share, getattr(level, "min_samples", 1)

    def begins(self, time: int) -> int:
        """The first instant that the window at `time` reaches back to."""
        ms, calendar = self.window
        if calendar:
            return calendar_start(time, calendar, self.zone)
        pane = ms // panes_of(ms)
        return (time // pane - panes_of(ms) + 1) * pane

    def on_reading(self, time: int, value: float) -> None:
        """A reading."""
        condition = self.level.condition
        if condition == "absent_for":
            self.absent, self.absent_at = False, time + self.content
            return
        if condition == "deviates":
            self.usual = self.usual or BaselineTwin(self.content, self.zone)
            self.usual.on_reading(time, value)
            self.at = time
            return
        now = time if self.at is None else max(time, self.at)
        first = self.at is None
        self.at = self.pane_at = now
        if condition == "stuck_for":
            if first or value != self.before or value == self.level.except_:  # type: ignore[attr-defined]
                self.since = now
        else:
            if first or now - (self.last or 0) > self.window[0]:
                self.since = now
            self._count(now, value, first=first)
        self.last, self.before = now, value

    def _count(self, now: int, value: float, *, first: bool) -> None:
        before = self.before if self.before is not None else 0.0
        amount = value
        if self.level.condition.startswith("total"):
            amount = 0.0 if first else max(0.0, value - before)
        elif self.level.condition == "count_above":
            over = value > self.content.limit
            if self.content.of.endswith("mean"):
                block = now // self._block_ms
                if self.block is None or block > self.block[0]:
                    self.block = (block, [])
                self.block[1].append(value)
                return
            if self.content.of == "crossings" and over and not first:
                over = not before > self.content.limit
            amount = float(over)
        self.kept.append((now, amount))

    @property
    def _block_ms(self) -> int:
        return parse_duration(self.content.of.split()[0])

    def _block_end(self) -> int | None:
        return None if self.block is None else (self.block[0] + 1) * self._block_ms - 1

    def on_time(self, time: int) -> bool:
        """Time has come to an instant at which this wakes; whether that may begin a level."""
        if self.level.condition == "absent_for":
            self.absent, self.absent_at = True, None
            return True
        self.at = self.pane_at = max(self.at or 0, time)
        end = self._block_end()
        if end is not None and time >= end and self.block is not None:
            mean = sum(self.block[1]) / len(self.block[1])
            self.kept.append((time, float(mean > self.content.limit)))
            self.block, self.at = None, time + 1
            return True
        return False

    def wakes(self, *, used: bool) -> int | None:
        """When time alone may change the number next; `used`: a level that compares it is not idle."""
        if self.level.condition == "absent_for":
            return self.absent_at
        if self.at is None or self.level.condition in ("stuck_for", "deviates"):
            return None
        found = [end] if (end := self._block_end()) is not None else []
        if used and self._inside():
            ms, calendar = self.window
            pane = ms // panes_of(ms) if not calendar else 0
            border = calendar_end(self.pane_at, calendar, self.zone) if calendar else (self.pane_at // pane + 1) * pane
            found.append(border)
        return min(found, default=None)

    def _inside(self) -> list[tuple[int, float]]:
        return [one for one in self.kept if one[0] >= self.begins(self.pane_at)]

    def numbers(self) -> tuple[float, float] | None:
        """The number, and the other one of a change; None where there is none. `shown` keeps the last one."""
        found = self._numbers() if self.usual is None else self.usual.found
        self.shown = self.shown if found is None else found[0]
        return found

    def _numbers(self) -> tuple[float, float] | None:
        condition = self.level.condition
        if condition == "absent_for":
            return None if self.absent_at is None and not self.absent else (float(self.absent), 0)
        if self.at is None:
            return None
        if condition == "stuck_for":
            return float((self.last or 0) - self.since), 0
        inside = self._inside()
        if not inside and self.window[1]:
            return 0.0, 0
        share, fewest = self.needed
        if not inside or len(inside) < fewest or self.at - self.since < round(self.window[0] * share):
            return None
        values = [value for _, value in inside]
        match condition:
            case "mean_above" | "mean_below":
                return math.fsum(values) / len(values), 0
            case "max_above":
                return max(values), 0
            case "min_below":
                return min(values), 0
            case "leq_above":
                return 10 * math.log10(math.fsum(10 ** (value / 10) for value in values) / len(values)), 0
            case "changed_by":
                last = self.before if self.before is not None else 0.0
                return last - min(values), max(values) - last
            case "rate_above" | "rate_below":
                return _slope(inside)
            case _:
                return math.fsum(values), 0


@dataclass
class ProgramTwin:
    """Which schedules of a scene are in force for a feed."""

    scene: Scene
    at: int | None = None
    in_force: frozenset[str] = frozenset()

    def turn(self, time: int) -> bool:
        """Time has come to an instant; whether something else is in force now."""
        before, fresh = self.in_force, self.at is None
        self.at = time if self.at is None else max(self.at, time)
        self.in_force = self.scene.in_force_at(self.at)
        return fresh or self.in_force != before

    def turns_at(self) -> int | None:
        """When something else will be in force; looked for minute by minute, for half an hour."""
        if self.at is None:
            return None
        minute = (self.at // 60_000 + 1) * 60_000
        later = range(minute, minute + 1_800_000, 60_000)
        return next((time for time in later if self.scene.in_force_at(time) != self.in_force), None)


def _slope(readings: list[tuple[int, float]]) -> tuple[float, float] | None:
    n = len(readings)
    mean_t = sum(time for time, _ in readings) / n
    mean_v = math.fsum(value for _, value in readings) / n
    spread = math.fsum((time - mean_t) ** 2 for time, _ in readings)
    if spread == 0:
        return None
    return math.fsum((time - mean_t) * (value - mean_v) for time, value in readings) / spread, 0


def holds_for(level: LevelBase, numbers: tuple[float, float]) -> bool:
    """Whether a condition over more than one reading holds for its numbers."""
    value, other = numbers
    limit: Any = level.limit
    match level.condition:
        case "changed_by":
            return (limit.up is not None and value > limit.up) or (limit.down is not None and other > limit.down)
        case "rate_above":
            return bool(value > limit.amount / limit.per_ms)
        case "rate_below":
            return bool(value < limit.amount / limit.per_ms)
        case "count_above":
            return bool(value >= limit.times)
        case "total_above":
            return bool(value > limit.value)
        case "total_below":
            return bool(value < limit.value)
        case "deviates":
            return bool(_away(limit, value) > max(limit.by * other, limit.at_least or 0))
        case "absent_for":
            return value == 1
        case "stuck_for":
            return bool(value >= limit)
        case "mean_below" | "sum_below" | "min_below":
            return bool(value < limit)
        case _:
            return bool(value > limit)


def _away(limit: Any, value: float) -> float:
    """How far in the direction that counts."""
    return float({"up": value, "down": -value}.get(limit.direction, abs(value)))


def beyond_for(level: LevelBase, numbers: tuple[float, float]) -> bool:
    """Whether its numbers are beyond its clear value."""
    clear: Any = level.clear_value
    if clear is None:
        return not holds_for(level, numbers)
    value, other = numbers
    match level.condition:
        case "deviates":
            limit = level.limit
            return bool(_away(limit, value) < max(clear * other, (limit.at_least or 0) * clear / limit.by))
        case "changed_by":
            return bool(value < clear and other < clear)
        case "rate_above":
            return bool(value < clear.amount / clear.per_ms)
        case "rate_below":
            return bool(value > clear.amount / clear.per_ms)
        case "mean_below" | "sum_below" | "min_below" | "total_below":
            return bool(value > clear)
        case _:
            return bool(value < clear)
