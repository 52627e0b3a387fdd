"""The case's state machine as a table: a row is a rule, and what has no row cannot happen."""

import enum
from collections.abc import Callable
from dataclasses import dataclass


class CaseState(enum.StrEnum):
    """Where a case stands."""

    SCREENING = "screening"
    """受理研判: it has no leaf of the catalogue yet; a person classifies it."""
    PENDING_DISPATCH = "pending_dispatch"
    """待处理: classified, waits for its unit."""


class Trigger(enum.StrEnum):
    """What happens to a case."""

    REPORTED = "reported"
    ALERT_REPORTED_AGAIN = "alert_reported_again"
    """Its alert changed, was acknowledged, went stale or cleared: a line in the audit, and a step only where its alert
    got a leaf, or lost it."""


class Guard(enum.StrEnum):
    """A condition on a row."""

    ALWAYS = "always"
    CLASSIFIED = "classified"
    UNCLASSIFIED = "unclassified"


_HOLDS: dict[Guard, Callable[[str | None], bool]] = {
    Guard.ALWAYS: lambda _leaf: True,
    Guard.CLASSIFIED: lambda leaf: leaf is not None,
    Guard.UNCLASSIFIED: lambda leaf: leaf is None,
}


@dataclass(frozen=True, slots=True)
class Row:
    """In `state`, when `trigger` happens and `guard` holds, `who` takes the case to `next`."""

    state: CaseState | None
    trigger: Trigger
    guard: Guard
    next: CaseState
    who: str


ROWS = (
    Row(None, Trigger.REPORTED, Guard.UNCLASSIFIED, CaseState.SCREENING, "pipeline"),
    Row(None, Trigger.REPORTED, Guard.CLASSIFIED, CaseState.PENDING_DISPATCH, "pipeline"),
    *(
        Row(state, Trigger.ALERT_REPORTED_AGAIN, guard, following, "pipeline")
        for state in (CaseState.SCREENING, CaseState.PENDING_DISPATCH)
        for guard, following in (
            (Guard.UNCLASSIFIED, CaseState.SCREENING),
            (Guard.CLASSIFIED, CaseState.PENDING_DISPATCH),
        )
    ),
)


def next_state(state: CaseState | None, trigger: Trigger, leaf: str | None) -> CaseState:
    """The state after `trigger`; `state` None is a case that does not exist yet.

    Raises:
        LookupError: If no row allows it.
    """
    for row in ROWS:
        if row.state is state and row.trigger is trigger and _HOLDS[row.guard](leaf):
            return row.next
    raise LookupError(f"no row lets a case in state {state} take {trigger}")
