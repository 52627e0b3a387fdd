"""Which days are working days in China: moved Saturdays and holidays included (调休).

The State Council tells the days of a year at the end of the one before; the library `chinesecalendar` has them.
"""

import datetime as dt

import chinese_calendar

FIRST_YEAR = min(day.year for day in chinese_calendar.holidays)
LAST_YEAR = max(day.year for day in chinese_calendar.holidays)
"""Years whose days are known."""


def is_working_day(day: dt.date) -> bool:
    """Whether people work on that day.

    Raises:
        ValueError: If nobody has told yet; the message says what to do.
    """
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(
            f"the working calendar knows {FIRST_YEAR} to {LAST_YEAR}, not {day.isoformat()}: update chinesecalendar"
        )
    return bool(chinese_calendar.is_workday(day))


def is_working_day_or_weekday(day: dt.date) -> bool:
    """The same; where nobody has told yet, Monday to Friday."""
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return is_working_day(day)
    return day.weekday() < 5
