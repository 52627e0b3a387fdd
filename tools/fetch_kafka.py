"""Fetches the jars that a list names from a Maven repository: `python3 tools/fetch_kafka.py JARS FOLDER`.

Needs Python alone. A line of the list is a SHA-256 and a path in the repository.
MAVEN_REPOSITORY names another repository than Maven Central.
"""

import hashlib
import http.client
import os
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_REPOSITORY = "https://repo.maven.apache.org/maven2"
_AT_ONCE = 8
_WAIT_S = 60
_TRIES = 3


def fetch(path: str, digest: str, folder: Path) -> None:
    """One jar into the folder, unless it is there and whole.

    Raises:
        OSError: If it cannot be had.
        ValueError: If it is another one than it was.
    """
    target = folder / path.rpartition("/")[2]
    if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == digest:
        return
    content = _content(f"{os.environ.get('MAVEN_REPOSITORY', _REPOSITORY).rstrip('/')}/{path}")
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} is not the file that jars.txt names")
    partial = target.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(target)


def _content(url: str) -> bytes:
    for left in reversed(range(_TRIES)):
        try:
            with urllib.request.urlopen(url, timeout=_WAIT_S) as answer:  # noqa: S310 - the repository is ours to name
                return bytes(answer.read())
        except (OSError, http.client.HTTPException):  # the latter: it ended too early
            if not left:
                raise
    raise AssertionError


def main(arguments: list[str]) -> int:
    """All jars and nothing else; one line and 1 if one is missing."""
    rows = [line.split() for line in Path(arguments[0]).read_text(encoding="ascii").splitlines()]
    folder = Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = [pool.submit(fetch, path, digest, folder) for digest, path in rows]
        problems = [error for one in waiting if (error := one.exception()) is not None]
    if problems:
        count = f"{len(problems)} of {len(rows)} jars cannot be had"
        sys.stderr.write(f"kafka: {count} ({problems[0]}); is there a network?\n")
        return 1
    named = {path.rpartition("/")[2] for _, path in rows}
    for file in folder.iterdir():
        if file.name not in named:  # of another version, or cut short: everything in the folder is run
            file.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
