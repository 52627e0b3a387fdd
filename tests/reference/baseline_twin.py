"""The slow, obvious twin of the baseline: the visits of each part are kept, and what is usual is made of their list."""

import datetime as dt
import math
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from city.workdays import is_working_day_or_weekday
from thresholds.deviates import Deviation

Part = tuple[bool, int]


@dataclass
class Visit:
    """Values one behind the other in one part; `near`: as they count, `out`: how many were far."""

    values: list[float] = field(default_factory=list)
    near: list[float] = field(default_factory=list)
    out: int = 0


@dataclass
class PartTwin:
    """What one part has been taught: (mean, mean square about it) of each visit since it began."""

    taught: list[tuple[float, float]] = field(default_factory=list)
    odd: int = 0

    @property
    def mean(self) -> float:
        """The mean of the visits, weighed."""
        return math.fsum(w * mean for w, (mean, _) in zip(self.weights, self.taught, strict=True))

    @property
    def variance(self) -> float:
        """Of one value of a visit that is taken by its weight."""
        parts = zip(self.weights, self.taught, strict=True)
        return math.fsum(w * (within + (mean - self.mean) ** 2) for w, (mean, within) in parts)

    @property
    def weights(self) -> list[float]:
        """The first ten weigh the same; each later one takes a tenth of everybody's."""
        weights = [1.0]
        for number in range(2, len(self.taught) + 1):
            share = max(1 / number, 0.1)
            weights = [*(w * (1 - share) for w in weights), share]
        return weights


@dataclass
class BaselineTwin:
    """One baseline of one feed."""

    kept: Deviation
    zone: str
    parts: dict[Part, PartTwin] = field(default_factory=dict)
    begun: int | None = None
    last: float | None = None
    seen: float = 0.0
    step: float = 0.0
    shared: list[float] = field(default_factory=list)
    part: Part = (False, 0)
    day: tuple[dt.date, int] | None = None
    visit: Visit = field(default_factory=Visit)
    spread: float = 0.0
    block: tuple[int, list[float]] | None = None
    found: tuple[float, float] | None = None

    def on_reading(self, time: int, value: float) -> None:
        """A reading."""
        if self.begun is None:
            self.begun = time
        if self.kept.block_ms:
            self._into_mean(time, value)
        else:
            self._hold_against(time, value)
        if self.last is not None and value != self.last:
            size = abs(value - self.last)
            self.seen = min(size, self.seen) if self.seen else size
        self.last = value

    def _into_mean(self, time: int, value: float) -> None:
        length = self.kept.block_ms
        if self.block is not None and self.block[0] != time // length:
            number, values = self.block
            self._hold_against(number * length, sum(values) / len(values))
            self.block = None
        self.block = self.block or (time // length, [])
        self.block[1].append(value)

    def _hold_against(self, time: int, value: float) -> None:
        local = dt.datetime.fromtimestamp(time / 1000, ZoneInfo(self.zone))
        hour = 0 if self.kept.from_ == "own" else local.hour
        off = self.kept.from_ == "seasonal" and not is_working_day_or_weekday(local.date())
        day = (local.date(), hour)
        if day != self.day:
            self._close()
            self.day, self.visit = day, Visit()
            self.part = (off, hour)
            self.spread = self._spread()
            self.step = self.seen
        known = self.parts.get(self.part, PartTwin())
        ready = len(known.taught) >= 3
        gone = value - known.mean if known.taught else 0.0
        self.found = (gone, self.spread) if ready and time - (self.begun or 0) >= self.kept.learn_ms else None
        self.visit.values.append(value)
        is_far = ready and abs(gone) > 3 * self.spread
        self.visit.out += is_far
        self.visit.near.append(known.mean + math.copysign(3 * self.spread, gone) if is_far else value)

    def _spread(self) -> float:
        """Of the part in hand."""
        known = self.parts.get(self.part)
        if known is None:
            return 0.0
        n = min(len(known.taught), 10)
        own = (n * known.variance + 4 * self._shared()) / (n + 4)
        return math.sqrt((own + self.step**2 / 12) * (1 + 1 / n))

    def _shared(self) -> float:
        memory = 10 * {"seasonal": 48, "daily": 24, "own": 1}[self.kept.from_]
        shared = 0.0
        for number, one in enumerate(self.shared, 1):
            shared += (one - shared) / min(number, memory)
        return shared

    def _close(self) -> None:
        """Let the visit teach."""
        values, near = self.visit.values, self.visit.near
        if not values:
            return
        known = self.parts.setdefault(self.part, PartTwin())
        if known.taught:
            mean, within = _moments(near)
            gone = mean - known.mean
            known.odd = self._odd(known, within + gone**2)
            if abs(known.odd) < 5:
                n = min(len(known.taught), 10)
                self.shared.append(within + gone**2 * n / (n + 1))
                known.taught.append((mean, within))
                return
            if known.odd < 0:
                self.shared = []
        self.parts[self.part] = PartTwin([_moments(values)])

    def _odd(self, known: PartTwin, found: float) -> int:
        if self.visit.out * 2 > len(self.visit.values):
            return max(known.odd, 0) + 1
        if known.variance > 1e-9 and found <= known.variance / 1000:
            return min(known.odd, 0) - 1
        return 0


def _moments(values: list[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / len(values)
