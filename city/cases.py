"""The case catalogue from its folder: `catalogue.yaml` and a file for each major; every mistake with its line."""

import datetime as dt
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from city.case_form import HeadRow, Known, LeafRow, MajorRow, Rules, SubRow, Title, fill
from city.catalogue import load_catalogue, shipped
from city.leaf import (
    Basis,
    CaseCatalogue,
    Leaf,
    Limit,
    LimitUnit,
    Major,
    Role,
    SourceStatus,
    Sub,
    Tier,
    Urgency,
    normalised,
)
from city.marked import Marked, Mistake, Place, read_marked
from core.errors import ConfigError

HEAD = "catalogue.yaml"
VIDEO_SCENES = tuple(f"V{number:02}" for number in range(1, 17))
"""The video scenes that raise cases by themselves; a 17th slot is for detectors of the operator's own."""

MOST_WORKING_DAYS = 15
"""The city's limit for a case that it hands down."""


def load_cases(path: Path | None = None, extra_types: Iterable[str] = ()) -> CaseCatalogue:
    """The case catalogue.

    Args:
        path: Its folder; None for the shipped one, which is read once in a process.
        extra_types: Ids that a leaf's `sensors` may name beside the shipped device types and the video scenes.

    Raises:
        ConfigError: With every mistake in the folder, a line each.
    """
    if path is None:
        return _shipped_cases(frozenset(extra_types).difference(load_catalogue()))
    return _right_cases(path, extra_types)


@functools.cache
def _shipped_cases(extra_types: frozenset[str]) -> CaseCatalogue:
    return _right_cases(None, extra_types)


def _right_cases(path: Path | None, extra_types: Iterable[str]) -> CaseCatalogue:
    catalogue, mistakes = check_cases(path, extra_types)
    if catalogue is None:
        raise ConfigError("\n".join(map(str, mistakes)))
    return catalogue


def cases_when_asked(path: Path | None = None, extra_types: Iterable[str] = ()) -> Callable[[], CaseCatalogue]:
    """What gives the case catalogue, and reads it when it is first asked; see `load_cases`."""
    return functools.cache(functools.partial(load_cases, path, tuple(extra_types)))


def check_cases(
    path: Path | None = None, extra_types: Iterable[str] = ()
) -> tuple[CaseCatalogue | None, list[Mistake]]:
    """The case catalogue, or None and every mistake in its folder, by file and line; see `load_cases`."""
    folder = path or shipped("data") / "cases"
    sensors = frozenset((*load_catalogue(), *extra_types, *VIDEO_SCENES))
    reader = _Reader(sensors)
    head = reader.head(folder / HEAD)
    files = sorted(file for file in folder.glob("*.yaml") if file.name != HEAD)
    majors = [major for major in map(reader.major, files) if major is not None]
    if not files:
        reader.mistakes.append(Mistake(folder / HEAD, 1, "no file of a major stands beside it, like 01-compounds.yaml"))
    if head is None or reader.mistakes:
        return None, sorted(set(reader.mistakes))
    return _catalogue(head, majors), []


def _catalogue(head: HeadRow, majors: list[Major]) -> CaseCatalogue:
    return CaseCatalogue(
        version=head.version,
        statement_en=head.statement.en,
        statement_zh=head.statement.zh,
        valid_from=head.valid.from_,
        roles={name: Role(name, title.zh, title.en) for name, title in head.roles.items()},
        bases={name: Basis(name, basis.text, basis.verified) for name, basis in head.bases.items()},
        majors=tuple(sorted(majors, key=lambda major: major.code)),
    )


@dataclass(slots=True)
class _Names:
    """Names that may stand only once, with where they stood first."""

    seen: dict[tuple[str, str], str] = field(default_factory=dict)

    def first(self, scope: str, name: str, code: str) -> str | None:
        """The code that has the name within `scope` already; None and kept if there is none."""
        had = self.seen.setdefault((scope, normalised(name)), code)
        return None if had is code else had


class _Reader:
    """Reads the files one after another; `mistakes` fills up."""

    def __init__(self, sensors: frozenset[str]) -> None:
        self._known = Known(sensors=sensors)
        self._names = _Names()
        self._codes: dict[str, str] = {}
        self.mistakes: list[Mistake] = []

    def head(self, path: Path) -> HeadRow | None:
        """The head; what rows may name is known from then on."""
        marked, self.mistakes[:] = read_marked(path)
        if marked is None:
            return None
        head, found = fill(HeadRow, marked, (), self._known)
        self.mistakes += found
        plain = marked.plain if isinstance(marked.plain, dict) else {}
        roles, bases = (plain.get(key) for key in ("roles", "bases"))
        self._known = self._known._replace(
            roles=frozenset(roles) if isinstance(roles, dict) else None,
            bases=frozenset(bases) if isinstance(bases, dict) else None,
        )
        return head

    def major(self, path: Path) -> Major | None:
        """One file."""
        marked, found = read_marked(path)
        self.mistakes += found
        if marked is None:
            return None
        row, found = fill(MajorRow, marked, (), self._known)
        self.mistakes += found
        plain = marked.plain if isinstance(marked.plain, dict) else {}
        code = str(plain.get("major"))
        if row is not None:
            if not path.name.startswith(f"{code}-"):
                self._add(marked, ("major",), f"the file of major {code} is named {code}-....yaml, not {path.name}")
            self._once(marked, ("major",), code, row.title, "major", "")
        listed = plain.get("subs")
        places = range(len(listed)) if isinstance(listed, list) else ()
        subs = [self._sub(marked, ("subs", i), code) for i in places]
        if row is None:
            return None
        kept = tuple(sorted((sub for sub in subs if sub is not None), key=lambda sub: sub.code))
        return Major(code, row.title.zh, row.title.en, row.basis, kept)

    def _sub(self, marked: Marked, place: Place, major: str) -> Sub | None:
        row, found = fill(SubRow, marked, place, self._known)
        self.mistakes += found
        plain = _at(marked, place)
        code = f"{major}-{plain.get('sub')}"
        if row is not None:
            self._once(marked, (*place, "sub"), code, row.title, "sub", major)
            self._aliases(marked, (*place, "aliases"), row.aliases, row.title)
        listed = plain.get("leaves")
        places = range(len(listed)) if isinstance(listed, list) else ()
        leaves = [self._leaf(marked, (*place, "leaves", i), code, row) for i in places]
        if row is None:
            return None
        kept = tuple(sorted((leaf for leaf in leaves if leaf is not None), key=lambda leaf: leaf.code))
        return Sub(code, row.title.zh, row.title.en, tuple(row.aliases), kept)

    def _leaf(self, marked: Marked, place: Place, sub: str, above: SubRow | None) -> Leaf | None:
        row, found = fill(LeafRow, marked, place, self._known)
        self.mistakes += found
        if row is None:
            return None
        code = f"{sub}-{row.leaf}"
        title = Title(zh=row.zh, en=row.en)
        self._once(marked, (*place, "leaf"), code, title, "leaf", sub)
        self._aliases(marked, (*place, "aliases"), row.aliases, title)
        return None if above is None else self._made(marked, place, code, row, above)

    def _made(self, marked: Marked, place: Place, code: str, row: LeafRow, above: SubRow) -> Leaf | None:
        """The leaf with what it takes over from its sub; None if something is missing or does not go together."""
        said = {key: getattr(row if getattr(row, key) is not None else above, key) for key in Rules.model_fields}
        missing = [key for key in ("source", "lead", "tier", "urgency", "limit") if said[key] is None]
        for key in missing:
            self._add(marked, place, f"leaf {code}: neither it nor its sub has `{key}`")
        if missing:
            return None
        problems = _problems(said)
        for message in problems:
            self._add(marked, place, f"leaf {code}: {message}")
        return None if problems else _leaf(code, row, said)

    def _once(self, marked: Marked, place: Place, code: str, title: Title, kind: str, parent: str) -> None:
        """Codes and names that others have already."""
        at = f"{marked.path.name}:{marked.line(place)}"
        first = self._codes.setdefault(code, at)
        if first is not at:
            self._add(marked, place, f"{kind} {code} stands twice, first in {first}")
            return
        scope = f"{kind} of {parent}"
        for name in (title.zh, title.en):
            had = self._names.first(scope, name, code)
            if had is not None:
                self._add(marked, place, f"{kind} {code} has the name {name!r} of {had}: say what is different")
                return
        had = self._names.first("leaf zh", title.zh, code) if kind == "leaf" else None
        if had is not None:
            self._add(marked, place, f"leaf {code} has the name {title.zh!r} of {had}: put the object into the name")

    def _aliases(self, marked: Marked, place: Place, aliases: list[str], title: Title) -> None:
        own = {normalised(title.zh), normalised(title.en)}
        for alias in aliases:
            if normalised(alias) in own:
                self._add(marked, place, f"the alias {alias!r} is the name itself: take it away")

    def _add(self, marked: Marked, place: Place, message: str) -> None:
        self.mistakes.append(marked.mistake(place, message))


def _at(marked: Marked, place: Place) -> dict[str, Any]:
    plain: Any = marked.plain
    for step in place:
        plain = plain[step]
    return plain if isinstance(plain, dict) else {}


def _problems(said: dict[str, Any]) -> list[str]:
    """What does not go together in a leaf."""
    found = []
    limit, urgency = Limit.parse(said["limit"]), Urgency(said["urgency"])
    if said["lead"] in (said["assist"] or ()):
        found.append(f"{said['lead']} leads and cannot assist as well")
    if urgency is Urgency.EMERGENCY and limit.unit is not LimitUnit.HOURS:
        found.append(f"an emergency is limited in hours round the clock, like 2h, not {limit}")
    if urgency is Urgency.URGENT and limit.unit is LimitUnit.WORKING_DAYS:
        found.append(f"what is urgent is limited in hours, like 24h or 8wh, not {limit}")
    if limit.unit is LimitUnit.WORKING_DAYS and limit.value > MOST_WORKING_DAYS:
        found.append(f"the limit {limit} is over the city's {MOST_WORKING_DAYS} working days")
    days = said["valid"]
    if days is not None and days.from_ and days.to and days.to < days.from_:
        found.append(f"it ends on {days.to}, before it begins on {days.from_}")
    return found


def _leaf(code: str, row: LeafRow, said: dict[str, Any]) -> Leaf:
    days: Any = said["valid"]
    first: dt.date | None = days.from_ if days else None
    return Leaf(
        code=code,
        zh=row.zh,
        en=row.en,
        aliases=tuple(row.aliases),
        source=said["source"],
        source_status=SourceStatus(said["source_status"] or SourceStatus.MODELLED),
        lead=said["lead"],
        assist=tuple(said["assist"] or ()),
        tier=Tier(said["tier"]),
        urgency=Urgency(said["urgency"]),
        limit=Limit.parse(said["limit"]),
        safety_env=bool(said["safety_env"]),
        evidence=1 if said["evidence"] is None else said["evidence"],
        sensors=tuple(said["sensors"] or ()),
        return_to_city=bool(said["return_to_city"]),
        joint_duty=bool(said["joint_duty"]),
        valid_from=first,
        valid_to=days.to if days else None,
    )
