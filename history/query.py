"""What can be asked of history, and what it answers: one interface, whatever holds the readings."""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from core.clock import rfc3339
from core.reading import Float64, Int32, Int64, ReadingBatch

Step = Literal["1m", "1h"]
STEP_MS: dict[Step, int] = {"1m": 60_000, "1h": 3_600_000}
"""Roll-ups that are kept, with their length in ms."""

Progress = Callable[[int, int], None]
"""Called with (files read, files in all) while an answer is being made."""


class FeedName(NamedTuple):
    """A feed by its names, which survive every renumbering."""

    gateway: str
    device: str
    metric: str
    type: str = ""
    """Device type at the time of the reading; empty where it was not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which readings; what is None is not asked for.

    Attributes:
        start_ms: First event time, inclusive.
        end_ms: Event time at which it ends, exclusive.
        types: Device types.
        metrics: Metrics.
        devices: Device ids.
        gateways: Gateways.
    """

    start_ms: int
    end_ms: int
    types: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    devices: frozenset[str] | None = None
    gateways: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        start_ms: int,
        end_ms: int,
        *,
        types: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        devices: Iterable[str] | None = None,
        gateways: Iterable[str] | None = None,
    ) -> "Selection":
        """A selection out of any iterables.

        Raises:
            ValueError: If the range ends before it starts.
        """
        if end_ms < start_ms:
            raise ValueError(f"the range ends ({rfc3339(end_ms)}) before it starts ({rfc3339(start_ms)})")
        sets = (None if one is None else frozenset(one) for one in (types, metrics, devices, gateways))
        kinds, measured, which, behind = sets
        return cls(
            start_ms=start_ms, end_ms=end_ms, types=kinds, metrics=measured, devices=which, gateways=behind
        )  # fmt: skip

    def takes(self, feed: FeedName) -> bool:
        """Whether the readings of `feed` are asked for."""
        return (
            (self.types is None or feed.type in self.types)
            and (self.metrics is None or feed.metric in self.metrics)
            and (self.devices is None or feed.device in self.devices)
            and (self.gateways is None or feed.gateway in self.gateways)
        )


class GapReason(enum.StrEnum):
    """Why history has nothing, or not everything, of a span."""

    BEFORE = "before"
    """History had not begun, or what it had of this time was brought for other feeds."""
    AWAY = "away"
    """Nobody listened, and the broker kept nothing for us."""
    QUEUED = "queued"
    """Nobody listened; the broker kept its session, so what it had acknowledged came later. What gateways could not
    hand over meanwhile they had to keep themselves."""
    LOST = "lost"
    """The journal dropped entries before history had them."""
    NOT_WRITTEN = "not_written"
    """History has not got there yet."""
    EXPIRED = "expired"
    """Dropped by retention."""
    MISSING = "missing"
    """A file is not there, or is shorter than it was."""
    DAMAGED = "damaged"
    """A file is there and cannot be read."""


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """A span of which history has nothing, or not everything.

    Attributes:
        start_ms: Where it begins, event time, inclusive.
        end_ms: Where it ends, exclusive.
        reason: Why.
        detail: What is concerned where it is not everything: `type/metric`, a file; empty for all.
    """

    start_ms: int
    end_ms: int
    reason: GapReason
    detail: str = ""

    def __str__(self) -> str:
        """One line."""
        what = f" ({self.detail})" if self.detail else ""
        return f"{rfc3339(self.start_ms)} to {rfc3339(self.end_ms)}: {self.reason}{what}"


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings as the live engine saw them.

    Attributes:
        batch: In the order of arrival; `feed` is an index into `feeds`; quality has the bits of sequencing.
        feeds: Names of every feed that was asked for and is known, those without a reading too.
        gaps: Holes of the range, by start.
        problems: A line for each file that could not be read; its hole stands in `gaps`.
    """

    batch: ReadingBatch
    feeds: tuple[FeedName, ...]
    gaps: tuple[Gap, ...]
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.batch)


@dataclass(frozen=True, slots=True)
class Rollup:
    """Summaries of spans, by feed, then time; a span without a reading has no row. Repeated readings do not count.

    Attributes:
        feed: Index into `feeds`, int32, shape (n,).
        start: Where the span begins, ms since the epoch, int64, shape (n,).
        count: Readings in it, int64, shape (n,).
        least: The smallest value, float64, shape (n,).
        most: The largest value, float64, shape (n,).
        mean: Arithmetic mean, float64, shape (n,).
        last: Value of the newest reading by event time, of several the last to arrive, float64, shape (n,).
        feeds: As in `Readings`.
        step_ms: Length of a span, ms.
        gaps: Holes of the range, by start.
        problems: As in `Readings`.
    """

    feed: Int32
    start: Int64
    count: Int64
    least: Float64
    most: Float64
    mean: Float64
    last: Float64
    feeds: tuple[FeedName, ...]
    step_ms: int
    gaps: tuple[Gap, ...]
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.feed)


@dataclass(frozen=True, slots=True)
class Held:
    """What there is of one metric on one day (UTC).

    `bytes` is None where the store does not say it.
    """

    day: str
    type: str
    metric: str
    readings: int
    files: int
    bytes: int | None


class History(Protocol):
    """Answers over time. Its calls are independent of one another and may come from several threads."""

    def readings(self, of: Selection, progress: Progress | None = None) -> Readings:
        """The readings of a selection, in the order of arrival, with the holes of the range.

        Raises:
            UnavailableError: If the store cannot be asked at all.
        """

    def rollup(self, of: Selection, step_ms: int, progress: Progress | None = None) -> Rollup:
        """Summaries of spans of `step_ms`, a multiple of a minute; spans begin at multiples of it since the epoch.

        The range is widened to whole spans. Where the readings have expired and their roll-ups have not, these answer.

        Raises:
            ValueError: If `step_ms` is no whole number of minutes.
            UnavailableError: If the store cannot be asked at all.
        """

    def gaps(self, of: Selection) -> tuple[Gap, ...]:
        """The holes of a range, by start, from what the store knows it has: never guessed from a sensor's silence."""

    def feeds(self, of: Selection) -> tuple[FeedName, ...]:
        """Names of the feeds that a selection takes."""

    def held(self) -> tuple[Held, ...]:
        """What there is, by day and metric."""

    def close(self) -> None:
        """Let go of files and connections."""


def empty_rollup(feeds: tuple[FeedName, ...], step_ms: int, gaps: tuple[Gap, ...] = ()) -> Rollup:
    """A roll-up without a row."""
    nothing = np.empty(0, np.float64)
    return Rollup(
        np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64),
        nothing, nothing, nothing, nothing, feeds, step_ms, gaps,
    )  # fmt: skip
