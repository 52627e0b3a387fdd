"""The case catalogue: majors, subs and leaves, as frozen types that are looked up by code, name or sensor."""

import datetime as dt
import enum
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

LEAF = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
"""The form of a leaf's code: major, sub, leaf."""
_LIMIT = re.compile(r"([1-9][0-9]{0,3})(h|wh|wd)", re.ASCII)


class LimitUnit(enum.StrEnum):
    """What a limit is counted in."""

    HOURS = "h"
    """Hours round the clock."""
    WORKING_HOURS = "wh"
    """Hours of working days."""
    WORKING_DAYS = "wd"
    """Working days."""


class Tier(enum.StrEnum):
    """Who takes a case of the leaf in the first place."""

    DISPOSAL = "disposal"
    """A disposal grid of the town 处置网格: it needs police, urban management or market regulation powers."""
    SELF = "self"
    """A self-governance grid 自治网格: no enforcement power is needed."""
    DEPARTMENT = "department"
    """A district department 委办局."""


class Urgency(enum.StrEnum):
    """How soon somebody has to be there; the first two are limited in hours."""

    EMERGENCY = "emergency"
    """Life or limb: hours round the clock."""
    URGENT = "urgent"
    """It gets worse while it waits: hours."""
    NORMAL = "normal"
    """The ordinary limit in working days."""


class SourceStatus(enum.StrEnum):
    """How near a leaf is to its source."""

    VERIFIED = "verified"
    """Somebody has read it there."""
    MODELLED = "modelled"
    """Written after the source's kind of entry; the entry itself was not read."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a case of a leaf may take as a whole."""

    value: int
    unit: LimitUnit

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """A limit as it is written: `2h`, `8wh`, `5wd`.

        Raises:
            ValueError: If it is written in another way.
        """
        found = _LIMIT.fullmatch(text)
        if found is None:
            raise ValueError(
                f"{text!r} is no limit: write hours like 24h, working hours like 8wh, working days like 5wd"
            )
        return cls(int(found[1]), LimitUnit(found[2]))

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.value}{self.unit}"


@dataclass(frozen=True, slots=True)
class Role:
    """Who can lead or assist."""

    id: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What the entries of the catalogue are modelled on; `verified`: somebody has read it."""

    id: str
    text: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """The finest class of cases: an object or act with one fault, and what follows for whoever handles it.

    `code` is `MM-SS-LL`. `sensors`: device types and video scenes that may raise it by themselves. `evidence`: photos
    needed. `valid_from` and `valid_to`: first and last day, None without an end on that side.
    """

    code: str
    zh: str
    en: str
    aliases: tuple[str, ...]
    source: str
    source_status: SourceStatus
    lead: str
    assist: tuple[str, ...]
    tier: Tier
    urgency: Urgency
    limit: Limit
    safety_env: bool
    evidence: int
    sensors: tuple[str, ...]
    return_to_city: bool
    joint_duty: bool
    valid_from: dt.date | None
    valid_to: dt.date | None

    @property
    def sub(self) -> str:
        """The code of its sub."""
        return self.code[:5]

    @property
    def major(self) -> str:
        """The code of its major."""
        return self.code[:2]

    def in_force(self, day: dt.date) -> bool:
        """Whether cases of `day` may be filed under it."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Sub:
    """Leaves of one object or act; `code` is `MM-SS`."""

    code: str
    zh: str
    en: str
    aliases: tuple[str, ...]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Major:
    """Subs of one field of work; `code` is `MM`, `basis` what it is modelled on."""

    code: str
    zh: str
    en: str
    basis: str
    subs: tuple[Sub, ...]


Entry = Major | Sub | Leaf


@dataclass(frozen=True)
class CaseCatalogue:
    """Every class of cases, with the roles and bases that they name. It never changes: a new version is a new one."""

    version: str
    statement_en: str
    statement_zh: str
    valid_from: dt.date
    roles: Mapping[str, Role]
    bases: Mapping[str, Basis]
    majors: tuple[Major, ...]

    @cached_property
    def leaves(self) -> Mapping[str, Leaf]:
        """Every leaf by its code, in the order of codes."""
        return MappingProxyType({leaf.code: leaf for m in self.majors for sub in m.subs for leaf in sub.leaves})

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """Majors, subs and leaves by code, each before what belongs to it."""
        return MappingProxyType({entry.code: entry for entry in self._walk()})

    def in_force(self, day: dt.date) -> tuple[Leaf, ...]:
        """The leaves under which cases of `day` may be filed."""
        return tuple(leaf for leaf in self.leaves.values() if leaf.in_force(day))

    def raised_by(self, sensor: str) -> tuple[Leaf, ...]:
        """The leaves that a device type (`manhole-cover`) or a video scene (`V05`) may raise by itself."""
        return tuple(leaf for leaf in self.leaves.values() if sensor in leaf.sensors)

    @cached_property
    def joint_duty(self) -> tuple[Leaf, ...]:
        """The leaves of the joint-duty list 联勤联动处置事项清单."""
        return tuple(leaf for leaf in self.leaves.values() if leaf.joint_duty)

    def near(self, code: str) -> tuple[Leaf, ...]:
        """The leaves whose code is `code` but for one slip, those of its sub first, then those of its major.

        A slip is one wrong digit, or two digits that have changed places.
        """
        found = [leaf for leaf in self.leaves.values() if _is_slip(leaf.code, code)]
        return tuple(sorted(found, key=lambda leaf: (leaf.sub != code[:5], leaf.major != code[:2], leaf.code)))

    def search(self, text: str) -> tuple[Entry, ...]:
        """What `text` is the code of, with all that belongs to it, or else what has `text` in a name or an alias.

        Case, spaces and punctuation do not count. Of several words, all have to be there.
        """
        if text in self.entries:
            return tuple(entry for entry in self.entries.values() if entry.code.startswith(text))
        words = [word for word in map(normalised, text.split()) if word]
        return tuple(e for e in self.entries.values() if words and _has(e, words))

    def _walk(self) -> Iterator[Entry]:
        for major in self.majors:
            yield major
            for sub in major.subs:
                yield sub
                yield from sub.leaves


def normalised(name: str) -> str:
    """A name without case, width, spaces and punctuation: what two names have to differ in."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if sign.isalnum())


def _has(entry: Entry, words: list[str]) -> bool:
    aliases = () if isinstance(entry, Major) else entry.aliases
    names = [normalised(name) for name in (entry.zh, entry.en, *aliases)]
    return all(any(word in name for name in names) for word in words)


def _is_slip(one: str, other: str) -> bool:
    if len(one) != len(other):
        return False
    apart = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    return len(apart) == 1 or (len(apart) == 2 and apart[0] == apart[1][::-1])
