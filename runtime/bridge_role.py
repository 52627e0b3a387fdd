"""The role `bridge`: MQTT in, Kafka out, and what everybody has to know distributed from here."""

import logging
import os
import random
import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from alerts.sinks.feedback import FeedbackReader
from city.catalogue import load_catalogue, shipped
from city.device import Device, DeviceType
from city.registry import load_devices
from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError
from ingest.registry import FeedRegistry
from ingest.session import Session
from runtime.config import Config
from runtime.door import Door
from runtime.ops import OpsServer
from runtime.pipeline_role import session_options
from runtime.rules import load_or_refuse
from runtime.scene_watch import SceneWatch
from runtime.stream.bridge import Bridge, BridgeOptions
from runtime.stream.outgoing import Outgoing
from runtime.stream.places import partition_of
from runtime.stream.plan import devices_record
from runtime.stream.publisher import Publisher
from runtime.stream.reader import bounds, open_reader
from runtime.stream.topics import Topics, ensure_topics
from runtime.supervisor import announce
from thresholds.scene_set import SceneSet

log = logging.getLogger("scenewatch.stream")

_PLAN_S = 30.0
_ALL = ("sw/v1/+/tele/+", "sw/v1/+/pack", "sw/v1/+/state")


class _NoNames:
    """Names stand in the records themselves."""

    def append(self, first: int, keys: Iterable[bytes]) -> None:
        """Nothing to keep."""


def run(config: Config) -> None:
    """Read and send until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If Kafka or the broker cannot be had.
    """
    stream = config.stream
    if stream.kafka is None:
        raise ConfigError('stream.kafka: a bridge needs Kafka; write it like kafka = "127.0.0.1:9092"')
    if stream.bridge >= stream.bridges:
        raise ConfigError(f"stream.bridge: bridges are counted from 0, there are {stream.bridges}")
    if config.pipeline.clock == "recording":
        raise ConfigError("pipeline.clock: a recording is replayed on one machine, without Kafka")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    topics = Topics(stream.prefix, stream.partitions)
    ensure_topics(stream.kafka, topics, replication=stream.replication, keep_ms=stream.keep)
    types = load_catalogue(config.ingest.device_types)
    devices = load_devices(config.ingest.devices, types)
    door = Door(FeedRegistry(config.ingest.max_feeds), _NoNames(), devices, types)
    publisher = Publisher(stream.kafka, f"bridge-{stream.bridge}")
    leads = stream.bridge == 0
    scenes = _scenes(config, stream.kafka, topics, types) if leads else None
    version = _distribute_devices(config.ingest.devices, publisher, topics)
    _run(config, topics, door, publisher, devices, types, scenes, version)


def _run(
    config: Config,
    topics: Topics,
    door: Door,
    publisher: Publisher,
    devices: Mapping[str, Device],
    types: Mapping[str, DeviceType],
    scenes: SceneSet | None,
    version: str,
) -> None:
    stream = config.stream
    leads = stream.bridge == 0
    stop = threading.Event()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    options = session_options(config, client_id=f"{config.broker.client_id}-bridge-{stream.bridge}")
    session = Session(options, _topics(devices, stream.bridges, stream.bridge), wake_fd=wake_read)
    position = config.data.dir / "bridge-feedback"
    bridge = Bridge(
        BridgeOptions(config.ingest.max_ahead, config.ingest.max_pack, stream.linger, stream.tick if leads else None),
        topics,
        session=session,
        door=door,
        outgoing=_outgoing(config, topics, door),
        publisher=publisher,
        wake_fds=(wake_read, wake_write),
        on_ready=lambda: announce({"status": ops.address, "kafka": stream.kafka}),
        on_said_safe=lambda seq: _note(position, seq),
    )
    signal.signal(signal.SIGTERM, lambda *_: bridge.stop())
    watch = _watch(config, types, scenes, bridge, stop) if leads else None
    ops = OpsServer(
        config.pipeline.host,
        stream.bridge_port,
        lambda: {**bridge.status(), "findings": [str(f) for f in watch.findings] if watch else []},
    )
    reader = _feedback(config, bridge, position, stop) if leads else None
    bridge.open(version, scenes)
    for thread in (watch, reader):
        if thread is not None:
            thread.start()
    try:
        bridge.run()
    finally:
        stop.set()
        if reader is not None:
            reader.stop()
        ops.close()


def _outgoing(config: Config, topics: Topics, door: Door) -> Outgoing:
    stream = config.stream

    def home(feed: int) -> int:
        return partition_of(door.feed(feed)[0].alert_place, topics.partitions)

    # Another number than any earlier run's: its feeds are numbered anew.
    session = wall_ns()
    return Outgoing(
        f"bridge-{stream.bridge}",
        session,
        topics.partitions,
        max_feeds=config.ingest.max_feeds,
        partition_of=home,
        key_of=door.registry.key_of,
    )


def _topics(devices: Mapping[str, Device], bridges: int, bridge: int) -> Sequence[str]:
    """What this bridge subscribes to: everything, or its share of the gateways."""
    if bridges == 1:
        return _ALL
    gateways = {device.gateway for device in devices.values()}
    mine = sorted(gateway for gateway in gateways if partition_of(gateway, bridges) == bridge)
    return [topic.replace("+", gateway, 1) for gateway in mine for topic in _ALL]


def _scenes(config: Config, address: str, topics: Topics, types: Mapping[str, DeviceType]) -> SceneSet | None:
    """The scenes in the files; None where a file is wrong and others decide already: those go on."""
    paths = config.scenes.paths or [shipped("scenes")]
    try:
        return load_or_refuse(paths, types, config.scenes.metrics)
    except ConfigError as error:
        reader = open_reader(address, f"{topics.prefix}-bridge")
        begin, end = bounds(reader, topics.plan, 0)
        reader.close()
        if begin == end:
            raise
        for line in str(error).splitlines():
            log.warning("%s; the scenes that decide go on", line)
        return None


def _distribute_devices(path: Path, publisher: Publisher, topics: Topics) -> str:
    version, key, csv = devices_record(path.read_bytes())
    publisher.send(topics.plan, csv, partition=0, key=key)
    if not publisher.flush(_PLAN_S):
        raise UnavailableError(f"Kafka has not taken the devices for {_PLAN_S:.0f} s")
    return version


def _watch(
    config: Config, types: Mapping[str, DeviceType], scenes: SceneSet | None, bridge: Bridge, stop: threading.Event
) -> SceneWatch:
    paths = config.scenes.paths or [shipped("scenes")]
    running = scenes.version if scenes is not None else ""
    return SceneWatch(paths, types, config.scenes.metrics, running, bridge.on_scenes, stop)


def _feedback(config: Config, bridge: Bridge, position: Path, stop: threading.Event) -> FeedbackReader | None:
    if config.dispatch.url is None:
        return None
    return FeedbackReader(
        config.dispatch.url,
        config.dispatch.token.get_secret_value(),
        bridge.on_feedback,
        after=int(position.read_text()) if position.exists() else 0,
        stop=stop,
        rng=random.Random(),  # noqa: S311 - jitter of waits, no secret
    )


def _note(position: Path, seq: int) -> None:
    """Keep how far what people said is in Kafka; told again, it changes nothing."""
    partial = position.with_suffix(".partial")
    partial.write_text(str(seq))
    partial.replace(position)
