"""What a private broker can be asked, and how a child of ours is started and ended."""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from core.errors import UnavailableError

PIPELINE_USER = "scenewatch"
_START_S = 10.0
_STOP_S = 2.0
_PR_SET_PDEATHSIG = 1


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who may log in: the pipeline, and each gateway under its id. Passwords are not shown."""

    pipeline_password: str = field(repr=False)
    gateways: Mapping[str, str] = field(repr=False)


class PrivateBroker(ABC):
    """A broker that is started for us alone, on loopback.

    Args:
        folder: Its files; made if it is not there.
        accounts: Who may log in.
        port: Where it listens; 0 for any free one.
    """

    name: str
    lacks: tuple[str, ...] = ()
    """What it cannot do, in words for the first line of the demo; empty if nothing."""
    max_inflight: int
    """Messages under way to one client."""

    def __init__(self, folder: Path, accounts: Accounts, *, port: int = 0) -> None:
        self._folder = folder
        self._accounts = accounts
        self._port = port
        self._child: Child | None = None

    def start(self) -> Address:
        """Start it and wait until it listens.

        Raises:
            UnavailableError: If its port is taken or it dies at once, with its own last words.
        """
        if self._port:
            require_free(self._port)
        else:
            self._port = free_port()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._child = Child(self._prepared(), self._folder / f"{type(self).__name__.lower()}.log")
        self._child.wait_listening(self.name, self._port)
        return Address("127.0.0.1", self._port)

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive()

    def stop(self) -> None:
        """End it; a second call does nothing."""
        if self._child is not None:
            self._child.stop()

    @abstractmethod
    def _prepared(self) -> list[str]:
        """Write its files into the folder; the command that starts it."""

    @property
    def _users(self) -> dict[str, str]:
        """Passwords by user."""
        return {PIPELINE_USER: self._accounts.pipeline_password, **self._accounts.gateways}


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> None:
    """Make sure that nobody listens on a loopback port.

    Raises:
        UnavailableError: If somebody does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UnavailableError(
                f"port {port} for the broker is taken ({error.strerror}); set broker.port"
            ) from error


def die_with_parent(parent: int) -> None:
    """In a child, before it runs: end when the process `parent` does, however that ends (Linux; elsewhere nothing).

    Linux means the thread that starts the child: one that ends before its process takes its children with it.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


class Child:
    """A server in a process of its own, whose output goes to a file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - no thread of ours holds a lock that the child needs
                start_new_session=True,
            )

    def wait_listening(self, name: str, port: int, *, patience_s: float = _START_S) -> None:
        """Wait until something listens on `port`.

        Raises:
            UnavailableError: If the process ends first or takes too long.
        """
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise UnavailableError(f"{name} ended at its start: {self.last_words()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
                return
            select.select([], [], [], 0.02)
        self.stop()
        raise UnavailableError(f"{name} did not listen on port {port} within {patience_s:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        """The last line of its output."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask it to end, then make it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
