"""Running a hub: from an address and a database to a server that stops cleanly."""

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from console.access import check_access
from console.app import create_app
from console.hub import Beside, Hub, HubSettings
from console.stream import TRANSPORT
from core.clock import Clock, SystemClock
from core.errors import UnavailableError
from dispatch.store import Store
from history.query import History

_STOP_WITHIN_S = 1


class _Connection(HttpToolsProtocol):
    """A connection that gives the application its transport, so that a stream can be cut off for good."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the transport in every request's state."""
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """A server that says when it is ready and ends its streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub
        self.on_ready: list[Callable[[], None]] = []
        """Called once the server takes requests."""

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        for tell in self.on_ready:
            tell()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams and waiting requests, then stop as usual."""
        self._hub.broadcast.close()
        await super().shutdown(sockets)

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGTERM and SIGINT without raising them again afterwards: a clean stop is status 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class HubServer:
    """A hub with its port open and its database ready.

    Args:
        host: Address to listen on; one that others can reach needs `settings.read_token`.
        port: Port, or 0 for a free one.
        database_url: See `dispatch.database.open_database`.
        settings: Tokens and bounds.
        durability: `process` or `power`.
        clock: What the hub takes for now.
        beside: What it shows beside alerts and cases; None: nothing.

    Raises:
        ConfigError: If an argument is wrong.
        UnavailableError: If the port is taken or the database cannot be opened.
    """

    def __init__(
        self,
        host: str,
        port: int,
        database_url: str,
        settings: HubSettings,
        *,
        durability: str = "process",
        clock: Clock | None = None,
        beside: Beside | None = None,
    ) -> None:
        check_access(host, settings.token, settings.read_token)
        self._socket = _listen(host, port)
        try:
            store = Store.open(database_url, durability)
        except BaseException:
            self._socket.close()
            raise
        self._hub = Hub(store, settings, SystemClock() if clock is None else clock, beside=beside)
        self._started = threading.Event()
        self._server = _Server(self._config(), self._hub)
        self._server.on_ready.append(self._started.set)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._socket.getsockname()[1]}"

    def run(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serve until `stop`, or SIGTERM or SIGINT in the main thread; `on_ready` is given the URL."""
        if on_ready is not None:
            self._server.on_ready.append(lambda: on_ready(self.url))
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ask the server to stop; from any thread."""
        self._server.should_exit = True

    def wait_until_ready(self, patience_s: float) -> bool:
        """Whether the server took requests within `patience_s`; for a server that runs in another thread."""
        return self._started.wait(patience_s)

    def _config(self) -> uvicorn.Config:
        logging.getLogger("uvicorn.access").propagate = False  # a line per event would cost more than the event
        return uvicorn.Config(
            create_app(self._hub),
            http=_Connection,
            ws="none",
            lifespan="on",
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_STOP_WITHIN_S,
        )


def run_hub(
    host: str,
    port: int,
    database_url: str,
    token: str,
    *,
    read_token: str | None = None,
    durability: str = "process",
    clock: Clock | None = None,
    history: Callable[[], History] | None = None,
    beside: Beside | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run a hub in this process until SIGTERM or SIGINT; it then returns within a second.

    Args:
        host: Address to listen on.
        port: Port, or 0 for a free one.
        database_url: An SQLAlchemy URL of SQLite or PostgreSQL.
        token: Bearer token for writes.
        read_token: Bearer token for reads; without one reads are open, and `host` must be loopback.
        durability: `process` or `power`.
        clock: What the hub takes for now.
        history: Opens the readings at rest, if this hub shows them.
        beside: What it shows beside alerts and cases; None: nothing.
        on_ready: Called with the hub's URL as soon as it takes requests.

    Raises:
        ConfigError: If an argument is wrong.
        UnavailableError: If the port is taken or the database cannot be opened.
    """
    settings = HubSettings(token=token, read_token=read_token, history=history)
    server = HubServer(host, port, database_url, settings, durability=durability, clock=clock, beside=beside)
    gc.freeze()  # what was loaded stays; looking through it again would cost some events 10 ms
    server.run(on_ready)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UnavailableError(f"the hub cannot listen on {host}: {error.strerror}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise UnavailableError(
                f"port {port} on {host} is taken by another program; choose another port for the hub"
            ) from error
        raise UnavailableError(f"the hub cannot listen on {host}:{port}: {error.strerror}") from error
    return listening
