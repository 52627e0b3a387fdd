"""`scenewatch simulate`: gateways and cameras with seeded incidents and faults, and the truth about them."""

import math
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from rich.console import Console
from rich.progress import Progress as Bar

from city.device_list import dump_devices
from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError
from runtime.accounts import load_accounts_file
from runtime.cli_demo import failed, finish
from runtime.cli_replay import password_of, tell
from runtime.ending import Ending
from runtime.gateways import Count, count_of, soon
from runtime.known_scenes import quick_scenes, scene_ids
from runtime.outputs import picture, writable, writing
from runtime.private import broker_line
from runtime.publisher import broker_of
from runtime.simulate_plot import day_in_the_district, midnight, plot
from runtime.simulated import SimulatedSystem
from runtime.summary import summary, write_json
from runtime.terminal import terminal
from simulators import district
from simulators.district import District
from simulators.play import Player, connector
from simulators.truth import truth_of, write_truth
from simulators.wire import RefusedError
from simulators.world import Scenario, World

_BRISK_S = 1800.0
_A_DAY = 86_400.0
_INCIDENTS_A_DAY = 10
_FAULTS_A_DAY = 6
_LONGEST_S = 31 * _A_DAY
_SLACK_S = 60.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """What was asked for on the command line."""

    sensors: int
    cameras: int
    rate: str
    seed: int
    seconds: float
    truth: Path | None
    devices: Path | None
    plot: Path | None
    begin: str | None
    incidents: int | None
    faults: int | None
    storm: bool
    brisk: bool | None
    to: str | None
    accounts: Path | None
    user: str | None
    password_file: Path | None
    scenes: Path | None
    broker: str
    json_file: Path | None
    quiet: bool


def simulate(options: SimulateOptions) -> int:
    """Play a simulated district; 0, or 1 if by itself it lost or doubled a reading or missed an incident.

    Raises:
        ConfigError: If an option is wrong.
        UnavailableError: If something cannot be started or reached.
    """
    _check(options)
    scenario = _scenario(options)
    console = terminal(stderr=True)
    if not options.quiet:
        console.print(f"placing {options.sensors:,} sensors and {options.cameras:,} cameras ...", highlight=False)
    there = district.make(options.seed, options.sensors, options.cameras)
    if options.devices is not None:
        with writing(options.devices):
            dump_devices(options.devices, there.devices)
    if options.plot is not None:
        return _plot(there, scenario, options.plot, options.begin)
    if not options.quiet:
        console.print(
            f"{len(there.gateways)} gateways, {scenario.incidents} incidents and {scenario.faults} faults "
            f"in {options.seconds:,.0f} s, seed {options.seed}",
            highlight=False,
        )
    return _elsewhere(there, scenario, options) if options.to else _alone(there, scenario, options)


def _plot(there: District, scenario: Scenario, path: Path, day: str | None) -> int:
    begin = midnight(wall_ns() // 1_000_000) if day is None else _day(day)
    with writing(path):
        plot(World(there, _at(scenario, begin)), path)
    return 0


def _day(text: str) -> int:
    return day_in_the_district("--begin", text)


def _at(scenario: Scenario, begin_ms: int) -> Scenario:
    return msgspec.structs.replace(scenario, begin_ms=begin_ms)


def _scenario(options: SimulateOptions) -> Scenario:
    days = options.seconds / _A_DAY
    brisk = options.seconds < _BRISK_S if options.brisk is None else options.brisk
    incidents = max(4, round(_INCIDENTS_A_DAY * days)) if options.incidents is None else options.incidents
    faults = round(_FAULTS_A_DAY * days) if options.faults is None else options.faults
    return Scenario(
        seed=options.seed, begin_ms=0, seconds=options.seconds, incidents=incidents, faults=faults,
        storm=options.storm, brisk=brisk, period_s=_period(options),
    )  # fmt: skip


def _period(options: SimulateOptions) -> float | None:
    if options.rate == "real":
        return None
    try:
        rate = float(options.rate)
    except ValueError:
        rate = 0.0
    if not 0 < rate < math.inf:
        raise ConfigError(f"--rate {options.rate}: write real, or how many messages a second, like 5000")
    period = options.sensors / rate
    if period < 0.001:
        raise ConfigError(f"--rate {options.rate}: {options.sensors:,} sensors give at most {options.sensors * 1000:,}")
    return period


def _check(options: SimulateOptions) -> None:
    if options.seconds > _LONGEST_S:
        raise ConfigError(f"--seconds {options.seconds:g}: at most {_LONGEST_S:g}, 31 days")
    for name, path in (("--truth", options.truth), ("--json", options.json_file), ("--devices", options.devices)):
        writable(name, path)
    picture("--plot", options.plot)
    if options.begin is not None:
        _day(options.begin)
        if options.plot is None:
            raise ConfigError("--begin: only --plot can begin on another day; what is played begins now")
    if options.to is not None and broker_of(options.to)[2]:
        raise ConfigError(f"--to {options.to}: the simulated gateways speak MQTT without TLS: write mqtt://host:port")
    if options.to is None and (options.accounts or options.user or options.password_file):
        raise ConfigError("--accounts, --user and --password-file are for a running broker: give it with --to")
    if options.to is not None and options.accounts and options.user:
        raise ConfigError("--accounts has a user for each gateway; --user is one for all: give one of the two")


def _alone(there: District, scenario: Scenario, options: SimulateOptions) -> int:
    console = terminal()
    if not options.quiet:
        console.print(broker_line(options.broker), highlight=False)
    ending = Ending()
    scenes = [options.scenes] if options.scenes else []
    # What no scene here can see is no incident for them; nor is what a scene sees only after the run.
    seen = quick_scenes(scenes) if scenario.brisk else scene_ids(scenes)
    scenario = msgspec.structs.replace(scenario, scenes=tuple(sorted(seen)))
    with SimulatedSystem(there, scenario, scenes=scenes, broker=options.broker, on_line=tell) as system:
        begin = time.monotonic()
        with _Shown(scenario, quiet=options.quiet) as shown:
            while not ending.is_set() and not (count := system.count()).finished:
                shown(count)
                if time.monotonic() - begin > scenario.seconds + 120:
                    raise UnavailableError("the gateways did not come to an end")
                ending.wait(_LOOK_S)
        count, _ = finish(system, hurry=ending.is_set(), patience_s=60.0)
        truth = system.truth(count)
        slack = 10.0 + 3 * (scenario.period_s or 0.0) if scenario.brisk else _SLACK_S * 60
        result = system.result(count, time.monotonic() - begin, slack_s=slack, truth=truth)
    if options.truth is not None:
        with writing(options.truth):
            write_truth(options.truth, truth)
    _tell(result, count, options)
    return failed(result)


def _elsewhere(there: District, scenario: Scenario, options: SimulateOptions) -> int:
    host, port, _ = broker_of(str(options.to))
    begun = _at(scenario, soon(len(there.gateways)))
    world = World(there, begun)
    player = Player(world, connector(host, port, _passwords(there, options), user=options.user))
    begin = time.monotonic()
    ending = Ending()
    try:
        player.connect()
        with _Shown(begun, quiet=options.quiet) as shown:
            player.play(ending.is_set, lambda p: shown(count_of(begun.begin_ms, p, finished=False)))
    except RefusedError as error:
        raise ConfigError(f"{error}: does --accounts or --user fit the broker at {options.to}?") from error
    except OSError as error:
        raise UnavailableError(f"the gateways cannot reach the broker at {options.to}: {error}") from error
    player.close()
    count = count_of(begun.begin_ms, player.progress, finished=True)
    if options.truth is not None:
        with writing(options.truth):
            write_truth(options.truth, truth_of(world, player.progress.sent, until_ms=count.until_ms))
    result = summary({}, seconds=time.monotonic() - begin, cases=0, lost=None, doubled=None, sent=count.sent)
    _tell({**result, "readings": count.sent, "late_ms": count.late_ms}, count, options)
    return 0


def _passwords(there: District, options: SimulateOptions) -> Mapping[str, str]:
    if options.accounts is None:
        password = password_of(options.password_file)
        return defaultdict(lambda: password)
    found = load_accounts_file(options.accounts).gateways
    missing = [gateway for gateway in there.gateways if gateway not in found]
    if missing:
        raise ConfigError(
            f"--accounts {options.accounts}: {len(missing)} gateways have no password there, {missing[0]} first; "
            "give the broker's system the list that --devices writes"
        )
    return found


def _tell(result: dict[str, Any], count: Count, options: SimulateOptions) -> None:
    result = {**result, "messages": count.messages, "duplicates": count.duplicates}
    if options.json_file is not None:
        write_json(options.json_file, result)
    if options.quiet:
        return
    line = (
        f"{count.sent:,} readings in {count.messages:,} messages, {count.duplicates:,} sent twice on purpose, "
        f"{count.late_ms:.0f} ms late at most"
    )
    if "incidents" in result:
        incidents = result["incidents"]
        line += (
            f"; {result['alerts']} alerts, {result['cases']} cases; "
            f"lost {result['lost']}, doubled {result['doubled']}; "
            f"{incidents['found']} of {incidents['sent']} incidents seen, {len(incidents['false'])} alerts unexplained"
        )
    sys.stdout.write(line + "\n")


class _Shown:
    """A progress bar of the run's time, on a terminal."""

    def __init__(self, scenario: Scenario, *, quiet: bool) -> None:
        self._bar = Bar(disable=quiet or not sys.stderr.isatty(), console=Console(stderr=True))
        self._task = self._bar.add_task("simulated", total=scenario.seconds)

    def __call__(self, count: Count) -> None:
        """Show how far it is."""
        done = max(0.0, (count.until_ms - count.begin_ms) / 1000) if count.begin_ms else 0.0
        self._bar.update(self._task, completed=done, description=f"{count.sent:,} readings")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
