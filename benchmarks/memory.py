"""P8: resident memory of the pipeline process; the floor is an interpreter with the same modules loaded."""

import subprocess
import sys
from pathlib import Path

from benchmarks.report import Report, Row, cost, report
from benchmarks.system import Load, devices, fleet, plan, wait
from runtime.broker.base import Address
from runtime.private import PrivateSystem

_LIMIT_MIB = {30_000: 350.0, 1_000_000: 1_536.0}


def run(*, quick: bool = False) -> Report:
    """30,000 and 1,000,000 feeds, each of which has sent a reading."""
    code = (
        "import runtime.pipeline_role, re; print(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    floor = int(out) / 1024
    rows: list[Row] = []
    for feeds in (3_000,) if quick else (30_000, 1_000_000):
        resident = _measure(feeds)
        rows.append(
            cost(
                f"{feeds:,} feeds",
                resident,
                "MiB",
                floor=floor,
                floor_what="modules only",
                at_most=_LIMIT_MIB.get(feeds),
            )
        )
    return report("memory", rows)


def _measure(feeds: int) -> float:
    of = fleet(feeds)
    with PrivateSystem(devices(of)) as system:
        address = Address("127.0.0.1", system.broker_port)
        sent = Load(plan(of, system.accounts, address, rate=500, seconds=feeds / 100 / 500, qos=1, pack=100)).report()
        wait(lambda: system.status()["readings"] >= sent.readings, "everything was taken", 300)
        return resident_mib(system.status()["pid"])


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")
