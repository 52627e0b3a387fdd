"""The simulated district through the live stages, faster than real time: what a scene library would have raised.

No broker, journal or dispatch core runs; everything that decides is what decides live.
"""

from collections.abc import Iterator, Mapping

from city.catalogue import load_catalogue
from city.device import DeviceType
from city.own import OWN
from core.clock import parse_rfc3339
from core.reading import ReadingBatch
from ingest.clocks import Clocks
from runtime.offline import Feed, OfflineAlert, OfflineRun
from runtime.score import Held, Raised, Score, score
from simulators.run import Batch, Sent, batches, feeds
from simulators.truth import truth_of
from simulators.world import World
from thresholds.scene_set import SceneSet

_ROWS = 1 << 18
_TOLERANCE_MS = 60_000
"""As in the configuration, `ingest.clock_tolerance`."""
_SETTLE_MS = 86_400_000
"""Delays that are running at the end are given so long: nothing is cut off that time alone would end."""


class SimulatedRun:
    """One run of a world through the stages.

    Args:
        world: What is played.
        scenes: What decides.
    """

    def __init__(self, world: World, scenes: SceneSet) -> None:
        self.sent = Sent()
        self._world = world
        self._scenes = scenes
        sent = _feeds(world, load_catalogue())
        own = [(device, metric, unit) for device in world.district.devices for metric, unit in OWN.items()]
        number = {(device.id, metric): len(sent) + at for at, (device, metric, _) in enumerate(own)}
        self._clocks = Clocks(
            len(sent), lambda feed: (sent[feed][0].gateway, sent[feed][0].id),
            lambda _, device, metric: number[device, metric], tolerance_ms=_TOLERANCE_MS,
        )  # fmt: skip
        self._names = [device.id for device, _, _ in (*sent, *own)]
        self._run = OfflineRun(scenes, [*sent, *own])

    @property
    def alerts(self) -> Mapping[str, OfflineAlert]:
        """Everything that was raised so far, by id."""
        return self._run.alerts

    @property
    def kept_back(self) -> int:
        """How many levels were raised while another scene kept them back."""
        return self._run.chain.gate.counts["inhibited"]

    def play(self) -> Iterator[int]:
        """Play it all; after each piece the time it has come to, ms."""
        for batch in batches(self._world, sent=self.sent):
            for part in _parts(batch):
                told = self._clocks.take(part)
                self._run.take([part] if told is None else [part, told])
            yield int(batch.arrival_ns[-1]) // 1_000_000
        self._run.pass_time(self._world.scenario.end_ms + _SETTLE_MS)

    def scored(self, slack_ms: int) -> Score:
        """What was raised against what happened; nothing was carried, so nothing can have been lost on the way."""
        truth = truth_of(self._world, self.sent)
        end = parse_rfc3339(truth.end)
        gateways = {device.id: device.gateway for device in self._world.district.devices}
        alerts = [
            _raised(name, alert, gateways) for name, alert in self._run.alerts.items() if alert.last.raised_ms <= end
        ]
        return score(truth, alerts, slack_ms=slack_ms, held=self._held())

    def _held(self) -> list[Held]:
        """What was kept back behind a scene that tells."""
        scenes = {scene.id: scene for scene in self._scenes.scenes}
        gate = self._run.chain.gate
        return [
            Held(one.scene, self._names[one.feed], one.at, one.by)
            for one in (*gate.ended, *gate.ledger)
            if one.reason == "inhibited" and scenes[one.by].stage != "shadow"
        ]


def _parts(batch: Batch) -> Iterator[ReadingBatch]:
    for begin in range(0, batch.readings, _ROWS):
        rows = slice(begin, begin + _ROWS)
        yield ReadingBatch.of(batch.feed[rows], batch.event_ms[rows], batch.value[rows], batch.arrival_ns[rows])


def _feeds(world: World, types: Mapping[str, DeviceType]) -> list[Feed]:
    devices = {device.id: device for device in world.district.devices}
    return [(devices[name], metric, types[devices[name].type].metrics[metric].unit) for name, metric in feeds(world)]


def _raised(name: str, alert: OfflineAlert, gateways: Mapping[str, str]) -> Raised:
    data = alert.last.data
    device = alert.last.opened_by.partition("/")[0]
    return Raised(
        id=name,
        scene=data.scene,
        device=device,
        gateway=gateways[device],
        place=data.place,
        severity=data.worst_severity,
        raised_ms=alert.last.raised_ms,
        case=alert.case,
        auto=data.auto,
        devices=frozenset(feed.partition("/")[0] for feed in data.feeds),
        delay_ms=alert.delay_ms,
        until_ms=alert.last.cleared_ms,
    )
