"""The summary that `demo`, `simulate`, `serve` and `replay` write: one form, fields may be added."""

from pathlib import Path
from typing import Any

import msgspec

from runtime.outputs import writing

VERSION = 1


def summary(
    status: dict[str, Any], *, seconds: float, cases: int, lost: int | None, doubled: int | None, **more: object
) -> dict[str, Any]:
    """The summary of a pipeline's last status.

    Args:
        status: What the pipeline's `/status` said last.
        seconds: How long it ran.
        cases: Cases at the dispatch core.
        lost: Readings that were sent and are not in the journal; None where nobody can know.
        doubled: Readings that are there twice; None where nobody can know.
        more: Further fields.
    """
    return {
        "version": VERSION,
        "seconds": round(seconds, 3),
        "readings": status.get("readings", 0),
        "rejected": status.get("rejected", {}),
        "decisions": status.get("decisions", 0),
        "alerts": status.get("alerts", 0),
        "cases": cases,
        "lost": lost,
        "doubled": doubled,
        "latency_ms": status.get("latency_ms", {}),
        **more,
    }


def write_json(path: Path, content: object) -> None:
    """Write JSON for programs, readable for people.

    Raises:
        UnavailableError: If it cannot be written.
    """
    with writing(path):
        path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
