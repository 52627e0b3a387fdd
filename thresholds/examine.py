"""One document: every mistake in it, found at once.

Pydantic stops at a part that is wrong and says nothing of how the parts go together. So what is wrong is noted, taken
out of a copy, and the rest is looked at again, until nothing is wrong any more or nothing is left.
"""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from city.device import Device, DeviceType
from city.leaf import LEAF, CaseCatalogue
from city.own import OWN
from city.yaml_nodes import Mark
from core.errors import ConfigError
from thresholds import located
from thresholds.finding import Code
from thresholds.ladder import Place
from thresholds.level import SEVERITIES
from thresholds.located import Value, find, mark_of
from thresholds.overrides import ROWS
from thresholds.scene import Scene, SceneParts
from thresholds.where import attribute
from thresholds.wording import Said, closest, said

_CODES = {
    "duplicate_severity": Code.LADDER,
    "order": Code.LADDER,
    "overlap": Code.OVERLAP,
    "same_limit": Code.OVERLAP,
    "override": Code.OVERRIDE,
    "missing": Code.MISSING,
    "itself": Code.UNKNOWN_SCENE,
    "combination": Code.COMBINATION,
    "table": Code.TABLE,
}
_STAND_INS: dict[str, Any] = {
    "scene": "a",
    "feeds": {"metric": "value"},
    "levels": [{"severity": word, "equals": i} for i, word in enumerate(("info", "minor", "major", "critical"))],
}
"""Let the rest of a scene be looked at where these are missing or wrong; a ladder that nothing can go against."""


class Catalogue(NamedTuple):
    """What may be watched: device types by id, and further metrics that exist; what gives the leaves, if they count.

    `devices`: the devices that there are, if rows of tables are to be held to them.
    """

    types: Mapping[str, DeviceType]
    extra_metrics: frozenset[str] = frozenset()
    cases: Callable[[], CaseCatalogue] | None = None
    devices: Collection[Device] | None = None


class Mistake(NamedTuple):
    """A finding that does not know its file yet; `row`: the line of the scene's table that it is about."""

    mark: Mark
    code: Code
    message: str
    hint: str = ""
    row: int | None = None


def examine(tree: Value, catalogue: Catalogue) -> tuple[Scene | None, list[Mistake]]:
    """The scene of a document, or None and what is wrong with it."""
    if not isinstance(tree, located.Mapping):
        return None, [Mistake(tree.mark, Code.WRONG_TYPE, "a scene is keys with values, like `scene: road-flooding`")]
    work = _Work(copy.deepcopy(tree))
    parts = work.parts()
    mistakes = [*work.mistakes, *_references(tree, catalogue), *_leaf(tree, catalogue)]
    if parts is not None:
        mistakes += [*work.problems(parts), *_metric_kinds(work.tree, parts, catalogue)]
        mistakes += _unknown_keys(work.tree, parts, catalogue)
    if mistakes or not located.is_whole(tree):  # what the YAML itself has lost is told already
        return None, mistakes
    return Scene.model_validate(tree.plain()), []


class _Work:
    """A copy of a document out of which mistakes are taken."""

    def __init__(self, tree: located.Mapping) -> None:
        self.tree = tree
        self.mistakes: list[Mistake] = []

    def parts(self) -> SceneParts | None:
        """What is right in the document, None if that cannot be told."""
        for place, mark in reversed(list(located.nulls(self.tree))):
            message = f"{_name(place)} has no value: write one or take it away"
            self.mistakes.append(Mistake(mark, Code.MISSING, message))
            located.take_out(self.tree, place)
        while True:
            try:
                return SceneParts.model_validate(self.tree.plain())
            except ValidationError as error:
                found = [said(detail) for detail in error.errors(include_url=False)]
            # Last place first, so that the indices of entries stay right while others are taken out before them.
            found.sort(key=lambda one: [(isinstance(step, str), step) for step in one.place], reverse=True)
            before = [find(self.tree, one.place) for one in found]
            done = [self._take(one) for one, at in zip(found, before, strict=True) if at is find(self.tree, one.place)]
            if not any(done):
                for one in found:
                    self._add(one, mark_of(self.tree, one.place, key=one.at_key))
                return None

    def _take(self, one: Said) -> bool:
        """Note a mistake and take it out; whether there was anything to take out."""
        around = find(self.tree, one.place[:-1])
        if one.code is Code.MISSING and one.lacks and find(self.tree, one.place) is None:
            if not (isinstance(around, located.Mapping) and one.place[-1] in around.gone):
                self._add(one, mark_of(self.tree, one.place[:-1]))
            return self._stand_in(one.place) or located.take_out(self.tree, one.place[:-1])
        at = find(self.tree, one.place)
        if one.lacks and isinstance(at, located.Sequence) and at.items:
            return False  # Pydantic calls a list too short when its entries are wrong.
        if not (one.lacks and isinstance(at, located.Mapping | located.Sequence) and at.gone):
            self._add(one, mark_of(self.tree, one.place, key=one.at_key))
        if one.code is Code.UNKNOWN_KEY and one.hint and located.rename(self.tree, one.place, one.hint):
            return True
        return located.take_out(self.tree, one.place)

    def _stand_in(self, place: Place) -> bool:
        if len(place) > 1 or place[0] not in _STAND_INS:
            return False
        key = str(place[0])
        self.tree.items[key] = located.located(_STAND_INS[key], self.tree.mark)
        self.tree.keys[key] = self.tree.mark
        self.tree.gone.add(key)
        return True

    def _add(self, one: Said, mark: Mark) -> None:
        self.mistakes.append(Mistake(mark, one.code, one.message, one.hint))

    def problems(self, parts: SceneParts) -> Iterator[Mistake]:
        """What does not go together in `parts`, as far as it is not for want of what was taken out."""
        levels = self.tree.items["levels"]
        thinned = "levels" in self.tree.gone or (isinstance(levels, located.Sequence) and levels.gone)
        undelayed = any("for" in level.gone for level in getattr(levels, "items", ()) if hasattr(level, "keys"))
        for problem in parts.problems():
            kind, place, message, choices = problem
            if (thinned and place[0] == "overrides" and len(place) > 3) or (undelayed and kind == "same_limit"):
                continue
            if (thinned and place[0] == "limits_from") or self._lost(kind, place):
                continue
            hint = closest(place[-1], choices) if choices else ""
            if place[: len(ROWS)] == ROWS:
                yield Mistake(mark_of(self.tree, ROWS), _CODES[kind], message, hint, int(place[len(ROWS)]))
                continue
            mark = mark_of(self.tree, place, key=place[0] == "overrides")
            yield Mistake(mark, _CODES[kind], message, hint)

    def _lost(self, kind: str, place: Place) -> bool:
        """Whether a table is only missing because it could not be read, or was taken out."""
        limits = find(self.tree, ("limits_from",))
        unread = isinstance(limits, located.Mapping) and "rows" in limits.gone
        return (kind == "table" and unread) or (kind == "missing" and place[0] == "levels" and self._without_table)

    @property
    def _without_table(self) -> bool:
        return "limits_from" in self.tree.gone


def _references(tree: located.Mapping, catalogue: Catalogue) -> Iterator[Mistake]:
    """Types and metrics that nobody knows; read from the document itself, however wrong the rest of it is."""
    for place, name in _types_named(tree):
        if name not in catalogue.types:
            message = f"the catalogue has no device type {name!r}"
            yield Mistake(mark_of(tree, place), Code.UNKNOWN_TYPE, message, closest(name, catalogue.types))
    kind, metric = _word(tree, ("feeds", "type")), _word(tree, ("feeds", "metric"))
    if metric is None or metric in OWN or metric in catalogue.extra_metrics:
        return
    mark = mark_of(tree, ("feeds", "metric"))
    if kind is not None:
        known = catalogue.types[kind].metrics if kind in catalogue.types else {metric: None}
        if metric not in known:
            message = f"device type {kind} does not measure {metric!r}; it measures {', '.join(known)}"
            yield Mistake(mark, Code.UNKNOWN_METRIC, message, closest(metric, known))
    elif find(tree, ("feeds", "device")) is None and metric != "value":
        everything = {name for one in catalogue.types.values() for name in one.metrics}
        if metric not in everything:
            message = f"no device type measures {metric!r}"
            yield Mistake(mark, Code.UNKNOWN_METRIC, message, closest(metric, everything))


def _leaf(tree: located.Mapping, catalogue: Catalogue) -> Iterator[Mistake]:
    """Leaves that the case catalogue does not hold; one of another form is told of as such."""
    for place in _leaves_named(tree):
        code = _word(tree, place)
        if code is not None and LEAF.fullmatch(code):
            yield from _unknown_leaf(code, mark_of(tree, place), catalogue)


def _leaves_named(tree: located.Mapping) -> Iterator[Place]:
    yield "raises", "leaf"
    for at in range(_count(tree, "levels")):
        yield "levels", at, "leaf"
    for at in range(_count(tree, "overrides")):
        for severity in SEVERITIES:
            yield "overrides", at, "levels", severity, "leaf"


def _count(tree: located.Mapping, key: str) -> int:
    entries = find(tree, (key,))
    return len(entries.items) if isinstance(entries, located.Sequence) else 0


def _unknown_leaf(code: str, mark: Mark, catalogue: Catalogue) -> Iterator[Mistake]:
    if catalogue.cases is None:
        return
    try:
        cases = catalogue.cases()
    except ConfigError as error:
        first = str(error).splitlines()[0]
        yield Mistake(mark, Code.UNKNOWN_LEAF, f"{code} cannot be looked up, the case catalogue is wrong: {first}")
        return
    if code not in cases.leaves:
        near = cases.near(code)
        hint = f"{near[0].code} {near[0].zh} {near[0].en}" if near else ""
        yield Mistake(mark, Code.UNKNOWN_LEAF, f"the case catalogue has no leaf {code}", hint)


def _types_named(tree: located.Mapping) -> Iterator[tuple[Place, str]]:
    count = _count(tree, "overrides")
    wheres: list[Place] = [("feeds", "where"), *(("overrides", i, "where") for i in range(count))]
    for place in [("feeds", "type"), *((*where, "type") for where in wheres)]:
        at = find(tree, place)
        inner = at.items if isinstance(at, located.Sequence) else ()
        for where in [place, *((*place, i) for i in range(len(inner)))]:
            word = _word(tree, where)
            if word is not None:
                yield where, word


def _metric_kinds(tree: located.Mapping, parts: SceneParts, catalogue: Catalogue) -> Iterator[Mistake]:
    """Conditions on numbers where the metric is true or false, and the other way round."""
    kind = catalogue.types.get(parts.feeds.type or "")
    metric = kind.metrics.get(parts.feeds.metric or "") if kind else None
    if metric is None:
        return
    for index, level in enumerate(parts.levels):
        message = ""
        if metric.kind == "state" and level.condition in ("above", "below", "outside", "inside", "deviates"):
            message = f"{metric.name} is true or false: write `state: true` or `state: false` for {level.words}"
        elif metric.kind == "number" and level.condition == "state":
            message = f"{metric.name} is a number: write a limit for {level.words}, like `above: 1`"
        if message:
            yield Mistake(mark_of(tree, ("levels", index, level.condition), key=True), Code.CONDITION, message)


def _unknown_keys(tree: located.Mapping, parts: SceneParts, catalogue: Catalogue) -> Iterator[Mistake]:
    """Rows of the table that are for nobody: of an unknown type, or of no device that is watched."""
    table = parts.limit_table
    if table is None:
        return
    for name in table.by:
        known: Collection[str] | None = catalogue.types if name == "type" else None
        if catalogue.devices is not None:
            feeds = parts.feeds.model_copy(update={"metric": None})
            known = {attribute(device, name) for device in catalogue.devices if feeds.watch(device, "")}
        for row in table.rows if known is not None else ():
            (value,) = row.scope.given[name]
            if known is not None and value not in known:
                code = Code.UNKNOWN_TYPE if name == "type" else Code.TABLE
                message = f"no device that the scene watches has the {name} {value!r}"
                yield Mistake(mark_of(tree, ROWS), code, message, closest(value, known), row.line)


def _word(tree: located.Mapping, place: Place) -> str | None:
    at = find(tree, place)
    return at.value if isinstance(at, located.Scalar) and isinstance(at.value, str) else None


def _name(place: Place) -> str:
    return f"`{place[-1]}`" if isinstance(place[-1], str) else f"entry {place[-1] + 1}"
