"""The case catalogue: the shipped one as the domain lays it down, and every mistake of another one with its line."""

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from city import yaml_nodes
from city.cases import HEAD, VIDEO_SCENES, cases_when_asked, check_cases, load_cases
from city.catalogue import load_catalogue, shipped
from city.leaf import Entry, Leaf, Limit, LimitUnit, SourceStatus, Tier, Urgency, normalised
from city.marked import Place, read_marked
from core.errors import ConfigError

CASES = load_cases()
LEAVES = tuple(CASES.leaves.values())
NOT_OF_THE_28 = {"camera", "traffic-detector", "thermometer"}
SUBS = (
    16, 16, 14, 10, 10, 3, 10, 14, 12, 12, 12, 10, 16, 14, 10, 8, 14, 10, 8, 14, 14, 10, 14, 10, 10, 10, 12, 9,
)  # fmt: skip
"""How many subs each major has, 01 to 28."""

GOOD_HEAD = """\
version: "1"
statement: {en: A test, zh: 测试}
valid: {from: 2026-01-01}
roles:
  water-bureau: {zh: 水务局, en: Water bureau}
  town: {zh: 街镇, en: Town}
  police: {zh: 公安, en: Police}
bases:
  paper: {text: The paper, verified: true}
"""
GOOD = """\
major: "14"
title: {zh: 水务, en: Water}
basis: paper
subs:
  - sub: "01"
    title: {zh: 积水, en: Flooding}
    source: paper
    lead: water-bureau
    assist: [town]
    tier: disposal
    urgency: urgent
    limit: 24h
    leaves:
      - {leaf: "01", zh: 道路积水, en: Road flooded, aliases: [路面积水], sensors: [road-water-level, V13]}
      - {leaf: "02", zh: 隧道积水, en: Tunnel flooded, urgency: emergency, limit: 2h, lead: police, safety_env: true}
  - sub: "02"
    title: {zh: 河道, en: Rivers}
    source: paper
    lead: water-bureau
    tier: department
    urgency: normal
    limit: 5wd
    leaves:
      - {leaf: "01", zh: 河面漂浮物, en: Litter on a river, valid: {from: 2026-03-01, to: 2026-09-30}}
"""


def folder(tmp_path: Path, text: str = GOOD, head: str = GOOD_HEAD, name: str = "14-water.yaml") -> Path:
    (tmp_path / HEAD).write_text(head, encoding="utf-8")
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def told(path: Path) -> list[str]:
    """Mistakes without the folder."""
    catalogue, mistakes = check_cases(path)
    assert (catalogue is None) == bool(mistakes)
    return [str(mistake).removeprefix(f"{path}/") for mistake in mistakes]


# The shipped catalogue


def test_there_are_28_majors_with_322_subs_as_the_domain_deals_them_out() -> None:
    assert [major.code for major in CASES.majors] == [f"{number:02}" for number in range(1, 29)]
    assert tuple(len(major.subs) for major in CASES.majors) == SUBS
    assert sum(SUBS) == 322


def test_there_are_at_least_1000_leaves() -> None:
    assert len(LEAVES) >= 1000


def test_the_three_violations_have_3_subs_and_11_leaves() -> None:
    (violations,) = (major for major in CASES.majors if major.code == "06")
    assert [len(sub.leaves) for sub in violations.subs] == [5, 3, 3]
    assert all(leaf.limit.value > 0 for sub in violations.subs for leaf in sub.leaves)


def test_names_are_unique_within_their_parent() -> None:
    above = [(major.code, major.subs) for major in CASES.majors]
    groups: list[tuple[Entry, ...]] = [
        CASES.majors,
        *(subs for _, subs in above),
        *(sub.leaves for _, subs in above for sub in subs),
    ]
    for group in groups:
        for names in ([one.zh for one in group], [one.en for one in group]):
            assert [name for name, n in Counter(map(normalised, names)).items() if n > 1] == []


def test_no_two_leaves_have_one_name_in_chinese() -> None:
    assert [name for name, n in Counter(normalised(leaf.zh) for leaf in LEAVES).items() if n > 1] == []


def test_every_leaf_has_a_lead_a_limit_a_source_and_both_names() -> None:
    for leaf in LEAVES:
        assert leaf.zh
        assert leaf.en
        assert leaf.lead in CASES.roles
        assert leaf.source in CASES.bases
        assert leaf.limit.value > 0


def test_names_are_chinese_and_english() -> None:
    entries = CASES.entries.values()
    assert [one.code for one in entries if not any("\u4e00" <= sign <= "\u9fff" for sign in one.zh)] == []
    assert [one.code for one in entries if max(one.en) > "\u2e80" or one.en[0].islower()] == []


def test_a_lead_never_assists() -> None:
    assert [leaf.code for leaf in LEAVES if leaf.lead in leaf.assist] == []


def test_what_is_urgent_is_limited_in_hours_and_all_else_to_15_working_days() -> None:
    for leaf in LEAVES:
        if leaf.urgency is Urgency.EMERGENCY:
            assert leaf.limit.unit is LimitUnit.HOURS, leaf.code
        if leaf.urgency is Urgency.URGENT:
            assert leaf.limit.unit is not LimitUnit.WORKING_DAYS, leaf.code
        assert leaf.limit.unit is not LimitUnit.WORKING_DAYS or leaf.limit.value <= 15, leaf.code


def test_each_of_the_28_device_types_may_raise_a_leaf() -> None:
    types = set(load_catalogue()) - NOT_OF_THE_28
    assert len(types) == 28
    assert sorted(kind for kind in types if not CASES.raised_by(kind)) == []


def test_each_of_the_16_video_scenes_may_raise_a_leaf() -> None:
    assert len(VIDEO_SCENES) == 16
    assert [scene for scene in VIDEO_SCENES if not CASES.raised_by(scene)] == []


def test_14_leaves_are_on_the_joint_duty_list_and_group_renting_is_one() -> None:
    assert len(CASES.joint_duty) == 14
    assert any("群租" in (leaf.zh + "".join(leaf.aliases)) for leaf in CASES.joint_duty)


def test_what_the_paper_lets_go_back_to_the_city_may() -> None:
    back = [normalised("".join((leaf.zh, *leaf.aliases))) for leaf in LEAVES if leaf.return_to_city]
    for matter in ("油烟", "犬", "培训", "营业执照"):
        assert any(matter in names for names in back), matter


def test_the_catalogue_says_that_it_is_no_districts_own() -> None:
    assert "not the district's own list" in CASES.statement_en
    assert "并非任何一个区" in CASES.statement_zh


def test_roles_and_bases_are_used() -> None:
    used = {leaf.lead for leaf in LEAVES} | {role for leaf in LEAVES for role in leaf.assist}
    assert sorted(CASES.roles.keys() - used) == []
    assert sorted(CASES.bases.keys() - {leaf.source for leaf in LEAVES} - {m.basis for m in CASES.majors}) == []


def test_only_what_is_read_is_verified() -> None:
    assert [basis.id for basis in CASES.bases.values() if basis.verified] == ["paper"]
    assert {leaf.source for leaf in LEAVES if leaf.source_status is SourceStatus.VERIFIED} <= {"paper"}


def test_a_leaf_stands_on_a_line_of_at_most_200_characters() -> None:
    files = sorted((shipped("data") / "cases").glob("*.yaml"))
    lines = [(f.name, n, line) for f in files for n, line in enumerate(f.read_text("utf-8").splitlines(), 1)]
    assert [(name, number) for name, number, line in lines if len(line) > 200] == []


# Look-ups


def test_a_leaf_takes_over_what_its_sub_says_and_it_does_not(tmp_path: Path) -> None:
    leaves = load_cases(folder(tmp_path)).leaves
    assert leaves["14-01-01"] == Leaf(
        code="14-01-01",
        zh="道路积水",
        en="Road flooded",
        aliases=("路面积水",),
        source="paper",
        source_status=SourceStatus.MODELLED,
        lead="water-bureau",
        assist=("town",),
        tier=Tier.DISPOSAL,
        urgency=Urgency.URGENT,
        limit=Limit(24, LimitUnit.HOURS),
        safety_env=False,
        evidence=1,
        sensors=("road-water-level", "V13"),
        return_to_city=False,
        joint_duty=False,
        valid_from=None,
        valid_to=None,
    )
    other = leaves["14-01-02"]
    assert (other.lead, other.assist, other.urgency, str(other.limit)) == ("police", ("town",), "emergency", "2h")
    assert (other.sub, other.major) == ("14-01", "14")


def test_a_leaf_is_in_force_on_its_first_and_last_day(tmp_path: Path) -> None:
    cases = load_cases(folder(tmp_path))
    for day, there in (("02-28", False), ("03-01", True), ("09-30", True), ("10-01", False)):
        codes = [leaf.code for leaf in cases.in_force(dt.date.fromisoformat(f"2026-{day}"))]
        assert ("14-02-01" in codes) is there
        assert codes[:2] == ["14-01-01", "14-01-02"]


def test_leaves_are_found_by_what_raises_them(tmp_path: Path) -> None:
    cases = load_cases(folder(tmp_path))
    assert [leaf.code for leaf in cases.raised_by("V13")] == ["14-01-01"]
    assert cases.raised_by("V14") == ()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("14-01", ["14-01", "14-01-01", "14-01-02"]),
        ("14-02-01", ["14-02-01"]),
        ("积水", ["14-01", "14-01-01", "14-01-02"]),
        ("路面积水", ["14-01-01"]),
        ("FLOODED tunnel", ["14-01-02"]),
        ("14-03", []),
        ("  ", []),
        ("!?", []),
    ],
)
def test_entries_are_found_by_code_name_and_alias(text: str, codes: list[str], tmp_path: Path) -> None:
    assert [entry.code for entry in load_cases(folder(tmp_path)).search(text)] == codes


def test_what_is_one_digit_off_is_near_and_in_the_same_sub_nearest(tmp_path: Path) -> None:
    cases = load_cases(folder(tmp_path))
    assert [leaf.code for leaf in cases.near("14-01-09")] == ["14-01-01", "14-01-02"]
    assert [leaf.code for leaf in cases.near("14-02-02")] == ["14-02-01", "14-01-02"]
    assert [leaf.code for leaf in cases.near("14-10-02")] == ["14-01-02"]
    assert [leaf.code for leaf in cases.near("41-01-02")] == ["14-01-02"]
    assert cases.near("14-11-12") == cases.near("14-01") == ()


def test_files_may_stand_in_any_order_and_codes_come_sorted(tmp_path: Path) -> None:
    upside_down = GOOD.replace('leaf: "01", zh: 道', 'leaf: "03", zh: 道')
    assert list(load_cases(folder(tmp_path, upside_down)).leaves) == ["14-01-02", "14-01-03", "14-02-01"]


def test_it_is_read_when_it_is_first_asked_for_and_then_kept(tmp_path: Path) -> None:
    ask = cases_when_asked(tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        ask()
    folder(tmp_path)
    cases = ask()
    shutil.rmtree(tmp_path)
    assert ask() is cases


def test_device_types_of_ones_own_may_raise_leaves(tmp_path: Path) -> None:
    own = folder(tmp_path, GOOD.replace("V13", "water-drone"))
    assert load_cases(own, ["water-drone"]).raised_by("water-drone")
    with pytest.raises(ConfigError, match="there is no device type or video scene 'water-drone'"):
        load_cases(own)


SIGNS = "{}[]:,-&*!|>'\"#%@`\n\t ~?0"

# Mistakes: what becomes what in the good major, on which line that is told, and what is told.

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


@given(st.integers(1, 9999), st.sampled_from(LimitUnit))
def test_a_limit_is_read_as_it_is_written(value: int, unit: LimitUnit) -> None:
    assert Limit.parse(str(Limit(value, unit))) == Limit(value, unit)


@pytest.mark.parametrize("text", ["", "0h", "-1h", "1.5h", "5", "5d", "5 wd", "5WD", "٣h", "5wd\n", "01h", "10000h"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no limit"):
        Limit.parse(text)
