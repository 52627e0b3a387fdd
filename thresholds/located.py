"""YAML that knows where each key and value stands, so that a mistake is told at its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from thresholds.finding import Code
from thresholds.ladder import Place

_MOST_VALUES = 20_000
_DEEPEST = 30
_MOST_BRACKETS = 2_000
_LONGEST_LINE = 2_000
_OTHERWISE = re.compile("[\t\r\x85\u2028\u2029\ufeff]|(?:^|[\\s\\[\\]{},:-])(?:[&*>?!@%`]|\\|(?!\n))")
"""Signs that libyaml reads in another way, or by which it counts lines and columns in another way."""
_SCALARS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp"))


class Mark(NamedTuple):
    """A line and a column, from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """A mistake in the YAML itself."""

    mark: Mark
    code: Code
    message: str


@dataclass(slots=True)
class Scalar:
    """One value."""

    mark: Mark
    value: Any

    def plain(self) -> Any:
        """The value."""
        return self.value


@dataclass(slots=True)
class Sequence:
    """A list; `gone`: entries were taken out."""

    mark: Mark
    items: "list[Value]" = field(default_factory=list)
    gone: bool = False

    def plain(self) -> Any:
        """A list of plain values."""
        return [item.plain() for item in self.items]


@dataclass(slots=True)
class Mapping:
    """Keys with their values and with the marks of the keys; `gone`: keys that were taken out."""

    mark: Mark
    items: "dict[str, Value]" = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def plain(self) -> Any:
        """A dictionary of plain values."""
        return {key: item.plain() for key, item in self.items.items()}


Value = Scalar | Sequence | Mapping


def read(text: str) -> tuple[list[Value], list[Fault]]:
    """Every document of a YAML text; where there are faults, what is left when they are passed over."""
    yaml = YAML(typ="safe", pure=True)
    try:
        nodes = quickly(text) or [node for node in yaml.compose_all(text) if node is not None]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        what = " ".join(str(error.problem or error.context or "it cannot be read").split())
        return [], [Fault(at, Code.YAML, f"not YAML: {what}")]
    except YAMLError as error:
        return [], [Fault(Mark(1, 1), Code.YAML, f"not YAML: {' '.join(str(error).split())[:200]}")]
    except RecursionError:
        return [], [Fault(Mark(1, 1), Code.YAML, "nested far too deep for a scene")]
    reader = _Reader(yaml)
    trees = [reader.value(node, 0) for node in nodes]
    return [tree for tree in trees if tree is not None], reader.faults


def quickly(text: str) -> list[Node] | None:
    """The documents' nodes by libyaml's parser, five times as fast; None where the other one has to say what is wrong.

    It calls itself for each level and knows no end of that but its stack's, so a text that may be deep is not for it.
    """
    deep = text.count("[") + text.count("{") > _MOST_BRACKETS or max(map(len, text.split("\n"))) > _LONGEST_LINE
    if deep or _OTHERWISE.search(text):
        return None
    try:
        return [node for node in YAML(typ="safe").compose_all(text) if node is not None]
    except (YAMLError, RecursionError):
        return None


def find(tree: Value, place: Place) -> Value | None:
    """The value at a place, None if there is none."""
    here: Value | None = tree
    for step in place:
        if isinstance(here, Mapping) and isinstance(step, str):
            here = here.items.get(step)
        elif isinstance(here, Sequence) and isinstance(step, int) and step < len(here.items):
            here = here.items[step]
        else:
            return None
    return here


def mark_of(tree: Value, place: Place, *, key: bool = False) -> Mark:
    """Where the value at `place` (its key if `key`) or the nearest thing around it stands.

    A mapping or list under a key is shown by its key, which is where one looks for it.
    """
    mark, here = tree.mark, tree
    for depth, step in enumerate(place):
        below = find(here, (step,))
        if below is None:
            break
        last = depth == len(place) - 1
        if isinstance(here, Mapping) and isinstance(step, str) and ((last and key) or not isinstance(below, Scalar)):
            mark = here.keys[step]
        else:
            mark = below.mark
        here = below
    return mark


class _Reader:
    """Nodes to located values; what cannot be one is a fault and is left out."""

    def __init__(self, yaml: YAML) -> None:
        self._construct = yaml.constructor.construct_object
        self._seen = 0
        self._stopped = False
        self.faults: list[Fault] = []

    def value(self, node: Node, depth: int) -> Value | None:
        mark = _mark(node)
        self._seen += 1
        if self._seen > _MOST_VALUES or depth > _DEEPEST:
            # An alias can stand for a list of aliases: a small file may unfold to more than memory holds.
            if not self._stopped:
                self.faults.append(Fault(mark, Code.YAML, "far too many or too deeply nested values for a scene"))
            self._stopped, self._seen = True, _MOST_VALUES
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, mark, depth)
        if isinstance(node, SequenceNode):
            items = [self.value(item, depth + 1) for item in node.value]
            kept = [item for item in items if item is not None]
            return Sequence(mark, kept, gone=len(kept) < len(items))
        return self._scalar(node, mark)

    def _mapping(self, node: MappingNode, mark: Mark, depth: int) -> Mapping:
        mapping = Mapping(mark)
        for name, value in node.value:
            at = _mark(name)
            key = name.value if isinstance(name, ScalarNode) else None
            if key is None:
                self.faults.append(Fault(at, Code.YAML, "a key has to be a word"))
            elif key in mapping.keys:
                first = mapping.keys[key].line
                self.faults.append(Fault(at, Code.DUPLICATE_KEY, f"`{key}` stands twice, first on line {first}"))
            else:
                mapping.keys[key] = at
                item = self.value(value, depth + 1)
                if item is None:
                    mapping.gone.add(key)
                else:
                    mapping.items[key] = item
        return mapping

    def _scalar(self, node: Node, mark: Mark) -> Scalar | None:
        if node.tag not in _SCALARS:
            self.faults.append(Fault(mark, Code.YAML, f"{node.tag} has no meaning in a scene: take it away"))
            return None
        try:
            return Scalar(mark, self._construct(node))
        except (ValueError, OverflowError, YAMLError):
            self.faults.append(Fault(mark, Code.YAML, f"{node.value!r} cannot be read: put it in quotes if it is text"))
            return None


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def is_whole(tree: Value) -> bool:
    """Whether nothing of the document had to be left out."""
    if isinstance(tree, Scalar):
        return True
    inner = tree.items.values() if isinstance(tree, Mapping) else tree.items
    return not tree.gone and all(is_whole(item) for item in inner)


def take_out(tree: Value, place: Place) -> bool:
    """Take away what stands at a place, or the nearest thing around it that is there; whether there was any."""
    while place and find(tree, place) is None:
        place = place[:-1]
    if not place:
        return False
    around, step = find(tree, place[:-1]), place[-1]
    if isinstance(around, Mapping) and isinstance(step, str):
        del around.items[step]
        around.gone.add(step)
    elif isinstance(around, Sequence) and isinstance(step, int):
        del around.items[step]
        around.gone = True
    return True


def rename(tree: Value, place: Place, key: str) -> bool:
    """Let what stands under a key stand under another, where that is free; whether it was."""
    around, old = find(tree, place[:-1]), place[-1]
    if not isinstance(around, Mapping) or old not in around.items or key in around.items or key in around.gone:
        return False
    around.items = {key if name == old else name: item for name, item in around.items.items()}
    around.keys[key] = around.keys[str(old)]
    return True


def located(plain: Any, mark: Mark) -> Value:
    """Plain data as if it all stood at `mark`."""
    if isinstance(plain, dict):
        keys = dict.fromkeys(plain, mark)
        return Mapping(mark, {key: located(value, mark) for key, value in plain.items()}, keys)
    if isinstance(plain, list):
        return Sequence(mark, [located(value, mark) for value in plain])
    return Scalar(mark, plain)


def nulls(tree: Value) -> Iterator[tuple[Place, Mark]]:
    """Every key and list item that has no value, with its place and mark."""
    if isinstance(tree, Scalar):
        return
    inner: Any = tree.items.items() if isinstance(tree, Mapping) else enumerate(tree.items)
    for step, item in inner:
        if isinstance(item, Scalar) and item.value is None:
            yield (step,), mark_of(tree, (step,), key=True)
        for place, mark in nulls(item):
            yield (step, *place), mark
