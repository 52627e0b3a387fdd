"""P4: sensor publish to case acknowledged, under load; the floor is the bare broker round trip in the same run."""

import selectors
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.report import Report, Row, cost, report
from benchmarks.system import FEEDS, Load, devices, fleet, plan, wait
from city.device import Device
from core.clock import wall_ns
from runtime.broker.base import PIPELINE_USER, Address
from runtime.latency import percentiles
from runtime.private import PrivateSystem
from simulators.wire import Connection, Will, connect_packet, publish_packet, text, variable

_BACKGROUND = 30_000.0
_PROBES = 200
_EVERY_S = 0.05
_SCENE = """\
scene: latency-probe
feeds: {type: thermometer, metric: temperature_c}
levels:
  - {severity: critical, above: 60, clear_below: 40}
"""


def run(*, quick: bool = False) -> Report:
    """Alerts and bare round trips side by side, calm and with 30,000 messages a second at QoS 1 in the background."""
    probes, feeds = (20, 3_000) if quick else (_PROBES, FEEDS)
    rows: list[Row] = []
    for background in (0.0, _BACKGROUND / (10 if quick else 1)):
        rows += _measure(background, probes, feeds)
    return report("latency", rows)


def _measure(background: float, probes: int, feeds: int) -> list[Row]:
    of = fleet(feeds)
    probe_devices = [Device(f"probe-{i:05d}", "probe", "thermometer") for i in range(probes)]
    with tempfile.TemporaryDirectory(prefix="scenewatch-bench-") as folder:
        scene = Path(folder) / "probe.yaml"
        scene.write_text(_SCENE)
        with PrivateSystem(
            [*devices(of), *probe_devices, Device("x", "echo", "thermometer")], scenes=[scene]
        ) as system:
            address = Address("127.0.0.1", system.broker_port)
            warm = Load(plan(of, system.accounts, address, rate=20_000, seconds=feeds / 20_000, qos=1)).report()
            wait(lambda: system.status()["readings"] >= warm.readings, "the feeds are known")
            length = probes * _EVERY_S + 3
            load = (
                Load(plan(of, system.accounts, address, rate=background, seconds=length, qos=1)) if background else None
            )
            trips = _probe(system, probe_devices, address)
            sent = load.report() if load else None
            wait(
                lambda: system.status()["cases"] >= probes and system.status()["outbox"] == 0,
                "every probe has its case",
            )
            latency = system.status()["latency_ms"]
    floor = percentiles(trips)
    under = f"{background:,.0f} msg/s beside" if background else "calm"
    total = latency["total_ms"]
    rows = [
        cost(
            f"{under}: sensor to case, p50", total["p50"], "ms", floor=floor["p50"], floor_what="broker round trip p50",
            at_most=5 if background else None,
        ),
        cost(
            f"{under}: sensor to case, p99", total["p99"], "ms", floor=floor["p99"], floor_what="broker round trip p99",
            at_most=3 * floor["p99"] if background else None,
        ),
    ]  # fmt: skip
    stages = ("device_to_ingest_ms", "ingest_to_decision_ms", "decision_to_durable_ms", "durable_to_case_ms")
    rows += [
        cost(f"{under}: {stage.removesuffix('_ms')}, p50", latency[stage]["p50"], "ms")
        for stage in stages
        if stage in latency
    ]
    if sent is not None:
        rows.append(cost(f"{under}: load offered late, p99", sent.late_ms["p99"], "ms"))
    return rows


def _probe(system: PrivateSystem, probe_devices: list[Device], address: Address) -> list[float]:
    """Publish one crossing each 50 ms, and between two a bare round trip; the round trips in ms."""
    probe = Connection(address.host, address.port, "probe", system.accounts.gateways["probe"])
    echo = Connection(address.host, address.port, "echo", system.accounts.gateways["echo"])
    listener = _subscribe(address, system.accounts.pipeline_password)
    for device in probe_devices:
        _send(probe, device, 20)
    _settled(probe)
    trips: list[float] = []
    pause = threading.Event()
    begin = time.monotonic() + _EVERY_S  # in the millisecond of its calm value it would count as a repeat
    for number, device in enumerate(probe_devices):
        pause.wait(max(0.0, begin + number * _EVERY_S - time.monotonic()))
        _send(probe, device, 80)
        pause.wait(_EVERY_S / 2)
        trips.append(_round_trip(echo, listener))
    listener.close()
    for connection in (probe, echo):
        connection.pump()
        connection.close()
    return trips


def _send(probe: Connection, device: Device, value: int) -> None:
    payload = b'{"t":%d,"v":{"temperature_c":%d}}' % (wall_ns() // 1_000_000, value)
    packet_id = int(probe.packet_ids(1)[0])
    probe.queue(publish_packet(f"sw/v1/probe/tele/{device.id}", payload, packet_id=packet_id), 1)
    probe.pump()


def _subscribe(address: Address, password: str) -> socket.socket:
    listener = socket.create_connection(address)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hello = connect_packet(PIPELINE_USER, password, "echo-listener", keepalive_s=600, will=Will("sw/v1/out/x", b""))
    listener.sendall(hello)
    listener.recv(1024)
    body = struct.pack("!H", 1) + b"\0" + text("sw/v1/echo/tele/x") + b"\1"
    listener.sendall(b"\x82" + variable(len(body)) + body)
    listener.recv(1024)
    return listener


def _round_trip(echo: Connection, listener: socket.socket) -> float:
    """Publish at QoS 1 to a subscriber at QoS 1: ms until it has the message."""
    packet_id = int(echo.packet_ids(1)[0])
    payload = b'{"t":%d,"v":{"temperature_c":20}}' % (wall_ns() // 1_000_000)
    begin = time.perf_counter()
    echo.queue(publish_packet("sw/v1/echo/tele/x", payload, packet_id=packet_id), 1)
    echo.pump()
    data = listener.recv(4096)
    trip = (time.perf_counter() - begin) * 1000
    at = data.index(b"tele/x") + 6
    listener.sendall(b"\x40\x02" + data[at : at + 2])
    _settled(echo)
    return trip


def _settled(connection: Connection) -> None:
    """Wait until the broker has acknowledged everything."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.socket, selectors.EVENT_READ)
        connection.pump()
        while connection.in_flight:
            selector.select(1.0)
            connection.pump()
