"""Daily and weekly rhythms: how busy each hour is, 0 to 1, on working days and at weekends (verified: no)."""

import numpy as np

from simulators.chance import Floats, Ints
from simulators.weather import local_day

_PERCENT = {
    "home": "25 12 8 6 6 15 55 85 60 40 35 45 50 35 30 32 40 60 85 95 100 90 65 40",
    "work": "2 2 2 2 2 5 15 45 85 100 100 90 55 75 100 100 95 80 40 20 12 8 5 3",
    "traffic": "12 8 5 5 8 20 50 90 100 80 65 65 65 62 65 70 80 100 95 70 50 40 28 18",
    "kitchen": "5 2 0 0 2 10 30 40 25 20 55 100 95 50 20 20 45 90 100 90 55 30 15 8",
    "charge": "80 75 70 60 50 35 20 10 10 12 15 18 20 20 18 18 20 35 60 80 95 100 95 90",
    "sun": "0 0 0 0 0 0 5 15 30 50 70 85 95 100 98 88 70 48 25 8 2 0 0 0",
}
"""Per cent, hour by hour from midnight."""
_WEEKEND = {"home": 1.08, "work": 0.25, "traffic": 0.75, "kitchen": 1.1, "charge": 0.95, "sun": 1.0}
"""How much of it is left on a Saturday or Sunday."""
_SOUND_PERCENT = "16 8 2 0 6 22 52 82 92 95 95 95 93 92 95 96 98 100 92 78 58 40 27 20"


def _table(percent: str) -> Floats:
    """An hour's figure stands in its middle; between them it goes straight. Shape (1440,)."""
    minute = np.arange(1440) / 60
    hours = np.array(percent.split(), np.float64) / 100
    return np.interp(minute, np.arange(24) + 0.5, hours, period=24)


_TABLES = {name: np.stack([_table(p), _table(p) * _WEEKEND[name]]) for name, p in _PERCENT.items()}
_SOUND = _table(_SOUND_PERCENT)


def weekend(t_ms: Ints) -> Ints:
    """1 on a Saturday or Sunday of the district, else 0."""
    return ((local_day(t_ms) + 3) % 7 >= 5).astype(np.int64)


def busy(name: str, minute: Ints, resting: Ints) -> Floats:
    """How busy it is, by minute of the day."""
    return np.asarray(_TABLES[name].reshape(-1)[resting * 1440 + minute])


def sound(minute: Ints) -> Floats:
    """Where between its night's quiet and its day's peak a street's level stands, by minute of the day, 0 to 1."""
    return np.asarray(_SOUND[minute])
