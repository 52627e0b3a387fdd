"""Whether overrides go with their ladder and with each other; what does not is said with its place and its cure."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, combinations_with_replacement, product
from typing import TYPE_CHECKING

from pydantic import ValidationError

from thresholds.ladder import Problem, clash, rank_of
from thresholds.level import LevelBase
from thresholds.schedule import faces_of

if TYPE_CHECKING:
    from thresholds.scene import Override, Where

_BASE = -1
"""Stands for the ladder itself where the index of an override is wanted."""

Ladder = Mapping[str, LevelBase]
"""Levels by severity."""


def override_problems(levels: Sequence[LevelBase], overrides: Sequence["Override"], zone: str) -> list[Problem]:
    """Overrides name levels that are there, leave a ladder, each alone and any two together, and never tie."""
    problems: list[Problem] = []
    ladder: Ladder = {level.severity: level for level in levels}
    laid = [_laid_over(ladder, index, override, problems) for index, override in enumerate(overrides)]
    together = _coinciding(overrides, zone)
    pairs = sorted(pair for pair in meeting([override.scope for override in overrides]) if together(*pair))
    always = _applying_with(overrides, pairs)
    for index in range(len(overrides)):
        problems += _overlaps(ladder, laid, always[index], {index})
    for i, j in pairs:
        tied = [severity for severity in laid[i] if severity in laid[j]]
        if tied and overrides[i].rank == overrides[j].rank:
            message = (
                f"override {j + 1} is as specific as override {i + 1}, one device may fit both, and both change "
                f"{' and '.join(tied)}: make one of them more specific"
            )
            problems.append(Problem("override", ("overrides", j, "where"), message))
        elif i not in always[j] and j not in always[i]:
            applying = sorted({*always[i], *always[j]}, key=lambda index: overrides[index].rank)
            problems += _overlaps(ladder, laid, applying, {i, j})
    return problems


def _coinciding(overrides: Sequence["Override"], zone: str) -> Callable[[int, int], bool]:
    """Tells whether two overrides may be in force at one time."""
    whens = list({o.when.key: o.when for o in overrides if o.when is not None}.values())
    masks = faces_of(whens, zone)[0] if whens else [0]
    bits = [0 if o.when is None else 1 << [when.key for when in whens].index(o.when.key) for o in overrides]

    def together(i: int, j: int) -> bool:
        both = bits[i] | bits[j]
        return any(mask & both == both for mask in masks)

    return together


def meeting(wheres: Sequence["Where"]) -> set[tuple[int, int]]:
    """Pairs i < j of indices that some device may fit both of; found without comparing each with each.

    Overrides come by the hundred where each is of another device: those are told apart by a name that they share.
    """
    alike: dict[tuple[bool, ...], list[int]] = defaultdict(list)
    for index, where in enumerate(wheres):
        alike[where.rank].append(index)
    found: set[tuple[int, int]] = set()
    for a, b in combinations_with_replacement(alike, 2):
        pairs = _sharing(wheres, alike[a], alike[b])
        found.update((min(i, j), max(i, j)) for i, j in pairs if i != j and wheres[i].meets(wheres[j]))
    return found


def _sharing(wheres: Sequence["Where"], left: list[int], right: list[int]) -> Iterator[tuple[int, int]]:
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


def _laid_over(ladder: Ladder, index: int, override: "Override", problems: list[Problem]) -> Ladder:
    """Levels of `ladder` with what an override says, by severity; what cannot be is added to `problems`."""
    laid: dict[str, LevelBase] = {}
    for severity, change in override.levels.given.items():
        place = ("overrides", index, "levels", severity)
        if severity not in ladder:
            message = f"the scene has no level {severity} to override; it has {', '.join(ladder)}"
            problems.append(Problem("override", place, message, tuple(ladder)))
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


def _applying_with(overrides: Sequence["Override"], pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """For each override those that apply wherever it does, itself among them, the weakest first."""
    always = [[index] for index in range(len(overrides))]
    for i, j in pairs:
        if overrides[j].covers(overrides[i]):
            always[i].append(j)
        if overrides[i].covers(overrides[j]):
            always[j].append(i)
    return [sorted(indices, key=lambda index: overrides[index].rank) for indices in always]


def _overlaps(ladder: Ladder, laid: Sequence[Ladder], applying: Sequence[int], between: set[int]) -> Iterator[Problem]:
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
            yield Problem(found[0], ("overrides", index, "levels", severity), f"with this override {found[1]}")
