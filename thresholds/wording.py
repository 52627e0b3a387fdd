"""What pydantic has to say about a scene, in plain words: which key, what is wrong, the cure."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from thresholds.conditions import CLEAR_KEYS, CONDITIONS, TAG, Change
from thresholds.finding import Code
from thresholds.ladder import Place
from thresholds.level import LevelBase
from thresholds.scene import SceneParts

_CODES = {
    "duration": Code.DURATION,
    "number": Code.NUMBER,
    "interval": Code.NUMBER,
    "clear_side": Code.CLEAR_VALUE,
    "two_conditions": Code.CONDITION,
    "empty_feeds": Code.EMPTY,
    "nothing": Code.EMPTY,
    "text": Code.WRONG_TYPE,
    "wrong_delay": Code.COMBINATION,
    "wrong_window": Code.COMBINATION,
}
"""Codes of the checks of the language itself, whose messages are plain already."""

_KINDS = {
    "string_type": "text is needed here: put it in quotes",
    "bool_type": "write true or false",
    "int_type": "a whole number is needed here",
    "model_type": "keys with values are needed here",
    "model_attributes_type": "keys with values are needed here",
    "tuple_type": "a list is needed here: begin each entry with `-`, or write [a, b]",
    "dict_type": "keys with values are needed here",
    "date_from_datetime_parsing": "a day is needed here, like 2026-01-01",
    "date_from_datetime_inexact": "a day is needed here, like 2026-01-01, without a time",
    "too_short": "at least one is needed here",
}
_FORMS = {
    "scene": "an id is lower-case words and numbers with hyphens, like road-flooding",
    "leaf": "a leaf of the case catalogue is written like 14-01-02",
    "within": "a distance is written like 150m or 1.5km",
}
_MEANT = {
    "over": "above", "gt": "above", "max": "above", "greater_than": "above", "exceeds": "above", "under": "below",
    "lt": "below", "min": "below", "less_than": "below", "between": "inside", "within": "inside", "range": "outside",
    "eq": "equals", "is": "state", "hold": "for", "duration": "for", "delay": "for", "on_delay": "for",
    "off_delay": "clear_for", "id": "scene", "name": "scene", "thresholds": "levels", "level": "severity",
    "limits": "levels", "devices": "device", "sensor": "device", "street": "town", "code": "leaf",
}  # fmt: skip
"""Words of other systems for ours."""


class Said(NamedTuple):
    """One mistake in plain words.

    `at_key`: it is about the key at `place`, not about its value. `lacks`: something is not there that may have been
    taken out before.
    """

    code: Code
    place: Place
    message: str
    hint: str = ""
    at_key: bool = False
    lacks: bool = False


def closest(word: object, words: Iterable[object]) -> str:
    """The one of `words` that was probably meant, empty if none is near."""
    choices = [str(choice) for choice in words]
    if _MEANT.get(str(word)) in choices:
        return _MEANT[str(word)]
    found = difflib.get_close_matches(str(word).lower(), choices, n=1, cutoff=0.6)
    return found[0] if found else ""


def said(detail: Mapping[str, Any]) -> Said:
    """One of pydantic's error details in plain words."""
    kind = str(detail["type"])
    place: Place = tuple(detail["loc"])
    level = None
    if len(place) > 2 and place[0] == "levels":
        level = CONDITIONS[str(place[2]).removeprefix(TAG)]
        place = (*place[:2], *place[3:])
    context = detail.get("ctx") or {}
    if "at" in context:
        place = (*place, str(context["at"]))
    if kind == "extra_forbidden":
        return _unknown(place, level)
    if kind == "missing":
        return Said(Code.MISSING, place, f"`{place[-1]}` is missing", lacks=True)
    if kind == "no_condition":
        return _no_condition(place, detail.get("input"))
    if kind in _CODES:
        return Said(_CODES[kind], place, str(detail["msg"]), lacks=_CODES[kind] is Code.EMPTY)
    return _form(kind, place, detail, context)


def _unknown(place: Place, level: type[LevelBase] | None) -> Said:
    key = str(place[-1])
    if level is not None and key in CONDITIONS:
        message = f"a level holds one condition, this has {level.condition} and {key}: make two levels"
        return Said(Code.CONDITION, place, message, at_key=True)
    if level is not None and key in CLEAR_KEYS:
        cure = level.clears_by or ""
        message = f"`{key}` does not go with {level.condition}" + (
            "" if cure else ", which clears where it does not hold: take it away"
        )
        return Said(Code.CLEAR_VALUE, place, message, cure, at_key=True)
    known = _keys_at(place[:-1], level)
    if key == "clear" and level is not None and level.clears_by:
        return Said(Code.UNKNOWN_KEY, place, "unknown key `clear`", level.clears_by, at_key=True)
    cure = closest(key, known)
    listed = "" if cure else f": there may be {', '.join(known)} here"
    return Said(Code.UNKNOWN_KEY, place, f"unknown key `{key}`{listed}", cure, at_key=True)


def _no_condition(place: Place, level: object) -> Said:
    if not isinstance(level, dict):
        return Said(Code.WRONG_TYPE, place, "a level is keys with values, like {severity: minor, above: 15}")
    for key in level:
        meant = closest(key, CONDITIONS)
        if meant and key not in CLEAR_KEYS and key not in LevelBase.model_fields:
            message = f"unknown key `{key}`, and without it the level has no condition"
            return Said(Code.UNKNOWN_KEY, (*place, key), message, meant, at_key=True)
    message = f"the level has no condition: give one of {', '.join(CONDITIONS)}"
    return Said(Code.CONDITION, place, message, lacks=True)


def _form(kind: str, place: Place, detail: Mapping[str, Any], context: Mapping[str, Any]) -> Said:
    """A value of the wrong kind or form."""
    value, name = detail.get("input"), next((str(step) for step in reversed(place) if isinstance(step, str)), "")
    if kind == "literal_error":
        expected = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        message = f"{name}: {value!r} is not one of {', '.join(expected)}"
        return Said(Code.WRONG_TYPE, place, message, closest(value, expected))
    if kind in ("string_pattern_mismatch", "string_too_long"):
        code = Code.ID if name == "scene" else Code.WRONG_TYPE
        hint = _kebab(str(value)) if code is Code.ID and kind == "string_pattern_mismatch" else ""
        return Said(code, place, f"{value!r} does not fit: {_FORMS.get(name, str(detail['msg']))}", hint)
    if kind == "too_short" and name == "levels":
        return Said(Code.MISSING, place, "a scene needs at least one level", lacks=True)
    text = _KINDS.get(kind, str(detail["msg"])[:1].lower() + str(detail["msg"])[1:])
    return Said(Code.WRONG_TYPE, place, f"{name}: {text}" if name else text, lacks=kind == "too_short")


def _kebab(text: str) -> str:
    words = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower()).split("-")
    return "-".join(word for word in words if word)


def _keys_at(place: Place, level: type[LevelBase] | None) -> list[str]:
    """Keys that the language has at a place."""
    if len(place) == 2 and place[0] == "levels":
        return [*CONDITIONS, *CLEAR_KEYS, *_keys(LevelBase)] if level is None else _keys(level)
    if len(place) == 4 and place[:1] == ("overrides",) and place[2] == "levels":
        return _keys(Change)
    model: type[BaseModel] = SceneParts if level is None else level
    for step in place if level is None else place[2:]:
        if isinstance(step, str):
            field = next((f for n, f in model.model_fields.items() if step in (n, f.alias)), None)
            inner = _model_in(field.annotation) if field is not None else None
            if inner is None:
                return []
            model = inner
    return _keys(model)


def _keys(model: type[BaseModel]) -> list[str]:
    return [str(field.alias or name) for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)
