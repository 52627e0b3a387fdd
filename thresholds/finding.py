"""What is wrong in a scene file: where, what, and what was probably meant."""

import enum
from dataclasses import dataclass
from pathlib import Path


class Code(enum.StrEnum):
    """Kinds of findings; docs/reference/scene-findings.md explains each."""

    UNREADABLE = "S001"
    """The file cannot be read or is not UTF-8."""
    YAML = "S002"
    """The file is not YAML."""
    DUPLICATE_KEY = "S003"
    """A key stands twice."""
    UNKNOWN_KEY = "S004"
    """The language has no such key."""
    MISSING = "S005"
    """Something that is needed is not there."""
    WRONG_TYPE = "S006"
    """A value is of another kind than expected."""
    DURATION = "S007"
    """A duration or delay cannot be read."""
    NUMBER = "S008"
    """A limit is not a finite number."""
    CONDITION = "S009"
    """A level has no condition, or more than one."""
    CLEAR_VALUE = "S010"
    """The clear value is on the wrong side or belongs to another condition."""
    LADDER = "S011"
    """Severities are doubled or out of order, or levels overlap."""
    UNKNOWN_TYPE = "S012"
    """The catalogue has no such device type."""
    UNKNOWN_METRIC = "S013"
    """The device type does not measure this."""
    DUPLICATE_ID = "S014"
    """Two scenes have one id."""
    NOT_YET = "S015"
    """Part of the language that this version does not evaluate."""
    OVERRIDE = "S016"
    """An override names a severity that the scene has not, or two are equally specific."""
    EMPTY = "S017"
    """The scene watches nothing, or no scene is there."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake, at a line and column counted from 1."""

    path: Path
    line: int
    column: int
    code: Code
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """`PATH:LINE:COLUMN: CODE message (did you mean ...?)`."""
        hint = f" (did you mean {self.hint}?)" if self.hint else ""
        return f"{self.path}:{self.line}:{self.column}: {self.code.value} {self.message}{hint}"

    def to_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "path": str(self.path),
            "line": self.line,
            "column": self.column,
            "code": self.code.value,
            "message": self.message,
            "hint": self.hint or None,
        }
