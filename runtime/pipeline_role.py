"""The role `pipeline`: opens what the loop works on, recovers, and runs it."""

import logging
import os
import random
import signal
import ssl
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerts.lifecycle import AlertStage
from alerts.sinks.backoff import Backoff
from alerts.sinks.feedback import FeedbackReader
from alerts.sinks.http import Delivery
from alerts.store import AlertStore
from alerts.stored import Durability
from city.catalogue import load_catalogue, shipped
from city.device import DeviceType
from city.registry import load_devices
from core.clock import wall_ns
from core.errors import ConfigError
from ingest.journal import FeedNames, Journal
from ingest.registry import FeedRegistry
from ingest.sequencing import Sequencer
from ingest.session import Session, SessionOptions
from runtime.accounts import load_accounts
from runtime.alert_scenes import AlertScenes
from runtime.broker.base import PIPELINE_USER
from runtime.chain import Chain
from runtime.config import Config
from runtime.door import Door
from runtime.latency import LatencyLog
from runtime.ops import OpsServer, Status
from runtime.pipeline import LoopOptions, Pipeline
from runtime.recovery import encode_rules, recover
from runtime.rules import RuleShelf, load_or_refuse
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
    paths: Sequence[Path]
    types: Mapping[str, DeviceType]


def run(config: Config) -> None:
    """Recover and run until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If something needed cannot be had.
        DataLossError: If durable data cannot be read.
    """
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
            snapshot_every_ms=config.pipeline.snapshot_every,
            keep_ms=config.journal.keep,
            keep_bytes=config.journal.keep_mib << 20,
            recording=recording,
        ),
        session=session,
        door=parts.door,
        journal=parts.journal,
        chain=parts.chain,
        store=parts.store,
        snapshots=parts.snapshots,
        shelf=parts.shelf,
        deliver=delivery.wake if delivery else lambda: None,
        wake_fds=(wake_read, wake_write),
        on_ready=lambda: announce({"status": ops.address, "scenes": len(parts.chain.engine.scenes.scenes)}),
    )
    signal.signal(signal.SIGTERM, lambda *_: pipeline.stop())
    scenes = SceneWatch(
        parts.paths, parts.types, config.scenes.metrics, parts.chain.engine.scenes.version, pipeline.on_scenes, stop
    )
    ops = OpsServer(
        config.pipeline.host,
        config.pipeline.http_port,
        lambda: {**_status(pipeline, parts, delivery, latency), "findings": [str(f) for f in scenes.findings]},
    )
    reader = _feedback(config, pipeline, stop)
    keeper = threading.Thread(target=_keep, args=(parts.store, stop), name="alert-checkpoint", daemon=True)
    for thread in (delivery, reader, keeper, scenes):
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
        ops.close()
        parts.journal.close()
        parts.names.close()
        parts.store.close()


def _open(config: Config) -> _Parts:
    types = load_catalogue(config.ingest.device_types)
    devices = load_devices(config.ingest.devices, types)
    paths = config.scenes.paths or [shipped("scenes")]
    folder = config.data.dir
    registry = FeedRegistry(config.ingest.max_feeds)
    names = FeedNames(folder / "feeds.sqlite", synced=config.journal.durability == "power")
    registry.load(names.load())
    door = Door(registry, names, devices, types)
    journal = Journal(
        folder / "journal",
        durability=config.journal.durability,
        segment_bytes=config.journal.segment_mib << 20,
    )
    store = AlertStore(folder / "alerts.db", Durability(config.journal.durability))
    snapshots = Snapshots(folder / "state")
    shelf = RuleShelf(folder / "rules", types, config.scenes.metrics)
    wanted = _wanted(config, paths, types, shelf)
    chain = _recovered(config, wanted, shelf, door, journal, snapshots, store)
    return _Parts(door, journal, chain, store, snapshots, names, shelf, paths, types)


def _wanted(config: Config, paths: Sequence[Path], types: Mapping[str, DeviceType], shelf: RuleShelf) -> SceneSet:
    """The scenes in the files; where a file is wrong, those that decided last go on."""
    try:
        return load_or_refuse(paths, types, config.scenes.metrics)
    except ConfigError as error:
        last = shelf.last()
        if last is None:
            raise
        for line in str(error).splitlines():
            log.warning("%s; version %s goes on running", line, last)
        return shelf.take(last)


def _recovered(
    config: Config,
    wanted: SceneSet,
    shelf: RuleShelf,
    door: Door,
    journal: Journal,
    snapshots: Snapshots,
    store: AlertStore,
) -> Chain:
    """A chain at the end of the journal, deciding by the scenes that are wanted from here on."""
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
    )

    def switch(version: str) -> None:
        if version != engine.scenes.version:
            chain.switch(wanted if version == wanted.version else shelf.take(version))

    replayed = recover(chain, journal, snapshots, switch_rules=switch, write=store.write)
    if replayed:
        log.warning("%d journal entries replayed after the last snapshot", replayed)
    shelf.keep(wanted)
    if engine.scenes.version != wanted.version or journal.last_seq == 0:
        journal.append([encode_rules(wanted.version)])
        store.write(chain.switch(wanted))
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


def _keep(store: AlertStore, stop: threading.Event) -> None:
    while not stop.wait(_KEEP_S):
        store.checkpoint()


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
        "delivery_error": delivery.last_error if delivery else None,
        "latency_ms": latency.summary(),
        "rules": parts.chain.engine.scenes.version,
    }
