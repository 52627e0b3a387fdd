"""History in plain Python: a list of readings, looked through from end to end for every question."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from history.query import Selection

NO_TIME, LATE, REPEATED = 1, 2, 4

Row = tuple[str, int, float, int, int]
"""(device, event time, value, arrival, quality)."""
Span = tuple[str, int]
"""(device, start)."""


@dataclass(frozen=True)
class Given:
    """A reading as it came in."""

    device: str
    event_time: int
    value: float
    arrival: int
    quality: int = 0


def sequenced(given: Iterable[Given]) -> list[Row]:
    """The readings in the order of arrival, with the marks of sequencing."""
    last: dict[str, int] = {}
    rows: list[Row] = []
    for one in given:
        before = last.get(one.device, -1)
        time, quality = one.event_time, one.quality
        if time > before:
            last[one.device] = time
        elif quality & NO_TIME:
            time = before + 1
            last[one.device] = time
        elif time == before:
            quality |= REPEATED
        else:
            quality |= LATE
        rows.append((one.device, time, one.value, one.arrival, quality))
    return rows


def selected(rows: Iterable[Row], of: Selection) -> list[Row]:
    """Those whose event time lies in the range."""
    return [row for row in rows if of.start_ms <= row[1] < of.end_ms]


def rolled(rows: Iterable[Row], step_ms: int) -> dict[Span, tuple[int, float, float, float, float]]:
    """(count, least, most, mean, last) of each span that has a reading; repeated ones do not count."""
    spans: dict[Span, list[tuple[int, int, float]]] = {}
    for i, (device, time, value, _, quality) in enumerate(rows):
        if not quality & REPEATED:
            spans.setdefault((device, time - time % step_ms), []).append((time, i, value))
    found = {}
    for key, members in spans.items():
        values = [value for _, _, value in members]
        found[key] = (len(values), min(values), max(values), math.fsum(values) / len(values), max(members)[2])
    return found
