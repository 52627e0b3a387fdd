"""What is wrong in a scene file: where, what, and what was probably meant."""

import enum
from dataclasses import dataclass
from pathlib import Path


class Code(enum.StrEnum):
    """Kinds of findings; docs/reference/scene-findings.md explains each."""

    UNREADABLE = "S001"
    """The file cannot be read, is not UTF-8 or is far too large."""
    YAML = "S002"
    """The file is not YAML."""
    DUPLICATE_KEY = "S003"
    """A key stands twice."""
    UNKNOWN_KEY = "S004"
    """The language has no such key here."""
    MISSING = "S005"
    """Something that is needed is not there."""
    WRONG_TYPE = "S006"
    """A value is of another kind, or of another form, than expected."""
    DURATION = "S007"
    """A duration or delay cannot be read."""
    NUMBER = "S008"
    """A limit is not a finite number, or a pair of limits is not in order."""
    CONDITION = "S009"
    """A level has no condition, more than one, or one that its metric cannot have."""
    CLEAR_VALUE = "S010"
    """The clear value is on the wrong side or belongs to another condition."""
    LADDER = "S011"
    """A severity is used twice or stands out of order."""
    UNKNOWN_TYPE = "S012"
    """The catalogue has no such device type."""
    UNKNOWN_METRIC = "S013"
    """The device type does not measure this."""
    DUPLICATE_ID = "S014"
    """Two scenes have one id."""
    OVERRIDE = "S016"
    """An override does not go with the ladder, or with another override."""
    EMPTY = "S017"
    """The scene watches nothing, a part says nothing, or no scene is there."""
    OVERLAP = "S018"
    """A worse level holds where a milder one does not."""
    ID = "S019"
    """The id of the scene is not kebab-case."""
    UNKNOWN_LEAF = "S020"
    """The case catalogue has no such leaf."""
    COMBINATION = "S021"
    """Two keys that do not go together."""
    UNKNOWN_SCENE = "S022"
    """A scene names another one that is not there, or itself."""
    TABLE = "S023"
    """The table of limits does not go with its scene: a column, a row, a value."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake; line and column are counted from 1, columns in characters."""

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


def decoded(path: Path, content: bytes, findings: list[Finding]) -> str | None:
    """The text of a file; None, and a finding at its place, where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        findings.append(Finding(path, line, column, Code.UNREADABLE, "the file is not UTF-8 here: save it as UTF-8"))
        return None
