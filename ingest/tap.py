"""A thin socket under paho-mqtt: PUBLISH frames are taken off the stream before paho sees them.

paho keeps what it is good at (connection, TLS, session, subscriptions, keep-alive, everything rare) and reads the other
packets from here as if from the network.
"""

import socket
import ssl

import numpy as np

_BUFFER = 2 << 20
_READ = 256 << 10


class Tap:
    """Wraps a connected socket; `fill` reads from the network, `recv` gives paho what was put aside for it.

    The interface that paho uses is `recv`, `send`, `fileno`, `setblocking`, `pending`, `close`.
    """

    def __init__(self, raw: socket.socket | ssl.SSLSocket, *, capacity: int = _BUFFER) -> None:
        """Put a tap on `raw`; `capacity` bounds the largest packet that can be taken."""
        self._raw = raw
        self._data = bytearray(capacity)
        self._view = memoryview(self._data)
        self.data = np.frombuffer(self._data, np.uint8)
        self.start = 0
        self.end = 0
        self._aside = bytearray()
        self._out = bytearray()
        self.closed_by_peer = False

    def fill(self) -> int:
        """Read once from the network behind what is there; bytes read, 0 if there was nothing or the peer is gone.

        Raises:
            OSError: If the connection broke, or a packet is larger than the buffer.
        """
        if self.start and self.end + _READ > len(self._data):
            # What is left is the start of one packet: short, and moved only when the end of the buffer comes near.
            kept = self.end - self.start
            self._view[:kept] = bytes(self._view[self.start : self.end])
            self.start, self.end = 0, kept
        room = min(_READ, len(self._data) - self.end)
        if room == 0:
            raise OSError("the broker sent a packet larger than the buffer")
        try:
            count = self._raw.recv_into(self._view[self.end : self.end + room], room)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        if count == 0:
            self.closed_by_peer = True
        self.end += count
        return count

    def consumed_to(self, at: int) -> None:
        """Everything before `at` has been taken."""
        self.start = at
        if self.start == self.end:
            self.start = self.end = 0

    def put_aside(self, packets: bytes) -> None:
        """Whole control packets for paho."""
        self._aside += packets

    @property
    def has_aside(self) -> bool:
        """Whether paho has something to read."""
        return bool(self._aside) or self.closed_by_peer

    def recv(self, size: int) -> bytes:
        """What was put aside, for paho.

        Raises:
            BlockingIOError: If nothing is there.
        """
        if not self._aside:
            if self.closed_by_peer:
                return b""
            raise BlockingIOError
        piece = bytes(self._aside[:size])
        del self._aside[:size]
        return piece

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Queue all of `data` and send what fits, so that packets of paho's and ours never mix.

        Raises:
            OSError: If the connection broke.
        """
        self._out += data
        self.flush()
        return len(data)

    def flush(self) -> bool:
        """Send what is queued; True if nothing is left.

        Raises:
            OSError: If the connection broke.
        """
        while self._out:
            try:
                sent = self._raw.send(self._out)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            del self._out[:sent]
        return True

    @property
    def wants_write(self) -> bool:
        """Whether bytes wait for the network to take them."""
        return bool(self._out)

    def pending(self) -> int:
        """Bytes that can be had without waiting for the network: decrypted ones under TLS."""
        return self._raw.pending() if isinstance(self._raw, ssl.SSLSocket) else 0

    def fileno(self) -> int:
        """Descriptor of the socket below."""
        return self._raw.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the name and form of the socket's own
        """Set the socket below blocking or not."""
        self._raw.setblocking(flag)

    def close(self) -> None:
        """Close the socket below."""
        self._raw.close()
