"""Rain to water: sewers fill in minutes, roads when the sewers cannot take it, rivers in hours.

Linear reservoirs in steps of a minute for each cell of the weather; a device adds its own distance as a delay and its
own site as a factor. The constants are chosen to look plausible (verified: no).
"""

import numpy as np
from scipy.signal import lfilter

from simulators.chance import Floats, Ints
from simulators.weather import SIDE, Field, Weather

SEWER_MM_H = 45.0
"""Rain that fills a sewer of ordinary size."""
DRAIN_MM_H = 30.0
"""Rain that a road's gullies take; what is more stands on it."""
ROAD_CM_PER_MM = 0.38
UNDERPASS_CM_PER_MM = 1.15
RIVER_M_PER_MM_H = 0.07
_RIVER_M_S = 0.9
_POND_MIN = 22.0
_M2_H = 12.4206
_S2_H = 12.0


class Hydrology:
    """Fields of water over the cells of a weather.

    Attributes:
        sewer: What flows into the sewers, millimetres an hour after some minutes of way.
        pond: What stands on the ground, millimetres.
        runoff: What the rivers get from their own cell, millimetres an hour.
        basin: The same over the whole district, shape (minutes, 1).
    """

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.sewer: Field = _reservoir(_reservoir(weather.rain, 5.0), 7.0)
        self.runoff: Field = _reservoir(_reservoir(weather.rain, 45.0), 150.0)
        self.basin: Field = self.runoff.mean(axis=1, keepdims=True, dtype=np.float32)
        self.pond: Field = _pond(_reservoir(weather.rain, 4.0))

    def sewer_flow(self, t_ms: Ints, cell: Ints, delay_ms: Ints) -> Floats:
        """Millimetres an hour in the pipe at the end of its way."""
        return self.weather.at(self.sewer, t_ms - delay_ms, cell)

    def depth_cm(self, t_ms: Ints, cell: Ints, delay_ms: Ints, cm_per_mm: Floats) -> Floats:
        """Water on a road, centimetres."""
        return self.weather.at(self.pond, t_ms - delay_ms, cell) * cm_per_mm

    def river_rise_m(self, t_ms: Ints, cell: Ints, downstream_m: Floats) -> Floats:
        """Metres above what the tide makes: the own cell at once, the district behind by its way downstream."""
        own = self.weather.at(self.runoff, t_ms, cell)
        late = t_ms - (downstream_m / _RIVER_M_S * 1000).astype(np.int64)
        far = self.weather.at(self.basin, late, np.zeros_like(cell))
        return RIVER_M_PER_MM_H * (0.45 * own + 0.55 * far)

    @staticmethod
    def tide_m(t_ms: Ints, downstream_m: Floats) -> Floats:
        """The tide of the Huangpu, less and later upstream."""
        way = (20_000 - downstream_m) / 3.5  # it runs upstream faster than the water comes down
        hours = (t_ms / 1000 - way) / 3600
        strength = 0.25 + 0.35 * np.clip(downstream_m / 20_000, 0.0, 1.0)
        return strength * (np.sin(hours * (2 * np.pi / _M2_H)) + 0.3 * np.sin(hours * (2 * np.pi / _S2_H)))


def downstream_m(x: Floats) -> Floats:
    """How far down the rivers a point lies: they run from west to east."""
    return np.maximum(x, 0.0)


def _reservoir(inflow: Field, minutes: float) -> Field:
    """A linear reservoir: what flows out is what it holds, divided by its time."""
    keep = np.exp(-1.0 / minutes)
    out: Field = lfilter([1.0 - keep], [1.0, -keep], inflow, axis=0).astype(np.float32)
    return out


def _pond(inflow: Field) -> Field:
    """Excess over the gullies stands and drains away; it cannot be less than nothing, so it goes step by step."""
    keep = np.float32(np.exp(-1.0 / _POND_MIN))
    out = np.zeros_like(inflow)
    held = np.zeros(SIDE * SIDE, np.float32)
    excess = (inflow - np.float32(DRAIN_MM_H)) / np.float32(60.0)
    wet = np.flatnonzero((excess > 0).any(axis=1))
    if len(wet) == 0:
        return out
    for minute in range(int(wet[0]), len(inflow)):
        held = np.maximum(held + excess[minute], 0.0) * keep if excess[minute].max() > 0 else held * keep
        out[minute] = held
    return out
