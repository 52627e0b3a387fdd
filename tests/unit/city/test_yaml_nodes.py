"""Two parsers of YAML, the quick one where both see the same: trees, values and marks."""

import random
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node

from city.yaml_nodes import quickly
from thresholds.located import read

SCENES = sorted((Path(__file__).parents[3] / "scenes").rglob("*.yaml"))
SIGNS = [*"[]{}:,-#&*!|>?'\"%@`~<=.\\ 0tn\n\t\r", "\x85", "\u2028", "\ufeff", "\x00", "积", ": ", "- ", "\n  "]


def tree(node: Node) -> Any:
    """A node as plain data; where nothing stands at all, one of the two points behind the line's end."""
    if not isinstance(node.value, list):
        at = (node.start_mark.line, node.start_mark.column) if node.value else None
        return node.tag, at, node.value
    inner = [tuple(map(tree, item)) if isinstance(item, tuple) else tree(item) for item in node.value]
    return node.tag, (node.start_mark.line, node.start_mark.column), inner


def slowly(text: str) -> list[Node]:
    return [node for node in YAML(typ="safe", pure=True).compose_all(text) if node is not None]


def spoilt(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + (rng.choice(SIGNS) + text[at:] if rng.random() < 0.6 else text[at + rng.randint(1, 3) :])
    return text or "-"


def test_most_shipped_scenes_are_read_quickly_and_none_otherwise_than_slowly() -> None:
    texts = [path.read_text() for path in SCENES]
    found = [quickly(text) for text in texts]
    assert sum(nodes is not None for nodes in found) > 0.8 * len(texts)
    for text, nodes in zip(texts, found, strict=True):
        if nodes is not None:
            assert list(map(tree, nodes)) == list(map(tree, slowly(text)))


def test_of_a_text_with_mistakes_the_quick_parser_sees_the_same_or_nothing() -> None:
    rng = random.Random(20_261_125)
    texts = [path.read_text() for path in SCENES]
    taken = 0
    for _ in range(250):
        text = spoilt(rng.choice(texts), rng)
        nodes = quickly(text)
        if nodes is None:
            continue
        taken += 1
        try:
            assert list(map(tree, nodes)) == list(map(tree, slowly(text)))
        except YAMLError as error:
            raise AssertionError(f"taken by one of the two only: {text!r}") from error
    assert taken > 20


def test_a_text_of_nothing_but_brackets_breaks_no_parser() -> None:
    for text in ("[" * 1_500, "[" * 100_000, "- " * 5_000, "{a: " * 1_500):
        assert read(text)[1]
