"""The role `bridge`: MQTT in, Kafka out, and what everybody has to know distributed from here."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from city.cases import cases_when_asked
from city.catalogue import load_catalogue
from city.device import Device, DeviceType
from city.leaf import CaseCatalogue
from core.clock import wall_ns
from core.errors import ConfigError
from core.whole import write_whole
from ingest.births import FILE as BIRTHS_FILE
from ingest.births import Births
from ingest.registry import FeedRegistry
from ingest.session import Session
from ingest.sparkplug import state_of, topics_of
from ingest.unknown import FILE as UNKNOWN_FILE
from ingest.unknown import UnknownDevices
from runtime.config import Config
from runtime.device_list import DeviceShelf, read_and_keep
from runtime.device_watch import DeviceWatch, mark_of
from runtime.door import TOPICS, Door
from runtime.edge_nodes import Edges
from runtime.ending import end_when_a_thread_breaks
from runtime.ops import OpsServer
from runtime.outside import make_feedback, session_options
from runtime.rules import load_or_refuse
from runtime.scene_source import scene_paths
from runtime.scene_watch import SceneWatch
from runtime.stream.access import Address, access
from runtime.stream.bridge import Bridge, BridgeOptions
from runtime.stream.outgoing import Outgoing
from runtime.stream.places import area_of, partition_of, torn
from runtime.stream.publisher import Publisher
from runtime.stream.reader import bounds, open_reader
from runtime.stream.topics import Topics, ensure_topics
from runtime.supervisor import announce
from thresholds.scene_set import SceneSet

log = logging.getLogger("scenewatch.stream")

_KEEP_S = 1.0


class _NoNames:
    """Names stand in the records themselves."""

    def append(self, first: int, keys: Iterable[bytes]) -> None:
        """Nothing to keep."""


@dataclass(frozen=True, slots=True)
class _Given:
    """What the files say."""

    types: Mapping[str, DeviceType]
    cases: Callable[[], CaseCatalogue]
    paths: Sequence[Path]
    scenes: SceneSet | None
    shelf: DeviceShelf
    lists: Path
    mark: object
    door: Door
    leads: bool


def run(config: Config) -> None:
    """Read and send until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If Kafka or the broker cannot be had.
    """
    stream = config.stream
    kafka = access(stream, "a bridge")
    if stream.bridge >= stream.bridges:
        raise ConfigError(f"stream.bridge: bridges are counted from 0, there are {stream.bridges}")
    if config.pipeline.clock == "recording":
        raise ConfigError("pipeline.clock: a recording is replayed on one machine, without Kafka")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    topics = Topics(stream.prefix, stream.partitions)
    ensure_topics(kafka, topics, replication=stream.replication, keep_ms=stream.keep)
    config.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    _run(config, kafka, topics, _given(config, kafka, topics))


def _given(config: Config, address: Address, topics: Topics) -> _Given:
    types = load_catalogue(config.ingest.device_types)
    cases = cases_when_asked(config.scenes.cases, types)
    paths = scene_paths(config, types)
    leads = config.stream.bridge == 0
    lists = config.data.dir / "bridge-devices"
    shelf = DeviceShelf(lists, types)
    mark = mark_of(config.ingest.devices)
    known = read_and_keep(config.ingest.devices, types, shelf)
    door = Door(FeedRegistry(config.ingest.max_feeds), _NoNames(), known, types)
    scenes = _scenes(config, address, topics, paths, types, cases) if leads else None
    problems = list(torn(scenes, known.devices.values(), config.stream.by)) if scenes is not None else []
    if problems:
        raise ConfigError("\n".join(problems))
    return _Given(types, cases, paths, scenes, shelf, lists, mark, door, leads)


def _run(config: Config, address: Address, topics: Topics, given: _Given) -> None:
    stop = threading.Event()
    births = Births(config.data.dir / BIRTHS_FILE)
    position = config.data.dir / "bridge-feedback"
    unknown = UnknownDevices(config.data.dir / UNKNOWN_FILE)
    unknown.forget(given.door.known.devices.__contains__)
    bridge = _bridge(
        config,
        address,
        topics,
        given,
        unknown,
        births,
        on_ready=lambda: announce({"status": ops.address, "kafka": str(address)}),
        on_said_safe=lambda seq: _note(position, seq),
    )
    signal.signal(signal.SIGTERM, lambda *_: bridge.stop())
    broken = end_when_a_thread_breaks(bridge.stop)
    running = given.scenes.version if given.scenes is not None else ""
    scenes = SceneWatch(
        given.paths, given.types, config.scenes.metrics, given.cases, running, bridge.on_scenes, stop
    )  # fmt: skip
    devices = DeviceWatch(
        config.ingest.devices, given.types, given.door, given.shelf, bridge.on_devices, stop, seen=given.mark
    )  # fmt: skip
    ops = OpsServer(
        config.pipeline.host,
        config.stream.bridge_port,
        lambda: {**bridge.status(), "findings": [*map(str, scenes.findings), *devices.findings, *bridge.findings]},
    )
    said = int(position.read_text()) if position.exists() else 0
    reader = make_feedback(config, bridge.on_feedback, said, stop) if given.leads else None
    keeper = threading.Thread(target=_keep, args=(unknown, stop), name="keeper", daemon=True)
    bridge.open(given.scenes)
    for thread in (devices, keeper, scenes if given.leads else None, reader):
        if thread is not None:
            thread.start()
    try:
        bridge.run()
    finally:
        stop.set()
        if reader is not None:
            reader.stop()
        unknown.write()
        births.close()
        ops.close()
    if broken:
        raise broken[0]


def _bridge(
    config: Config,
    address: Address,
    topics: Topics,
    given: _Given,
    unknown: UnknownDevices,
    births: Births,
    *,
    on_ready: Callable[[], None],
    on_said_safe: Callable[[int], None],
) -> Bridge:
    """The loop over what the files say."""
    stream, door = config.stream, given.door
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    options = session_options(
        config,
        client_id=f"{config.broker.client_id}-bridge-{stream.bridge}",
        host_id=config.sparkplug_host() if given.leads else "",
    )
    mine = _gateways(door.known.devices, stream.bridges, stream.bridge)
    subscribed = [topic.replace("+", gateway, 1) for gateway in mine for topic in TOPICS]
    optional = [topic for gateway in mine for topic in topics_of(gateway)] if config.sparkplug.enabled else []
    optional += state_of(options.host_id)
    return Bridge(
        BridgeOptions(
            max_ahead_ms=config.ingest.max_ahead,
            clock_tolerance_ms=config.ingest.clock_tolerance,
            max_pack=config.ingest.max_pack,
            linger_ms=stream.linger,
            tick_ms=stream.tick,
            leads=given.leads,
            by=stream.by,
        ),
        topics,
        session=Session(options, subscribed, optional=optional, wake_fd=wake_read),
        door=door,
        outgoing=_outgoing(config, topics, door),
        publisher=Publisher(address, f"bridge-{stream.bridge}"),
        unknown=unknown,
        edges=Edges(door, births, max_pack=config.ingest.max_pack),
        csv_of=lambda version: (given.lists / f"{version}.csv").read_bytes(),
        wake_fds=(wake_read, wake_write),
        on_ready=on_ready,
        on_said_safe=on_said_safe,
    )


def _outgoing(config: Config, topics: Topics, door: Door) -> Outgoing:
    by = config.stream.by
    # The session is another number than any earlier run's: its feeds are numbered anew.
    return Outgoing(
        f"bridge-{config.stream.bridge}",
        wall_ns(),
        topics.partitions,
        max_feeds=config.ingest.max_feeds,
        partition_of=lambda feed: partition_of(area_of(door.feed(feed)[0], by), topics.partitions),
        key_of=door.registry.key_of,
    )


def _gateways(devices: Mapping[str, Device], bridges: int, bridge: int) -> Sequence[str]:
    """Whose messages this bridge subscribes to: everybody's, which is `+`, or its share of the gateways."""
    if bridges == 1:
        return ("+",)
    gateways = {device.gateway for device in devices.values()}
    return sorted(gateway for gateway in gateways if partition_of(gateway, bridges) == bridge)


def _scenes(
    config: Config,
    address: Address,
    topics: Topics,
    paths: Sequence[Path],
    types: Mapping[str, DeviceType],
    cases: Callable[[], CaseCatalogue],
) -> SceneSet | None:
    """The scenes in the files; None where a file is wrong and others decide already: those go on."""
    try:
        return load_or_refuse(paths, types, config.scenes.metrics, cases)
    except ConfigError as error:
        reader = open_reader(address, f"{topics.prefix}-bridge")
        begin, end = bounds(reader, topics.plan, 0)
        reader.close()
        if begin == end:
            raise
        for line in str(error).splitlines():
            log.warning("%s; the scenes that decide go on", line)
        return None


def _keep(unknown: UnknownDevices, stop: threading.Event) -> None:
    while not stop.wait(_KEEP_S):
        unknown.write()


def _note(position: Path, seq: int) -> None:
    """Keep how far what people said is in Kafka; told again, it changes nothing."""
    write_whole(position, str(seq))
