"""What a baseline learns, worked out by hand."""

import math

import numpy as np
import pytest

from core.reading import Float64
from detectors.signal import baseline
from detectors.signal.baseline import Usual, add, begin_visit, cells_for, close_visit, note_step, usual


class Learnt:
    """One baseline, taught by whole visits."""

    def __init__(self, parts: int = 1) -> None:
        self.parts = parts
        self.cells: Float64 = np.zeros(cells_for(parts))

    def visit(self, *values: float, part: int = 0) -> "Learnt":
        begin_visit(part, self.cells, 0)
        for value in values:
            add(value, self.cells, 0)
        close_visit(part, self.parts, self.cells, 0)
        return self

    def now(self, part: int = 0) -> Usual:
        begin_visit(part, self.cells, 0)
        return usual(self.cells, part)


def test_the_first_visits_weigh_the_same_however_many_readings_they_have() -> None:
    learnt = Learnt().visit(10.0).visit(13.0, 13.0, 13.0, 13.0).visit(16.0)
    visits, expected, spread = learnt.now()
    assert (visits, expected) == (3, 13.0)
    # Variance of 10, 13, 16: 6. Shared: 9 * 1/2 of the second visit, (16 - 11.5)^2 * 2/3 of the third, their mean 9.
    # Leaning 4 visits on that: (3 * 6 + 4 * 9) / 7; the mean of three is known to a third of it.
    assert spread == pytest.approx(math.sqrt(54 / 7 * 4 / 3), rel=1e-12)


def test_what_varies_within_a_visit_counts_as_well() -> None:
    learnt = Learnt().visit(9.0, 11.0).visit(9.0, 11.0).visit(9.0, 11.0)
    assert learnt.now() == pytest.approx((3, 10.0, math.sqrt(1.0 * 4 / 3)))


def test_the_step_of_the_sensor_is_the_least_that_it_can_vary() -> None:
    learnt = Learnt().visit(5.0).visit(5.0).visit(5.0)
    assert learnt.now().spread == 0.0
    for change in (0.0, -0.6, 0.3, 2.0):
        note_step(change, learnt.cells, 0)
    assert learnt.now().spread == 0.0
    assert learnt.now().spread == pytest.approx(0.3 / math.sqrt(12) * math.sqrt(4 / 3))


def test_a_part_of_which_little_is_known_leans_on_the_others() -> None:
    learnt = Learnt(parts=2)
    for _ in range(20):
        learnt.visit(98.0, 102.0, part=0)
    learnt.visit(7.0, part=1).visit(7.0, part=1).visit(7.0, part=1)
    # Its own variance is 0 over 3 visits; the shared one, nearly 4, counts for 4 more.
    assert learnt.now(part=0).expected == 100.0
    assert learnt.now(part=1).expected == 7.0
    assert 0.0 < learnt.now(part=1).spread < learnt.now(part=0).spread


def test_a_reading_far_away_teaches_no_more_than_one_at_three_spreads() -> None:
    absurd, far = Learnt(), Learnt()
    for learnt in (absurd, far):
        for _ in range(10):
            learnt.visit(9.0, 11.0)
    spread = far.now().spread
    absurd.visit(9.0, 11.0, 1e9)
    far.visit(9.0, 11.0, 10.0 + 3.0 * spread)
    assert absurd.now().expected == pytest.approx(far.now().expected)
    assert absurd.now().spread == pytest.approx(far.now().spread)
    assert absurd.now().expected < 10.2


def test_later_visits_weigh_a_tenth() -> None:
    learnt = Learnt()
    for _ in range(30):
        learnt.visit(9.0, 11.0)
    learnt.visit(10.5, 11.5)
    assert learnt.now().expected == pytest.approx(10.1)


def test_what_stays_away_is_usual_after_five_visits_and_begins_to_be_learnt_anew() -> None:
    learnt = Learnt()
    for _ in range(10):
        learnt.visit(9.0, 11.0)
    for _ in range(4):
        learnt.visit(499.0, 501.0)
    assert learnt.now().visits == 14
    assert learnt.now().expected < 25
    learnt.visit(499.0, 501.0)
    assert learnt.now()[:2] == (1, 500.0)
    assert learnt.visit(499.0, 501.0).visit(499.0, 501.0).now().visits == 3


def test_one_visit_that_fits_breaks_the_row() -> None:
    learnt = Learnt()
    for _ in range(10):
        learnt.visit(9.0, 11.0)
    for _ in range(3):
        for _ in range(4):
            learnt.visit(499.0, 501.0)
        learnt.visit(9.0, 11.0)
    assert learnt.now().visits == 25


@pytest.mark.parametrize("absurd", [65_535.0, -1e308])
def test_an_absurd_value_at_the_beginning_does_not_make_it_deaf_for_long(absurd: float) -> None:
    learnt = Learnt().visit(*[10.0, 11.0] * 500, absurd)
    visits = 0
    while not (learnt.now().visits >= baseline.FEWEST and learnt.now().spread < 1.0):
        learnt.visit(*[10.0, 11.0] * 500)
        visits += 1
        assert visits <= 20
    assert learnt.now().expected == pytest.approx(10.5)


def test_what_was_never_heard_is_not_known() -> None:
    assert Learnt(parts=48).now(part=47) == Usual(0, 0.0, 0.0)
