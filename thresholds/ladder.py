"""Whether levels and overrides go together; what does not is said with its place and its cure."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from thresholds.delay import Delay
from thresholds.level import SEVERITIES, LevelBase, Span

if TYPE_CHECKING:
    from thresholds.scene import Override

_BASE = -1
"""Stands for the ladder itself where the index of an override is wanted."""

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
        elif any(_rank(known) > _rank(level.severity) for known in first):
            yield Problem("order", place, f"levels go mildest first: move {level.severity} up")
        first.setdefault(level.severity, index)
    milder_first = sorted(first.values(), key=lambda index: _rank(levels[index].severity))
    for at, b in enumerate(milder_first):
        clash = next((found for a in milder_first[:at] if (found := _clash(levels[a], levels[b]))), None)
        if clash:
            yield Problem(clash[0], ("levels", b, levels[b].condition), clash[1])


def _clash(mild: LevelBase, worse: LevelBase) -> tuple[str, str] | None:
    """Kind and message of what is wrong between a milder and a worse level, None if nothing is.

    The worse one has to hold only where the milder one holds as well, or somewhere else entirely (too low beside too
    high). With the very same limit it is the later stage of the same condition, and needs the longer delay.
    """
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


def override_problems(levels: Sequence[LevelBase], overrides: Sequence["Override"]) -> Iterator[Problem]:
    """Overrides name levels that are there, go together with them and with each other, and never tie."""
    ladder: dict[str, LevelBase] = {level.severity: level for level in levels}
    laid: list[dict[str, LevelBase]] = []
    for index, override in enumerate(overrides):
        laid.append({})
        for severity, change in override.levels.given.items():
            place = ("overrides", index, "levels", severity)
            if severity not in ladder:
                message = f"the scene has no level {severity} to override; it has {', '.join(ladder)}"
                yield Problem("override", place, message, tuple(ladder))
                continue
            try:
                laid[-1][severity] = change.laid_over(ladder[severity])
            except ValidationError as error:
                yield Problem("override", place, _why(error, ladder[severity]))
    yield from _overlaps(ladder, overrides, laid)
    yield from _ties(overrides)


def _why(error: ValidationError, level: LevelBase) -> str:
    detail = error.errors(include_url=False)[0]
    if detail["type"] == "extra_forbidden":
        return f"{detail['loc'][-1]} does not go with {level.words}, which this overrides"
    return f"over {level.words} this gives: {detail['msg']}"


def _overlaps(
    ladder: dict[str, LevelBase], overrides: Sequence["Override"], laid: Sequence[dict[str, LevelBase]]
) -> Iterator[Problem]:
    """Levels that can be in force together on one device, at least one of them out of an override, and overlap."""
    candidates = [(_BASE, level) for level in ladder.values()]
    candidates += [(index, level) for index, levels in enumerate(laid) for level in levels.values()]
    for a, b in combinations(candidates, 2):
        (i, mild), (j, worse) = sorted((a, b), key=lambda one: _rank(one[1].severity))
        if mild.severity == worse.severity or not _together(i, mild, j, worse, overrides, laid):
            continue
        clash = _clash(mild, worse)
        if clash:
            index, severity = (j, worse.severity) if j > i else (i, mild.severity)
            yield Problem(clash[0], ("overrides", index, "levels", severity), f"with this override {clash[1]}")


def _together(
    i: int,
    a: LevelBase,
    j: int,
    b: LevelBase,
    overrides: Sequence["Override"],
    laid: Sequence[dict[str, LevelBase]],
) -> bool:
    """Whether level `a` of override `i` and level `b` of override `j` can be in force on one device."""
    if i == j:
        return i != _BASE
    if i == _BASE:
        return a.severity not in laid[j]
    if j == _BASE:
        return b.severity not in laid[i]
    mine, theirs = overrides[i].where, overrides[j].where
    beaten = (b.severity in laid[i] and mine.rank > theirs.rank) or (a.severity in laid[j] and theirs.rank > mine.rank)
    return mine.meets(theirs) and not beaten


def _ties(overrides: Sequence["Override"]) -> Iterator[Problem]:
    for (i, a), (j, b) in combinations(enumerate(overrides), 2):
        both = [severity for severity in a.levels.given if severity in b.levels.given]
        if both and a.where.rank == b.where.rank and a.where.meets(b.where):
            message = (
                f"override {j + 1} is as specific as override {i + 1}, one device may fit both, and both change "
                f"{' and '.join(both)}: make one of them more specific"
            )
            yield Problem("override", ("overrides", j, "where"), message)


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _longer(delay: Delay, than: Delay) -> bool:
    """Whether a delay is longer, or of the other kind, which cannot be compared."""
    if (delay.ms and than.samples) or (delay.samples and than.ms):
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
