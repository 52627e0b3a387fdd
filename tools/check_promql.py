"""Parses the expressions of alert rules and dashboards, as Prometheus does: `python -m tools.check_promql FILE...`."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
from ruamel.yaml import YAML


@dataclass(frozen=True)
class Selected:
    """One metric that an expression looks at.

    Attributes:
        metric: Its name.
        job: Where from: the value that `job` has to equal, None where it is not said or is a pattern.
    """

    metric: str
    job: str | None


def expressions(path: Path) -> Iterator[tuple[str, str]]:
    """(where it stands, expression) of a file of rules (YAML) or of a dashboard (JSON)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path}: {panel['title']}", target["expr"]
        return
    for group in YAML(typ="safe", pure=True).load(text)["groups"]:
        for rule in group["rules"]:
            yield f"{path}: {rule.get('alert') or rule['record']}", rule["expr"]


def selected(expression: str) -> Iterator[Selected]:
    """Every metric that an expression looks at.

    Raises:
        ValueError: If it is not PromQL.
    """
    yield from _selected(promql_parser.parse(expression))


def _selected(found: Any) -> Iterator[Selected]:
    if isinstance(found, promql_parser.VectorSelector):
        equal = (one.value for one in found.matchers.matchers if one.name == "job" and one.op == _EQUAL)
        yield Selected(str(found.name), next(equal, None))
    parts = [getattr(found, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for part in [*parts, *(getattr(found, "args", None) or ())]:
        if part is not None:
            yield from _selected(part)


_EQUAL = promql_parser.MatchOp.Equal


def main(arguments: list[str]) -> int:
    """A line for every mistake; 1 if there is one."""
    wrong = count = 0
    for path in map(Path, arguments):
        for where, text in expressions(path):
            count += 1
            try:
                list(selected(text))
            except ValueError as error:
                sys.stderr.write(f"{where}: {error}\n")
                wrong += 1
    if not wrong:
        sys.stdout.write(f"deploy: {count} expressions of PromQL parse\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
