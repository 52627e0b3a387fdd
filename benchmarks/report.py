"""One form for all benchmarks: rows with their floors, as a table, JSON and a plot."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from core.clock import rfc3339, wall_ns
from runtime.terminal import terminal

_VERSIONS = ("numpy", "pyarrow", "numba", "paho-mqtt", "msgspec", "iotcore")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure and the floor that was measured beside it in the same run.

    `ratio` is value / floor where more is better and floor / value where less is, so that 1.0 is the floor and more
    is better; None where there is no floor.
    """

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_what: str | None = None
    ratio: float | None = None
    target: str | None = None
    """The target of the performance table in words, e.g. `ratio >= 0.9`."""
    met: bool | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran."""

    cpu: str
    cores: int
    memory_gib: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark's outcome."""

    name: str
    at: str
    machine: Machine
    versions: dict[str, str]
    rows: list[Row]


def rate(
    what: str,
    value: float,
    unit: str,
    *,
    floor: float | None = None,
    floor_what: str | None = None,
    at_least: float | None = None,
) -> Row:
    """A figure of which more is better; `at_least` is the wanted ratio to the floor, or value where there is none."""
    ratio = value / floor if floor else None
    target = None if at_least is None else f">= {at_least:g} {unit if ratio is None else 'x floor'}"
    met = None if at_least is None else (value if ratio is None else ratio) >= at_least
    return _row(what, value, unit, floor, floor_what, ratio, target, met)


def cost(
    what: str,
    value: float,
    unit: str,
    *,
    floor: float | None = None,
    floor_what: str | None = None,
    at_most: float | None = None,
) -> Row:
    """A figure of which less is better; `at_most` is the wanted value in its unit."""
    ratio = floor / value if floor is not None and value else None
    target = None if at_most is None else f"<= {at_most:g} {unit}"
    return _row(what, value, unit, floor, floor_what, ratio, target, None if at_most is None else value <= at_most)


def _row(
    what: str,
    value: float,
    unit: str,
    floor: float | None,
    floor_what: str | None,
    ratio: float | None,
    target: str | None,
    met: bool | None,  # noqa: FBT001 - one column of eight
) -> Row:
    return Row(
        what=what, value=value, unit=unit, floor=floor, floor_what=floor_what, ratio=ratio, target=target, met=met
    )


def report(name: str, rows: Sequence[Row]) -> Report:
    """A report of this machine, now."""
    versions = {package: importlib.metadata.version(package) for package in _VERSIONS}
    versions["python"] = platform.python_version()
    return Report(name=name, at=rfc3339(wall_ns() // 1_000_000), machine=machine(), versions=versions, rows=list(rows))


def machine() -> Machine:
    """The processor, its cores and the memory."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Machine(cpu=model, cores=os.cpu_count() or 1, memory_gib=round(memory, 1))


def show(result: Report) -> None:
    """Print the table for a person."""
    table = Table(title=f"{result.name}: {result.machine.cpu}, {result.machine.cores} cores")
    for column in ("what", "value", "floor", "ratio", "target"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in result.rows:
        floor = "" if row.floor is None else f"{row.floor:,.4g} ({row.floor_what})"
        mark = "" if row.met is None else (" yes" if row.met else " NO")
        table.add_row(
            row.what,
            f"{row.value:,.4g} {row.unit}",
            floor,
            "" if row.ratio is None else f"{row.ratio:.2f}",
            f"{row.target or ''}{mark}",
        )
    terminal().print(table)


def plot(results: Sequence[Report], path: Path) -> None:
    """Bars of every row that has a floor, as a ratio to it; matplotlib is an optional part (extra `plot`)."""
    import matplotlib as mpl  # noqa: PLC0415 - only a plot needs it, and it is slow to load

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rows = [
        (f"{result.name}: {row.what}", row.ratio, row.met) for result in results for row in result.rows if row.ratio
    ]
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.42 * max(1, len(rows))), layout="constrained")
    colours = ["#c0392b" if met is False else "#2471a3" for _, _, met in rows]
    # From the floor outwards, on a scale of factors: a tenth of it and ten times as much are bars of one length.
    lengths = [ratio - 1.0 for _, ratio, _ in rows]
    bars = axes.barh([label for label, _, _ in rows], lengths, left=1.0, color=colours)
    axes.bar_label(bars, [f"{ratio:.2f}" for _, ratio, _ in rows], padding=3)
    axes.set_xscale("log")
    axes.axvline(1.0, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.margins(x=0.15, y=0.01)
    axes.set_xlabel("times the floor of the same run\n(right of the line is better; red: short of its target)")
    figure.savefig(path, dpi=120)
    plt.close(figure)
