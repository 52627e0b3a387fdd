"""The topics: what they are called, and that they are there as they have to be."""

from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from core.errors import ConfigError, UnavailableError
from runtime.stream.access import Address, access_of, why

_WAIT_S = 15.0
_STATE_BYTES = 64 << 20
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Topics:
    """Names under one prefix.

    Attributes:
        prefix: In front of each.
        partitions: Of `readings`, `state` and `alerts`.
    """

    prefix: str
    partitions: int

    @property
    def readings(self) -> str:
        """The journal: what bridges took in, in order within a partition."""
        return f"{self.prefix}.readings"

    @property
    def state(self) -> str:
        """States of the slices, by partition; compacted."""
        return f"{self.prefix}.state"

    @property
    def alerts(self) -> str:
        """Changes of alerts, keyed by place."""
        return f"{self.prefix}.alerts"

    @property
    def plan(self) -> str:
        """Scenes and devices by version; compacted, one partition."""
        return f"{self.prefix}.plan"


def ensure_topics(address: Address, topics: Topics, *, replication: int, keep_ms: int) -> None:
    """Make the topics that are not there.

    Args:
        address: How Kafka is reached.
        topics: What they are called.
        replication: Copies of each record.
        keep_ms: How long readings and alerts stay.

    Raises:
        UnavailableError: If Kafka cannot be reached or refuses.
        ConfigError: If they are there with another number of partitions.
    """
    errors: list[KafkaError] = []
    settings: dict[str, Any] = {**access_of(address).client(), "error_cb": errors.append, "log_level": 0}
    admin = AdminClient(settings)
    try:
        there = admin.list_topics(timeout=_WAIT_S).topics
    except KafkaException as error:
        admin.poll(0)  # what it was told meanwhile
        words = why(errors) or error.args[0].str()
        raise UnavailableError(f"Kafka does not answer at {address}: {words}") from error
    for name in (topics.readings, topics.state, topics.alerts):
        if name in there and len(there[name].partitions) != topics.partitions:
            raise ConfigError(
                f"stream.partitions: {name} has {len(there[name].partitions)} partitions and not {topics.partitions}; "
                "a place stays in its partition, so take that number, or another stream.prefix"
            )
    missing = [topic for topic in _wanted(topics, replication, keep_ms) if topic.topic not in there]
    if not missing:
        return
    for name, future in admin.create_topics(missing, operation_timeout=_WAIT_S).items():
        try:
            future.result(_WAIT_S)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # another process was first
                raise UnavailableError(f"Kafka does not make the topic {name}: {error.args[0].str()}") from error


def _wanted(topics: Topics, replication: int, keep_ms: int) -> list[NewTopic]:
    log = {"cleanup.policy": "delete", "retention.ms": str(keep_ms)}
    kept = {"cleanup.policy": "compact", "segment.ms": str(_HOUR_MS), "max.message.bytes": str(_STATE_BYTES)}
    durable = {"min.insync.replicas": str(max(1, replication - 1)), "unclean.leader.election.enable": "false"}
    return [
        NewTopic(name, partitions, replication, config={**config, **durable})
        for name, partitions, config in (
            (topics.readings, topics.partitions, log),
            (topics.state, topics.partitions, kept),
            (topics.alerts, topics.partitions, log),
            (topics.plan, 1, kept),
        )
    ]
