"""rumqttd out of the wheel `iotcore`: what a machine without mosquitto gets."""

import sys

import tomli_w

from runtime.broker.base import PrivateBroker

_MESSAGE_LIMIT = 1 << 20


class Rumqttd(PrivateBroker):
    """A private rumqttd: its sessions are gone when it ends."""

    name = "rumqttd (embedded)"
    lacks = (
        "sessions on disk: what waits for the pipeline is lost if the broker restarts",
        "rights by user: a gateway could publish under another's id",
    )
    max_inflight = 100

    def _prepared(self) -> list[str]:
        path = self._folder / "rumqttd.toml"
        path.touch(mode=0o600)
        path.write_text(tomli_w.dumps(self._configuration()))
        code = "import sys, iotcore; iotcore.IotCoreBroker(config_path=sys.argv[1]).run_forever()"
        return [sys.executable, "-c", code, str(path)]

    def _configuration(self) -> dict[str, object]:
        connections = {
            "connection_timeout_ms": 60_000,
            "max_payload_size": _MESSAGE_LIMIT,
            "max_inflight_count": self.max_inflight,
            "dynamic_filters": True,
            "auth": self._users,
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
