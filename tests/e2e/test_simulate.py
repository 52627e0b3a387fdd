"""`scenewatch simulate` as somebody types it, and its gateways at a real broker."""

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import cbor2
import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.system import bare_broker
from city.catalogue import load_catalogue
from city.device_list import load_devices
from core.clock import wall_ns
from runtime.broker.base import PIPELINE_USER
from runtime.broker.mosquitto import find_mosquitto
from simulators import district, faults
from simulators.faults import Fault
from simulators.play import Player, connector
from simulators.truth import read_truth
from simulators.world import Scenario, World

COMMAND = [sys.executable, "-c", "from runtime.main import main; main()", "simulate"]
KINDS = ["rumqttd", pytest.param("mosquitto", marks=pytest.mark.skipif(not find_mosquitto(), reason="no mosquitto"))]


def simulate(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.broker
def test_by_itself_it_loses_nothing_and_every_incident_is_found(tmp_path: Path) -> None:
    """With every kind of fault under way: what was doubled or held back on purpose is no loss."""
    done = simulate(
        "--sensors", "280", "--cameras", "20", "--rate", "140", "--seconds", "20", "--incidents", "8", "--faults", "13",
        "--seed", "9",  # gateways of every form
        "--truth", str(tmp_path / "truth.json"), "--json", str(tmp_path / "out.json"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["lost"] == 0
    assert result["doubled"] == 0
    assert result["rejected"] == {}
    assert result["incidents"]["missed"] == []
    assert result["incidents"]["found"] >= 1
    truth = read_truth(tmp_path / "truth.json")
    assert truth.sensors == 280
    assert truth.cameras == 20
    assert truth.sent.readings == result["sent"] > 2_000
    assert truth.sent.duplicates == result["duplicates"]
    assert sum((truth.sent.by_gateway or {}).values()) == truth.sent.readings
    assert {fault.kind for fault in truth.faults} == set(faults.ALL)


def times_of(form: str, payload: bytes | bytearray) -> list[int]:
    """The event times of a message's readings, ms."""
    body = cbor2.loads(payload) if form == "senml-cbor" else msgspec.json.decode(payload)
    match form:
        case "tele":
            return [body["t"]] * len(body["v"])
        case "pack":
            return [row[2] for row in body["r"]]
        case "senml":
            return [round(record["t"] * 1000) for record in body[1:]]
    return [round((body[0][-3] + record[6]) * 1000) for record in body[1:]]


@pytest.mark.broker
@pytest.mark.parametrize("kind", KINDS)
def test_a_gateway_that_loses_power_is_told_of_and_one_that_comes_back_brings_what_it_held(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = district.make(3, 140, 0)
    begin = wall_ns() // 1_000_000 + 1_500
    spans = {"will": (0, 1_000, 60_000), "backlog": (1, 1_000, 3_000), "disconnect": (2, 1_000, 60_000)}
    planned = [
        Fault(name=name, gateway=gateway, start=begin + start, end=begin + end)
        for name, (gateway, start, end) in spans.items()
    ]
    monkeypatch.setattr(faults, "plan", lambda *_: planned)
    played = World(there, Scenario(seed=3, begin_ms=begin, seconds=5, period_s=0.5))
    states: dict[str, list[bool]] = defaultdict(list)
    seen: dict[str, list[int]] = defaultdict(list)
    enough = threading.Event()
    with bare_broker(kind, list(there.gateways)) as (address, accounts):
        reader = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="reader", protocol=mqtt.MQTTv5)
        reader.username_pw_set(PIPELINE_USER, accounts.pipeline_password)
        ready = threading.Event()
        reader.on_subscribe = lambda *_: ready.set()

        def take(_: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
            level = message.topic.split("/")
            if level[3] == "state":
                states[level[2]].append(msgspec.json.decode(message.payload)["online"])
            else:
                seen[level[2]] += times_of(level[3], message.payload)
            if sum(map(len, seen.values())) >= total:
                enough.set()

        total = 1 << 60
        reader.on_message = take
        reader.connect(address.host, address.port)
        reader.subscribe("sw/v1/#", qos=1)
        reader.loop_start()
        assert ready.wait(10)
        player = Player(played, connector(address.host, address.port, accounts.gateways))
        player.connect()
        player.play(lambda: False)
        total = player.progress.sent.readings
        assert enough.is_set() or sum(map(len, seen.values())) == total or enough.wait(10)
        player.close()
        reader.loop_stop()
    names = there.gateways
    assert states[names[0]] == [True, False]  # its will
    assert states[names[1]][0] is True
    assert states[names[1]][-1] is True
    assert states[names[2]][:2] == [True, False]  # it said so itself
    away = [t for t in seen[names[1]] if begin + 1_000 <= t < begin + 3_000]
    assert len(away) > 20
    assert not [t for t in seen[names[0]] if t >= begin + 1_000]
    assert {name: len(times) for name, times in seen.items()} == {
        name: count for name, count in (player.progress.sent.by_gateway or {}).items() if count
    }


def test_the_device_list_that_it_writes_is_one_that_a_system_reads(tmp_path: Path) -> None:
    done = simulate(
        "--sensors", "280", "--cameras", "20", "--seconds", "600", "--begin", "2026-07-29", "--quiet",
        "--devices", str(tmp_path / "devices.csv"), "--plot", str(tmp_path / "day.png"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    devices = load_devices(tmp_path / "devices.csv", load_catalogue())
    assert len(devices) == 300
    assert all(device.place and device.town for device in devices.values())
    assert (tmp_path / "day.png").read_bytes().startswith(b"\x89PNG")


def test_a_broker_that_is_not_there_is_one_plain_line() -> None:
    environment = {**os.environ, "SCENEWATCH_PASSWORD": "any"}
    done = subprocess.run(
        [*COMMAND, "--to", "mqtt://127.0.0.1:9", "--sensors", "28", "--cameras", "0", "--quiet"],
        capture_output=True, text=True, timeout=60, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "the gateways cannot reach the broker at mqtt://127.0.0.1:9" in done.stderr
    assert done.stderr.count("\n") == 1
