"""Whether the levels of a ladder go together; what does not is said with its place and its cure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thresholds.delay import Delay
from thresholds.level import SEVERITIES, LevelBase, Span

Place = tuple[str | int, ...]
"""Keys and indices that lead to a value of a scene."""


class Problem(NamedTuple):
    """Something that does not go together.

    `kind` is `duplicate_severity`, `order`, `overlap`, `same_limit`, `override` or `missing`; `choices` are the words
    that may have been meant at `place`.
    """

    kind: str
    place: Place
    message: str
    choices: tuple[str, ...] = ()


def ladder_problems(levels: Sequence[LevelBase]) -> Iterator[Problem]:
    """Each severity at most once, mildest first, and a worse level never holds where a milder one does not."""
    first: dict[str, int] = {}
    for index, level in enumerate(levels):
        place = ("levels", index, "severity")
        if level.severity in first:
            message = f"severity {level.severity} stands twice: a ladder uses each at most once"
            yield Problem("duplicate_severity", place, message)
        elif any(rank_of(known) > rank_of(level.severity) for known in first):
            yield Problem("order", place, f"levels go mildest first: move {level.severity} up")
        first.setdefault(level.severity, index)
    milder_first = sorted(first.values(), key=lambda index: rank_of(levels[index].severity))
    for at, b in enumerate(milder_first):
        found = next((one for a in milder_first[:at] if (one := clash(levels[a], levels[b]))), None)
        if found:
            yield Problem(found[0], ("levels", b, levels[b].condition), found[1])


def clash(mild: LevelBase, worse: LevelBase) -> tuple[str, str] | None:
    """Kind and message of what is wrong between a milder and a worse level, None if nothing is.

    The worse one has to hold only where the milder one holds as well, or somewhere else entirely (too low beside too
    high). With the very same limit it is the later stage of the same condition, and needs the longer delay. Conditions
    on different measures are not compared.
    """
    if mild.axis != worse.axis or mild.from_table or worse.from_table:
        return None
    a, b = mild.region(), worse.region()
    if a == b:
        if _longer(worse.for_, mild.for_):
            return None
        message = (
            f"{worse.severity} has the limit of {mild.severity} ({mild.words}): give it another, or a longer `for`"
        )
        return "same_limit", message
    if all(any(_within(part, whole) for whole in a) for part in b):
        return None
    if not any(_meet(x, y) for x in a for y in b):
        return None
    return "overlap", (
        f"{worse.severity} ({worse.words}) also holds where {mild.severity} ({mild.words}) does not: "
        "the worse level needs the stricter limit"
    )


def rank_of(severity: str) -> int:
    """How bad a severity is, the mildest being 0."""
    return SEVERITIES.index(severity)


def _longer(delay: Delay, than: Delay) -> bool:
    """Whether a delay is longer, or of another kind, which cannot be compared."""
    if (delay.ms and than.samples) or (delay.samples and than.ms) or bool(delay.of) != bool(than.of):
        return True
    return (delay.ms, delay.samples) > (than.ms, than.samples)


def _within(part: Span, whole: Span) -> bool:
    return whole[0] <= part[0] and part[1] <= whole[1]


def _meet(a: Span, b: Span) -> bool:
    """Whether two spans share a value; a span is open, or one single value."""
    if a[0] == a[1]:
        return b[0] < a[0] < b[1]
    if b[0] == b[1]:
        return a[0] < b[0] < a[1]
    return max(a[0], b[0]) < min(a[1], b[1])
