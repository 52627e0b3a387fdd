"""One gateway on the wire: what waits, what is under way, and how it goes away and comes back."""

from collections import deque
from collections.abc import Callable

from simulators.encode import Segment
from simulators.wire import Connection, publish_packet

_STATE_PACKET = 65_001
"""Packet id of the state message; readings take 1 to 65,000."""
_MOST_BACKLOG = 1 << 22


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

    def __init__(self, name: str, connect: Callable[[str], Connection]) -> None:
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
            self.connection = self._connect(self.name)
            self._state(now_ms, online=True)

    def leave(self, how: str, now_ms: int) -> None:
        """Go once everything sent is acknowledged: `disconnect` politely, else by breaking off."""
        if self.connection is not None and not self._leaving:
            self._leaving = how
            if how == "disconnect":
                self._state(now_ms, online=False)

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
            connection.queue(next_one.frames, next_one.messages * qos)
            self.readings += next_one.readings
            self.duplicates += next_one.duplicates
            self.messages += next_one.messages

    def _state(self, now_ms: int, *, online: bool) -> None:
        assert self.connection is not None  # noqa: S101 - both callers have looked
        payload = b'{"online":%s,"t":%d}' % (b"true" if online else b"false", now_ms)
        packet = publish_packet(f"sw/v1/{self.name}/state", payload, packet_id=_STATE_PACKET, retain=True)
        self.connection.queue(packet, 1)
