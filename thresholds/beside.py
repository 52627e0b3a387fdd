"""Tables that lie beside scene files: read into the scene, so that it travels as one text."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from city.yaml_nodes import Mark
from thresholds import located
from thresholds.finding import Code, Finding, decoded
from thresholds.limit_table import without_ends
from thresholds.located import Value, find, mark_of
from thresholds.wording import closest

LARGEST = 2_000_000
"""Bytes of a table; forty thousand rows and more."""
_LIMITS, _TABLE, _ROWS = "limits_from", "table", "rows"


class Beside(NamedTuple):
    """The table of a document: its file, None where its lines stand in the document itself."""

    path: Path | None
    rows: str | None


NO_TABLE = Beside(None, None)


def table_files(paths: Iterable[Path]) -> list[Path]:
    """Every file beside the scene files of `paths` that may be the table of one."""
    folders = {path.parent for path in paths}
    return sorted(file for folder in folders for file in folder.glob("*.csv") if file.is_file())


def take_in(tree: Value, path: Path, findings: list[Finding]) -> Beside:
    """Put the lines of the table that a document names into it; what keeps that from being is added to `findings`."""
    limits, name = find(tree, (_LIMITS,)), find(tree, (_LIMITS, _TABLE))
    if not isinstance(limits, located.Mapping) or not isinstance(name, located.Scalar) or _ROWS in limits.keys:
        return NO_TABLE
    if not isinstance(name.value, str) or Path(name.value).name != name.value or not name.value.endswith(".csv"):
        return NO_TABLE  # that is told where the document is looked at
    file = path.parent / name.value
    text = _read(file, path, mark_of(tree, (_LIMITS, _TABLE)), findings)
    if text is None:
        limits.gone.add(_ROWS)
        return Beside(file, None)
    rows = without_ends(text)
    limits.items[_ROWS] = located.Scalar(name.mark, rows)
    limits.keys[_ROWS] = name.mark
    return Beside(file, rows)


def _read(file: Path, scene: Path, mark: Mark, findings: list[Finding]) -> str | None:
    try:
        with file.open("rb") as source:
            content = source.read(LARGEST + 1)
    except OSError as error:
        hint = closest(file.name, [other.name for other in table_files([file])])
        message = f"the table {file.name} cannot be read: {(error.strerror or str(error)).lower()}"
        findings.append(Finding(scene, *mark, Code.TABLE, message, hint))
        return None
    if len(content) > LARGEST:
        findings.append(Finding(file, 1, 1, Code.TABLE, "the table is over two megabytes: split the scene"))
        return None
    return decoded(file, content, findings)


def with_rows(text: str, rows: str) -> str | None:
    """The text of one scene with the lines of its table under `rows`; None where it is not laid out in blocks.

    Comments and layout are kept.
    """
    root = next(iter(YAML(typ="safe", pure=True).compose_all(text)), None)
    limits = _under(root, _LIMITS)
    if not isinstance(root, MappingNode) or root.flow_style or not isinstance(limits, MappingNode):
        return None
    if limits.flow_style:
        begin, end = limits.start_mark.index, limits.end_mark.index
        inner = "".join(
            f"\n  {key.value}: {text[value.start_mark.index : value.end_mark.index]}" for key, value in limits.value
        )
        return text[:begin].rstrip(" ") + inner + "\n" + _block(rows, 2) + text[end:].removeprefix("\n")
    name = _under(limits, _TABLE)
    if not isinstance(name, ScalarNode):
        return None
    indent = next(key.start_mark.column for key, value in limits.value if value is name)
    lines = text.split("\n")
    behind = name.end_mark.line + 1
    return "\n".join([*lines[:behind], *_block(rows, indent).split("\n")[:-1], *lines[behind:]])


def _block(rows: str, indent: int) -> str:
    begin = " " * indent
    lines = "".join(f"{begin}  {line}\n" if line else "\n" for line in rows.split("\n")[:-1])
    return f"{begin}{_ROWS}: |\n{lines}"


def _under(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if isinstance(name, ScalarNode) and name.value == key), None)


def line_in_document(tree: Value, text: str, line: int) -> int:
    """On which line of a document a line of the table stands that is written in it."""
    return min(mark_of(tree, (_LIMITS, _ROWS)).line + line, text.count("\n") + 1)
