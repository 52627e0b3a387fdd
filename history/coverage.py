"""Which spans are covered, and what the holes between them are. Pure: spans in, gaps out."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from history.query import Gap, GapReason


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


def holes(
    start_ms: int, end_ms: int, spans: Sequence[Span], brought: Sequence[Brought], feeds: Iterable[int]
) -> list[Gap]:
    """What of a range no span covers, by start.

    Args:
        start_ms: Start of the range.
        end_ms: Its end, exclusive.
        spans: Spans in which the pipeline listened to everything, by start.
        brought: What imports brought, each for its feeds.
        feeds: The feeds that are asked for.
    """
    bare = _uncovered(start_ms, end_ms, [(span.start_ms, span.end_ms) for span in spans])
    asked = frozenset(feeds)
    if asked:
        groups: dict[tuple[int, ...], int] = {}
        for feed in asked:
            key = tuple(i for i, one in enumerate(brought) if feed in one.feeds)
            groups[key] = groups.get(key, 0) + 1
        parts = [
            (_without(bare, [(brought[i].start_ms, brought[i].end_ms) for i in key]), count)
            for key, count in groups.items()
        ]
    else:
        parts = [(bare, 0)]
    found = {
        (start, end, count)
        for left, count in parts
        for start, end in left
    }  # fmt: skip
    return sorted(
        gap
        for start, end, count in found
        for gap in _named(start, end, spans, "" if count == len(asked) else f"{count} of {len(asked)} feeds")
    )


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


def _named(start: int, end: int, spans: Sequence[Span], detail: str) -> list[Gap]:
    """The hole cut where its reason changes."""
    if not spans:
        return [Gap(start, end, GapReason.BEFORE, detail)]
    edges: list[tuple[int, int, GapReason]] = [(-(1 << 62), spans[0].start_ms, GapReason.BEFORE)]
    edges += [(one.end_ms, other.start_ms, other.after) for one, other in itertools.pairwise(spans)]
    edges.append((spans[-1].end_ms, 1 << 62, GapReason.NOT_WRITTEN))
    return [
        Gap(max(start, left), min(end, right), reason, detail)
        for left, right, reason in edges
        if max(start, left) < min(end, right)
    ]
