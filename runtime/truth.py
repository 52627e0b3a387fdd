"""What really happened in a simulated run, as the simulator wrote it down: `truth.json`, read and checked."""

from pathlib import Path
from typing import Annotated

import msgspec

from core.clock import parse_rfc3339
from core.errors import ConfigError
from core.severity import Severity

VERSION = 1


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One device that an incident reaches: when, and how bad it gets there."""

    device: str
    metric: str
    begin: Annotated[str, msgspec.Meta(description="First moment beyond the mildest limit.")] = msgspec.field(
        name="from"
    )
    end: str = msgspec.field(name="to")
    severity: str = Severity.CRITICAL.word


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person has to know of, with the scenes that are there to find it."""

    id: str
    kind: str
    scenes: list[str]
    severity: str
    place: str = ""
    town: str = ""
    start: str
    peak: str | None = None
    end: str
    devices: list[Seen]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A sensor or a gateway that did not do what it should; `scenes` ought to notice, none where nobody has to."""

    id: str
    kind: str
    device: str | None = None
    gateway: str | None = None
    start: str
    end: str
    scenes: list[str] = []


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator knows that it sent; `readings` are distinct ones."""

    messages: int = 0
    readings: int = 0
    duplicates: int = 0


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """A run with everything that was made to happen in it."""

    version: int
    seed: int
    begin: str
    end: str
    sensors: int = 0
    cameras: int = 0
    sent: Sent = Sent()
    incidents: list[Incident] = []
    faults: list[Fault] = []


def load_truth(path: Path) -> Truth:
    """The truth in a file.

    Raises:
        ConfigError: If it cannot be read, is of another version, or a time, span or severity in it is wrong: all of
            these, a line each.
    """
    try:
        truth = msgspec.json.decode(path.read_bytes(), type=Truth)
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


def _problems(truth: Truth) -> list[str]:
    spans = [("the run", truth.begin, truth.end)]
    spans += [(f"incident {i.id}", i.start, i.end) for i in truth.incidents]
    spans += [(f"incident {i.id}, device {s.device}", s.begin, s.end) for i in truth.incidents for s in i.devices]
    spans += [(f"fault {f.id}", f.start, f.end) for f in truth.faults]
    words = {severity.word for severity in Severity}
    found = [problem for what, begin, end in spans for problem in _span_problems(what, begin, end)]
    found += [f"incident {i.id}: no scene is to find it" for i in truth.incidents if not i.scenes]
    found += [f"incident {i.id}: severity {i.severity!r}" for i in truth.incidents if i.severity not in words]
    return found


def _span_problems(what: str, begin: str, end: str) -> list[str]:
    try:
        ends_early = parse_rfc3339(end) < parse_rfc3339(begin)
    except ValueError as error:
        return [f"{what}: {error}"]
    return [f"{what}: ends at {end}, before it begins at {begin}"] if ends_early else []
