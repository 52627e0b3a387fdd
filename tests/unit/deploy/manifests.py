"""What lies in deploy/, as the programs that take it read it."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[3] / "deploy"


def documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return [found for found in YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")) if found]


def objects() -> list[dict[str, Any]]:
    """Everything for Kubernetes."""
    return [found for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for found in documents(path)]


def pods() -> list[tuple[str, dict[str, Any]]]:
    """Every kind of pod by its label `app`, with what it is made of."""
    templates = [found["spec"]["template"] for found in objects() if "template" in found.get("spec", {})]
    return [(one["metadata"]["labels"]["app"], one["spec"]) for one in templates]


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file."""
    (compose,) = documents(DEPLOY / "compose/compose.yaml")
    found: dict[str, dict[str, Any]] = compose["services"]
    return found
