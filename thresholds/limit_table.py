"""Limits out of a table: a CSV file beside the scene, a row for each device, class of area or whatever it is by."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, StrictStr, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from city.device import Device
from thresholds.conditions import Change
from thresholds.ladder import Problem
from thresholds.level import SEVERITIES, LevelBase, Limited, Model, in_words
from thresholds.overrides import ROWS
from thresholds.schedule import SCHEDULES, When
from thresholds.where import SPECIFIC, OneOfEach, attribute

WHEN = "when"
"""Column with the times at which a row is in force; an empty cell is always."""
FREE = ("source", "verified", "note")
"""Columns that say something of a row and change no limit; the first two may be of one severity: `major_source`."""
_NAME = re.compile(r"[^/\\:\x00-\x1f]{1,120}\.csv")
_TRUTH = {"yes": True, "true": True, "是": True, "no": False, "false": False, "否": False, "": False}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PAIR = re.compile(r"\s*(\S+?)\s*\.\.\s*(\S+)\s*")
_LONGEST_KEY = 64
_MOST_PROBLEMS = 100


def _file_name(value: object) -> object:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or value.startswith("."):
        raise PydanticCustomError(
            "text", "{value} is no table: name a .csv file that lies beside the scene", {"value": repr(value)}
        )
    return value


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def without_ends(text: str) -> str:
    """A table as it is kept: lines end in a newline and in nothing else, and no empty ones stand at the end."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"


Key = Literal["device", "place", "grid", "disposal_grid", "gateway", "town", "area_class", "kind", "type"]
_KEYS = {"enum": list(SPECIFIC)}
Keys = Annotated[
    tuple[Key, ...],
    Field(min_length=1),
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_KEYS, {"type": "array", "items": _KEYS, "minItems": 1, "uniqueItems": True}]}),
]
TableName = Annotated[str, BeforeValidator(_file_name), WithJsonSchema({"type": "string", "pattern": r"\.csv$"})]


class LimitsFrom(Model):
    """Limits out of a table, a row for each device, class of area or whatever it is by."""

    table: TableName | None = Field(None, description="A CSV file that lies beside the scene. 与场景同目录的限值表")
    by: Keys = Field(description="What a row is found by, the key columns, e.g. device or area_class. 匹配列")
    percent_of: Literal["design"] | None = Field(
        None, description="design: its limits are percent of the design value, else values of the metric. 设计值百分比"
    )
    rows: StrictStr | None = Field(None, description="The table itself; it counts in place of the file. 限值表内容")

    @model_validator(mode="before")
    @classmethod
    def _plain_rows(cls, content: Any) -> Any:
        if isinstance(content, dict) and isinstance(content.get("rows"), str):
            return {**content, "rows": without_ends(content["rows"])}
        return content

    @model_validator(mode="after")
    def _some_table(self) -> Self:
        if self.table is None and self.rows is None:
            raise PydanticCustomError("nothing", "limits_from needs `table`, a .csv file beside the scene, or `rows`")
        if len(set(self.by)) < len(self.by):
            raise PydanticCustomError("text", "one column stands twice in `by`", {"at": "by"})
        return self

    @property
    def name(self) -> str:
        """What the table is called: its file, or `rows`."""
        return self.table or "rows"


class RowLimit(NamedTuple):
    """The limit that a row gives a level, its clear value (None for none), and where it was found."""

    limit: Any
    clear: Any
    percent_of: Literal["design"] | None
    source: str
    verified: bool

    @property
    def only_leaf(self) -> bool:
        """A row names no leaf."""
        return False

    @property
    def leaf(self) -> None:
        """A row names no leaf."""
        return

    def laid_over(self, level: LevelBase) -> LevelBase:
        """`level` with this limit and this clear value in place of its own."""
        update = {level.condition: self.limit}
        if level.clears_by is not None:
            update[level.clears_by] = self.clear
        if isinstance(level, Limited):
            update["percent_of"] = self.percent_of
        return level.model_copy(update=update)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row: whom it is for, when, and the limits that it gives, by severity.

    Attributes:
        line: Where it stands in the table; the header is line 1.
        table: What the table is called.
        scope: Which devices.
        changes: Its limits by severity.
        when: At which times, None for always.
        times: The same as it is written.
    """

    line: int
    table: str
    scope: OneOfEach
    changes: Mapping[str, RowLimit]
    when: When | None = None
    times: str = ""
    profile: None = field(default=None, init=False)

    @property
    def rank(self) -> tuple[bool, ...]:
        """How specific it is, as that of an override with the same `where`."""
        return (False, *self.scope.rank, self.when is not None)

    @property
    def words(self) -> str:
        """Which row, e.g. `river-level.csv line 3 (device mishidu)`."""
        keys = [f"{name} {next(iter(names))}" for name, names in self.scope.given.items()]
        keys += [self.times] if self.times else []
        return f"{self.table} line {self.line} ({', '.join(keys)})"


@dataclass(frozen=True, slots=True)
class LimitTable:
    """A table as a scene reads it; `problems` is what is wrong in it, and rows that are wrong are not in `rows`."""

    by: tuple[str, ...]
    rows: tuple[TableRow, ...]
    problems: tuple[Problem, ...]
    _found: Mapping[tuple[str, ...], Sequence[TableRow]]

    def rows_of(self, device: Device) -> Sequence[TableRow]:
        """The rows for a device, of which more than one only where they are for other times."""
        return self._found.get(tuple(attribute(device, name) for name in self.by), ())

    @property
    def whens(self) -> tuple[When, ...]:
        """Every schedule of a row."""
        return tuple({row.when.key: row.when for row in self.rows if row.when is not None}.values())

    def values(self, name: str) -> Iterator[str]:
        """What stands in a key column; nothing if `name` is none."""
        if name in self.by:
            at = self.by.index(name)
            yield from (key[at] for key in self._found)


@lru_cache(maxsize=16)
def read_table(source: LimitsFrom, levels: tuple[LevelBase, ...]) -> LimitTable:
    """The table of a scene with these levels; every mistake in it is among its problems.

    A scene is looked at several times while it is loaded; its table is read once.
    """
    reading = _Reading(source, {level.severity: level for level in levels})
    reading.read(source.rows or "")
    rows = tuple(row for of_key in reading.found.values() for row in of_key)
    return LimitTable(source.by, rows, tuple(reading.problems), reading.found)


def table_problems(
    levels: Sequence[LevelBase], source: LimitsFrom | None, table: LimitTable | None
) -> Iterator[Problem]:
    """What is wrong in the table of a scene, or that it has none although a level needs one."""
    if source is None or table is None:
        for index, level in enumerate(levels):
            if level.from_table:
                message = f"{level.severity} takes its limit from a table: give the scene `limits_from`"
                yield Problem("missing", ("levels", index, level.condition), message)
    elif source.rows is None:
        message = f"{source.table} lies beside the file of a scene, and this is a text: write its lines under `rows`"
        yield Problem("table", ("limits_from", "table"), message)
    else:
        yield from table.problems


class _Reading:
    """Reads a table from the top, noting what is wrong."""

    def __init__(self, source: LimitsFrom, levels: Mapping[str, LevelBase]) -> None:
        self.problems: list[Problem] = []
        self.found: dict[tuple[str, ...], list[TableRow]] = {}
        self._source = source
        self._levels = levels
        self._lines: dict[tuple[str, ...], int] = {}
        self._named: tuple[str, ...] = tuple(name for name in SPECIFIC if name in source.by)
        self._rank = tuple(name in source.by for name in SPECIFIC)
        self._whens: dict[str, When | None] = {"": None}

    def read(self, text: str) -> None:
        """Take all of it in."""
        lines = csv.reader(io.StringIO(text), strict=True)
        header: list[str] | None = None
        before = 0
        try:
            for cells in lines:
                line, before = before + 1, lines.line_num
                if not any(cell.strip() for cell in cells):
                    continue
                if lines.line_num > line or _CONTROL.search("".join(cells)):
                    self._wrong(line, "a cell holds a line break or a control character: take it out")
                elif header is None:
                    header = [cell.strip() for cell in cells]
                    if not self._header(line, header):
                        return
                else:
                    self._row(line, header, cells)
                if len(self.problems) >= _MOST_PROBLEMS:
                    self._wrong(
                        line, f"{_MOST_PROBLEMS} mistakes up to here: the rest is looked at when they are mended"
                    )
                    return
        except csv.Error as error:
            self._wrong(max(1, lines.line_num), f"no CSV: {error}")
        if header is None:
            self._wrong(1, "the table is empty: its first line names the columns")
        elif not self._lines and not self.problems:
            self._wrong(1, "the table has no rows")

    def _wrong(self, line: int, message: str, word: str = "", choices: tuple[str, ...] = ()) -> None:
        self.problems.append(Problem("table", (*ROWS, line, word), message, choices))

    # ---- the names of the columns

    def _header(self, line: int, header: list[str]) -> bool:
        before = len(self.problems)
        if line > 1:
            self._wrong(line, "the names of the columns stand in the first line")
            return False
        for at, name in enumerate(header):
            if name in header[:at]:
                self._wrong(1, f"the column {name!r} stands twice", name)
            elif name not in self._known:
                self._unknown(name)
        for name in self._source.by:
            if name not in header:
                self._wrong(1, f"the key column {name!r} is missing: the table is by {', '.join(self._source.by)}")
        if not any(name in self._levels for name in header):
            self._wrong(1, f"no column has limits: name one after a level, {' or '.join(self._levels)}")
        for severity, level in self._levels.items():
            self._columns_of(severity, level, header)
        return len(self.problems) == before

    @property
    def _known(self) -> tuple[str, ...]:
        of_levels = (
            name
            for severity in self._levels
            for name in (severity, *(f"{severity}_{what}" for what in ("clear", "source", "verified")))
        )
        return (*self._source.by, WHEN, *of_levels, *FREE)

    def _unknown(self, name: str) -> None:
        severity = name.partition("_")[0]
        if not name:
            self._wrong(1, "a column has no name")
        elif severity in SEVERITIES and severity not in self._levels:
            self._wrong(1, f"the column {name!r} is of a level that the scene does not have", name, tuple(self._levels))
        elif name in SPECIFIC:
            self._wrong(1, f"the column {name!r} is a key: write `by: [{', '.join((*self._source.by, name))}]`")
        elif any(sign in name for sign in ";\t"):
            self._wrong(1, "columns are separated by commas")
        else:
            self._wrong(1, f"unknown column {name!r}", name, self._known)

    def _columns_of(self, severity: str, level: LevelBase, header: Sequence[str]) -> None:
        clear, there = f"{severity}_clear", severity in header
        if level.from_table and not there:
            self._wrong(1, f"the column {severity!r} is missing: the level has no limit of its own", severity)
        if clear in header and not there:
            self._wrong(
                1, f"the column {clear!r} needs a column {severity!r}: a clear value goes with its limit", clear
            )
        if there and clear in header and level.clears_by is None:
            self._wrong(
                1, f"the column {clear!r}: {level.condition} has no clear value, it clears where it does not hold"
            )
        if there and clear not in header and level.clear_value is not None:
            self._wrong(
                1,
                f"the column {clear!r} is missing: the level has {level.clears_by} {in_words(level.clear_value)}, "
                "which goes away with the limit that it belongs to",
                clear,
            )
        if there and isinstance(level.limit, bool | Mapping | Model):
            self._wrong(1, f"the column {severity!r}: {level.condition} is more than a limit, give it by `overrides`")
        if there and self._source.percent_of is not None and not isinstance(level, Limited):
            self._wrong(1, f"the column {severity!r}: {level.condition} cannot be in percent of a design value")

    # ---- a row

    def _row(self, line: int, header: Sequence[str], cells: Sequence[str]) -> None:
        if len(cells) != len(header):
            self._wrong(line, f"{len(cells)} cells, and the table has {len(header)} columns: mind commas and quotes")
            return
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        key = tuple(row[name] for name in self._source.by)
        before, times = len(self.problems), row.get(WHEN, "")
        self._key(line, row, (*key, times))
        when = self._when(line, times)
        given = {
            severity: limit
            for severity, level in self._levels.items()
            if severity in row and (limit := self._limit(line, row, level)) is not None
        }
        for name, cell in row.items():
            if name.endswith("verified") and cell.lower() not in _TRUTH:
                self._wrong(line, f"{name}: {cell!r} is neither yes nor no")
        if not given and len(self.problems) == before:
            self._wrong(line, "the row gives no limit: fill one in, or take the row away")
        if len(self.problems) == before:
            named = {name: frozenset((row[name],)) for name in self._named}
            scope = OneOfEach(named, self._rank)
            found = TableRow(line, self._source.name, scope, given, when, times)
            self.found.setdefault(key, []).append(found)

    def _when(self, line: int, text: str) -> When | None:
        """The schedule in a cell, None for always."""
        if text not in self._whens:
            try:
                self._whens[text] = When.model_validate(text if text in SCHEDULES else {"hours": text})
            except ValidationError:
                self._whens[text] = None
                names = ", ".join(SCHEDULES)
                self._wrong(line, f"{WHEN}: {text!r} is no schedule: write {names}, or hours like 22:00-06:00")
        return self._whens[text]

    def _key(self, line: int, row: Mapping[str, str], key: tuple[str, ...]) -> None:
        for name in self._source.by:
            if not row[name]:
                self._wrong(line, f"{name} is missing: the row is for nobody")
            elif len(row[name]) > _LONGEST_KEY:
                self._wrong(line, f"{name}: a name has at most {_LONGEST_KEY} characters")
        first = self._lines.setdefault(key, line)
        if first != line and all(key[:-1]):
            words = ", ".join(f"{name} {row[name]}" for name in self._source.by) + (f", {key[-1]}," if key[-1] else "")
            self._wrong(line, f"{words} has a row already, line {first}: keep one of the two")

    def _limit(self, line: int, row: Mapping[str, str], level: LevelBase) -> RowLimit | None:
        severity, clear_name = level.severity, f"{level.severity}_clear"
        limit_text, clear_text = row[severity], row.get(clear_name, "")
        if not limit_text and not clear_text:
            return None
        if not limit_text:
            self._wrong(line, f"{severity} is missing, and {clear_name} {clear_text} is there: give both or none")
            return None
        if not clear_text and clear_name in row:
            self._wrong(line, f"{clear_name} is missing: {severity} {limit_text} needs its clear value")
            return None
        limit = self._value(line, severity, level, level.condition, limit_text)
        clear = self._value(line, clear_name, level, str(level.clears_by), clear_text) if clear_text else None
        if limit is None or (clear_text and clear is None):
            return None
        if clear is not None and not level.can_clear_at(limit, clear):
            self._wrong(
                line,
                f"{clear_name}: {clear_text} is on the wrong side of {level.condition} {limit_text}: "
                "it would clear while the condition still holds",
            )
            return None
        said = row.get(f"{severity}_source") or row.get("source", "")
        read = row.get(f"{severity}_verified") or row.get("verified", "")
        return RowLimit(limit, clear, self._source.percent_of, said, _TRUTH.get(read.lower(), False))

    def _value(self, line: int, column: str, level: LevelBase, key: str, text: str) -> Any:
        """What a cell says, None (and noted) if it cannot be read."""
        if isinstance(level.limit, float):
            try:
                number = float(text) if text.isascii() and "_" not in text else math.nan
            except ValueError:
                number = math.nan
            if math.isfinite(number):
                return number
            self._wrong(line, f"{column}: {text!r} is not a number")
            return None
        pair = _PAIR.fullmatch(text) if isinstance(level.limit, tuple) else None
        content: Any = text
        try:
            if isinstance(level.limit, tuple):
                content = [float(part) for part in pair.groups()] if pair else None
            return getattr(Change.model_validate({key: content}), key)
        except ValidationError as error:
            why = error.errors(include_url=False)[0]["msg"] if content is not None else "write it like 6..9"
        except ValueError:
            why = "write it like 6..9"
        self._wrong(line, f"{column}: {text!r} cannot be read: {why[:1].lower()}{why[1:]}")
        return None
