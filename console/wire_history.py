"""History as HTTP says it."""

import msgspec
from msgspec import UNSET, UnsetType


class GapView(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """A span of which history has nothing, or not everything, and why."""

    start: str
    end: str
    reason: str
    detail: str


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """A reading (`value`, `quality`, `arrived`; `t` is its event time), or a span that begins at `t` (the others)."""

    t: str
    value: float | UnsetType = UNSET
    quality: int | UnsetType = UNSET
    arrived: str | UnsetType = UNSET
    count: int | UnsetType = UNSET
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET
    mean: float | UnsetType = UNSET
    last: float | UnsetType = UNSET


class HistoryView(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """What one feed measured in a range: readings in the order of arrival, or spans in that of time."""

    gateway: str
    device: str
    metric: str
    device_type: str
    start: str
    end: str
    step: str
    items: list[HistoryItem]
    gaps: list[GapView]
    problems: list[str]
    next: str | None
