"""Server-sent events: what was committed goes to every listener at once, and no listener can hold another up.

References: WHATWG HTML, 9.2 server-sent events (verified: no, from memory).
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from console.metrics import Metrics
from console.wire import streamed
from dispatch.case import Moved

CATCH_UP_PAGE = 500
"""Messages that a returning listener is given at a time."""
MOST_CATCH_UP = 20_000
"""A listener who missed more is told to load the lists again."""
_SEND_BUFFER = 128 * 1024
"""Bytes that the kernel may hold for one listener; unbounded, a slow one is noticed megabytes late."""

TRANSPORT = "scenewatch.transport"
"""Key of the connection's transport in an ASGI scope's state, where the server provides it."""


def frame(seq: int, name: str, data: bytes) -> bytes:
    """One message as it goes over the wire; `data` is one line."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, name.encode(), data)


class Listener:
    """One client's queue of frames. All methods are for the event loop's thread."""

    def __init__(self, most_waiting: int) -> None:
        self._frames: deque[tuple[int, bytes]] = deque()
        self._most_waiting = most_waiting
        self._news = asyncio.Event()
        self.ended = asyncio.Event()
        self.cut_off = False

    def put(self, frames: Sequence[tuple[int, bytes]]) -> bool:
        """Queue frames; False if they do not fit, which ends the listener."""
        if self.ended.is_set():
            return True
        if self._frames and len(self._frames) + len(frames) > self._most_waiting:
            self.cut_off = True
            self._frames.clear()
            self.end()
            return False
        self._frames.extend(frames)
        self._news.set()
        return True

    def end(self) -> None:
        """No more frames will come."""
        self.ended.set()
        self._news.set()

    def drop_until(self, seq: int) -> None:
        """Forget queued frames up to `seq`: they were sent another way."""
        while self._frames and self._frames[0][0] <= seq:
            self._frames.popleft()

    async def take(self, patience_s: float) -> bytes:
        """All that is queued, as soon as there is something; empty after `patience_s` or at the end."""
        if not self._frames and not self.ended.is_set():
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._news.wait()
        chunk = b"".join(data for _, data in self._frames)
        self._frames.clear()
        return chunk


class Broadcast:
    """Everybody who listens, and those who wait for feedback. For the event loop's thread only."""

    def __init__(self, metrics: Metrics, *, most_waiting: int) -> None:
        self._metrics = metrics
        self._most_waiting = most_waiting
        self._listeners: set[Listener] = set()
        self._feedback = asyncio.Event()
        self.closed = False

    def publish(self, moved: Iterable[Moved]) -> None:
        """Give what was committed to every listener; it is put into words once."""
        frames = [(m.seq, frame(m.seq, *streamed(m))) for m in moved] if self._listeners else []
        if not frames:
            return
        for listener in list(self._listeners):
            if not listener.put(frames):
                self._metrics.stream_cut_off.inc()
        self._metrics.stream_messages.inc(len(frames))

    def listen(self) -> Listener:
        """A new listener, who hears all that is published from now on."""
        listener = Listener(self._most_waiting)
        self._listeners.add(listener)
        self._metrics.stream_clients.set(len(self._listeners))
        if self.closed:
            listener.end()
        return listener

    def leave(self, listener: Listener) -> None:
        """The listener has gone."""
        self._listeners.discard(listener)
        self._metrics.stream_clients.set(len(self._listeners))

    def announce_feedback(self) -> None:
        """Wake everybody who waits for feedback."""
        self._feedback.set()
        self._feedback = asyncio.Event()

    def feedback_news(self) -> asyncio.Event:
        """An event that is set when feedback comes in after this call, or when the hub stops."""
        return self._feedback

    def close(self) -> None:
        """End every listener and every waiting request: the hub stops."""
        self.closed = True
        for listener in self._listeners:
            listener.end()
        self._feedback.set()


class StreamResponse(Response):
    """An answer that goes on until the client leaves, is cut off, or the hub stops.

    Args:
        broadcast: Where the news comes from.
        after: The last place in the stream that the client has seen; None if it begins now.
        position: Gives the stream's last place.
        missed: Gives messages after a place, at most so many.
        heartbeat_s: A comment is sent after so much silence, so that a dead connection is noticed.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        broadcast: Broadcast,
        *,
        after: int | None,
        position: Callable[[], Awaitable[int]],
        missed: Callable[[int, int], Awaitable[list[Moved]]],
        heartbeat_s: float,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._broadcast = broadcast
        self._after = after
        self._position = position
        self._missed = missed
        self._heartbeat_s = heartbeat_s

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client."""
        transport = scope.get("state", {}).get(TRANSPORT)
        _bound_kernel_buffer(transport)
        listener = self._broadcast.listen()
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        pushing = asyncio.create_task(self._push(listener, send))
        leaving = asyncio.create_task(_left(receive))
        ending = asyncio.create_task(listener.ended.wait())
        try:
            await asyncio.wait({pushing, leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._broadcast.leave(listener)
            listener.end()
            await _stop(pushing, leaving, ending)
            if transport is not None and (listener.cut_off or transport.get_write_buffer_size()):
                transport.abort()  # who does not read would keep the connection, and our stop, for ever
        if not pushing.cancelled():
            pushing.result()
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _push(self, listener: Listener, send: Send) -> None:
        seen = await self._catch_up(send)
        listener.drop_until(seen)
        while not listener.ended.is_set():
            chunk = await listener.take(self._heartbeat_s)
            await _send(send, chunk or b": still here\n\n")

    async def _catch_up(self, send: Send) -> int:
        """Send what the client missed; the place in the stream up to which it now knows everything."""
        now = await self._position()
        if self._after is None:
            await _send(send, frame(now, "ready", b"{}"))
            return now
        if self._after > now or now - self._after > MOST_CATCH_UP:
            await _send(send, frame(now, "reset", b"{}"))
            return now
        seen = self._after
        await _send(send, frame(seen, "ready", b"{}"))
        while page := await self._missed(seen, CATCH_UP_PAGE):
            await _send(send, b"".join(frame(m.seq, *streamed(m)) for m in page))
            seen = page[-1].seq
        return seen


async def _send(send: Send, chunk: bytes) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(*tasks: "asyncio.Task[object]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _bound_kernel_buffer(transport: asyncio.Transport | None) -> None:
    raw = None if transport is None else transport.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
