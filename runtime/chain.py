"""The stages one after the other, as live, recovery and replay run them: entries in, alert changes out. No I/O."""

from collections.abc import Callable, Collection, Mapping

import numpy as np

from alerts.change import AlertChange
from alerts.event import MAINTENANCE, PROFILE_OFF, PROFILE_ON, RESET, Feedback
from alerts.kept import LedgerChange
from alerts.lifecycle import AlertStage
from city.device import Device
from core.clock import parse_rfc3339
from core.reading import Int32, Quality, ReadingBatch, is_derived
from core.stage import Snapshot
from ingest.codec import ClockTick, GatewayState
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from thresholds.engine import Engine
from thresholds.gate import Gate, Maintenance
from thresholds.scene_set import SceneSet
from thresholds.transition import Transitions

Decided = Callable[[], int]
"""Asks for the wall clock in ns, for latency only: no decision depends on it."""


class Chain:
    """Sequencing, thresholds, the gate and alerts on one order of entries.

    Time passes only by what is given: to each reading's arrival, to a gateway state's and to `on_timer`.

    Args:
        sequencer: The first stage.
        engine: The second.
        alerts: The last.
        wall_ns: The wall clock.
        tells_ledger: Whether what the gate keeps back is told; whoever says so asks `take_ledger`.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        engine: Engine,
        alerts: AlertStage,
        wall_ns: Decided,
        *,
        tells_ledger: bool = False,
    ) -> None:
        self.sequencer = sequencer
        self.engine = engine
        self.alerts = alerts
        self.gate = Gate(engine.scenes, engine.device, tells=tells_ledger)
        self.now_ms = 0
        self.feedback_position = 0
        self.readings = 0
        self.transitions = 0
        self.devices = ""
        self._wall_ns = wall_ns

    def on_batch(self, batch: ReadingBatch, *, received_ns: int | None = None) -> list[AlertChange]:
        """What follows from a batch; `received_ns` is the wall time of its arrival on a recording's clock."""
        self.readings += 0 if is_derived(batch) else len(batch)
        if len(batch):
            self.now_ms = max(self.now_ms, int(batch.arrival[-1]) // 1_000_000)
        transitions = self._gated(self.engine.on_batch(self.sequencer.on_batch(batch)), self.now_ms)
        if not len(transitions):
            return []
        untimed = batch.feed[batch.quality & Quality.NO_TIME > 0]
        return self._alert(transitions, received_ns=received_ns, untimed=frozenset(untimed.tolist()))

    def on_decided(self, transitions: Transitions, now_ms: int) -> list[AlertChange]:
        """What follows from what the engine has decided otherwise than by `on_batch`; time has passed to `now_ms`."""
        self.now_ms = max(self.now_ms, now_ms)
        return self._alert(self._gated(transitions, self.now_ms))

    def take_ledger(self) -> list[LedgerChange]:
        """What has come into the ledger, or changed in it, since this was asked last."""
        news = self.gate.take_news()
        return self.alerts.tell_ledger(news) if news else []

    def on_gateway(self, state: GatewayState) -> list[AlertChange]:
        """What follows from a gateway, or a device behind it, going or coming; time passes to that moment first."""
        changes = self.on_timer(state.at_ms)
        return changes + self.alerts.on_gateway(state.gateway, state.online, state.at_ms, device=state.device)

    def on_feedback(self, feedback: Feedback, now_ms: int) -> list[AlertChange]:
        """What follows from what a person said; the same one again changes nothing."""
        if feedback.seq <= self.feedback_position:
            return []
        self.feedback_position = feedback.seq
        changes = self.on_timer(now_ms)
        if feedback.kind in (PROFILE_ON, PROFILE_OFF):
            self.switch_profile(feedback.alert, on=feedback.kind == PROFILE_ON)
            return changes
        if feedback.kind == MAINTENANCE:
            return changes + self._maintain(feedback, now_ms)
        if feedback.kind == RESET:
            return changes + self._reset(feedback.alert, now_ms)
        return changes + self.alerts.on_feedback(feedback, now_ms)

    def _maintain(self, feedback: Feedback, now_ms: int) -> list[AlertChange]:
        """Somebody works on devices until a time: what they raise is kept back, and what still holds is raised then."""
        try:
            since = now_ms if feedback.since is None else parse_rfc3339(feedback.since)
            until = now_ms if feedback.until is None else parse_rfc3339(feedback.until)
            work = Maintenance(feedback.alert, feedback.where or {}, since, until, feedback.by)
            return self._alert(self.gate.maintain(work, now_ms))
        except ValueError:
            return self.alerts.on_feedback(feedback, now_ms)  # counts it as one that means nothing

    def _reset(self, alert: str, now_ms: int) -> list[AlertChange]:
        """A person lets go what is latched in an alert; what still holds stays."""
        found = self.alerts.members_of(alert)
        if found is None:
            return []
        scene, feeds = found
        released = self.engine.release(scene, np.array(feeds, np.int32), now_ms)
        return self._alert(self._gated(released, now_ms))

    def on_clock(self, tick: ClockTick) -> list[AlertChange]:
        """A recording's clock has moved on."""
        return self.on_timer(tick.at_ms)

    def on_resume(self, now_ms: int) -> None:
        """Nobody listened until now: running delays go on from here, so that a backlog has its say first."""
        self.engine.resume(now_ms)

    def on_expect(self, feeds: Int32, now_ms: int) -> None:
        """These feeds are known from now on: where nothing was heard of them, absence counts from here."""
        self.engine.expect(feeds, now_ms)

    def on_timer(self, now_ms: int) -> list[AlertChange]:
        """What follows from time having passed to `now_ms`."""
        self.now_ms = max(self.now_ms, now_ms)
        due = self.next_timer()
        if due is None or due > now_ms:
            return []
        return self._alert(self._gated(self.engine.on_timer(now_ms), now_ms))

    def next_timer(self) -> int | None:
        """When time alone will have something to say, ms."""
        due = [time for time in (self.engine.next_timer(), self.gate.next_timer()) if time is not None]
        return min(due, default=None)

    def _gated(self, transitions: Transitions, now_ms: int) -> Transitions:
        """What the gate lets through of these, and what it lets go by `now_ms`."""
        passed = self.gate.on_transitions(transitions) if len(transitions) else transitions
        due = self.gate.next_timer()
        if due is None or due > now_ms:
            return passed
        return Transitions.concat([passed, self.gate.on_timer(now_ms)])

    def snapshot(self) -> dict[str, Snapshot]:
        """The state of every stage by name."""
        return {
            "sequencer": self.sequencer.snapshot(),
            "engine": self.engine.snapshot(),
            "alerts": self.alerts.snapshot(),
            "gate": self.gate.snapshot(),
            "chain": {
                "profiles": "\n".join(sorted(self.engine.scenes.profiles)).encode(),
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
        profiles = stages["chain"].get("profiles", b"")
        switched_on = (profiles if isinstance(profiles, bytes) else profiles.tobytes()).decode().split("\n")
        scenes = self.engine.scenes.under([name for name in switched_on if name])
        if scenes.profiles:
            self.engine.replace(scenes)
        self.engine.restore(stages["engine"])
        if "gate" in stages:
            self.gate.restore(stages["gate"])
        self.alerts.restore(stages["alerts"])
        self.now_ms, self.feedback_position = (int(n) for n in np.asarray(stages["chain"]["now_ms"]))

    def switch(self, scenes: SceneSet) -> list[AlertChange]:
        """Other scenes decide from here on; what follows for alerts whose levels are there no more."""
        scenes = scenes.under(self.engine.scenes.profiles)
        self.engine.replace(scenes)
        passed = self.gate.replace(scenes, self.now_ms, self.engine.watches)
        changes = self.alerts.replace(AlertScenes(scenes), self.now_ms, keeps=self.engine.watches)
        return changes + self._alert(passed)

    def switch_profile(self, profile: str, *, on: bool) -> None:
        """A person switches a set of overrides on or off; it acts from the next reading of each feed on."""
        now = self.engine.scenes.profiles
        self.engine.replace(self.engine.scenes.under(now | {profile} if on else now - {profile}))

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
        scenes = self.engine.scenes
        passed = self.gate.replace(scenes, self.now_ms, self.engine.watches)
        changes = self.alerts.replace(AlertScenes(scenes), self.now_ms, keeps=self.engine.watches)
        return changes + self._alert(passed)

    def _alert(
        self, transitions: Transitions, *, received_ns: int | None = None, untimed: Collection[int] = ()
    ) -> list[AlertChange]:
        if not len(transitions):
            return []
        self.transitions += len(transitions)
        return self.alerts.on_transitions(transitions, self._wall_ns(), received_ns=received_ns, untimed=untimed)
