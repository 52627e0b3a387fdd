"""The role `pipeline`: opens what the loop works on, recovers, and runs it."""

import contextlib
import fcntl
import logging
import os
import random
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from alerts.change import AlertChange
from alerts.lifecycle import AlertStage
from alerts.sinks.backoff import Backoff
from alerts.sinks.feedback import FeedbackReader
from alerts.sinks.http import Delivery
from alerts.store import AlertStore
from alerts.stored import Durability
from city.cases import cases_when_asked
from city.catalogue import load_catalogue
from city.device import DeviceType
from city.leaf import CaseCatalogue
from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError
from history.ledger import archived_seq
from ingest.journal import FeedNames, Journal
from ingest.registry import FeedRegistry
from ingest.sequencing import Sequencer
from ingest.session import Session, SessionOptions
from ingest.unknown import FILE as UNKNOWN_FILE
from ingest.unknown import UnknownDevices
from runtime.accounts import load_accounts
from runtime.alert_scenes import AlertScenes
from runtime.broker.base import PIPELINE_USER
from runtime.chain import Chain
from runtime.config import Config
from runtime.device_list import DeviceList, DeviceShelf, read_and_keep
from runtime.device_watch import DeviceWatch, mark_of
from runtime.door import Door
from runtime.journal_keep import JournalKeep
from runtime.latency import LatencyLog
from runtime.ops import OpsServer, Status
from runtime.pipeline import LoopOptions, Pipeline
from runtime.recovery import encode_devices, encode_rules, recover
from runtime.rules import RuleShelf, load_or_refuse
from runtime.scene_source import scene_paths
from runtime.scene_watch import SceneWatch
from runtime.snapshots import Snapshots
from runtime.supervisor import announce
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

log = logging.getLogger("scenewatch.pipeline")

_TOPICS = ("sw/v1/+/tele/+", "sw/v1/+/pack", "sw/v1/+/state")
_RECORDING_TOPICS = (*_TOPICS, "sw/v1/+/clock")
_KEEP_S = 1.0
_SWITCH_S = 0.0002
_LONGEST_WAIT_S = 5.0
_NEWEST = 20


@dataclass(slots=True)
class _Parts:
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
    paths: Sequence[Path]
    types: Mapping[str, DeviceType]
    cases: Callable[[], CaseCatalogue]


def run(config: Config) -> None:
    """Recover and run until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If something needed cannot be had.
        DataLossError: If durable data cannot be read.
    """
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    held = alone_in(config.data.dir)
    # The loop and the delivery share one interpreter: at the usual 5 ms an alert would wait for it several times.
    sys.setswitchinterval(_SWITCH_S)
    parts = _open(config)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    recording = config.pipeline.clock == "recording"
    session = Session(session_options(config), _RECORDING_TOPICS if recording else _TOPICS, wake_fd=wake_read)
    latency = LatencyLog()
    delivery = make_delivery(config, parts.store, stop, latency)
    pipeline = Pipeline(
        LoopOptions(
            max_ahead_ms=config.ingest.max_ahead,
            max_pack=config.ingest.max_pack,
            clock_tolerance_ms=config.ingest.clock_tolerance,
            snapshot_every_ms=config.pipeline.snapshot_every,
            recording=recording,
        ),
        session=session,
        door=parts.door,
        journal=parts.journal,
        keep=JournalKeep(
            parts.journal,
            keep_ms=config.journal.keep,
            keep_bytes=config.journal.keep_mib << 20,
            archived=_archived(config),
            unarchived_bytes=config.history.waiting_mib << 20,
        ),
        chain=parts.chain,
        store=parts.store,
        snapshots=parts.snapshots,
        shelf=parts.shelf,
        device_shelf=parts.device_shelf,
        unknown=parts.unknown,
        deliver=delivery.wake if delivery else lambda: None,
        wake_fds=(wake_read, wake_write),
        on_ready=lambda: announce({"status": ops.address, "scenes": len(parts.chain.engine.scenes.scenes)}),
    )
    signal.signal(signal.SIGTERM, lambda *_: pipeline.stop())
    broken = end_when_a_thread_breaks(pipeline.stop)
    version = parts.chain.engine.scenes.version
    scenes = SceneWatch(parts.paths, parts.types, config.scenes.metrics, parts.cases, version, pipeline.on_scenes, stop)
    devices = DeviceWatch(
        config.ingest.devices, parts.types, parts.door, parts.device_shelf, pipeline.on_devices, stop,
        seen=parts.device_mark,
    )  # fmt: skip
    ops = OpsServer(
        config.pipeline.host,
        config.pipeline.http_port,
        lambda: {
            **_status(pipeline, parts, delivery, latency),
            "findings": [*map(str, scenes.findings), *devices.findings],
        },
    )
    reader = _feedback(config, pipeline, stop)
    keeper = threading.Thread(target=_keep, args=(parts, stop), name="keeper", daemon=True)
    for thread in (delivery, reader, keeper, scenes, devices):
        if thread is not None:
            thread.start()
    try:
        pipeline.run()
    finally:
        stop.set()
        for sink in (delivery, reader):
            if sink is not None:
                sink.stop()
        keeper.join(1.0)
        parts.unknown.write()
        ops.close()
        parts.journal.close()
        parts.names.close()
        parts.store.close()
        held.close()
    if broken:
        raise broken[0]


def alone_in(folder: Path) -> IO[bytes]:
    """A data folder for this process alone, as long as what is returned is open; the kernel lets go of it at any end.

    Raises:
        UnavailableError: If another process has it, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "pipeline.lock").open("wb")
    except OSError as error:
        raise UnavailableError(f"{folder}: the data folder cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UnavailableError(
            f"{folder}: another pipeline works in this data folder; stop it, or set data.dir"
        ) from error
    return lock


def end_when_a_thread_breaks(stop: Callable[[], None]) -> list[BaseException]:
    """Call `stop` when a bug ends any thread of this process: nobody would deliver, or look at files, any more.

    Returns:
        What ended them; filled from then on.
    """
    broken: list[BaseException] = []

    def end(thread: threading.ExceptHookArgs) -> None:
        if thread.exc_value is not None:
            broken.append(thread.exc_value)
            stop()

    threading.excepthook = end
    return broken


def _archived(config: Config) -> Callable[[], int] | None:
    """Asks up to which journal entry history has it; None where there is no history."""
    folder = config.history.dir
    return None if config.history.kind == "none" or folder is None else lambda: archived_seq(folder)


def _open(config: Config) -> _Parts:
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
    return _Parts(
        door, journal, chain, store, snapshots, names, shelf, device_shelf, None if findings else mark, unknown, paths,
        types, cases,
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


def session_options(config: Config, *, client_id: str | None = None) -> SessionOptions:
    """How the broker of the configuration is reached, under its client id or another one.

    Raises:
        ConfigError: If a password or an authority cannot be read.
    """
    broker = config.broker
    if broker.url is None:
        host, port, secure = "127.0.0.1", broker.port, False
        user, password = PIPELINE_USER, load_accounts(config.data.dir).pipeline_password
    else:
        host, port, secure = broker.address()
        user, password = broker.user, broker.secret()
    return SessionOptions(
        host=host,
        port=port,
        user=user,
        password=password,
        client_id=client_id or broker.client_id,
        version5=broker.protocol == 5,
        qos=broker.qos,
        receive_maximum=broker.receive_maximum,
        session_expiry_s=broker.session_expiry // 1000,
        tls=_tls(broker.ca_file) if secure else None,
    )


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"broker.ca_file: {ca_file} cannot be read: {error}") from error


def make_delivery(config: Config, store: AlertStore, stop: threading.Event, latency: LatencyLog) -> Delivery | None:
    """The sink to the dispatch core; None if there is no address."""
    if config.dispatch.url is None:
        return None
    return Delivery(
        store,
        config.dispatch.url,
        config.dispatch.token.get_secret_value(),
        source="/scenewatch/pipeline",
        stop=stop,
        rng=random.Random(),  # noqa: S311 - jitter of waits, no secret
        batch=config.dispatch.batch,
        backoff=Backoff(random.Random(), 0.1, _LONGEST_WAIT_S),  # noqa: S311 - jitter of waits, no secret
        on_acknowledged=latency.take,
    )


def _feedback(config: Config, pipeline: Pipeline, stop: threading.Event) -> FeedbackReader | None:
    if config.dispatch.url is None:
        return None
    return FeedbackReader(
        config.dispatch.url,
        config.dispatch.token.get_secret_value(),
        pipeline.on_feedback,
        after=pipeline.feedback_position,
        stop=stop,
        rng=random.Random(),  # noqa: S311 - jitter of waits, no secret
    )


def _keep(parts: _Parts, stop: threading.Event) -> None:
    while not stop.wait(_KEEP_S):
        with contextlib.suppress(UnavailableError):  # a full disk: the loop says so at its next alert
            parts.store.checkpoint()
        parts.unknown.write()


def _status(pipeline: Pipeline, parts: _Parts, delivery: Delivery | None, latency: LatencyLog) -> Status:
    # In this order: what the loop says it has settled is in the store when the store is asked.
    loop = pipeline.status()
    counts = parts.store.counts()
    stage = parts.chain.alerts
    return {
        **loop,
        "alerts": counts["alerts"],
        "active": counts["open"],
        "pending": stage.pending_count,
        "cases": counts["with_task"],
        "outbox": counts["waiting"],
        "parked": counts["parked"],
        "shadow": dict(stage.shadow_opened),
        "feedback": parts.chain.feedback_position,
        "kept_back": parts.chain.gate.kept_back,
        "gate": dict(parts.chain.gate.counts),
        "delivery_error": delivery.last_error if delivery else None,
        "latency_ms": latency.summary(),
        "latency_totals": latency.totals(),
        "rules": parts.chain.engine.scenes.version,
        "unknown": {
            "devices": len(parts.unknown),
            "dropped": parts.unknown.dropped,
            "newest": [asdict(seen) for seen in parts.unknown.newest(_NEWEST)],
        },
    }
