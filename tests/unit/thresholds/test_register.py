"""The life of scenes: versions, second persons, steps up and back."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from city.catalogue import load_catalogue
from core.errors import ConfigError, DataLossError
from thresholds.check import load_scenes
from thresholds.life import STAGES, Step
from thresholds.register import Refusal, RefusedError, SceneRegister, State

TYPES = load_catalogue()
NOW = 1_780_000_000_000
SCENE = """\
scene: road-flooding
title: {en: Road flooding, zh: 道路积水}
stage: STAGE  # where it is
pilot: {towns: [T03]}
owner: {unit: water-bureau, force: flood team}
worth: {build_cost: 1, yearly_cost: 1, minutes_saved_per_case: 30}
feeds: {type: road-water-level, metric: depth_cm}
levels:
  - {severity: minor, above: LIMIT, clear_below: 12}
raises: {leaf: "14-01-02", budget_per_day: 5}
sources: [{text: practice}]
"""


def text(stage: str = "draft", limit: int = 15) -> str:
    return SCENE.replace("STAGE", stage).replace("LIMIT", str(limit))


@pytest.fixture
def register(tmp_path: Path) -> SceneRegister:
    return SceneRegister(tmp_path, TYPES)


def climb(register: SceneRegister, to: str) -> None:
    """Take the scene up to a stage, with all that needs."""
    if not register.history("road-flooding"):
        register.propose(text("draft"), "Li", "a first try", NOW)
    while True:
        now = register.in_force("road-flooding")
        assert now is not None
        if now.stage == to:
            return
        following = STAGES[STAGES.index(now.stage) + 1]
        waits = register.move("road-flooding", following, "Li", "ready for it", NOW)
        register.approve("road-flooding", waits.number, "Wang", "seen", NOW)


def refused(why: Refusal, ask: Callable[[], object]) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        ask()
    assert error.value.why is why
    return error.value


def published(register: SceneRegister) -> str:
    return (register.in_force_folder / "road-flooding.yaml").read_text(encoding="utf-8")


def test_a_draft_is_in_force_at_once_and_lies_in_the_folder_that_the_engine_watches(register: SceneRegister) -> None:
    new = register.propose(text(), "Li", "a first try", NOW)
    assert (new.number, new.step, new.state, new.base) == (1, Step.NEW, State.IN_FORCE, None)
    assert published(register) == text()


def test_a_step_up_waits_for_a_second_person_and_changes_nothing_until_then(register: SceneRegister) -> None:
    register.propose(text(), "Li", "a first try", NOW)
    waits = register.propose(text("shadow"), "Li", "let us see", NOW)
    assert (waits.step, waits.state) == (Step.UP, State.PROPOSED)
    assert published(register) == text()
    refused(Refusal.SAME_PERSON, lambda: register.approve("road-flooding", 2, "LI", "mine", NOW))
    done = register.approve("road-flooding", 2, "Wang", "agreed", NOW + 1)
    assert (done.state, done.decided_by, done.decided_reason) == (State.IN_FORCE, "Wang", "agreed")
    assert published(register) == text("shadow")
    assert register.version("road-flooding", 1).state is State.SUPERSEDED


def test_a_change_of_what_opens_cases_needs_a_second_person_and_one_in_shadow_does_not(register: SceneRegister) -> None:
    climb(register, "shadow")
    assert register.propose(text("shadow", 20), "Li", "fewer", NOW).state is State.IN_FORCE
    climb(register, "pilot")
    waits = register.propose(text("pilot", 30), "Li", "fewer still", NOW)
    assert (waits.step, waits.state) == (Step.EDIT, State.PROPOSED)


def test_what_cries_wolf_is_stopped_by_one_person(register: SceneRegister) -> None:
    climb(register, "live")
    down = register.move("road-flooding", "shadow", "Li", "it floods the hub", NOW)
    assert (down.step, down.state) == (Step.DOWN, State.IN_FORCE)
    assert register.move("road-flooding", "retired", "Li", "useless", NOW).step is Step.RETIRE


def test_a_stage_cannot_be_left_out_on_the_way_up(register: SceneRegister) -> None:
    refused(Refusal.JUMP, lambda: register.propose(text("live"), "Li", "now", NOW))
    register.propose(text(), "Li", "a first try", NOW)
    refused(Refusal.JUMP, lambda: register.propose(text("pilot"), "Li", "faster", NOW))


@pytest.mark.parametrize(
    ("gone", "key"),
    [
        ("title: {en: Road flooding, zh: 道路积水}\n", "title"),
        (", force: flood team", "owner.force"),
        ("unit: water-bureau, ", "owner.unit"),
        ("sources: [{text: practice}]\n", "sources"),
        ('leaf: "14-01-02", ', "raises.leaf"),
        (", budget_per_day: 5", "raises.budget_per_day"),
        ("yearly_cost: 1, ", "worth.yearly_cost"),
        ("worth: {build_cost: 1, yearly_cost: 1, minutes_saved_per_case: 30}\n", "worth.build_cost"),
    ],
)
def test_a_live_scene_has_all_that_the_standard_of_scenes_asks_for(
    register: SceneRegister, gone: str, key: str
) -> None:
    climb(register, "pilot")
    lacking = text("live").replace(gone, "")
    assert lacking != text("live")
    assert f"{key}: " in str(refused(Refusal.WANTING, lambda: register.propose(lacking, "Li", "up", NOW)))


def test_a_scene_from_files_that_lacks_its_worth_can_be_mended_and_loses_nothing_more_by_it(
    register: SceneRegister, tmp_path: Path
) -> None:
    worth = "worth: {build_cost: 1, yearly_cost: 1, minutes_saved_per_case: 30}\n"
    without = text("live").replace(worth, "")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.yaml").write_text(without)
    register.fill([tmp_path / "files"], "set-up", NOW)
    mended = register.propose(without.replace("above: 15", "above: 16"), "Li", "too early", NOW)
    assert mended.state is State.PROPOSED
    lost = without.replace(", force: flood team", "")
    error = refused(Refusal.WANTING, lambda: register.propose(lost, "Li", "shorter", NOW))
    assert "owner.force: " in str(error)
    assert "worth" not in str(error)
    register.move("road-flooding", "pilot", "Li", "back", NOW)
    refused(Refusal.WANTING, lambda: register.move("road-flooding", "live", "Li", "up again", NOW))


def test_a_wrong_text_is_refused_with_line_and_column_and_nothing_is_written(register: SceneRegister) -> None:
    wrong = text().replace("clear_below: 12", "clear_belo: 12")
    error = refused(Refusal.WRONG, lambda: register.propose(wrong, "Li", "typing", NOW))
    assert "scene.yaml:9:" in str(error)
    assert "did you mean clear_below?" in str(error)
    assert register.history("road-flooding") == []


def test_what_says_the_same_is_no_new_version(register: SceneRegister) -> None:
    register.propose(text(), "Li", "a first try", NOW)
    refused(Refusal.UNCHANGED, lambda: register.propose(text() + "# only a comment\n", "Li", "again", NOW))


def test_a_version_that_another_overtook_cannot_be_approved(register: SceneRegister) -> None:
    climb(register, "pilot")
    first = register.propose(text("pilot", 30), "Li", "one way", NOW)
    second = register.propose(text("pilot", 40), "Zhao", "another way", NOW)
    register.approve("road-flooding", second.number, "Wang", "this one", NOW)
    refused(Refusal.OVERTAKEN, lambda: register.approve("road-flooding", first.number, "Wang", "both", NOW))


def test_a_version_that_was_decided_on_waits_for_nobody(register: SceneRegister) -> None:
    climb(register, "pilot")
    waits = register.propose(text("pilot", 30), "Li", "fewer", NOW)
    assert register.waiting() == [waits]
    assert register.reject("road-flooding", waits.number, "Wang", "too few", NOW).state is State.REJECTED
    refused(Refusal.NOT_PROPOSED, lambda: register.approve("road-flooding", waits.number, "Wang", "yes", NOW))
    assert register.waiting() == []


def test_one_call_goes_back_to_what_was_in_force_before(register: SceneRegister) -> None:
    climb(register, "live")
    before = published(register)
    waits = register.propose(text("live", 40), "Li", "fewer", NOW)
    register.approve("road-flooding", waits.number, "Wang", "agreed", NOW + 5)
    back = register.roll_back("road-flooding", "Zhao", "missed a flood", NOW + 6)
    assert published(register) == before
    assert back.number == waits.number + 1
    assert back.reason == f"back to version {waits.number - 1}: missed a flood"
    refused(Refusal.UNKNOWN, lambda: register.roll_back("road-flooding", "Zhao", "more", NOW + 7, to=99))


def test_a_rejected_version_cannot_be_gone_back_to(register: SceneRegister) -> None:
    climb(register, "pilot")
    waits = register.propose(text("pilot", 30), "Li", "fewer", NOW)
    register.reject("road-flooding", waits.number, "Wang", "no", NOW)
    refused(Refusal.UNKNOWN, lambda: register.roll_back("road-flooding", "Li", "please", NOW, to=waits.number))


def test_a_move_keeps_comments_and_layout(register: SceneRegister) -> None:
    register.propose(text(), "Li", "a first try", NOW)
    waits = register.move("road-flooding", "shadow", "Li", "let us see", NOW)
    assert register.diff("road-flooding", 1, waits.number).splitlines()[3:] == [
        " scene: road-flooding",
        " title: {en: Road flooding, zh: 道路积水}",
        "-stage: draft  # where it is",
        "+stage: shadow  # where it is",
        " pilot: {towns: [T03]}",
        " owner: {unit: water-bureau, force: flood team}",
        " worth: {build_cost: 1, yearly_cost: 1, minutes_saved_per_case: 30}",
    ]


def test_files_fill_an_empty_register_once(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.yaml").write_text(text("live"), encoding="utf-8")
    register = SceneRegister(tmp_path / "register", TYPES)
    assert register.fill([files], "set-up", NOW) == 1
    assert register.fill([files], "set-up", NOW) == 0
    scenes, findings = load_scenes([register.in_force_folder], TYPES)
    assert [scene.id for scene in scenes.scenes] == ["road-flooding"]
    assert findings == []


def test_wrong_files_fill_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text().replace("above", "abov"), encoding="utf-8")
    register = SceneRegister(tmp_path / "register", TYPES)
    with pytest.raises(ConfigError, match=r"a\.yaml:9"):
        register.fill([tmp_path / "a.yaml"], "set-up", NOW)
    assert register.all_in_force() == []


def test_the_folder_is_mended_from_the_database_when_it_is_opened(tmp_path: Path) -> None:
    register = SceneRegister(tmp_path, TYPES)
    register.propose(text(), "Li", "a first try", NOW)
    (register.in_force_folder / "road-flooding.yaml").write_text("half a file")
    (register.in_force_folder / "stray.yaml").write_text(text())
    assert published(SceneRegister(tmp_path, TYPES)) == text()
    assert [path.name for path in register.in_force_folder.iterdir()] == ["road-flooding.yaml"]


@pytest.mark.parametrize(("who", "why"), [("", "reason"), ("Li", " "), ("x" * 3000, "reason")])
def test_who_and_why_are_needed(register: SceneRegister, who: str, why: str) -> None:
    refused(Refusal.WORDS, lambda: register.propose(text(), who, why, NOW))


def test_of_two_that_approve_at_once_one_is_told_that_it_is_done(register: SceneRegister) -> None:
    climb(register, "pilot")
    waits = register.propose(text("pilot", 30), "Li", "fewer", NOW)
    said: list[str] = []
    begin = threading.Barrier(2)

    def approve(by: str) -> None:
        begin.wait()
        try:
            said.append(register.approve("road-flooding", waits.number, by, "agreed", NOW).state)
        except RefusedError as error:
            said.append(error.why)

    threads = [threading.Thread(target=approve, args=(by,)) for by in ("Wang", "Zhao")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["in_force", "not_proposed"]


def test_a_file_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "scenes.db").write_text("this is no database, and long enough to be looked at " * 20)
    with pytest.raises(DataLossError, match="register"):
        SceneRegister(tmp_path, TYPES)
