"""The session against a broker that says what a test wants it to say, byte by byte.

References: MQTT 5.0, sections 3.2 CONNACK, 3.9 SUBACK, 3.14 DISCONNECT (verified: yes).
"""

import logging
import socket
from collections.abc import Callable, Iterator

import pytest

from core.errors import ConfigError
from ingest.session import Session, SessionOptions

PATIENCE_S = 20.0
NEW = bytes([0x20, 3, 0, 0, 0])
RESUMED = bytes([0x20, 3, 1, 0, 0])
TAKEN_OVER = bytes([0xE0, 2, 0x8E, 0])
SHUTTING_DOWN = bytes([0xE0, 2, 0x8B, 0])


class Broker:
    """Accepts one connection after the other."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.port = self._listener.getsockname()[1]

    def takes(self, session: Session, answer: bytes, *more: bytes) -> None:
        """One connection: take it, answer CONNECT, then say `more` and close."""
        session.connect()
        call, _ = self._listener.accept()
        with call:
            call.settimeout(PATIENCE_S)
            call.recv(1024)
            call.sendall(answer)
            until(session, lambda: session.connected)
            if more:
                session.step(0.0)  # sends SUBSCRIBE
                call.recv(1024)
                call.sendall(b"".join(more))
                until(session, lambda: session.subscribed or not session.connected)
        until(session, lambda: session.tap is None)

    def call(self) -> socket.socket:
        """The connection that was made."""
        call, _ = self._listener.accept()
        call.settimeout(PATIENCE_S)
        return call

    def close(self) -> None:
        self._listener.close()


def until(session: Session, true: Callable[[], bool]) -> None:
    """Drive the session, as the pipeline's loop does, until `true()`."""
    for _ in range(100):
        if true():
            return
        tap = session.tap
        if session.step(PATIENCE_S / 100):
            assert tap is not None
            tap.put_aside(tap.data[tap.start : tap.end].tobytes())  # no PUBLISH comes here
            tap.consumed_to(tap.end)
            session.read_control()
    raise AssertionError("it did not come")


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


def host_of(broker: Broker) -> Session:
    options = SessionOptions("127.0.0.1", broker.port, "scenewatch", "word", "pipeline-1", host_id="us")
    return Session(options, ["sw/v1/+/tele/+"], optional=["spBv1.0/+/NDATA/+"])


def session_of(broker: Broker) -> Session:
    return Session(SessionOptions("127.0.0.1", broker.port, "scenewatch", "word", "pipeline-1"), ["sw/v1/+/tele/+"])


def test_a_connection_that_does_not_last_is_tried_again_more_and_more_slowly(broker: Broker) -> None:
    session = session_of(broker)
    for times in range(1, 4):
        broker.takes(session, RESUMED)
        assert session.failures == times


def test_a_connection_that_lasted_is_tried_again_at_once(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(broker)
    broker.takes(session, RESUMED)
    monkeypatch.setattr("ingest.session._STEADY_S", 0.0)
    broker.takes(session, RESUMED)
    assert session.failures == 0


def test_connections_that_end_again_and_again_without_a_word_bring_a_guess(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    session = session_of(broker)
    for _ in range(2):
        broker.takes(session, RESUMED)
    assert "client id" not in caplog.text
    broker.takes(session, RESUMED)
    assert "has another client the client id 'pipeline-1'?" in caplog.text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (TAKEN_OVER, "only one may have the client id 'pipeline-1', set broker.client_id"),
        (SHUTTING_DOWN, "the broker ended the connection: Server shutting down"),
    ],
)
def test_why_the_broker_ended_the_connection_is_told(
    broker: Broker, caplog: pytest.LogCaptureFixture, said: bytes, told: str
) -> None:
    broker.takes(session_of(broker), NEW, said)
    assert told in caplog.text


def test_a_session_that_the_broker_forgot_is_told(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    session = session_of(broker)
    broker.takes(session, NEW)
    broker.takes(session, RESUMED)
    assert "forgotten" not in caplog.text
    broker.takes(session, NEW)
    assert "the broker has forgotten the session" in caplog.text


def test_less_than_the_qos_that_was_asked_for_is_told(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        broker.takes(session_of(broker), NEW, bytes([0x90, 4, 0, 1, 0, 0]))
    assert "grants less than QoS 1" in caplog.text


def test_topics_that_may_not_be_read_end_it_for_good(broker: Broker) -> None:
    session = session_of(broker)
    with pytest.raises(ConfigError, match=r"not read sw/v1/\+/tele/\+"):
        broker.takes(session, NEW, bytes([0x90, 4, 0, 1, 0, 0x87]))
    assert not session.subscribed


def test_a_topic_that_may_be_missing_is_told_and_the_rest_goes_on(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    session = host_of(broker)
    with caplog.at_level(logging.WARNING):
        broker.takes(session, NEW, bytes([0x90, 5, 0, 1, 0, 1, 0x87]))
    assert session.reconnects == 1
    assert "not read spBv1.0/+/NDATA/+: mend its ACL" in caplog.text
    assert "grants less" not in caplog.text


def test_a_host_of_sparkplug_says_that_it_is_there_and_its_will_that_it_is_not(broker: Broker) -> None:
    """At the same time in both, retained, at QoS 1, and not before the broker has confirmed the subscriptions."""
    session = host_of(broker)
    session.connect()
    with broker.call() as call:
        hello = call.recv(4096)
        call.sendall(NEW)
        until(session, lambda: session.connected)
        session.step(0.0)
        assert b"STATE" not in call.recv(4096), "that is SUBSCRIBE"
        call.sendall(bytes([0x90, 5, 0, 1, 0, 1, 1]))
        until(session, lambda: session.subscribed)
        session.step(0.0)
        said = call.recv(4096)
        session.close()
        goodbye = call.recv(4096)
    topic = b"spBv1.0/STATE/us"
    assert hello[9] & 0b0011_1100 == 0b0010_1100, "a will, at QoS 1, retained"
    will = hello[hello.index(topic) + len(topic) + 2 :]
    away, there = (b'{"online":%s,"timestamp":' % word for word in (b"false", b"true"))
    time = will[len(away) : will.index(b"}")]
    assert will.startswith(away)
    assert said[0] == 0x33
    assert said.endswith(topic + b"\0\2\0" + there + time + b"}")
    assert away + time + b"}" in goodbye
