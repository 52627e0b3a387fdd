"""`scenewatch case catalogue`."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from city.cases import check_cases, load_cases
from city.leaf import CaseCatalogue, Entry, Leaf, Major, Sub


def catalogue(what: str, path: Path | None, *, json_out: bool) -> int:
    """Print what a code or the words of a name stand for; the counts without either; 1 if nothing is found.

    Args:
        what: A code (`14`, `14-01`, `14-01-02`), or words of Chinese or English names and aliases.
        path: Folder of a catalogue to check first: its mistakes are printed, a line each, and the status is 1.
        json_out: A list of entries (or of mistakes) for programs.

    Raises:
        ConfigError: If the shipped catalogue is wrong.
    """
    if path is not None:
        found, mistakes = check_cases(path)
        if found is None:
            rows = [{"path": str(one.path), "line": one.line, "message": one.message} for one in mistakes]
            _write(rows if json_out else [*map(str, mistakes), f"{len(mistakes)} mistakes"], json_out=json_out)
            return 1
        cases = found
    else:
        cases = load_cases()
    if not what:
        _write(_summary(cases) if json_out else _counts(cases), json_out=json_out)
        return 0
    entries = cases.search(what)
    if json_out:
        _write([_row(cases, entry) for entry in entries], json_out=True)
    elif len(entries) == 1 and isinstance(entries[0], Leaf):
        _write(_details(cases, entries[0]), json_out=False)
    elif entries:
        _write([_line(entry) for entry in entries], json_out=False)
    else:
        sys.stderr.write(f"{what!r} is no code and in no name of the catalogue{_meant(cases, what)}\n")
    return 0 if entries else 1


def _write(content: Any, *, json_out: bool) -> None:
    text = msgspec.json.encode(content).decode() if json_out else "\n".join(content)
    sys.stdout.write(text + "\n")


def _meant(cases: CaseCatalogue, what: str) -> str:
    near = cases.near(what)
    return f" (did you mean {near[0].code} {near[0].zh} {near[0].en}?)" if near else ""


def _line(entry: Entry) -> str:
    tail = f"  {entry.lead}  {entry.urgency} {entry.limit}" if isinstance(entry, Leaf) else ""
    return f"{entry.code}  {entry.zh}  {entry.en}{tail}"


def _counts(cases: CaseCatalogue) -> list[str]:
    """The catalogue in a few lines: what it is, and how many there are of what."""
    lines = [f"version {cases.version}, in force from {cases.valid_from}", cases.statement_en, cases.statement_zh]
    for major in cases.majors:
        leaves = sum(len(sub.leaves) for sub in major.subs)
        lines.append(f"{major.code}  {major.zh}  {major.en}: {len(major.subs)} subs, {leaves} leaves")
    subs = sum(len(major.subs) for major in cases.majors)
    return [*lines, f"{len(cases.majors)} majors, {subs} subs, {len(cases.leaves)} leaves"]


def _summary(cases: CaseCatalogue) -> dict[str, Any]:
    return {
        "version": cases.version,
        "valid_from": cases.valid_from,
        "statement": {"en": cases.statement_en, "zh": cases.statement_zh},
        "majors": len(cases.majors),
        "subs": sum(len(major.subs) for major in cases.majors),
        "leaves": len(cases.leaves),
    }


def _details(cases: CaseCatalogue, leaf: Leaf) -> list[str]:
    """Everything about a leaf, a line each."""
    major, sub, basis = cases.entries[leaf.major], cases.entries[leaf.sub], cases.bases[leaf.source]
    flags = [name for name in ("safety_env", "return_to_city", "joint_duty") if getattr(leaf, name)]
    lines = [
        f"{leaf.code}  {leaf.zh}  {leaf.en}",
        f"in        {major.code} {major.zh} {major.en} / {sub.code} {sub.zh} {sub.en}",
        f"lead      {_role(cases, leaf.lead)}",
        f"assist    {', '.join(_role(cases, role) for role in leaf.assist) or 'nobody'}",
        f"tier      {leaf.tier}",
        f"limit     {leaf.limit} ({leaf.urgency})",
        f"evidence  {leaf.evidence} {'photo' if leaf.evidence == 1 else 'photos'}",
        f"raised by {', '.join(leaf.sensors) or 'people only'}",
        f"source    {basis.text} ({leaf.source_status})",
    ]
    if leaf.aliases:
        lines.insert(1, f"also      {', '.join(leaf.aliases)}")
    if flags:
        lines.append(f"flags     {', '.join(flags)}")
    if leaf.valid_from or leaf.valid_to:
        lines.append(f"in force  {leaf.valid_from or '...'} to {leaf.valid_to or '...'}")
    return lines


def _role(cases: CaseCatalogue, role: str) -> str:
    return f"{role} {cases.roles[role].zh}"


def _row(cases: CaseCatalogue, entry: Entry) -> dict[str, Any]:
    """An entry for programs."""
    row: dict[str, Any] = {"code": entry.code, "zh": entry.zh, "en": entry.en}
    if isinstance(entry, Major):
        return {**row, "kind": "major", "subs": [sub.code for sub in entry.subs], "basis": entry.basis}
    row["aliases"] = entry.aliases
    if isinstance(entry, Sub):
        return {**row, "kind": "sub", "leaves": [leaf.code for leaf in entry.leaves]}
    keys = (
        "lead", "assist", "tier", "urgency", "safety_env", "evidence", "sensors", "return_to_city", "joint_duty",
        "source", "source_status", "valid_from", "valid_to",
    )  # fmt: skip
    basis = cases.bases[entry.source].text
    return {**row, "kind": "leaf", "limit": str(entry.limit), **{k: getattr(entry, k) for k in keys}, "basis": basis}
