"""Whether a unit is a UCUM code: the grammar in full, the atoms as far as the catalogues need them.

The case-sensitive codes (c/s). An atom that is missing here is added to the table when a catalogue needs it.

References: Unified Code for Units of Measure, sections 2 and 3 and tables 1 to 8 (verified: no, from memory).
"""

import re

_TABLE = {
    "prefix": "Y Z E P T G M k h da d c m u n p f a z y",
    "metric": (
        "m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv l L ar t bar eV B B[SPL] cal [g]"
    ),
    "other": "% [ppth] [ppm] [ppb] [pH] deg ' '' min h d wk mo a 10* 10^ [mi_i] [ft_i] [in_i] [degF] [kn_i] [pi]",
}
_PREFIXES, _METRIC, _OTHER = (frozenset(_TABLE[row].split()) for row in ("prefix", "metric", "other"))
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
_SIMPLE = re.compile(r"(?P<atom>10[*^]|.*?[^0-9+-])(?P<exponent>[+-]?\d+)?")


def fault_of(code: str) -> str | None:
    """What keeps `code` from being a UCUM code, in words; None if it is one. "" and "1" are the unity."""
    if code in {"", "1"}:
        return None
    if not code.isascii() or not code.isprintable() or " " in code:
        return "a UCUM code is ASCII without spaces"
    bare = _ANNOTATION.sub("\0", code)
    if "{" in bare or "}" in bare:
        return "an annotation stands in { and }, without another one in it"
    return _term(bare.removeprefix("/"), code)


def _term(bare: str, code: str) -> str | None:
    depth, begin = 0, 0
    parts: list[str] = []
    for at, sign in enumerate(bare):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            return "a bracket is closed that was not opened"
        if sign in "./" and depth == 0:
            parts.append(bare[begin:at])
            begin = at + 1
    if depth:
        return "a bracket is not closed"
    return next((fault for part in [*parts, bare[begin:]] if (fault := _component(part, code))), None)


def _component(part: str, code: str) -> str | None:
    if not part:
        return f"{code!r} has nothing on one side of a . or /"
    if part.startswith("(") and part.endswith(")"):
        return _term(part[1:-1], code)
    unit = part.removesuffix("\0")
    if "\0" in unit or part.endswith("\0\0"):
        return "an annotation stands behind its unit"
    if not unit or unit.isdigit():
        return None
    found = _SIMPLE.fullmatch(unit)
    if found is None or not _is_atom(found["atom"]):
        return f"{unit!r} is no unit of UCUM that is known here; what UCUM has not stands in {{}}"
    return None


def _is_atom(atom: str) -> bool:
    if atom in _METRIC or atom in _OTHER:
        return True
    return any(atom[:size] in _PREFIXES and atom[size:] in _METRIC for size in (1, 2))
