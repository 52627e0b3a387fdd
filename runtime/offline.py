"""The live stages over readings that are there already: no broker, no journal, no clock but the readings' own.

The same sequencing, kernel and life cycle as live; what is left out is transport and storage. A case is what the
dispatch core would have opened: one for each alert that was told with `auto`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerts.change import AlertChange
from alerts.lifecycle import AlertStage
from city.device import Device
from core.reading import ReadingBatch
from core.severity import Severity
from ingest.codec import GatewayState
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet
from thresholds.transition import Transitions

Feed = tuple[Device, str, str]
"""Device, metric, unit."""


@dataclass(slots=True)
class OfflineAlert:
    """One alert to the end of the run.

    Attributes:
        last: What was told of it last.
        delay_ms: Configured delay of the level that opened it, ms.
        case: Whether it has a case.
    """

    last: AlertChange
    delay_ms: int
    case: bool

    @property
    def worst(self) -> Severity:
        """The worst severity it reached."""
        return Severity.of(self.last.data.worst_severity)


class NamedFeeds:
    """Feeds by index, as the alert stage asks for them."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds

    def feed(self, index: int) -> Feed:
        """Device, metric and unit of a feed."""
        return self._feeds[index]


class OfflineRun:
    """Scenes over batches whose `feed` counts `feeds`.

    Args:
        scenes: What decides.
        feeds: Every feed that may come, in the order of their indices.
        settle_ms: As in the engine.
        sequencer: In place of one that marks late and repeated readings anew.
    """

    def __init__(
        self, scenes: SceneSet, feeds: Sequence[Feed], *, settle_ms: int = 1_000, sequencer: Sequencer | None = None
    ) -> None:
        room = max(1, len(feeds))
        engine = Engine(scenes, max_feeds=room, settle_ms=settle_ms)
        engine.bind_many((device, metric) for device, metric, _ in feeds)
        stage = AlertStage(AlertScenes(scenes), NamedFeeds(feeds), wall=False)
        self.chain = Chain(sequencer or Sequencer(room), engine, stage, lambda: 0)
        self.alerts: dict[str, OfflineAlert] = {}

    def take(self, entries: Iterable[ReadingBatch | GatewayState]) -> None:
        """Let what comes decide, in its order."""
        for entry in entries:
            if isinstance(entry, ReadingBatch):
                self._note(self.chain.on_batch(entry))
            else:
                self._note(self.chain.on_gateway(entry))

    def decided(self, transitions: Transitions, now_ms: int) -> None:
        """Take what the engine has decided by itself; time has passed to `now_ms`."""
        self._note(self.chain.on_decided(transitions, now_ms))

    def pass_time(self, now_ms: int) -> None:
        """Let delays end that are over by `now_ms`, without a reading."""
        self._note(self.chain.on_timer(now_ms))

    def switch(self, scenes: SceneSet) -> None:
        """Let other scenes decide from here on; running delays are taken over as live."""
        self._note(self.chain.switch(scenes))

    def _note(self, changes: Iterable[AlertChange]) -> None:
        for change in changes:
            known = self.alerts.get(change.data.alert)
            if known is None:
                self.alerts[change.data.alert] = OfflineAlert(change, change.timing.delay_ms or 0, change.data.auto)
            else:
                known.last = change
                known.case = known.case or change.data.auto
