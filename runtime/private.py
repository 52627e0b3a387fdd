"""A whole system of one's own in a private folder: what the demo, a replay and a camera alone start."""

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from alerts.store import AlertStore
from alerts.stored import StoredAlert
from city.device import Device
from city.device_list import dump_devices
from core.errors import UnavailableError
from runtime.accounts import make_accounts
from runtime.broker.base import Accounts, free_port
from runtime.broker.mosquitto import find_mosquitto
from runtime.broker.rumqttd import Rumqttd
from runtime.config import write_config
from runtime.supervisor import RoleSpec, Supervisor

_CONNECT_S = 30.0
STOP_S = 2.0
"""How long a clean end may take."""


def broker_line(kind: str) -> str:
    """One line for a person: which broker is going to run and what it lacks."""
    if kind == "rumqttd" or (kind == "auto" and find_mosquitto() is None):
        return f"broker: {Rumqttd.name}; it lacks {'; '.join(Rumqttd.lacks)}"
    return "broker: mosquitto"


class PrivateSystem:
    """Broker, hub, pipeline (and more roles) on loopback, in a folder that is removed at the end.

    Args:
        devices: Who may publish.
        scenes: Files and folders; empty for the shipped scenes.
        metrics: Metrics that exist beside the catalogue's.
        broker: `auto`, `mosquitto` or `rumqttd`.
        recording: Whether the readings bring their own clock.
        more: Further roles, with further sections of the configuration.
        qos: Of the pipeline's subscriptions.
        history: Whether readings are kept beyond the journal.
        data: Where the data goes and stays; None for the private folder.
        on_line: Takes lines about restarts.
    """

    def __init__(
        self,
        devices: Iterable[Device],
        *,
        scenes: Sequence[Path] = (),
        metrics: Sequence[str] = (),
        broker: str = "auto",
        recording: bool = False,
        more: Mapping[str, Callable[["PrivateSystem"], Mapping[str, Any]]] | None = None,
        qos: int = 1,
        history: bool = False,
        data: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="scenewatch-"))
        try:
            self._prepare(
                list(devices), scenes=scenes, metrics=metrics, broker=broker, recording=recording, more=more or {},
                qos=qos, history=history, data=data, on_line=on_line,
            )  # fmt: skip
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _prepare(
        self,
        known: list[Device],
        *,
        scenes: Sequence[Path],
        metrics: Sequence[str],
        broker: str,
        recording: bool,
        more: Mapping[str, Callable[["PrivateSystem"], Mapping[str, Any]]],
        qos: int,
        history: bool,
        data: Path | None,
        on_line: Callable[[str], None] | None,
    ) -> None:
        self.data = data.resolve() if data else self._folder / "data"
        dump_devices(self._folder / "devices.csv", known)
        self.accounts: Accounts = make_accounts(self.data, {device.gateway for device in known})
        self.broker_port = free_port()
        self.hub_url = f"http://127.0.0.1:{free_port()}"
        self.hub_token = secrets.token_urlsafe(18)
        self.ops_url = f"http://127.0.0.1:{free_port()}"
        self.folder = self._folder
        config = self._folder / "scenewatch.toml"
        content: dict[str, Mapping[str, Any]] = {
            "data": {"dir": str(self.data)},
            "broker": {"kind": broker, "port": self.broker_port, "qos": qos},
            "ingest": {"devices": "devices.csv"},
            "scenes": {"paths": [str(path.resolve()) for path in scenes], "metrics": list(metrics)},
            "pipeline": {
                "http_port": int(self.ops_url.rpartition(":")[2]),
                "clock": "recording" if recording else "system",
            },
            "dispatch": {"url": self.hub_url, "token": self.hub_token},
            "hub": {"port": int(self.hub_url.rpartition(":")[2])},
            "history": {"kind": "parquet" if history else "none", "flush": "2s"},
        }
        for name, section in more.items():
            content[name] = section(self)
        write_config(config, content)
        names = ("broker", "hub", "pipeline", *(("history",) if history else ()))
        first = [RoleSpec.of(name, config) for name in names]
        self._supervisor = Supervisor(first, on_line=on_line)
        self._later = [RoleSpec.of(name, config) for name in more]
        self._later_supervisor: Supervisor | None = None
        self._client = httpx.Client(timeout=5)

    def start(self) -> None:
        """Start everything and wait until it is connected; the further roles start last.

        Raises:
            ConfigError: If something given is wrong.
            UnavailableError: If something cannot be started.
        """
        self._supervisor.start()
        self.wait(lambda: bool(self.status().get("connected")), _CONNECT_S, "the pipeline did not reach the broker")
        if self._later:
            self._later_supervisor = Supervisor(self._later)
            self._later_supervisor.start()

    def stop_later(self, within_s: float = STOP_S) -> None:
        """Stop the further roles, cleanly if they end by `within_s`."""
        if self._later_supervisor is not None:
            self._later_supervisor.stop(within_s)
            self._later_supervisor = None

    def stop(self, within_s: float = STOP_S) -> None:
        """Stop everything, cleanly if it ends by `within_s`, and leave nothing behind."""
        deadline = time.monotonic() + within_s
        self.stop_later(within_s / 2)
        self._supervisor.stop(max(0.0, deadline - time.monotonic()))
        self._client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def status(self) -> dict[str, Any]:
        """The pipeline's status; empty while it is away."""
        try:
            found: dict[str, Any] = self._client.get(f"{self.ops_url}/status").json()
        except (httpx.HTTPError, ValueError):
            return {}
        return found

    def cases(self) -> int:
        """How many cases the dispatch core has opened."""
        try:
            found: dict[str, int] = self._client.get(f"{self.hub_url}/api/v1/counts").json()["cases"]
            return sum(found.values())
        except (httpx.HTTPError, ValueError, KeyError):
            return -1

    def alerts(self) -> list[StoredAlert]:
        """Every alert, the first raised first; call it when nothing is written any more."""
        store = AlertStore(self.data / "alerts.db")
        try:
            return store.by_raised()
        finally:
            store.close()

    @staticmethod
    def wait(true: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Wait for a condition.

        Raises:
            UnavailableError: With `otherwise`, if it does not come in time.
        """
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not true():
            if time.monotonic() > deadline:
                raise UnavailableError(f"{otherwise} within {seconds:.0f} s")
            pause.wait(0.05)
