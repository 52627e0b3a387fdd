"""What a baseline says of its feed now, for people: which part it is in, what is usual there, how far it has learnt."""

from typing import NamedTuple

from core.reading import Float64
from detectors.signal.baseline import FEWEST, usual
from thresholds.measure import Measure

_HOURS = 24


class Standing(NamedTuple):
    """How a feed stands to what is usual for it, as of its last reading.

    Attributes:
        part: Of which times: `working days 08-09`, `days off 23-24`, `any day 08-09`, or `all the time`.
        expected: What is usual then, None while it learns.
        spread: One sigma, None while it learns.
        away: Last value, or mean, minus what is usual; None while it learns.
        learning: How far it is: `3 of 14 days`, `1 of 3 visits to working days 08-09`; None once it has learnt.
    """

    part: str
    expected: float | None = None
    spread: float | None = None
    away: float | None = None
    learning: str | None = None


def standing(measure: Measure, cells: Float64, part: int, heard_ms: int, away: float | None) -> Standing:
    """What the state of a baseline says.

    Args:
        measure: Which baseline.
        cells: Its cells, shape (measure.cells,).
        part: The part in hand.
        heard_ms: From its first reading to its last one.
        away: The last deviation, None where there is none.
    """
    day_ms = 86_400_000
    words = part_in_words(part, measure.of)
    known = usual(cells, part)
    if away is not None:
        return Standing(words, known.expected, known.spread, away)
    if heard_ms < measure.window:
        return Standing(words, learning=f"{heard_ms // day_ms} of {measure.window / day_ms:g} days")
    return Standing(words, learning=f"{min(known.visits, int(FEWEST) - 1)} of {FEWEST:g} visits to {words}")


def part_in_words(part: int, parts: int) -> str:
    """Of which times a part is."""
    if parts == 1:
        return "all the time"
    hour = part % _HOURS
    days = "any day" if parts == _HOURS else "days off" if part >= _HOURS else "working days"
    return f"{days} {hour:02d}-{hour + 1:02d}"
