"""Checks a compose file against the JSON Schema of its specification: `python -m tools.check_compose SCHEMA FILE`."""

import json
import sys
from pathlib import Path

import jsonschema
from ruamel.yaml import YAML


def main(arguments: list[str]) -> int:
    """A line for every mistake; 1 if there is one."""
    schema = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    content = YAML(typ="safe", pure=True).load(Path(arguments[1]).read_text(encoding="utf-8"))
    found = jsonschema.Draft201909Validator(schema).iter_errors(content)
    mistakes = [f"{arguments[1]}: {'.'.join(map(str, error.path))}: {error.message}" for error in found]
    for line in mistakes:
        sys.stderr.write(line + "\n")
    if not mistakes:
        sys.stdout.write(f"deploy: {arguments[1]} fits its schema\n")
    return 1 if mistakes else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
