"""Borders of calendar days, weeks and months in a time zone."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.reading import Int64

FIRST_YEAR, LAST_YEAR = 2000, 2060
"""Calendars and schedules are laid out for these years; outside them the first and last entry hold."""


@lru_cache(maxsize=64)
def borders(unit: str, zone: str) -> Int64:
    """When each calendar `day`, `week` (from Monday) or `month` begins in a zone, ms since the epoch, rising."""
    days = np.arange(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR + 1}-01-01", dtype="datetime64[D]")
    if unit == "week":
        days = days[np.is_busday(days, weekmask="Mon")]
    elif unit == "month":
        days = np.arange(f"{FIRST_YEAR}-01", f"{LAST_YEAR + 1}-01", dtype="datetime64[M]").astype("datetime64[D]")
    found: Int64 = to_ms(days.astype("datetime64[m]"), zone)
    found.flags.writeable = False
    return found


def to_ms(local: NDArray[np.datetime64], zone: str) -> Int64:
    """Local times (minutes) of a zone as ms since the epoch; of a time that a clock change skips, the one after it."""
    naive = local.astype("datetime64[ms]").astype(np.int64)
    days, of_day = np.unique(local.astype("datetime64[D]"), return_inverse=True)
    place = ZoneInfo(zone)
    offsets = np.array([[_offset_ms(day, hour, place) for hour in (0, 24)] for day in days.astype(object)], np.int64)
    found: Int64 = naive - offsets[of_day, 0]
    changing = np.flatnonzero(offsets[of_day, 0] != offsets[of_day, 1])
    for at in changing:
        stamp = local[at].astype("datetime64[s]").astype(object).replace(tzinfo=place)
        found[at] = round(stamp.timestamp() * 1000)
    return found


def _offset_ms(day: dt.date, hour: int, zone: ZoneInfo) -> int:
    stamp = dt.datetime.combine(day, dt.time(), zone) + dt.timedelta(hours=hour)
    offset = stamp.utcoffset()
    return round(offset.total_seconds() * 1000) if offset is not None else 0
