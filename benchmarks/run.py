"""`scenewatch bench NAME`: run one benchmark or all of them."""

import importlib
from pathlib import Path

from benchmarks.report import Report, plot, show
from core.errors import ConfigError
from runtime.outputs import writing
from runtime.summary import write_json

NAMES = (
    "packed", "engine", "generator", "history", "backtest", "ingest", "latency", "memory", "start", "locate", "peers",
    "scale",
)  # fmt: skip


def main(name: str, json_file: Path | None, plot_file: Path | None, *, quick: bool) -> int:
    """Run, print tables, write JSON and a plot; 0 whatever the figures say.

    Raises:
        ConfigError: If there is no benchmark of that name.
    """
    if name not in (*NAMES, "all"):
        raise ConfigError(f"there is no benchmark {name!r}; there are {', '.join(NAMES)} and all")
    results: list[Report] = []
    for one in NAMES if name == "all" else (name,):
        results.append(importlib.import_module(f"benchmarks.{one}").run(quick=quick))
        show(results[-1])
        _write(json_file, results if name == "all" else results[0])
    if plot_file is not None:
        with writing(plot_file):
            plot(results, plot_file)
    return 0


def _write(path: Path | None, content: object) -> None:
    if path is not None:
        write_json(path, content)
