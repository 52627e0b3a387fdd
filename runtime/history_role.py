"""The role `history`: follows the journal, writes what it holds, keeps the archive tidy."""

import difflib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from city.catalogue import load_catalogue
from city.device import DeviceType
from city.registry import load_devices
from core.clock import wall_ns
from core.errors import ConfigError, DataLossError, UnavailableError
from history.archive import Archive
from history.keeping import Retention, tidy
from history.names import JournalNames, TypeOf
from history.recorder import Counts, Recorder, record
from history.stores import Writer
from ingest.journal import Entry, follow
from runtime.config import Config
from runtime.ops import OpsServer, Status
from runtime.store import store_of
from runtime.supervisor import announce

log = logging.getLogger("scenewatch.history")

_LOOK_S = 0.5
_LONGEST_AGAIN_S = 60.0
_TIDY_S = 3_600.0
_MOST_BYTES = 16 << 20


def run(config: Config) -> None:
    """Follow the journal until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If the store cannot be opened.
        DataLossError: If its ledger is of another version.
    """
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    types = load_catalogue(config.ingest.device_types)
    _check_types(config, types)
    known = KnownDevices(config.ingest.devices, types)
    sink = store_of(config).writer()
    follower = Follower(
        sink,
        config.data.dir,
        known.type_of,
        retention_of(config),
        flush_s=config.history.flush / 1000,
        stop=stop,
    )
    ops = OpsServer(config.history.host, config.history.http_port, follower.status, metrics, "history")
    announce({"status": ops.address, "kind": config.history.kind})
    try:
        follower.run()
    finally:
        sink.close()  # the port ends with the process: to wait for its thread would take half a second of a stop


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


class Follower:
    """The loop of the role.

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
        stop: threading.Event,
    ) -> None:
        self._sink = sink
        self._journal = data / "journal"
        self._names = JournalNames(data / "feeds.sqlite")
        self._type_of = type_of
        self._retention = retention
        self._flush_s = flush_s
        self._stop = stop
        self._counts = Counts()
        self._errors = 0
        self._error = ""
        self._recorder = Recorder(sink, self._names, type_of)
        self._known = False
        self._flushed = time.monotonic()
        self._tidied = -_TIDY_S

    def run(self) -> None:
        """Loop until `stop`; what has come by then is written."""
        wait = _LOOK_S
        while not self._stop.wait(wait):
            try:
                self._step()
                self._error, wait = "", _LOOK_S
            except (UnavailableError, DataLossError) as error:
                wait = min(2 * wait, _LONGEST_AGAIN_S)
                self._failed(error, wait)
        try:
            self._recorder.flush()
        except (UnavailableError, DataLossError) as error:
            self._failed(error, 0.0)

    def status(self) -> Status:
        """What it does, in numbers; safe to call from another thread."""
        recorder = self._recorder
        held = self._sink.ledger.files()
        return {
            "connected": not self._error,
            **{key: value + getattr(recorder.counts, key) for key, value in asdict(self._counts).items()},
            "seq": recorder.progress.seq,
            "held": recorder.progress.readings,
            "until_ms": recorder.until_ms,
            "waiting_bytes": recorder.waiting_bytes,
            "files": len(held),
            "bytes": sum(row.bytes for row in held),
            "errors": self._errors,
            "error": self._error,
            "pid": os.getpid(),
        }

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
        if time.monotonic() - self._flushed >= self._flush_s:
            self._recorder.flush()
            self._on_piece()
        if time.monotonic() - self._tidied >= _TIDY_S:
            self._tidied = time.monotonic()
            self._tidy()

    def _entries(self) -> Iterator[Entry]:
        for entry in follow(self._journal, self._recorder.position):
            yield entry
            if self._stop.is_set():
                return

    def _on_piece(self) -> None:
        self._flushed = time.monotonic()
        if isinstance(self._sink, Archive):
            self._sink.fold()

    def _tidy(self) -> None:
        if isinstance(self._sink, Archive):
            tidy(
                self._sink, self._retention, until_ms=self._recorder.until_ms, now_ms=wall_ns() // 1_000_000
            )  # fmt: skip

    def _failed(self, error: Exception, wait: float) -> None:
        """Begin again from what history has: the journal keeps the rest."""
        if str(error) != self._error:
            log.error("%s; trying again in %.0f s, the journal keeps what comes meanwhile", error, wait)
        self._error = str(error)
        self._errors += 1
        for key, value in asdict(self._recorder.counts).items():
            setattr(self._counts, key, getattr(self._counts, key) + value)
        self._recorder = Recorder(self._sink, self._names, self._type_of)
        self._known = False


def metrics(status: Status) -> str:
    """The status in Prometheus' text form."""
    lines = []
    for key, kind, help_text in (
        ("entries", "counter", "Journal entries looked at."),
        ("readings", "counter", "Readings written."),
        ("pieces", "counter", "Writes."),
        ("lost_entries", "counter", "Journal entries dropped before history had them."),
        ("errors", "counter", "Times that it had to begin again."),
        ("seq", "gauge", "Position of the last journal entry that history has."),
        ("held", "gauge", "Readings written since history began."),
        ("waiting_bytes", "gauge", "Bytes of readings collected and not written yet."),
        ("files", "gauge", "Files of readings."),
        ("bytes", "gauge", "Their size."),
    ):
        name = f"scenewatch_history_{key}" + ("_total" if kind == "counter" else "")
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {status[key]}"]
    return "\n".join(lines) + "\n"
