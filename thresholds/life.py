"""The life of a scene as rules: which step is which, who has to agree, and what a scene needs before it opens cases.

References: Ren and Ge, Social Science Research 2023 (5), 35-44: a scene has a complete workflow and a supervising
force, weighs cost against effect, and grows from point to area (verified: yes).
"""

import enum
from collections.abc import Iterator
from typing import NamedTuple

from thresholds.level import SEVERITIES
from thresholds.scene import Scene

STAGES = ("draft", "shadow", "pilot", "live")
"""Upwards. `retired` stands beside them: nothing is evaluated any more."""

OPENS_CASES = frozenset({"pilot", "live"})


class Step(enum.StrEnum):
    """What a new version is to the one in force."""

    NEW = "new"
    """There is none in force; it comes in as a draft or in shadow."""
    EDIT = "edit"
    """Other content at the same stage."""
    UP = "up"
    DOWN = "down"
    RETIRE = "retire"
    REVIVE = "revive"
    """From retired to any other stage."""


_FIRST = frozenset({"draft", "shadow"})


class Wanting(NamedTuple):
    """Something that a scene needs before it may open cases."""

    key: str
    message: str


def step_of(before: Scene | None, after: Scene) -> Step:
    """What `after` is to what is in force."""
    if before is None:
        return Step.NEW
    if before.stage == after.stage:
        return Step.EDIT
    if after.stage == "retired":
        return Step.RETIRE
    if before.stage == "retired":
        return Step.REVIVE
    return Step.UP if STAGES.index(after.stage) > STAGES.index(before.stage) else Step.DOWN


def needs_second_person(step: Step, after: Scene) -> bool:
    """Whether somebody else than the author has to agree.

    Every step up, and everything that changes which cases open: a new or changed scene in pilot or live. A step down or
    out is one person's: what cries wolf has to be stopped at once, and it is written down who did it and why.
    """
    if step in {Step.DOWN, Step.RETIRE}:
        return False
    return step in {Step.UP, Step.REVIVE} or after.stage in OPENS_CASES


def jumps(before: Scene | None, after: Scene) -> bool:
    """Whether a stage is left out: a scene grows step by step, so that each is seen before the next."""
    step = step_of(before, after)
    if step in {Step.NEW, Step.REVIVE}:
        return after.stage not in _FIRST
    return step is Step.UP and before is not None and STAGES.index(after.stage) - STAGES.index(before.stage) > 1


def wanting(scene: Scene) -> Iterator[Wanting]:
    """What a scene lacks to open cases; nothing for one that opens none."""
    if scene.stage not in OPENS_CASES:
        return
    if not (scene.title.en and scene.title.zh):
        yield Wanting("title", "operators read both: give title.en and title.zh")
    if scene.owner is None or not scene.owner.unit:
        yield Wanting("owner.unit", "a scene that opens cases has a unit that supervises it")
    if scene.owner is None or not scene.owner.force:
        yield Wanting("owner.force", "a scene that opens cases has a force that handles them")
    if not scene.sources:
        yield Wanting("sources", "say where the limits come from, verified or not")
    opening = SEVERITIES[SEVERITIES.index(scene.raises.from_) :]
    if any(leaf is None for severity, _, leaf in scene.leaves if severity in opening):
        yield Wanting("raises.leaf", "its cases need a leaf of the catalogue, by which they are dispatched")
    if scene.raises.budget_per_day is None:
        yield Wanting("raises.budget_per_day", "say how many cases a day are bearable")
    if scene.stage == "live":
        yield from _worth(scene)


def _worth(scene: Scene) -> Iterator[Wanting]:
    given = scene.worth
    for key in ("build_cost", "yearly_cost", "minutes_saved_per_case"):
        if given is None or getattr(given, key) is None:
            yield Wanting(f"worth.{key}", "a live scene says what it costs and what it saves")
