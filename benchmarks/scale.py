"""The distributed runtime: readings through Kafka and Faust beside one machine's runner and beside a bare consumer.

Two cores carry Kafka, the load and all workers, so what several workers add shows in their processor time and not in
the wall clock; the model in docs/scale.md is made of the former.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from alerts.lifecycle import AlertStage
from benchmarks.report import Report, Row, cost, rate, report
from city.catalogue import load_catalogue, shipped
from city.device import Device
from city.device_list import dump_devices
from core.clock import wall_ns
from core.errors import UnavailableError
from core.reading import ReadingBatch
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.config import write_config
from runtime.device_list import DeviceList
from runtime.recovery import encode_devices, encode_rules
from runtime.servers.kafka import PrivateKafka, why_not
from runtime.stream.outgoing import Outgoing
from runtime.stream.places import partition_of
from runtime.stream.plan import devices_record, devices_version, scenes_record
from runtime.stream.publisher import Publisher
from runtime.stream.reader import open_reader, read_all
from runtime.stream.told import decode_told
from runtime.stream.topics import Topics, ensure_topics
from runtime.supervisor import RoleSpec, Supervisor
from thresholds.check import load_scenes
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

METRIC = "depth_cm"
TYPE = "road-water-level"
FEEDS = 30_000
PLACES = 2_000
PARTITIONS = 8
SIZES = (200, 2_000)
"""Readings of one record: two sizes tell the price of a record from that of a reading."""
SESSION_S = 6
_KEEP_MS = 1 << 40
_WAIT_S = 240.0
_LOOK_S = 0.2
"""Seldom enough that asking costs the workers nothing to speak of."""


@dataclass(frozen=True)
class Load:
    """Records of one size: (partition, bytes), and the batches that they were made of."""

    size: int
    records: list[tuple[int, bytes]]
    batches: list[ReadingBatch]
    readings: int
    sort_ns: float
    """Processor time of sorting and encoding, ns a reading."""


class Bench:
    """One Kafka, one fleet, and a system of topics for each measurement."""

    def __init__(self, kafka: PrivateKafka, folder: Path, *, quick: bool) -> None:
        self.kafka = kafka
        self.folder = folder
        self.quick = quick
        self.devices = [Device(f"dev-{i:06d}", f"gw-{i % 64:03d}", TYPE, f"M{i % PLACES:05d}") for i in range(FEEDS)]
        self.scenes, _ = load_scenes([shipped("scenes")], load_catalogue())
        path = folder / "devices.csv"
        dump_devices(path, self.devices)
        self.version = devices_version(DeviceList.read(path, load_catalogue()).version, "place")
        self.csv = path.read_bytes()
        self.publisher = Publisher(kafka.address, "bench")

    def outgoing(self) -> Outgoing:
        """What sorts readings as a bridge does."""
        return Outgoing(
            "bridge-0",
            1,
            PARTITIONS,
            max_feeds=FEEDS,
            partition_of=lambda feed: partition_of(self.devices[feed].alert_place, PARTITIONS),
            key_of=lambda feed: f"{self.devices[feed].gateway}\0{self.devices[feed].id}\0{METRIC}".encode(),
        )

    def load(self, size: int, readings: int) -> Load:
        """Records of about `size` readings."""
        rng = np.random.default_rng(size)
        out, batches = self.outgoing(), []
        out.add_to_all(encode_devices(self.version))
        out.add_to_all(encode_rules(self.scenes.version))
        for first in range(0, FEEDS, size * PARTITIONS):  # every name once, before anything is measured
            feeds = np.arange(first, min(FEEDS, first + size * PARTITIONS), dtype=np.int32)
            batches.append(_batch(feeds, 0, rng))
        rows = size * PARTITIONS
        rounds = -(-readings // rows)
        batches += [_batch(rng.integers(0, FEEDS, rows).astype(np.int32), n + 1, rng) for n in range(rounds)]
        records: list[tuple[int, bytes]] = []
        spent = 0.0
        for batch in batches:
            begin = time.process_time()
            out.add(batch)
            records += out.take()
            spent += time.process_time() - begin
        count = sum(map(len, batches))
        return Load(size, records, batches, count, spent / count * 1e9)


@contextlib.contextmanager
def system(bench: Bench, name: str, workers: int) -> Iterator["System"]:
    """Topics of their own, with workers that are ready."""
    made = System(bench, name)
    try:
        made.start(workers)
        yield made
    finally:
        made.stop()


class System:
    """Topics under one prefix and workers over them."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.topics = Topics(name, PARTITIONS)
        self._bench = bench
        self._config = bench.folder / f"{name}.toml"
        self._supervisor: Supervisor | None = None
        self._http = httpx.Client(timeout=5)
        self.ends = [0] * PARTITIONS
        address = bench.kafka.address
        stream = {"kafka": address, "prefix": name, "partitions": PARTITIONS, "session_timeout": f"{SESSION_S}s"}
        write_config(self._config, {"data": {"dir": str(bench.folder / name)}, "stream": stream})
        ensure_topics(address, self.topics, replication=1, keep_ms=_KEEP_MS)
        for record in (devices_record(bench.version, bench.csv), scenes_record(bench.scenes)):
            bench.publisher.send(self.topics.plan, record[1], partition=0, key=record[0])
        bench.publisher.flush(30)

    def start(self, workers: int) -> None:
        """Start workers and wait until all partitions are held."""
        command = RoleSpec.of("worker", self._config).command
        self._supervisor = Supervisor([RoleSpec(f"worker-{n + 1}", command) for n in range(workers)])
        self._supervisor.start()
        _wait(lambda: len(self.positions()) == PARTITIONS, "workers hold every partition")

    def stop(self) -> None:
        """Stop the workers."""
        if self._supervisor is not None:
            self._supervisor.stop()
        self._http.close()

    def send(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Hand records to Kafka as fast as it takes them."""
        publisher = self._bench.publisher
        for partition, record in records:
            while publisher.waiting > 20_000:
                publisher.poll(0.01)
            publisher.send(self.topics.readings, record, partition=partition)
            self.ends[partition] += 1
        publisher.flush(120)

    def statuses(self) -> list[dict[str, Any]]:
        """What each worker says; those that say nothing are left out."""
        found = []
        for facts in self._supervisor.ready().values() if self._supervisor else ():
            with contextlib.suppress(httpx.HTTPError, ValueError):
                found.append(self._http.get(f"{facts['status']}/status").json())
        return found

    def positions(self) -> dict[int, int]:
        """Next offset by partition, over all workers."""
        found: dict[int, int] = {}
        for status in self.statuses():
            for number, offset in status["partitions"].items():
                found[int(number)] = max(offset, found.get(int(number), 0))
        return found

    def caught_up(self) -> bool:
        """Whether every record sent was taken by whoever holds its partition."""
        held = self.positions()
        return all(held.get(partition, -1) >= end for partition, end in enumerate(self.ends))

    def kill_first(self) -> None:
        """Kill -9 of one worker; it is started again by itself."""
        assert self._supervisor is not None  # noqa: S101 - it was started
        os.kill(self._supervisor.pid("worker-1"), signal.SIGKILL)


def run(*, quick: bool = False) -> Report:
    """Throughput, price, latency and recovery; nothing, and a line that says why, where there is no Kafka to run."""
    reason = why_not()
    if reason:
        print(reason)
        return report("scale", [])
    with tempfile.TemporaryDirectory(prefix="scenewatch-scale-") as folder, PrivateKafka(heap="-Xmx512m") as kafka:
        bench = Bench(kafka, Path(folder), quick=quick)
        rows: list[Row] = []
        loads = [bench.load(size, (400_000 if quick else 6_000_000) * size // SIZES[-1]) for size in SIZES]
        for load in loads:
            rows += _throughput(bench, load)
        rows += _latency(bench)
        rows += _recovery(bench)
    return report("scale", rows)


def _throughput(bench: Bench, load: Load) -> list[Row]:
    what = f"{load.size:,} readings a record"
    warm = sum(1 for _ in load.records[: len(load.records) // 10])
    embedded_ns = _embedded(bench.scenes, bench.devices, load)
    rows = [
        rate(f"{what}: embedded runner, no Kafka", 1e9 / embedded_ns, "readings/s"),
        cost(f"{what}: bridge, sorting and encoding", load.sort_ns, "ns/reading"),
    ]
    bare = None
    for workers in (1, 2, 4):
        name = f"t{load.size}w{workers}"
        with system(bench, name, workers) as made:
            made.send(load.records[:warm])
            _wait(made.caught_up, "the first tenth was taken")
            before = _cpu(made)
            begin = time.monotonic()
            made.send(load.records[warm:])
            _wait(made.caught_up, "everything was taken")
            spent = time.monotonic() - begin
            cpu_s = _cpu(made) - before
            done = load.readings * (len(load.records) - warm) / len(load.records)
            if bare is None:
                bare = _bare(bench.kafka.address, made.topics, load, sum(made.ends))
                rows.append(rate(f"{what}: bare consumer of the topic", bare, "readings/s"))
        label = f"{what}: {workers} worker{'s' if workers > 1 else ''}"
        rows.append(rate(label, done / spent, "readings/s", floor=bare, floor_what="bare consumer"))
        rows.append(
            cost(
                f"{label}, processor time", cpu_s / done * 1e9, "ns/reading",
                floor=embedded_ns, floor_what="embedded runner",
            )
        )  # fmt: skip
    return rows


def _embedded(scenes: SceneSet, devices: Sequence[Device], load: Load) -> float:
    """Processor time of the same stages in this process, ns a reading."""
    engine = Engine(scenes, max_feeds=len(devices))
    engine.bind_many((device, METRIC) for device in devices)
    chain = Chain(Sequencer(len(devices)), engine, AlertStage(AlertScenes(scenes), _Named(devices)), wall_ns)
    warm = len(load.batches) // 10
    for batch in load.batches[:warm]:
        chain.on_batch(batch)
    begin, before = time.process_time(), chain.readings
    for batch in load.batches[warm:]:
        chain.on_batch(batch)
    return (time.process_time() - begin) / (chain.readings - before) * 1e9


class _Named:
    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices

    def feed(self, index: int) -> tuple[Device, str, str]:
        """Device, metric and unit."""
        return self._devices[index], METRIC, "cm"


def _bare(address: str, topics: Topics, load: Load, records: int) -> float:
    """Readings a second that a consumer gets which does nothing with them, by the client that Faust uses."""
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415 - part of the extra `stream`

    async def drain() -> float:
        consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", enable_auto_commit=False)
        await consumer.start()
        consumer.assign([TopicPartition(topics.readings, number) for number in range(PARTITIONS)])
        begin, seen = time.monotonic(), 0
        while seen < records:
            got = await consumer.getmany(timeout_ms=1000)
            seen += sum(map(len, got.values()))
        spent = time.monotonic() - begin
        await consumer.stop()
        return load.readings / spent

    return asyncio.run(drain())


def _latency(bench: Bench) -> list[Row]:
    """400 records of 25 readings a second through one worker; up to 25 of them raise an alert."""
    seconds = 4 if bench.quick else 20
    rng = np.random.default_rng(5)
    rows: list[Row] = []
    with system(bench, "latency", 1) as made:
        out = bench.outgoing()
        out.add_to_all(encode_devices(bench.version))
        out.add_to_all(encode_rules(bench.scenes.version))
        _play(bench, made, out, 2, rng)
        _wait(made.caught_up, "warm")
        begin_ns = wall_ns()
        _play(bench, made, out, seconds, rng)
        _wait(made.caught_up, "everything was taken")
        waits = _decided_after(bench.kafka.address, made.topics, begin_ns)
    for share in (50, 90, 99):
        figure = float(np.percentile(waits, share))
        rows.append(cost(f"10,000 readings/s, produced to decided, p{share}", figure, "ms"))
    rows.append(cost("the same, alerts that were measured", len(waits), "alerts"))
    return rows


def _play(bench: Bench, made: System, out: Outgoing, seconds: float, rng: np.random.Generator) -> None:
    """Rounds every 20 ms on a clock that does not stop: 200 readings each."""
    begin = time.monotonic()
    number, high = 0, np.int32(0)
    while number * 0.02 < seconds:
        due = begin + number * 0.02
        if (left := due - time.monotonic()) > 0:
            bench.publisher.poll(left)
            continue
        now = wall_ns()
        feeds = rng.choice(FEEDS, 200, replace=False).astype(np.int32)
        values = rng.uniform(0.0, 2.0, 200)
        if number % 2 == 0:  # one feed is over every limit twice in a row: its second reading raises
            high = feeds[0]
        feeds[feeds == high] = feeds[0]
        feeds[0], values[0] = high, 200.0
        out.add(ReadingBatch.of(feeds, np.full(200, now // 1_000_000), values, np.full(200, now)))
        for partition, record in out.take():
            bench.publisher.send(made.topics.readings, record, partition=partition)
            made.ends[partition] += 1
        bench.publisher.poll()
        number += 1
    bench.publisher.flush(30)


def _decided_after(address: str, topics: Topics, begin_ns: int) -> list[float]:
    """From arrival to decision, ms, of the alerts that opened since `begin_ns`."""
    reader = open_reader(address, f"{topics.prefix}-bench")
    found: list[float] = []
    for partition in range(PARTITIONS):
        for message in read_all(reader, topics.alerts, partition):
            for change in decode_told(message.value() or b"").changes:
                timing = change.timing
                if timing.arrival_ns is None or timing.decided_ns is None or timing.arrival_ns < begin_ns:
                    continue
                if change.data.revision == 1:
                    found.append((timing.decided_ns - timing.arrival_ns) / 1e6)
    reader.close()
    return found


def _recovery(bench: Bench) -> list[Row]:
    """Kill -9 of one of two workers under load, until everything sent by then has been taken."""
    seconds = 25.0
    with system(bench, "recovery", 2) as made:
        out = bench.outgoing()
        out.add_to_all(encode_devices(bench.version))
        out.add_to_all(encode_rules(bench.scenes.version))
        rng = np.random.default_rng(6)
        _play(bench, made, out, 12.0, rng)
        _wait(made.caught_up, "warm")
        made.kill_first()
        begin = time.monotonic()
        took = None
        while took is None and time.monotonic() - begin < seconds * 4:
            _play(bench, made, out, 0.5, rng)
            if made.caught_up():
                took = time.monotonic() - begin
    if took is None:
        raise UnavailableError("the worker did not recover in time")
    return [cost(f"kill -9 to caught up, session timeout {SESSION_S} s, 10,000 readings/s", took, "s")]


def _cpu(made: System) -> float:
    return float(sum(status["cpu_s"] for status in made.statuses()))


def _batch(feeds: np.ndarray, number: int, rng: np.random.Generator) -> ReadingBatch:
    times = np.full(len(feeds), 1_764_000_000_000 + number * 1_000, np.int64)
    values = rng.uniform(0.0, 2.0, len(feeds))
    # One in a thousand is over every limit, for several of its readings: scenes ask for more than one.
    values[(feeds + number // 8) % 1_000 == 0] = 200.0
    return ReadingBatch.of(feeds, times, values)


def _wait(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not true():
        if time.monotonic() > deadline:
            raise UnavailableError(f"not within {_WAIT_S:.0f} s: {what}")
        time.sleep(_LOOK_S)
