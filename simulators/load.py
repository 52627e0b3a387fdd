"""Open-loop load: what is due is offered on time whether or not the system keeps up, and lateness is written down.

`python -m simulators.load PLAN.json` prints its report as JSON; benchmarks run it as a process of its own.
"""

import selectors
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from simulators.wire import Connection, Packs, Singles

_TICK_S = 0.001
_MOST = 4_000
_DRAIN_S = 30.0
_PERCENTILES = (50, 90, 99)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to offer.

    `gateways` are (id, password, device names of one length); `rate` is messages a second over all of them.
    """

    host: str
    port: int
    gateways: list[tuple[str, str, list[str]]]
    metric: str
    rate: float
    seconds: float
    qos: int = 0
    pack: int = 0
    """Readings in a message; 0 for single readings."""
    base: float = 10.0
    swing: float = 3.0
    seed: int = 1
    window: int = 60_000


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was offered.

    `offered` is what the schedule asked for a second, `achieved` what left; `late_ms` how much after its moment a
    message left, by percentile.
    """

    messages: int
    readings: int
    acknowledged: int
    seconds: float
    offered: float
    achieved: float
    late_ms: dict[str, float]
    started_ns: int
    ended_ns: int


class _Sender:
    """One connection with its frames; devices take turns."""

    def __init__(self, plan: Plan, gateway: tuple[str, str, list[str]], rng: np.random.Generator) -> None:
        name, password, devices = gateway
        self.connection = Connection(plan.host, plan.port, name, password, window=plan.window)
        self.devices = len(devices)
        self._qos = plan.qos
        self._singles = Singles(name, devices, plan.metric, qos=plan.qos) if not plan.pack else None
        self._packs = Packs(name, devices, plan.metric, size=plan.pack, qos=plan.qos) if plan.pack else None
        self._next = 0
        self._time = 0
        self._values: NDArray[np.float64] = plan.base + rng.uniform(-plan.swing, plan.swing, len(devices))

    def offer(self, messages: int, now_ms: int) -> int:
        """Queue messages; each device's times go up strictly. Returns readings."""
        if self._packs is not None:
            for _ in range(messages):
                rows = self._turn(self._packs.size)
                packet_id = int(self.connection.packet_ids(1)[0]) if self._qos else 0
                frame = self._packs.encode(rows, self._stamp(now_ms), self._values[rows], packet_id)
                self.connection.queue(frame, self._qos)
            return messages * self._packs.size
        assert self._singles is not None  # noqa: S101 - one of the two is there
        left = messages
        while left:
            # Never the same device twice in one go: its two readings would have one time.
            count = min(left, self.devices - self._next, 4_000)
            rows = self._turn(count)
            ids = self.connection.packet_ids(count) if self._qos else None
            frames = self._singles.encode(rows, self._stamp(now_ms), self._values[rows], ids)
            self.connection.queue(frames, count * self._qos)
            left -= count
        return messages

    def _stamp(self, now_ms: int) -> int:
        """The time of what is sent now; it moves on at least once a round of the devices."""
        if self._next == 0 or now_ms > self._time:
            self._time = max(now_ms, self._time + 1)
        return self._time

    def _turn(self, count: int) -> NDArray[np.int64]:
        rows = (self._next + np.arange(count)) % self.devices
        self._next = int(self._next + count) % self.devices
        return rows


def run(plan: Plan) -> Report:
    """Offer the plan and wait for the acknowledgements.

    Raises:
        RefusedError: If the broker does not let a gateway in.
        OSError: If the connection breaks.
    """
    rng = np.random.default_rng(plan.seed)
    senders = [_Sender(plan, gateway, rng) for gateway in plan.gateways]
    lateness: list[tuple[float, int]] = []
    total = int(plan.rate * plan.seconds)
    sent = readings = turn = 0
    started_ns = time.time_ns()  # noqa: TID251 - a gateway has a clock of its own
    begin = time.perf_counter()
    while sent < total:
        now = time.perf_counter() - begin
        due = min(total, int(now * plan.rate) + 1)
        if due > sent:
            # One connection at a time takes what is due: fewer, larger writes, as the tick is short.
            for _ in range(len(senders)):
                sender = senders[turn % len(senders)]
                turn += 1
                room = sender.connection.window - sender.connection.in_flight if plan.qos else _MOST
                count = min(_MOST, due - sent, room)
                if count > 0 and sender.connection.backlog < 1 << 22:
                    lateness.append((now - sent / plan.rate, count))
                    readings += sender.offer(count, time.time_ns() // 1_000_000)  # noqa: TID251 - as above
                    sent += count
                if sent >= due:
                    break
        for sender in senders:
            sender.connection.pump()
        if due <= sent:
            # Not woken by every acknowledgement: the generator shares its cores with what it measures.
            time.sleep(_TICK_S)
    ended_ns = time.time_ns()  # noqa: TID251 - as above
    seconds = time.perf_counter() - begin
    _drain(senders, plan.qos)
    for sender in senders:
        sender.connection.close()
    return Report(
        messages=sent,
        readings=readings,
        acknowledged=sum(sender.connection.acknowledged for sender in senders),
        seconds=seconds,
        offered=plan.rate,
        achieved=sent / seconds,
        late_ms=_late(lateness),
        started_ns=started_ns,
        ended_ns=ended_ns,
    )


def _drain(senders: list[_Sender], qos: int) -> None:
    deadline = time.perf_counter() + _DRAIN_S
    selector = selectors.DefaultSelector()
    for sender in senders:
        selector.register(sender.connection.socket, selectors.EVENT_READ)
    while time.perf_counter() < deadline:
        for sender in senders:
            sender.connection.pump()
        if not any(s.connection.backlog or (qos and s.connection.in_flight) for s in senders):
            return
        selector.select(_TICK_S)


def _late(lateness: list[tuple[float, int]]) -> dict[str, float]:
    if not lateness:
        return {}
    late, weight = (np.array(column) for column in zip(*lateness, strict=True))
    order = np.argsort(late)
    share = np.cumsum(weight[order]) / weight.sum() * 100
    named = {f"p{p}": float(late[order][np.searchsorted(share, p)]) * 1000 for p in _PERCENTILES}
    return {
        **{name: round(max(0.0, value), 3) for name, value in named.items()},
        "max": round(float(late.max()) * 1000, 3),
    }


if __name__ == "__main__":
    report = run(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan))
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
