"""`scenewatch scene diff`: two versions of a scene over the same readings."""

import sys
from pathlib import Path

import msgspec

from core.errors import ConfigError
from runtime.backtest.compare import Difference
from runtime.cli_backtest import TO_STDOUT, Asked, answered
from runtime.summary import write_json


class Compared(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """What `--json` writes."""

    first: str
    second: str
    start: str
    end: str
    gaps: int
    difference: Difference


def diff(asked: Asked) -> int:
    """Say what the second version raises that the first does not, and the other way round; 0.

    Raises:
        ConfigError: If something that was typed is wrong.
    """
    answer = answered(asked)
    if answer.compare is None:
        raise ConfigError("name two versions")
    found = Compared(
        first=asked.scene, second=str(asked.compare), start=answer.start, end=answer.end, gaps=len(answer.gaps),
        difference=answer.compare,
    )  # fmt: skip
    if asked.json_file == TO_STDOUT:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
        return 0
    if asked.json_file is not None:
        write_json(Path(asked.json_file), found)
    if not asked.quiet:
        from rich.console import Console  # noqa: PLC0415 - slow to load

        from runtime.backtest.show import show_difference  # noqa: PLC0415 - the same

        show_difference(Console(), found.difference)
    return 0
