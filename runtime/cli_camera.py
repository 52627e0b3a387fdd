"""`scenewatch camera`: one camera agent, frames to derived readings on the same road as every sensor."""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from city.device import Device
from city.device_list import usable
from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError
from detectors.video.foreground import METRIC, ForegroundShare
from runtime.broker.base import PIPELINE_USER
from runtime.cli_replay import drive, event_of, finished, password_of, result_of, show_events
from runtime.frames import count_frames, frames, look_at, without_password
from runtime.private import PrivateSystem, broker_line
from runtime.publisher import Publisher, broker_of
from runtime.summary import summary, write_json
from runtime.terminal import terminal

_SETTLE_MS = 1_000
_DRAIN_S = 60.0
_BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
_EPOCH_MS = 1_700_000_000_000
"""Where a file's frames begin if nobody else's clock matters."""


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """What was asked for on the command line."""

    source: str
    name: str
    scenes: Path | None
    to: str | None
    gateway: str
    password_file: Path | None
    json_file: Path | None
    broker: str
    quiet: bool


def camera(options: CameraOptions) -> int:
    """Run the agent to the end of its source; 0, or 1 if a reading was lost or doubled.

    Raises:
        ConfigError: If the source, a scene or an option is wrong.
        UnavailableError: If something cannot be started or reached.
    """
    for option, name in (("--name", options.name), ("--gateway", options.gateway)):
        if not usable(name) or name == PIPELINE_USER:
            raise ConfigError(f"{option} {name}: another name, of 1 to 64 characters without / + #")
    look_at(options.source)
    return _elsewhere(options) if options.to else _alone(options)


def _alone(options: CameraOptions) -> int:
    console = terminal()
    if not options.quiet:
        console.print(broker_line(options.broker), highlight=False)
    system = PrivateSystem(
        [Device(options.name, options.gateway, "camera")],
        scenes=[options.scenes] if options.scenes else [],
        broker=options.broker,
        recording=True,
    )
    begin = time.monotonic()
    with system:
        password = system.accounts.gateways[options.gateway]
        with Publisher("127.0.0.1", system.broker_port, options.gateway, options.gateway, password) as publisher:
            sent = _Count()
            drive(_watch(options, publisher, _EPOCH_MS, sent), count_frames(options.source), quiet=options.quiet)
            publisher.clock(sent.last_ms + _SETTLE_MS)
            publisher.drain(_DRAIN_S)
            end = sent.last_ms + _SETTLE_MS
            system.wait(lambda: finished(system.status(), sent.readings, end), _DRAIN_S, "not everything was taken")
        status, cases = system.status(), system.cases()
        events = [event_of(alert) for alert in system.alerts()]
    result = result_of(status, events, sent=sent.readings, seconds=time.monotonic() - begin, cases=cases)
    result["frames"] = sent.frames
    if options.json_file is not None:
        write_json(options.json_file, result)
    if not options.quiet:
        show_events(console, events, result)
    return 1 if result["lost"] or result["doubled"] else 0


def _elsewhere(options: CameraOptions) -> int:
    host, port, tls = broker_of(str(options.to))
    sent = _Count()
    begin = time.monotonic()
    password = password_of(options.password_file)
    with Publisher(host, port, options.gateway, options.gateway, password, tls=tls) as publisher:
        start = wall_ns() // 1_000_000
        drive(_paced(options, publisher, start, sent), count_frames(options.source), quiet=options.quiet)
        publisher.drain(_DRAIN_S)
    if options.json_file is not None:
        nobody_knows = summary({}, seconds=time.monotonic() - begin, cases=0, lost=None, doubled=None, events=[])
        write_json(options.json_file, {**nobody_knows, "readings": sent.readings, "frames": sent.frames})
    if not options.quiet:
        sys.stdout.write(f"{sent.frames} frames seen, {sent.readings} readings published as {options.name}\n")
    return 0


class _Count:
    """What was seen and sent."""

    frames = 0
    readings = 0
    last_ms = 0


def _watch(options: CameraOptions, publisher: Publisher, start_ms: int, sent: _Count) -> Iterator[int]:
    detector = ForegroundShare()
    for frame in frames(options.source, start_ms):
        sent.frames += 1
        sent.last_ms = frame.at_ms
        share = detector.on_frame(frame.picture)
        if share is not None:
            publisher.single(options.name, METRIC, frame.at_ms, round(share, 6))
            sent.readings += 1
        yield sent.frames


def _paced(options: CameraOptions, publisher: Publisher, start_ms: int, sent: _Count) -> Iterator[int]:
    """The same at the pace of the frames; a camera that goes away is tried again and again."""
    live = "://" in options.source or options.source.isdigit()
    pause = threading.Event()
    failures = 0
    while True:
        try:
            for count in _watch(options, publisher, start_ms, sent):
                failures = 0
                if not live:
                    pause.wait(max(0.0, (sent.last_ms - wall_ns() // 1_000_000) / 1000))
                yield count
        except UnavailableError as error:
            sys.stderr.write(f"scenewatch camera: {error}\n")
        if not live:
            return
        wait = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
        failures += 1
        sys.stderr.write(f"scenewatch camera: {without_password(options.source)} ended; trying again in {wait} s\n")
        pause.wait(wait)
