"""Whether overrides go with their ladder and with each other; what does not is said with its place and its cure."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, combinations_with_replacement, product
from typing import Protocol

from pydantic import ValidationError

from thresholds.ladder import Place, Problem, clash, rank_of
from thresholds.level import LevelBase
from thresholds.schedule import When, faces_of
from thresholds.where import Scope

_BASE = -1
"""Stands for the ladder itself where the index of an override is wanted."""

ROWS: Place = ("limits_from", "rows")
"""Where the rows of a scene's table stand; the next step is a line of it."""

Ladder = Mapping[str, LevelBase]
"""Levels by severity."""


class Changing(Protocol):
    """What is laid over one level."""

    @property
    def only_leaf(self) -> bool:
        """Whether it names a leaf and changes nothing else."""

    @property
    def leaf(self) -> str | None:
        """The leaf that it names."""

    def laid_over(self, level: LevelBase) -> LevelBase:
        """`level` with what is said here; raises `pydantic.ValidationError` if the two do not go together."""


class Exceptional(Protocol):
    """Other limits for some devices or times: an override, or a row of a table."""

    @property
    def scope(self) -> Scope:
        """Which devices."""

    @property
    def when(self) -> When | None:
        """At which times, None for always."""

    @property
    def profile(self) -> str | None:
        """Under which profile, None for any."""

    @property
    def rank(self) -> tuple[bool, ...]:
        """How specific it is, the greater one winning."""

    @property
    def changes(self) -> Mapping[str, Changing]:
        """What is different, by severity."""


class Row(Exceptional, Protocol):
    """A row of a table: no device fits two of them but for rows of the same key, for other times."""

    @property
    def line(self) -> int:
        """Where it stands."""

    @property
    def table(self) -> str:
        """In which table."""


def override_problems(
    levels: Sequence[LevelBase], overrides: Sequence[Exceptional], zone: str, rows: Sequence[Row] = ()
) -> list[Problem]:
    """Overrides name levels that are there, leave a ladder, each alone and any two together, and never tie.

    Rows of the scene's table are held to the same.
    """
    problems: list[Problem] = []
    ladder: Ladder = {level.severity: level for level in levels}
    places: list[Place] = [("overrides", index) for index in range(len(overrides))]
    names = [f"override {index + 1}" for index in range(len(overrides))]
    places += [(*ROWS, row.line) for row in rows]
    names += [f"line {row.line} of {row.table}" for row in rows]
    overrides = [*overrides, *rows]
    laid = [_laid_over(ladder, place, override, problems) for place, override in zip(places, overrides, strict=True)]
    together = _coinciding(overrides, zone)
    apart = len(overrides) - len(rows)
    may_meet = meeting([one.scope for one in overrides], apart=apart) | set(_of_one_key(overrides, apart))
    pairs = sorted(pair for pair in may_meet if together(*pair))
    always = _applying_with(overrides, pairs)
    for index in range(len(overrides)):
        problems += _overlaps(ladder, laid, places, always[index], {index})
    for i, j in pairs:
        tied = [severity for severity in ladder if _both_change(overrides[i], overrides[j], severity)]
        if tied and overrides[i].rank == overrides[j].rank:
            message = (
                f"{names[j]} is as specific as {names[i]}, one device may fit both, and both change "
                f"{' and '.join(tied)}: make one of them more specific"
            )
            problems.append(Problem("override", (*places[j], "where"), message))
        elif i not in always[j] and j not in always[i]:
            applying = sorted({*always[i], *always[j]}, key=lambda index: overrides[index].rank)
            problems += _overlaps(ladder, laid, places, applying, {i, j})
    return problems


def _of_one_key(overrides: Sequence[Exceptional], first: int) -> Iterator[tuple[int, int]]:
    """Pairs of rows, which begin at index `first`, that are for the same devices."""
    alike: dict[tuple[frozenset[str], ...], list[int]] = defaultdict(list)
    for index in range(first, len(overrides)):
        alike[tuple(overrides[index].scope.given.values())].append(index)
    for indices in alike.values():
        yield from combinations(indices, 2)


def _coinciding(overrides: Sequence[Exceptional], zone: str) -> Callable[[int, int], bool]:
    """Tells whether two overrides may be in force at one time."""
    whens = list({o.when.key: o.when for o in overrides if o.when is not None}.values())
    masks = faces_of(whens, zone)[0] if whens else [0]
    bit = {when.key: 1 << index for index, when in enumerate(whens)}
    bits = [0 if o.when is None else bit[o.when.key] for o in overrides]

    def together(i: int, j: int) -> bool:
        both = bits[i] | bits[j]
        return any(mask & both == both for mask in masks)

    return together


def meeting(wheres: Sequence[Scope], *, apart: int | None = None) -> set[tuple[int, int]]:
    """Pairs i < j of indices that some device may fit both of; found without comparing each with each.

    Overrides come by the hundred where each is of another device: those are told apart by a name that they share.

    Args:
        wheres: Which devices.
        apart: Those from this index on are not compared with each other: they are told apart by their keys.
    """
    alike: dict[tuple[bool, tuple[bool, ...]], list[int]] = defaultdict(list)
    for index, where in enumerate(wheres):
        alike[apart is not None and index >= apart, where.rank].append(index)
    found: set[tuple[int, int]] = set()
    for a, b in combinations_with_replacement(alike, 2):
        if a[0] and b[0]:
            continue
        pairs = _sharing(wheres, alike[a], alike[b])
        found.update((min(i, j), max(i, j)) for i, j in pairs if i != j and wheres[i].meets(wheres[j]))
    return found


def _sharing(wheres: Sequence[Scope], left: list[int], right: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs that share a value of the first attribute that both sides have; all pairs where there is none."""
    mine, theirs = wheres[left[0]].given, wheres[right[0]].given
    shared = next((name for name in mine if name in theirs), None)
    if shared is None:
        yield from product(left, right)
        return
    by_value: dict[str, list[int]] = defaultdict(list)
    for j in right:
        for value in wheres[j].given[shared]:
            by_value[value].append(j)
    for i in left:
        for value in wheres[i].given[shared]:
            for j in by_value[value]:
                yield i, j


def _laid_over(ladder: Ladder, at: Place, override: Exceptional, problems: list[Problem]) -> Ladder:
    """Levels of `ladder` with what an override says, by severity; what cannot be is added to `problems`."""
    laid: dict[str, LevelBase] = {}
    for severity, change in override.changes.items():
        place = (*at, "levels", severity)
        if severity not in ladder:
            message = f"the scene has no level {severity} to override; it has {', '.join(ladder)}"
            problems.append(Problem("override", place, message, tuple(ladder)))
            continue
        if change.only_leaf:
            continue
        try:
            laid[severity] = change.laid_over(ladder[severity])
        except ValidationError as error:
            problems.append(Problem("override", place, _why(error, ladder[severity])))
    return laid


def _why(error: ValidationError, level: LevelBase) -> str:
    detail = error.errors(include_url=False)[0]
    if detail["type"] == "extra_forbidden":
        return f"{detail['loc'][-1]} does not go with {level.words}, which this overrides"
    return f"over {level.words} this gives: {detail['msg']}"


def _applying_with(overrides: Sequence[Exceptional], pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """For each override those that apply wherever it does, itself among them, the weakest first."""
    always = [[index] for index in range(len(overrides))]
    for i, j in pairs:
        if _covers(overrides[j], overrides[i]):
            always[i].append(j)
        if _covers(overrides[i], overrides[j]):
            always[j].append(i)
    return [sorted(indices, key=lambda index: overrides[index].rank) for indices in always]


def _both_change(one: Exceptional, other: Exceptional, severity: str) -> bool:
    """Whether both change the same about a level: its leaf, or anything else of it."""
    a, b = one.changes.get(severity), other.changes.get(severity)
    if a is None or b is None:
        return False
    return (a.leaf is not None and b.leaf is not None) or not (a.only_leaf or b.only_leaf)


def _covers(one: Exceptional, other: Exceptional) -> bool:
    """Whether `one` is in force wherever and whenever `other` is."""
    return one.scope.covers(other.scope) and one.when in (None, other.when) and one.profile in (None, other.profile)


def _overlaps(
    ladder: Ladder, laid: Sequence[Ladder], places: Sequence[Place], applying: Sequence[int], between: set[int]
) -> Iterator[Problem]:
    """What clashes where the overrides `applying`, weakest first, are in force, between levels of those in `between`.

    Of a single one: between its levels and whatever else is in force there.
    """
    in_force = {severity: (_BASE, level) for severity, level in ladder.items()}
    for index in applying:
        in_force.update((severity, (index, level)) for severity, level in laid[index].items())
    for pair in combinations(in_force.values(), 2):
        (i, mild), (j, worse) = sorted(pair, key=lambda one: rank_of(one[1].severity))
        if not {i, j}.issuperset(between):
            continue
        found = clash(mild, worse)
        if found:
            index, severity = (j, worse.severity) if j >= i else (i, mild.severity)
            what = "row" if places[index][: len(ROWS)] == ROWS else "override"
            yield Problem(found[0], (*places[index], "levels", severity), f"with this {what} {found[1]}")
