"""The role `delivery`: alerts out of Kafka to the dispatch core, by the outbox and the sink of the one machine."""

import logging
import os
import signal
import threading

from alerts.sinks.http import Delivery
from alerts.store import AlertStore
from alerts.stored import Durability
from core.errors import ConfigError
from runtime.alone import alone_in
from runtime.config import Config
from runtime.ending import Ending, end_when_a_thread_breaks
from runtime.latency import LatencyLog
from runtime.ops import OpsServer, Status
from runtime.outside import make_delivery, make_feedback
from runtime.stream.access import access
from runtime.stream.inbox import Inbox, Positions
from runtime.stream.topics import Topics, ensure_topics
from runtime.supervisor import announce

log = logging.getLogger("scenewatch.stream")


def run(config: Config) -> None:
    """Deliver until SIGTERM. One of these at a time: it keeps the order of a place.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If Kafka or the disk cannot be had.
    """
    stream = config.stream
    kafka = access(stream, "delivery")
    if config.dispatch.url is None:
        raise ConfigError("dispatch.url: there is nobody to deliver to; name an address, or start the role hub as well")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ending, stop = Ending(signal.SIGTERM), threading.Event()
    topics = Topics(stream.prefix, stream.partitions)
    ensure_topics(kafka, topics, replication=stream.replication, keep_ms=stream.keep)
    held = alone_in(config.data.dir)
    store = AlertStore(config.data.dir / "alerts.db", Durability(config.journal.durability))
    latency = LatencyLog()
    sink = make_delivery(config, store, stop, latency)
    assert sink is not None  # noqa: S101 - there is an address
    inbox = Inbox(kafka, topics, store, Positions(config.data.dir / "alerts-positions.json"), sink.wake)
    ops = OpsServer(
        config.pipeline.host,
        stream.delivery_port,
        lambda: status(store, inbox, sink, latency),
    )
    verdicts = make_feedback(
        config,
        lambda said: store.judge(said) if said.verdict is not None else None,
        0,  # what is known already changes nothing
        stop,
    )
    assert verdicts is not None  # noqa: S101 - the same
    broken = end_when_a_thread_breaks(ending.set)
    sink.start()
    verdicts.start()
    announce({"status": ops.address, "to": config.dispatch.url})
    try:
        inbox.run(ending)
    finally:
        stop.set()
        sink.stop()
        verdicts.stop()
        ops.close()
        store.close()
        held.close()
    if broken:
        raise broken[0]


def status(store: AlertStore, inbox: Inbox, sink: Delivery, latency: LatencyLog) -> Status:
    """What it does, in numbers."""
    counts = store.counts()
    return {
        "alerts": counts["alerts"],
        "active": counts["open"],
        "cases": counts["with_task"],
        "outbox": counts["waiting"],
        "parked": counts["parked"],
        "pid": os.getpid(),
        **inbox.status(),
        "delivery_error": sink.last_error,
        "latency_ms": latency.summary(),
        "latency_totals": latency.totals(),
    }
