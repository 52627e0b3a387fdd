"""One seeded weather over the district: fronts with cells in them cross it, and temperature, wind and humidity follow.

Everything is laid out in steps of a minute on a grid of cells, from two days before the run on, so that what reacts to
rain has its past. Rates and sizes are chosen to look like Shanghai's (general knowledge; verified: no).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.chance import Floats, Ints, key, normal

Field = NDArray[np.float32]
"""Shape (minutes, cells)."""

SIDE = 16
"""The district's bounding box is SIDE x SIDE cells."""
WARM_UP_MIN = 2 * 1440
_ZONE_H = 8
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_STORM_S = 20.0
_STORM_MM_H = 85.0


@dataclass(frozen=True, slots=True)
class Front:
    """A band of rain that moves across; `at_min` is when its middle passes the district's middle.

    Attributes:
        at_min: Minutes since the start of the field.
        heading: Radians, 0 is east.
        speed: Metres a minute.
        depth_m: Its half width along its way.
        peak: Millimetres an hour in its middle.
        gust: Metres a second that it adds to the wind.
        cells: (along, across, radius, peak) of what rains harder in it; metres and millimetres an hour.
    """

    at_min: float
    heading: float
    speed: float
    depth_m: float
    peak: float
    gust: float
    cells: NDArray[np.float64]


def season(t_ms: Ints) -> Floats:
    """-1 in the middle of January, 1 in the middle of July."""
    day = (t_ms / _DAY_MS) % 365.25
    return -np.cos((day - 15.0) * (2 * np.pi / 365.25))


def local_hour(t_ms: Ints) -> Floats:
    """Hour of the day in the district (UTC+8, no summer time), in [0, 24)."""
    return np.asarray(((t_ms + _ZONE_H * 3_600_000) % _DAY_MS) / 3_600_000)


def local_day(t_ms: Ints) -> Ints:
    """Days since the epoch in the district's time; 4 is a Monday, mod 7."""
    return (t_ms + _ZONE_H * 3_600_000) // _DAY_MS


class Weather:
    """The weather over a box from `begin_ms - 2 days` to `end_ms`.

    Args:
        seed: Of everything random.
        begin_ms: Start of the run; a whole minute is taken.
        end_ms: Its end.
        size_m: Width and height of the box.
        storm: A cloudburst over the whole box that begins 20 s after `begin_ms` and lasts an hour.
    """

    def __init__(
        self, seed: int, begin_ms: int, end_ms: int, size_m: tuple[float, float], *, storm: bool = False
    ) -> None:
        self.seed = seed
        self.start_ms = (begin_ms // _MINUTE_MS - WARM_UP_MIN) * _MINUTE_MS
        self.minutes = int((end_ms - self.start_ms) // _MINUTE_MS) + 62
        self.size_m = size_m
        self._x, self._y = _centres(size_m)
        self.fronts = self._fronts()
        self.rain: Field = np.zeros((self.minutes, SIDE * SIDE), np.float32)
        """Millimetres an hour."""
        self.blow: Field = np.zeros((self.minutes, SIDE * SIDE), np.float32)
        """Wind that fronts add, metres a second."""
        for front in self.fronts:
            self._add(front)
        self.storm_ms: int | None = None
        if storm:
            self._storm(begin_ms)
        self.fallen: NDArray[np.float64] = np.cumsum(self.rain, axis=0, dtype=np.float64) / 60.0
        """Millimetres since the start."""

    def step(self, t_ms: Ints) -> Floats:
        """Where `t_ms` lies in the fields, in steps of a minute with their fraction."""
        return np.clip((t_ms - self.start_ms) / _MINUTE_MS, 0.0, self.minutes - 1.001)

    def at(self, field: NDArray[np.floating], t_ms: Ints, cell: Ints) -> Floats:
        """A field's values between its minutes; shape of `t_ms`."""
        step = self.step(t_ms)
        low = step.astype(np.int64)
        part = step - low
        flat = field.reshape(-1)
        index = low * field.shape[1] + cell
        before = flat[index].astype(np.float64)
        return np.asarray(before + part * (flat[index + field.shape[1]] - before))

    def rained(self, t_ms: Ints, cell: Ints, minutes: int) -> Floats:
        """Millimetres in the `minutes` before."""
        ago = np.maximum(t_ms - minutes * _MINUTE_MS, self.start_ms)
        return np.maximum(self.at(self.fallen, t_ms, cell) - self.at(self.fallen, ago, cell), 0.0)

    def temperature(self, t_ms: Ints, cell: Ints) -> Floats:
        """Degrees Celsius two metres above the ground."""
        hour = local_hour(t_ms)
        mean = 17.0 + 11.5 * season(t_ms)
        daily = 3.6 * np.sin((hour - 8.8) * (2 * np.pi / 24))
        rain = self.at(self.rain, t_ms, cell)
        return mean + daily + 2.2 * self.slow("temperature", t_ms, 71.0) - 3.0 * rain / (rain + 8.0)

    def wind(self, t_ms: Ints, cell: Ints) -> Floats:
        """Metres a second, mean of ten minutes."""
        hour = local_hour(t_ms)
        calm = 2.4 + 0.8 * np.sin((hour - 9.0) * (2 * np.pi / 24)) + 0.7 * self.slow("wind", t_ms, 37.0)
        return np.maximum(calm, 0.2) + self.at(self.blow, t_ms, cell)

    def humidity(self, t_ms: Ints, cell: Ints) -> Floats:
        """Per cent."""
        rain = self.at(self.rain, t_ms, cell)
        dry = (
            72.0 - 12.0 * np.sin((local_hour(t_ms) - 8.8) * (2 * np.pi / 24)) + 8.0 * self.slow("humidity", t_ms, 53.0)
        )
        return np.minimum(dry + (98.0 - dry) * rain / (rain + 1.0), 99.0)

    def slow(self, name: str, t_ms: Ints, hours: float) -> Floats:
        """A smooth wander of about one, the same all over the district."""
        of = key(self.seed, "slow", name)
        phase = normal(of, np.arange(3, dtype=np.int64)) * 6.0
        turn = t_ms * (2 * np.pi / (hours * 3_600_000))
        first, second, third = np.sin(turn + phase[0]), np.sin(turn * 0.431 + phase[1]), np.sin(turn * 2.17 + phase[2])
        return np.asarray(0.6 * first + 0.45 * second + 0.3 * third)

    def _fronts(self) -> list[Front]:
        """The fronts of each day are drawn from the day, so that a run that begins later meets the same ones."""
        first = self.start_ms // _DAY_MS
        last = (self.start_ms + self.minutes * _MINUTE_MS) // _DAY_MS
        found: list[Front] = []
        for day in range(int(first) - 1, int(last) + 1):
            rng = np.random.default_rng([self.seed, day, 11])
            warm = float(season(np.array(day * _DAY_MS)))
            found += [self._front(rng, day, warm) for _ in range(rng.poisson(0.60 + 0.22 * warm))]
        return found

    def _front(self, rng: np.random.Generator, day: int, warm: float) -> Front:
        at_min = (day * _DAY_MS - self.start_ms) / _MINUTE_MS + rng.uniform(0, 1440)
        peak = float(np.clip(rng.lognormal(1.1 + 0.45 * warm, 0.6), 0.5, 22.0))
        depth = rng.uniform(6_000, 22_000)
        many = rng.poisson(1.0 + 1.6 * (1 + warm))
        cells = np.column_stack(
            [
                rng.uniform(-depth, depth, many),
                rng.uniform(-14_000, 14_000, many),
                rng.uniform(1_300, 3_800, many),
                np.clip(rng.lognormal(2.4 + 0.45 * warm, 0.5, many), 3.0, 75.0),
            ]
        )
        return Front(
            at_min, rng.uniform(-0.9, 0.9), rng.uniform(5, 13) * 60, depth, peak,
            float(rng.uniform(1.0, 3.0) + 0.25 * peak * rng.uniform(0.5, 1.5)), cells,
        )  # fmt: skip

    def _add(self, front: Front) -> None:
        reach = (front.depth_m * 2.5 + max(self.size_m)) / front.speed
        low, high = max(0, int(front.at_min - reach)), min(self.minutes, int(front.at_min + reach) + 1)
        if high <= low:
            return
        minute = np.arange(low, high)[:, None] - front.at_min
        east, north = np.cos(front.heading), np.sin(front.heading)
        x, y = self._x - self.size_m[0] / 2, self._y - self.size_m[1] / 2
        along = (x * east + y * north)[None, :] - minute * front.speed
        across = (-x * north + y * east)[None, :]
        band = np.exp(-0.5 * (along / (front.depth_m / 2)) ** 2)
        rain = front.peak * band
        for a, c, radius, peak in front.cells:
            rain = rain + peak * np.exp(-0.5 * ((along - a) ** 2 + (across - c) ** 2) / radius**2)
        self.rain[low:high] += np.where(rain < 0.05, 0.0, rain)
        self.blow[low:high] += front.gust * band

    def _storm(self, begin_ms: int) -> None:
        """The load profile: it comes over all cells at once, as no front can, so that every water device wakes."""
        begin = (begin_ms + _STORM_S * 1000 - self.start_ms) / _MINUTE_MS
        first = int(np.ceil(begin))
        self.storm_ms = self.start_ms + first * _MINUTE_MS
        self.rain[first : first + 60] += _STORM_MM_H
        self.rain[first + 60 : first + 90] += np.linspace(_STORM_MM_H, 0, 30)[: len(self.rain[first + 60 :]), None]
        self.blow[first : first + 90] += 6.0


def _centres(size_m: tuple[float, float]) -> tuple[Floats, Floats]:
    across = (np.arange(SIDE) + 0.5) / SIDE
    x, y = np.meshgrid(across * size_m[0], across * size_m[1])
    return x.ravel(), y.ravel()


def cell_of(x: Floats, y: Floats, size_m: tuple[float, float]) -> Ints:
    """The cell that a point lies in; points outside take the nearest one."""
    column = np.clip((x / size_m[0] * SIDE).astype(np.int64), 0, SIDE - 1)
    row = np.clip((y / size_m[1] * SIDE).astype(np.int64), 0, SIDE - 1)
    return row * SIDE + column
