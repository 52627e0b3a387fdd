"""What a metric truly is at a place and time, before the sensor adds its own: functions of a moment.

`Around` says most of them in one line; what physics or people make more of is a function of its own here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators import rhythm
from simulators.chance import Floats
from simulators.hydrology import ROAD_CM_PER_MM, SEWER_MM_H, UNDERPASS_CM_PER_MM
from simulators.moment import Moment
from simulators.weather import season

Signal = Callable[[Moment], Floats]

DAY_LIMIT = np.array([50.0, 55.0, 60.0, 65.0, 70.0])
"""GB 3096-2008, class 0 to 4 by day, dB(A) (verified: yes)."""
NIGHT_LIMIT = np.array([40.0, 45.0, 50.0, 55.0, 55.0])
"""The same by night; 4a (verified: yes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """A level around a mean of the device's own.

    Attributes:
        mean: Of the type.
        spread: Deviation between devices.
        by: How much the rhythm `busy` adds at its height.
        rhythm: Its name.
        warm: How much a degree over 17 degrees adds.
        rain: How much a millimetre an hour adds.
        wind: How much the square of a metre a second adds.
        wander: Deviation of a slow wander over some hours.
    """

    mean: float
    spread: float = 0.0
    by: float = 0.0
    rhythm: str = "home"
    warm: float = 0.0
    rain: float = 0.0
    wind: float = 0.0
    wander: float = 0.0
    name: str = "level"

    def __call__(self, at: Moment) -> Floats:
        """Its value."""
        value = self.mean + self.spread * at.trait(self.name)
        if self.by:
            value = value + self.by * at.busy(self.rhythm)
        if self.warm:
            value = value + self.warm * (at.temperature - 17.0)
        if self.rain:
            value = value + self.rain * at.rain
        if self.wind:
            value = value + self.wind * at.wind**2
        if self.wander:
            value = value + self.wander * at.wander(self.name, 5.0)
        return value


def never(at: Moment) -> Floats:
    """A state that is false until something happens."""
    return np.zeros(len(at.t))


def battery(at: Moment) -> Floats:
    """Per cent left: new at some day in the last two years, four years' worth, less in the cold."""
    age = (at.t / 86_400_000 + at.share("installed") * 730) % 1460
    return 100.0 - age * (45.0 / 1460) - np.maximum(0.0, 5.0 - at.temperature) * 0.4 - 6.0 * at.share("cell")


def charging(at: Moment) -> Floats:
    """Hours since the bike at the port was plugged in; 0 where there is none. Nobody takes eight hours."""
    slot_h = 9.0
    hours = at.t / 3_600_000 + at.share("slot") * slot_h
    slot = np.floor(hours / slot_h).astype(np.int64)
    since = hours - slot * slot_h
    there = at.chance("plugged", slot) < 0.15 + 0.7 * at.busy("charge")
    length = 2.5 + 4.5 * at.chance("length", slot)
    return np.where(there & (since < length), since, 0.0)


def port_w(at: Moment) -> Floats:
    """Power of the charging port: constant current, then it tapers."""
    since = charging(at)
    full = 160.0 + 140.0 * at.share("charger")
    return np.where(since > 0, full * np.clip(1.25 - since / 8.0, 0.2, 1.0), 0.0)


def port_a(at: Moment) -> Floats:
    """Current of the port at the mains' 220 V."""
    return port_w(at) / 220.0


def cabinet_temp(at: Moment) -> Floats:
    """The cabinet warms with what it gives."""
    return 8.0 + 0.75 * at.temperature + 0.03 * port_w(at) + 1.0 * at.trait("cabinet")


def end_pressure(at: Moment) -> Floats:
    """Sprinkler ends and static hydrants, MPa."""
    mean = np.where(at.fleet.site[at.rows] == "sprinkler", 0.16, 0.30)
    return mean + 0.012 * at.trait("level") - 0.01 * at.busy("home")


def door_cycles(at: Moment) -> Floats:
    """A counter: some hundred a day, most of them when people move."""
    a_day = 260.0 + 90.0 * at.trait("level")
    done = np.cumsum(rhythm.busy("home", np.arange(1440), np.zeros(1440, np.int64)))
    share = done / done[-1]
    return np.asarray(np.floor((at.day % 180 + share[at.minute]) * np.maximum(a_day, 40.0)))


def lift_speed(at: Moment) -> Floats:
    """It moves or it stands."""
    moving = at.chance("moving", at.t // 1000) < 0.05 + 0.25 * at.busy("home")
    return np.where(moving, 1.5 + 0.25 * np.sign(at.trait("level")), 0.0)


def strain(at: Moment) -> Floats:
    """Microstrain: a third of the design value, more when traffic is dense, and the sun bends it."""
    design = at.fleet.design["strain"][at.rows]
    return design * (0.30 + 0.16 * at.busy("traffic") + 0.02 * at.trait("level")) + 0.4 * (at.temperature - 17.0)


def deflection(at: Moment) -> Floats:
    """Millimetres, in step with the strain."""
    design = at.fleet.design["deflect_mm"][at.rows]
    return design * (0.28 + 0.17 * at.busy("traffic") + 0.02 * at.trait("level"))


def pit_displacement(at: Moment) -> Floats:
    """Millimetres since digging began, slower and slower."""
    days = (at.t / 86_400_000 + 200.0 * at.share("begun")) % 200.0
    return 14.0 * (1.0 - np.exp(-days / 60.0)) + 1.0 * at.trait("level")


def pit_rate(at: Moment) -> Floats:
    """Millimetres a day: the slope of the displacement, and what rain loosens."""
    days = (at.t / 86_400_000 + 200.0 * at.share("begun")) % 200.0
    return 14.0 / 60.0 * np.exp(-days / 60.0) + 0.08 * at.trait("rate") + 0.004 * at.rain


def crane_moment(at: Moment) -> Floats:
    """Per cent of the rated moment: lifts of some minutes in working hours."""
    lift = at.t // 240_000
    phase = (at.t % 240_000) / 240_000
    works = at.chance("lifts", lift) < at.busy("work")
    height = 25.0 + 50.0 * at.chance("load", lift)
    return 6.0 + np.where(works, height * np.sin(np.pi * phase) ** 2, 0.0)


def crane_load(at: Moment) -> Floats:
    """Per cent of the rated load, a little under the moment."""
    return 0.88 * crane_moment(at)


def crane_wind(at: Moment) -> Floats:
    """Metres a second at the top of the tower."""
    return 1.25 * at.wind + 0.3 * at.trait("height")


def gust(at: Moment) -> Floats:
    """Metres a second, the highest of the last minutes."""
    return 1.55 * at.wind + 0.5


def road_depth(at: Moment) -> Floats:
    """Centimetres of water; an underpass is where it all goes."""
    under = at.fleet.site[at.rows] == "underpass"
    factor = np.where(under, UNDERPASS_CM_PER_MM, ROAD_CM_PER_MM) * np.exp(0.25 * at.trait("basin"))
    delay = (60_000 * (1.0 + 9.0 * at.share("way"))).astype(np.int64)
    film = 0.25 * at.rain / (at.rain + 4.0)
    return at.water.depth_cm(at.t, at.cell, delay, factor) + film


def river_level(at: Moment) -> Floats:
    """Metres over the station's datum: what it is in dry weather, the tide, and the rain that has come down."""
    down = at.fleet.downstream_m[at.rows]
    base = at.fleet.design["level_m"][at.rows] - 1.25
    return base + at.water.tide_m(at.t, down) * 0.6 + at.water.river_rise_m(at.t, at.cell, down)


def sewer_inflow(at: Moment) -> Floats:
    """Share of the pipe's capacity that flows in."""
    delay = (60_000 * (2.0 + 20.0 * at.share("way"))).astype(np.int64)
    rain = at.water.sewer_flow(at.t, at.cell, delay) / (SEWER_MM_H * np.exp(0.18 * at.trait("size")))
    return 0.03 + 0.07 * at.busy("home") + 0.015 * at.trait("base") + rain


def sewer_level(at: Moment) -> Floats:
    """Per cent of depth; about the root of the flow until the pipe is full, then it stands in the shaft."""
    share = np.maximum(sewer_inflow(at), 0.004)
    return 100.0 * np.where(share < 1.0, share**0.6, 1.0 + 0.5 * (share - 1.0))


def sewer_flow(at: Moment) -> Floats:
    """Cubic metres a second; a full pipe gives no more."""
    return (0.5 + 0.3 * at.share("size_flow")) * np.clip(sewer_inflow(at), 0.0, 1.15)


def oxygen(at: Moment) -> Floats:
    """Milligrams in a litre of river: plants by day, warmth and stirred-up mud against it."""
    return 6.3 + 0.6 * at.trait("level") + 0.8 * at.busy("sun") - 0.06 * (at.temperature - 17.0) - 0.02 * at.rain


def clarity(at: Moment) -> Floats:
    """Centimetres of Secchi depth."""
    runoff = at.weather.at(at.water.runoff, at.t, at.cell)
    return 28.0 + 30.0 / (1.0 + 0.3 * runoff) + 4.0 * at.trait("level")


def turbidity(at: Moment) -> Floats:
    """NTU of a river: rain brings mud."""
    return 18.0 + 4.0 * at.trait("level") + 6.0 * at.weather.at(at.water.runoff, at.t, at.cell)


def street_noise(at: Moment) -> Floats:
    """LAeq of a minute: as loud as its class allows less some decibels, and rain on top of it."""
    area = at.fleet.area_class[at.rows]
    day, night = DAY_LIMIT[area] - 6.5, NIGHT_LIMIT[area] - 6.0
    own = night + (day - night) * rhythm.sound(at.minute) + 1.1 * np.clip(at.trait("level"), -2.0, 2.0)
    return energy_sum(own, 25.0 + 11.0 * np.log10(1.0 + at.rain))


def site_noise(at: Moment) -> Floats:
    """LAeq of a building site: machines by day, a pump at night."""
    own = 44.0 + 18.0 * np.sqrt(at.busy("work")) + 1.5 * np.clip(at.trait("level"), -2.0, 2.0)
    return energy_sum(own, 25.0 + 11.0 * np.log10(1.0 + at.rain))


def site_lmax(at: Moment) -> Floats:
    """The loudest of the minute."""
    return site_noise(at) + 6.0


def site_dust(at: Moment) -> Floats:
    """mg/m3 of dust: work makes it, rain and water carts lay it."""
    made = 0.06 + 0.16 * at.busy("work") + 0.02 * at.trait("level")
    return np.maximum(made, 0.02) / (1.0 + 0.5 * at.rain)


def haze(mean: float, spread: float, washed: float, name: str) -> Signal:
    """A pollutant that the season and still air bring and that rain washes out."""

    def value(at: Moment) -> Floats:
        still = at.weather.slow("haze", at.t, 61.0)
        level = mean * (1.0 + 0.28 * still - 0.22 * season(at.t)) + spread * at.trait(name)
        return np.maximum(level, 0.1 * mean) / (1.0 + washed * at.rain)

    return value


def ozone(at: Moment) -> Floats:
    """ug/m3: the sun makes it."""
    return 32.0 + (48.0 + 22.0 * season(at.t)) * at.busy("sun") + 4.0 * at.trait("o3")


def fan(at: Moment) -> Floats:
    """Whether the kitchen's fan runs."""
    return (at.busy("kitchen") > 0.28 + 0.1 * at.share("hours")).astype(np.float64)


def fume(at: Moment) -> Floats:
    """mg/m3 behind a purifier that works."""
    return 0.04 + fan(at) * (0.22 + 0.2 * at.busy("kitchen") + 0.05 * np.clip(at.trait("level"), -2, 2))


def rain_1h(at: Moment) -> Floats:
    """Millimetres in the last hour; gauges catch a little less or more."""
    return at.weather.rained(at.t, at.cell, 60) * (1.0 + 0.03 * at.trait("gauge"))


def rain_6h(at: Moment) -> Floats:
    """Millimetres in the last six hours."""
    return at.weather.rained(at.t, at.cell, 360) * (1.0 + 0.03 * at.trait("gauge"))


def humidity(at: Moment) -> Floats:
    """Per cent."""
    return at.weather.humidity(at.t, at.cell)


def visibility(at: Moment) -> Floats:
    """Metres."""
    damp = np.maximum(0.0, at.weather.humidity(at.t, at.cell) - 60.0)
    return 18_000.0 / (1.0 + 0.03 * damp + 0.25 * at.rain)


def bin_fill(at: Moment) -> Floats:
    """Per cent: it fills as people are about and is emptied in the morning."""
    emptied = 4.0 + 4.0 * at.share("round")
    since = (at.hour - emptied) % 24.0
    full = 42.0 + 22.0 * at.share("size")
    return 5.0 + full * (since / 24.0) ** 0.85


def lit(at: Moment) -> Floats:
    """Whether it is lamp time: by the sun, a quarter of an hour between lamps of one line and the next."""
    half_day = 6.0 + 1.0 * season(at.t)
    late = 0.1 * at.share("line")
    return ((at.hour < 12.0 - half_day - 0.2 + late) | (at.hour > 12.0 + half_day - 0.1 + late)).astype(np.float64)


def lamp_w(at: Moment) -> Floats:
    """Watts: full in the evening, dimmed after midnight."""
    dimmed = np.where((at.hour > 0.5) & (at.hour < 5.0), 0.6, 1.0)
    return lit(at) * dimmed * (110.0 + 6.0 * at.trait("level"))


def lamp_a(at: Moment) -> Floats:
    """Amperes."""
    return lamp_w(at) / 222.0


def water_12h(at: Moment) -> Floats:
    """Cubic metres in twelve hours of one person alone: little, and never nothing."""
    return 0.075 + 0.03 * np.sin((at.hour - 14.0) * (2 * np.pi / 24)) + 0.012 * np.clip(at.trait("level"), -2.0, 2.0)


def water_flow(at: Moment) -> Floats:
    """Cubic metres an hour: a tap now and then."""
    opened = at.chance("tap", at.t // 120_000) < 0.16 * at.busy("home")
    return np.where(opened, 0.12 + 0.2 * at.chance("how much", at.t // 120_000), 0.0)


def energy_sum(a: Floats, b: Floats) -> Floats:
    """Two sounds together, dB."""
    return 10.0 * np.log10(10.0 ** (a / 10.0) + 10.0 ** (b / 10.0))
