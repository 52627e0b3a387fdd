"""`scenewatch demo`: the whole thing on this machine, with a live view."""

import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from city.device import Device
from core.errors import UnavailableError
from runtime.gateways import Count, Plan
from runtime.private import STOP_S, PrivateSystem, broker_line
from runtime.summary import summary, write_json
from runtime.view import Line, LiveView, View, shown_summary

_UNATTENDED_S = 60.0
_DRAIN_S = 30.0
_HURRY_S = 0.5
_FOREVER_S = 86_400.0
_FULL_SENSORS = 15_000
_FULL_CAMERAS = 15_000


def demo(
    *,
    seconds: float | None,
    scale: float,
    json_file: Path | None,
    seed: int,
    rate: float | None,
    broker: str,
    quiet: bool,
) -> int:
    """Run the demo; 0, or 1 if a reading was lost or doubled or an incident was not seen."""
    console = Console(stderr=False)
    attended = console.is_terminal and not quiet
    length = seconds or (_FOREVER_S if attended else _UNATTENDED_S)
    sensors, cameras = max(6, round(_FULL_SENSORS * scale)), max(1, round(_FULL_CAMERAS * scale))
    period = max(0.5, sensors / rate) if rate else max(1.0, sensors / 3_000)
    plan = Plan(
        sensors=sensors, cameras=cameras, period_s=period, seconds=length,
        incidents=min(sensors // 4, max(4, int(min(length, 600) / 2))), seed=seed,
        host="127.0.0.1", port=0, report="",
    )  # fmt: skip
    world = plan.world()
    devices = [Device(name, gateway, kind) for name, gateway, kind in world.devices()]

    def gateways(system: PrivateSystem) -> dict[str, str]:
        there = msgspec.structs.replace(plan, port=system.broker_port, report=str(system.folder / "gateways.json"))
        (system.folder / "plan.json").write_bytes(msgspec.json.encode(there))
        return {"plan": "plan.json"}

    if not quiet:
        console.print(broker_line(broker))
        console.print(
            f"{sensors:,} sensors and {cameras:,} cameras behind {len(world.gateways)} gateways; starting ..."
        )
    view: View = LiveView(console) if attended else Line(console, quiet=quiet)
    system = PrivateSystem(devices, broker=broker, more={"gateways": gateways}, on_line=view.note)
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with system:
            for number in before:  # only now: until here there is nothing to sum up, and they just end it
                signal.signal(number, lambda *_: stop.set())
            begin = time.monotonic()
            with view:
                _watch(system, view, stop, length, begin)
            hurry, ended = stop.is_set(), time.monotonic()
            count, complete = _finish(system, hurry=hurry)
            result = _result(plan, count, system.status(), system.cases(), ended - begin, system)
            if hurry and not complete:
                result["lost"] = None  # what was under way when it was told to end is not lost
            if hurry:
                system.stop(max(_HURRY_S, ended + STOP_S - time.monotonic()))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if json_file is not None:
        write_json(json_file, result)
    if not quiet:
        shown_summary(console, result)
    return 1 if result["lost"] or result["doubled"] or result["incidents"]["missed"] else 0


def _watch(system: PrivateSystem, view: View, stop: threading.Event, length: float, begin: float) -> None:
    while not stop.is_set():
        left = length - (time.monotonic() - begin)
        count = _count(system)
        view.show(system.status(), system.cases(), count, system.hub_url, max(0.0, left))
        if left <= 0 or count.finished:
            return
        stop.wait(min(view.every_s, max(0.05, left)))


def _count(system: PrivateSystem) -> Count:
    try:
        return msgspec.json.decode((system.folder / "gateways.json").read_bytes(), type=Count)
    except OSError:
        return Count()


def _finish(system: PrivateSystem, *, hurry: bool) -> tuple[Count, bool]:
    """Let the gateways end, then wait until everything they sent is taken and delivered; whether it was."""
    system.stop_later(_HURRY_S if hurry else STOP_S)
    count = _count(system)
    try:
        system.wait(
            lambda: system.status().get("readings", 0) >= count.sent and system.status().get("outbox") == 0,
            _HURRY_S if hurry else _DRAIN_S,
            "not everything was delivered",
        )
    except UnavailableError as error:
        if not hurry:
            sys.stderr.write(f"scenewatch demo: {error}\n")
        return count, False
    return count, count.finished


def _result(
    plan: Plan, count: Count, status: dict[str, Any], cases: int, ran: float, system: PrivateSystem
) -> dict[str, Any]:
    incidents = {incident.device: incident for incident in plan.world().incidents}
    places = [alert.place for alert in system.alerts()]
    expected = set(count.started)
    return summary(
        status,
        seconds=ran,
        cases=cases,
        lost=count.sent - (status.get("readings", 0) - status.get("repeated", 0)),
        doubled=status.get("repeated", 0) + len(places) - len(set(places)),
        sent=count.sent,
        incidents={
            "sent": len(expected),
            "found": len(expected & set(places)),
            "missed": sorted(expected - set(places)),
            "false": sorted(place for place in places if place not in incidents),
        },
    )
