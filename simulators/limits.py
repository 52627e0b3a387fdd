"""Which value of a true signal is beyond which limit, and which scene ought to see it.

The limits are those of the catalogue of types (`docs/reference/simulator.md` has the table); they say what the truth
calls an incident, not what the scenes decide: the scenes' own limits live in `scenes/` and are read by nobody here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.chance import Floats, Ints
from simulators.moment import Moment
from simulators.signals import DAY_LIMIT, NIGHT_LIMIT, crane_moment, fan, lit

RANK = {"": 0, "info": 1, "minor": 2, "major": 3, "critical": 4}
NAMES = ("", "info", "minor", "major", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The levels of one metric for one scene, the mildest first.

    Attributes:
        scene: Whose.
        type: Device type.
        metric: Its metric.
        levels: (severity, value); a state is beyond at 1.
        below: Whether a value under it is beyond.
        sites: Kinds of site that it holds for; empty for all.
        relative: `design` if values are shares of the device's design value of the metric, `station` if they add to
            it, `area` and `site-noise` if they add to the limit of day or night, `lit` if they hold in lamp time.
        weather: Whether weather alone can go beyond it.
        calm: An ordinary value, from which nearness counts.
        lasting_s: What is over in less than this need not be told: the catalogue's own delay, or the time that it takes
            to say it (two whole blocks of 15 min over the limit of dust).
        only: Whether it holds at all then; None for always. A device is near its limit all the same.
    """

    scene: str
    type: str
    metric: str
    levels: tuple[tuple[str, float], ...]
    below: bool = False
    sites: tuple[str, ...] = ()
    relative: str = ""
    weather: bool = False
    calm: float = 0.0
    lasting_s: int = 0
    only: Callable[[Moment], NDArray[np.bool_]] | None = None

    def excess(self, at: Moment, value: Floats) -> tuple[Floats, Floats]:
        """(rank of the highest level that is passed, how near the first limit: 1 is at it, 0 is calm), of each."""
        rank = np.zeros(len(value))
        holds = np.isin(at.fleet.site[at.rows], self.sites) if self.sites else True
        near = np.zeros(len(value))
        for i, (severity, number) in enumerate(self.levels):
            limit = self._limit(number, at)
            passed = (value < limit) if self.below else (value > limit)
            rank = np.where(passed & holds, RANK[severity], rank)
            if i == 0:
                calm = self._limit(self.calm, at) if self.relative in ("design", "station") else self.calm
                near = np.where(holds, (value - calm) / (limit - calm), 0.0)
        return self._while_it_holds(at, rank), near

    def _while_it_holds(self, at: Moment, rank: Floats) -> Floats:
        passed = np.flatnonzero(rank)
        if self.only is not None and len(passed):
            there = Moment(at.fleet, at.rows[passed], at.t[passed], at.weather, at.water)
            rank[passed[~self.only(there)]] = 0.0
        return rank

    def _limit(self, number: float, at: Moment) -> Floats | float:
        if self.relative == "design":
            return number * at.fleet.design[self.metric][at.rows]
        if self.relative == "station":
            return number + at.fleet.design[self.metric][at.rows]
        if self.relative == "area":
            night = (at.hour >= 22.0) | (at.hour < 6.0)
            area = at.fleet.area_class[at.rows]
            return number + np.where(night, NIGHT_LIMIT[area], DAY_LIMIT[area])
        if self.relative == "site-noise":
            return number + np.where((at.hour >= 22.0) | (at.hour < 6.0), 55.0, 70.0)
        if self.relative == "lit":
            return number * lit(at)  # by day a dark lamp is as it should be
        return number


def _state(scene: str, type_id: str, metric: str, severity: str) -> Limit:
    return Limit(scene=scene, type=type_id, metric=metric, levels=((severity, 0.5),))


def _works(at: Moment) -> NDArray[np.bool_]:
    """Whether the crane has lifted something in the last half hour."""
    lifted = np.zeros(len(at.t), np.bool_)
    for ago in range(_AT_WORK_MIN):
        lifted |= crane_moment(Moment(at.fleet, at.rows, at.t - ago * 60_000, at.weather, at.water)) > _LIFTS_PCT
    return lifted


def _cooks(at: Moment) -> NDArray[np.bool_]:
    """Whether the fan of the kitchen runs."""
    return fan(at) > 0.5


_LIFTS_PCT = 20.0
_AT_WORK_MIN = 30
_OXYGEN = (("minor", 2.0), ("major", 0.2))

LIMITS: tuple[Limit, ...] = (
    Limit(scene="combustible-gas", type="combustible-gas-detector", metric="gas_lel",
          levels=(("major", 25), ("critical", 50)), calm=1.5),
    _state("smoke-alarm", "smoke-detector", "smoke", "critical"),
    Limit(scene="residual-current", type="residual-current-monitor", metric="residual_ma",
          levels=(("major", 300), ("critical", 500)), calm=90),
    Limit(scene="cable-overheating", type="residual-current-monitor", metric="cable_temp",
          levels=(("major", 70), ("critical", 85)), calm=30),
    Limit(scene="ebike-charging-heat", type="ebike-charging-monitor", metric="cab_temp",
          levels=(("major", 60), ("critical", 75)), calm=25),
    Limit(scene="ebike-overcharge", type="ebike-charging-monitor", metric="charge_h", levels=(("major", 8),), calm=3),
    _state("ebike-smoke", "ebike-charging-monitor", "smoke", "critical"),
    Limit(scene="hydrant-pressure", type="hydrant-pressure", metric="press",
          levels=(("minor", 0.14), ("major", 0.10)), below=True, calm=0.29),
    Limit(scene="sprinkler-pressure", type="indoor-water-pressure", metric="press",
          levels=(("minor", 0.07), ("major", 0.05)), below=True, sites=("sprinkler",), calm=0.16),
    Limit(scene="indoor-hydrant-pressure", type="indoor-water-pressure", metric="press",
          levels=(("major", 0.15),), below=True, sites=("hydrant",), calm=0.30),
    _state("fire-lane-occupied", "fire-lane-sensor", "occupied", "minor"),
    _state("lift-trapped", "lift-monitor", "trapped", "critical"),
    Limit(scene="building-tilt", type="building-tilt", metric="tilt", levels=(("major", 7), ("critical", 10)), calm=2),
    Limit(scene="sign-tilt", type="sign-tilt", metric="tilt", levels=(("minor", 1), ("major", 3)), weather=True,
          calm=0.16),
    Limit(scene="bridge-strain", type="bridge-health", metric="strain",
          levels=(("minor", 0.8), ("major", 1.0), ("critical", 1.1)), relative="design", calm=0.4),
    _state("bridge-ship-hit", "bridge-health", "ship_hit", "critical"),
    Limit(scene="deep-pit-rate", type="deep-pit-monitor", metric="rate_mm_d",
          levels=(("major", 2), ("critical", 3)), calm=0.2),
    Limit(scene="deep-pit-displacement", type="deep-pit-monitor", metric="hdisp_mm",
          levels=(("major", 0.8), ("critical", 1.0)), relative="design", calm=0.3),
    Limit(scene="crane-overload", type="tower-crane-monitor", metric="moment_pct",
          levels=(("major", 90), ("critical", 100)), calm=30),
    Limit(scene="crane-wind", type="tower-crane-monitor", metric="wind", levels=(("critical", 10.8),), weather=True,
          calm=3.0, lasting_s=120, only=_works),
    Limit(scene="road-flooding", type="road-water-level", metric="depth_cm", sites=("underpass",),
          levels=(("info", 5), ("minor", 15), ("critical", 25)), weather=True),
    Limit(scene="road-flooding", type="road-water-level", metric="depth_cm", sites=("road",),
          levels=(("info", 5), ("minor", 15), ("critical", 27)), weather=True),
    Limit(scene="river-level", type="river-level", metric="level_m",
          levels=(("minor", 0.0),), relative="station", weather=True, calm=-1.25),
    Limit(scene="river-quality-oxygen", type="river-quality", metric="do", levels=_OXYGEN, below=True, calm=6.0),
    Limit(scene="river-quality-ammonia", type="river-quality", metric="nh3n",
          levels=(("info", 2.0), ("minor", 8.0), ("major", 15.0)), calm=0.8),
    Limit(scene="river-quality-acid", type="river-quality", metric="ph", levels=(("minor", 6.0),), below=True,
          calm=7.4),
    Limit(scene="sewer-surcharge", type="sewer-level", metric="level_pct",
          levels=(("minor", 80), ("major", 99.9)), weather=True, calm=30, lasting_s=480),
    Limit(scene="confined-space-h2s", type="confined-space-gas", metric="h2s",
          levels=(("major", 10), ("critical", 28)), calm=1.2),
    Limit(scene="confined-space-oxygen", type="confined-space-gas", metric="o2", levels=(("critical", 19.5),),
          below=True, calm=20.8),
    Limit(scene="manhole-cover-moved", type="manhole-cover", metric="tilt_deg",
          levels=(("minor", 10), ("major", 15)), calm=1.2),
    _state("manhole-cover-missing", "manhole-cover", "moved", "critical"),
    Limit(scene="secondary-water-chlorine", type="secondary-water-supply", metric="cl", levels=(("major", 0.05),),
          below=True, calm=0.35),
    Limit(scene="secondary-water-turbidity", type="secondary-water-supply", metric="turb", levels=(("major", 1.0),),
          calm=0.25),
    _state("tank-door-open", "secondary-water-supply", "tank_door", "major"),
    Limit(scene="ambient-noise", type="ambient-noise", metric="laeq", levels=(("minor", 3.0),), relative="area",
          calm=45),
    Limit(scene="site-dust", type="site-dust-noise", metric="pm", levels=(("major", 2.0),), calm=0.15,
          lasting_s=2_700),
    Limit(scene="site-noise", type="site-dust-noise", metric="laeq", levels=(("major", 0.0),), relative="site-noise",
          calm=45),
    Limit(scene="air-quality-no2", type="air-station", metric="no2", levels=(("minor", 200),), calm=40),
    Limit(scene="air-quality-pm10", type="air-station", metric="pm10", levels=(("minor", 150),), calm=50),
    Limit(scene="cooking-fume", type="cooking-fume", metric="fume", levels=(("minor", 1.0),), calm=0.4),
    Limit(scene="fume-purifier-off", type="cooking-fume", metric="purifier_on", levels=(("minor", 0.5),), below=True,
          calm=1.0, only=_cooks),
    Limit(scene="heavy-rain", type="weather-station", metric="rain_1h",
          levels=(("info", 35), ("minor", 50), ("major", 80), ("critical", 100)), weather=True,
          lasting_s=180),
    Limit(scene="strong-wind", type="weather-station", metric="gust",
          levels=(("info", 13.9), ("minor", 20.8), ("major", 28.5), ("critical", 37.0)), weather=True, calm=5,
          lasting_s=180),
    Limit(scene="extreme-heat", type="weather-station", metric="temp",
          levels=(("info", 35), ("minor", 37), ("major", 40)), weather=True, calm=17, lasting_s=180),
    Limit(scene="bin-overflow", type="bin-fullness", metric="fill_pct", levels=(("info", 80), ("minor", 95)), calm=40),
    Limit(scene="bin-fire", type="bin-fullness", metric="temp", levels=(("critical", 60),), calm=20),
    Limit(scene="street-lamp-out", type="street-lamp", metric="on", levels=(("minor", 0.5),), below=True,
          relative="lit", calm=1.0),
    Limit(scene="street-lamp-leakage", type="street-lamp", metric="leak_ma", levels=(("major", 30),), calm=2.5),
    Limit(scene="water-meter-silent", type="elderly-water-meter", metric="m3_12h", levels=(("major", 0.01),),
          below=True, calm=0.075),
)  # fmt: skip


def limits_of(type_id: str) -> Mapping[str, tuple[Limit, ...]]:
    """The limits of a type by metric."""
    found: dict[str, tuple[Limit, ...]] = {}
    for limit in LIMITS:
        if limit.type == type_id:
            found[limit.metric] = (*found.get(limit.metric, ()), limit)
    return found


def worst(limits: tuple[Limit, ...], at: Moment, value: Floats) -> tuple[Ints, Floats]:
    """(rank, nearness) over all limits of one metric, shape (n,) each; without limits rank 0, nearness -inf."""
    rank = np.zeros(len(value), np.int64)
    near = np.full(len(value), -np.inf)
    for limit in limits:
        r, n = limit.excess(at, value)
        rank = np.maximum(rank, r.astype(np.int64))
        near = np.maximum(near, n)
    return rank, near
