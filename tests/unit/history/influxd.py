"""A real InfluxDB 2 on a free loopback port, its data in a temporary folder; where it was built by `make influxdb`."""

import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from history.stores import InfluxAddress
from runtime.broker.base import die_with_parent, free_port

PROGRAM = Path(os.environ.get("SCENEWATCH_INFLUXD", Path(__file__).parents[3] / ".tools" / "influxdb" / "influxd"))
MISSING = f"InfluxDB is not built ({PROGRAM.name}): make influxdb"
PATIENCE_S = 60.0


@contextmanager
def influxdb(folder: Path, port: int = 0, *, tls: tuple[Path, Path] | None = None) -> Iterator[InfluxAddress]:
    """Start it, set it up, stop it; with TLS where a PEM of key and certificate, and their authority, are given."""
    port = port or free_port()
    command = [
        str(PROGRAM), f"--http-bind-address=127.0.0.1:{port}", f"--bolt-path={folder / 'influxd.bolt'}",
        f"--engine-path={folder / 'engine'}", f"--sqlite-path={folder / 'influxd.sqlite'}", "--reporting-disabled",
        "--log-level=error",
        *([f"--tls-cert={tls[0]}", f"--tls-key={tls[0]}"] if tls else []),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=partial(die_with_parent, os.getpid())  # noqa: PLW1509
    )  # fmt: skip
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    trust = ssl.create_default_context(cafile=tls[1]) if tls else ssl.create_default_context()
    try:
        _until_it_answers(url, trust)
        setup = {"username": "tester", "password": "a-long-password", "org": "o", "bucket": "first", "token": "a-token"}
        httpx.post(f"{url}/api/v2/setup", json=setup, timeout=PATIENCE_S, verify=trust).raise_for_status()
        yield InfluxAddress(url, "o", "readings", "a-token", ca_file=tls[1] if tls else None)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _until_it_answers(url: str, trust: ssl.SSLContext) -> None:
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while True:
        try:
            if httpx.get(f"{url}/health", timeout=5, verify=trust).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, "InfluxDB does not answer"
        pause.wait(0.05)
