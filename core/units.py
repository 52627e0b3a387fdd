"""Durations as people write them."""

import re

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d)")
_LONGEST_MS = 2**53
"""Whole milliseconds up to here are exact in a float64: 285,000 years."""
_SHOWN = 40


def parse_duration(text: str) -> int:
    """Milliseconds of a duration such as `60s`, `10m`, `1h30m`, `250ms`, `2d`.

    Raises:
        ValueError: If `text` is not such a duration, or one that no calendar holds.
    """
    compact = text.strip()
    position = 0
    total = 0.0
    for match in _DURATION.finditer(compact):
        if compact[position : match.start()].strip():
            break
        total += float(match[1]) * _UNITS_MS[match[2]]
        position = match.end()
    if position == 0 or position != len(compact):
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 10m, 1h30m or 2d")
    if total > _LONGEST_MS:
        raise ValueError(f"{text[:_SHOWN]!r} is longer than anything lasts")
    return round(total)


def format_duration(ms: int) -> str:
    """The shortest usual form of a duration: `90s` is `1m30s`, 0 is `0s`."""
    if ms == 0:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, ms = divmod(ms, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
