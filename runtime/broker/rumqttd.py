"""rumqttd out of the wheel `iotcore`: what a machine without mosquitto gets."""

import sys
from pathlib import Path

import tomli_w

from runtime.broker.base import PIPELINE_USER, Accounts, Address, Child, free_port, require_free

_MESSAGE_LIMIT = 1 << 20


class Rumqttd:
    """A private rumqttd. See `runtime.broker.base.PrivateBroker`."""

    name = "rumqttd (embedded)"
    lacks: tuple[str, ...] = (
        "sessions on disk: what waits for the pipeline is lost if the broker restarts",
        "rights by user: a gateway could publish under another's id",
    )

    def __init__(self, folder: Path, accounts: Accounts, *, port: int = 0, max_inflight: int = 100) -> None:
        self._folder = folder
        self._accounts = accounts
        self._port = port
        self._max_inflight = max_inflight
        self._child: Child | None = None

    def start(self) -> Address:
        """Start it and wait until it listens.

        Raises:
            UnavailableError: If its port is taken or it dies at once, with its own last words.
        """
        if self._port:
            require_free(self._port)
        else:
            self._port = free_port()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / "rumqttd.toml"
        path.touch(mode=0o600)
        path.write_text(tomli_w.dumps(self._configuration()))
        code = "import sys, iotcore; iotcore.IotCoreBroker(config_path=sys.argv[1]).run_forever()"
        self._child = Child([sys.executable, "-c", code, str(path)], self._folder / "rumqttd.log")
        self._child.wait_listening(self.name, self._port)
        return Address("127.0.0.1", self._port)

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive()

    def stop(self) -> None:
        """End it; its sessions are gone."""
        if self._child is not None:
            self._child.stop()

    def _configuration(self) -> dict[str, object]:
        users = {PIPELINE_USER: self._accounts.pipeline_password, **self._accounts.gateways}
        connections = {
            "connection_timeout_ms": 60_000,
            "max_payload_size": _MESSAGE_LIMIT,
            "max_inflight_count": self._max_inflight,
            "dynamic_filters": True,
            "auth": dict(users),
        }
        router = {
            "id": 0,
            "max_connections": 20_010,
            "max_outgoing_packet_count": 200,
            "max_segment_size": 104_857_600,
            "max_segment_count": 10,
        }
        return {
            "id": 0,
            "router": router,
            "v5": {
                "1": {
                    "name": "v5-1",
                    "listen": f"127.0.0.1:{self._port}",
                    "next_connection_delay_ms": 0,
                    "connections": connections,
                }
            },
        }
