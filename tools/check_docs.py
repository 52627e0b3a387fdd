"""Checks that every relative link and every path in backticks in the documents leads to something.

Run as `python tools/check_docs.py`; prints one line a mistake and ends with status 1 if there is one.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`([\w.-]+(?:/[\w.*-]+)+/?)`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_BUILT = (".venv", ".tools", "out", "build", "dist")
_OUTSIDE = ("http://", "https://", "mailto:")


def documents(root: Path) -> Iterator[Path]:
    """Every document of the project under `root`."""
    yield from sorted(root.glob("*.md"))
    yield from sorted((root / "docs").rglob("*.md"))


def broken(document: Path, root: Path) -> Iterator[str]:
    """A line for every link and path in `document` that leads nowhere.

    Paths in backticks count where their first folder is one of the project's: `sw/v1/...` is a topic, not a file.
    """
    text = document.read_text(encoding="utf-8")
    for target, line in _found(_LINK, text):
        path = target.split("#")[0]
        if path and not target.startswith(_OUTSIDE) and not (document.parent / path).exists():
            yield f"{document.relative_to(root)}:{line}: the link {target} leads nowhere"
    for target, line in _found(_PATH, text):
        first = target.split("/")[0]
        if first not in _BUILT and (root / first).is_dir() and not _is_there(root, target):
            yield f"{document.relative_to(root)}:{line}: there is no {target}"


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, int]]:
    """What `pattern` finds outside code blocks, with its line from 1."""
    blank = _FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)
    for match in pattern.finditer(blank):
        yield match.group(1), blank.count("\n", 0, match.start()) + 1


def _is_there(root: Path, target: str) -> bool:
    return any(root.glob(target.rstrip("/"))) if "*" in target else (root / target).exists()


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
