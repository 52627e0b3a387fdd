"""The pipeline: one loop from the socket to the outbox.

Take what the socket has, make it durable, acknowledge it, decide, make the alerts durable, wake the delivery; loop.
Batches grow by themselves under load and stay at one message when it is quiet; there is no timer in the hot path.
"""

import contextlib
import gc
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from alerts.event import Feedback
from alerts.store import AlertStore
from core.clock import ManualClock, SystemClock, rfc3339, wall_ns
from core.reading import ReadingBatch
from ingest.clocks import Clocks
from ingest.codec import ClockTick, GatewayState
from ingest.decoder import Decoder, ProtocolBreach, Taken
from ingest.journal import (
    Journal,
    Kind,
    Listening,
    encode_batch,
    encode_clock,
    encode_gateway,
    encode_listening,
)
from ingest.rejected import Reason, Rejected, RejectionLog
from ingest.session import Session
from ingest.tap import Tap
from ingest.unknown import UnknownDevices
from runtime.chain import Chain
from runtime.device_clocks import clocks_of, with_clocks
from runtime.device_list import DeviceShelf
from runtime.device_watch import DeviceChange
from runtime.door import Door
from runtime.edge_nodes import Edges
from runtime.journal_keep import JournalKeep
from runtime.ops import Status
from runtime.recovery import encode_devices, encode_expect, encode_feedback, encode_resume, encode_rules
from runtime.rules import RuleShelf
from runtime.snapshots import Snapshots
from thresholds.compiler import Refused
from thresholds.scene_set import SceneSet

log = logging.getLogger("scenewatch.pipeline")

_IDLE_S = 0.5
_NOTICES_PER_STEP = 20
_CALENDAR_NOTICE_MS = 60 * 86_400_000
_STILL_MS = 10_000


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """What the loop itself has to know.

    Attributes:
        max_ahead_ms: Event times further in the future than this are refused.
        max_pack: Most readings of one pack.
        clock_tolerance_ms: Event times further from their arrival say something about the device's clock.
        snapshot_every_ms: Longest time between two snapshots.
        recording: The readings bring their own clock.
    """

    max_ahead_ms: int = 300_000
    max_pack: int = 10_000
    clock_tolerance_ms: int = 60_000
    snapshot_every_ms: int = 30_000
    recording: bool = False


class Pipeline:
    """Owns the loop; everything it works on is given, open and recovered."""

    def __init__(
        self,
        options: LoopOptions,
        *,
        session: Session,
        door: Door,
        journal: Journal,
        keep: JournalKeep,
        chain: Chain,
        store: AlertStore,
        snapshots: Snapshots,
        shelf: RuleShelf,
        device_shelf: DeviceShelf,
        unknown: UnknownDevices,
        edges: Edges,
        deliver: Callable[[], None],
        wake_fds: tuple[int, int],
        on_ready: Callable[[], None],
    ) -> None:
        self._options = options
        self._on_ready: Callable[[], None] | None = on_ready
        self._session = session
        self._door = door
        self._journal = journal
        self._keep = keep
        self._heard = 0
        self._noted_seq = 0
        self._next_still = 0
        self._chain = chain
        self._store = store
        self._snapshots = snapshots
        self._shelf = shelf
        self._device_shelf = device_shelf
        self._unknown = unknown
        self._edges = edges
        self._deliver = deliver
        self._wake_read, self._wake_write = wake_fds
        self.feedback_position = chain.feedback_position
        self._clock = ManualClock() if options.recording else SystemClock()
        codec = door.codec(max_pack=options.max_pack, recording=options.recording, sparkplug=edges.sparkplug)
        self._decoder = Decoder(door.registry, codec, version5=session.options.version5, max_pack=options.max_pack)
        # A recording's readings arrive when they were taken.
        self._clocks = None if options.recording else clocks_of(door, options.clock_tolerance_ms)
        self._rejections = RejectionLog()
        self._notices: deque[tuple[str, bytes]] = deque(maxlen=1000)
        self._feedback: deque[Feedback] = deque()
        self._scenes: deque[SceneSet] = deque()
        self._devices: deque[DeviceChange] = deque()
        self._stopping = False
        self._next_misc = 0
        self._next_snapshot = 0
        self._tap: Tap | None = None
        self._told_refused: set[Refused] = set()
        self._slow = 0
        self._batches = 0
        self._live = 0
        self._settled_readings = chain.readings
        self._settled_ms = 0
        self._last_batch_ns = 0

    def stop(self) -> None:
        """End the loop after the batch in hand; may be called from a signal handler or another thread."""
        self._stopping = True

    def on_feedback(self, feedback: Feedback) -> None:
        """Take what people said at the dispatch core; called by the reader's thread."""
        self._feedback.append(feedback)
        os.write(self._wake_write, b"f")

    def on_scenes(self, scenes: SceneSet) -> None:
        """Let other scenes decide from the next moment on; called by the thread that watches the files."""
        self._scenes.append(scenes)
        os.write(self._wake_write, b"s")

    def on_devices(self, change: DeviceChange) -> None:
        """Let another device list hold from the next moment on; called by the thread that watches the file."""
        self._devices.append(change)
        os.write(self._wake_write, b"d")

    def run(self) -> None:
        """Loop until `stop`; the state is snapshotted at the end.

        Raises:
            ConfigError: If the broker refuses us for good.
            UnavailableError: If the journal cannot be written.
        """
        warm_up(self._decoder, self._chain)
        gc.collect()
        gc.freeze()
        while not self._stopping:
            now = self._clock.now_ms()
            if self._session.step(self._wait_s(now)):
                self._take_all()
                self._tell_ready()
            self._note_listening()
            self._drain_feedback()
            self._switch_scenes()
            self._switch_devices()
            self._pass_time()
            self._housekeeping()
        self._snapshot(wait=True)
        self._session.close()

    def status(self) -> Status:
        """What the loop has done so far, in numbers; safe to call from another thread."""
        chain = self._chain
        return {
            "connected": self._session.connected,
            "readings": self._settled_readings,
            "repeated": chain.sequencer.repeated,
            "late": chain.sequencer.late,
            "rejected": dict(self._rejections.counts),
            "decisions": chain.engine.decisions,
            "transitions": chain.transitions,
            "feeds": len(self._door.registry),
            "barred": self._door.barred,
            "edge_nodes": len(self._edges),
            "devices": len(self._door.known.devices),
            "device_list": self._door.known.version,
            "batches": self._batches,
            "slow": self._slow,
            "reconnects": self._session.reconnects,
            "resumed": self._session.resumed,
            "journal_seq": self._journal.last_seq,
            "unarchived_dropped": self._keep.unarchived_dropped,
            "clock_ms": self._settled_ms,
            "live_readings": self._live,
            "last_batch_ns": self._last_batch_ns,
            "cpu_s": time.process_time(),
            "pid": os.getpid(),
        }

    def _tell_ready(self) -> None:
        """Say once that the subscriptions stand: what is published at QoS 1 from now on is not lost."""
        if self._on_ready is not None and self._session.subscribed:
            self._on_ready()
            self._on_ready = None

    def _wait_s(self, now_ms: int) -> float:
        due = self._chain.next_timer()
        if due is None or self._options.recording or not self._session.connected:
            return _IDLE_S
        return min(_IDLE_S, max(due - now_ms, 1) / 1000)

    def _take_all(self) -> None:
        tap = self._session.tap
        if tap is not None and tap is not self._tap:
            self._tap = tap
            self._resume()
        while tap is not None:
            arrival = self._clock.now_ns()
            latest = (1 << 62) if self._options.recording else arrival // 1_000_000 + self._options.max_ahead_ms
            self._edges.before(self._session)
            try:
                taken = self._decoder.take(tap.data, tap.start, tap.end, arrival=arrival, latest_ms=latest)
            except ProtocolBreach as breach:
                self._session.breach(str(breach))
                return
            tap.consumed_to(taken.consumed)
            others, taken.others = taken.others, b""
            if others and not self._session.connected:
                # The answer to our CONNECT may come in one piece with what the broker kept: it was there first.
                tap.put_aside(others)
                self._session.read_control()
                others = b""
            self._commit(taken)
            if others:
                tap.put_aside(others)
                self._session.read_control()
            if taken.complete:
                return

    def _commit(self, taken: Taken) -> None:
        """Journal, acknowledge, decide: in this order."""
        self._note_listening()
        self._batches += 1
        self._live += sum(len(entry) for entry in taken.entries if isinstance(entry, ReadingBatch))
        self._slow += taken.slow
        if self._clocks is not None:
            taken.entries = with_clocks(self._clocks, self._door, taken, self._clock.now_ns())
        self._door.persist()
        if self._options.recording:
            taken.entries = [self._on_recording_clock(entry) for entry in taken.entries]
        self._journal.append([_encode(entry) for entry in taken.entries])
        self._edges.keep(self._edges.take_changed())
        self._session.acknowledge(taken.acks)
        self._edges.answer(taken, self._session, self._clock.now_ms())
        received = wall_ns() if self._options.recording else None
        for entry in taken.entries:
            if isinstance(entry, ReadingBatch):
                changes = self._chain.on_batch(entry, received_ns=received)
            elif isinstance(entry, GatewayState):
                changes = self._chain.on_gateway(entry)
            else:
                changes = self._chain.on_clock(entry)
            self._write(changes)
        # Told only now: whoever waits for these may look at alerts and outbox at once.
        self._settled_readings, self._settled_ms = self._chain.readings, self._clock.now_ms()
        self._last_batch_ns = wall_ns()
        for rejected in taken.rejected:
            self._refuse(rejected)

    def _refuse(self, rejected: Rejected) -> None:
        now = self._clock.now_ms()
        notice = self._rejections.take(rejected, now)
        if notice is not None:
            self._notices.append((f"sw/v1/out/rejected/{rejected.gateway}", notice))
        if rejected.reason is Reason.UNKNOWN_DEVICE and rejected.reading is not None:
            self._unknown.note(rejected.gateway, *rejected.reading, now)

    def _on_recording_clock(
        self, entry: ReadingBatch | GatewayState | ClockTick
    ) -> ReadingBatch | GatewayState | ClockTick:
        """The same entry, arrived when the recording's clock had come to it."""
        assert isinstance(self._clock, ManualClock)  # noqa: S101 - set so in __init__
        now = self._clock.now_ms()
        if isinstance(entry, ReadingBatch):
            arrival_ms = np.maximum(np.maximum.accumulate(entry.event_time), now)
            self._clock.advance_to_ms(int(arrival_ms[-1]))
            return ReadingBatch(entry.feed, entry.event_time, entry.value, arrival_ms * 1_000_000, entry.quality)
        if isinstance(entry, GatewayState):
            return GatewayState(entry.gateway, online=entry.online, at_ms=now)
        self._clock.advance_to_ms(entry.at_ms)
        return entry

    def _drain_feedback(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        while self._feedback:
            feedback = self._feedback.popleft()
            now = self._clock.now_ms()
            self._journal.append([encode_feedback(feedback, now)])
            self._write(self._chain.on_feedback(feedback, now))
            if feedback.verdict is not None:
                self._store.judge(feedback)

    def _switch_scenes(self) -> None:
        while self._scenes:
            scenes = self._scenes.popleft()
            self._shelf.keep(scenes)
            self._journal.append([encode_rules(scenes.version)])
            self._write(self._chain.switch(scenes))
            self._expect()

    def _switch_devices(self) -> None:
        while self._devices:
            change = self._devices.popleft()
            door, version = self._door, change.known.version
            feeds = change.feeds + door.feeds_of(change.names, change.looked, len(door.registry))
            self._journal.append([encode_devices(version)])
            self._write(self._chain.switch_devices(version, door.switch(change.known, feeds)))
            door.admit(feeds)
            self._edges.on_devices()
            self._unknown.forget(change.known.devices.__contains__)
            self._device_shelf.cease(version, self._journal.last_seq)

    def _resume(self) -> None:
        """A new connection: what was sent meanwhile comes now, so delays go on from here and do not end at once."""
        now = self._clock.now_ms()
        self._journal.append([encode_resume(now)])
        self._edges.on_connection(now)
        self._chain.on_resume(now)
        self._expect()

    def _expect(self) -> None:
        """Let absence count from now on for listed devices that were never heard; a recording lists nobody."""
        if self._options.recording:
            return
        self._door.expect()
        self._door.persist()
        feeds = self._chain.engine.unexpected()
        if len(feeds):
            now = self._clock.now_ms()
            self._journal.append([encode_expect(feeds, now)])
            self._chain.on_expect(feeds, now)
        ends = self._chain.engine.calendar_ends_ms
        if ends is not None and self._clock.now_ms() > ends - _CALENDAR_NOTICE_MS:
            day = rfc3339(ends)[:10]
            log.warning(
                "the working calendar ends at %s: update chinesecalendar; from then on people work Monday to Friday",
                day,
            )
        for refused in self._chain.engine.refused:
            if refused not in self._told_refused:
                self._told_refused.add(refused)
                log.warning("%s", refused)

    def _note_listening(self) -> None:
        """Write down that a new connection stands, before the first reading over it."""
        if self._session.reconnects != self._heard and self._session.connected:
            self._heard = self._session.reconnects
            kept = self._session.resumed and self._session.options.qos > 0
            how = Listening.KEPT if kept else Listening.NEW
            self._noted_seq = self._journal.append([encode_listening(self._clock.now_ms(), how)])

    def _note_still_listening(self, now: int) -> None:
        """Write down, where nothing else is written, that the sensors are silent and not we deaf."""
        if now < self._next_still or self._options.recording:
            return
        self._next_still = now + _STILL_MS
        if self._session.connected and self._journal.last_seq == self._noted_seq:
            self._journal.append([encode_listening(self._clock.now_ms(), Listening.STILL)])
        self._noted_seq = self._journal.last_seq

    def _pass_time(self) -> None:
        """Let delays end by time; without a connection nobody knows what the readings say, so nothing ends then."""
        now = self._clock.now_ms()
        due = self._chain.next_timer()
        if due is not None and due <= now and self._session.connected:
            tick = ClockTick(now)
            self._journal.append([encode_clock(tick)])
            self._write(self._chain.on_clock(tick))

    def _write(self, changes: list[Any]) -> None:
        """Make durable what followed, the ledger behind the alerts; a replay finds whichever of them was lost."""
        if changes:
            self._store.write(changes)
        ledger = self._chain.take_ledger()
        if ledger:
            self._store.tell(ledger)
        if changes or ledger:
            self._deliver()

    def _housekeeping(self) -> None:
        now = wall_ns() // 1_000_000
        if now < self._next_misc:
            return
        self._next_misc = now + 1000
        self._session.misc()
        self._edges.ask(self._session, self._clock.now_ms())
        self._note_still_listening(now)
        for _ in range(min(len(self._notices), _NOTICES_PER_STEP)):
            self._session.publish(*self._notices.popleft())
        if now >= self._next_snapshot:
            self._next_snapshot = now + self._options.snapshot_every_ms
            self._snapshot(wait=False)

    def _snapshot(self, *, wait: bool) -> None:
        seq = self._journal.last_seq
        if seq > self._snapshots.written_seq:
            behind = [*self._journal.unsynced(), self._store.path]
            self._snapshots.write(seq, self._chain.snapshot(), behind=behind, wait=wait)
        if self._snapshots.written_seq:
            self._device_shelf.drop_before(self._snapshots.oldest_seq())
            self._keep.drop(self._snapshots.written_seq + 1, wall_ns() / 1e9)


def warm_up(decoder: Decoder, chain: Chain) -> None:
    """Have every kernel compiled, or loaded, by readings that are none: on a new machine that takes seconds.

    The first readings would wait for it, and the alerts among them.
    """
    decoder.warm_up()
    Clocks.warm_up()
    chain.on_batch(ReadingBatch.of([], [], []))
    chain.next_timer()


def _encode(entry: ReadingBatch | GatewayState | ClockTick) -> tuple[Kind, bytes]:
    if isinstance(entry, ReadingBatch):
        return encode_batch(entry)
    if isinstance(entry, GatewayState):
        return encode_gateway(entry)
    return encode_clock(entry)
