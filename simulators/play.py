"""Plays a world against a broker on the wall clock: every gateway sends what is due when it is due.

The next second is computed and encoded while the one before is under way; what the broker does not take in time waits
at its gateway and is sent late, never left out. How late is written down.
"""

import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.clock import wall_ns
from simulators.district import Speaks
from simulators.encode import Encoder, Segment
from simulators.gateway import Connect, EdgeNode, Gateway
from simulators.run import Sent
from simulators.wire import Connection, Will
from simulators.world import Reports, World

_CHUNK_MS = 500
_WINDOW = 1_000
_PAUSE_S = 0.002
_REPORT_S = 0.25
_DRAIN_S = 10.0
_SLOT_MS = {"calm": 5.0, "load": 20.0}
_LOAD = 5_000.0
"""Messages a second from which slots are long."""
_MOST_WAITING_S = 3.0
"""Further behind than this nothing more is computed until the broker has caught up."""


@dataclass(slots=True)
class Progress:
    """How far it is.

    Attributes:
        sent: What has gone out.
        acknowledged: PUBLISH packets that the broker has acknowledged, states included.
        until_ms: Up to when the world has been played.
        late_ms: How long after their moment segments left, at most, since the last look.
    """

    sent: Sent = field(default_factory=Sent)
    acknowledged: int = 0
    until_ms: int = 0
    late_ms: float = 0.0


class Player:
    """A world being played.

    Args:
        world: What.
        connect: Opens a gateway's connection, with a window of messages under way.
        qos: 0 or 1.
    """

    def __init__(self, world: World, connect: Connect, *, qos: int = 1) -> None:
        self.world = world
        self.progress = Progress()
        self.late: list[float] = []
        self._qos = qos
        self._encoder = Encoder(world.district, qos=qos)
        self._gateways = [self._gateway(number, connect) for number in range(len(world.district.gateways))]
        self._moves = deque(sorted(_moves(world)))
        self._next_ms = world.scenario.begin_ms
        self._held: list[Reports] = []
        self._due: deque[tuple[int, Segment]] = deque()
        self._selector = selectors.DefaultSelector()
        self._slot_ms = _SLOT_MS["calm"]

    def _gateway(self, number: int, connect: Connect) -> Gateway:
        name = self.world.district.gateways[number]
        if self.world.district.speaks[number] != Speaks.SPARKPLUG:
            return Gateway(name, connect)
        births = partial(self._encoder.births.messages, number)
        return EdgeNode(name, connect, births, self._qos)

    def connect(self) -> None:
        """Let every gateway come.

        Raises:
            RefusedError: If the broker does not let one in.
            OSError: If nobody answers.
        """
        now = wall_ns() // 1_000_000
        for gateway in self._gateways:
            self._come(gateway, now)

    def play(self, stopping: Callable[[], bool], on_progress: Callable[[Progress], None] | None = None) -> None:
        """Play until the scenario's end, or until it is told to stop; then wait for what is under way.

        Raises:
            ConnectionError: If the broker closed a connection.
        """
        end, reported = self.world.scenario.end_ms, 0.0
        while not stopping():
            now = wall_ns() // 1_000_000
            if now - self._next_ms < _MOST_WAITING_S * 1000 or not any(g.waiting for g in self._gateways):
                self._compute(now + _CHUNK_MS // 2)
            self._move(now)
            touched = self._release(now)
            self._pump(touched)
            if time.monotonic() - reported > _REPORT_S:
                reported = time.monotonic()
                self._pump(range(len(self._gateways)))
                self._count(min(now, end))
                if on_progress is not None:
                    on_progress(self.progress)
                if now >= end and not self._due:
                    break
        self._drain()
        self._count(min(wall_ns() // 1_000_000, end))

    def close(self) -> None:
        """Let every gateway go, politely."""
        for gateway in self._gateways:
            gateway.close()
        self._selector.close()

    def _compute(self, until_ms: int) -> None:
        end = self.world.scenario.end_ms
        while self._next_ms < min(until_ms, end):
            begin, self._next_ms = self._next_ms, min(self._next_ms + _CHUNK_MS, end)
            reports = [*self._held, *self.world.reports(begin, self._next_ms)]
            number = sum(len(r.rows) for r in reports)
            self._slot_ms = _SLOT_MS["load" if number > _LOAD * _CHUNK_MS / 1000 else "calm"]
            now, self._held = split(reports, self._next_ms)
            slot = self._slot_ms
            self._due.extend(
                (begin + int((segment.slot + 1) * slot), segment)
                for segment in self._encoder.segments(now, begin, slot)
            )

    def _release(self, now_ms: int) -> set[int]:
        """Hand what is due to its gateways."""
        touched: set[int] = set()
        while self._due and self._due[0][0] <= now_ms:
            due, segment = self._due.popleft()
            self._gateways[segment.gateway].waiting.append(segment)
            touched.add(segment.gateway)
            self.progress.late_ms = max(self.progress.late_ms, float(now_ms - due))
        return touched

    def _pump(self, gateways: "set[int] | range") -> None:
        for number in gateways:
            self._pump_one(self._gateways[number])
        wait = 0.0 if gateways else _PAUSE_S
        for key, _ in self._selector.select(wait):
            self._pump_one(key.data)

    def _pump_one(self, gateway: Gateway) -> None:
        before = gateway.connection
        if before is None:
            return
        socket = before.socket
        gateway.pump(self._qos)
        if gateway.connection is None:
            self._selector.unregister(socket)

    def _come(self, gateway: Gateway, now_ms: int) -> None:
        gateway.come(now_ms)
        connection = gateway.connection
        if connection is not None and connection.socket not in self._selector.get_map():
            self._selector.register(connection.socket, selectors.EVENT_READ, gateway)

    def _move(self, now_ms: int) -> None:
        """Gateways that go and come by their faults."""
        while self._moves and self._moves[0][0] <= now_ms:
            _, number, how = self._moves.popleft()
            if how == "come":
                self._come(self._gateways[number], now_ms)
            else:
                self._gateways[number].leave(how, now_ms)

    def _drain(self) -> None:
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline:
            self._pump(range(len(self._gateways)))
            if all(gateway.idle or gateway.connection is None for gateway in self._gateways):
                return
            self._selector.select(_PAUSE_S)

    def _count(self, until_ms: int) -> None:
        progress = self.progress
        progress.until_ms = until_ms
        progress.acknowledged = sum(g.acknowledged for g in self._gateways)
        progress.sent = Sent(
            messages=sum(g.messages for g in self._gateways),
            readings=sum(g.readings for g in self._gateways),
            duplicates=sum(g.duplicates for g in self._gateways),
            by_gateway={g.name: g.readings for g in self._gateways},
        )


def split(reports: list[Reports], until_ms: int) -> tuple[list[Reports], list[Reports]]:
    """(what is sent before `until_ms`, what is held back for later)."""
    now: list[Reports] = []
    later: list[Reports] = []
    for one in reports:
        held = one.sent >= until_ms
        if not held.any():
            now.append(one)
            continue
        for into, which in ((now, ~held), (later, held)):
            if which.any():
                into.append(_some(one, which))
    return now, later


def _some(reports: Reports, which: NDArray[np.bool_]) -> Reports:
    return Reports(
        reports.kind, reports.rows[which], reports.event[which], reports.sent[which], reports.values[:, which],
        reports.repeated[which],
    )  # fmt: skip


def _moves(world: World) -> list[tuple[int, int, str]]:
    """(when, which gateway, `come` or how it leaves)."""
    found: list[tuple[int, int, str]] = []
    for name in ("disconnect", "backlog", "will"):
        spans = world.away(name)
        for row, begin, end in zip(spans.rows.tolist(), spans.begin.tolist(), spans.end.tolist(), strict=True):
            found += [(begin, row, name), (end, row, "come")]
    return found


def connector(host: str, port: int, passwords: Mapping[str, str], *, user: str | None = None) -> Connect:
    """Opens connections at a broker with a password for each gateway; `user` is one user for all of them."""

    def connect(gateway: str, *, will: Will | None = None, listen: str = "") -> Connection:
        return Connection(host, port, gateway, passwords[gateway], user=user, window=_WINDOW, will=will, listen=listen)

    return connect
