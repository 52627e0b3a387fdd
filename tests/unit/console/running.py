"""A hub as its clients see it: a real server on a free loopback port, a real database file."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
from typing_extensions import override

from alerts.event import BATCH_CONTENT_TYPE, CONTENT_TYPE, AlertEvent
from console.hub import Beside, HubSettings
from console.serve import HubServer
from core.clock import ManualClock

TOKEN = "test-token"  # noqa: S105 - of a hub that lives for one test
NOW = 1_795_514_400_000
PATIENCE_S = 20.0


class _Faults(logging.Handler):
    """What the server complains about: a fault in a route, or a task that did not end by itself."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.said: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.said.append(record.getMessage())


class RunningHub:
    """A hub in a thread of its own, and a client that may write."""

    def __init__(
        self,
        database: Path,
        settings: HubSettings,
        beside: Beside | None = None,
    ) -> None:
        self._faults = _Faults(logging.ERROR)
        logging.getLogger("uvicorn.error").addHandler(self._faults)
        self.clock = ManualClock(NOW)
        self._server = HubServer("127.0.0.1", 0, f"sqlite:///{database}", settings, clock=self.clock, beside=beside)
        self.url = self._server.url
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        assert self._server.wait_until_ready(PATIENCE_S)
        self.client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_S)

    def stop(self) -> None:
        """Stop and wait until it has."""
        self.client.close()
        self._server.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        logging.getLogger("uvicorn.error").removeHandler(self._faults)
        assert self._faults.said == []

    def post(self, event: AlertEvent) -> httpx.Response:
        """Send one event in structured mode."""
        return self.send(msgspec.json.encode(event), CONTENT_TYPE)

    def post_batch(self, events: list[AlertEvent]) -> httpx.Response:
        """Send a batch."""
        return self.send(msgspec.json.encode(events), BATCH_CONTENT_TYPE)

    def send(self, body: bytes, content_type: str, **headers: str) -> httpx.Response:
        """Send any body."""
        return self.client.post("/api/v1/events", content=body, headers={"Content-Type": content_type, **headers})

    def get(self, path: str, **query: object) -> Any:
        """The JSON at a path; it must be there."""
        answer = self.client.get(path, params={k: str(v) for k, v in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def figure(self, name: str) -> float:
        """The value of one line of /metrics; 0 if it is not there."""
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Ask until it is so; every question is a request, so this does not spin."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "it never came to be so"

    @contextlib.contextmanager
    def stream(self, last: int | None = None) -> Iterator["Stream"]:
        """The event stream, open."""
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        with (
            httpx.Client(base_url=self.url, timeout=PATIENCE_S) as client,
            client.stream("GET", "/api/v1/stream", headers=headers) as answer,
        ):
            assert answer.status_code == 200
            yield Stream(answer)


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the stream; a comment has the name `comment`."""

    id: int
    name: str
    data: Any


class Stream:
    """Reads messages one by one."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self) -> Said:
        """The next message; StopIteration when the stream has ended."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line.startswith(":"):
                fields["comment"] = line
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "comment" in fields:
                return Said(-1, "comment", None)
            elif fields:
                return Said(int(fields["id"]), fields["event"], msgspec.json.decode(fields["data"]))
        raise StopIteration

    def take(self, count: int) -> list[Said]:
        """The next messages that are no comments."""
        taken: list[Said] = []
        while len(taken) < count:
            said = self.next()
            if said.name != "comment":
                taken.append(said)
        return taken
