"""The MQTT session (shell): paho-mqtt for everything rare, the tap for readings."""

import logging
import select
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError
from ingest.tap import Tap

log = logging.getLogger("scenewatch.ingest")

_MAX_PACKET = 1 << 20
_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_STEADY_S = 2 * _BACKOFF_S[-1]
"""A connection that lasted so long was one; before that it only looked like one, and the waits go on growing."""
_TAKEN_OVER = 0x8E
_REFUSED_FOR_GOOD = {4, 5, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C}
"""CONNACK codes that trying again does not mend: name, password, authorisation, protocol (MQTT 5.0 table 3-1)."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How to reach the broker and keep the session.

    Attributes:
        host: Name or address.
        port: TCP port.
        user: User name.
        password: Password; never logged.
        client_id: Stays the same over restarts, so that the broker knows the session again.
        version5: MQTT 5, else 3.1.1.
        qos: 0 or 1.
        receive_maximum: Most unacknowledged messages the broker may have under way (MQTT 5).
        session_expiry_s: How long the broker keeps the session while nobody is connected.
        keepalive_s: Longest silence before a ping.
        tls: None for plain TCP.
        host_id: Our name as a host of Sparkplug, which tells edge nodes that we are there; empty for none.
    """

    host: str
    port: int
    user: str
    password: str
    client_id: str
    version5: bool = True
    qos: int = 1
    receive_maximum: int = 20_000
    session_expiry_s: int = 7 * 86_400
    keepalive_s: int = 30
    tls: ssl.SSLContext | None = None
    host_id: str = ""


class _TappedClient(mqtt.Client):
    """paho's client with a tap put on every socket that it makes."""

    tap: Tap | None = None

    def _create_socket(self) -> Tap:
        self.tap = Tap(super()._create_socket())  # type: ignore[arg-type]
        return self.tap


class Session:
    """One persistent session that reconnects by itself, driven by the caller's loop.

    Call `step` again and again; it waits for the network or for `wake_fd`, and says whether bytes are there in `tap`.

    Args:
        options: How to reach the broker.
        topics: What is subscribed to; refused, nothing runs.
        optional: What is subscribed to as well; refused, that is told and everything else goes on.
        wake_fd: A descriptor that ends a wait.
    """

    def __init__(
        self,
        options: SessionOptions,
        topics: Sequence[str],
        *,
        optional: Sequence[str] = (),
        wake_fd: int | None = None,
    ) -> None:
        self.options = options
        self.connected = False
        self.subscribed = False
        """Whether the broker has confirmed the subscriptions of this connection: from then on QoS 1 loses nothing."""
        self.reconnects = 0
        self.resumed = False
        self.failures = 0
        """Connections in a row that failed or did not last."""
        self._since = 0.0
        self._topics = (*topics, *optional)
        self._optional = frozenset(optional)
        self._told_at_ms = 0
        self._wake_fd = wake_fd
        self._refused: str | None = None
        self._closing = False
        protocol = mqtt.MQTTv5 if options.version5 else mqtt.MQTTv311
        session = {} if options.version5 else {"clean_session": False}
        self._client = _TappedClient(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=protocol,
            **session,  # type: ignore[arg-type]
        )
        self._client.username_pw_set(options.user, options.password)
        if options.tls is not None:
            self._client.tls_set_context(options.tls)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.max_queued_messages_set(1000)

    @property
    def tap(self) -> Tap | None:
        """The bytes of the present connection; None while there is none."""
        return self._client.tap if self._client.socket() is not None else None

    def connect(self) -> None:
        """Open the connection.

        Raises:
            UnavailableError: If nobody answers there.
        """
        options = self.options
        properties = None
        if options.version5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = options.session_expiry_s
            properties.ReceiveMaximum = options.receive_maximum
            properties.MaximumPacketSize = _MAX_PACKET
        self._set_will()
        clean = {"clean_start": False} if options.version5 else {}
        try:
            self._client.connect(
                options.host,
                options.port,
                keepalive=options.keepalive_s,
                properties=properties,
                **clean,  # type: ignore[arg-type]
            )
        except (OSError, ValueError) as error:
            raise UnavailableError(f"no MQTT broker answers at {options.host}:{options.port} ({error})") from error

    def step(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` for something; True if readings may be in `tap`.

        Raises:
            ConfigError: If the broker refused user, password or protocol: trying again does not mend that.
        """
        if self._refused:
            raise ConfigError(self._refused)
        tap = self.tap
        if tap is None:
            self._try_again(timeout_s)
            return False
        reads = [tap.fileno()] if self._wake_fd is None else [tap.fileno(), self._wake_fd]
        writes = [tap.fileno()] if tap.wants_write or self._client.want_write() else []
        readable, writable, _ = select.select(reads, writes, [], 0 if tap.pending() else max(0.0, timeout_s))
        try:
            if writable:
                tap.flush()
                self._client.loop_write()
            if tap.fileno() in readable or tap.pending():
                tap.fill()
            if tap.closed_by_peer:
                self._client.loop_read()
                return False
        except OSError as error:
            self._lost(str(error))
            return False
        return tap.end > tap.start

    def misc(self) -> None:
        """Keep-alive; call about once a second."""
        if self.tap is not None:
            self._client.loop_misc()

    def read_control(self) -> None:
        """Let paho take the control packets that were put aside."""
        tap = self.tap
        while tap is not None and tap is self.tap and tap.has_aside:
            self._client.loop_read()

    def acknowledge(self, packets: bytes) -> None:
        """Send PUBACK packets, in the order in which the messages came; the readings must be durable by now."""
        tap = self.tap
        if tap is None or not packets:
            return
        try:
            tap.send(packets)
        except OSError as error:
            self._lost(str(error))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, dropped without a connection: notices about rejected messages."""
        if self.connected:
            self._client.publish(topic, payload, qos=0)

    def tell_state(self, *, online: bool = True) -> None:
        """Say as a host of Sparkplug whether we are there, at the time that the will of this connection has."""
        if self.options.host_id and self.connected:
            self._client.publish(self._state_topic, _state(self._told_at_ms, online=online), qos=1, retain=True)

    @property
    def _state_topic(self) -> str:
        return f"spBv1.0/STATE/{self.options.host_id}"

    def _set_will(self) -> None:
        if self.options.host_id:
            self._told_at_ms = wall_ns() // 1_000_000
            self._client.will_set(self._state_topic, _state(self._told_at_ms, online=False), qos=1, retain=True)

    def breach(self, why: str) -> None:
        """Give the connection up because of what came over it; the session resumes on the next one."""
        self._lost(why)

    def close(self) -> None:
        """Disconnect; the broker keeps the session for `session_expiry_s`."""
        self._closing = True
        tap = self.tap
        if tap is not None:
            self.tell_state(online=False)
            if self.options.version5:
                properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = self.options.session_expiry_s
                self._client.disconnect(properties=properties)
            else:
                self._client.disconnect()
            self._client.loop_write()

    def _try_again(self, timeout_s: float) -> None:
        wait = _BACKOFF_S[min(self.failures, len(_BACKOFF_S) - 1)]
        fds = [] if self._wake_fd is None else [self._wake_fd]
        select.select(fds, [], [], min(wait, max(timeout_s, 0.01)))
        try:
            self.connect()
        except UnavailableError as error:
            self.failures += 1
            if self.failures == 1 or self.failures % 20 == 0:
                log.warning("%s; trying again", error)

    def _lost(self, why: str) -> None:
        log.warning("connection to the broker lost: %s", why)
        self._ended()
        sock = self._client.socket()
        if sock is not None:
            sock.close()
        self._client._sock_close()  # noqa: SLF001 - paho has no public way to drop a connection without DISCONNECT

    def _ended(self) -> None:
        """No connection any more: the next one is tried at once only if this one had lasted."""
        lasted = self.connected and time.monotonic() - self._since >= _STEADY_S
        self.failures = 0 if lasted else self.failures + 1
        self.connected = self.subscribed = False

    def _on_connect(
        self, client: mqtt.Client, _: object, flags: mqtt.ConnectFlags, code: ReasonCode, __: object
    ) -> None:
        if code.is_failure:
            text = f"the broker at {self.options.host}:{self.options.port} refused user {self.options.user!r}: {code}"
            if code.value in _REFUSED_FOR_GOOD:
                self._refused = f"{text}; check broker.user and broker.password"
            log.warning(text)
            return
        self.connected = True
        self.resumed = flags.session_present
        self._since = time.monotonic()
        if self.reconnects and not self.resumed:
            log.warning("the broker has forgotten the session: what it held for the pipeline meanwhile is lost")
        self.reconnects += 1
        log.info(
            "connected to %s:%d, session %s",
            self.options.host,
            self.options.port,
            "resumed" if self.resumed else "new",
        )
        if self.options.version5:
            kept = SubscribeOptions(qos=self.options.qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            client.subscribe([(topic, kept) for topic in self._topics])
        else:
            client.subscribe([(topic, self.options.qos) for topic in self._topics])

    def _on_subscribe(self, _: mqtt.Client, __: object, ___: int, codes: list[ReasonCode], ____: object) -> None:
        refused = [topic for topic, code in zip(self._topics, codes, strict=False) if code.is_failure]
        missing = [topic for topic in refused if topic in self._optional]
        if missing:
            log.warning("the broker lets user %r not read %s: mend its ACL", self.options.user, ", ".join(missing))
            refused = [topic for topic in refused if topic not in self._optional]
            codes = [code for code in codes if not code.is_failure]
        if refused:
            self._refused = f"the broker lets user {self.options.user!r} not read {', '.join(refused)}; mend its ACL"
            return
        self.subscribed = True
        self.tell_state()
        if any(code.value < self.options.qos for code in codes):
            log.warning("the broker grants less than QoS %d: readings may be lost on the way", self.options.qos)

    def _on_disconnect(
        self, _: mqtt.Client, __: object, ___: mqtt.DisconnectFlags, code: ReasonCode, ____: object
    ) -> None:
        was = self.connected
        self._ended()
        if self._closing or self._refused:
            return
        if code.value == _TAKEN_OVER:
            log.warning(
                "another client has taken the session: only one may have the client id %r, set broker.client_id",
                self.options.client_id,
            )
            return
        if was:
            guess = f"; has another client the client id {self.options.client_id!r}?" if self.failures >= 3 else ""
            log.warning("the broker ended the connection: %s%s", code, guess)
            return
        # Some brokers close the connection instead of saying no: say what it may be.
        if self.failures == 1 or self.failures % 20 == 0:
            where = f"{self.options.host}:{self.options.port}"
            log.warning("the broker at %s does not let user %r in: wrong password?", where, self.options.user)


def _state(at_ms: int, *, online: bool) -> bytes:
    return msgspec.json.encode({"online": online, "timestamp": at_ms})
