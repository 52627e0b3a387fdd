"""The role `history`: follows the journal, or Kafka, writes what is in it, keeps the archive tidy."""

import difflib
import logging
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from city.catalogue import load_catalogue
from city.device import DeviceType
from city.device_list import load_devices
from core.errors import ConfigError
from history.keeping import Retention
from history.names import JournalNames, TypeOf
from history.recorder import Recorder, record
from history.stores import Writer
from ingest.journal import Entry, follow
from runtime.config import Config
from runtime.ending import Ending, Stop
from runtime.following import Collects, Following, metrics
from runtime.ops import OpsServer
from runtime.store import store_of
from runtime.supervisor import announce

log = logging.getLogger("scenewatch.history")

_MOST_BYTES = 16 << 20


def run(config: Config) -> None:
    """Follow the log until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If the store cannot be opened.
        DataLossError: If its ledger is of another version.
    """
    stop = Ending(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    types = load_catalogue(config.ingest.device_types)
    _check_types(config, types)
    sink = store_of(config).writer()
    follower = _follower(config, types, sink, stop)
    ops = OpsServer(config.history.host, config.history.http_port, follower.status, metrics, "history")
    announce({"status": ops.address, "kind": config.history.kind})
    try:
        follower.run()
    finally:
        sink.close()  # the port ends with the process: to wait for its thread would take half a second of a stop


def _follower(config: Config, types: Mapping[str, DeviceType], sink: Writer, stop: Ending) -> Following:
    """Of the journal, or of Kafka where that is the log."""
    flush_s, retention, stream = config.history.flush / 1000, retention_of(config), config.stream
    if stream.kafka is None:
        known = KnownDevices(config.ingest.devices, types)
        return Follower(sink, config.data.dir, known.type_of, retention, flush_s=flush_s, stop=stop)
    from runtime.stream.access import access  # noqa: PLC0415 - one machine does without Kafka's client
    from runtime.stream.follower import StreamFollower  # noqa: PLC0415 - one machine does without Kafka's client
    from runtime.stream.plan import PlanBook  # noqa: PLC0415 - the same
    from runtime.stream.topics import Topics, ensure_topics  # noqa: PLC0415 - the same

    topics = Topics(stream.prefix, stream.partitions)
    kafka = access(stream, "history")
    ensure_topics(kafka, topics, replication=stream.replication, keep_ms=stream.keep)
    plan = PlanBook(types, config.scenes.metrics)
    return StreamFollower(sink, kafka, topics, plan, retention, flush_s=flush_s, stop=stop)


def retention_of(config: Config) -> Retention:
    """How long a configuration keeps what."""
    section = config.history
    return Retention(
        readings_ms=section.keep,
        minutes_ms=section.keep_minutes,
        hours_ms=section.keep_hours,
        by_type=section.keep_types,
    )


def _check_types(config: Config, types: Mapping[str, DeviceType]) -> None:
    unknown = [name for name in config.history.keep_types if name not in types]
    if unknown:
        close = [difflib.get_close_matches(name, list(types), n=1) for name in unknown]
        raise ConfigError(
            "\n".join(
                f"history.keep_types: there is no device type {name!r}"
                + (f" (did you mean {near[0]}?)" if near else "")
                for name, near in zip(unknown, close, strict=True)
            )
        )


class KnownDevices:
    """Device types by the device list, which is read again when a device is not on it and the file has changed.

    Args:
        path: The device list.
        types: The device types.

    Raises:
        ConfigError: If the list is wrong; later on the list that was last right goes on.
    """

    def __init__(self, path: Path, types: Mapping[str, DeviceType]) -> None:
        self._path = path
        self._types = types
        self._seen = _changed(path)
        self._devices = load_devices(path, types)

    def type_of(self, device: str) -> str:
        """The type of a device, empty where it is not known."""
        if device not in self._devices and (now := _changed(self._path)) != self._seen:
            self._seen = now
            try:
                self._devices = load_devices(self._path, self._types)
            except ConfigError as error:
                log.warning("%s; the device list goes on as it was", error)
        known = self._devices.get(device)
        return known.type if known is not None else ""


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class Follower(Following):
    """The loop of the role over the journal of one machine.

    Args:
        sink: Where the readings go.
        data: The data folder, with the journal in it.
        type_of: Device types.
        retention: What is kept for how long.
        flush_s: Readings wait so long at most.
        stop: Ends it after the piece in hand.
    """

    def __init__(
        self,
        sink: Writer,
        data: Path,
        type_of: TypeOf,
        retention: Retention,
        *,
        flush_s: float,
        stop: Stop,
    ) -> None:
        super().__init__(sink, retention, flush_s=flush_s, stop=stop)
        self._journal = data / "journal"
        self._names = JournalNames(data / "feeds.sqlite")
        self._type_of = type_of
        self._recorder = Recorder(sink, self._names, type_of)
        self._known = False

    @property
    def _collects(self) -> Collects:
        return self._recorder

    def _position(self) -> dict[str, Any]:
        return {"seq": self._recorder.progress.seq}

    def _step(self) -> None:
        if not self._journal.is_dir():
            return
        if not self._known:
            first = next(follow(self._journal, self._recorder.position - 1), None)
            if first is None and next(follow(self._journal, 0), None) is None:
                return  # the pipeline has not written anything yet
            if not self._recorder.recognises(first):
                self._recorder.begin_again()
            self._known = True
        record(self._recorder, self._entries(), most_bytes=_MOST_BYTES, on_piece=self._on_piece)
        self._due()

    def _entries(self) -> Iterator[Entry]:
        for entry in follow(self._journal, self._recorder.position):
            yield entry
            if self._stop.is_set():
                return

    def _anew(self) -> None:
        self._recorder = Recorder(self._sink, self._names, self._type_of)
        self._known = False
