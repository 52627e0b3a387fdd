"""What so many feeds take, out of the figures of `scenewatch bench scale`: writes docs/scale.md.

`python -m benchmarks.scale_model out/scale.json docs/scale.md`
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.report import Report, Row
from benchmarks.scale import FEEDS, PARTITIONS, SIZES

PER_FEED_S = 77 / 15_000
"""Readings a second and feed: the district when it is calm."""
STORM = 10
"""How many times more has to fit without falling behind."""
PER_BRIDGE = 30_000
"""Messages a second that mosquitto hands over at QoS 1 without breaking down."""
BUSY = 0.5
"""Share of a core that a worker may be busy with when it is a storm."""
FEEDS_A_PARTITION = 100_000
ROW_BYTES = 29
KEPT_S = 7 * 86_400
COPIES = 3
CELL = 10_000_000


@dataclass(frozen=True)
class Price:
    """Processor time: of a record and of each reading in it, s."""

    record: float
    reading: float

    @classmethod
    def fitted(cls, small: float, large: float) -> "Price":
        """Out of ns a reading in records of the two sizes."""
        record = (small - large) / (1 / SIZES[0] - 1 / SIZES[1])
        return cls(max(record, 0.0) * 1e-9, max(large - record / SIZES[1], 0.0) * 1e-9)

    def busy(self, records: float, readings: float) -> float:
        """Cores that so many a second take."""
        return self.record * records + self.reading * readings


@dataclass(frozen=True)
class Need:
    """What one number of feeds takes."""

    feeds: int
    linger_ms: int
    calm: float
    partitions: int
    bridges: int
    records: float
    cores: float
    workers: int
    disk_tb: float


def need(feeds: int, linger_ms: int, worker: Price) -> Need:
    """The model: every bridge sends every partition a record each `linger_ms`."""
    calm = feeds * PER_FEED_S
    storm = calm * STORM
    partitions = max(8, 2 ** math.ceil(math.log2(feeds / FEEDS_A_PARTITION)))
    bridges = max(1, math.ceil(storm / PER_BRIDGE))
    records = min(storm, bridges * partitions * 1000 / linger_ms)
    cores = worker.busy(records, storm)
    return Need(
        feeds, linger_ms, calm, partitions, bridges, records, cores, max(2, math.ceil(cores / BUSY)),
        calm * ROW_BYTES * KEPT_S * COPIES / 1e12,
    )  # fmt: skip


def page(report: Report) -> str:
    """The whole document."""
    rows = {row.what: row for row in report.rows}
    worker = Price.fitted(*(_worker(rows, size, 1).value for size in SIZES))
    bridge = Price.fitted(*(rows[f"{size:,} readings a record: bridge, sorting and encoding"].value for size in SIZES))
    return "".join((_head(report), _measured(report.rows), _prices(worker, bridge, rows), _needs(worker), _TAIL))


def _worker(rows: dict[str, Row], size: int, workers: int) -> Row:
    plural = "s" if workers > 1 else ""
    return rows[f"{size:,} readings a record: {workers} worker{plural}, processor time"]


def _head(report: Report) -> str:
    machine = report.machine
    return f"""\
# Past one machine: what it costs and what it takes

<!-- Written by `make scale` out of what it measured; do not edit by hand. -->

Measured on {report.at[:10]} on {machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB, Python {report.versions["python"]}: one Kafka 3.9.1
(KRaft, one node, replication 1), the load and all workers share those cores. So wall-clock figures of several workers say little; processor time does, and the model uses that alone.

How it is built: [decision 0026](adr/0026-slices-know-their-offset.md), [0027](adr/0027-partitioned-by-area.md), [0028](adr/0028-delivery-from-one-outbox.md).
How it is run: [run it over Kafka](how-to/run-distributed.md).

## Measured

{FEEDS:,} feeds, {PARTITIONS} partitions, every shipped scene. The embedded runner is the same chain of stages in one process; the bare consumer is aiokafka's, which Faust uses, and does nothing with what it gets.

"""


def _measured(rows: list[Row]) -> str:
    lines = ["| what | value | beside it | ratio |\n| --- | ---: | ---: | ---: |\n"]
    for row in rows:
        floor = "" if row.floor is None else f"{row.floor:,.4g} ({row.floor_what})"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(f"| {row.what} | {row.value:,.4g} {row.unit} | {floor} | {ratio} |\n")
    return "".join(lines)


def _prices(worker: Price, bridge: Price, rows: dict[str, Row]) -> str:
    embedded_ns = 1e9 / rows[f"{SIZES[1]:,} readings a record: embedded runner, no Kafka"].value
    over = worker.reading * 1e9 - embedded_ns
    return f"""
## The price of the distribution

Two sizes of record tell the price of a record from that of a reading (processor time, one worker):

| | a record | a reading in it |
| --- | ---: | ---: |
| worker: Kafka's client, Faust, the stages | {worker.record * 1e3:.2f} ms | {worker.reading * 1e9:.0f} ns |
| bridge: sorting by partition, encoding | {bridge.record * 1e3:.3f} ms | {bridge.reading * 1e9:.0f} ns |
| the stages alone, on one machine | | {embedded_ns:.0f} ns |

So a reading costs a worker {over:.0f} ns more than one machine's runner, and its share of a record's price: at 200 readings a record {worker.record / 200 * 1e9:,.0f} ns, at 2,000 {worker.record / 2000 * 1e9:,.0f} ns.
What counts is how many records there are, and that is partitions times bridges times rounds a second (`stream.linger`), not feeds.
"""


def _needs(worker: Price) -> str:
    lines = [
        f"""
## 1 million, 10 million, 1 billion feeds

| feeds | linger | readings/s, calm | partitions | bridges, each with a broker | records/s in a storm | workers' cores in a storm | workers | Kafka's disks, 7 days x {COPIES} |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""
    ]
    for feeds, linger in ((1_000_000, 20), (1_000_000, 100), (CELL, 20), (CELL, 100)):
        n = need(feeds, linger, worker)
        lines.append(_line(n, f"{n.feeds:,}"))
    cells = 1_000_000_000 // CELL
    n = need(CELL, 100, worker)
    lines.append(
        f"| 1,000,000,000 in {cells} cells | 100 ms | {n.calm * cells:,.0f} | {n.partitions * cells:,} | {n.bridges * cells:,} "
        f"| {n.records * cells:,.0f} | {n.cores * cells:,.1f} | {n.workers * cells:,} | {n.disk_tb * cells:,.1f} TB |\n"
    )
    one = need(1_000_000_000, 100, worker)
    lines.append(
        f"""
A billion feeds in one set of topics would be {one.bridges:,} bridges that each write to {one.partitions:,} partitions: {one.records:,.0f} records/s, {one.cores:,.0f} cores for records that are nearly empty. It is {cells} cells of {CELL:,} feeds instead,
each with topics (`stream.prefix`), Kafka, bridges and workers of its own, one for each city or part of one: areas, folding and delivery never cross a cell, so nothing is lost by it, and a cell that is down takes no other with it.
"""
    )
    return "".join(lines)


def _line(n: Need, name: str) -> str:
    return (
        f"| {name} | {n.linger_ms} ms | {n.calm:,.0f} | {n.partitions:,} | {n.bridges:,} | {n.records:,.0f} "
        f"| {n.cores:.1f} | {n.workers:,} | {n.disk_tb:.2f} TB |\n"
    )


_TAIL = f"""
### What the model assumes

- A feed sends {PER_FEED_S * 60:.2f} readings a minute when it is calm (15,000 sensors, 77 readings/s), one message each, and {STORM} times that in a storm, which must fit without falling behind.
- Every bridge has something for every partition in every round: the most records there can be. Gateways that are sharded so that a bridge serves few partitions cost less.
- A worker may be busy for {BUSY:.0%} of a core in a storm; the rest is for rebalances and replays. There are at least two. At least three Kafka brokers, for replication {COPIES}.
- {FEEDS_A_PARTITION:,} feeds a partition, rounded up to a power of two, and areas enough that they spread evenly (`stream.by`); {ROW_BYTES} bytes a reading on disk, names and compression left out.
- {PER_BRIDGE:,} messages a second and bridge is what one mosquitto hands over at QoS 1; the bridge's own limit is higher. Gateways that pack many readings into a message need fewer.
- Two points fit two prices exactly: there is no residual that could show where the line bends. Memory, network and the hub are not in the model. Nothing past one Kafka node and four workers was run.
"""


def main(arguments: list[str]) -> int:
    """Write the page; 1 if nothing was measured."""
    report = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=Report)
    if not report.rows:
        sys.stderr.write(f"{arguments[0]}: nothing was measured; fetch Kafka with `make kafka`\n")
        return 1
    Path(arguments[1]).write_text(page(report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
