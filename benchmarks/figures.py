"""Writes what `make bench` measured into the documents: `python -m benchmarks.figures out/bench.json README.md ...`."""

import sys
from pathlib import Path

import msgspec

from benchmarks.report import Report, Row

_ELSEWHERE = frozenset({"scale"})
"""Benchmarks with a document of their own."""
BEGIN = "<!-- figures:begin -->"
END = "<!-- figures:end -->"


def table(results: list[Report]) -> str:
    """A Markdown table of every figure that has a target or a floor, with the machine it was measured on."""
    first = results[0]
    machine = f"{first.machine.cores} cores ({first.machine.cpu}, {first.machine.memory_gib:g} GiB)"
    sharing = "load generator, broker and system sharing them, each floor in the same run"
    lines = [
        f"Measured {first.at[:10]} on {machine}, {sharing}. `make bench` prints the same, and more.",
        "",
        "| benchmark | figure | floor in the same run | ratio | target |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    here = [result for result in results if result.name not in _ELSEWHERE]
    lines += [_line(result.name, row) for result in here for row in result.rows if row.target or row.floor]
    return "\n".join(lines)


def _line(name: str, row: Row) -> str:
    floor = "" if row.floor is None else f"{_short(row.floor)} ({row.floor_what})"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    verdict = "" if row.met is None else (" met" if row.met else " **not met**")
    target = "" if row.target is None else f"{row.target}{verdict}"
    return f"| {name}: {row.what} | {_short(row.value)} {row.unit} | {floor} | {ratio} | {target} |"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def put(document: str, figures: str) -> str:
    """The document with the figures between its markers.

    Raises:
        ValueError: If it has no markers.
    """
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} ... {END}")
    return f"{head}{BEGIN}\n{figures}\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Write the figures of the first file into the others."""
    results = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=list[Report])
    for name in arguments[1:]:
        path = Path(name)
        path.write_text(put(path.read_text(encoding="utf-8"), table(results)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
