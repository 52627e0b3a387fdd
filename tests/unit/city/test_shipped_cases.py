"""The shipped case catalogue as the domain lays it down."""

from collections import Counter

from city.cases import VIDEO_SCENES, load_cases
from city.catalogue import load_catalogue, shipped
from city.leaf import Entry, LimitUnit, SourceStatus, Urgency, normalised

CASES = load_cases()
LEAVES = tuple(CASES.leaves.values())
NOT_OF_THE_28 = {"camera", "traffic-detector", "thermometer"}
SUBS = (
    16, 16, 14, 10, 10, 3, 10, 14, 12, 12, 12, 10, 16, 14, 10, 8, 14, 10, 8, 14, 14, 10, 14, 10, 10, 10, 12, 9,
)  # fmt: skip
"""How many subs each major has, 01 to 28."""


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
