"""A private Apache Kafka of one node (KRaft), as `make kafka` fetched it."""

import base64
import shutil
import signal
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from core.errors import UnavailableError
from runtime.broker.base import Child, free_port

HOME = Path(__file__).resolve().parent.parent.parent / ".tools" / "kafka"
LIB = HOME / "lib"
WHOLE = HOME / "done"
"""Written last by `make kafka`: without it something may be missing."""
_START_S = 60.0
_STOP_S = 20.0
_HEAP = "-Xmx384m"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
log.dirs={folder}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
log.cleaner.dedupe.buffer.size=16777216
"""


_SECURE = """\
listeners=BROKER://127.0.0.1:{port},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=BROKER:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={certificate}
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """What a second listener asks for: TLS and SCRAM.

    Attributes:
        certificate: PEM file with the key (PKCS#8) and the certificate of 127.0.0.1.
        user: The one user.
        password: Its password.
    """

    certificate: Path
    user: str
    password: str


def why_not() -> str:
    """Why there is no Kafka to run, in one line; empty if there is."""
    if not WHOLE.exists():
        return "Kafka is not here: fetch it with `make kafka`"
    if shutil.which("java") is None:
        return "Kafka needs Java: apt-get install openjdk-17-jre-headless"
    return ""


class PrivateKafka:
    """Starts on entering, stops and removes its files on leaving; use it as a context.

    Args:
        heap: Option of the Java machine for its largest heap.
        guard: What a second listener asks for; None for no second one.

    Raises:
        UnavailableError: On entering, if it is not here or does not start.
    """

    def __init__(self, *, heap: str = _HEAP, guard: Guard | None = None) -> None:
        self._heap = heap
        self._guard = guard
        self._folder = Path(tempfile.mkdtemp(prefix="scenewatch-kafka-"))
        self._port = free_port()
        self._secure = free_port() if guard is not None else 0
        self._properties = self._folder / "server.properties"
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """`host:port` for clients; it stays the same over restarts."""
        return f"127.0.0.1:{self._port}"

    @property
    def guarded(self) -> str:
        """`host:port` of the listener that asks for TLS and a password."""
        return f"127.0.0.1:{self._secure}"

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        assert self._child is not None  # noqa: S101 - asked for inside the context only
        return self._child.process.pid

    def start(self) -> None:
        """Start the broker with the data that is there, and wait until it listens.

        Raises:
            UnavailableError: If it does not.
        """
        java = ("java", self._heap, "-Xms64m", "-XX:+UseSerialGC", "-cp", f"{LIB}/*")
        self._child = Child((*java, "kafka.Kafka", str(self._properties)), self._folder / "output.log")
        self._child.wait_listening("Kafka", self._port, patience_s=_START_S)

    def stop(self) -> None:
        """Let it end cleanly; a second call does nothing."""
        if self._child is None:
            return
        process = self._child.process
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._child.stop()
        self._child = None

    def kill(self) -> None:
        """End it as a power cut would: no log is closed, no partition handed over."""
        if self._child is not None:
            self._child.process.send_signal(signal.SIGKILL)
            self._child.process.wait()
            self._child = None

    def __enter__(self) -> Self:
        reason = why_not()
        if reason:
            raise UnavailableError(reason)
        try:
            ports = {"port": self._port, "controller": free_port(), "secure": self._secure}
            text = _PROPERTIES.format(**ports, folder=self._folder)
            if self._guard is not None:  # the last line of a key counts
                text += _SECURE.format(**ports, certificate=self._guard.certificate)
            self._properties.write_text(text)
            self._format()
            self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave()

    def _leave(self) -> None:
        self.kill()  # nobody reads what it would write down in the seconds of a clean end
        shutil.rmtree(self._folder, ignore_errors=True)

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = []
        if self._guard is not None:
            users = ["--add-scram", f"SCRAM-SHA-512=[name={self._guard.user},password={self._guard.password}]"]
        tool = ("java", "-Xmx128m", "-XX:+UseSerialGC", "-cp", f"{LIB}/*", "kafka.tools.StorageTool")
        done = subprocess.run(
            (*tool, "format", f"--cluster-id={cluster}", "-c", str(self._properties), *users),
            capture_output=True, text=True, timeout=_START_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise UnavailableError(f"Kafka's storage cannot be formatted: {words[-1] if words else 'it said nothing'}")
