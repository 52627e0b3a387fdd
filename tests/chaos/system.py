"""The whole thing as processes, a real broker, and a gateway that is a real MQTT client."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import httpx
import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.journal import Entry, FeedNames, Kind, decode_batch
from runtime.accounts import make_accounts
from runtime.broker.base import Accounts, free_port
from runtime.config import write_config
from runtime.supervisor import RoleSpec, Supervisor
from tests.chaos.truth import GATEWAY, METRIC, Truth

_PATIENCE_S = 60.0
TOKEN = "a-token-of-the-tests"  # noqa: S105 - it guards a folder of the tests


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition; fails with `what` if it does not come in `seconds`, or a minute: machines may be slow."""
    seconds = max(seconds, _PATIENCE_S)
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(0.02)


class System:
    """Broker, hub and pipeline under the supervisor, with everything in one folder."""

    def __init__(
        self,
        folder: Path,
        devices: str,
        scene: str,
        *,
        broker: str = "auto",
        durability: str = "process",
        register: bool = False,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        (folder / "devices.csv").write_text(devices)
        (folder / "scenes").mkdir()
        (folder / "scenes" / "scene.yaml").write_text(scene)
        self.broker_port, hub_port, ops_port = free_port(), free_port(), free_port()
        self.hub = f"http://127.0.0.1:{hub_port}"
        self.ops = f"http://127.0.0.1:{ops_port}"
        self.accounts = make_accounts(self.data, [GATEWAY])
        config = folder / "scenewatch.toml"
        write_config(
            config,
            {
                "data": {"dir": "data"},
                "broker": {"kind": broker, "port": self.broker_port},
                "ingest": {"devices": "devices.csv", "max_feeds": 100_000},
                "journal": {"durability": durability},
                "scenes": {"paths": ["scenes"], **({"register_dir": "register"} if register else {})},
                "pipeline": {"http_port": ops_port, "snapshot_every": "2s"},
                "dispatch": {"url": self.hub, "token": TOKEN},
                "hub": {"port": hub_port},
            },
        )
        self.lines: list[str] = []
        self.supervisor = Supervisor(
            [RoleSpec.of(name, config) for name in ("broker", "hub", "pipeline")], on_line=self.lines.append
        )
        self._client = httpx.Client(timeout=10)

    def __enter__(self) -> Self:
        self.supervisor.start()
        wait_until(lambda: bool(self.status()["connected"]), 20, "the pipeline is connected")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()
        self.supervisor.stop()

    def status(self) -> dict[str, Any]:
        """The pipeline's status; `{"pid": 0, "connected": False}` while it is away."""
        try:
            found: dict[str, Any] = self._client.get(f"{self.ops}/status").json()
        except (httpx.HTTPError, ValueError):
            return {"pid": 0, "connected": False, "outbox": -1, "alerts": -1, "readings": -1}
        return found

    def restarted(self, victim: int) -> bool:
        """Whether another pipeline than `victim` is connected."""
        status = self.status()
        return status["pid"] not in (0, victim) and bool(status["connected"])

    def drained(self, sent: dict[tuple[str, int], float]) -> bool:
        """Whether everything sent stands in the journal and every event was acknowledged."""
        return self.status()["outbox"] == 0 and len(set(self.readings_in_journal())) >= len(sent)

    def readings_in_journal(self) -> list[tuple[str, int]]:
        """(device, event time) of every reading in the journal, repeats included."""
        names = FeedNames(self.data / "feeds.sqlite")
        devices = [key.split(b"\0")[1].decode() for key in names.load()]
        names.close()
        found: list[tuple[str, int]] = []
        for path in sorted((self.data / "journal").glob("journal-*.sqlite")):
            found += _readings(path, devices)
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert as the dispatch core knows it."""
        return self._list("alerts")

    def cases(self) -> list[dict[str, Any]]:
        """Every case."""
        return self._list("cases")

    def events_in_order(self) -> dict[str, list[str]]:
        """Event ids by place in the order in which the dispatch core took them."""
        database = sqlite3.connect(self.data / "cases.db")
        rows = database.execute("SELECT id, body FROM events ORDER BY seq").fetchall()
        database.close()
        places: dict[str, list[str]] = {}
        for event, body in rows:
            places.setdefault(msgspec.json.decode(body)["partitionkey"], []).append(event)
        return places

    @contextmanager
    def hub_held(self) -> Iterator[None]:
        """The dispatch core is away inside."""
        self.supervisor.stop_role("hub")
        yield
        self.supervisor.start_role("hub")

    def restart_broker(self) -> None:
        """The broker ends cleanly and comes back with its sessions from disk."""
        self.supervisor.stop_role("broker")
        self.supervisor.start_role("broker")

    def _list(self, name: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"limit": "200", **({"cursor": cursor} if cursor else {})}
            page = self._client.get(f"{self.hub}/api/v1/{name}", params=query).json()
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items


def _readings(path: Path, devices: list[str]) -> list[tuple[str, int]]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT seq, kind, body FROM entry WHERE kind IN (1, 2)").fetchall()
    database.close()
    found = []
    for seq, kind, body in rows:
        batch = decode_batch(Entry(seq, Kind(kind), body))
        found += [(devices[f], t) for f, t in zip(batch.feed.tolist(), batch.event_time.tolist(), strict=True)]
    return found


class Reachable(Protocol):
    """Where a gateway can publish."""

    accounts: Accounts
    broker_port: int


class Gateway:
    """Publishes the truth at QoS 1 with paho, at a steady rate, and knows what the broker acknowledged."""

    def __init__(self, system: Reachable, truth: Truth, *, rate: int) -> None:
        self._truth = truth
        self._rate = rate
        self._stop = threading.Event()
        self._sent: dict[tuple[str, int], float] = {}
        self._published = 0
        self.acknowledged = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{truth.gateway}-of-the-tests",
            protocol=mqtt.MQTTv311,
            clean_session=False,
        )
        self._client.username_pw_set(truth.gateway, system.accounts.gateways[truth.gateway])
        self._client.max_inflight_messages_set(2_000)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", system.broker_port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def finish(self) -> dict[tuple[str, int], float]:
        """Stop sending, wait until the broker has acknowledged all of it; what was sent."""
        self._stop.set()
        self._thread.join()
        wait_until(lambda: self.acknowledged >= self._published, 60, "the broker acknowledges everything")
        return self._sent

    def _on_publish(self, *_: object) -> None:
        self.acknowledged += 1

    def _run(self) -> None:
        begin = time.monotonic()
        step = 0
        base = int(time.time() * 1000)  # noqa: TID251 - a gateway has a clock of its own
        encode = msgspec.json.Encoder().encode
        while not self._stop.is_set():
            due = int((time.monotonic() - begin) * self._rate)
            if self._published >= due or self._published - self.acknowledged > 20_000:
                self._stop.wait(0.002)
                continue
            at = base + step
            for feed in range(self._truth.feeds):
                device, value = self._truth.device(feed), self._truth.value(feed, step)
                self._sent[device, at] = value
                payload = encode({"t": at, "v": {METRIC: value}, "seq": step})
                self._client.publish(f"sw/v1/{self._truth.gateway}/tele/{device}", payload, qos=1)
                self._published += 1
            step += 1
