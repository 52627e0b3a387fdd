"""The supervisor with real, small children: each calls home, so that the test sees it live and sees it die."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest

from core.errors import ConfigError
from runtime.supervisor import RoleSpec, Supervisor

PATIENCE_S = 20.0
ROOT = Path(__file__).parents[3]

CHILD = """
import os, signal, socket, sys
home = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "polite" in sys.argv:
    def bye(*_):
        home.sendall(b"bye")
        sys.exit(0)
    signal.signal(signal.SIGTERM, bye)
home.sendall(f"{os.getpid():8}".encode())
if "wrong" in sys.argv:
    print("WHY a.toml: x: unknown key", "WHY a.toml: y: no number", sep="\\n", flush=True)
else:
    print('READY {"port": 7}', flush=True)
home.recv(1)
sys.exit(int(home.recv(1) or b"0"))
"""

PARENT = """
import signal, sys
from runtime.supervisor import RoleSpec, Supervisor
supervisor = Supervisor([RoleSpec("child", tuple(sys.argv[1:]))])
supervisor.start()
signal.pause()
"""


class Home:
    """Where children call; a call ends when its child does."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.port = self._listener.getsockname()[1]
        self._calls: list[socket.socket] = []

    def child(self, name: str = "child", *how: str) -> RoleSpec:
        return RoleSpec(name, (sys.executable, "-c", CHILD, str(self.port), *how))

    def call(self) -> tuple[int, socket.socket]:
        """The pid of the next child that calls, and its call."""
        call, _ = self._listener.accept()
        call.settimeout(PATIENCE_S)
        self._calls.append(call)
        return int(call.recv(8, socket.MSG_WAITALL)), call

    def close(self) -> None:
        for call in self._calls:
            call.close()
        self._listener.close()


def ended(call: socket.socket) -> bool:
    """Wait until the child is gone; the kernel closes its end, however it died."""
    try:
        return call.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def home() -> Iterator[Home]:
    place = Home()
    yield place
    place.close()


def test_roles_start_and_say_where_they_are(home: Home) -> None:
    supervisor = Supervisor([home.child("a"), home.child("b")])
    try:
        assert supervisor.start() == {"a": {"port": 7}, "b": {"port": 7}}
        assert {home.call()[0], home.call()[0]} == {supervisor.pid("a"), supervisor.pid("b")}
    finally:
        supervisor.stop()


def test_a_role_that_is_killed_is_started_again_and_that_is_said(home: Home) -> None:
    lines: Queue[str] = Queue()
    supervisor = Supervisor([home.child()], on_line=lines.put)
    supervisor.start()
    try:
        first, call = home.call()
        os.kill(first, signal.SIGKILL)
        assert ended(call)
        second, _ = home.call()
        assert lines.get(timeout=PATIENCE_S) == "child was killed by SIGKILL; starting it again in 0.1 s"
        assert (second != first, supervisor.pid("child"), supervisor.restarts("child")) == (True, second, 1)
    finally:
        supervisor.stop()


def test_a_role_that_ends_by_itself_is_started_again_later_each_time(home: Home) -> None:
    lines: Queue[str] = Queue()
    supervisor = Supervisor([home.child()], on_line=lines.put)
    supervisor.start()
    try:
        said = []
        for _ in range(3):
            _, call = home.call()
            call.sendall(b"x1")
            said.append(lines.get(timeout=PATIENCE_S))
        assert said == [f"child ended with status 1; starting it again in {wait} s" for wait in ("0.1", "0.2", "0.4")]
    finally:
        supervisor.stop()


def test_a_role_that_is_to_be_done_once_is_not_started_again_when_it_is_done(home: Home) -> None:
    lines: Queue[str] = Queue()
    once = replace(home.child("once"), once=True)
    supervisor = Supervisor([once, home.child("other")], on_line=lines.put)
    supervisor.start()
    try:
        calls = dict(home.call() for _ in range(2))
        calls[supervisor.pid("once")].sendall(b"x0")
        assert ended(calls[supervisor.pid("once")])
        os.kill(supervisor.pid("other"), signal.SIGKILL)
        home.call()
        assert lines.get(timeout=PATIENCE_S) == "other was killed by SIGKILL; starting it again in 0.1 s"
        assert (supervisor.restarts("once"), supervisor.restarts("other")) == (0, 1)
    finally:
        supervisor.stop()


def test_stopping_takes_less_than_three_seconds_and_leaves_nothing_even_of_those_that_do_not_listen(home: Home) -> None:
    supervisor = Supervisor([home.child("a"), home.child("b", "deaf"), home.child("c", "deaf")])
    supervisor.start()
    calls = [home.call()[1] for _ in range(3)]
    begin = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - begin < 3
    assert all(ended(call) for call in calls)


def test_a_role_that_was_started_again_is_asked_to_end_like_any_other(home: Home) -> None:
    supervisor = Supervisor([home.child("child", "polite")])
    supervisor.start()
    first, _ = home.call()
    os.kill(first, signal.SIGKILL)
    _, call = home.call()
    supervisor.stop()
    assert call.recv(3, socket.MSG_WAITALL) == b"bye"


def test_stopping_twice_is_stopping_once(home: Home) -> None:
    supervisor = Supervisor([home.child()])
    supervisor.start()
    supervisor.stop()
    supervisor.stop()


def test_a_wrong_configuration_ends_everything_with_all_its_lines(home: Home) -> None:
    supervisor = Supervisor([home.child("good"), home.child("wrong", "wrong")])

    def end_the_wrong_one() -> dict[int, socket.socket]:
        calls = dict(home.call() for _ in range(2))
        calls[supervisor.pid("wrong")].sendall(b"x2")
        return calls

    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(end_the_wrong_one)
        with pytest.raises(ConfigError) as caught:
            supervisor.start()
    assert str(caught.value).splitlines() == ["a.toml: x: unknown key", "a.toml: y: no number"]
    assert ended(calls.result()[supervisor.pid("good")])


def test_a_role_can_be_stopped_and_started_alone(home: Home) -> None:
    supervisor = Supervisor([home.child("a"), home.child("b")])
    supervisor.start()
    try:
        calls = dict(home.call() for _ in range(2))
        first = supervisor.pid("a")
        supervisor.stop_role("a")
        assert ended(calls[first])
        supervisor.start_role("a")
        again, _ = home.call()
        assert (supervisor.pid("a"), supervisor.ready()["a"]) == (again, {"port": 7})
    finally:
        supervisor.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_children_do_not_outlive_a_parent_that_is_killed(home: Home) -> None:
    command = [sys.executable, "-c", PARENT, *home.child().command]
    with subprocess.Popen(command, cwd=ROOT) as parent:
        _, call = home.call()
        parent.kill()
        assert ended(call)
