"""The role `gateways`: plays a simulated district against the broker and keeps count of what it sent."""

import signal
from pathlib import Path

import msgspec

from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError
from core.whole import write_whole
from runtime.accounts import load_accounts
from runtime.config import Config
from runtime.ending import Ending
from runtime.supervisor import announce
from simulators import district
from simulators.play import Player, Progress, connector
from simulators.wire import RefusedError
from simulators.world import Scenario, World

_START_MS = 400
_START_PER_GATEWAY_MS = 4


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is simulated; a command writes it, this role reads it. `scenario.begin_ms` is set when all are connected."""

    district: str
    """File of the district, as `simulators.district.save` wrote it."""
    scenario: Scenario
    host: str
    port: int
    report: str
    """File that the counts are written to, again and again."""


class Count(msgspec.Struct, kw_only=True):
    """What was sent so far; `finished` once nothing more comes."""

    begin_ms: int = 0
    until_ms: int = 0
    messages: int = 0
    sent: int = 0
    duplicates: int = 0
    acknowledged: int = 0
    late_ms: float = 0.0
    by_gateway: dict[str, int] = {}
    finished: bool = False


def count_of(begin_ms: int, progress: Progress, *, finished: bool) -> Count:
    """The counts of a run that began at `begin_ms`."""
    sent = progress.sent
    return Count(
        begin_ms=begin_ms, until_ms=progress.until_ms, messages=sent.messages, sent=sent.readings,
        duplicates=sent.duplicates, acknowledged=progress.acknowledged, late_ms=round(progress.late_ms, 3),
        by_gateway=sent.by_gateway or {}, finished=finished,
    )  # fmt: skip


def soon(gateways: int) -> int:
    """A moment at which so many gateways will be connected, ms."""
    return wall_ns() // 1_000_000 + _START_MS + _START_PER_GATEWAY_MS * gateways


def run(config: Config) -> None:
    """Play the plan of `gateways.plan` until its end or SIGTERM.

    Raises:
        ConfigError: If there is no plan.
        UnavailableError: If the broker cannot be reached.
    """
    if config.gateways.plan is None:
        raise ConfigError("gateways.plan: a plan is needed")
    plan = msgspec.json.decode(config.gateways.plan.read_bytes(), type=Plan)
    there = district.load(Path(plan.district))
    scenario = msgspec.structs.replace(plan.scenario, begin_ms=soon(len(there.gateways)))
    player = Player(World(there, scenario), connector(plan.host, plan.port, load_accounts(config.data.dir).gateways))
    ending = Ending(signal.SIGTERM)
    report = Path(plan.report)
    try:
        player.connect()
        announce({"gateways": len(there.gateways), "incidents": len(player.world.incidents)})
        player.play(ending.is_set, lambda p: write(report, count_of(scenario.begin_ms, p, finished=False)))
        write(report, count_of(scenario.begin_ms, player.progress, finished=True))
    except (RefusedError, OSError) as error:
        raise UnavailableError(f"the gateways cannot reach the broker: {error}") from error
    player.close()


def write(path: Path, count: Count) -> None:
    """Write the counts, whole or not at all."""
    write_whole(path, msgspec.json.encode(count))


def read(path: Path) -> Count:
    """The counts; zeros while there are none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Count)
    except OSError:
        return Count()
