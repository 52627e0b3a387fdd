"""Records to Kafka: in order, each once, and known when they are safe."""

import logging
import threading
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from core.errors import UnavailableError
from runtime.stream.access import Address, access_of

log = logging.getLogger("scenewatch.stream")

LARGEST = 64 << 20
_QUEUE = 200_000


class Publisher:
    """An idempotent producer, acks=all. It waits for a Kafka that is away as long as it takes, and keeps the order.

    One request is under way at a time. With more, a leader that is not ready yet can refuse the first record of a
    partition and take the second: it knows nothing of this producer, so any sequence will do, and the client then
    counts the first as delivered too, without an offset. A record without an offset is therefore never taken for safe.

    One thread may send while another one polls.

    Args:
        address: How Kafka is reached.
        name: Client id.

    Attributes:
        sent: Records handed over.
        safe: Records that Kafka has acknowledged.
    """

    def __init__(self, address: Address, name: str) -> None:
        self.sent = 0
        self.safe = 0
        self._refused: str | None = None
        self._lock = threading.Lock()
        self._producer = Producer(
            {
                **access_of(address).client(),
                "client.id": name,
                "enable.idempotence": True,
                "acks": "all",
                "max.in.flight.requests.per.connection": 1,
                "compression.type": "lz4",
                "linger.ms": 0,
                "message.timeout.ms": 0,
                "message.max.bytes": LARGEST,
                "queue.buffering.max.messages": _QUEUE,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 2,
            }
        )

    @property
    def waiting(self) -> int:
        """Records that Kafka has not acknowledged."""
        return self.sent - self.safe

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        partition: int,
        key: bytes | None = None,
        on_safe: Callable[[], None] | None = None,
    ) -> None:
        """Hand a record over; `on_safe` is called by a later `poll` or `flush`, once Kafka has it, one at a time.

        Raises:
            UnavailableError: If too much waits already.
        """

        def delivered(error: KafkaError | None, message: Message) -> None:
            with self._lock:  # whoever polls or flushes, in whichever thread
                self.safe += 1
                if error is not None:
                    self._refused = self._refused or f"Kafka refused a record of {topic}: {error.str()}"
                elif message.offset() is None:
                    self._refused = self._refused or f"Kafka does not say where a record of {topic} stands"
                elif on_safe is not None:
                    on_safe()

        try:
            self._producer.produce(topic, value, key, partition=partition, on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            raise UnavailableError(f"a record for {topic} cannot be sent to Kafka: {error}") from error
        self.sent += 1

    def poll(self, wait_s: float = 0.0) -> None:
        """Learn what is safe by now.

        Raises:
            UnavailableError: If Kafka refused something for good.
        """
        self._producer.poll(wait_s)
        if self._refused is not None:
            raise UnavailableError(self._refused)

    def flush(self, wait_s: float) -> bool:
        """Wait until everything is safe; False if it is not in time.

        Raises:
            UnavailableError: If Kafka refused something for good.
        """
        left = self._producer.flush(wait_s)
        if self._refused is not None:
            raise UnavailableError(self._refused)
        return left == 0
