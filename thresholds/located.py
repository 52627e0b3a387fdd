"""Scenes' YAML as a tree that knows where each key and value stands, so that a mistake is told at its place."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from city.yaml_nodes import BadKey, Mark, NotYamlError, Values, documents, mark_of_node, pairs
from thresholds.finding import Code
from thresholds.ladder import Place

_MOST_VALUES = 20_000
_DEEPEST = 30
_BAD_KEYS = {BadKey.NO_WORD: Code.YAML, BadKey.TWICE: Code.DUPLICATE_KEY}


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
    try:
        nodes = documents(text)
    except NotYamlError as error:
        return [], [Fault(error.mark, Code.YAML, str(error))]
    reader = _Reader()
    trees = [reader.value(node, 0) for node in nodes]
    return [tree for tree in trees if tree is not None], reader.faults


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

    def __init__(self) -> None:
        self._values = Values()
        self._seen = 0
        self._stopped = False
        self.faults: list[Fault] = []

    def value(self, node: Node, depth: int) -> Value | None:
        mark = mark_of_node(node)
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
        for key, at, below in pairs(node, self._bad_key):
            mapping.keys[key] = at
            item = self.value(below, depth + 1)
            if item is None:
                mapping.gone.add(key)
            else:
                mapping.items[key] = item
        return mapping

    def _scalar(self, node: Node, mark: Mark) -> Scalar | None:
        try:
            return Scalar(mark, self._values.of(node))
        except ValueError as error:
            self.faults.append(Fault(mark, Code.YAML, str(error)))
            return None

    def _bad_key(self, why: BadKey, mark: Mark, message: str) -> None:
        self.faults.append(Fault(mark, _BAD_KEYS[why], message))


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
