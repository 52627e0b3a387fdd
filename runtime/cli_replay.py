"""`scenewatch replay`: a recording through a real broker, on the recording's clock."""

import math
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from alerts.stored import StoredAlert
from city.catalogue import load_catalogue
from city.device import Device
from city.device_list import usable
from core.clock import rfc3339, wall_ns
from core.errors import ConfigError
from runtime.broker.base import PIPELINE_USER
from runtime.config import read_secret
from runtime.known_scenes import known_scenes
from runtime.private import PrivateSystem, broker_line
from runtime.publisher import Publisher, broker_of
from runtime.recording import Recording, load_recording
from runtime.summary import summary, write_json
from runtime.terminal import terminal

_PACK = 200
_TICK_S = 0.1
_SETTLE_MS = 1_000
_DRAIN_S = 120.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What was asked for on the command line."""

    file: Path
    scenes: Path | None
    feed: str | None
    gateway: str
    device_type: str
    speed: str
    tz: str
    to: str | None
    user: str | None
    password_file: Path | None
    json_file: Path | None
    broker: str
    quiet: bool


def replay(options: ReplayOptions) -> int:
    """Play the file; 0, or 1 if a reading was lost or doubled.

    Raises:
        ConfigError: If the file, a scene or an option is wrong.
        UnavailableError: If something cannot be started or reached.
    """
    speed = _speed(options.speed)
    if not usable(options.gateway) or options.gateway == PIPELINE_USER:
        raise ConfigError(f"--gateway {options.gateway}: another name, of 1 to 64 characters without / + #")
    if options.device_type and options.device_type not in load_catalogue():
        raise ConfigError(f"--type {options.device_type}: the catalogue has no such device type")
    recording = load_recording(options.file, feed=options.feed, tz=options.tz)
    for problem in recording.problems:
        sys.stderr.write(f"{problem}\n")
    if recording.left_out:
        sys.stderr.write(f"{recording.left_out} rows were left out\n")
    return _elsewhere(options, recording) if options.to else _alone(options, recording, speed)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        factor = float(text.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor < math.inf:
        raise ConfigError(f"--speed {text}: write max, 1x or 60x")
    return factor


def _alone(options: ReplayOptions, recording: Recording, speed: float | None) -> int:
    devices = {device for device, _ in recording.feeds}
    metrics = sorted({metric for _, metric in recording.feeds})
    known_scenes([options.scenes] if options.scenes else [], metrics)  # what is wrong there is told before all starts
    console = terminal()
    if not options.quiet:
        console.print(broker_line(options.broker), highlight=False)
    system = PrivateSystem(
        [Device(device, options.gateway, options.device_type) for device in sorted(devices)],
        scenes=[options.scenes] if options.scenes else [],
        metrics=metrics,
        broker=options.broker,
        recording=True,
        on_line=tell,
    )
    begin = time.monotonic()
    with system:
        password = system.accounts.gateways[options.gateway]
        with Publisher("127.0.0.1", system.broker_port, options.gateway, options.gateway, password) as publisher:
            _play(recording, publisher, speed, quiet=options.quiet)
            end = int(recording.event_time[-1]) + _SETTLE_MS
            publisher.clock(end)
            publisher.drain(_DRAIN_S)
            system.wait(lambda: finished(system.status(), len(recording), end), _DRAIN_S, "not everything was taken")
        status, cases = system.status(), system.cases()
        events = [event_of(alert) for alert in system.alerts()]
    result = result_of(status, events, sent=len(recording), seconds=time.monotonic() - begin, cases=cases)
    if options.json_file is not None:
        write_json(options.json_file, result)
    if not options.quiet:
        show_events(console, events, result)
    return 1 if result["lost"] or result["doubled"] else 0


def finished(status: dict[str, Any], sent: int, end_ms: int) -> bool:
    """Whether `sent` readings were taken, the clock came to `end_ms` and everything was delivered."""
    taken = status.get("readings", 0) + sum(status.get("rejected", {}).values())
    return taken >= sent and status.get("clock_ms", 0) >= end_ms and status.get("outbox") == 0


def result_of(
    status: dict[str, Any], events: Sequence[dict[str, Any]], *, sent: int, seconds: float, cases: int
) -> dict[str, Any]:
    """The summary of a replay."""
    taken = status.get("readings", 0)
    refused = sum(status.get("rejected", {}).values())
    return summary(
        status,
        seconds=seconds,
        cases=cases,
        lost=max(0, sent - taken - refused),
        doubled=max(0, taken + refused - sent),
        events=list(events),
    )


def event_of(alert: StoredAlert) -> dict[str, Any]:
    """One alert as `replay --json` writes it."""
    return {
        "id": alert.id,
        "scene": alert.scene,
        "feed": alert.feed,
        "place": alert.place,
        "severity": alert.worst,
        "raised_at": rfc3339(alert.raised_ms),
        "cleared_at": None if alert.cleared_ms is None else rfc3339(alert.cleared_ms),
        "task_number": alert.task_number,
        "feeds": alert.data.feeds,
        "configured_delay_ms": 0 if alert.latency is None else alert.latency.configured_delay_ms,
    }


def show_events(console: Console, events: Sequence[dict[str, Any]], result: dict[str, Any]) -> None:
    """Print alerts and the summary for a person."""
    for e in events:
        cleared = f"cleared {_short(e['cleared_at'])}" if e["cleared_at"] else "not cleared"
        line = f"{_short(e['raised_at'])}  {e['severity']:<8}  {e['scene']}  {e['feed']}  {cleared}"
        console.print(f"{line}  case {e['task_number'] or '-'}", highlight=False, soft_wrap=True)
    console.print(
        f"{result['readings']:,} readings in {result['seconds']:.1f} s, {result['alerts']} alerts, "
        f"{result['cases']} cases, lost {result['lost']}, doubled {result['doubled']}",
        highlight=False,
    )


def _play(recording: Recording, publisher: Publisher, speed: float | None, *, quiet: bool) -> None:
    sending = _packs(recording, publisher) if speed is None else _paced(recording, publisher, speed)
    drive(sending, len(recording), quiet=quiet)


def _rows(recording: Recording) -> list[tuple[str, str, int, float]]:
    return [
        (*recording.feeds[feed], at, value)
        for feed, at, value in zip(
            recording.feed.tolist(), recording.event_time.tolist(), recording.value.tolist(), strict=True
        )
    ]


def _packs(recording: Recording, publisher: Publisher) -> Iterator[int]:
    rows = _rows(recording)
    for start in range(0, len(rows), _PACK):
        publisher.pack(rows[start : start + _PACK])
        yield min(start + _PACK, len(rows))


def _paced(recording: Recording, publisher: Publisher, speed: float, *, tick: bool = True) -> Iterator[int]:
    """On the recording's clock, `speed` times as fast; ticks between readings let delays end without one."""
    rows = _rows(recording)
    first = rows[0][2]
    begin = time.monotonic()
    pause = threading.Event()
    sent = 0
    while sent < len(rows):
        now = first + int((time.monotonic() - begin) * 1000 * speed)
        while sent < len(rows) and rows[sent][2] <= now:
            publisher.single(*rows[sent])
            sent += 1
        yield sent
        if tick and sent < len(rows):
            publisher.clock(now)
        pause.wait(_TICK_S if tick else min(_TICK_S, _left_s(rows, sent, now, speed)))


def _left_s(rows: Sequence[tuple[str, str, int, float]], sent: int, now: int, speed: float) -> float:
    return max(0.0, (rows[sent][2] - now) / 1000 / speed) if sent < len(rows) else 0.0


def _elsewhere(options: ReplayOptions, recording: Recording) -> int:
    """Feed a running system: times shifted so that the first reading is now, at 1x."""
    host, port, tls = broker_of(str(options.to))
    shifted = Recording(
        recording.feeds,
        recording.feed,
        recording.event_time - int(recording.event_time[0]) + wall_ns() // 1_000_000,
        recording.value,
        recording.problems,
        recording.left_out,
    )
    user = options.user or options.gateway
    begin = time.monotonic()
    with Publisher(host, port, options.gateway, user, password_of(options.password_file), tls=tls) as publisher:
        drive(_paced(shifted, publisher, 1.0, tick=False), len(shifted), quiet=options.quiet)
        publisher.drain(_DRAIN_S)
    if options.json_file is not None:
        nobody_knows = summary({}, seconds=time.monotonic() - begin, cases=0, lost=None, doubled=None, events=[])
        write_json(options.json_file, {**nobody_knows, "readings": len(shifted)})
    if not options.quiet:
        sys.stdout.write(f"{len(shifted):,} readings published to {options.to} as {options.gateway}\n")
    return 0


def _short(time: str) -> str:
    return time.replace("T", " ").removesuffix(".000Z")


def drive(sending: Iterable[int], total: int | None, *, quiet: bool) -> None:
    """Run what sends to its end, with a progress bar on a terminal."""
    with Progress(disable=quiet or not sys.stderr.isatty(), console=Console(stderr=True)) as progress:
        task = progress.add_task("readings", total=total)
        for sent in sending:
            progress.update(task, completed=sent)


def password_of(file: Path | None) -> str:
    """A password from a file or from SCENEWATCH_PASSWORD.

    Raises:
        ConfigError: If there is none, or its file cannot be read.
    """
    if file is None:
        found = os.environ.get("SCENEWATCH_PASSWORD")
        if found is None:
            raise ConfigError("a password is needed: --password-file FILE, or SCENEWATCH_PASSWORD")
        return found
    return read_secret("--password-file", file)


def tell(line: str) -> None:
    """Tell a person what happened."""
    sys.stderr.write(f"scenewatch: {line}\n")
