"""The unit that a sender names against the unit of the metric: the same, converted, or refused; never ignored.

SenML's symbols and UCUM's codes mostly read alike and sometimes not: `%` is a ratio in RFC 8428 and a percentage in
UCUM, and senders mean either, so nobody who sends it is believed. What is not in the table is the metric's own unit,
letter by letter, or is refused.

References: RFC 8428, 12.1, and RFC 8798 with the registry of secondary units (read in other programs' tables, not in
the registry; verified: no); UCUM (verified: no, from memory).
"""

import functools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from core.reading import Float64, Int32

_DEGREE = Fraction(math.pi) / 180
_TABLE: dict[str, dict[str, Fraction | int]] = {
    "length": {"m": 1, "km": 1000, "cm": Fraction(1, 100), "mm": Fraction(1, 1000)},
    "time": {"s": 1, "ms": Fraction(1, 1000), "min": 60, "h": 3600, "d": 86_400},
    "mass": {"kg": 1, "g": Fraction(1, 1000), "mg": Fraction(1, 10**6)},
    "current": {"A": 1, "mA": Fraction(1, 1000)},
    "voltage": {"V": 1, "mV": Fraction(1, 1000), "kV": 1000},
    "power": {"W": 1, "kW": 1000, "mW": Fraction(1, 1000)},
    "pressure": {"Pa": 1, "hPa": 100, "kPa": 1000, "MPa": 10**6, "bar": 10**5},
    "frequency": {"Hz": 1, "kHz": 1000, "MHz": 10**6},
    "angle": {"rad": 1, "deg": _DEGREE},
    "volume": {"m3": 1, "l": Fraction(1, 1000), "L": Fraction(1, 1000)},
    "flow": {
        "m3/s": 1, "m3/h": Fraction(1, 3600), "l/s": Fraction(1, 1000), "L/s": Fraction(1, 1000),
        "L/min": Fraction(1, 60_000), "l/min": Fraction(1, 60_000),
    },
    "speed": {
        "m/s": 1, "km/h": Fraction(10, 36), "m/h": Fraction(1, 3600), "mm/h": Fraction(1, 3_600_000),
        "mm/d": Fraction(1, 86_400_000), "[mi_i]/h": Fraction(44_704, 100_000), "[kn_i]": Fraction(1852, 3600),
    },
    "acceleration": {"m/s2": 1, "[g]": Fraction(980_665, 100_000)},
    "density": {
        "kg/m3": 1, "g/m3": Fraction(1, 10**3), "mg/m3": Fraction(1, 10**6), "ug/m3": Fraction(1, 10**9),
        "g/l": 1, "mg/l": Fraction(1, 10**3), "ug/l": Fraction(1, 10**6),
        "g/L": 1, "mg/L": Fraction(1, 10**3), "ug/L": Fraction(1, 10**6),
    },
    "ratio": {
        "/": 1, "1": 1, "%RH": Fraction(1, 100), "%EL": Fraction(1, 100), "/100": Fraction(1, 100),
        "/1000": Fraction(1, 1000), "[ppth]": Fraction(1, 1000),
        "ppm": Fraction(1, 10**6), "[ppm]": Fraction(1, 10**6), "10*-6": Fraction(1, 10**6),
        "ppb": Fraction(1, 10**9), "[ppb]": Fraction(1, 10**9),
    },
    "temperature": {"Cel": 1, "K": 1, "[degF]": Fraction(5, 9)},
    "acidity": {"pH": 1, "[pH]": 1},
    "turbidity": {"NTU": 1, "{NTU}": 1},
}  # fmt: skip
"""Quantities with their units, as so many of the first one."""
_ZERO = {"K": -273.15, "[degF]": -32.0}
"""What is added before scaling, to degrees Celsius."""
_OF = {unit: (quantity, Fraction(scale)) for quantity, units in _TABLE.items() for unit, scale in units.items()}
_OF_METRIC = _OF | {"%": ("ratio", Fraction(1, 100))}
_NUMBER = frozenset({"count", "/", "1"})
"""What may stand beside a number that has no unit, or a state."""
AMBIGUOUS = "%"
"""A ratio to RFC 8428, a percentage to everybody else."""


_BOUNDS = 10.0 ** np.arange(-7, 16)
_SCALES = np.array([0.0, *(10.0 ** np.arange(21, -1, -1)), 0.0])
"""By decade of a number: what brings its first 15 digits before the point; 0 where it is too small or large."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """`(value + add) * times / by + then`, rounded to the 15 digits that a decimal has as a double.

    So 0.29 m are 29 cm and not 28.999999999999996, which a limit of 29 cm would miss.
    """

    add: float = 0.0
    times: float = 1.0
    by: float = 1.0
    then: float = 0.0

    def __call__(self, value: float) -> float:
        """The value in the other unit."""
        if self == SAME:
            return value
        exact = (value + self.add) * self.times / self.by + self.then
        scale = float(_SCALES[np.searchsorted(_BOUNDS, abs(exact), side="right")])
        return round(exact * scale) / scale if scale else exact


SAME = Conversion()


@functools.lru_cache(maxsize=1024)
def conversion(sent: str, unit: str) -> Conversion | None:
    """From the unit that a sender names to the metric's; None where that is not known to be the same quantity."""
    if sent == AMBIGUOUS:
        return None
    if sent == unit or (sent == "count" and unit == "1") or (not unit and sent in _NUMBER):
        return SAME
    here, there = _OF.get(sent), _OF_METRIC.get(unit)
    if here is None or there is None or here[0] != there[0]:
        return None
    factor = here[1] / there[1]
    add, then = _ZERO.get(sent, 0.0), -_ZERO.get(unit, 0.0)
    return Conversion(add, float(factor.numerator), float(factor.denominator), then)


_SENT = _UNITS = 256
_NOT_ASKED, _ANY = 0, 1
_NOT_TRIED, _SAME, _CONVERTED, _REFUSED = 0, 1, 2, 3
_OTHER = _SENT - 1


class FeedUnits:
    """The unit of every feed, looked up when it is needed first, and conversions to it for whole arrays.

    Args:
        max_feeds: Most feeds.
        unit_of: The UCUM code of a feed's metric, "" for none; None where nobody knows it: then any unit is taken.
    """

    def __init__(self, max_feeds: int, unit_of: Callable[[int], str | None]) -> None:
        self._unit_of = unit_of
        # Zeros whose pages cost nothing until a feed's unit is asked for.
        self._code = np.zeros(max_feeds, np.uint8)
        self._codes: dict[str | None, int] = {None: _ANY}
        self._sent: dict[str | None, int] = {None: 0}
        # By number of the sent unit and code of the feed's, as one index.
        self._state = np.zeros(_SENT * _UNITS, np.uint8)
        self._state[:_UNITS] = self._state[_ANY::_UNITS] = _SAME
        self._parts = np.zeros((4, _SENT * _UNITS))

    def forget(self, feeds: Collection[int]) -> None:
        """Their devices are others now, or of another type."""
        self._code[list(feeds)] = _NOT_ASKED

    def unit(self, feed: int) -> str | None:
        """The unit of a feed."""
        return self._unit_of(feed)

    def conversion(self, sent: str | None, feed: int) -> Conversion | None:
        """From a sent unit to that of a feed; None where it has to be refused."""
        unit = self._unit_of(feed) if sent is not None else None
        return SAME if sent is None or unit is None else conversion(sent, unit)

    def convert(self, value: Float64, sent: list[str | None], feed: Int32) -> NDArray[np.bool_]:
        """Bring values into the units of their feeds, in place; for which of them that is known to be right.

        Args:
            value: In the units sent; changed.
            sent: The unit of each, None for the metric's own.
            feed: The feed of each, all known.
        """
        codes = self._code[feed]
        if not codes.all():
            for i in np.flatnonzero(codes == _NOT_ASKED).tolist():
                codes[i] = self._code[feed[i]] = self._ask(int(feed[i]))
        pair = np.array(self._numbers(sent), np.intp) * _UNITS + codes
        state = self._state[pair]
        if not state.all():
            for one in set(pair[state == _NOT_TRIED].tolist()):
                self._try(one)
            state = self._state[pair]
        rows = np.flatnonzero(state == _CONVERTED)
        if len(rows):
            add, times, by, then = self._parts[:, pair[rows]]
            value[rows] = _rounded((value[rows] + add) * times / by + then)
        return np.asarray(state != _REFUSED)

    def _numbers(self, sent: list[str | None]) -> list[int]:
        """A small number for each unit; the same one for all that are in use nowhere."""
        get = self._sent.get
        found = [get(unit, _OTHER) for unit in sent]
        if _OTHER in found:
            for unit in set(sent).difference(self._sent):
                known = unit in _OF_METRIC or unit in _NUMBER or unit in self._codes
                if known and len(self._sent) < _OTHER:
                    self._sent[unit] = len(self._sent)
            found = [get(unit, _OTHER) for unit in sent]
        return found

    def _ask(self, feed: int) -> int:
        """A small number for a feed's unit; the last one where there are more units than numbers."""
        unit = self._unit_of(feed)
        if unit not in self._codes and len(self._codes) + 1 < _UNITS - 1:
            self._codes[unit] = len(self._codes) + 1
        return self._codes.get(unit, _UNITS - 1)

    def _try(self, pair: int) -> None:
        number, code = divmod(pair, _UNITS)
        sent = {number: unit for unit, number in self._sent.items()}.get(number)
        unit = {code: unit for unit, code in self._codes.items()}.get(code)
        found = None if sent is None or unit is None else conversion(sent, unit)
        if found is None:
            self._state[pair] = _REFUSED
        else:
            self._state[pair] = _SAME if found == SAME else _CONVERTED
            self._parts[:, pair] = found.add, found.times, found.by, found.then


def _rounded(value: Float64) -> Float64:
    """Numbers to 15 digits."""
    scale = _SCALES[np.searchsorted(_BOUNDS, np.abs(value), side="right")]
    few = scale == 0
    if few.any():
        return np.where(few, value, np.rint(value * scale) / np.where(few, 1.0, scale))
    return np.asarray(np.rint(value * scale) / scale)
