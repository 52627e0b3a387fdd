"""`scenewatch scene diff`: two versions of a scene over the same readings."""

import sys
from pathlib import Path

import msgspec

from runtime.backtest.answer import compared
from runtime.cli_backtest import TO_STDOUT, Asked, answered
from runtime.summary import write_json


def diff(asked: Asked) -> int:
    """Say what the second version raises that the first does not, and the other way round; 0.

    Raises:
        ConfigError: If something that was typed is wrong.
    """
    answer = answered(asked)
    found = compared(answer, asked.scene, str(asked.compare))
    if asked.json_file == TO_STDOUT:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
        return 0
    if asked.json_file is not None:
        write_json(Path(asked.json_file), found)
    if not asked.quiet:
        from runtime.backtest.show import show_difference  # noqa: PLC0415 - the same
        from runtime.terminal import terminal  # noqa: PLC0415 - slow to load

        show_difference(terminal(), found.difference)
    return 0
