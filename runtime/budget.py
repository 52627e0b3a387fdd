"""A budget with teeth: a scene that breaks it soon after publishing falls back to its last version, and says so."""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from core.clock import Clock
from core.errors import ScenewatchError
from core.units import format_duration
from thresholds.life import OPENS_CASES
from thresholds.register import Refusal, RefusedError, SceneRegister, Version

log = logging.getLogger("scenewatch.budget")

AUTHOR = "budget"
_LOOK_S = 2.0


class Broken(NamedTuple):
    """A scene that opened more cases than it said are bearable; `back_to` is None where there was nothing to go to."""

    scene: str
    number: int
    cases: int
    budget: int
    back_to: int | None


class BudgetGuard:
    """Looks at every version that came into force lately, and counts the cases since.

    Args:
        register: The register of scenes.
        opened_since: How many cases of a scene were opened since a time in ms.
        clock: What is taken for now.
        watch_ms: How long after a version came into force it is watched.
        stop: Ends the thread.

    Attributes:
        broken: What was found so far, the newest last.
    """

    def __init__(
        self,
        register: SceneRegister,
        opened_since: Callable[[str, int], int],
        clock: Clock,
        watch_ms: int,
        stop: threading.Event,
    ) -> None:
        self.broken: list[Broken] = []
        self._register = register
        self._opened_since = opened_since
        self._clock = clock
        self._watch_ms = watch_ms
        self._stop = stop
        self._told: set[tuple[str, int]] = set()
        self._thread = threading.Thread(target=self._run, name="budget-guard", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look(self) -> None:
        """Look once at every version that is still under watch."""
        now = self._clock.now_ms()
        for version in self._register.all_in_force():
            since = version.decided_ms or version.at_ms
            known = (version.scene, version.number)
            if version.stage in OPENS_CASES and now - since <= self._watch_ms and known not in self._told:
                self._check(version, since, now)

    def _check(self, version: Version, since: int, now: int) -> None:
        budget = self._register.scene(version).raises.budget_per_day
        if budget is None:
            return
        cases = self._opened_since(version.scene, since)
        if cases <= budget:
            return
        self._told.add((version.scene, version.number))
        back = self._back(
            version, f"{cases} cases in {format_duration(_whole_s(now - since))}, {budget} a day are bearable", now
        )
        self.broken.append(Broken(version.scene, version.number, cases, budget, back))

    def _back(self, version: Version, reason: str, now: int) -> int | None:
        name = f"{version.scene} version {version.number}"
        try:
            after = self._register.roll_back(version.scene, AUTHOR, reason, now)
        except RefusedError as error:
            if error.why is not Refusal.UNKNOWN:
                raise
            log.warning("%s breaks its budget (%s) and has no earlier version to go back to", name, reason)
            return None
        # What it fell back to was bearable before; it is not watched again for this.
        self._told.add((after.scene, after.number))
        log.warning("%s breaks its budget (%s): %s", name, reason, after.reason)
        return after.number

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            try:
                self.look()
            except ScenewatchError as error:
                log.warning("budgets cannot be looked at: %s", error)


def _whole_s(ms: int) -> int:
    return max(1_000, ms // 1_000 * 1_000)
