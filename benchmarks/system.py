"""What several benchmarks need: a system with many feeds, load from another process, a C subscriber."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from city.device import Device
from core.clock import wall_ns
from core.errors import UnavailableError
from runtime.broker import Accounts, Address, choose_broker
from runtime.broker.base import PIPELINE_USER
from simulators.load import Plan, Report

METRIC = "depth_cm"
TYPE = "road-water-level"
GATEWAYS = 8
FEEDS = 30_000
_WAIT_S = 120.0


def fleet(feeds: int = FEEDS, gateways: int = GATEWAYS) -> dict[str, list[str]]:
    """Device names by gateway, all of one length."""
    per = -(-feeds // gateways)
    names = [f"dev-{i:07d}" for i in range(feeds)]
    return {f"gw-{g:03d}": names[g * per : (g + 1) * per] for g in range(gateways)}


def devices(of: Mapping[str, Sequence[str]]) -> list[Device]:
    """The device list of a fleet."""
    return [Device(name, gateway, TYPE) for gateway, names in of.items() for name in names]


def plan(
    of: Mapping[str, list[str]],
    accounts: Accounts,
    address: Address,
    *,
    rate: float,
    seconds: float,
    qos: int,
    pack: int = 0,
) -> Plan:
    """A load plan for a fleet whose values stay under every limit."""
    return Plan(
        host=address.host,
        port=address.port,
        gateways=[(gateway, accounts.gateways[gateway], names) for gateway, names in of.items()],
        metric=METRIC,
        rate=rate,
        seconds=seconds,
        qos=qos,
        pack=pack,
        base=2.0,
        swing=1.0,
    )


class Load:
    """The load generator as a process of its own."""

    def __init__(self, of: Plan) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scenewatch-load-")
        path = Path(self._folder.name) / "plan.json"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(of))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulators.load", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def report(self) -> Report:
        """Wait for its end.

        Raises:
            UnavailableError: If it failed.
        """
        out, err = self._process.communicate()
        self._folder.cleanup()
        if self._process.returncode:
            raise UnavailableError(f"the load generator failed: {err.decode().strip().splitlines()[-1]}")
        return msgspec.json.decode(out, type=Report)

    def end(self) -> None:
        """End it before its time, without a report."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


@contextmanager
def bare_broker(kind: str, gateways: Sequence[str]) -> Iterator[tuple[Address, Accounts]]:
    """A private broker with nobody behind it."""
    folder = Path(tempfile.mkdtemp(prefix="scenewatch-broker-"))
    accounts = Accounts("a-pipeline-for-a-while", {gateway: f"pass-{gateway}" for gateway in gateways})
    broker = choose_broker(kind, folder, accounts)
    try:
        yield broker.start(), accounts
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


def c_subscriber(kind: str, of: Mapping[str, list[str]], *, rate: float, messages: int, qos: int) -> float | None:
    """Messages a second that `mosquitto_sub` drains of the same load; None where it is not installed."""
    if shutil.which("mosquitto_sub") is None:
        return None
    with bare_broker(kind, list(of)) as (address, accounts):
        command = [
            "mosquitto_sub", "-h", address.host, "-p", str(address.port), "-V", "5", "-q", str(qos),
            "-u", PIPELINE_USER,
            "-P", accounts.pipeline_password, "-i", "floor", "-t", "sw/v1/+/tele/+", "-C", str(messages), "-F", "%m",
        ]  # fmt: skip
        subscriber = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(0.5)  # it says nothing when it has subscribed
        report = Load(plan(of, accounts, address, rate=rate, seconds=messages / rate, qos=qos)).report()
        try:
            subscriber.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            subscriber.kill()
            return None
        return messages / ((wall_ns() - report.started_ns) / 1e9)


def wait(true: Callable[[], bool], what: str, seconds: float = _WAIT_S) -> None:
    """Wait for a condition, looking often.

    Raises:
        UnavailableError: If it does not come.
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise UnavailableError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.01)
