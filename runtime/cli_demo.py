"""`scenewatch demo`: the whole thing on this machine, with a live view."""

import signal
import sys
import time
from pathlib import Path
from typing import Any

from core.errors import UnavailableError
from runtime.cli_score import show
from runtime.ending import Ending
from runtime.gateways import Count
from runtime.known_scenes import quick_scenes
from runtime.private import STOP_S, broker_line
from runtime.simulated import SimulatedSystem
from runtime.summary import write_json
from runtime.terminal import terminal
from runtime.view import Line, LiveView, View, shown_summary
from simulators import district
from simulators.world import Scenario

_UNATTENDED_S = 60.0
_DRAIN_S = 30.0
_HURRY_S = 0.5
_FOREVER_S = 86_400.0
_SLACK_S = 10.0
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
    console = terminal()
    attended = console.is_terminal and not quiet
    length = seconds or (_FOREVER_S if attended else _UNATTENDED_S)
    sensors, cameras = max(6, round(_FULL_SENSORS * scale)), max(1, round(_FULL_CAMERAS * scale))
    period = max(0.5, sensors / rate) if rate else max(1.0, sensors / 3_000)
    if not quiet:
        console.print(broker_line(broker))
    there = district.make(seed, sensors, cameras)
    scenario = Scenario(
        seed=seed, begin_ms=0, seconds=length, incidents=min(sensors // 4, max(4, int(min(length, 600) / 2))),
        brisk=True, period_s=period, scenes=tuple(sorted(quick_scenes())),
    )  # fmt: skip
    if not quiet:
        console.print(
            f"{sensors:,} sensors and {cameras:,} cameras behind {len(there.gateways)} gateways; starting ..."
        )
    view: View = LiveView(console) if attended else Line(console, quiet=quiet)
    system = SimulatedSystem(there, scenario, broker=broker, history=True, on_line=view.note)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with system:
            ending = Ending(*before)  # only now: until here there is nothing to sum up, and they just end it
            begin = time.monotonic()
            if not quiet:
                where = f"console 控制台: {system.hub_url}; its token, to acknowledge 令牌: {system.hub_token}"
                console.print(where, soft_wrap=True)
            with view:
                _watch(system, view, ending, length, begin)
            hurry, ended = ending.is_set(), time.monotonic()
            count, complete = finish(system, hurry=hurry, patience_s=_DRAIN_S)
            result = system.result(count, ended - begin, slack_s=3 * period + _SLACK_S)
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
        show(console, system.score, verdict=False)
    return failed(result)


def failed(result: dict[str, Any]) -> int:
    """1 if a reading was lost or doubled or an incident was not seen, else 0."""
    return 1 if result["lost"] or result["doubled"] or result["incidents"]["missed"] else 0


def _watch(system: SimulatedSystem, view: View, ending: Ending, length: float, begin: float) -> None:
    while not ending.is_set():
        left = length - (time.monotonic() - begin)
        count = system.count()
        view.show(system.status(), system.cases(), count, system.hub_url, max(0.0, left))
        if left <= 0 or count.finished:
            return
        ending.wait(min(view.every_s, max(0.05, left)))


def finish(system: SimulatedSystem, *, hurry: bool, patience_s: float) -> tuple[Count, bool]:
    """Let the gateways end, then wait until everything they sent is taken and delivered; whether it was."""
    system.stop_later(_HURRY_S if hurry else STOP_S)
    count = system.count()
    try:
        system.wait(
            lambda: (
                system.status().get("readings", 0) >= count.sent + count.duplicates
                and system.status().get("outbox") == 0
            ),
            _HURRY_S if hurry else patience_s,
            "not everything was delivered",
        )
    except UnavailableError as error:
        if not hurry:
            sys.stderr.write(f"scenewatch: {error}\n")
        return count, False
    return count, count.finished
