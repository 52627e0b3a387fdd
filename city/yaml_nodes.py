"""YAML as nodes that know where they stand: read fast where libyaml sees the same, and told exactly what is wrong.

Device types, the case catalogue and scenes are read by it; what may stand in them, each says for itself.
"""

import enum
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

LONGEST_LINE = 2_000
_MOST_BRACKETS = 2_000
_UNLIKE = re.compile("[\t\r\x85\u2028\u2029\ufeff]")
"""Signs by which libyaml counts lines and columns in another way."""
_OTHERWISE = re.compile(r"(?:^|[][{},:-])[ \n]*(?:[&*>?!@%`]|\|(?!\n))", re.MULTILINE)
"""Where a value begins with a sign that libyaml reads in another way."""
_SCALARS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "timestamp", "value", "merge")
)
"""`value` and `merge` are = and <<, which mean nothing to us and cannot be constructed."""
_TEXT = "tag:yaml.org,2002:str"


class Mark(NamedTuple):
    """A line and a column, from 1."""

    line: int
    column: int


class BadKey(enum.Enum):
    """Why a key is left out."""

    NO_WORD = enum.auto()
    TWICE = enum.auto()


class NotYamlError(Exception):
    """A text is not YAML.

    Attributes:
        mark: Where that shows.
    """

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.mark = mark


def mark_of_node(node: Node) -> Mark:
    """Where a node begins."""
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def documents(text: str) -> list[Node]:
    """The documents of a text that are not empty.

    Raises:
        NotYamlError: If it is not YAML, or nested deeper than the parser can go.
    """
    try:
        return quickly(text) or _compose(text, pure=True)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        what = " ".join(str(error.problem or error.context or "it cannot be read").split())
        raise NotYamlError(at, f"not YAML: {what}") from error
    except YAMLError as error:
        raise NotYamlError(Mark(1, 1), f"not YAML: {' '.join(str(error).split())[:200]}") from error
    except RecursionError as error:
        raise NotYamlError(Mark(1, 1), "not YAML: nested far too deep") from error


def quickly(text: str) -> list[Node] | None:
    """The documents by libyaml's parser, five times as fast; None where the other one has to say what is wrong.

    It calls itself for each level and knows no end of that but its stack's, so a text that may be deep is not for it.
    """
    deep = text.count("[") + text.count("{") > _MOST_BRACKETS or max(map(len, text.split("\n"))) > LONGEST_LINE
    if deep or _UNLIKE.search(text) or _OTHERWISE.search(text):
        return None
    try:
        return _compose(text, pure=False)
    except (YAMLError, RecursionError):
        return None


def _compose(text: str, *, pure: bool) -> list[Node]:
    return [node for node in YAML(typ="safe", pure=pure).compose_all(text) if node is not None]


class Values:
    """What scalars stand for: text, numbers, true and false, days, nothing."""

    def __init__(self) -> None:
        self._construct = YAML(typ="safe", pure=True).constructor.construct_object

    def of(self, node: Node) -> Any:
        """The value of a node.

        Raises:
            ValueError: If its tag is another one, or its text says something else than its tag; with the cure.
        """
        if node.tag == _TEXT:
            return node.value
        if node.tag not in _SCALARS:
            raise ValueError(f"{node.tag} has no meaning here: take it away")
        try:
            return self._construct(node)
        except (ValueError, OverflowError, YAMLError) as error:
            raise ValueError(f"{node.value!r} cannot be read: put it in quotes if it is text") from error


def pairs(node: MappingNode, wrong: Callable[[BadKey, Mark, str], None]) -> Iterator[tuple[str, Mark, Node]]:
    """The keys of a mapping, each with its mark and the value's node.

    Args:
        node: The mapping.
        wrong: Told of a key that is left out: why, its mark, and a message.
    """
    first: dict[str, int] = {}
    for name, value in node.value:
        mark = mark_of_node(name)
        if not isinstance(name, ScalarNode):
            wrong(BadKey.NO_WORD, mark, "a key has to be a word")
        elif name.value in first:
            wrong(BadKey.TWICE, mark, f"`{name.value}` stands twice, first on line {first[name.value]}")
        else:
            first[name.value] = mark.line
            yield name.value, mark, value
