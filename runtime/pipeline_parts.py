"""What the loop of the pipeline works on: opened, and brought to the end of the journal."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerts.change import AlertChange
from alerts.lifecycle import AlertStage
from alerts.store import AlertStore
from alerts.stored import Durability
from city.cases import cases_when_asked
from city.catalogue import load_catalogue
from city.device import DeviceType
from city.leaf import CaseCatalogue
from core.clock import wall_ns
from core.errors import ConfigError
from ingest.births import FILE as BIRTHS_FILE
from ingest.births import Births
from ingest.journal import FeedNames, Journal
from ingest.registry import FeedRegistry
from ingest.sequencing import Sequencer
from ingest.unknown import FILE as UNKNOWN_FILE
from ingest.unknown import UnknownDevices
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.config import Config
from runtime.device_list import DeviceList, DeviceShelf, read_and_keep
from runtime.device_watch import mark_of
from runtime.door import Door
from runtime.edge_nodes import Edges
from runtime.recovery import encode_devices, encode_rules, recover
from runtime.rules import RuleShelf, load_or_refuse
from runtime.scene_source import scene_paths
from runtime.snapshots import Snapshots
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

log = logging.getLogger("scenewatch.pipeline")


@dataclass(slots=True)
class Parts:
    """What is open and recovered."""

    door: Door
    journal: Journal
    chain: Chain
    store: AlertStore
    snapshots: Snapshots
    names: FeedNames
    shelf: RuleShelf
    device_shelf: DeviceShelf
    device_mark: object
    unknown: UnknownDevices
    births: Births
    edges: Edges
    paths: Sequence[Path]
    types: Mapping[str, DeviceType]
    cases: Callable[[], CaseCatalogue]

    def close(self) -> None:
        """Write down who is unknown, and close everything."""
        self.unknown.write()
        self.journal.close()
        self.names.close()
        self.births.close()
        self.store.close()


def open_parts(config: Config) -> Parts:
    """Open everything in the data folder, and decide what the journal holds behind the last snapshot.

    Raises:
        ConfigError: If something given is wrong, and nothing ran before that could go on.
        UnavailableError: If something needed cannot be had.
        DataLossError: If durable data cannot be read.
    """
    types = load_catalogue(config.ingest.device_types)
    paths = scene_paths(config, types)
    folder = config.data.dir
    device_shelf = DeviceShelf(folder / "devices", types)
    mark = mark_of(config.ingest.devices)
    devices, findings = _wanted_devices(config, types, device_shelf)
    registry = FeedRegistry(config.ingest.max_feeds)
    names = FeedNames(folder / "feeds.sqlite")
    registry.load(names.load())
    journal = Journal(
        folder / "journal",
        durability=config.journal.durability,
        segment_bytes=config.journal.segment_mib << 20,
    )
    store = AlertStore(folder / "alerts.db", Durability(config.journal.durability))
    snapshots = Snapshots(folder / "state")
    shelf = RuleShelf(folder / "rules", types, config.scenes.metrics)
    cases = cases_when_asked(config.scenes.cases, types)
    wanted = _wanted(config, paths, types, cases, shelf)
    before = snapshots.devices()
    known = devices if before in {None, devices.version} else device_shelf.take(str(before))
    door = Door(registry, names, known, types)
    chain = _recovered(config, wanted, shelf, door, journal, snapshots, store, _Devices(devices, before, device_shelf))
    door.admit(range(len(registry)))
    device_shelf.cease(devices.version, journal.last_seq)
    unknown = UnknownDevices(folder / UNKNOWN_FILE)
    unknown.forget(devices.devices.__contains__)
    births = Births(folder / BIRTHS_FILE)
    edges = Edges(door, births, max_pack=config.ingest.max_pack)
    return Parts(
        door, journal, chain, store, snapshots, names, shelf, device_shelf, None if findings else mark, unknown, births,
        edges, paths, types, cases,
    )  # fmt: skip


def _wanted_devices(
    config: Config, types: Mapping[str, DeviceType], shelf: DeviceShelf
) -> tuple[DeviceList, list[str]]:
    """The device list in the file; where that is wrong, the one that held last, and what is wrong."""
    try:
        return read_and_keep(config.ingest.devices, types, shelf), []
    except ConfigError as error:
        last = shelf.last()
        if last is None:
            raise
        findings = str(error).splitlines()
        for line in findings:
            log.warning("%s; version %s goes on running", line, last)
        return shelf.take(last), findings


def _wanted(
    config: Config,
    paths: Sequence[Path],
    types: Mapping[str, DeviceType],
    cases: Callable[[], CaseCatalogue],
    shelf: RuleShelf,
) -> SceneSet:
    """The scenes in the files; where a file is wrong, those that decided last go on."""
    try:
        return load_or_refuse(paths, types, config.scenes.metrics, cases)
    except ConfigError as error:
        last = shelf.last()
        if last is None:
            raise
        for line in str(error).splitlines():
            log.warning("%s; version %s goes on running", line, last)
        return shelf.take(last)


@dataclass(slots=True)
class _Devices:
    """The device list that is wanted, and the version that the journal has come to."""

    wanted: DeviceList
    noted: str | None
    shelf: DeviceShelf

    def switch(self, chain: Chain, door: Door, version: str) -> list[AlertChange]:
        """Let the list of a version hold; what follows."""
        self.noted = version
        if version == door.known.version:
            chain.devices = version
            return []
        found = self.wanted if version == self.wanted.version else self.shelf.take(version)
        known, names = found.after(door.known)
        return chain.switch_devices(version, door.switch(known, door.feeds_of(names, 0, len(door.registry))))


def _recovered(
    config: Config,
    wanted: SceneSet,
    shelf: RuleShelf,
    door: Door,
    journal: Journal,
    snapshots: Snapshots,
    store: AlertStore,
    devices: _Devices,
) -> Chain:
    """A chain at the end of the journal, deciding by the scenes and about the devices that are wanted from here on."""
    before = snapshots.rules() or wanted.version
    scenes = wanted if before == wanted.version else shelf.take(before)
    recording = config.pipeline.clock == "recording"
    engine = Engine(scenes, max_feeds=config.ingest.max_feeds, settle_ms=config.scenes.settle)
    door.bind_to(engine)
    chain = Chain(
        Sequencer(config.ingest.max_feeds),
        engine,
        AlertStage(AlertScenes(scenes), door, wall=not recording),
        wall_ns,
        tells_ledger=config.dispatch.ledger,
    )
    chain.devices = door.known.version

    def switch(version: str) -> list[AlertChange]:
        if version == engine.scenes.version:
            return []
        return chain.switch(wanted if version == wanted.version else shelf.take(version))

    def switch_devices(version: str) -> list[AlertChange]:
        return devices.switch(chain, door, version)

    replayed = recover(
        chain,
        journal,
        snapshots,
        switch_rules=switch,
        switch_devices=switch_devices,
        write=store.write,
        judge=store.judge,
        tell=store.tell,
    )
    if replayed:
        log.warning("%d journal entries replayed after the last snapshot", replayed)
    shelf.keep(wanted)
    if engine.scenes.version != wanted.version or journal.last_seq == 0:
        journal.append([encode_rules(wanted.version)])
        store.write(chain.switch(wanted))
    if devices.noted != devices.wanted.version:
        journal.append([encode_devices(devices.wanted.version)])
        store.write(switch_devices(devices.wanted.version))
    store.tell(chain.take_ledger())
    return chain
