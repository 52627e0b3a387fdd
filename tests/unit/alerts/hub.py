"""A small real dispatch core over HTTP whose answers a test decides."""

import http.server
import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

DEADLINE_S = 20.0
Event = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the hub does with a request: `drop` closes the connection without a word."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


class Hub:
    """Takes events at a port of its own; goes down and comes back at the same one.

    `behave` decides about a request before it is taken: a `Reply` is given as it is, None means that the
    events are taken, each id once.
    """

    def __init__(self, behave: Callable[[list[Event]], Reply | None] | None = None) -> None:
        self.behave = behave or (lambda _events: None)
        self.feedback: Callable[[int], Reply] = lambda _after: Reply(body=[])
        self.taken: list[Event] = []
        self.requests: list[list[Event]] = []
        self.polls: list[int] = []
        self.kinds: list[str] = []
        self.tokens: set[str] = set()
        self.connections = 0
        self.reverse_batches = False
        self._changed = threading.Condition()
        self._server: http.server.ThreadingHTTPServer | None = None
        self.open: set[_Handler] = set()
        self.port = 0
        self.up()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="test-hub", daemon=True
        ).start()

    def down(self) -> None:
        """Refuse connections and cut those that are open."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        self.cut()

    def cut(self) -> None:
        """Close every connection that is open."""
        for connection in list(self.open):
            connection.close_connection = True
            try:
                connection.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for a condition, looked at after each request."""
        end = time.monotonic() + DEADLINE_S
        with self._changed:
            while not true():
                left = end - time.monotonic()
                assert left > 0, f"not within {DEADLINE_S} s; taken so far {[e['id'] for e in self.taken]}"
                self._changed.wait(min(left, 0.05))

    def by_place(self) -> dict[str, list[str]]:
        """Ids in the order in which they were taken, by place."""
        places = defaultdict(list)
        for event in self.taken:
            places[event["partitionkey"]].append(event["id"])
        return dict(places)

    def receive(self, kind: str, events: list[Event]) -> Reply:
        with self._changed:
            self.requests.append(events)
            self.kinds.append(kind)
            self._changed.notify_all()
        reply = self.behave(events)
        with self._changed:
            if reply is None:
                reply = self._take(kind, events)
            self._changed.notify_all()
        return reply

    def take(self, events: list[Event]) -> list[dict[str, object]]:
        receipts: list[dict[str, object]] = []
        for event in events:
            known = event["id"] in {e["id"] for e in self.taken}
            if not known:
                self.taken.append(event)
            number = f"T-{event['subject']}" if event["type"].endswith("raised.v1") else None
            receipts.append({"id": event["id"], "task_number": number, "duplicate": known})
        return receipts

    def _take(self, kind: str, events: list[Event]) -> Reply:
        receipts = self.take(events)
        if "batch" not in kind:
            return Reply(201, receipts[0])
        return Reply(200, receipts[::-1] if self.reverse_batches else receipts)

    def polled(self, after: int) -> Reply:
        with self._changed:
            self.polls.append(after)
            self._changed.notify_all()
        return self.feedback(after)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", hub.port), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    @override
    def setup(self) -> None:
        super().setup()
        self.hub = self.server.hub
        self.hub.connections += 1
        self.hub.open.add(self)

    @override
    def finish(self) -> None:
        self.hub.open.discard(self)
        super().finish()

    @override
    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return

    @override
    def log_message(self, *_said: object) -> None:
        """Be silent."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.hub.tokens.add(self.headers["Authorization"])
        events = body if isinstance(body, list) else [body]
        self.reply(self.hub.receive(self.headers["Content-Type"], events))

    def do_GET(self) -> None:
        self.reply(self.hub.polled(int(self.path.partition("after=")[2].partition("&")[0])))

    def reply(self, reply: Reply) -> None:
        if reply.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
