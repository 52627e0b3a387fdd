"""P1 and P2: one reading a message, broker to decision, against a C subscriber on the same load in the same run."""

from benchmarks.report import Report, Row, cost, rate, report
from benchmarks.system import FEEDS, Load, c_subscriber, devices, fleet, plan, wait
from core.clock import wall_ns
from runtime.broker.base import Address
from runtime.broker.mosquitto import find_mosquitto
from runtime.private import PrivateSystem

_TARGET = {0: 0.9, 1: 0.8}


def run(*, quick: bool = False) -> Report:
    """Both brokers, QoS 0 and 1, more offered than fits."""
    rows: list[Row] = []
    kinds = ["rumqttd"] if find_mosquitto() is None else ["mosquitto", "rumqttd"]
    for kind in kinds[:1] if quick else kinds:
        for qos, offered in ((0, 200_000.0), (1, 100_000.0)):
            messages, feeds = (6_000, 3_000) if quick else (int(offered * 3), FEEDS)
            rows += _one(kind, qos, offered, messages, feeds)
    return report("ingest", rows)


def _one(kind: str, qos: int, offered: float, messages: int, feeds: int) -> list[Row]:
    of = fleet(feeds)
    floor = c_subscriber(kind, of, rate=offered, messages=messages, qos=qos)
    drained, per_batch, cpu_us = pipeline(kind, qos, offered, messages, feeds)
    name = f"{kind}, QoS {qos}"
    target = _TARGET[qos]
    return [
        rate(name, drained, "msg/s", floor=floor, floor_what="mosquitto_sub", at_least=target if floor else None),
        cost(f"{name}, CPU of the pipeline", cpu_us, "us/msg"),
        cost(f"{name}, readings in a batch", per_batch, "mean"),
    ]


def pipeline(kind: str, qos: int, offered: float, messages: int, feeds: int = FEEDS) -> tuple[float, float, float]:
    """(messages a second, mean batch, microseconds of CPU a message) of the whole pipeline with its shipped scenes."""
    of = fleet(feeds)
    with PrivateSystem(devices(of), broker=kind, qos=qos) as system:
        address = Address("127.0.0.1", system.broker_port)
        warm = Load(plan(of, system.accounts, address, rate=20_000, seconds=feeds / 20_000, qos=qos)).report()
        wait(lambda: system.status()["readings"] >= warm.readings, "the feeds are known")
        before = system.status()
        load = Load(plan(of, system.accounts, address, rate=offered, seconds=messages / offered, qos=qos))
        sent = load.report()
        wait(lambda: system.status()["readings"] - before["readings"] >= sent.readings, "everything was taken")
        ended = max(system.status()["last_batch_ns"], sent.started_ns + 1)
        after = system.status()
    seconds = (min(ended, wall_ns()) - sent.started_ns) / 1e9
    readings = after["readings"] - before["readings"]
    batches = max(1, after["batches"] - before["batches"])
    return readings / seconds, readings / batches, (after["cpu_s"] - before["cpu_s"]) / readings * 1e6
