"""An edge node of Sparkplug B, played by paho and bytes written by hand, against the whole system and a real broker."""

import json
import os
import signal
import threading
from functools import partial
from pathlib import Path
from queue import Queue

import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.system import bare_broker
from ingest.codec import Rebirth
from ingest.sparkplug import rebirth_command, topics_of
from runtime.broker.base import PIPELINE_USER
from runtime.broker.mosquitto import find_mosquitto
from simulators import district
from simulators.district import Speaks
from simulators.gateway import EdgeNode as SimulatedNode
from simulators.play import connector
from simulators.sparkplug import Births, death
from tests.chaos.system import System, wait_until
from tests.chaos.truth import GATEWAY, SCENE
from tests.reference.sparkplug_twin import encoded, fields, metric, number_field, payload

pytestmark = pytest.mark.broker

DEVICE = "pit-1"
KINDS = ["rumqttd", pytest.param("mosquitto", marks=pytest.mark.skipif(not find_mosquitto(), reason="no mosquitto"))]
PATIENCE_S = 20
T0 = 1_700_000_000_000


class EdgeNode:
    """Waits for its primary host, says its births, sends readings one second after the other, and answers a rebirth."""

    def __init__(self, system: System) -> None:
        self.births = 0
        self.heard: Queue[tuple[str, bytes]] = Queue()
        self._seq = 0
        self._at = T0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="edge", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(GATEWAY, system.accounts.gateways[GATEWAY])
        self._client.will_set(self._topic("NDEATH"), payload([self._bd()]), qos=1)
        self._client.on_message = lambda _, __, message: self.heard.put((message.topic, bytes(message.payload)))
        self._client.on_connect = self._listen
        self._client.connect("127.0.0.1", system.broker_port)
        self._client.loop_start()

    def hears(self, kind: str) -> bytes:
        """The next message, which has to be of a kind."""
        topic, content = self.heard.get(timeout=PATIENCE_S)
        assert f"/{kind}" in topic
        return content

    def is_born(self) -> None:
        self.births += 1
        self._seq = 0
        rebirth = metric(number_field(14, 0), name="Node Control/Rebirth", datatype=11, time=self._at)
        depth = metric(name="depth_cm", alias=5, datatype=10, time=self._at, null=True)
        self._send("NBIRTH", "", [self._bd(), rebirth], qos=0)
        self._send("DBIRTH", DEVICE, [depth], qos=0)

    def says(self, value: float, *, qos: int) -> None:
        self._at += 1000
        self._send("DDATA", DEVICE, [metric(encoded(10, value), alias=5, time=self._at)], qos=qos)

    def loses_a_message(self) -> None:
        self._seq += 1

    def breaks_off(self) -> None:
        sock = self._client.socket()
        self._client.loop_stop()
        assert sock is not None
        sock.close()

    def _listen(self, *_: object) -> None:
        self._client.subscribe([(self._topic("NCMD"), 0), ("spBv1.0/STATE/+", 1)])

    def _topic(self, kind: str, device: str = "") -> str:
        return f"spBv1.0/any/{kind}/{GATEWAY}" + (f"/{device}" if device else "")

    def _bd(self) -> bytes:
        return metric(number_field(11, 0), name="bdSeq", datatype=4)

    def _send(self, kind: str, device: str, metrics: list[bytes], *, qos: int) -> None:
        content = payload(metrics, time=self._at, seq=self._seq)
        self._seq = (self._seq + 1) % 256
        self._client.publish(self._topic(kind, device), content, qos=qos).wait_for_publish(PATIENCE_S)


@pytest.mark.parametrize("kind", KINDS)
def test_a_simulated_edge_node_says_who_it_is_whenever_it_comes_or_is_asked_and_its_will_who_is_gone(kind: str) -> None:
    there = district.make(5, 140, 0)
    number = int(np.flatnonzero(there.speaks == Speaks.SPARKPLUG)[0])
    births = Births(there, there.speaks == Speaks.SPARKPLUG)
    name, many = there.gateways[number], births.count(number)
    heard: Queue[tuple[str, dict[int, int | bytes]]] = Queue()

    def hears(*kinds: str) -> list[dict[int, int | bytes]]:
        """So many messages more, which are of these kinds."""
        found = [heard.get(timeout=PATIENCE_S) for _ in kinds]
        assert [topic.split("/")[2] for topic, _ in found] == list(kinds)
        return [content for _, content in found]

    with bare_broker(kind, list(there.gateways)) as (address, accounts):
        host = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="host", protocol=mqtt.MQTTv5)
        host.username_pw_set(PIPELINE_USER, accounts.pipeline_password)
        host.on_message = lambda _, __, message: heard.put((message.topic, dict(fields(bytes(message.payload)))))
        ready = threading.Event()
        host.on_subscribe = lambda *_: ready.set()
        host.connect(address.host, address.port)
        host.subscribe([(topic, 1) for topic in topics_of("+")])
        host.loop_start()
        assert ready.wait(PATIENCE_S)
        node = SimulatedNode(
            name, connector(address.host, address.port, accounts.gateways), partial(births.messages, number), 1
        )
        every = ["NBIRTH", *["DBIRTH"] * (many - 1)]
        node.come(T0)
        wait_until(lambda: pumped(node) and heard.qsize() >= many, PATIENCE_S, "births")
        first = hears(*every)
        assert [content[3] for content in first] == list(range(many))
        host.publish(*rebirth_command(Rebirth("district", name), T0))
        wait_until(lambda: pumped(node) and heard.qsize() >= many, PATIENCE_S, "births again")
        again = hears(*every)
        assert [content[3] for content in again] == list(range(many))
        node.leave("will", T0)
        wait_until(lambda: pumped(node) and node.connection is None, PATIENCE_S, "it is gone")
        (gone,) = hears("NDEATH")
        assert gone[2] == death(0)[2:]
        node.come(T0)
        wait_until(lambda: pumped(node) and heard.qsize() >= many, PATIENCE_S, "births of its next life")
        hears(*every)
        node.leave("disconnect", T0)
        wait_until(lambda: pumped(node) and node.connection is None, PATIENCE_S, "it is gone again")
        (gone,) = hears("NDEATH")
        assert gone[2] == death(1)[2:]
        host.disconnect()
        host.loop_stop()


def pumped(node: SimulatedNode) -> bool:
    node.pump(1)
    return True


def late_will(system: System) -> None:
    """The broker says of the host what it would have said of an earlier connection."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="late", protocol=mqtt.MQTTv5)
    client.username_pw_set(PIPELINE_USER, system.accounts.pipeline_password)
    client.connect("127.0.0.1", system.broker_port)
    client.loop_start()
    client.publish("spBv1.0/STATE/scenewatch", b'{"online":false,"timestamp":1}', qos=1, retain=True).wait_for_publish(
        PATIENCE_S
    )
    client.disconnect()
    client.loop_stop()


def readings(system: System, count: int) -> None:
    wait_until(lambda: system.status().get("readings") == count, PATIENCE_S, f"{count} readings")


def test_an_edge_node_is_read_asked_for_births_and_read_on_after_a_kill(tmp_path: Path) -> None:
    with System(tmp_path, f"device,gateway,state\n{DEVICE},{GATEWAY},active\n", SCENE) as system:
        node = EdgeNode(system)
        assert json.loads(node.hears("STATE"))["online"] is True
        node.is_born()
        for value in (1.0, 30.0, 30.0):
            node.says(value, qos=0)
        readings(system, 3)
        wait_until(lambda: system.status()["cases"] == 1, PATIENCE_S, "what an edge node says is decided like the rest")

        late_will(system)
        assert json.loads(node.hears("STATE"))["online"] is False
        assert json.loads(node.hears("STATE"))["online"] is True, "it is there all the same"

        node.loses_a_message()
        node.says(2.0, qos=0)
        node.hears("NCMD")
        node.is_born()
        node.says(3.0, qos=0)
        readings(system, 4)
        assert system.status()["rejected"] == {"no_birth": 1}

        victim = system.status()["pid"]
        os.kill(victim, signal.SIGKILL)
        assert json.loads(node.hears("STATE"))["online"] is False
        for value in (4.0, 30.0, 5.0):  # QoS 1: the broker keeps it, and the births of before the kill tell what it is
            node.says(value, qos=1)
        wait_until(lambda: system.restarted(victim), PATIENCE_S, "the pipeline is back")
        assert json.loads(node.hears("STATE"))["online"] is True
        node.hears("NCMD")
        node.is_born()
        node.says(6.0, qos=0)
        # As many as are behind the last snapshot, and those of since.
        wait_until(lambda: (T0 + 9000) in [at for _, at in system.readings_in_journal()], PATIENCE_S, "the last one")
        assert sorted(at for _, at in system.readings_in_journal()) == [T0 + 1000 * n for n in (1, 2, 3, 5, 6, 7, 8, 9)]
        assert system.status()["rejected"] == {}
        node.breaks_off()
