"""P1 beside a peer: the same load through the same broker to eKuiper's stateful rule and to the pipeline, in one run.

eKuiper (Go, uses every core) keeps the last value by topic and says only what crosses the limit; the pipeline does what
it always does: journal, shipped scenes, alerts. `make ekuiper` builds it; without it there is one line and no row.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.ingest import pipeline
from benchmarks.report import Report, Row, cost, rate, report
from benchmarks.system import FEEDS, Load, bare_broker, fleet, plan, wait
from core.clock import wall_ns
from runtime.broker.base import PIPELINE_USER, Accounts, Address, Child, free_port
from runtime.broker.mosquitto import find_mosquitto

_HOME = Path(__file__).resolve().parent.parent / ".tools" / "peers"
_OFFERED = 200_000.0
_RATIO = 1.5
_RULE = """\
SELECT meta(topic) AS topic, v->depth_cm AS depth FROM readings
WHERE v->depth_cm > 95 AND lag(v->depth_cm, 1, 0) OVER (PARTITION BY meta(topic)) <= 95"""


def run(*, quick: bool = False) -> Report:
    """One reading a message at QoS 0, more offered than fits, with mosquitto."""
    program = _HOME / "bin" / "kuiperd"
    if find_mosquitto() is None or not program.exists():
        sys.stderr.write("peers: eKuiper or mosquitto is not here; `make ekuiper` builds the first\n")
        return report("peers", [])
    messages, feeds = (6_000, 3_000) if quick else (int(_OFFERED * 3), FEEDS)
    theirs, their_cpu = _ekuiper(program, messages, feeds)
    ours, _, our_cpu = pipeline("mosquitto", 0, _OFFERED, messages, feeds)
    rows: list[Row] = [
        rate(
            "one reading a message, QoS 0", ours, "msg/s", floor=theirs, floor_what="eKuiper, lag by topic",
            at_least=_RATIO,
        ),
        cost("CPU", our_cpu, "us/msg", floor=their_cpu, floor_what="eKuiper, lag by topic"),
    ]  # fmt: skip
    return report("peers", rows)


def _ekuiper(program: Path, messages: int, feeds: int) -> tuple[float, float]:
    """(messages a second, microseconds of CPU a message) until its rule has taken all that the broker let through."""
    of = fleet(feeds)
    with bare_broker("mosquitto", list(of)) as (address, accounts), _started(program, address, accounts) as peer:
        before = peer.taken()
        cpu = peer.cpu_s()
        load = Load(plan(of, accounts, address, rate=_OFFERED, seconds=messages / _OFFERED, qos=0))
        sent = load.report()
        last, seen = peer.settled(before)
        return (last - before) / ((seen - sent.started_ns) / 1e9), (peer.cpu_s() - cpu) / (last - before) * 1e6


class _Peer:
    """A running eKuiper with one rule."""

    def __init__(self, base: str, child: Child) -> None:
        self._client = httpx.Client(base_url=base, timeout=10)
        self.child = child

    def post(self, path: str, body: dict[str, object]) -> None:
        """Make something, or say why not."""
        self._client.post(path, json=body).raise_for_status()

    def up(self) -> bool:
        """Whether it answers."""
        try:
            return self._client.get("/").is_success
        except httpx.HTTPError:
            return False

    def taken(self) -> int:
        """Messages that the rule has looked at."""
        status = self._client.get("/rules/crossing/status").json()
        return max((int(n) for key, n in status.items() if key.endswith("filter_0_records_in_total")), default=0)

    def settled(self, before: int) -> tuple[int, int]:
        """(messages taken, wall time in ns when the last was seen to be): it stood still for half a second."""
        last, seen = before, wall_ns()
        while wall_ns() - seen < 500_000_000 or last == before:
            now = self.taken()
            if now != last:
                last, seen = now, wall_ns()
            time.sleep(0.01)
        return last, seen

    def cpu_s(self) -> float:
        """Processor time that it has used."""
        fields = Path(f"/proc/{self.child.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _started(program: Path, address: Address, accounts: Accounts) -> Iterator[_Peer]:
    folder = Path(tempfile.mkdtemp(prefix="scenewatch-peer-"))
    shutil.copytree(_HOME / "etc", folder / "etc")
    for name in ("data", "log", "plugins"):
        (folder / name).mkdir()
    (folder / "etc" / "mqtt_source.yaml").write_text(
        f"default:\n  server: tcp://{address.host}:{address.port}\n  username: {PIPELINE_USER}\n"
        f"  password: {accounts.pipeline_password}\n  qos: 0\n  protocolVersion: '3.1.1'\n"
    )
    port = free_port()
    settings = {
        "KuiperBaseKey": str(folder), "KUIPER__BASIC__RESTIP": "127.0.0.1", "KUIPER__BASIC__RESTPORT": str(port),
        "KUIPER__BASIC__IP": "127.0.0.1", "KUIPER__BASIC__PORT": str(free_port()), "KUIPER__BASIC__LOGLEVEL": "error",
        "KUIPER__BASIC__PPROF": "false",
    }  # fmt: skip
    command = ["env", *(f"{key}={value}" for key, value in settings.items()), str(program)]
    child = Child(command, folder / "peer.log")
    try:
        child.wait_listening("eKuiper", port)
        peer = _Peer(f"http://127.0.0.1:{port}", child)
        wait(peer.up, "eKuiper answers")
        peer.post(
            "/streams",
            {"sql": 'CREATE STREAM readings () WITH (DATASOURCE="sw/v1/+/tele/+", FORMAT="JSON")'},
        )
        peer.post(
            "/rules", {"id": "crossing", "sql": _RULE, "actions": [{"nop": {}}], "options": {"bufferLength": 65536}}
        )
        time.sleep(1.0)  # it says nothing when it has subscribed
        yield peer
    finally:
        child.stop()
        shutil.rmtree(folder, ignore_errors=True)
