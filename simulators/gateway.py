"""One gateway on the wire: what waits, what is under way, and how it goes away and comes back."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from core.clock import wall_ns
from simulators.encode import Segment
from simulators.sparkplug import Numbering, death, topic
from simulators.wire import Connection, Will, publish_packet

_STATE_PACKET = 65_001
"""Packet id of the state message; readings take 1 to 65,000."""
_MOST_BACKLOG = 1 << 22


class Connect(Protocol):
    """Opens the connection of a gateway."""

    def __call__(self, gateway: str, *, will: Will | None = None, listen: str = "") -> Connection:
        """With another will than the usual one, and listening to a topic."""


Births = Callable[[int, int], Iterator[tuple[str, bytes]]]
"""(number of a life, time in ms) to the births of an edge node."""


class Gateway:
    """A gateway with its connection and what it still has to send, in order.

    Args:
        name: Its id.
        connect: Opens its connection.

    Attributes:
        name: Its id.
        connection: None while it is away.
        readings: Distinct readings sent.
        duplicates: Second copies sent.
        messages: PUBLISH packets sent, the state left out.
        acknowledged: Of them and of its states, over all connections.
    """

    def __init__(self, name: str, connect: Connect) -> None:
        self.name = name
        self.connection: Connection | None = None
        self.readings = 0
        self.duplicates = 0
        self.messages = 0
        self.waiting: deque[Segment] = deque()
        self._connect = connect
        self._before = 0
        self._leaving: str = ""

    @property
    def acknowledged(self) -> int:
        """How many messages the broker has acknowledged."""
        return self._before + (self.connection.acknowledged if self.connection else 0)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self.waiting and (
            self.connection is None or not (self.connection.in_flight or self.connection.backlog)
        )

    def come(self, now_ms: int) -> None:
        """Connect and say so.

        Raises:
            RefusedError: If the broker does not let it in.
            OSError: If nobody answers.
        """
        self._leaving = ""
        if self.connection is None:
            self.connection = self._open()
            self._hello(self.connection, now_ms)

    def leave(self, how: str, now_ms: int) -> None:
        """Go once everything sent is acknowledged: `disconnect` politely, else by breaking off."""
        if self.connection is not None and not self._leaving:
            self._leaving = how
            if how == "disconnect":
                self._goodbye(self.connection, now_ms)

    def pump(self, qos: int) -> None:
        """Send what may be sent, read what has come.

        Raises:
            ConnectionError: If the broker closed the connection.
        """
        connection = self.connection
        if connection is None:
            return
        if not self._leaving:
            self._take(connection, qos)
        connection.pump()
        if self._leaving and not (connection.in_flight or connection.backlog):
            self._before += connection.acknowledged
            (connection.close if self._leaving == "disconnect" else connection.cut)()
            self.connection = None
            self._leaving = ""

    def close(self) -> None:
        """Say good-bye for good."""
        if self.connection is not None:
            self.connection.close()
            self._before += self.connection.acknowledged
            self.connection = None

    def _take(self, connection: Connection, qos: int) -> None:
        waiting = self.waiting
        while waiting and connection.backlog < _MOST_BACKLOG:
            next_one = waiting[0]
            if qos and connection.in_flight and connection.in_flight + next_one.messages > connection.window:
                return
            waiting.popleft()
            connection.queue(self._framed(next_one), next_one.messages * qos)
            self.readings += next_one.readings
            self.duplicates += next_one.duplicates
            self.messages += next_one.messages

    def _open(self) -> Connection:
        return self._connect(self.name)

    def _hello(self, connection: Connection, now_ms: int) -> None:
        self._state(connection, now_ms, online=True)

    def _goodbye(self, connection: Connection, now_ms: int) -> None:
        self._state(connection, now_ms, online=False)

    def _framed(self, segment: Segment) -> bytes:
        return segment.frames

    def _state(self, connection: Connection, now_ms: int, *, online: bool) -> None:
        payload = b'{"online":%s,"t":%d}' % (b"true" if online else b"false", now_ms)
        packet = publish_packet(f"sw/v1/{self.name}/state", payload, packet_id=_STATE_PACKET, retain=True)
        connection.queue(packet, 1)


class EdgeNode(Gateway):
    """A gateway that speaks Sparkplug B: says its births when it comes and whenever it is asked, and numbers messages.

    Args:
        name: Its id.
        connect: Opens its connection.
        births: Its births as (topic, payload), by the number of its life and the time.
        qos: 0, as the standard has it, or 1, so that nothing that was sent is lost.
    """

    def __init__(self, name: str, connect: Connect, births: Births, qos: int) -> None:
        super().__init__(name, connect)
        self._births = births
        self._numbering = Numbering(qos)
        self._qos = qos
        self._life = 255

    def pump(self, qos: int) -> None:
        """Send what may be sent, read what has come, say births again if somebody asks.

        Raises:
            ConnectionError: If the broker closed the connection.
        """
        connection = self.connection
        super().pump(qos)
        if connection is not None and connection.heard:
            asked = any(b"Node Control/Rebirth" in one for one in connection.heard)
            connection.heard.clear()
            if asked and self.connection is not None and not self._leaving:
                self._hello(connection, wall_ns() // 1_000_000)

    def _open(self) -> Connection:
        self._life = (self._life + 1) % 256
        will = Will(topic("NDEATH", self.name), death(self._life), retain=False)
        return self._connect(self.name, will=will, listen=topic("NCMD", self.name))

    def _hello(self, connection: Connection, now_ms: int) -> None:
        packets, count = self._numbering.births(self._births(self._life, now_ms), now_ms)
        connection.queue(packets, count * self._qos)

    def _goodbye(self, connection: Connection, now_ms: int) -> None:
        del now_ms
        packet = publish_packet(topic("NDEATH", self.name), death(self._life), packet_id=_STATE_PACKET)
        connection.queue(packet, 1)

    def _framed(self, segment: Segment) -> bytes:
        return self._numbering.again(segment.frames, wall_ns() // 1_000_000)
