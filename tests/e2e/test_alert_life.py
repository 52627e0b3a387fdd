"""An alert from its first reading to its end, through every process: people, gateways that go away, refusals."""

import json
import os
import signal
import sqlite3
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from alerts.store import AlertStore
from tests.chaos.system import TOKEN, System, wait_until
from tests.chaos.truth import GATEWAY, SCENE, Truth

pytestmark = pytest.mark.broker


class Hand:
    """A gateway that is driven by hand."""

    def __init__(self, system: System) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="hand", protocol=mqtt.MQTTv5)
        self.client.username_pw_set(GATEWAY, system.accounts.gateways[GATEWAY])
        self.client.connect("127.0.0.1", system.broker_port)
        self.client.loop_start()

    def publish(self, what: str, payload: str, *, retain: bool = False) -> None:
        wait_until(self.client.is_connected, 10, "the gateway is connected")
        self.client.publish(f"sw/v1/{GATEWAY}/{what}", payload, qos=1, retain=retain).wait_for_publish(5)

    def reading(self, at: int, value: object, device: str = "pit-0000") -> None:
        self.publish(f"tele/{device}", json.dumps({"t": at, "v": {"depth_cm": value}}))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One for all of these tests: each has devices of its own."""
    with System(tmp_path_factory.mktemp("system"), Truth(8).devices(), SCENE) as running:
        yield running


@pytest.fixture
def hand(system: System) -> Iterator[Hand]:
    gateway = Hand(system)
    yield gateway
    gateway.client.disconnect()
    gateway.client.loop_stop()


def alerts_of(system: System, device: str) -> list[dict[str, Any]]:
    """Newest first."""
    return [alert for alert in system.alerts() if alert["place"] == device]


def cases_of(system: System, device: str) -> list[dict[str, Any]]:
    alerts = {alert["id"] for alert in alerts_of(system, device)}
    return [case for case in system.cases() if case["alert"] in alerts]


def state(system: System, device: str) -> str:
    alerts = alerts_of(system, device)
    return str(alerts[0]["state"]) if alerts else "none"


def test_raised_acknowledged_stale_refreshed_and_cleared(system: System, hand: Hand) -> None:
    hand.publish("state", '{"online": true}', retain=True)
    hand.reading(1_000, 30)
    hand.reading(2_000, 30)
    wait_until(lambda: state(system, "pit-0000") == "active", 10, "the alert is raised")
    (case,) = cases_of(system, "pit-0000")
    alert = alerts_of(system, "pit-0000")[0]["id"]
    answer = httpx.post(
        f"{system.hub}/api/v1/alerts/{alert}/acknowledge",
        json={"by": "operator-7", "comment": "seen"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 202, answer.text
    wait_until(lambda: state(system, "pit-0000") == "acknowledged", 10, "the acknowledgement came round")
    hand.publish("state", '{"online": false}', retain=True)
    wait_until(lambda: state(system, "pit-0000") == "stale", 10, "its gateway is away")
    hand.publish("state", '{"online": true}', retain=True)
    wait_until(lambda: state(system, "pit-0000") == "acknowledged", 10, "its gateway is back")
    hand.reading(3_000, 1)
    wait_until(lambda: state(system, "pit-0000") == "cleared", 10, "it cleared")
    found = alerts_of(system, "pit-0000")[0]
    assert found["acknowledged_by"] == "operator-7"
    assert found["raised_at"] == "1970-01-01T00:00:02.000Z"
    assert found["cleared_at"] == "1970-01-01T00:00:03.000Z"
    assert [c["task_number"] for c in cases_of(system, "pit-0000")] == [case["task_number"]]
    hand.reading(4_000, 30)
    hand.reading(5_000, 30)
    wait_until(lambda: len(cases_of(system, "pit-0000")) == 2, 10, "a recurrence is a new alert with a new case")


def test_a_maintenance_said_at_the_hub_outlives_the_pipeline_and_ends_with_what_still_holds(
    system: System, hand: Hand
) -> None:
    client = httpx.Client(base_url=system.hub, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
    who = {"by": "Li", "reason": "泵站检修"}
    said = system.status()["feedback"]
    made = client.post("/api/v1/maintenance", json={**who, "where": {"device": ["pit-0001"]}, "to": "2h"}).json()
    wait_until(lambda: system.status().get("feedback", 0) > said, 10, "the pipeline has fetched it")
    hand.reading(1_000, 30, "pit-0001")
    hand.reading(2_000, 30, "pit-0001")
    wait_until(lambda: bool(client.get("/api/v1/ledger").json()["items"]), 10, "the ledger has it")
    assert alerts_of(system, "pit-0001") == []
    victim = system.status()["pid"]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: system.restarted(victim), 20, "the pipeline is back")
    path = f"/api/v1/maintenance/{made['id']}"
    assert client.post(f"{path}/end", json={**who, "reason": "提前完工"}).json()["state"] == "ended"
    wait_until(lambda: len(cases_of(system, "pit-0001")) == 1, 10, "what still holds has a case")
    wait_until(lambda: bool(client.get(path).json()["over"]), 10, "what was behind it is told")
    detail = client.get(path).json()
    assert [(one["device"], one["outcome"]) for one in detail["behind"]] == [("pit-0001", "released")]
    assert [(one["kept"], one["cleared"], one["holds"]) for one in detail["over"]] == [(1, 0, 1)]
    client.close()


def test_what_is_refused_is_counted_and_published_and_takes_nothing_good_with_it(system: System, hand: Hand) -> None:
    notices: list[dict[str, object]] = []
    subscribed: list[bool] = []
    watcher = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="watcher", protocol=mqtt.MQTTv5)
    watcher.username_pw_set("scenewatch", system.accounts.pipeline_password)
    watcher.on_subscribe = lambda *_: subscribed.append(True)
    watcher.on_message = lambda _, __, message: notices.append(json.loads(message.payload))
    watcher.connect("127.0.0.1", system.broker_port)
    watcher.subscribe("sw/v1/out/rejected/#", qos=1)
    watcher.loop_start()
    try:
        wait_until(lambda: bool(subscribed), 10, "somebody listens to notices")
        before, taken = Counter(system.status()["rejected"]), system.status()["readings"]
        hand.publish(
            "pack", '{"r":[["pit-0002","depth_cm",1000,1],["pit-0002","depth_cm",2000,"x"],["nobody","depth_cm",1,1]]}'
        )
        hand.publish("pack", '{"r":[["pit-0002","depth_cm",3000,NaN],["pit-0003","depth_cm",3000,2.5]]}')
        hand.publish("tele/pit-0004", "{")
        wait_until(lambda: system.status()["readings"] == taken + 2, 10, "the good readings count")
        wait_until(
            lambda: sum(system.status()["rejected"].values()) == before.total() + 4, 10, "the others are counted"
        )
        wait_until(lambda: len(notices) == 4, 10, "each is told")
        refused = Counter(system.status()["rejected"]) - before
        assert {notice["reason"] for notice in notices} == set(refused)
        assert refused == {"not_a_number": 1, "unknown_device": 1, "not_finite": 1, "malformed": 1}
    finally:
        watcher.disconnect()
        watcher.loop_stop()


def test_a_gateway_cannot_publish_under_another_id(system: System, hand: Hand) -> None:
    before, taken = Counter(system.status()["rejected"]), system.status()["readings"]
    hand.client.publish("sw/v1/other/tele/pit-0005", '{"t":1,"v":{"depth_cm":1}}', qos=1)
    hand.reading(1_000, 1, "pit-0005")
    wait_until(lambda: system.status()["readings"] > taken, 10, "its own reading")
    assert system.status()["readings"] == taken + 1
    assert Counter(system.status()["rejected"]) - before in ({}, {"wrong_gateway": 1})


def test_a_delay_ends_by_time_without_a_new_reading(tmp_path: Path) -> None:
    scene = SCENE.replace("for: 2 samples", "for: 1s")
    with System(tmp_path, Truth(3).devices(), scene) as system:
        gateway = Hand(system)
        try:
            gateway.publish("tele/pit-0000", '{"v": {"depth_cm": 30}}')
            wait_until(lambda: len(system.cases()) == 1, 10, "the case opens by itself")
            assert system.status()["readings"] == 1
        finally:
            gateway.client.disconnect()
            gateway.client.loop_stop()


def test_the_configuration_of_the_test_holds_no_password_for_everybody(system: System) -> None:
    mode = (system.folder / "scenewatch.toml").stat().st_mode & 0o777
    assert mode == 0o600
    assert "password" not in tomllib.loads((system.folder / "scenewatch.toml").read_text())["broker"]


def test_what_an_alert_turned_out_to_be_reaches_the_pipeline_and_outlives_its_crash(system: System, hand: Hand) -> None:
    for at, value in ((1_000, 30), (2_000, 30), (3_000, 1)):
        hand.reading(at, value, "pit-0006")
    wait_until(lambda: state(system, "pit-0006") == "cleared", 40, "the alert has come and gone")
    alert = alerts_of(system, "pit-0006")[0]["id"]
    said = httpx.post(
        f"{system.hub}/api/v1/alerts/{alert}/verdict",
        json={"verdict": "false", "by": "Li"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert said.status_code == 202

    def kept() -> dict[str, str]:
        store = AlertStore(system.data / "alerts.db")
        try:
            return {name: verdict.value for name, verdict in store.verdicts().items()}
        finally:
            store.close()

    wait_until(lambda: kept() == {alert: "false"}, 40, "the pipeline has it")
    victim = system.status()["pid"]
    with sqlite3.connect(system.data / "alerts.db") as database:
        database.execute("DELETE FROM verdicts")  # as if it had died between the journal and the store
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: system.restarted(victim), 40, "the pipeline is back")
    assert kept() == {alert: "false"}
