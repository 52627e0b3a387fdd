"""The role `gateways`: plays a simulated world against the broker and keeps count of what it sent."""

import heapq
import os
import selectors
import signal
import time
from pathlib import Path

import msgspec
import numpy as np

from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError
from runtime.accounts import load_accounts
from runtime.config import Config
from runtime.supervisor import announce
from simulators.demo_world import Group, World
from simulators.wire import Connection, RefusedError, Singles, publish_packet

_TICK_S = 0.01
_REPORT_S = 0.25
_CAMERA_PERIOD_S = 10.0
_DRAIN_S = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is simulated; the demo writes it, this role reads it."""

    sensors: int
    cameras: int
    period_s: float
    """Seconds between two readings of one sensor."""
    seconds: float
    incidents: int
    seed: int
    host: str
    port: int
    report: str
    """File that the counts are written to, again and again."""

    def world(self) -> World:
        """The world of this plan."""
        return World(
            sensors=self.sensors, cameras=self.cameras, seconds=self.seconds, incidents=self.incidents, seed=self.seed
        )


class Count(msgspec.Struct, kw_only=True):
    """What was sent so far; `finished` once nothing more comes."""

    sent: int = 0
    acknowledged: int = 0
    started: list[str] = []
    """Devices whose incident has been sent long enough to be seen."""
    finished: bool = False


class _Gateway:
    """One connection, one group of devices, one rhythm."""

    def __init__(self, plan: Plan, group: Group, gateway: str, names: list[str], password: str, offset: float) -> None:
        self.connection = Connection(plan.host, plan.port, gateway, password, window=1_000)
        self.period = plan.period_s if group.kind.scene else _CAMERA_PERIOD_S
        self.due = offset * self.period
        self.names = names
        self.readings = 0
        self._group = group
        self._frames = Singles(gateway, names, group.kind.metric, qos=1)
        self._rows = np.arange(len(names))
        state = publish_packet(f"sw/v1/{gateway}/state", b'{"online":true}', packet_id=65_535, retain=True)
        self.connection.queue(state, 1)

    def play(self, at_s: float) -> None:
        """Send one reading of every device, unless too many wait for their acknowledgement."""
        if self.connection.in_flight + len(self._rows) > self.connection.window:
            return
        ids = self.connection.packet_ids(len(self._rows))
        values = self._group.values(at_s)
        self.connection.queue(self._frames.encode(self._rows, wall_ns() // 1_000_000, values, ids), len(self._rows))
        self.readings += len(self._rows)


def run(config: Config) -> None:
    """Play the plan of `gateways.plan` until its end or SIGTERM.

    Raises:
        ConfigError: If there is no plan.
        UnavailableError: If the broker cannot be reached.
    """
    if config.gateways.plan is None:
        raise ConfigError("gateways.plan: a plan is needed")
    plan = msgspec.json.decode(config.gateways.plan.read_bytes(), type=Plan)
    world = plan.world()
    accounts = load_accounts(config.data.dir)
    rng = np.random.default_rng(plan.seed)
    incidents = {incident.device: incident for incident in world.incidents}
    try:
        gateways = [
            _Gateway(
                plan, Group(kind, names, incidents, plan.seed + i), gateway, names,
                accounts.gateways[gateway], float(rng.uniform()),
            )
            for i, (kind, gateway, names) in enumerate(world.groups)
        ]  # fmt: skip
    except (RefusedError, OSError) as error:
        raise UnavailableError(f"the gateways cannot reach the broker: {error}") from error
    stopping: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    announce({"gateways": len(gateways), "incidents": len(incidents)})
    count = Count()
    begin = time.monotonic()
    try:
        _play(plan, gateways, count, begin, stopping)
        _drain(gateways, count, plan)
    except ConnectionError as error:
        raise UnavailableError(str(error)) from error
    at = time.monotonic() - begin
    longest = max((g.period for g in gateways), default=0.0)
    count.started = [i.device for i in world.incidents if i.start_s + 3 * min(longest, plan.period_s) + 3.5 < at]
    count.finished = True
    _write(plan, gateways, count)
    for gateway in gateways:
        gateway.connection.close()


def _play(plan: Plan, gateways: list[_Gateway], count: Count, begin: float, stopping: list[bool]) -> None:
    queue = [(gateway.due, i) for i, gateway in enumerate(gateways)]
    heapq.heapify(queue)
    selector = selectors.DefaultSelector()
    for gateway in gateways:
        selector.register(gateway.connection.socket, selectors.EVENT_READ, gateway)
    reported = 0.0
    while not stopping:
        now = time.monotonic() - begin
        if now >= plan.seconds:
            return
        while queue and queue[0][0] <= now:
            due, index = heapq.heappop(queue)
            gateways[index].play(due)
            gateways[index].connection.pump()
            heapq.heappush(queue, (due + gateways[index].period, index))
        for key, _ in selector.select(max(0.0, min(_TICK_S, queue[0][0] - now))):
            key.data.connection.pump()
        if now - reported >= _REPORT_S:
            reported = now
            for gateway in gateways:
                if gateway.connection.backlog:
                    gateway.connection.pump()
            _write(plan, gateways, count)


def _drain(gateways: list[_Gateway], count: Count, plan: Plan) -> None:
    deadline = time.monotonic() + _DRAIN_S
    selector = selectors.DefaultSelector()
    for gateway in gateways:
        selector.register(gateway.connection.socket, selectors.EVENT_READ)
    while time.monotonic() < deadline and any(g.connection.in_flight or g.connection.backlog for g in gateways):
        for gateway in gateways:
            gateway.connection.pump()
        selector.select(_TICK_S)
    _write(plan, gateways, count)


def _write(plan: Plan, gateways: list[_Gateway], count: Count) -> None:
    count.sent = sum(gateway.readings for gateway in gateways)
    count.acknowledged = sum(gateway.connection.acknowledged for gateway in gateways)
    path = Path(plan.report)
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(count))
    os.replace(partial, path)  # noqa: PTH105 - the same as Path.replace, and it says what it is for
