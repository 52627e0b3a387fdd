"""A device list that changes while the pipeline runs."""

import os
import signal
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos.system import System, wait_until
from tests.chaos.truth import GATEWAY, SCENE

pytestmark = pytest.mark.broker

HEAD = "device,gateway,state\n"


class Sender:
    """A gateway that sends one reading after the other, each later than the last."""

    def __init__(self, system: System) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="device-test", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(GATEWAY, system.accounts.gateways[GATEWAY])
        self._client.connect("127.0.0.1", system.broker_port)
        self._client.loop_start()
        self._at = 0

    def send(self, device: str, *values: float) -> None:
        for value in values:
            self._at += 1000
            payload = f'{{"t": {self._at}, "v": {{"depth_cm": {value}}}}}'
            wait_until(self._client.is_connected, 10, "the gateway is connected")
            self._client.publish(f"sw/v1/{GATEWAY}/tele/{device}", payload, qos=1).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def put(system: System, *rows: str) -> None:
    """A new list, and wait until it holds."""
    before = system.status()["device_list"]
    partial = system.folder / "devices.partial"
    partial.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    partial.replace(system.folder / "devices.csv")
    wait_until(lambda: system.status().get("device_list", before) != before, 10, "the new list holds")


def states(system: System) -> dict[str, str]:
    """What the hub says of devices that nobody knows."""
    page = httpx.get(f"{system.hub}/api/v1/devices", params={"state": "unknown"}).json()
    return {item["id"]: item["state"] for item in page["items"]}


def test_devices_come_in_go_on_trial_and_are_refused_while_everything_else_runs_on(tmp_path: Path) -> None:
    with System(tmp_path, f"{HEAD}a,{GATEWAY},active\nb,{GATEWAY},active\n", SCENE) as system:
        sender = Sender(system)
        try:
            sender.send("a", 30)
            sender.send("b", 30, 30)
            sender.send("new", 30)
            wait_until(lambda: system.status()["cases"] == 1, 10, "the case of b")
            unknown = system.status()["unknown"]
            assert [(one["device"], one["metrics"]) for one in unknown["newest"]] == [("new", {"depth_cm": 30.0})]
            wait_until(lambda: states(system) == {"new": "unknown"}, 10, "the hub shows who is unknown")

            put(system, f"a,{GATEWAY},active", f"b,{GATEWAY},suspended", f"new,{GATEWAY},adopted")
            assert system.status()["unknown"]["devices"] == 0
            wait_until(lambda: system.status()["active"] == 0, 10, "the alert of b ends: nobody hears it any more")
            sender.send("b", 30)
            sender.send("new", 30, 30)
            sender.send("a", 30)
            wait_until(lambda: system.status()["cases"] == 2, 10, "the delay of a ran on under the new list")
            assert system.status()["rejected"] == {"unknown_device": 1, "suspended_device": 1}
            assert system.status()["shadow"] == {"chaos-depth": 1}
            figures = httpx.get(f"{system.ops}/metrics").text.splitlines()
            for figure in ("devices 3", "barred 1", "unknown_devices 0", 'rejected_total{reason="suspended_device"} 1'):
                assert f"scenewatch_{figure}" in figures

            list_before = system.status()["device_list"]
            (system.folder / "devices.csv").write_text(HEAD + f"a,{GATEWAY},broken\n")
            wait_until(lambda: bool(system.status()["findings"]), 10, "the mistake is told")
            assert "state 'broken' is none of" in system.status()["findings"][0]
            assert system.status()["device_list"] == list_before

            put(system, f"a,{GATEWAY},active", f"b,{GATEWAY},active", f"new,{GATEWAY},active")
            wait_until(lambda: system.status()["cases"] == 3, 10, "what was on trial is an alert now")
            sender.send("b", 30, 30)
            wait_until(lambda: system.status()["cases"] == 4, 10, "b is heard again")
        finally:
            sender.close()


def test_a_kill_after_a_change_of_the_list_decides_the_same_again(tmp_path: Path) -> None:
    with System(tmp_path, f"{HEAD}a,{GATEWAY},active\nb,{GATEWAY},active\n", SCENE) as system:
        sender = Sender(system)
        try:
            sender.send("b", 30, 30)
            sender.send("a", 30)
            sender.send("new", 30)
            wait_until(lambda: system.status()["cases"] == 1, 10, "the case of b")
            put(system, f"a,{GATEWAY},active", f"new,{GATEWAY},active", f"b,{GATEWAY},retired")
            sender.send("new", 30, 30)
            wait_until(lambda: system.status()["cases"] == 2, 10, "the case of the new device")
            before = system.alerts()
            victim = system.status()["pid"]
            # The file is wrong when the pipeline comes back: it goes on with the list that held.
            (system.folder / "devices.csv").write_text("device\n")
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: system.restarted(victim), 30, "the pipeline is back")
            wait_until(lambda: "lacks gateway" in "".join(system.status()["findings"]), 10, "the mistake is told")
            sender.send("b", 30)
            sender.send("a", 30)
            wait_until(lambda: system.status()["cases"] == 3, 10, "the delay of a was not forgotten")
            assert system.status()["rejected"] == {"retired_device": 1}
            after = {alert["id"]: alert for alert in system.alerts()}
            assert [after[alert["id"]] for alert in before] == before
        finally:
            sender.close()
