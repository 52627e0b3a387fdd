"""The role `worker`: slices of the district under Faust."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections import Counter
from typing import Any

from city.catalogue import load_catalogue
from core.clock import wall_ns
from core.errors import ScenewatchError
from runtime.config import Config
from runtime.ops import OpsServer, Status
from runtime.stream.access import Address, access
from runtime.stream.holder import Holder, SliceOptions
from runtime.stream.plan import PlanBook
from runtime.stream.topics import Topics, ensure_topics
from runtime.stream.worker import StreamWorker
from runtime.supervisor import announce, explain

log = logging.getLogger("scenewatch.stream")

FAUST = "faust"
"""What Faust puts down lies there in the data folder; nothing is read from it."""


def run(config: Config) -> None:
    """Work until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If Kafka cannot be had, or something made it impossible to go on.
        DataLossError: If what a partition needs is not in Kafka any more.
    """
    stream = config.stream
    # Each lost connection would be a dozen lines; what has to be known is told by the worker itself.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    kafka = access(stream, "a worker")
    topics = Topics(stream.prefix, stream.partitions)
    ensure_topics(kafka, topics, replication=stream.replication, keep_ms=stream.keep)
    config.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    plan = PlanBook(load_catalogue(config.ingest.device_types), config.scenes.metrics)
    options = SliceOptions(
        stream.max_feeds, config.scenes.settle, stream.state_every, tells_ledger=config.dispatch.ledger
    )
    holder = Holder(kafka, topics, plan, options, name=f"worker-{os.getpid()}", wall_ns=wall_ns)
    holder.warm_up()
    asyncio.run(_run_or_leave(config, topics, holder, kafka))


async def _run_or_leave(config: Config, topics: Topics, holder: Holder, address: Address) -> None:
    """Work; where that has become impossible, leave at once.

    Faust's own tasks may not end when they are asked to, and a worker that hangs is worse than one started again.
    """
    try:
        await _run(config, topics, holder, address)
    except ScenewatchError as error:
        explain(error)
        sys.stderr.write(f"scenewatch worker: {error}\n")
    except Exception:
        log.exception("a bug ends this worker; another one begins where the states are")
    else:
        return
    sys.stderr.flush()
    os._exit(1)


async def _run(config: Config, topics: Topics, holder: Holder, address: Address) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = StreamWorker(
        address,
        topics,
        holder,
        data=config.data.dir / FAUST,
        session_timeout_s=config.stream.session_timeout / 1000,
        wall_ns=wall_ns,
    )
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.stop)
    ops = OpsServer(config.pipeline.host, config.stream.worker_port, lambda: status(worker, holder))
    telling = asyncio.create_task(_tell_ready(worker, ops))
    try:
        await worker.run()
    finally:
        telling.cancel()
        ops.close()


async def _tell_ready(worker: StreamWorker, ops: OpsServer) -> None:
    await worker.ready.wait()
    announce({"status": ops.address, "pid": os.getpid()})


def status(worker: StreamWorker, holder: Holder) -> Status:
    """What the worker does, in numbers."""
    slices = dict(holder.slices)
    chains = [held.chain for held in slices.values()]
    total: dict[str, Any] = {
        "connected": worker.ready.is_set(),
        "readings": sum(chain.readings for chain in chains),
        "repeated": sum(chain.sequencer.repeated for chain in chains),
        "late": sum(chain.sequencer.late for chain in chains),
        "rejected": {},
        "decisions": sum(chain.engine.decisions for chain in chains),
        "transitions": sum(chain.transitions for chain in chains),
        "feeds": sum(held.feeds for held in slices.values()),
        "active": sum(chain.alerts.open_count for chain in chains),
        "pending": sum(chain.alerts.pending_count for chain in chains),
        "kept_back": sum(chain.gate.kept_back for chain in chains),
        "gate": dict(sum((Counter(dict(chain.gate.counts)) for chain in chains), Counter())),
    }
    return {
        **total,
        "partitions": {number: held.next_offset for number, held in sorted(slices.items())},
        "records": {outcome.value: count for outcome, count in holder.outcomes.items()},
        "strangers": holder.strangers,
        "refused": worker.refused,
        "outlived": sum(held.outlived for held in slices.values()),
        "told": holder.told,
        "states": holder.states,
        "cpu_s": time.process_time(),
        "pid": os.getpid(),
    }
