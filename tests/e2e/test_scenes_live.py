"""Scene files that change while the pipeline runs."""

from collections.abc import Callable
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos.system import TOKEN, System, wait_until
from tests.chaos.truth import GATEWAY, SCENE, Truth

pytestmark = pytest.mark.broker

SCENES = "/api/v1/scenes"
PATIENCE_S = 40
Send = Callable[[str, int, float], None]


def sender(system: System) -> tuple[mqtt.Client, Send]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="scene-test", protocol=mqtt.MQTTv5)
    client.username_pw_set(GATEWAY, system.accounts.gateways[GATEWAY])
    client.connect("127.0.0.1", system.broker_port)
    client.loop_start()

    def send(device: str, at: int, value: float) -> None:
        payload = f'{{"t": {at}, "v": {{"depth_cm": {value}}}}}'
        wait_until(client.is_connected, PATIENCE_S, "the gateway is connected")
        client.publish(f"sw/v1/{GATEWAY}/tele/{device}", payload, qos=1).wait_for_publish(5)

    return client, send


def test_a_broken_scene_changes_nothing_and_a_right_one_takes_over_keeping_what_runs(tmp_path: Path) -> None:
    with System(tmp_path, Truth(3).devices(), SCENE) as system:
        client, send = sender(system)
        try:
            file = tmp_path / "scenes" / "scene.yaml"
            running = system.status()["rules"]
            send("pit-0000", 1_000, 30)
            wait_until(lambda: system.status()["readings"] == 1, PATIENCE_S, "the first high reading")
            file.write_text(SCENE.replace("clear_below", "clear_blow"))
            wait_until(lambda: "clear_blow" in " ".join(system.status()["findings"]), PATIENCE_S, "the mistake is told")
            assert system.status()["rules"] == running
            file.write_text(SCENE.replace("above: 25, clear_below: 22", "above: 20, clear_below: 10"))
            wait_until(lambda: system.status()["rules"] != running, PATIENCE_S, "the new scene decides")
            assert system.status()["findings"] == []
            send("pit-0000", 2_000, 24)
            wait_until(
                lambda: system.status()["cases"] == 1,
                PATIENCE_S,
                "the second high reading, the first one not forgotten",
            )
        finally:
            client.disconnect()
            client.loop_stop()


def test_a_restart_with_a_broken_scene_goes_on_with_the_one_that_ran(tmp_path: Path) -> None:
    with System(tmp_path, Truth(3).devices(), SCENE) as system:
        client, send = sender(system)
        try:
            send("pit-0001", 1_000, 30)
            wait_until(lambda: system.status()["readings"] == 1, PATIENCE_S, "the first high reading")
            (tmp_path / "scenes" / "scene.yaml").write_text("scene: [")
            system.supervisor.stop_role("pipeline")
            system.supervisor.start_role("pipeline")
            wait_until(lambda: bool(system.status()["connected"]), PATIENCE_S, "the pipeline is back")
            send("pit-0001", 2_000, 30)
            wait_until(lambda: system.status()["cases"] == 1, PATIENCE_S, "it decides as before")
        finally:
            client.disconnect()
            client.loop_stop()


def test_a_published_version_decides_within_seconds_and_one_that_breaks_its_budget_goes_back(tmp_path: Path) -> None:
    scene = SCENE.replace(
        "levels:",
        "stage: live\nowner: {unit: water-bureau, force: crew}\n"
        "worth: {build_cost: 1, yearly_cost: 1, minutes_saved_per_case: 1}\n"
        'sources: [{text: test}]\nraises: {leaf: "14-01-02", budget_per_day: 2}\nlevels:',
    )
    said = {"by": "Li", "reason": "see more"}
    with System(tmp_path, Truth(9).devices(), scene, register=True) as system:
        client, send = sender(system)
        hub = httpx.Client(base_url=system.hub, headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            before = system.status()["rules"]
            waits = hub.post(SCENES, json={**said, "text": scene.replace("above: 25", "above: 23")}).json()
            assert waits["state"] == "proposed"
            done = hub.post(
                f"{SCENES}/chaos-depth/approve", json={"number": waits["number"], "by": "Wang", "reason": "yes"}
            )
            assert done.json()["state"] == "in_force"
            wait_until(lambda: system.status()["rules"] != before, PATIENCE_S, "the new version decides")
            for device in range(5):
                for at in (1_000, 2_000):
                    send(f"pit-000{device}", at, 24)
            wait_until(
                lambda: system.status()["rules"] == before, PATIENCE_S, "the budget of 2 is broken and it goes back"
            )
            last = hub.get(f"{SCENES}/chaos-depth").json()["items"][0]
            assert (last["author"], last["state"]) == ("budget", "in_force")
        finally:
            hub.close()
            client.disconnect()
            client.loop_stop()
