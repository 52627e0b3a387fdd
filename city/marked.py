"""YAML data files with the line of everything in them, read fast: libyaml parses where it is installed."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

_LARGEST = 2_000_000
_LONGEST_LINE = 2_000
_DEEPEST = 50
_SCALARS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "timestamp"))
_TEXT = "tag:yaml.org,2002:str"

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
        here, line = self.node, _line(self.node)
        for step in place:
            if isinstance(here, MappingNode):
                found = next((pair for pair in here.value if pair[0].value == step), None)
                if found is None:
                    break
                line, here = _line(found[0]), found[1]
            elif isinstance(here.value, list) and isinstance(step, int) and step < len(here.value):
                here = here.value[step]
                line = _line(here)
            else:
                break
        return line


def read_marked(path: Path) -> tuple[Marked | None, list[Mistake]]:
    """The one document of a YAML file; None where it cannot be read at all.

    Text, numbers, true and false, days, lists and mappings with text keys; aliases and tags are mistakes, and so is a
    key that stands twice.
    """
    try:
        text = _text(path)
        yaml = YAML(typ="safe")  # libyaml's parser, if ruamel.yaml.clib is there: five times as fast, the same nodes
        node = yaml.compose(text)
    except _UnfitError as error:
        return None, [Mistake(path, error.line, str(error))]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(error.problem or error.context or "it cannot be read").split())
        return None, [Mistake(path, mark.line + 1 if mark else 1, f"not YAML: {what}")]
    except RecursionError:
        return None, [Mistake(path, 1, "not YAML: nested far too deep")]
    except YAMLError as error:
        return None, [Mistake(path, 1, f"not YAML: {' '.join(str(error).split())[:200]}")]
    if node is None:
        return None, [Mistake(path, 1, "the file is empty")]
    reader = _Reader(path, yaml)
    plain = reader.plain(node, 0)
    return Marked(path, plain, node), reader.mistakes


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
        if len(line) > _LONGEST_LINE:
            raise _UnfitError(number, f"a line of over {_LONGEST_LINE} characters: break it")
    # libyaml's composer calls itself for each level and knows no end of it but that of its stack.
    brackets = itertools.accumulate(1 if sign in "[{" else -1 for sign in re.findall(r"[\[\]{}]", text))
    if max(brackets, default=0) > _DEEPEST:
        raise _UnfitError(1, f"not YAML: brackets in over {_DEEPEST} brackets, or brackets that do not end")
    return text


class _Reader:
    """Nodes to plain data, with what is wrong in them."""

    def __init__(self, path: Path, yaml: YAML) -> None:
        self._path = path
        self._construct = yaml.constructor.construct_object
        self._seen: set[int] = set()
        self.mistakes: list[Mistake] = []

    def plain(self, node: Node, depth: int) -> Any:
        if node.tag == _TEXT:
            return node.value
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
            return self._mapping(node, depth)
        return [self.plain(item, depth + 1) for item in node.value]

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._add(key, "a key has to be a word")
            elif key.value in found:
                self._add(key, f"`{key.value}` stands twice, first on line {lines[key.value]}")
            else:
                lines[key.value] = _line(key)
                found[key.value] = self.plain(value, depth + 1)
        return found

    def _scalar(self, node: ScalarNode) -> Any:
        if node.tag in _SCALARS:
            try:
                return self._construct(node)
            except (ValueError, OverflowError, YAMLError):
                pass
        self._add(node, f"{node.value!r} cannot be read: put it in quotes if it is text")
        return None

    def _add(self, node: Node, message: str) -> None:
        self.mistakes.append(Mistake(self._path, _line(node), message))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
