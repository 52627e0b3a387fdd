"""How Kafka is reached: addresses, TLS, and who we are, in the words of both clients."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from confluent_kafka import KafkaError

from core.errors import ConfigError

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

    from runtime.config import Stream

Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]

_WRONG = {
    KafkaError._AUTHENTICATION: "it does not know this user and password: look at stream.kafka_user",  # noqa: SLF001
    KafkaError._SSL: "TLS fails: look at stream.kafka_tls and stream.kafka_ca_file",  # noqa: SLF001
}


@dataclass(frozen=True, slots=True)
class Access:
    """How Kafka is reached.

    Attributes:
        servers: Bootstrap servers, `host:port[,host:port]`.
        tls: Whether connections are encrypted, and the server's name is checked.
        ca_file: Who vouches for the server; the system's authorities where it is None.
        cert_file: Who we are, for a server that asks by certificate.
        key_file: The key of that certificate.
        user: Who we are, for a server that asks by name.
        password: The password of that name.
        mechanism: How it is shown.
    """

    servers: str
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: Mechanism = "SCRAM-SHA-512"

    def __str__(self) -> str:
        """The servers."""
        return self.servers

    def urls(self) -> str:
        """The servers as Faust wants them."""
        return ";".join(f"kafka://{server.strip()}" for server in self.servers.split(","))

    def client(self) -> dict[str, str]:
        """As settings of librdkafka."""
        protocol = ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT")
        found = {"bootstrap.servers": self.servers, "security.protocol": protocol}
        if self.user:
            found |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password,
            }
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.cert_file,
            "ssl.key.location": self.key_file,
        }
        return found | {name: str(path) for name, path in files.items() if self.tls and path is not None}

    def credentials(self) -> "CredentialsT | None":
        """As Faust wants them; None where there is nothing to show.

        Raises:
            ConfigError: If a file cannot be used.
        """
        if not (self.user or self.tls):
            return None
        import faust  # noqa: PLC0415 - slow to load, and only workers need it

        context = self._context() if self.tls else None
        if self.user:
            return faust.SASLCredentials(
                username=self.user, password=self.password, ssl_context=context, mechanism=self.mechanism
            )
        return faust.SSLCredentials(context)

    def check(self) -> None:
        """Look at the files.

        Raises:
            ConfigError: If one cannot be used.
        """
        if self.tls:
            self._context()

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"stream.kafka_ca_file: {self.ca_file} cannot be used: {_words(error)}") from error
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"stream.kafka_cert_file: {self.cert_file} with its key cannot be used: {_words(error)}"
                ) from error
        return context


Address = str | Access
"""Bootstrap servers in plain text, or how else Kafka is reached."""


def access_of(address: Address) -> Access:
    """The same in one form."""
    return Access(address) if isinstance(address, str) else address


def access(stream: "Stream", role: str) -> Access:
    """What a configuration says.

    Raises:
        ConfigError: If it says nothing, or a file cannot be used.
    """
    if stream.kafka is None:
        raise ConfigError(f'stream.kafka: {role} needs Kafka; write it like kafka = "127.0.0.1:9092"')
    found = Access(
        stream.kafka,
        tls=stream.kafka_tls,
        ca_file=stream.kafka_ca_file,
        cert_file=stream.kafka_cert_file,
        key_file=stream.kafka_key_file,
        user=stream.kafka_user,
        password=stream.secret(),
        mechanism=stream.kafka_mechanism,
    )
    found.check()
    return found


def why(errors: list[KafkaError]) -> str:
    """What is to be done about what the client was told while it tried; empty if that is not known."""
    return next((_WRONG[error.code()] for error in reversed(errors) if error.code() in _WRONG), "")


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
