"""The form of the case catalogue's files: what a row may hold, checked by pydantic, told in plain words."""

import datetime as dt
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from city.leaf import Limit, SourceStatus, Tier, Urgency
from city.marked import Marked, Mistake, Place


class Known(NamedTuple):
    """What names in rows may refer to; None where it could not be read, so that nothing is said of them."""

    roles: frozenset[str] | None = None
    bases: frozenset[str] | None = None
    sensors: frozenset[str] | None = None


def _known(value: str, info: ValidationInfo, kind: str, what: str) -> str:
    names: frozenset[str] | None = getattr(info.context, kind, None)
    if names is not None and value not in names:
        raise PydanticCustomError("unknown", "{text}", {"text": f"there is no {what} {value!r}{meant(value, names)}"})
    return value


def _role(value: str, info: ValidationInfo) -> str:
    return _known(value, info, "roles", "role")


def _basis(value: str, info: ValidationInfo) -> str:
    return _known(value, info, "bases", "basis")


def _sensor(value: str, info: ValidationInfo) -> str:
    return _known(value, info, "sensors", "device type or video scene")


def _limit(value: str) -> str:
    try:
        Limit.parse(value)
    except ValueError as error:
        raise PydanticCustomError("limit", "{text}", {"text": str(error)}) from error
    return value


def _apart(value: list[str]) -> list[str]:
    twice = [name for i, name in enumerate(value) if name in value[:i]]
    if twice:
        raise PydanticCustomError("twice", "{text}", {"text": f"{twice[0]!r} stands twice"})
    return value


_Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\S(.*\S)?$")]
_Number = Annotated[str, Field(pattern=r"^(0[1-9]|[1-9][0-9])$")]
_Role = Annotated[str, AfterValidator(_role)]
_Basis = Annotated[str, AfterValidator(_basis)]
_Limit = Annotated[str, AfterValidator(_limit)]
_Day = Annotated[dt.date, Field(strict=True)]
_T = TypeVar("_T")
_Apart = Annotated[list[_T], AfterValidator(_apart)]
_Word = Annotated[_T, Field(strict=False)]
"""One of an enum's words."""


class Row(BaseModel):
    """A part of a file: no key but its own, no value of another kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Title(Row):
    """A name in both languages."""

    zh: _Name
    en: _Name


class Text(Row):
    """A sentence in both languages."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class Span(Row):
    """First and last day; without an end where one is left out."""

    from_: Annotated[_Day | None, Field(alias="from")] = None
    to: _Day | None = None


class Start(Row):
    """The first day."""

    from_: Annotated[_Day, Field(alias="from")]


class BasisRow(Row):
    """A public classification."""

    text: Annotated[str, Field(min_length=1)]
    verified: bool


class HeadRow(Row):
    """`catalogue.yaml`."""

    version: _Name
    statement: Text
    valid: Start
    roles: Annotated[dict[str, Title], Field(min_length=1)]
    bases: Annotated[dict[str, BasisRow], Field(min_length=1)]


class Rules(Row):
    """What a sub says for all its leaves, and a leaf for itself."""

    source: _Basis | None = None
    source_status: _Word[SourceStatus] | None = None
    lead: _Role | None = None
    assist: _Apart[_Role] | None = None
    tier: _Word[Tier] | None = None
    urgency: _Word[Urgency] | None = None
    limit: _Limit | None = None
    safety_env: bool | None = None
    evidence: Annotated[int, Field(ge=0, le=20)] | None = None
    sensors: _Apart[Annotated[str, AfterValidator(_sensor)]] | None = None
    return_to_city: bool | None = None
    joint_duty: bool | None = None
    valid: Span | None = None


class LeafRow(Rules):
    """One leaf."""

    leaf: _Number
    zh: _Name
    en: _Name
    aliases: _Apart[_Name] = []


class SubRow(Rules):
    """One sub; its leaves are looked at one by one."""

    sub: _Number
    title: Title
    aliases: _Apart[_Name] = []
    leaves: Annotated[list[Any], Field(min_length=1)]


class MajorRow(Row):
    """A major's file; its subs are looked at one by one."""

    major: _Number
    title: Title
    basis: _Basis
    subs: Annotated[list[Any], Field(min_length=1)]


_R = TypeVar("_R", bound=Row)


def fill(model: type[_R], marked: Marked, place: Place, known: Known) -> tuple[_R | None, list[Mistake]]:
    """The row of a file at `place`, or None and everything that is wrong in it."""
    plain: Any = marked.plain
    for step in place:
        plain = plain[step]
    try:
        return model.model_validate(plain, context=known), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    return None, [marked.mistake((*place, *one["loc"]), _said(one, model)) for one in details]


def meant(word: str, words: Iterable[str]) -> str:
    """` (did you mean ...?)`, empty if none of `words` is near."""
    found = difflib.get_close_matches(word, sorted(words), n=1, cutoff=0.6)
    return f" (did you mean {found[0]}?)" if found else ""


_KINDS = {
    "string_type": "text is needed: put it in quotes",
    "bool_type": "write true or false",
    "int_type": "a whole number is needed",
    "date_type": "a day is needed, like 2026-01-01, without quotes",
    "list_type": "a list is needed: write [a, b]",
    "dict_type": "keys with values are needed",
    "model_type": "keys with values are needed",
    "too_short": "at least one is needed",
    "string_too_short": "it is empty",
    "string_too_long": "it has over {max_length} characters",
    "enum": "{input} is not one of {expected}",
    "greater_than_equal": "{input} is too small: at least {ge}",
    "less_than_equal": "{input} is too large: at most {le}",
}


def _said(detail: Mapping[str, Any], model: type[Row]) -> str:
    """One of pydantic's error details in plain words."""
    kind, where = str(detail["type"]), [step for step in detail["loc"] if isinstance(step, str)]
    name = where[-1] if where else ""
    if kind == "extra_forbidden":
        return f"unknown key `{name}`{meant(name, _keys(model))}"
    if kind == "missing":
        return f"`{name}` is missing"
    if kind == "string_pattern_mismatch":
        ours = name in {"leaf", "sub", "major"}
        cure = 'a number is two digits in quotes, like "01"' if ours else "no blanks around a name"
        return f"`{name}`: {detail['input']!r} does not fit: {cure}"
    if detail["input"] is None and kind not in _KINDS:
        return f"`{name}` has no value: write one or take it away"
    text = _KINDS.get(kind, str(detail["msg"]))
    values = {"input": repr(detail["input"]), **(detail.get("ctx") or {})}
    told = text.format_map(values) if kind in _KINDS else text
    return f"`{name}`: {told}" if name else told


def _keys(model: type[Row]) -> Iterator[str]:
    for part in (model, Title, Span, BasisRow):
        for key, field in part.model_fields.items():
            yield str(field.alias or key)
