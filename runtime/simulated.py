"""A private system that a simulated district is played into, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from core.clock import parse_rfc3339
from runtime.cli_score import stored_alert
from runtime.gateways import Count, Plan, read
from runtime.known_scenes import scene_ids
from runtime.private import PrivateSystem
from runtime.score import Score, score
from runtime.summary import summary
from simulators import district
from simulators.district import District
from simulators.run import Sent
from simulators.truth import Truth, truth_of
from simulators.world import Scenario, World

_REPORT = "gateways.json"
_DAY_MS = 86_400_000


class SimulatedSystem(PrivateSystem):
    """Broker, hub, pipeline and the simulated gateways.

    Args:
        there: The district.
        scenario: What is played; it begins when the gateways are connected.
        scenes: Files and folders of scenes; empty for the shipped ones.
        broker: `auto`, `mosquitto` or `rumqttd`.
        history: Whether readings are kept beside the journal.
        on_line: Takes lines about restarts.
    """

    def __init__(
        self,
        there: District,
        scenario: Scenario,
        *,
        scenes: Sequence[Path] = (),
        broker: str = "auto",
        history: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self._there = there
        self._scenario = scenario
        self._scene_ids = scene_ids(scenes)
        self._world: World | None = None
        self._score: Score | None = None
        super().__init__(
            there.devices, scenes=scenes, broker=broker, history=history, more={"gateways": _plan}, on_line=on_line
        )

    def plan(self) -> Mapping[str, Any]:
        """Write the plan of the role `gateways`, and the section of the configuration that names it."""
        place = self.folder / "district.npz"
        district.save(self._there, place)
        plan = Plan(
            district=str(place), scenario=self._scenario, host="127.0.0.1", port=self.broker_port,
            report=str(self.folder / _REPORT),
        )  # fmt: skip
        (self.folder / "plan.json").write_bytes(msgspec.json.encode(plan))
        return {"plan": "plan.json"}

    def count(self) -> Count:
        """What the gateways have sent so far."""
        count = read(self.folder / _REPORT)
        if count.begin_ms and self._world is None:
            # Laid out while it runs, so that the end, which somebody waits for, need not.
            self._world = self._laid_out(count)
        return count

    def truth(self, count: Count) -> Truth:
        """What happened while the gateways counted."""
        sent = Sent(count.messages, count.sent, count.duplicates, count.by_gateway)
        return truth_of(self._world or self._laid_out(count), sent, until_ms=count.until_ms)

    def result(self, count: Count, ran_s: float, *, slack_s: float, truth: Truth | None = None) -> dict[str, Any]:
        """The summary, with lost and doubled readings counted against what was sent, and incidents found and missed.

        Args:
            count: What the gateways counted in the end.
            ran_s: Seconds that it ran.
            slack_s: An incident that begins so shortly before the end need not be found.
            truth: What happened, where it is known already.
        """
        status, alerts = self.status(), self.alerts()
        happened = truth or self.truth(count)
        twice = len(alerts) - len({(a.scene, a.place, a.feed, a.raised_ms) for a in alerts})
        repeated = status.get("repeated", 0)
        taken = status.get("readings", 0) - repeated
        doubled = repeated - count.duplicates + twice
        seen_by_ms = count.until_ms - int(slack_s * 1000)
        self._score = score(
            happened,
            [stored_alert(alert) for alert in alerts],
            slack_ms=_DAY_MS,
            taken=taken,
            doubled=doubled,
            due=lambda one: not self._scene_ids.isdisjoint(one.scenes) and parse_rfc3339(one.start) <= seen_by_ms,
        )
        return summary(
            status,
            seconds=ran_s,
            cases=self.cases(),
            lost=count.sent - taken,
            doubled=doubled,
            sent=count.sent,
            late_ms=count.late_ms,
            incidents={
                "sent": self._score.incidents,
                "found": self._score.found,
                "missed": self._score.missed,
                "false": self._score.false_alerts,
            },
            score=self._score,
        )

    @property
    def score(self) -> Score:
        """What was raised against what happened, as `result` found it.

        Raises:
            ValueError: Before that.
        """
        if self._score is None:
            raise ValueError("nothing was scored yet")
        return self._score

    def _laid_out(self, count: Count) -> World:
        return World(self._there, msgspec.structs.replace(self._scenario, begin_ms=count.begin_ms))


def _plan(system: PrivateSystem) -> Mapping[str, Any]:
    assert isinstance(system, SimulatedSystem)  # noqa: S101 - it is given to no other
    return system.plan()
