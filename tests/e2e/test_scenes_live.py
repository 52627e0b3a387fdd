"""Scene files that change while the pipeline runs."""

from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos.system import System, wait_until
from tests.chaos.truth import GATEWAY, SCENE, Truth

pytestmark = pytest.mark.broker

Send = Callable[[str, int, float], None]


def sender(system: System) -> tuple[mqtt.Client, Send]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="scene-test", protocol=mqtt.MQTTv5)
    client.username_pw_set(GATEWAY, system.accounts.gateways[GATEWAY])
    client.connect("127.0.0.1", system.broker_port)
    client.loop_start()

    def send(device: str, at: int, value: float) -> None:
        payload = f'{{"t": {at}, "v": {{"depth_cm": {value}}}}}'
        client.publish(f"sw/v1/{GATEWAY}/tele/{device}", payload, qos=1).wait_for_publish(5)

    return client, send


def test_a_broken_scene_changes_nothing_and_a_right_one_takes_over_keeping_what_runs(tmp_path: Path) -> None:
    with System(tmp_path, Truth(3).devices(), SCENE) as system:
        client, send = sender(system)
        try:
            file = tmp_path / "scenes" / "scene.yaml"
            running = system.status()["rules"]
            send("pit-0000", 1_000, 30)
            wait_until(lambda: system.status()["readings"] == 1, 10, "the first high reading")
            file.write_text(SCENE.replace("clear_below", "clear_blow"))
            wait_until(lambda: "clear_blow" in " ".join(system.status()["findings"]), 10, "the mistake is told")
            assert system.status()["rules"] == running
            file.write_text(SCENE.replace("above: 25, clear_below: 22", "above: 20, clear_below: 10"))
            wait_until(lambda: system.status()["rules"] != running, 10, "the new scene decides")
            assert system.status()["findings"] == []
            send("pit-0000", 2_000, 24)
            wait_until(
                lambda: system.status()["cases"] == 1, 10, "the second high reading, the first one not forgotten"
            )
        finally:
            client.disconnect()
            client.loop_stop()


def test_a_restart_with_a_broken_scene_goes_on_with_the_one_that_ran(tmp_path: Path) -> None:
    with System(tmp_path, Truth(3).devices(), SCENE) as system:
        client, send = sender(system)
        try:
            send("pit-0001", 1_000, 30)
            wait_until(lambda: system.status()["readings"] == 1, 10, "the first high reading")
            (tmp_path / "scenes" / "scene.yaml").write_text("scene: [")
            system.supervisor.stop_role("pipeline")
            system.supervisor.start_role("pipeline")
            wait_until(lambda: bool(system.status()["connected"]), 20, "the pipeline is back")
            send("pit-0001", 2_000, 30)
            wait_until(lambda: system.status()["cases"] == 1, 10, "it decides as before")
        finally:
            client.disconnect()
            client.loop_stop()
