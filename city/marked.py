"""YAML data files with the line of everything in them."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from city.yaml_nodes import LONGEST_LINE, BadKey, Mark, NotYamlError, Values, documents, mark_of_node, pairs

_LARGEST = 2_000_000
_DEEPEST = 50

Place = tuple[str | int, ...]
"""Keys and indices that lead to a value."""


class Mistake(NamedTuple):
    """What is wrong in a data file, and where; lines count from 1."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        """`PATH:LINE: message`."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Marked:
    """A YAML document as plain data, and where each part of it stands."""

    path: Path
    plain: Any
    node: Node

    def mistake(self, place: Place, message: str) -> Mistake:
        """A mistake at what stands at `place`, or at the nearest thing around it that is there."""
        return Mistake(self.path, self.line(place), message)

    def line(self, place: Place) -> int:
        """The line of the key, list entry or document that `place` leads to, or of the nearest around it."""
        here, line = self.node, mark_of_node(self.node).line
        for step in place:
            if isinstance(here, MappingNode):
                found = next((pair for pair in here.value if pair[0].value == step), None)
                if found is None:
                    break
                line, here = mark_of_node(found[0]).line, found[1]
            elif isinstance(here.value, list) and isinstance(step, int) and step < len(here.value):
                here = here.value[step]
                line = mark_of_node(here).line
            else:
                break
        return line


def read_marked(path: Path) -> tuple[Marked | None, list[Mistake]]:
    """The one document of a YAML file; None where it cannot be read at all.

    Text, numbers, true and false, days, lists and mappings with text keys; aliases and tags are mistakes, and so is a
    key that stands twice.
    """
    try:
        nodes = documents(_text(path))
    except _UnfitError as error:
        return None, [Mistake(path, error.line, str(error))]
    except NotYamlError as error:
        return None, [Mistake(path, error.mark.line, str(error))]
    if not nodes:
        return None, [Mistake(path, 1, "the file is empty")]
    if len(nodes) > 1:
        line = mark_of_node(nodes[1]).line
        return None, [Mistake(path, line, "another document begins here: give it a file of its own")]
    reader = _Reader(path)
    plain = reader.plain(nodes[0], 0)
    return Marked(path, plain, nodes[0]), reader.mistakes


class _UnfitError(Exception):
    """The file is nothing that a parser should see."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _UnfitError(1, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(content) > _LARGEST:
        raise _UnfitError(1, f"over {_LARGEST // 1_000_000} megabytes: that is no data file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = content.count(b"\n", 0, error.start) + 1
        raise _UnfitError(at, "not UTF-8 here: save the file as UTF-8") from error
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_LINE:
            raise _UnfitError(number, f"a line of over {LONGEST_LINE} characters: break it")
    brackets = itertools.accumulate(1 if sign in "[{" else -1 for sign in re.findall(r"[\[\]{}]", text))
    if max(brackets, default=0) > _DEEPEST:
        raise _UnfitError(1, f"not YAML: brackets in over {_DEEPEST} brackets, or brackets that do not end")
    return text


class _Reader:
    """Nodes to plain data, with what is wrong in them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values = Values()
        self._seen: set[int] = set()
        self.mistakes: list[Mistake] = []

    def plain(self, node: Node, depth: int) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self._seen:
            self._add(node, "used again by an alias: write it out there, so that each line says what holds")
            return None
        self._seen.add(id(node))
        if depth > _DEEPEST:
            self._add(node, "nested far too deep")
            return None
        if isinstance(node, MappingNode):
            return {key: self.plain(value, depth + 1) for key, _, value in pairs(node, self._bad_key)}
        return [self.plain(item, depth + 1) for item in node.value]

    def _scalar(self, node: ScalarNode) -> Any:
        try:
            return self._values.of(node)
        except ValueError as error:
            self._add(node, str(error))
            return None

    def _add(self, node: Node, message: str) -> None:
        self.mistakes.append(Mistake(self._path, mark_of_node(node).line, message))

    def _bad_key(self, _: BadKey, mark: Mark, message: str) -> None:
        self.mistakes.append(Mistake(self._path, mark.line, message))
