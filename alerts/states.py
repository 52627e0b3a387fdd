"""The life of an alert as a table: what may happen in which state, what follows, and what is said of it."""

import enum
from typing import NamedTuple

from alerts.event import EventType


class State(enum.StrEnum):
    """Where an alert is in its life."""

    NONE = "none"
    """There is no alert."""
    PENDING = "pending"
    """A level's condition holds and its raise delay runs; nobody is told yet."""
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    STALE = "stale"
    """Every feed that holds it open is behind a gateway that is away."""
    STALE_ACKNOWLEDGED = "stale_acknowledged"
    """The same, of an alert that somebody has seen; the wire says `stale`."""
    CLEARED = "cleared"

    @property
    def word(self) -> str:
        """The state as every wire says it."""
        return State.STALE.value if self is State.STALE_ACKNOWLEDGED else self.value

    @property
    def stale(self) -> bool:
        """Whether its source is away."""
        return self in {State.STALE, State.STALE_ACKNOWLEDGED}


class Happening(enum.StrEnum):
    """What can happen to an alert."""

    ONSET = "onset"
    """A raise delay began."""
    LAPSED = "lapsed"
    """The condition stopped holding before the delay was over."""
    RAISED = "raised"
    """A level became active and no open alert takes it."""
    ROSE = "rose"
    """The worst active level is worse than before."""
    FELL = "fell"
    """The worst active level is milder than before."""
    FOLDED = "folded"
    """A feed that was no part of it was raised into it."""
    REPEATED = "repeated"
    """A feed that is or was part of it was raised again, at no worse severity."""
    EASED = "eased"
    """A level of it cleared, and the severity is what it was."""
    ACKNOWLEDGE = "acknowledge"
    """Somebody says that they have seen it."""
    SOURCE_LOST = "source_lost"
    """The last gateway behind it went away."""
    SOURCE_BACK = "source_back"
    """A gateway behind it is back."""
    ENDED = "ended"
    """No level of it is active any more."""


class Decision(enum.StrEnum):
    """Why an event was sent, or why none was: the log line, the label of the metric, the test's assertion."""

    PENDING = "pending"
    NEAR_MISS = "near_miss"
    OPENED = "opened"
    ROSE = "rose"
    FELL = "fell"
    FOLDED = "folded"
    REPEATED = "repeated"
    REPEAT_HELD = "repeat_held"
    """A repeat of an acknowledged alert: counted in the alert, not told."""
    EASED = "eased"
    ACKNOWLEDGED = "acknowledged"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    STALE = "stale"
    REFRESHED = "refreshed"
    CLEARED = "cleared"
    SHADOWED = "shadowed"
    """It would have been told, but the scene is in shadow there."""
    NOT_OPEN = "not_open"
    """Feedback on an alert that was never here, or is cleared."""
    JUDGED = "judged"
    """A person said what it turned out to be; the alert itself stays as it is."""
    UNKNOWN_FEEDBACK = "unknown_feedback"
    """Feedback of a kind that means nothing here."""
    UNKNOWN_LEVEL = "unknown_level"
    """A level ended that is not known to be active or pending: its scene was changed in between."""
    ALREADY_ACTIVE = "already_active"
    """A level was raised that is active already."""
    RULES_CHANGED = "rules_changed"
    """A level ended because the scenes in force no longer watch it."""
    PROMOTED = "promoted"
    """A shadow alert became a real one because its scene went up a step."""


class Step(NamedTuple):
    """What follows: the next state, the event to send (None: nobody is told), and the word for it."""

    state: State
    event: EventType | None
    decision: Decision


_S, _H, _E, _D = State, Happening, EventType, Decision

STEPS: dict[tuple[State, Happening], Step] = {
    (_S.NONE, _H.ONSET): Step(_S.PENDING, None, _D.PENDING),
    (_S.NONE, _H.RAISED): Step(_S.ACTIVE, _E.RAISED, _D.OPENED),
    (_S.PENDING, _H.LAPSED): Step(_S.NONE, None, _D.NEAR_MISS),
    (_S.PENDING, _H.RAISED): Step(_S.ACTIVE, _E.RAISED, _D.OPENED),
    (_S.ACTIVE, _H.ROSE): Step(_S.ACTIVE, _E.CHANGED, _D.ROSE),
    (_S.ACTIVE, _H.FELL): Step(_S.ACTIVE, _E.CHANGED, _D.FELL),
    (_S.ACTIVE, _H.FOLDED): Step(_S.ACTIVE, _E.CHANGED, _D.FOLDED),
    (_S.ACTIVE, _H.REPEATED): Step(_S.ACTIVE, _E.CHANGED, _D.REPEATED),
    (_S.ACTIVE, _H.EASED): Step(_S.ACTIVE, None, _D.EASED),
    (_S.ACTIVE, _H.ACKNOWLEDGE): Step(_S.ACKNOWLEDGED, _E.ACKNOWLEDGED, _D.ACKNOWLEDGED),
    (_S.ACTIVE, _H.SOURCE_LOST): Step(_S.STALE, _E.STALE, _D.STALE),
    (_S.ACTIVE, _H.ENDED): Step(_S.CLEARED, _E.CLEARED, _D.CLEARED),
    (_S.ACKNOWLEDGED, _H.ROSE): Step(_S.ACKNOWLEDGED, _E.CHANGED, _D.ROSE),
    (_S.ACKNOWLEDGED, _H.FELL): Step(_S.ACKNOWLEDGED, _E.CHANGED, _D.FELL),
    (_S.ACKNOWLEDGED, _H.FOLDED): Step(_S.ACKNOWLEDGED, _E.CHANGED, _D.FOLDED),
    (_S.ACKNOWLEDGED, _H.REPEATED): Step(_S.ACKNOWLEDGED, None, _D.REPEAT_HELD),
    (_S.ACKNOWLEDGED, _H.EASED): Step(_S.ACKNOWLEDGED, None, _D.EASED),
    (_S.ACKNOWLEDGED, _H.ACKNOWLEDGE): Step(_S.ACKNOWLEDGED, None, _D.ALREADY_ACKNOWLEDGED),
    (_S.ACKNOWLEDGED, _H.SOURCE_LOST): Step(_S.STALE_ACKNOWLEDGED, _E.STALE, _D.STALE),
    (_S.ACKNOWLEDGED, _H.ENDED): Step(_S.CLEARED, _E.CLEARED, _D.CLEARED),
    (_S.STALE, _H.ROSE): Step(_S.STALE, _E.CHANGED, _D.ROSE),
    (_S.STALE, _H.FELL): Step(_S.STALE, _E.CHANGED, _D.FELL),
    (_S.STALE, _H.FOLDED): Step(_S.STALE, _E.CHANGED, _D.FOLDED),
    (_S.STALE, _H.REPEATED): Step(_S.STALE, _E.CHANGED, _D.REPEATED),
    (_S.STALE, _H.EASED): Step(_S.STALE, None, _D.EASED),
    (_S.STALE, _H.ACKNOWLEDGE): Step(_S.STALE_ACKNOWLEDGED, _E.ACKNOWLEDGED, _D.ACKNOWLEDGED),
    (_S.STALE, _H.SOURCE_BACK): Step(_S.ACTIVE, _E.REFRESHED, _D.REFRESHED),
    (_S.STALE, _H.ENDED): Step(_S.CLEARED, _E.CLEARED, _D.CLEARED),
    (_S.STALE_ACKNOWLEDGED, _H.ROSE): Step(_S.STALE_ACKNOWLEDGED, _E.CHANGED, _D.ROSE),
    (_S.STALE_ACKNOWLEDGED, _H.FELL): Step(_S.STALE_ACKNOWLEDGED, _E.CHANGED, _D.FELL),
    (_S.STALE_ACKNOWLEDGED, _H.FOLDED): Step(_S.STALE_ACKNOWLEDGED, _E.CHANGED, _D.FOLDED),
    (_S.STALE_ACKNOWLEDGED, _H.REPEATED): Step(_S.STALE_ACKNOWLEDGED, None, _D.REPEAT_HELD),
    (_S.STALE_ACKNOWLEDGED, _H.EASED): Step(_S.STALE_ACKNOWLEDGED, None, _D.EASED),
    (_S.STALE_ACKNOWLEDGED, _H.ACKNOWLEDGE): Step(_S.STALE_ACKNOWLEDGED, None, _D.ALREADY_ACKNOWLEDGED),
    (_S.STALE_ACKNOWLEDGED, _H.SOURCE_BACK): Step(_S.ACKNOWLEDGED, _E.REFRESHED, _D.REFRESHED),
    (_S.STALE_ACKNOWLEDGED, _H.ENDED): Step(_S.CLEARED, _E.CLEARED, _D.CLEARED),
}


def mermaid() -> str:
    """The table as a Mermaid state diagram: on each arrow what happens, after `/` the event that is sent."""
    arrows: dict[tuple[State, State], dict[str, list[str]]] = {}
    for (state, happening), step in STEPS.items():
        said = "" if step.event is None else f" / {step.event.name.lower()}"
        arrows.setdefault((state, step.state), {}).setdefault(said, []).append(happening.value)
    lines = ["stateDiagram-v2"]
    for (state, following), labels in arrows.items():
        arrow = f"    {_node(state)} --> {_node(following)}"
        lines += [f"{arrow}: {', '.join(words)}{said}" for said, words in labels.items()]
    lines.append(f"    {_node(State.CLEARED)} --> [*]")
    return "\n".join(lines) + "\n"


def _node(state: State) -> str:
    return "[*]" if state is State.NONE else state.value
