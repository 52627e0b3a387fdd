"""Days of UTC: how readings are filed."""

import datetime as dt

DAY_MS = 86_400_000
_EPOCH = dt.date(1970, 1, 1)
_LAST = (dt.date.max - _EPOCH).days


def day_label(day: int) -> str:
    """`2026-11-25` of days since the epoch; what lies outside of 1970 to 9999 is the nearest day inside."""
    return (_EPOCH + dt.timedelta(days=min(max(day, 0), _LAST))).isoformat()


def day_start_ms(label: str) -> int:
    """Where a day begins, ms since the epoch."""
    return (dt.date.fromisoformat(label) - _EPOCH).days * DAY_MS
