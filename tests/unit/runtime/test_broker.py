"""Both private brokers, real ones, seen by paho as a gateway sees them."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from core.errors import UnavailableError
from runtime.broker.base import PIPELINE_USER, Accounts, Address, PrivateBroker
from runtime.broker.choose import choose_broker, describe
from runtime.broker.mosquitto import find_mosquitto

pytestmark = pytest.mark.broker

PATIENCE_S = 20.0
ACCOUNTS = Accounts("of the pipeline", {"north": "of north", "south": "of south"})
KINDS = ("mosquitto", "rumqttd")
Make = Callable[..., PrivateBroker]


@dataclass
class Client:
    """A client that puts everything that happens to it in queues."""

    address: Address
    user: str | None
    password: str | None
    name: str = ""
    keeps: bool = False
    logins: Queue[tuple[bool, bool]] = field(default_factory=Queue)
    """(accepted, session present); (False, False) where the broker just hung up."""
    answer: tuple[bool, bool] = (False, False)
    subscribed: Queue[None] = field(default_factory=Queue)
    messages: Queue[tuple[str, bytes]] = field(default_factory=Queue)

    def __post_init__(self) -> None:
        name = self.name or f"test-{self.user}-{id(self)}"
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        if self.user is not None:
            self.client.username_pw_set(self.user, self.password)
        self.client.on_connect = lambda _, __, flags, code, ___: self.logins.put(
            (not code.is_failure, flags.session_present)
        )
        self.client.on_disconnect = lambda *_: self.logins.put((False, False))
        self.client.on_subscribe = lambda *_: self.subscribed.put(None)
        self.client.on_message = lambda _, __, message: self.messages.put((message.topic, bytes(message.payload)))

    def __enter__(self) -> Self:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 600 if self.keeps else 0
        self.client.connect(*self.address, clean_start=not self.keeps, properties=properties)
        self.client.loop_start()
        self.answer = self.logins.get(timeout=PATIENCE_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def subscribe(self, topic: str) -> None:
        self.client.subscribe(topic, qos=1)
        self.subscribed.get(timeout=PATIENCE_S)

    def publish(self, topic: str, payload: bytes) -> None:
        sent = self.client.publish(topic, payload, qos=1)
        sent.wait_for_publish(PATIENCE_S)
        assert sent.is_published()

    def message(self) -> tuple[str, bytes]:
        return self.messages.get(timeout=PATIENCE_S)


def pipeline(address: Address, *, keeps: bool = False) -> Client:
    return Client(address, PIPELINE_USER, ACCOUNTS.pipeline_password, "pipeline" if keeps else "", keeps)


def gateway(address: Address, name: str) -> Client:
    return Client(address, name, ACCOUNTS.gateways[name])


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[PrivateBroker] = []

    def broker(kind: str, *, port: int = 0) -> PrivateBroker:
        if kind == "mosquitto" and find_mosquitto() is None:
            pytest.skip("mosquitto is not installed")
        made.append(choose_broker(kind, tmp_path / "broker", ACCOUNTS, port=port))
        return made[-1]

    yield broker
    for one in made:
        one.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_the_pipeline_hears_what_a_gateway_publishes(make: Make, kind: str) -> None:
    address = make(kind).start()
    with pipeline(address) as hears, gateway(address, "north") as says:
        assert (hears.answer, says.answer) == ((True, False), (True, False))
        hears.subscribe("sw/v1/+/tele/+")
        says.publish("sw/v1/north/tele/pit-1", b"5")
        assert hears.message() == ("sw/v1/north/tele/pit-1", b"5")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("user", "password"),
    [("north", "of south"), ("north", ""), ("nobody", "of north"), (None, None), (PIPELINE_USER, "of north")],
)
def test_nobody_gets_in_without_the_right_password(
    make: Make, kind: str, user: str | None, password: str | None
) -> None:
    address = make(kind).start()
    with Client(address, user, password) as stranger:
        assert stranger.answer == (False, False)


def test_what_is_published_under_the_id_of_another_does_not_arrive(make: Make) -> None:
    address = make("mosquitto").start()
    with pipeline(address) as hears:
        hears.subscribe("sw/v1/#")
        for forged in ("sw/v1/south/tele/pit-1", "sw/v1/out/rejected/north", "sw/v1/north/cmd/reboot"):
            with gateway(address, "north") as says:
                says.publish(forged, b"forged")
        with gateway(address, "north") as says:
            says.publish("sw/v1/north/tele/pit-1", b"own")
        assert hears.message() == ("sw/v1/north/tele/pit-1", b"own")


def test_a_gateway_reads_its_own_commands_and_nothing_else(make: Make) -> None:
    address = make("mosquitto").start()
    with pipeline(address) as says, gateway(address, "south") as other, gateway(address, "north") as hears:
        hears.subscribe("sw/v1/#")
        other.publish("sw/v1/south/tele/pit-2", b"of another")
        says.publish("sw/v1/south/cmd/reboot", b"for another")
        says.publish("sw/v1/north/cmd/reboot", b"own")
        assert hears.message() == ("sw/v1/north/cmd/reboot", b"own")


def test_what_waits_for_the_pipeline_survives_a_restart_of_mosquitto(make: Make) -> None:
    broker = make("mosquitto")
    address = broker.start()
    with pipeline(address, keeps=True) as hears:
        assert hears.answer == (True, False)
        hears.subscribe("sw/v1/+/tele/+")
    with gateway(address, "north") as says:
        says.publish("sw/v1/north/tele/pit-1", b"meanwhile")
    broker.stop()
    assert not broker.alive()
    again = make("mosquitto", port=address.port).start()
    with pipeline(again, keeps=True) as hears:
        assert hears.answer == (True, True)
        assert hears.message() == ("sw/v1/north/tele/pit-1", b"meanwhile")


@pytest.mark.parametrize("kind", KINDS)
def test_a_taken_port_is_one_line_that_names_the_key(make: Make, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        with pytest.raises(UnavailableError) as caught:
            make(kind, port=port).start()
    line = str(caught.value)
    assert f"port {port}" in line
    assert "broker.port" in line
    assert "\n" not in line


@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_that_was_stopped_is_gone_and_can_be_stopped_again(make: Make, kind: str) -> None:
    broker = make(kind)
    address = broker.start()
    assert broker.alive()
    broker.stop()
    broker.stop()
    assert not broker.alive()
    with pytest.raises(OSError, match="refused"), socket.create_connection(address, timeout=1):
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_files_with_passwords_are_readable_by_their_owner_alone(make: Make, kind: str, tmp_path: Path) -> None:
    make(kind).start()
    folder = tmp_path / "broker"
    assert folder.stat().st_mode & 0o077 == 0
    secret = [path for path in folder.iterdir() if path.name in ("passwords", "rumqttd.toml")]
    assert [path.stat().st_mode & 0o077 for path in secret] == [0]


def test_the_first_line_says_what_the_embedded_broker_lacks(make: Make) -> None:
    line = describe(make("rumqttd"))
    assert line.startswith("broker: rumqttd (embedded); it lacks sessions on disk")
    assert "rights by user" in line
