"""The stages one after the other, as live, recovery and replay run them: entries in, alert changes out. No I/O."""

from collections.abc import Callable, Collection, Mapping

import numpy as np

from alerts.change import AlertChange
from alerts.event import Feedback
from alerts.lifecycle import AlertStage
from city.device import Device
from core.reading import Quality, ReadingBatch
from core.stage import Snapshot
from ingest.codec import ClockTick, GatewayState
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet
from thresholds.transition import Transitions

Decided = Callable[[], int]
"""Asks for the wall clock in ns, for latency only: no decision depends on it."""


class Chain:
    """Sequencing, thresholds and alerts on one order of entries.

    Time passes only by what is given: to each reading's arrival, to a gateway state's and to `on_timer`.
    """

    def __init__(self, sequencer: Sequencer, engine: Engine, alerts: AlertStage, wall_ns: Decided) -> None:
        self.sequencer = sequencer
        self.engine = engine
        self.alerts = alerts
        self.now_ms = 0
        self.feedback_position = 0
        self.readings = 0
        self.transitions = 0
        self.devices = ""
        self._wall_ns = wall_ns

    def on_batch(self, batch: ReadingBatch, *, received_ns: int | None = None) -> list[AlertChange]:
        """What follows from a batch; `received_ns` is the wall time of its arrival on a recording's clock."""
        self.readings += len(batch)
        if len(batch):
            self.now_ms = max(self.now_ms, int(batch.arrival[-1]) // 1_000_000)
        transitions = self.engine.on_batch(self.sequencer.on_batch(batch))
        if not len(transitions):
            return []
        untimed = batch.feed[batch.quality & Quality.NO_TIME > 0]
        return self._alert(transitions, received_ns=received_ns, untimed=frozenset(untimed.tolist()))

    def on_gateway(self, state: GatewayState) -> list[AlertChange]:
        """What follows from a gateway going or coming; time passes to that moment first."""
        changes = self.on_timer(state.at_ms)
        return changes + self.alerts.on_gateway(state.gateway, state.online, state.at_ms)

    def on_feedback(self, feedback: Feedback, now_ms: int) -> list[AlertChange]:
        """What follows from what a person said; the same one again changes nothing."""
        if feedback.seq <= self.feedback_position:
            return []
        self.feedback_position = feedback.seq
        return self.on_timer(now_ms) + self.alerts.on_feedback(feedback, now_ms)

    def on_clock(self, tick: ClockTick) -> list[AlertChange]:
        """A recording's clock has moved on."""
        return self.on_timer(tick.at_ms)

    def on_resume(self, now_ms: int) -> None:
        """Nobody listened until now: running delays go on from here, so that a backlog has its say first."""
        self.engine.resume(now_ms)

    def on_timer(self, now_ms: int) -> list[AlertChange]:
        """What follows from time having passed to `now_ms`."""
        self.now_ms = max(self.now_ms, now_ms)
        due = self.engine.next_timer()
        if due is None or due > now_ms:
            return []
        return self._alert(self.engine.on_timer(now_ms))

    def next_timer(self) -> int | None:
        """When time alone will have something to say, ms."""
        return self.engine.next_timer()

    def snapshot(self) -> dict[str, Snapshot]:
        """The state of every stage by name."""
        return {
            "sequencer": self.sequencer.snapshot(),
            "engine": self.engine.snapshot(),
            "alerts": self.alerts.snapshot(),
            "chain": {
                "now_ms": np.array([self.now_ms, self.feedback_position], np.int64),
                "rules": self.engine.scenes.version.encode(),
                "devices": self.devices.encode(),
            },
        }

    def restore(self, stages: dict[str, Snapshot]) -> None:
        """Take up a snapshot.

        Raises:
            DataLossError: If a stage's part is missing or of another version.
        """
        self.sequencer.restore(stages["sequencer"])
        self.engine.restore(stages["engine"])
        self.alerts.restore(stages["alerts"])
        self.now_ms, self.feedback_position = (int(n) for n in np.asarray(stages["chain"]["now_ms"]))

    def switch(self, scenes: SceneSet) -> list[AlertChange]:
        """Other scenes decide from here on; what follows for alerts whose levels are there no more."""
        self.engine.replace(scenes)
        return self.alerts.replace(AlertScenes(scenes), self.now_ms, keeps=self.engine.watches)

    def switch_devices(self, version: str, changed: Mapping[int, Device]) -> list[AlertChange]:
        """Another device list holds from here on.

        Levels of feeds that nobody watches any more leave their alerts; alerts of devices that were on trial open.

        Args:
            version: Of the list.
            changed: The device of every feed that stands for another one now; `alerts` knows it already.
        """
        self.devices = version
        if not changed:
            return []
        self.engine.rebind(changed)
        return self.alerts.replace(AlertScenes(self.engine.scenes), self.now_ms, keeps=self.engine.watches)

    def _alert(
        self, transitions: Transitions, *, received_ns: int | None = None, untimed: Collection[int] = ()
    ) -> list[AlertChange]:
        if not len(transitions):
            return []
        self.transitions += len(transitions)
        return self.alerts.on_transitions(transitions, self._wall_ns(), received_ns=received_ns, untimed=untimed)
