"""What a person sees of a command: lines and tables as they are meant."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console

_BESIDE_A_TERMINAL = 200
"""Columns of a table that goes into a file or a pipe: nothing of it is cut, and no line is endless."""


def terminal(*, stderr: bool = False) -> Console:
    """Standard output (or error), on which a name is a name: `[x]` or `:x:` in it are no orders to it.

    The width is the terminal's, or COLUMNS where that is set.
    """
    fits = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
    return Console(
        stderr=stderr, markup=False, emoji=False, highlight=False, width=None if fits else _BESIDE_A_TERMINAL
    )


def columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines with the cells of each row below each other; for a hundred thousand rows, which a table of rich is not."""
    whole = list(rows)
    sizes = [[cell_len(cell) for cell in row] for row in whole]
    widths = [max(column) for column in zip(*sizes, strict=True)]
    for row, size in zip(whole, sizes, strict=True):
        padded = (cell + " " * (width - own) for cell, own, width in zip(row, size, widths, strict=True))
        yield "  ".join(padded).rstrip() + "\n"
