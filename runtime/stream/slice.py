"""One partition's slice of the district: its feeds, their delays, its alerts, and how far it has read. No I/O.

A slice is a function of the records of its partition from the first one on. So whoever computes it, and however often,
comes to the same alerts with the same ids: a worker that was taken for dead and goes on does no harm, and what is
written twice is the same twice.
"""

import enum
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from alerts.change import AlertChange
from alerts.kept import LedgerChange
from alerts.lifecycle import AlertStage
from city.device import Device, DeviceType
from city.life import State
from city.own import OWN
from core.errors import DataLossError, UnavailableError
from core.reading import ReadingBatch
from core.stage import Snapshot
from ingest.journal import Entry, decode_batch
from ingest.journal import Kind as JournalKind
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.recovery import apply
from runtime.snapshots import pack_state, unpack_state
from runtime.stream.places import area_of, partition_of
from runtime.stream.plan import kept_by
from runtime.stream.records import Kind, decode_record
from runtime.stream.sessions import Sessions
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

_VERSION = 1
_PART = "slice"
_READINGS = frozenset({JournalKind.READINGS, JournalKind.READINGS_WITH_ARRIVAL})
_NO_DEVICES: Mapping[str, Device] = {}


class Outcome(enum.StrEnum):
    """What became of a record."""

    TAKEN = "taken"
    KNOWN = "known"
    """It is in the state already: a redelivery. Nothing is done."""
    GAP = "gap"
    """Records before it have not come: it is refused, and has to come again after them."""


class Plan(Protocol):
    """Scenes and devices by version."""

    @property
    def types(self) -> Mapping[str, DeviceType]:
        """Device types by id."""

    def scenes(self, version: str) -> SceneSet:
        """The scenes of a version.

        Raises:
            DataLossError: If they are not known.
        """

    def devices(self, version: str) -> Mapping[str, Device]:
        """The devices of a version by id.

        Raises:
            DataLossError: If they are not known.
        """


class Taken(NamedTuple):
    """What one record gave."""

    outcome: Outcome
    changes: list[AlertChange]
    ledger: list[LedgerChange]


class _Feeds:
    """The slice's own feeds by index."""

    def __init__(self, types: Mapping[str, DeviceType], at_home: Callable[[Device], bool]) -> None:
        self.keys: list[bytes] = []
        self.devices = _NO_DEVICES
        self._at_home = at_home
        self._index: dict[bytes, int] = {}
        self._types = types

    def index(self, key: bytes) -> int | None:
        """Index of a feed, None if it is new."""
        return self._index.get(key)

    def add(self, key: bytes) -> int:
        """Index of a new feed."""
        index = self._index[key] = len(self.keys)
        self.keys.append(key)
        return index

    def source(self, index: int) -> tuple[Device, str]:
        """Device and metric."""
        gateway, name, metric = self.keys[index].decode().split("\0")
        found = self.devices.get(name)
        if found is None or found.gateway != gateway or not self._at_home(found):
            # Its readings do not come here any more: as if it were retired.
            found = Device(name, gateway, state=State.RETIRED.value)
        return found, metric

    def feed(self, index: int) -> tuple[Device, str, str]:
        """Device, metric and unit."""
        device, metric = self.source(index)
        kind = self._types.get(device.type)
        unit = kind.metrics[metric].unit if kind is not None and metric in kind.metrics else OWN.get(metric, "")
        return device, metric, unit


class Slice:
    """The state of one partition.

    Args:
        partition: Its number,
        partitions: of so many.
        plan: Scenes and devices by version.
        max_feeds: Most feeds of this partition; memory is reserved, not used, for this many.
        settle_ms: As in the engine.
        wall_ns: Wall time in ns, for latency only.
        tells_ledger: Whether what is kept back is told.

    Attributes:
        next_offset: Offset of the record that it needs next.
        skipped: Records that came again.
    """

    def __init__(
        self,
        partition: int,
        partitions: int,
        plan: Plan,
        *,
        max_feeds: int,
        settle_ms: int,
        wall_ns: Callable[[], int],
        tells_ledger: bool = True,
    ) -> None:
        self.partition = partition
        self._partitions = partitions
        self.next_offset = 0
        self.skipped = 0
        self._plan = plan
        self._max_feeds = max_feeds
        self._settle_ms = settle_ms
        self._wall_ns = wall_ns
        self._tells_ledger = tells_ledger
        self._devices_version = ""
        self._feeds = _Feeds(plan.types, self._at_home)
        self._sessions = Sessions(self._number_of)
        self.chain = self._fresh(SceneSet.of([]))

    @property
    def outlived(self) -> int:
        """Readings left out since a run of a bridge sent them that two later runs have followed."""
        return self._sessions.outlived

    @property
    def feeds(self) -> int:
        """How many feeds it has."""
        return len(self._feeds.keys)

    def take(self, offset: int, value: bytes) -> Taken:
        """What follows from the record at `offset`.

        Raises:
            DataLossError: If it cannot be read, or names scenes or devices that are not known.
            UnavailableError: If it brings more feeds than there is room for.
        """
        if offset < self.next_offset:
            self.skipped += 1
            return Taken(Outcome.KNOWN, [], [])
        if offset > self.next_offset:
            return Taken(Outcome.GAP, [], [])
        changes: list[AlertChange] = []
        try:
            record = decode_record(value)
            for kind, body in record.entries:
                changes += self._entry(record.bridge, record.session, kind, body)
        except DataLossError as error:
            raise DataLossError(f"record {offset} of partition {self.partition}: {error}") from error
        self.next_offset = offset + 1
        return Taken(Outcome.TAKEN, changes, self.chain.take_ledger())

    def warm_up(self) -> None:
        """Have every kernel compiled, or loaded, by readings that are none; no state changes."""
        self.chain.on_batch(ReadingBatch.of([], [], []))
        self.chain.engine.warm_up()

    def state(self) -> bytes:
        """The whole state, with the offset that it belongs to."""
        own: Snapshot = {
            "version": np.array([_VERSION, self.partition, self.chain.readings, self.chain.transitions], np.int64),
            "keys": msgspec.msgpack.encode(self._feeds.keys),
            "sessions": self._sessions.state(),
            "devices": self._devices_version.encode(),
        }
        return pack_state(self.next_offset, {**self.chain.snapshot(), _PART: own})

    def restore(self, content: bytes) -> None:
        """Take up what `state` gave.

        Raises:
            DataLossError: If it is damaged, of another version or partition, or names what is not known.
        """
        offset, stages = unpack_state(content)
        try:
            own = stages[_PART]
            version, partition, readings, transitions = (int(n) for n in np.asarray(own["version"]))
            keys = msgspec.msgpack.decode(_bytes(own["keys"]), type=list[bytes])
            sessions = _bytes(own["sessions"])
            rules = _bytes(stages["chain"]["rules"]).decode()
        except (KeyError, ValueError, msgspec.MsgspecError) as error:
            raise DataLossError(f"the state of partition {self.partition} is damaged: {error}") from error
        if version != _VERSION or partition != self.partition:
            raise DataLossError(
                f"a state of version {version} and partition {partition} was found for partition {self.partition}"
            )
        self._devices_version = _bytes(own["devices"]).decode()
        self._feeds = _Feeds(self._plan.types, self._at_home)
        self._feeds.devices = self._devices()
        for key in keys:
            self._feeds.add(key)
        self._sessions.restore(sessions)
        self.chain = self._fresh(self._scenes(rules))
        self.chain.restore(stages)
        self.chain.devices = self._devices_version
        self.chain.readings, self.chain.transitions = readings, transitions
        self.next_offset = offset

    def _at_home(self, device: Device) -> bool:
        area = area_of(device, kept_by(self._devices_version))
        return partition_of(area, self._partitions) == self.partition

    def _fresh(self, scenes: SceneSet) -> Chain:
        """A chain with every feed bound."""
        engine = Engine(scenes, max_feeds=self._max_feeds, settle_ms=self._settle_ms)
        engine.bind_many(self._feeds.source(index) for index in range(self.feeds))
        stage = AlertStage(AlertScenes(scenes), self._feeds)
        return Chain(Sequencer(self._max_feeds), engine, stage, self._wall_ns, tells_ledger=self._tells_ledger)

    def _entry(self, bridge: str, session: int, kind: int, body: bytes) -> list[AlertChange]:
        if kind in _READINGS:
            batch = decode_batch(Entry(self.next_offset, JournalKind(kind), body))
            return self.chain.on_batch(self._sessions.renumbered(bridge, session, batch))
        if kind == Kind.NAMES:
            self._sessions.learn(bridge, session, body)
            return []
        try:
            entry = Entry(self.next_offset, JournalKind(kind), body)
        except ValueError as error:
            raise DataLossError(f"an entry of unknown kind {kind}: upgrade workers before bridges") from error
        # Verdicts are for the store, which delivery keeps.
        return apply(self.chain, entry, self._switch_scenes, self._switch_devices, judge=lambda _: None)

    def _number_of(self, key: bytes) -> int:
        known = self._feeds.index(key)
        return self._bind(key) if known is None else known

    def _bind(self, key: bytes) -> int:
        if self.feeds >= self._max_feeds:
            raise UnavailableError(
                f"partition {self.partition} has {self._max_feeds} feeds already: raise stream.max_feeds"
            )
        index = self._feeds.add(key)
        self.chain.engine.bind(index, *self._feeds.source(index))
        return index

    def _scenes(self, version: str) -> SceneSet:
        nobody = SceneSet.of([])
        return nobody if version == nobody.version else self._plan.scenes(version)

    def _devices(self) -> Mapping[str, Device]:
        return self._plan.devices(self._devices_version) if self._devices_version else _NO_DEVICES

    def _switch_scenes(self, version: str) -> list[AlertChange]:
        if version == self.chain.engine.scenes.version:
            return []
        changes = self.chain.switch(self._scenes(version))
        self._expect()
        return changes

    def _switch_devices(self, version: str) -> list[AlertChange]:
        """Feeds whose device is another one now, or stands in another partition, are bound again."""
        if version == self._devices_version:
            return []
        before = [self._feeds.source(index)[0] for index in range(self.feeds)]
        self._devices_version = version
        self._feeds.devices = self._devices()
        after = (self._feeds.source(index)[0] for index in range(self.feeds))
        changed = {index: new for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
        changes = self.chain.switch_devices(version, changed)
        self._expect()
        return changes

    def _expect(self) -> None:
        """Let absence count from now on for listed devices of this partition that were never heard."""
        engine = self.chain.engine
        for device in self._feeds.devices.values():
            kind = self._plan.types.get(device.type)
            if kind is None or device.out_of_use or not self._at_home(device):
                continue
            for metric in kind.metrics:
                key = f"{device.gateway}\0{device.id}\0{metric}".encode()
                if engine.tells_absence(device, metric) and self._feeds.index(key) is None:
                    self._bind(key)
        feeds = engine.unexpected()
        if len(feeds):
            self.chain.on_expect(feeds, self.chain.now_ms)


def _bytes(part: object) -> bytes:
    return part if isinstance(part, bytes) else np.asarray(part).tobytes()
