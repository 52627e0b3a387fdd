"""A real Kafka, real workers as processes, and an hour that is played into them."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from runtime.config import write_config
from runtime.servers.kafka import PrivateKafka
from runtime.stream.access import Access, Address
from runtime.stream.publisher import Publisher
from runtime.stream.reader import open_reader, read_all
from runtime.stream.told import decode_told
from runtime.stream.topics import Topics, ensure_topics
from runtime.supervisor import RoleSpec, Supervisor
from tests.chaos.system import wait_until
from tests.distributed.hour import METRIC, Hour
from tests.distributed.sides import PARTITIONS, line, plan_records

KEEP_MS = 1 << 40
SESSION_S = 6


class Cluster:
    """One set of topics in a Kafka, and workers over it.

    Args:
        kafka: A Kafka that runs.
        folder: For configurations.
        prefix: In front of the topics' names: another one is another, empty system.
        state_every: As in the configuration.
        access: How it is reached; in plain text where it is None. Processes are always in plain text.
    """

    def __init__(
        self,
        kafka: PrivateKafka,
        folder: Path,
        prefix: str,
        *,
        state_every: str = "1s",
        access: Access | None = None,
    ) -> None:
        self.kafka = kafka
        self.access: Address = access or kafka.address
        self.topics = Topics(prefix, PARTITIONS)
        self.lines: list[str] = []
        self.data = folder / prefix
        self.data.mkdir()
        self._config = folder / f"{prefix}.toml"
        self._supervisors: list[Supervisor] = []
        self._names: dict[str, Supervisor] = {}
        self._http = httpx.Client(timeout=5)
        write_config(
            self._config,
            {
                "data": {"dir": str(self.data)},
                "scenes": {"metrics": [METRIC]},
                "stream": {
                    "kafka": kafka.address,
                    "prefix": prefix,
                    "partitions": PARTITIONS,
                    "session_timeout": f"{SESSION_S}s",
                    "state_every": state_every,
                    "max_feeds": 4_096,
                },
            },
        )
        ensure_topics(self.access, self.topics, replication=1, keep_ms=KEEP_MS)
        self.publisher = Publisher(self.access, "bridge-of-the-tests")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()
        for supervisor in self._supervisors:
            supervisor.stop()

    def plan(self, hour: Hour) -> None:
        """Distribute the hour's scenes and devices."""
        for key, value in plan_records(hour):
            self.publisher.send(self.topics.plan, value, partition=0, key=key)
        assert self.publisher.flush(30)

    def start_workers(self, *names: str) -> None:
        """Start workers and wait until each knows its partitions."""
        command = RoleSpec.of("worker", self._config).command
        supervisor = Supervisor([RoleSpec(name, command) for name in names], on_line=self.lines.append)
        self._supervisors.append(supervisor)
        self._names.update(dict.fromkeys(names, supervisor))
        supervisor.start()

    def signal(self, name: str, what: signal.Signals) -> int:
        """Send a signal to a worker; its process id."""
        pid = self._names[name].pid(name)
        os.kill(pid, what)
        return pid

    def restarts(self, name: str) -> int:
        """How often a worker was started again."""
        return self._names[name].restarts(name)

    def status(self, name: str) -> dict[str, Any]:
        """What a worker says of itself; empty while it says nothing."""
        address = self._names[name].ready().get(name, {}).get("status")
        if address is None:
            return {}
        with contextlib.suppress(httpx.HTTPError, ValueError):
            found: dict[str, Any] = self._http.get(f"{address}/status").json()
            return found
        return {}

    def held_by(self, names: Sequence[str]) -> list[int]:
        """Partitions that these workers say they hold, one that two of them claim twice."""
        return sorted(int(number) for name in names for number in self.status(name).get("partitions", {}))

    def settled(self, names: Sequence[str]) -> bool:
        """Whether these workers hold every partition, each by one of them, and none has nothing to do."""
        return self.held_by(names) == list(range(PARTITIONS)) and all(self.held_by([name]) for name in names)

    def told(self) -> "Told":
        """Everything that stands in the topic of alerts."""
        reader = open_reader(self.access, f"{self.topics.prefix}-test")
        found = Told()
        try:
            for partition in range(PARTITIONS):
                for message in read_all(reader, self.topics.alerts, partition):
                    value = message.value()
                    assert value is not None
                    for change in decode_told(value).changes:
                        found.add(message.key(), *line(change))
        finally:
            reader.close()
        return found

    def wait_told(self, events: int, seconds: float) -> "Told":
        """Wait until so many different events were told; what was told then, or at the end of the time."""
        told = self.told()

        def enough() -> bool:
            nonlocal told
            told = self.told()
            return len(told.events) >= events

        with contextlib.suppress(AssertionError):  # the caller shows what is missing
            wait_until(enough, seconds, "everything was told")
        return told


class Told:
    """Events by id, as bytes without their latency, and how often each was told.

    Attributes:
        order: Ids by place, in the order in which they were told first.
        different: Ids that were told in two ways.
    """

    def __init__(self) -> None:
        self.events: dict[str, bytes] = {}
        self.again = 0
        self.order: dict[bytes, list[str]] = {}
        self.different: list[str] = []

    def add(self, place: object, event: str, content: bytes) -> None:
        """One event as it was told."""
        assert isinstance(place, bytes)
        known = self.events.get(event)
        if known is None:
            self.events[event] = content
            self.order.setdefault(place, []).append(event)
            return
        self.again += 1
        if known != content:
            self.different.append(event)


class Load:
    """Plays records into `readings` in a thread, at a steady pace or at once.

    A test that breaks something under load lets a part of it through at a time: however slow the machine is, records
    come while something breaks, and there are some left for what breaks next.

    Args:
        cluster: Where they go.
        records: (partition, record), in their order.
        per_s: How many a second; at once without it.
        until: Up to which share of them; `let` lets more through.
    """

    def __init__(
        self,
        cluster: Cluster,
        records: Sequence[tuple[int, bytes]],
        *,
        per_s: float | None = None,
        until: float = 1.0,
    ) -> None:
        self.sent = 0
        self.failed: BaseException | None = None
        self._cluster = cluster
        self._records = records
        self._wait_s = 0.0 if per_s is None else 1 / per_s
        self._until = until
        self._turn = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        self._thread.join(60)

    def let(self, until: float, *, per_s: float | None = None) -> None:
        """Let it go on up to a share of all records, at another pace if one is given."""
        with self._turn:
            self._until = until
            if per_s is not None:
                self._wait_s = 1 / per_s
            self._turn.notify_all()

    def reached(self, share: float) -> Callable[[], bool]:
        """Whether so much of it was sent."""
        return lambda: self.failed is not None or self.sent >= share * len(self._records)

    def finish(self) -> None:
        """Let all of it through, and wait until Kafka has it."""
        self.let(1.0)
        self._thread.join(240)
        assert self.failed is None, self.failed
        assert self.sent == len(self._records)
        assert self._cluster.publisher.flush(60)

    def _run(self) -> None:
        publisher, topic = self._cluster.publisher, self._cluster.topics.readings
        try:
            for partition, record in self._records:
                if not self._may():
                    return
                publisher.send(topic, record, partition=partition)
                publisher.poll()
                self.sent += 1
        except BaseException as error:  # noqa: BLE001 - the test says it
            self.failed = error

    def _may(self) -> bool:
        """Wait for the next one's turn; False once nobody wants any."""
        with self._turn:
            if self._wait_s:
                self._turn.wait_for(lambda: self._stopped, self._wait_s)
            self._turn.wait_for(lambda: self._stopped or self.sent < self._until * len(self._records))
            return not self._stopped


@contextlib.contextmanager
def paused(cluster: Cluster, name: str) -> Iterator[None]:
    """A worker stands still inside, as a machine that swaps or a long collection would make it."""
    cluster.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        cluster.signal(name, signal.SIGCONT)
