"""The hub as a process: what its supervisor and the pipeline see of it."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from alerts.event import BATCH_CONTENT_TYPE, AlertEvent
from tests.unit.dispatch.events import event, life

TOKEN = "e2e"  # noqa: S105 - of a hub that lives for one test
PATIENCE_S = 30.0
_PROGRAM = """
import sys
from core.errors import ScenewatchError
from console.serve import run_hub
try:
    run_hub("127.0.0.1", int(sys.argv[2]), sys.argv[1], "e2e", on_ready=lambda url: print(url, flush=True))
except ScenewatchError as error:
    sys.exit(str(error))
"""


class HubProcess:
    """A hub in a process of its own; leaving the context kills it."""

    def __init__(self, database: Path, port: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, f"sqlite:///{database}", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.communicate(timeout=PATIENCE_S)

    def terminate(self) -> tuple[int, float, str]:
        """Ask it to stop: (exit status, seconds it took, what it said on stderr)."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        _, said = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, time.monotonic() - began, said

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself: (exit status, what it said on stderr)."""
        _, said = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, said

    def client(self) -> httpx.Client:
        """A client that may write."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_S)


def post(client: httpx.Client, events: list[AlertEvent]) -> list[dict[str, Any]]:
    """Send a batch; its receipts."""
    answer = client.post(
        "/api/v1/events",
        content=msgspec.json.encode(events),
        headers={"Content-Type": BATCH_CONTENT_TYPE},
    )
    assert answer.status_code == 200, answer.text
    receipts: list[dict[str, Any]] = answer.json()
    return receipts


def test_it_stops_within_a_second_with_status_0_while_clients_listen_wait_and_do_not_read(
    tmp_path: Path,
) -> None:
    with HubProcess(tmp_path / "hub.db") as hub, hub.client() as client:
        post(client, [event("a")])
        port = int(hub.url.rpartition(":")[2])
        with (
            client.stream("GET", "/api/v1/stream") as listening,
            socket.create_connection(("127.0.0.1", port)) as silent,
            socket.create_connection(("127.0.0.1", port)) as waiting,
        ):
            lines = listening.iter_lines()
            assert next(lines).startswith("id: ")
            silent.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            waiting.sendall(b"GET /api/v1/feedback?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert silent.recv(12) == b"HTTP/1.1 200"
            status, seconds, said = hub.terminate()
            assert list(lines)[-1:] in ([], [""])
    assert (status, said) == (0, "")
    assert seconds < 1.0


def test_a_hub_killed_at_any_moment_keeps_what_it_answered_and_doubles_nothing(tmp_path: Path) -> None:
    events = [e for n in range(120) for e in life(f"alert-{n:03d}", place=f"M{n % 7}")]
    batches = [events[n : n + 10] for n in range(0, len(events), 10)]
    answered: dict[str, str] = {}
    following = iter(batches)
    batch = next(following)
    cases: list[dict[str, str]] = []
    for kill_after_s in (0.02, 0.05, 0.09, 0.14, None):
        with HubProcess(tmp_path / "hub.db") as hub, hub.client() as client:
            killer = threading.Timer(kill_after_s, hub.kill) if kill_after_s else None
            if killer:
                killer.start()
            batch = _deliver(client, batch, following, answered)
            if killer:
                killer.join(PATIENCE_S)
                continue
            assert batch == []
            cases = client.get("/api/v1/cases", params={"limit": 500}).json()["items"]
    assert {case["alert"]: case["task_number"] for case in cases} == answered
    assert len(set(answered.values())) == 120
    assert {case["alert_state"] for case in cases} == {"cleared"}


def _deliver(
    client: httpx.Client,
    batch: list[AlertEvent],
    following: Iterator[list[AlertEvent]],
    answered: dict[str, str],
) -> list[AlertEvent]:
    """Deliver as the pipeline does, a batch at a time; what is still to be sent when the hub has gone."""
    while batch:
        try:
            receipts = post(client, batch)
        except httpx.TransportError:
            return batch
        for receipt in receipts:
            alert = receipt["id"].rpartition(".")[0]
            assert answered.setdefault(alert, receipt["task_number"]) == receipt["task_number"]
        batch = next(following, [])
    return batch


def test_a_taken_port_is_one_plain_line_and_a_failure(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db") as hub:
        port = int(hub.url.rpartition(":")[2])
        with HubProcess(tmp_path / "other.db", port) as second:
            status, said = second.end()
        assert status == 1
        assert said == f"port {port} on 127.0.0.1 is taken by another program; choose another port for the hub\n"
        assert httpx.get(f"{hub.url}/healthz", timeout=PATIENCE_S).status_code == 200


def test_a_database_that_cannot_be_opened_is_one_plain_line_and_a_failure(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "nowhere" / "hub.db") as hub:
        status, said = hub.end()
    assert status == 1
    assert said.count("\n") == 1
    assert "nowhere/hub.db cannot be opened" in said


def test_an_interrupt_from_the_keyboard_ends_it_quietly_too(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db") as hub:
        hub._process.send_signal(signal.SIGINT)
        assert hub.end() == (0, "")
