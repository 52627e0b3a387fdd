import pytest

from city.life import LISTED, OUT_OF_USE, TRANSITIONS, Act, State, acts_from, after

TABLE = """
            adopt      resume     suspend     retire
unknown     adopted    -          -           -
adopted     -          active     suspended   retired
active      -          -          suspended   retired
suspended   -          active     -           retired
retired     adopted    -          -           -
"""
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(row[0], act, cell) for row in ROWS for act, cell in zip(HEAD, row[1:], strict=True)]


@pytest.mark.parametrize(("state", "act", "expected"), CELLS)
def test_an_act_leads_from_a_state_to_a_state_or_nowhere(state: str, act: str, expected: str) -> None:
    assert after(State(state), Act(act)) == (None if expected == "-" else State(expected))


def test_the_table_has_every_state_and_every_act() -> None:
    assert {state for state, _, _ in CELLS} == set(State)
    assert {act for _, act, _ in CELLS} == set(Act)


def test_from_every_state_there_is_a_way_to_active() -> None:
    reaching: set[State] = {State.ACTIVE}
    for _ in State:
        reaching |= {origin for (origin, _), target in TRANSITIONS.items() if target in reaching}
    assert reaching == set(State)


def test_a_list_holds_every_state_but_unknown_and_two_of_them_are_out_of_use() -> None:
    assert set(LISTED) == set(State) - {State.UNKNOWN}
    assert set(LISTED) > OUT_OF_USE
    assert acts_from(State.ACTIVE) == [Act.SUSPEND, Act.RETIRE]
