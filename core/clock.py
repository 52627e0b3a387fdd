"""The only place that asks what time it is. Everything else takes `now` as an argument."""

import threading
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The district's civil time. It has had no summer time since 1991, so no time zone data is needed."""


class Clock(Protocol):
    """Wall time that never runs backwards."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, never less than an earlier answer."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, never less than an earlier answer."""


class SystemClock:
    """The machine's clock, held where it is while the machine's steps back."""

    def __init__(self) -> None:
        self._last = 0

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        self._last = max(self._last, time.time_ns())
        return self._last

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.now_ns() // 1_000_000


class ManualClock:
    """A clock that is moved by hand: tests, and recordings that bring their own time."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ns = now_ms * 1_000_000
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._now_ns

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._now_ns // 1_000_000

    def advance_to_ms(self, now_ms: int) -> None:
        """Move to `now_ms`; a time that has passed already is ignored."""
        with self._lock:
            self._now_ns = max(self._now_ns, now_ms * 1_000_000)


def wall_ns() -> int:
    """The machine's time in nanoseconds, for measuring latency beside a recording's clock."""
    return time.time_ns()


def rfc3339(ms: int) -> str:
    """`ms` since the epoch as RFC 3339 in UTC with milliseconds, e.g. `2026-11-24T10:00:00.000Z`."""
    stamp = datetime.fromtimestamp(ms / 1000, UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def civil_day(ms: int) -> date:
    """The district's calendar day at `ms` since the epoch."""
    return datetime.fromtimestamp(ms / 1000, SHANGHAI).date()


def parse_rfc3339(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time.

    Raises:
        ValueError: If `text` is no such time or has no offset.
    """
    stamp = datetime.fromisoformat(text)
    if stamp.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it like 2026-11-24T10:00:00Z")
    return round(stamp.timestamp() * 1000)
