"""A gateway's side of a replay or a camera: paho-mqtt, QoS 1, everything acknowledged before it is done."""

import ssl
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from core.errors import ConfigError, UnavailableError

_CONNECT_S = 10.0
_MOST_WAITING = 2_000


class Publisher:
    """One connection of one gateway.

    Raises:
        ConfigError: If the broker refuses user or password.
        UnavailableError: If nobody answers.
    """

    def __init__(self, host: str, port: int, gateway: str, user: str, password: str, *, tls: bool = False) -> None:
        self._gateway = gateway
        self._where = f"{host}:{port}"
        self._waiting = 0
        self._changed = threading.Condition()
        self._code: object = None
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{gateway}-publisher", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(user, password)
        if tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.max_inflight_messages_set(500)
        self._client.max_queued_messages_set(0)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        try:
            self._client.connect(host, port)
        except OSError as error:
            raise UnavailableError(f"no MQTT broker answers at {self._where} ({error})") from error
        self._client.loop_start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._code is not None, _CONNECT_S):
                self._client.loop_stop()
                raise UnavailableError(f"the broker at {self._where} did not let {user!r} in; check user and password")
        if self._code != 0:
            self._client.loop_stop()
            raise ConfigError(f"the broker at {self._where} refused user {user!r}: check user and password")

    def single(self, device: str, metric: str, at_ms: int, value: float) -> None:
        """Publish one reading in the native form."""
        self._publish(f"tele/{device}", {"t": at_ms, "v": {metric: value}})

    def pack(self, rows: list[tuple[str, str, int, float]]) -> None:
        """Publish many in one message."""
        self._publish("pack", {"r": rows})

    def clock(self, at_ms: int) -> None:
        """Say that the recording's clock has come to `at_ms`."""
        self._publish("clock", {"t": at_ms})

    def drain(self, seconds: float = 60.0) -> None:
        """Wait until the broker has acknowledged everything.

        Raises:
            UnavailableError: If it does not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting == 0, seconds):
                raise UnavailableError(f"the broker at {self._where} did not acknowledge {self._waiting} messages")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _publish(self, what: str, document: object) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < _MOST_WAITING, _CONNECT_S)
            self._waiting += 1
        info = self._client.publish(f"sw/v1/{self._gateway}/{what}", msgspec.json.encode(document), qos=1)
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise UnavailableError(f"the broker at {self._where} takes nothing: {mqtt.error_string(info.rc)}")

    def _on_connect(self, _: mqtt.Client, __: object, ___: object, code: ReasonCode, ____: object) -> None:
        with self._changed:
            self._code = code.value
            self._changed.notify_all()

    def _on_publish(self, *_: object) -> None:
        with self._changed:
            self._waiting -= 1
            self._changed.notify_all()


def broker_of(url: str) -> tuple[str, int, bool]:
    """(host, port, TLS) of `mqtt://host:port` or `mqtts://host:port`.

    Raises:
        ConfigError: If it is neither.
    """
    wrong = ConfigError(f"--to {url}: write it like mqtt://host:1883 or mqtts://host:8883")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise wrong
    tls = parts.scheme == "mqtts"
    return parts.hostname, port or (8883 if tls else 1883), tls
