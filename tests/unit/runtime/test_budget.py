"""A budget with teeth."""

import threading
from pathlib import Path

import pytest

from city.catalogue import load_catalogue
from core.clock import ManualClock
from runtime.budget import AUTHOR, Broken, BudgetGuard
from tests.unit.thresholds.test_register import NOW, climb, text
from thresholds.register import SceneRegister, State

DAY = 86_400_000


class Desk:
    """A live scene with an edit that came into force at NOW + 1000, and a count of cases that a test sets."""

    def __init__(self, folder: Path) -> None:
        self.register = SceneRegister(folder, load_catalogue())
        climb(self.register, "live")
        waits = self.register.propose(text("live", 13), "Li", "see more", NOW + 500)
        self.register.approve("road-flooding", waits.number, "Wang", "agreed", NOW + 1_000)
        self.edited = waits.number
        self.cases = 0
        self.asked: list[tuple[str, int]] = []
        self.clock = ManualClock(NOW + 2_000)
        self.guard = BudgetGuard(self.register, self.opened_since, self.clock, DAY, threading.Event())

    def opened_since(self, scene: str, since: int) -> int:
        self.asked.append((scene, since))
        return self.cases

    @property
    def in_force(self) -> int:
        version = self.register.in_force("road-flooding")
        assert version is not None
        return version.number


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_scene_that_breaks_its_budget_goes_back_to_its_last_version_and_says_so(desk: Desk) -> None:
    desk.cases = 6
    desk.clock.advance_to_ms(NOW + 61_000)
    desk.guard.look()
    history = desk.register.history("road-flooding")
    assert (history[0].author, history[0].state) == (AUTHOR, State.IN_FORCE)
    assert history[0].reason == f"back to version {desk.edited - 1}: 6 cases in 1m, 5 a day are bearable"
    assert "above: 15" in history[0].text
    assert desk.guard.broken == [Broken("road-flooding", desk.edited, 6, 5, desk.edited + 1)]


def test_cases_are_counted_from_when_the_version_came_into_force(desk: Desk) -> None:
    desk.guard.look()
    assert desk.asked == [("road-flooding", NOW + 1_000)]


def test_a_scene_within_its_budget_stays(desk: Desk) -> None:
    desk.cases = 5
    desk.guard.look()
    assert desk.in_force == desk.edited


def test_a_version_that_has_proved_itself_is_not_taken_away_in_a_storm(desk: Desk) -> None:
    desk.cases = 100
    desk.clock.advance_to_ms(NOW + 1_001 + DAY)
    desk.guard.look()
    assert desk.in_force == desk.edited


def test_it_goes_back_once_and_not_on_and_on(desk: Desk) -> None:
    desk.cases = 100
    desk.guard.look()
    after = desk.in_force
    desk.guard.look()
    assert desk.in_force == after


def test_where_there_is_nothing_to_go_back_to_it_is_only_told(tmp_path: Path) -> None:
    register = SceneRegister(tmp_path / "register", load_catalogue())
    (tmp_path / "a.yaml").write_text(text("live"), encoding="utf-8")
    register.fill([tmp_path / "a.yaml"], "set-up", NOW)
    guard = BudgetGuard(register, lambda *_: 6, ManualClock(NOW + 1), DAY, threading.Event())
    guard.look()
    guard.look()
    assert guard.broken == [Broken("road-flooding", 1, 6, 5, None)]
    assert [v.number for v in register.history("road-flooding")] == [1]
