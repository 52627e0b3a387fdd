"""Reading what a simulated run wrote down of itself, checked: `truth.json`."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from core.clock import parse_rfc3339
from core.errors import ConfigError
from core.severity import Severity
from simulators.truth import VERSION, Truth, read_truth


def load_truth(path: Path) -> Truth:
    """The truth in a file.

    Raises:
        ConfigError: If it cannot be read, is of another version, or a time, span or severity in it is wrong: all of
            these, a line each.
    """
    try:
        truth = read_truth(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{path}: no truth file of a simulated run: {error}") from error
    if truth.version != VERSION:
        raise ConfigError(f"{path}: version {truth.version}, this program reads {VERSION}; write it again")
    problems = [f"{path}: {problem}" for problem in _problems(truth)]
    if problems:
        raise ConfigError("\n".join(problems))
    return truth


def _problems(truth: Truth) -> Iterator[str]:
    spans = [("the run", truth.begin, truth.end)]
    spans += [(f"incident {i.id}", i.start, i.end) for i in truth.incidents]
    spans += [(f"incident {i.id}, device {s.device}", s.from_, s.to) for i in truth.incidents for s in i.devices]
    spans += [(f"fault {f.id}", f.start, f.end) for f in truth.faults]
    for what, begin, end in spans:
        yield from _span_problems(what, begin, end)
    words = {severity.word for severity in Severity}
    for incident in truth.incidents:
        if not incident.scenes:
            yield f"incident {incident.id}: no scene is to find it"
        if incident.severity not in words:
            yield f"incident {incident.id}: there is no severity {incident.severity!r}"


def _span_problems(what: str, begin: str, end: str) -> Iterator[str]:
    try:
        ends_early = parse_rfc3339(end) < parse_rfc3339(begin)
    except ValueError as error:
        yield f"{what}: {error}"
        return
    if ends_early:
        yield f"{what}: ends at {end}, before it begins at {begin}"
