"""The life of a device as a table: which act leads from which state to which."""

import enum
from collections.abc import Mapping
from types import MappingProxyType


class State(enum.StrEnum):
    """Where a device is in its life."""

    UNKNOWN = "unknown"
    """It publishes and is not on the list: its readings are refused, and it is shown for adoption."""
    ADOPTED = "adopted"
    """It is known and on trial: its readings are taken, and its alerts are in shadow."""
    ACTIVE = "active"
    """It decides."""
    SUSPENDED = "suspended"
    """It is out of use for a while: its readings are refused, and its alerts end."""
    RETIRED = "retired"
    """It is gone for good: as suspended."""


class Act(enum.StrEnum):
    """What a person does with a device."""

    ADOPT = "adopt"
    RESUME = "resume"
    SUSPEND = "suspend"
    RETIRE = "retire"


TRANSITIONS: Mapping[tuple[State, Act], State] = MappingProxyType(
    {
        (State.UNKNOWN, Act.ADOPT): State.ADOPTED,
        (State.ADOPTED, Act.RESUME): State.ACTIVE,
        (State.ADOPTED, Act.SUSPEND): State.SUSPENDED,
        (State.ADOPTED, Act.RETIRE): State.RETIRED,
        (State.ACTIVE, Act.SUSPEND): State.SUSPENDED,
        (State.ACTIVE, Act.RETIRE): State.RETIRED,
        (State.SUSPENDED, Act.RESUME): State.ACTIVE,
        (State.SUSPENDED, Act.RETIRE): State.RETIRED,
        (State.RETIRED, Act.ADOPT): State.ADOPTED,  # repaired, and put up again
    }
)
LISTED: tuple[State, ...] = (State.ADOPTED, State.ACTIVE, State.SUSPENDED, State.RETIRED)
"""States that a device list may hold."""
OUT_OF_USE: frozenset[str] = frozenset((State.SUSPENDED, State.RETIRED))
"""States in which readings are refused and nothing decides."""


def after(state: State, act: Act) -> State | None:
    """The state that an act leads to; None where it is not for this state."""
    return TRANSITIONS.get((state, act))


def acts_from(state: State) -> list[Act]:
    """What may be done with a device in a state."""
    return [act for origin, act in TRANSITIONS if origin is state]
