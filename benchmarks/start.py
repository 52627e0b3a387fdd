"""P9: from starting the pipeline to its first decision; the floor is an interpreter that loads the same modules."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

from benchmarks.report import Report, cost, report
from benchmarks.system import Load, devices, fleet, plan, wait
from runtime.broker.base import Address
from runtime.private import PrivateSystem

_LONGEST_S = 60.0


def run(*, quick: bool = False) -> Report:
    """Kill the pipeline while gateways go on; the time until the next one decides."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import runtime.pipeline_role"], check=True)
    floor = time.perf_counter() - begin
    of = fleet(3_000)
    times = []
    with PrivateSystem(devices(of)) as system:
        address = Address("127.0.0.1", system.broker_port)
        rounds = 1 if quick else 3
        load = Load(plan(of, system.accounts, address, rate=1_000, seconds=_LONGEST_S * rounds, qos=1))
        try:
            for _ in range(rounds):
                wait(lambda: system.status().get("decisions", 0) > 0, "the first decisions")
                victim = system.status()["pid"]
                os.kill(victim, signal.SIGKILL)
                begin = time.perf_counter()
                wait(partial(_decides, system, victim), "it decides again", _LONGEST_S)
                times.append(time.perf_counter() - begin)
        finally:
            load.end()
    return report(
        "start",
        [
            cost(
                "kill -9 to the first decision after it",
                min(times),
                "s",
                floor=floor,
                floor_what="modules only",
                at_most=3,
            )
        ],
    )


def _decides(system: PrivateSystem, victim: int) -> bool:
    status = system.status()
    return bool(status.get("pid", victim) != victim and status.get("live_readings", 0) > 0)
