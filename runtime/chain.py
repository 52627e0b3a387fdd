"""The stages one after the other, as live, recovery and replay run them: entries in, alert changes out. No I/O."""

from collections.abc import Callable

from alerts.lifecycle import AlertChange, AlertStage

from core.reading import ReadingBatch
from core.stage import Snapshot
from ingest.codec import ClockTick, GatewayState
from ingest.sequencing import Sequencer
from thresholds.engine import Engine
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
        self.readings = 0
        self.transitions = 0
        self._wall_ns = wall_ns

    def on_batch(self, batch: ReadingBatch) -> list[AlertChange]:
        """What follows from a batch."""
        self.readings += len(batch)
        return self._alert(self.engine.on_batch(self.sequencer.on_batch(batch)))

    def on_gateway(self, state: GatewayState) -> list[AlertChange]:
        """What follows from a gateway going or coming; time passes to that moment first."""
        changes = self.on_timer(state.at_ms)
        return changes + self.alerts.on_gateway(state.gateway, state.online, state.at_ms)

    def on_clock(self, tick: ClockTick) -> list[AlertChange]:
        """A recording's clock has moved on."""
        return self.on_timer(tick.at_ms)

    def on_resume(self, now_ms: int) -> None:
        """Nobody listened until now: running delays go on from here, so that a backlog has its say first."""
        self.engine.resume(now_ms)

    def on_timer(self, now_ms: int) -> list[AlertChange]:
        """What follows from time having passed to `now_ms`."""
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
        }

    def restore(self, stages: dict[str, Snapshot]) -> None:
        """Take up a snapshot.

        Raises:
            DataLossError: If a stage's part is missing or of another version.
        """
        self.sequencer.restore(stages["sequencer"])
        self.engine.restore(stages["engine"])
        self.alerts.restore(stages["alerts"])

    def _alert(self, transitions: Transitions) -> list[AlertChange]:
        if not len(transitions):
            return []
        self.transitions += len(transitions)
        return self.alerts.on_transitions(transitions, self._wall_ns())
