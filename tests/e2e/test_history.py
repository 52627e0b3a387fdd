"""From a sensor's message to its history over HTTP, through the real broker, pipeline, journal and archive."""

import time
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from city.device import Device
from core.clock import rfc3339, wall_ns
from runtime.private import PrivateSystem
from tests.chaos.system import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

DEVICE = Device("pit-1", "gw-1", "road-water-level")


def test_what_a_sensor_sent_is_in_history_within_seconds_and_a_restart_is_a_hole_by_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    began = wall_ns() // 1_000_000
    with PrivateSystem([DEVICE], history=True, data=data) as system:
        gateway = connected(system)
        send(gateway, began, range(20))
        found = asked(system, began, 20)
        assert [item["value"] for item in found["items"]] == list(range(20))
        assert {gap["reason"] for gap in found["gaps"]} <= {"before", "not_written"}
        assert found["gaps"][-1]["reason"] == "not_written"
        system._supervisor.stop_role("pipeline")
        send(gateway, began, range(20, 25))
        system._supervisor.start_role("pipeline")
        # The hole may be told with the piece behind the one that brought what was queued.
        wait_until(lambda: bool(holes(asked(system, began, 25))), 60, "the hole is told")
        found = asked(system, began, 25)
        gateway.disconnect()
        gateway.loop_stop()
    assert [item["value"] for item in found["items"]] == list(range(25))
    (hole,) = holes(found)
    assert hole["reason"] == "queued"
    assert rfc3339(began) < hole["from"] < hole["to"]


def holes(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Gaps between the first reading and the last one that was written."""
    return [gap for gap in found["gaps"] if gap["reason"] not in ("before", "not_written")]


def send(gateway: mqtt.Client, began: int, numbers: range) -> None:
    for i in numbers:
        payload = f'{{"t": {began + i}, "v": {{"depth_cm": {i}}}}}'
        wait_until(gateway.is_connected, 10, "the gateway is connected")
        gateway.publish("sw/v1/gw-1/tele/pit-1", payload, qos=1).wait_for_publish(10)


def asked(system: PrivateSystem, began: int, count: int) -> dict[str, Any]:
    """What the hub says of the feed once it has `count` readings and the span after them."""
    query = {"feed": "pit-1/depth_cm", "from": rfc3339(began - 1000), "to": rfc3339(began + 600_000)}
    found: dict[str, Any] = {}

    def there() -> bool:
        answer = httpx.get(f"{system.hub_url}/api/v1/history", params=query, timeout=30)
        found.update(answer.json())
        return answer.status_code == 200 and len(found["items"]) == count

    wait_until(there, 60, f"{count} readings are in history")
    return found


def connected(system: PrivateSystem) -> mqtt.Client:
    gateway = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="g", protocol=mqtt.MQTTv5)
    gateway.username_pw_set("gw-1", system.accounts.gateways["gw-1"])
    gateway.connect("127.0.0.1", system.broker_port)
    gateway.loop_start()
    deadline = time.monotonic() + 20
    wait_until(gateway.is_connected, deadline - time.monotonic(), "the gateway is connected")
    return gateway
