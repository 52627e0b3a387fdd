"""Checks that what the documents name is there: links, paths, commands, make targets, HTTP addresses, configuration.

Run as `python tools/check_docs.py`; prints one line a mistake and ends with status 1 if there is one.
"""

import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from runtime.config import Config
from runtime.main import app

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`([\w.-]+(?:/[\w.*-]+)+/?)`")
_KEY = re.compile(r"`([a-z_]+)\.([a-z_0-9]+)`")
_CALL = re.compile(r"`((?:scenewatch|make) [^`]*)`")
_LINE = re.compile(r"^ *(?:\$ )?((?:scenewatch|make) (?:\\\n|[^\n])*)", re.MULTILINE)
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
_MODULE = re.compile(r"python3? -m ([a-z_]+)((?:\.[a-z_]+)*)")
_TARGET = re.compile(r"^([a-z0-9]+):", re.MULTILINE)
_ADDRESS = re.compile(r"/api/v1/[A-Za-z0-9_{}/.-]+")
_BUILT = (".venv", ".tools", "out", "build", "dist")
_OUTSIDE = ("http://", "https://", "mailto:")

Named = tuple[str, int]
"""What a document names, and its line from 1."""


def documents(root: Path) -> Iterator[Path]:
    """Every document of the project under `root`."""
    yield from sorted(root.glob("*.md"))
    yield from sorted((root / "docs").rglob("*.md"))


def broken(document: Path, root: Path) -> Iterator[str]:
    """A line for everything that `document` names and that is not there.

    Paths in backticks count where their first folder is one of the project's: `sw/v1/...` is a topic, not a file.
    """
    text = document.read_text(encoding="utf-8")
    for target, line in _found(_LINK, text):
        path, _, part = target.partition("#")
        there = document.parent / path if path else document
        if target.startswith(_OUTSIDE):
            continue
        if not there.exists():
            yield f"{document.relative_to(root)}:{line}: the link {target} leads nowhere"
        elif part and there.suffix == ".md" and part not in _anchors(there):
            yield f"{document.relative_to(root)}:{line}: {path or 'this page'} has no heading for #{part}"
    for target, line in _found(_PATH, text):
        first = target.split("/")[0]
        if first not in _BUILT and (root / first).is_dir() and not _is_there(root, target):
            yield f"{document.relative_to(root)}:{line}: there is no {target}"
    for wrong, line in (*_wrong_calls(text, root), *_wrong_addresses(text, root), *_wrong_keys(text, root)):
        yield f"{document.relative_to(root)}:{line}: {wrong}"


def _found(pattern: re.Pattern[str], text: str) -> Iterator[Named]:
    """What `pattern` finds outside code blocks."""
    blank = _FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)
    for match in pattern.finditer(blank):
        yield match.group(1), blank.count("\n", 0, match.start()) + 1


def _is_there(root: Path, target: str) -> bool:
    return any(root.glob(target.rstrip("/"))) if "*" in target else (root / target).exists()


@cache
def _anchors(document: Path) -> frozenset[str]:
    """What can stand behind # in a link to a document: its headings, as GitHub writes them."""
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)]
    seen: Counter[str] = Counter()
    found = set()
    for slug in slugs:
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)


def _wrong_calls(text: str, root: Path) -> Iterator[Named]:
    """Commands, options, make targets and modules that are not there."""
    targets = set(_TARGET.findall((root / "Makefile").read_text())) if (root / "Makefile").exists() else None
    for call, line in _calls(text):
        program, *words = call.replace("\\|", "|").replace("[", " ").replace("]", " ").split()
        if program == "scenewatch":
            wrong = _wrong_in(get_command(app), "scenewatch", words)
        else:
            wrong = next((f"make has no target {one}" for one in words[:1] if targets and one not in targets), None)
        if wrong is not None:
            yield wrong, line
    for match in _MODULE.finditer(text):
        path = root / match[1] / match[2].strip(".").replace(".", "/")
        if (root / match[1]).is_dir() and not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
            yield f"there is no module {match[1]}{match[2]}", text.count("\n", 0, match.start()) + 1


def _calls(text: str) -> Iterator[Named]:
    """Calls of `scenewatch` and `make`, in backticks and as lines of code blocks."""
    yield from _found(_CALL, text)
    for block in _FENCE.finditer(text):
        for match in _LINE.finditer(block[3]):
            call = re.split(r" #| [|>] | && ", match[1].replace("\\\n", " "))[0]
            yield call, text.count("\n", 0, block.start(3) + match.start()) + 1


def _wrong_in(command: Any, path: str, words: list[str]) -> str | None:
    """What is wrong with the words behind a command, None if nothing is: a name that is not there, or an option."""
    for place, word in enumerate(words):
        inner = getattr(command, "commands", None)
        if word.startswith("-") and word.strip("-"):
            option = word.rstrip(",;").partition("=")[0]
            known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
            if option not in known:
                return f"{path} has no option {option}"
        elif inner is not None and word.replace("|", "").isalpha() and word.islower():
            for name in word.split("|"):
                if name not in inner:
                    return f"{path} has no command {name}"
            if "|" in word:
                return None
            return _wrong_in(inner[word], f"{path} {word}", words[place + 1 :])
        elif inner is not None:
            return None
    return None


def _wrong_addresses(text: str, root: Path) -> Iterator[Named]:
    """Addresses that the HTTP interface does not have, where it is described."""
    described = root / "schema" / "openapi.json"
    if not described.exists():
        return
    paths = json.loads(described.read_bytes())["paths"]
    known = [re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))) for path in paths]
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip("./")
        if not any(one.fullmatch(address) for one in known):
            yield f"the interface has no address {address}", text.count("\n", 0, match.start()) + 1


def _wrong_keys(text: str, root: Path) -> Iterator[Named]:
    """Keys of the configuration that it does not have, as `section.key` and in blocks of TOML."""
    sections = {name: getattr(field.annotation, "model_fields", {}) for name, field in Config.model_fields.items()}
    blank = _FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)
    for match in _KEY.finditer(blank):
        section, key = match[1], match[2]
        if section in sections and key not in sections[section] and not list((root / section).glob(f"{key}*")):
            yield f"the configuration has no key {section}.{key}", blank.count("\n", 0, match.start()) + 1
    for block in _FENCE.finditer(text):
        if block[2] == "toml":
            given = tomllib.loads(block[3])
            line = text.count("\n", 0, block.start()) + 1
            for section, keys in given.items():
                for key in keys:
                    if key not in sections.get(section, {}):
                        yield f"the configuration has no key {section}.{key}", line


def main() -> int:
    """Check all documents; 1 if something is broken."""
    count = 0
    for document in documents(ROOT):
        for line in broken(document, ROOT):
            count += 1
            sys.stderr.write(line + "\n")
    return 1 if count else 0


if __name__ == "__main__":
    raise SystemExit(main())
