"""Who is asked, and when: a fleet of devices of one type, and some of them at some times."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators import rhythm
from simulators.chance import Floats, Ints, key, normal, uniform
from simulators.hydrology import Hydrology, downstream_m
from simulators.weather import Weather, cell_of, local_day, local_hour


class Fleet:
    """The devices of one type, as arrays.

    Args:
        seed: Of what makes one differ from the other.
        type_id: Their type.
        first: Index of the first in the district.
        x: Metres east of the box's corner.
        y: Metres north.
        site: Kind of site, one text for each.
        area_class: Class of GB 3096 (0, 1, 2, 3, 4), one number for each.
        design: Design values by metric.
        size_m: The box.
    """

    def __init__(
        self,
        seed: int,
        type_id: str,
        first: int,
        x: Floats,
        y: Floats,
        site: NDArray[np.str_],
        area_class: Ints,
        design: Mapping[str, Floats],
        size_m: tuple[float, float],
    ) -> None:
        self.seed = seed
        self.type = type_id
        self.first = first
        self.x = x
        self.y = y
        self.site = site
        self.area_class = area_class
        self.design = design
        self.cell = cell_of(x, y, size_m)
        self.downstream_m = downstream_m(x)
        self._traits: dict[tuple[str, bool], Floats] = {}

    def __len__(self) -> int:
        return len(self.x)

    def trait(self, name: str) -> Floats:
        """A lasting peculiarity of each device of the fleet, about normal."""
        if (name, True) not in self._traits:
            self._traits[name, True] = normal(key(self.seed, self.type, "trait", name), self._all())
        return self._traits[name, True]

    def share(self, name: str) -> Floats:
        """The same, evenly in [0, 1)."""
        if (name, False) not in self._traits:
            self._traits[name, False] = uniform(key(self.seed, self.type, "share", name), self._all())
        return self._traits[name, False]

    def _all(self) -> Ints:
        return np.arange(self.first, self.first + len(self.x), dtype=np.int64)


class Moment:
    """Some devices at some times, and what is around them then.

    Args:
        fleet: The devices of the type.
        rows: Which of them, shape (n,).
        t: When, ms since the epoch, shape (n,).
        weather: The weather.
        water: What it does to water.
    """

    def __init__(self, fleet: Fleet, rows: Ints, t: Ints, weather: Weather, water: Hydrology) -> None:
        self.fleet = fleet
        self.rows = rows
        self.t = t
        self.weather = weather
        self.water = water

    def trait(self, name: str) -> Floats:
        """`Fleet.trait` of them."""
        return self.fleet.trait(name)[self.rows]

    def share(self, name: str) -> Floats:
        """`Fleet.share` of them."""
        return self.fleet.share(name)[self.rows]

    def busy(self, name: str) -> Floats:
        """How busy it is then."""
        return rhythm.busy(name, self.minute, self.resting)

    def wander(self, name: str, hours: float) -> Floats:
        """A smooth wander of about one, of each device for itself."""
        turn = self.t * (2 * np.pi / (hours * 3_600_000))
        phase = self.share(name) * (2 * np.pi)
        return 0.7 * np.sin(turn + phase) + 0.5 * np.sin(turn * 0.37 + 2.3 * phase)

    def chance(self, name: str, ticks: Ints) -> Floats:
        """Evenly in [0, 1), of each device and tick."""
        return uniform(key(self.fleet.seed, self.fleet.type, name), self.rows + self.fleet.first, ticks)

    @cached_property
    def cell(self) -> Ints:
        """Cells of the weather."""
        return self.fleet.cell[self.rows]

    @cached_property
    def hour(self) -> Floats:
        """Local hour of the day."""
        return local_hour(self.t)

    @cached_property
    def minute(self) -> Ints:
        """Local minute of the day."""
        return (self.hour * 60).astype(np.int64)

    @cached_property
    def day(self) -> Ints:
        """Local days since the epoch."""
        return local_day(self.t)

    @cached_property
    def resting(self) -> Ints:
        """1 at weekends."""
        return rhythm.weekend(self.t)

    @cached_property
    def rain(self) -> Floats:
        """Millimetres an hour."""
        return self.weather.at(self.weather.rain, self.t, self.cell)

    @cached_property
    def temperature(self) -> Floats:
        """Degrees Celsius outdoors."""
        return self.weather.temperature(self.t, self.cell)

    @cached_property
    def wind(self) -> Floats:
        """Metres a second."""
        return self.weather.wind(self.t, self.cell)
