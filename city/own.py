"""Metrics that every device has and no device sends: what is found out about it while its readings come in."""

from collections.abc import Mapping
from typing import Final

CLOCK: Final = "clock_s"
"""Seconds by which a device's clock is ahead of arrival (behind: negative), where it goes at the pace of time."""
STALE: Final = "stale_s"
"""Seconds by which the times are old, where they do not go at the pace of time: old data, sent late or again."""
OWN: Mapping[str, str] = {CLOCK: "s", STALE: "s"}
"""All of them, and their units; `ingest.clocks` makes them."""
