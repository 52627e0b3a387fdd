"""Every mistake in a case catalogue, with its line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from city import yaml_nodes
from city.cases import HEAD
from city.catalogue import shipped
from city.marked import Place, read_marked
from tests.unit.city.case_folder import GOOD, GOOD_HEAD, folder, told

SIGNS = "{}[]:,-&*!|>'\"#%@`\n\t ~?0"


# What becomes what in the good major, on which line that is told, and what is told.
MISTAKES = {
    "an unknown role": (
        "lead: police", "lead: polise", 15,
        "`lead`: there is no role 'polise' (did you mean police?)",
    ),
    "an unknown role of a sub": (
        "lead: water-bureau\n    assist", "lead: x\n    assist", 8,
        "`lead`: there is no role 'x'",
    ),
    "an unknown assist": (
        "[town]", "[twon]", 9,
        "`assist`: there is no role 'twon' (did you mean town?)",
    ),
    "an unknown source": (
        "source: paper\n    lead: water-bureau\n    assist", "source: book\n    lead: water-bureau\n    assist", 7,
        "`source`: there is no basis 'book'",
    ),
    "an unknown basis": (
        "basis: paper", "basis: papre", 3,
        "`basis`: there is no basis 'papre' (did you mean paper?)",
    ),
    "an unknown sensor": (
        "V13", "V17", 14,
        "`sensors`: there is no device type or video scene 'V17' (did you mean V16?)",
    ),
    "a sensor twice": (
        "V13]", "V13, V13]", 14,
        "`sensors`: 'V13' stands twice",
    ),
    "an unknown key": (
        "safety_env", "saftey_env", 15,
        "unknown key `saftey_env` (did you mean safety_env?)",
    ),
    "an unknown key of a sub": (
        "tier: disposal", "teir: disposal", 10,
        "unknown key `teir` (did you mean tier?)",
    ),
    "a key twice": (
        "urgency: normal", "lead: town", 21,
        "`lead` stands twice, first on line 19",
    ),
    "yes for true": (
        "safety_env: true", "safety_env: yes", 15,
        "`safety_env`: write true or false",
    ),
    "a number for a code": (
        'leaf: "02"', "leaf: 2", 15,
        "`leaf`: text is needed: put it in quotes",
    ),
    "a code of one digit": (
        'leaf: "02"', 'leaf: "2"', 15,
        "`leaf`: '2' does not fit: a number is two digits in quotes, like \"01\"",
    ),
    "a code of nothing": (
        'leaf: "02"', 'leaf: "00"', 15,
        "`leaf`: '00' does not fit: a number is two digits in quotes, like \"01\"",
    ),
    "a code twice": (
        'leaf: "02"', 'leaf: "01"', 15,
        "leaf 14-01-01 stands twice, first in 14-water.yaml:14",
    ),
    "a sub twice": (
        'sub: "02"', 'sub: "01"', 16,
        "sub 14-01 stands twice, first in 14-water.yaml:5",
    ),
    "a limit without a unit": (
        "limit: 2h", "limit: 2", 15,
        "`limit`: text is needed: put it in quotes",
    ),
    "a limit of another unit": (
        "limit: 5wd", "limit: 5d", 22,
        "`limit`: '5d' is no limit: write hours like 24h, working hours like 8wh, working days like 5wd",
    ),
    "no limit at all": (
        "    limit: 5wd\n", "", 23,
        "leaf 14-02-01: neither it nor its sub has `limit`",
    ),
    "no lead": (
        "    lead: water-bureau\n    tier", "    tier", 23,
        "leaf 14-02-01: neither it nor its sub has `lead`",
    ),
    "no source": (
        "    source: paper\n    lead: water-bureau\n    tier", "    lead: water-bureau\n    tier", 23,
        "leaf 14-02-01: neither it nor its sub has `source`",
    ),
    "a tier of another kind": (
        "tier: department", "tier: bureau", 20,
        "`tier`: 'bureau' is not one of 'disposal', 'self' or 'department'",
    ),
    "a lead that assists": (
        "lead: police", "lead: town", 15,
        "leaf 14-01-02: town leads and cannot assist as well",
    ),
    "an emergency in days": (
        "limit: 2h", "limit: 1wd", 15,
        "leaf 14-01-02: an emergency is limited in hours round the clock, like 2h, not 1wd",
    ),
    "an emergency in working hours": (
        "limit: 2h", "limit: 2wh", 15,
        "leaf 14-01-02: an emergency is limited in hours round the clock, like 2h, not 2wh",
    ),
    "what is urgent in days": (
        "limit: 24h", "limit: 3wd", 14,
        "leaf 14-01-01: what is urgent is limited in hours, like 24h or 8wh, not 3wd",
    ),
    "over the city's limit": (
        "limit: 5wd", "limit: 20wd", 24,
        "leaf 14-02-01: the limit 20wd is over the city's 15 working days",
    ),
    "a last day before the first": (
        "to: 2026-09-30", "to: 2026-02-01", 24,
        "leaf 14-02-01: it ends on 2026-02-01, before it begins on 2026-03-01",
    ),
    "a day in quotes": (
        "to: 2026-09-30", 'to: "2026-09-30"', 24,
        "`to`: a day is needed, like 2026-01-01, without quotes",
    ),
    "a day that is none": (
        "to: 2026-09-30", "to: 2026-09-31", 24,
        "'2026-09-31' cannot be read: put it in quotes if it is text",
    ),
    "too many photos": (
        "safety_env: true", "evidence: 99", 15,
        "`evidence`: 99 is too large: at most 20",
    ),
    "a name in one language": (
        "zh: 隧道积水, ", "", 15,
        "`zh` is missing",
    ),
    "an empty name": (
        "zh: 隧道积水", 'zh: ""', 15,
        "`zh`: it is empty",
    ),
    "a name with a blank": (
        "zh: 隧道积水", 'zh: "隧道 "', 15,
        "`zh`: '隧道 ' does not fit: no blanks around a name",
    ),
    "a name that is taken": (
        "zh: 隧道积水", 'zh: "道路-积 水"', 15,
        "leaf 14-01-02 has the name '道路-积 水' of 14-01-01: say what is different",
    ),
    "an English name that is taken": (
        "en: Tunnel flooded", "en: Road flooded!", 15,
        "leaf 14-01-02 has the name 'Road flooded!' of 14-01-01: say what is different",
    ),
    "a name that another sub's leaf has": (
        "zh: 河面漂浮物", "zh: 隧道积水", 24,
        "leaf 14-02-01 has the name '隧道积水' of 14-01-02: put the object into the name",
    ),
    "a sub's name that is taken": (
        "zh: 河道, en", "zh: 积水, en", 16,
        "sub 14-02 has the name '积水' of 14-01: say what is different",
    ),
    "an alias that is the name": (
        "路面积水", "道路 积水", 14,
        "the alias '道路 积水' is the name itself: take it away",
    ),
    "a leaf that is no mapping": (
        GOOD.splitlines()[14], "      - tunnel", 15,
        "keys with values are needed",
    ),
    "no leaves": (
        GOOD[GOOD.rindex("\n      - ") :], " []\n", 23,
        "`leaves`: at least one is needed",
    ),
    "no value": (
        "tier: department", "tier:", 24,
        "leaf 14-02-01: neither it nor its sub has `tier`",
    ),
    "an alias of YAML": (
        "assist: [town]", "assist: &a [town]\n    sensors: *a", 9,
        "used again by an alias: write it out there, so that each line says what holds",
    ),
    "a tag": (
        "basis: paper", "basis: !x paper", 3,
        "!x has no meaning here: take it away",
    ),
    "a file of another number": (
        'major: "14"', 'major: "15"', 1,
        "the file of major 15 is named 15-....yaml, not 14-water.yaml",
    ),
    "not YAML": (
        "[town]", "[town", 10,
        "not YAML: expected ',' or ']', but got ':'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_line(mistake: str, tmp_path: Path) -> None:
    was, becomes, line, expected = MISTAKES[mistake]
    assert was in GOOD
    assert f"14-water.yaml:{line}: {expected}" in told(folder(tmp_path, GOOD.replace(was, becomes, 1)))


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("police,", "polise, evidence: -1,").replace("V13", "V99").replace("limit: 5wd", "limit: 5")
    head = GOOD_HEAD.replace("version", "verzion").replace("verified: true", "verified: maybe")
    (tmp_path / "15-empty.yaml").touch()
    assert told(folder(tmp_path, text, head)) == [
        "14-water.yaml:14: `sensors`: there is no device type or video scene 'V99' (did you mean V09?)",
        "14-water.yaml:15: `evidence`: -1 is too small: at least 0",
        "14-water.yaml:15: `lead`: there is no role 'polise' (did you mean police?)",
        "14-water.yaml:22: `limit`: text is needed: put it in quotes",
        "15-empty.yaml:1: the file is empty",
        "catalogue.yaml:1: `version` is missing",
        "catalogue.yaml:1: unknown key `verzion` (did you mean version?)",
        "catalogue.yaml:9: `verified`: write true or false",
    ]


def test_a_name_may_stand_in_two_files_but_not_a_leafs(tmp_path: Path) -> None:
    other = GOOD.replace('major: "14"', 'major: "15"').replace("zh: 水务, en: Water", "zh: 其他, en: Other")
    (tmp_path / "15-other.yaml").write_text(other, encoding="utf-8")
    assert told(folder(tmp_path)) == [
        "15-other.yaml:14: leaf 15-01-01 has the name '道路积水' of 14-01-01: put the object into the name",
        "15-other.yaml:15: leaf 15-01-02 has the name '隧道积水' of 14-01-02: put the object into the name",
        "15-other.yaml:24: leaf 15-02-01 has the name '河面漂浮物' of 14-02-01: put the object into the name",
    ]


def test_what_cannot_be_read_at_all_says_why(tmp_path: Path) -> None:
    assert told(tmp_path / "gone") == [
        "catalogue.yaml:1: cannot be read: no such file or directory",
        "catalogue.yaml:1: no file of a major stands beside it, like 01-compounds.yaml",
    ]
    folder(tmp_path)
    (tmp_path / "14-water.yaml").write_bytes(GOOD.encode("gb18030"))
    assert told(tmp_path) == ["14-water.yaml:2: not UTF-8 here: save the file as UTF-8"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000, "a line of over 2000 characters: break it"),
        ("[\n" * 100_000, "not YAML: brackets in over 50 brackets, or brackets that do not end"),
        ("- " * 900, "nested far too deep"),
        ("- " * 1_001, "a line of over 2000 characters: break it"),
        ("x" * 2_000_001, "over 2 megabytes: that is no data file"),
        ("- 1\n--- 2\n", "another document begins here: give it a file of its own"),
        ("- a\n", "keys with values are needed"),
        ("\x01", "not YAML: "),
    ],
)
def test_what_is_no_catalogue_is_refused_and_not_run_into(text: str, expected: str, tmp_path: Path) -> None:
    assert any(expected in line for line in told(folder(tmp_path, text)))


@pytest.mark.parametrize("name", [HEAD, "06-three-violations.yaml", "08-environment.yaml"])
def test_libyaml_and_the_plain_parser_read_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shipped("data") / "cases" / name
    fast, none = read_marked(path)
    monkeypatch.setattr(yaml_nodes, "quickly", lambda _: None)
    slow, none_either = read_marked(path)
    assert none == none_either == []
    assert fast is not None
    assert slow is not None
    assert fast.plain == slow.plain == YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    for place in places(fast.plain):
        assert fast.line(place) == slow.line(place), place


def places(plain: object) -> Iterator[Place]:
    """Every place in plain data."""
    inner = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for step, item in inner:
        yield (step,)
        yield from ((step, *place) for place in places(item))


def test_without_libyaml_mistakes_are_told_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_nodes, "quickly", lambda _: None)
    assert told(folder(tmp_path, GOOD.replace("police,", "polise,").replace("tier: d", "tier: b"))) == [
        "14-water.yaml:10: `tier`: 'bisposal' is not one of 'disposal', 'self' or 'department'",
        "14-water.yaml:15: `lead`: there is no role 'polise' (did you mean police?)",
        "14-water.yaml:20: `tier`: 'bepartment' is not one of 'disposal', 'self' or 'department'",
    ]
    assert told(folder(tmp_path, GOOD.replace("[town]", "[town")))[0].startswith("14-water.yaml:10: not YAML: ")
    assert told(folder(tmp_path, "- " * 999)) == ["14-water.yaml:1: not YAML: nested far too deep"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 9), st.sampled_from(SIGNS)), max_size=5))
def test_nothing_that_a_file_holds_makes_the_check_fail(tmp_path: Path, cuts: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for at, length, sign in cuts:
        text = text[:at] + sign + text[at + length :]
    for line in told(folder(tmp_path, text)):
        assert line.startswith(("14-water.yaml:", "catalogue.yaml:"))
