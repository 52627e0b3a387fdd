"""Which spans are covered, and what the holes between them are. Pure: spans in, gaps out."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from history.query import Gap, GapReason

Hole = tuple[int, int, GapReason]
"""Start, end, and why nothing was heard in between."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A span in which the pipeline listened, by the clock of arrival.

    Attributes:
        start_ms: Where it begins.
        end_ms: Until where history has it.
        after: What lies between it and the span before: `BEFORE` for the first, else `AWAY`, `QUEUED` or `LOST`.
    """

    start_ms: int
    end_ms: int
    after: GapReason = GapReason.BEFORE


@dataclass(frozen=True, slots=True)
class Brought:
    """What an import brought: a span, for some feeds."""

    start_ms: int
    end_ms: int
    feeds: frozenset[int]


@dataclass(frozen=True, slots=True)
class Listener:
    """One of several that listen, each for feeds of its own.

    Attributes:
        until_ms: Until where it has been heard.
        missed: When it did not listen though others did, and why.
        feeds: The feeds that it has ever brought.
    """

    until_ms: int
    missed: Sequence[Hole]
    feeds: frozenset[int]


def holes(
    start_ms: int,
    end_ms: int,
    spans: Sequence[Span],
    brought: Sequence[Brought],
    feeds: Iterable[int],
    listeners: Sequence[Listener] = (),
) -> list[Gap]:
    """What of a range nobody heard, by start.

    Args:
        start_ms: Start of the range.
        end_ms: Its end, exclusive.
        spans: Spans in which anybody listened, by start.
        brought: What imports brought, each for its feeds.
        feeds: The feeds that are asked for.
        listeners: Who listened, where there are several; a feed that two of them bring is heard if one listens.
    """
    asked = frozenset(feeds)
    found: dict[Hole, int] = {}
    bare = _uncovered(start_ms, end_ms, [(span.start_ms, span.end_ms) for span in spans])
    for (imports, ears), count in _alike(asked, brought, listeners).items():
        covers = [(brought[i].start_ms, brought[i].end_ms) for i in imports]
        mine = [hole for start, end in _without(bare, covers) for hole in _named(start, end, spans)]
        for start, end, reason in _missing([listeners[i] for i in ears]):
            inside = _uncovered(max(start, start_ms), min(end, end_ms), [*covers, *bare])
            mine += [(*part, reason) for part in inside]
        for hole in set(mine):
            found[hole] = found.get(hole, 0) + count
    return sorted(
        Gap(*hole, "" if count == len(asked) else f"{count} of {len(asked)} feeds") for hole, count in found.items()
    )


def _alike(
    feeds: frozenset[int], brought: Sequence[Brought], listeners: Sequence[Listener]
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], int]:
    """How many feeds the same imports and the same listeners brought; without any feeds, as if nothing had."""
    if not feeds:
        return {((), ()): 0}
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    for feed in feeds:
        imports = tuple(i for i, one in enumerate(brought) if feed in one.feeds)
        ears = tuple(i for i, one in enumerate(listeners) if feed in one.feeds)
        found[imports, ears] = found.get((imports, ears), 0) + 1
    return found


def _missing(listeners: Sequence[Listener]) -> list[Hole]:
    """When none of them listened."""
    found: list[Hole] | None = None
    for one in listeners:
        mine = [*one.missed, (one.until_ms, 1 << 62, GapReason.NOT_WRITTEN)]
        found = mine if found is None else _both(found, mine)
    return found or []


def _both(some: Sequence[Hole], others: Sequence[Hole]) -> list[Hole]:
    """What lies in both, for the reasons of the first."""
    return [
        (max(start, other), min(end, finish), reason)
        for start, end, reason in some
        for other, finish, _ in others
        if max(start, other) < min(end, finish)
    ]


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """The same holes with those that touch and say the same made one, by start."""
    by_words: dict[tuple[str, GapReason], list[Gap]] = {}
    for gap in sorted(gaps):
        same = by_words.setdefault((gap.detail, gap.reason), [])
        if same and gap.start_ms <= same[-1].end_ms:
            same[-1] = Gap(same[-1].start_ms, max(same[-1].end_ms, gap.end_ms), gap.reason, gap.detail)
        else:
            same.append(gap)
    return sorted(gap for same in by_words.values() for gap in same)


def _uncovered(start: int, end: int, covers: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return _without([(start, end)] if end > start else [], covers)


def _without(ranges: list[tuple[int, int]], covers: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    for begin, finish in sorted(covers):
        left = []
        for start, end in ranges:
            if finish <= start or begin >= end:
                left.append((start, end))
                continue
            if start < begin:
                left.append((start, begin))
            if finish < end:
                left.append((finish, end))
        ranges = left
    return ranges


def _named(start: int, end: int, spans: Sequence[Span]) -> list[Hole]:
    """The hole cut where its reason changes."""
    if not spans:
        return [(start, end, GapReason.BEFORE)]
    edges: list[Hole] = [(-(1 << 62), spans[0].start_ms, GapReason.BEFORE)]
    edges += [(one.end_ms, other.start_ms, other.after) for one, other in itertools.pairwise(spans)]
    edges.append((spans[-1].end_ms, 1 << 62, GapReason.NOT_WRITTEN))
    return [
        (max(start, left), min(end, right), reason)
        for left, right, reason in edges
        if max(start, left) < min(end, right)
    ]
