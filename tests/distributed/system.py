"""Broker, bridge, Kafka, workers, delivery and hub as processes under the supervisor, in one folder."""

import contextlib
import os
import shutil
import signal
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from history.parquet import ParquetHistory
from history.query import Selection
from ingest.journal import Entry, decode_batch
from ingest.journal import Kind as JournalKind
from runtime.accounts import make_accounts
from runtime.broker.base import free_port
from runtime.config import write_config
from runtime.servers.kafka import PrivateKafka
from runtime.stream.reader import open_reader, read_all
from runtime.stream.records import Kind, decode_names, decode_record
from runtime.supervisor import RoleSpec, Supervisor
from tests.chaos.system import TOKEN
from tests.chaos.truth import GATEWAY
from tests.unit.history.parts import rows_of

PARTITIONS = 4


class WholeSystem:
    """Everything; `System` of the chaos tests is the one machine, this is the same over Kafka.

    Args:
        kafka: A Kafka that runs.
        folder: For everything that is kept.
        prefix: In front of the topics' names.
        devices: The device list.
        scene: The scene.
        gateways: Who may publish.
        bridges: How many share the gateways; those behind the first are called `bridge-1` and so on.
    """

    def __init__(
        self,
        kafka: PrivateKafka,
        folder: Path,
        prefix: str,
        devices: str,
        scene: str,
        *,
        gateways: Sequence[str] = (GATEWAY,),
        bridges: int = 1,
    ) -> None:
        self.kafka = kafka
        self.data = folder / "data"
        self.scenes = folder / "scenes"
        self._prefix = prefix
        (folder / "devices.csv").write_text(devices)
        self.scenes.mkdir()
        (self.scenes / "scene.yaml").write_text(scene)
        self.broker_port, hub_port = free_port(), free_port()
        self.hub = f"http://127.0.0.1:{hub_port}"
        self.accounts = make_accounts(self.data, [*gateways])
        configs = [folder / f"scenewatch-{number}.toml" for number in range(bridges)]
        for number, path in enumerate(configs):
            data = "data" if number == 0 else f"data-{number}"
            (folder / data).mkdir(exist_ok=True)
            if number:
                shutil.copy(self.data / "accounts.json", folder / data)
            write_config(path, self._content(data, hub_port, number, bridges))
        config = configs[0]
        self.lines: list[str] = []
        worker = RoleSpec.of("worker", config).command
        self.supervisor = Supervisor(
            [
                *(RoleSpec.of(name, config) for name in ("broker", "hub", "delivery", "history")),
                *(RoleSpec(f"worker-{number}", worker) for number in (1, 2)),
                *(
                    RoleSpec("bridge" if number == 0 else f"bridge-{number}", RoleSpec.of("bridge", path).command)
                    for number, path in enumerate(configs)
                ),
            ],
            on_line=self.lines.append,
        )
        self._client = httpx.Client(timeout=60)

    def _content(self, data: str, hub_port: int, bridge: int, bridges: int) -> dict[str, dict[str, Any]]:
        return {
            "data": {"dir": data},
            "broker": {"port": self.broker_port},
            "ingest": {"devices": "devices.csv", "max_feeds": 100_000},
            "scenes": {"paths": ["scenes"]},
            "dispatch": {"url": self.hub, "token": TOKEN},
            "hub": {"port": hub_port},
            "history": {"flush": "200ms", "keep": "9999d"},
            "stream": {
                "kafka": self.kafka.address,
                "prefix": self._prefix,
                "partitions": PARTITIONS,
                "bridge": bridge,
                "bridges": bridges,
                "session_timeout": "3s",
                "state_every": "1s",
                "max_feeds": 4_096,
            },
        }

    def __enter__(self) -> Self:
        self.supervisor.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()
        self.supervisor.stop()

    def kill(self, name: str) -> int:
        """Kill -9 of a role; how often it was started again before."""
        before = self.supervisor.restarts(name)
        os.kill(self.supervisor.pid(name), signal.SIGKILL)
        return before

    def back(self, name: str, before: int) -> bool:
        """Whether a role was started again and is ready."""
        return self.supervisor.restarts(name) > before and name in self.supervisor.ready()

    def status(self, name: str) -> dict[str, Any]:
        """What a role says of itself; empty while it says nothing."""
        address = self.supervisor.ready().get(name, {}).get("status")
        with contextlib.suppress(httpx.HTTPError, ValueError):
            found: dict[str, Any] = self._client.get(f"{address}/status").json()
            return found
        return {}

    def readings_in_kafka(self) -> list[tuple[str, int]]:
        """(device, event time) of every reading in the journal, repeats included."""
        reader = open_reader(self.kafka.address, f"{self._prefix}-test")
        found: list[tuple[str, int]] = []
        for partition in range(PARTITIONS):
            names: dict[tuple[int, int], str] = {}
            for message in read_all(reader, f"{self._prefix}.readings", partition):
                record = decode_record(message.value() or b"")
                for kind, body in record.entries:
                    if kind == Kind.NAMES:
                        for number, key in decode_names(body):
                            names[record.session, number] = key.split(b"\0")[1].decode()
                    elif kind in (1, 2):
                        batch = decode_batch(Entry(0, JournalKind(kind), body))
                        rows = zip(batch.feed.tolist(), batch.event_time.tolist(), strict=True)
                        found += [(names[record.session, feed], at) for feed, at in rows]
        reader.close()
        return found

    def readings_in_history(self) -> list[tuple[str, int]]:
        """(device, event time) of every reading in history, repeats included; once nobody writes it any more."""
        history = ParquetHistory(self.data / "history")
        found = rows_of(history.readings(Selection.of(0, 1 << 42)))
        history.close()
        return [(device, at) for device, at, *_ in found]

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

    def delivered(self, expected: int) -> bool:
        """Whether so many alerts have cleared or not at the dispatch core, and nothing waits."""
        status = self.status("delivery")
        return status.get("outbox") == 0 and len(self.alerts()) >= expected

    def acknowledge(self, alert: str) -> None:
        """A person has seen it."""
        answer = self._client.post(
            f"{self.hub}/api/v1/alerts/{alert}/acknowledge",
            json={"by": "op-1", "comment": "seen"},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        assert answer.status_code < 300, answer.text

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
