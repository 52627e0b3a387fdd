"""The role `pipeline`: opens what the loop works on, recovers, and runs it."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict

from alerts.sinks.http import Delivery
from core.errors import UnavailableError
from history.ledger import archived_seq
from ingest.session import Session
from ingest.sparkplug import state_of, topics_of
from runtime.alone import alone_in
from runtime.config import Config
from runtime.device_watch import DeviceWatch
from runtime.door import TOPICS
from runtime.ending import end_when_a_thread_breaks
from runtime.journal_keep import JournalKeep
from runtime.latency import LatencyLog
from runtime.ops import OpsServer, Status
from runtime.outside import make_delivery, make_feedback, session_options
from runtime.pipeline import LoopOptions, Pipeline
from runtime.pipeline_parts import Parts, open_parts
from runtime.scene_watch import SceneWatch
from runtime.supervisor import announce

log = logging.getLogger("scenewatch.pipeline")

_RECORDING_TOPICS = (*TOPICS, "sw/v1/+/clock")
_KEEP_S = 1.0
_SWITCH_S = 0.0002
_NEWEST = 20


def run(config: Config) -> None:
    """Recover and run until SIGTERM.

    Raises:
        ConfigError: If something given is wrong.
        UnavailableError: If something needed cannot be had.
        DataLossError: If durable data cannot be read.
    """
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    held = alone_in(config.data.dir)
    # The loop and the delivery share one interpreter: at the usual 5 ms an alert would wait for it several times.
    sys.setswitchinterval(_SWITCH_S)
    parts = open_parts(config)
    latency = LatencyLog()
    delivery = make_delivery(config, parts.store, stop, latency)
    pipeline = _loop(
        config,
        parts,
        deliver=delivery.wake if delivery else lambda: None,
        on_ready=lambda: announce({"status": ops.address, "scenes": len(parts.chain.engine.scenes.scenes)}),
    )
    signal.signal(signal.SIGTERM, lambda *_: pipeline.stop())
    broken = end_when_a_thread_breaks(pipeline.stop)
    version = parts.chain.engine.scenes.version
    scenes = SceneWatch(parts.paths, parts.types, config.scenes.metrics, parts.cases, version, pipeline.on_scenes, stop)
    devices = DeviceWatch(
        config.ingest.devices, parts.types, parts.door, parts.device_shelf, pipeline.on_devices, stop,
        seen=parts.device_mark,
    )  # fmt: skip
    ops = OpsServer(
        config.pipeline.host,
        config.pipeline.http_port,
        lambda: {
            **_status(pipeline, parts, delivery, latency),
            "findings": [*map(str, scenes.findings), *devices.findings],
        },
    )
    reader = make_feedback(config, pipeline.on_feedback, pipeline.feedback_position, stop)
    keeper = threading.Thread(target=_keep, args=(parts, stop), name="keeper", daemon=True)
    for thread in (delivery, reader, keeper, scenes, devices):
        if thread is not None:
            thread.start()
    try:
        pipeline.run()
    finally:
        stop.set()
        for sink in (delivery, reader):
            if sink is not None:
                sink.stop()
        keeper.join(1.0)
        ops.close()
        parts.close()
        held.close()
    if broken:
        raise broken[0]


def _loop(config: Config, parts: Parts, *, deliver: Callable[[], None], on_ready: Callable[[], None]) -> Pipeline:
    """The loop over what is open."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    recording = config.pipeline.clock == "recording"
    sparkplug = config.sparkplug.enabled and not recording
    host_id = config.sparkplug_host() if sparkplug else ""
    session = Session(
        session_options(config, host_id=host_id),
        _RECORDING_TOPICS if recording else TOPICS,
        optional=[*topics_of("+"), *state_of(host_id)] if sparkplug else (),
        wake_fd=wake_read,
    )
    return Pipeline(
        LoopOptions(
            max_ahead_ms=config.ingest.max_ahead,
            max_pack=config.ingest.max_pack,
            clock_tolerance_ms=config.ingest.clock_tolerance,
            snapshot_every_ms=config.pipeline.snapshot_every,
            recording=recording,
        ),
        session=session,
        door=parts.door,
        journal=parts.journal,
        keep=JournalKeep(
            parts.journal,
            keep_ms=config.journal.keep,
            keep_bytes=config.journal.keep_mib << 20,
            archived=_archived(config),
            unarchived_bytes=config.history.waiting_mib << 20,
        ),
        chain=parts.chain,
        store=parts.store,
        snapshots=parts.snapshots,
        shelf=parts.shelf,
        device_shelf=parts.device_shelf,
        unknown=parts.unknown,
        edges=parts.edges,
        deliver=deliver,
        wake_fds=(wake_read, wake_write),
        on_ready=on_ready,
    )


def _archived(config: Config) -> Callable[[], int] | None:
    """Asks up to which journal entry history has it; None where there is no history."""
    folder = config.history.dir
    return None if config.history.kind == "none" or folder is None else lambda: archived_seq(folder)


def _keep(parts: Parts, stop: threading.Event) -> None:
    while not stop.wait(_KEEP_S):
        with contextlib.suppress(UnavailableError):  # a full disk: the loop says so at its next alert
            parts.store.checkpoint()
        parts.unknown.write()


def _status(pipeline: Pipeline, parts: Parts, delivery: Delivery | None, latency: LatencyLog) -> Status:
    # In this order: what the loop says it has settled is in the store when the store is asked.
    loop = pipeline.status()
    counts = parts.store.counts()
    stage = parts.chain.alerts
    return {
        **loop,
        "alerts": counts["alerts"],
        "active": counts["open"],
        "pending": stage.pending_count,
        "cases": counts["with_task"],
        "outbox": counts["waiting"],
        "parked": counts["parked"],
        "shadow": dict(stage.shadow_opened),
        "feedback": parts.chain.feedback_position,
        "kept_back": parts.chain.gate.kept_back,
        "gate": dict(parts.chain.gate.counts),
        "delivery_error": delivery.last_error if delivery else None,
        "latency_ms": latency.summary(),
        "latency_totals": latency.totals(),
        "rules": parts.chain.engine.scenes.version,
        "unknown": {
            "devices": len(parts.unknown),
            "dropped": parts.unknown.dropped,
            "newest": [asdict(seen) for seen in parts.unknown.newest(_NEWEST)],
        },
    }
