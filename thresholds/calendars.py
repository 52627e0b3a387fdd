"""Borders of calendar days, weeks and months in a time zone."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from city.workdays import is_working_day_or_weekday
from core.reading import Int32, Int64

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


@lru_cache(maxsize=1)
def days_off() -> Int32:
    """Of each day whose beginning `borders` has, whether people do not work on it (1) or do (0)."""
    days = np.arange(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR + 1}-01-01", dtype="datetime64[D]").astype(object)
    found: Int32 = np.array([not is_working_day_or_weekday(day) for day in days], np.int32)
    found.flags.writeable = False
    return found


def to_ms(local: NDArray[np.datetime64], zone: str) -> Int64:
    """Local times (minutes) of a zone as ms since the epoch; of a time that a clock change skips, the one after it."""
    naive = local.astype("datetime64[ms]").astype(np.int64)
    of_day = (local.astype("datetime64[D]") - np.datetime64(f"{FIRST_YEAR}-01-01")).astype(np.int64)
    begin, end = _offsets(zone)
    found: Int64 = naive - begin[of_day]
    place = ZoneInfo(zone)
    for at in np.flatnonzero(begin[of_day] != end[of_day]):
        stamp = local[at].astype("datetime64[s]").astype(object).replace(tzinfo=place)
        found[at] = round(stamp.timestamp() * 1000)
    return found


@lru_cache(maxsize=16)
def _offsets(zone: str) -> tuple[Int64, Int64]:
    """Offsets of a zone in ms at the beginning and the end of every day."""
    place = ZoneInfo(zone)
    days = np.arange(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR + 1}-01-02", dtype="datetime64[D]").astype(object)
    found = np.array([_offset_ms(day, place) for day in days], np.int64)
    return found[:-1], found[1:]


def _offset_ms(day: dt.date, zone: ZoneInfo) -> int:
    offset = dt.datetime.combine(day, dt.time(), zone).utcoffset()
    return round(offset.total_seconds() * 1000) if offset is not None else 0
