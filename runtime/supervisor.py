"""Starts roles as processes, restarts one that dies, stops all of them, leaves nothing behind."""

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import ConfigError, ScenewatchError, UnavailableError
from runtime.broker.base import die_with_parent

log = logging.getLogger("scenewatch.supervisor")

_READY = "READY "
_WHY = "WHY "
_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 10.0
_WANTED_BACKOFF_S = 1.0
"""The longest wait for a role that came up before it ended: it can do its work, and somebody waits for it."""
_HEALTHY_S = 60.0
_TERM_S = 2.0
_LOOK_S = 0.2
_LEAST_S = 0.2
_START_S = 180.0
"""On a machine that has not compiled the kernels yet the first start takes half a minute, and longer beside a load."""
_WRONG = 2
_BESIDE = ("history",)
_ONCE = ("gateways",)


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """One role to keep running.

    Attributes:
        name: What people call it.
        command: The program and its arguments; by default this interpreter on `runtime.role`.
        beside: Whether no other role needs it: it is told to stop first and waited for last.
        once: Whether it is done, and not dead, when it ends with status 0.
    """

    name: str
    command: tuple[str, ...]
    beside: bool = False
    once: bool = False

    @classmethod
    def of(cls, name: str, config: Path) -> "RoleSpec":
        """The role `name` with its configuration."""
        command = (sys.executable, "-m", "runtime.role", name, "--config", str(config))
        return cls(name, command, beside=name in _BESIDE, once=name in _ONCE)


@dataclass(slots=True)
class _Running:
    spec: RoleSpec
    process: subprocess.Popen[bytes]
    started: float
    ready: dict[str, Any] | None = None
    buffer: bytes = b""
    restarts: int = 0
    backoff: float = _FIRST_BACKOFF_S
    due: float | None = None
    said: list[str] = field(default_factory=list)


class Supervisor:
    """Children of one person's wish: they start together, are kept alive, and end together.

    Args:
        roles: What to run, in the order in which they are started; they are stopped in the other one.
        on_line: Takes lines about restarts, for a person.
    """

    def __init__(self, roles: Sequence[RoleSpec], *, on_line: Callable[[str], None] | None = None) -> None:
        self._specs = tuple(roles)
        self._on_line = on_line or log.warning
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread: threading.Thread | None = None
        self.failed: ScenewatchError | None = None
        """Why everything has to stop: a role's configuration is wrong, or it could not start at all."""

    def start(
        self, patience_s: float = _START_S, cancelled: Callable[[], bool] = lambda: False
    ) -> dict[str, dict[str, Any]]:
        """Start every role and wait until each is ready; what they said of themselves, by name.

        Args:
            patience_s: How long one may take.
            cancelled: Asked now and then; if it says so, nothing is waited for any more.

        Raises:
            ConfigError: If a role says that its configuration is wrong.
            UnavailableError: If one is not ready in time, or ends before it ever was with a reason that it tells.
        """
        for spec in self._specs:
            self._launch(spec)
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + patience_s
        with self._changed:
            while not self._all_ready() and self.failed is None and not cancelled():
                if time.monotonic() > deadline:
                    break
                self._changed.wait(_LOOK_S)
        if self.failed is not None:
            self.stop()
            raise self.failed
        if not self._all_ready() and not cancelled():
            waiting = [name for name, role in self._running.items() if role.ready is None]
            self.stop()
            raise UnavailableError(f"not ready within {patience_s:.0f} s: {', '.join(waiting)}")
        return self.ready()

    def ready(self) -> dict[str, dict[str, Any]]:
        """What each role said of itself when it was last ready."""
        return {name: role.ready for name, role in self._running.items() if role.ready is not None}

    def pid(self, name: str) -> int:
        """Process id of a role."""
        return self._running[name].process.pid

    def restarts(self, name: str) -> int:
        """How often a role was restarted."""
        return self._running[name].restarts

    def stop(self, within_s: float = _TERM_S) -> None:
        """Ask all to end, the last one started first, and make those end that have not by `within_s`.

        Roles beside the others are told first and waited for last. It takes at most 0.2 s longer for each role that
        has to be made; a second call does nothing.
        """
        with self._lock:
            self._stopping.set()
        deadline = time.monotonic() + within_s
        for each in self._running.values():
            if each.spec.beside and each.process.poll() is None:
                each.process.terminate()
        first = [spec for spec in reversed(self._specs) if not spec.beside]
        for spec in (*first, *(spec for spec in self._specs if spec.beside)):
            role = self._running.get(spec.name)
            if role is None:
                continue
            if role.process.poll() is None:
                role.process.terminate()
            try:
                role.process.wait(max(_LEAST_S, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                role.process.kill()
                role.process.wait()
        # The thread ends last: Linux kills a child when the thread that started it ends, and this one restarts roles.
        self._over.set()
        os.write(self._wake_write, b"s")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        for role in self._running.values():
            if role.process.stdout is not None:
                role.process.stdout.close()

    def stop_role(self, name: str) -> None:
        """Ask one role to end and wait for it; it is not restarted."""
        with self._lock:
            role = self._running[name]
            role.due = float("inf")
        role.process.terminate()
        try:
            role.process.wait(_TERM_S)
        except subprocess.TimeoutExpired:
            role.process.kill()
            role.process.wait()

    def start_role(self, name: str) -> None:
        """Start a role again that was stopped, and wait until it is ready.

        Raises:
            UnavailableError: If it is not ready in time.
        """
        role = self._running[name]
        with self._changed:
            with self._lock:
                role.due = time.monotonic()
            os.write(self._wake_write, b"r")
            if not self._changed.wait_for(
                lambda: self._running[name] is not role and self._running[name].ready is not None, _START_S
            ):
                raise UnavailableError(f"{name} was not ready within {_START_S:.0f} s")

    def _launch(self, spec: RoleSpec, before: _Running | None = None) -> None:
        process = subprocess.Popen(
            spec.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - no lock of ours is held in the child
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        role = _Running(spec, process, time.monotonic())
        if before is not None:
            role.restarts, role.backoff = before.restarts + 1, before.backoff
            role.ready = None
        self._running[spec.name] = role
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, role)

    def _all_ready(self) -> bool:
        return all(role.ready is not None for role in self._running.values())

    def _watch(self) -> None:
        while not self._over.is_set():
            due = [role.due for role in self._running.values() if role.due is not None and role.due < float("inf")]
            if self._stopping.is_set():
                due = []
            timeout = min((moment - time.monotonic() for moment in due), default=None)
            for key, _ in self._selector.select(None if timeout is None else max(0.0, timeout)):
                if key.data is None:
                    os.read(self._wake_read, 1024)
                else:
                    self._read(key.data)
            self._restart_due()

    def _read(self, role: _Running) -> None:
        stdout = role.process.stdout
        assert stdout is not None  # noqa: S101 - a pipe was asked for
        data = os.read(stdout.fileno(), 65_536)
        if not data:
            self._selector.unregister(stdout)
            self._ended(role)
            return
        *lines, role.buffer = (role.buffer + data).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace")
            if line.startswith(_READY):
                with self._changed:
                    role.ready = json.loads(line.removeprefix(_READY))
                    self._changed.notify_all()
            elif line.startswith(_WHY):
                role.said.append(line.removeprefix(_WHY))

    def _ended(self, role: _Running) -> None:
        code = role.process.wait()
        if self._stopping.is_set() or role.due == float("inf") or (code == 0 and role.spec.once):
            return
        name = role.spec.name
        if code == _WRONG or (role.said and role.ready is None and role.restarts == 0):
            text = "\n".join(role.said) or f"{name}: its configuration is wrong"
            with self._changed:
                self.failed = ConfigError(text) if code == _WRONG else UnavailableError(text)
                self._changed.notify_all()
            return
        if time.monotonic() - role.started > _HEALTHY_S:
            role.backoff = _FIRST_BACKOFF_S
        if role.ready is not None:
            role.backoff = min(role.backoff, _WANTED_BACKOFF_S)
        role.due = time.monotonic() + role.backoff
        why = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        self._on_line(f"{name} {why}; starting it again in {role.backoff:.1f} s")
        role.backoff = min(2 * role.backoff, _LAST_BACKOFF_S)

    def _restart_due(self) -> None:
        now = time.monotonic()
        for role in list(self._running.values()):
            with self._lock:
                if role.due is None or role.due > now or self._stopping.is_set():
                    continue
                role.due = None
                self._launch(role.spec, role)


def roles(names: Sequence[str], config: Path) -> list[RoleSpec]:
    """Specs of several roles with one configuration."""
    return [RoleSpec.of(name, config) for name in names]


def announce(facts: Mapping[str, Any]) -> None:
    """In a role: say that it is ready, and where."""
    sys.stdout.write(_READY + json.dumps(dict(facts)) + "\n")
    sys.stdout.flush()


def explain(error: ScenewatchError) -> None:
    """In a role: say why it ends."""
    for line in str(error).splitlines():
        sys.stdout.write(f"{_WHY}{line}\n")
    sys.stdout.flush()
