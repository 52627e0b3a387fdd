"""The bridge: one loop from the MQTT socket to Kafka, which is the journal here.

Take what the socket has, sort it by partition, send a round of records, go on reading; acknowledge to the broker what
Kafka has acknowledged, in order. It decides nothing.
"""

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from alerts.event import Feedback
from core.clock import SystemClock
from core.errors import UnavailableError
from core.reading import ReadingBatch, is_derived
from ingest.codec import ClockTick
from ingest.decoder import Decoder, ProtocolBreach, Taken
from ingest.journal import Listening, encode_clock, encode_listening
from ingest.rejected import Reason, Rejected, RejectionLog
from ingest.session import Session
from ingest.tap import Tap
from ingest.unknown import UnknownDevices
from runtime.device_clocks import clocks_of, with_clocks
from runtime.device_watch import DeviceChange
from runtime.door import Door
from runtime.edge_nodes import Edges
from runtime.ops import Status
from runtime.recovery import encode_devices, encode_feedback, encode_resume, encode_rules
from runtime.stream.outgoing import Outgoing
from runtime.stream.places import AreaBy, shortsighted, torn
from runtime.stream.plan import devices_record, devices_version, scenes_record
from runtime.stream.publisher import Publisher
from runtime.stream.rounds import Rounds
from runtime.stream.topics import Topics
from thresholds.scene_set import SceneSet

log = logging.getLogger("scenewatch.stream")

_IDLE_S = 0.5
_NOTICES_PER_STEP = 20
_MOST_ROWS = 2_000_000
_MOST_ROUNDS = 256
_FULL_ROWS = 16_384
_PLAN_S = 30.0
_STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """What the loop has to know.

    Attributes:
        max_ahead_ms: Event times further in the future than this are refused.
        clock_tolerance_ms: Event times further from their arrival say something about the device's clock.
        max_pack: Most readings of one pack.
        linger_ms: Least time between two rounds.
        tick_ms: A partition that got nothing for so long is told the time.
        leads: Whether it says what everybody has to know: the time, scenes, devices.
        by: What keeps devices together in one partition.
    """

    max_ahead_ms: int = 300_000
    clock_tolerance_ms: int = 60_000
    max_pack: int = 10_000
    linger_ms: int = 20
    tick_ms: int = 500
    leads: bool = True
    by: AreaBy = "town"


class Bridge:
    """Owns the loop; everything it works on is given and open.

    Attributes:
        findings: Why the scenes that are in the files now do not decide.
    """

    def __init__(
        self,
        options: BridgeOptions,
        topics: Topics,
        *,
        session: Session,
        door: Door,
        outgoing: Outgoing,
        publisher: Publisher,
        unknown: UnknownDevices,
        edges: Edges,
        csv_of: Callable[[str], bytes],
        wake_fds: tuple[int, int],
        on_ready: Callable[[], None],
        on_said_safe: Callable[[int], None],
    ) -> None:
        self.findings: list[str] = []
        self._options = options
        self._topics = topics
        self._session = session
        self._door = door
        self._outgoing = outgoing
        self._publisher = publisher
        self._unknown = unknown
        self._edges = edges
        self._csv_of = csv_of
        self._wake_read, self._wake_write = wake_fds
        self._on_ready: Callable[[], None] | None = on_ready
        self._on_said_safe = on_said_safe
        self._clock = SystemClock()
        codec = door.codec(max_pack=options.max_pack, sparkplug=edges.sparkplug)
        version5 = session.options.version5
        self._decoder = Decoder(door.registry, codec, version5=version5, max_pack=options.max_pack)
        self._clocks = clocks_of(door, options.clock_tolerance_ms)
        self._rejections = RejectionLog()
        self._notices: deque[tuple[str, bytes]] = deque(maxlen=1000)
        self._feedback: deque[Feedback] = deque()
        self._scenes: deque[SceneSet] = deque()
        self._devices: deque[DeviceChange] = deque()
        self._rounds = Rounds()
        self._acks = b""
        self._told_ms = [0] * topics.partitions
        self._alive_ms = 0
        self._heard = 0
        self._next_round_ms = 0
        self._next_misc_ms = 0
        self._tap: Tap | None = None
        self._stopping = False
        self._readings = 0
        self._said = 0
        self._rules = ""
        self._failure: UnavailableError | None = None
        self._poller = threading.Thread(target=self._poll, name="kafka", daemon=True)

    def stop(self) -> None:
        """End the loop after what is in hand; may be called from a signal handler or another thread."""
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

    def open(self, scenes: SceneSet | None) -> None:
        """Begin; who leads says in every partition which devices are known, and which scenes decide unless None.

        Raises:
            UnavailableError: If Kafka does not take it.
        """
        self._poller.start()
        self._decoder.warm_up()
        self._clocks.warm_up()
        if not self._options.leads:
            return
        self._tell_devices(self._door.known.version)
        if scenes is not None:
            self._switch(scenes)
        self._send_round()

    def run(self) -> None:
        """Loop until `stop`.

        Raises:
            ConfigError: If the MQTT broker refuses us for good.
            UnavailableError: If Kafka refuses us for good.
        """
        while not self._stopping:
            self._step()
            if self._failure is not None:
                raise self._failure
        self._send_round()
        deadline = time.monotonic() + _STOP_S
        while self._rounds and time.monotonic() < deadline:
            self._acknowledge()
            self._stand()
        self._acknowledge()
        self._session.close()

    def status(self) -> Status:
        """What the loop has done so far, in numbers; safe to call from another thread."""
        return {
            "connected": self._session.connected,
            "readings": self._readings,
            "rejected": dict(self._rejections.counts),
            "feeds": len(self._door.registry),
            "reconnects": self._session.reconnects,
            "published": self._publisher.safe,
            "waiting": self._publisher.waiting,
            "rules": self._rules,
            "edge_nodes": len(self._edges),
            "devices": len(self._door.known.devices),
            "unknown": {"devices": len(self._unknown), "dropped": self._unknown.dropped},
            "pid": os.getpid(),
        }

    def _step(self) -> None:
        now = self._clock.now_ms()
        if self._rounds.rows + self._outgoing.rows > _MOST_ROWS or len(self._rounds) >= _MOST_ROUNDS:
            self._stand()  # Kafka is away or slow: the broker keeps what comes
        elif self._session.step(self._wait_s(now)):
            self._take_all()
            if self._on_ready is not None and self._session.subscribed:
                self._on_ready()
                self._on_ready = None
        self._note_listening()
        self._drain()
        now = self._clock.now_ms()
        self._tick(now)
        if now >= self._next_round_ms or self._outgoing.rows >= _FULL_ROWS:
            self._send_round()
        self._acknowledge()
        self._housekeeping(now)

    def _stand(self) -> None:
        threading.Event().wait(0.01)

    def _wait_s(self, now_ms: int) -> float:
        moments = []
        if len(self._outgoing) or self._acks:
            moments.append(self._next_round_ms)
        if self._options.leads and self._session.connected:
            moments.append(min(self._told_ms) + self._options.tick_ms)
        return min([_IDLE_S, *(max(moment - now_ms, 0) / 1000 for moment in moments)])

    def _take_all(self) -> None:
        tap = self._session.tap
        if tap is not None and tap is not self._tap:
            self._tap = tap
            self._resume()
        while tap is not None:
            arrival = self._clock.now_ns()
            self._alive_ms = arrival // 1_000_000
            latest = self._alive_ms + self._options.max_ahead_ms
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
            self._keep(taken)
            if others:
                tap.put_aside(others)
                self._session.read_control()
            if taken.complete:
                return
            self._send_round()

    def _keep(self, taken: Taken) -> None:
        self._note_listening()
        entries = with_clocks(self._clocks, self._door, taken, self._clock.now_ns())
        self._door.persist()
        for entry in entries:
            self._outgoing.add(entry)
            if isinstance(entry, ReadingBatch) and not is_derived(entry):
                self._readings += len(entry)
        self._acks += taken.acks
        self._edges.answer(taken, self._session, self._clock.now_ms())
        for rejected in taken.rejected:
            self._refuse(rejected)

    def _refuse(self, rejected: Rejected) -> None:
        now = self._clock.now_ms()
        notice = self._rejections.take(rejected, now)
        if notice is not None:
            self._notices.append((f"sw/v1/out/rejected/{rejected.gateway}", notice))
        if rejected.reason is Reason.UNKNOWN_DEVICE and rejected.reading is not None:
            self._unknown.note(rejected.gateway, *rejected.reading, now)

    def _resume(self) -> None:
        """A new connection: time has passed to the end of the last one; delays go on from here."""
        self._rounds.forget_acks()
        self._acks = b""
        if self._alive_ms:
            self._outgoing.add_to_all(encode_clock(ClockTick(self._alive_ms)))
        self._outgoing.add_to_all(encode_resume(self._clock.now_ms()))
        self._edges.on_connection(self._clock.now_ms())

    def _note_listening(self) -> None:
        """Say in every partition that a new connection stands: history tells a hole from silence by it."""
        session = self._session
        if not self._options.leads or session.reconnects == self._heard or not session.connected:
            return
        self._heard = session.reconnects
        kept = session.resumed and session.options.qos > 0
        how = Listening.KEPT if kept else Listening.NEW
        self._outgoing.add_to_all(encode_listening(self._clock.now_ms(), how))

    def _send_round(self) -> None:
        rows = self._outgoing.rows
        records = self._outgoing.take()
        if not records and not self._acks:
            return
        now = self._clock.now_ms()
        self._next_round_ms = now + self._options.linger_ms
        topic = self._topics.readings
        done = self._rounds.begin(len(records), self._acks, rows, self._said, self._edges.take_changed())
        self._acks = b""
        for number, record in records:
            self._told_ms[number] = now
            self._publisher.send(topic, record, partition=number, on_safe=done)

    def _acknowledge(self) -> None:
        said = self._rounds.said
        acks = self._rounds.release()
        if self._rounds.said > said:
            self._on_said_safe(self._rounds.said)
        self._edges.keep(self._rounds.take_kept())
        if acks and self._session.tap is self._tap:
            self._session.acknowledge(acks)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        while self._feedback:
            feedback = self._feedback.popleft()
            self._outgoing.add_to_all(encode_feedback(feedback, self._clock.now_ms()))
            self._said = feedback.seq
        while self._devices:
            self._switch_devices(self._devices.popleft())
        while self._scenes:
            scenes = self._scenes.popleft()
            self.findings = list(torn(scenes, self._door.known.devices.values(), self._options.by))
            for line in self.findings:
                log.warning("%s; version %s goes on running", line, self._rules)
            if not self.findings:
                self._switch(scenes)

    def _switch(self, scenes: SceneSet) -> None:
        """Distribute scenes, then say in every partition that they decide: time passes there to the same moment."""
        for line in shortsighted(scenes, self._options.by):
            log.warning("%s", line)
        self._distribute(*scenes_record(scenes))
        self._outgoing.add_to_all(encode_clock(ClockTick(self._clock.now_ms())))
        self._outgoing.add_to_all(encode_rules(scenes.version))
        self._rules = scenes.version

    def _switch_devices(self, change: DeviceChange) -> None:
        door = self._door
        feeds = change.feeds + door.feeds_of(change.names, change.looked, len(door.registry))
        if self._options.leads:
            self._tell_devices(change.known.version)
        door.switch(change.known, feeds)
        door.admit(feeds)
        self._edges.on_devices()
        self._outgoing.forget_homes(feeds)
        self._unknown.forget(change.known.devices.__contains__)

    def _tell_devices(self, version: str) -> None:
        csv = self._csv_of(version)
        version = devices_version(version, self._options.by)
        self._distribute(*devices_record(version, csv))
        self._outgoing.add_to_all(encode_clock(ClockTick(self._clock.now_ms())))
        self._outgoing.add_to_all(encode_devices(version))

    def _distribute(self, key: bytes, value: bytes) -> None:
        self._publisher.send(self._topics.plan, value, partition=0, key=key)
        if not self._publisher.flush(_PLAN_S):
            raise UnavailableError(f"Kafka has not taken what is to be distributed for {_PLAN_S:.0f} s")

    def _tick(self, now_ms: int) -> None:
        """Let time pass where nothing comes; without a connection nobody knows what the readings say."""
        if not self._options.leads or not self._session.connected:
            return
        tick = encode_clock(ClockTick(now_ms))
        for number in self._outgoing.quiet():
            if now_ms - self._told_ms[number] >= self._options.tick_ms:
                self._outgoing.add_to(number, tick)

    def _housekeeping(self, now_ms: int) -> None:
        if now_ms < self._next_misc_ms:
            return
        self._next_misc_ms = now_ms + 1000
        self._session.misc()
        for _ in range(min(len(self._notices), _NOTICES_PER_STEP)):
            self._session.publish(*self._notices.popleft())

    def _poll(self) -> None:
        """Hear of what is safe, and wake the loop for it."""
        safe = 0
        while not self._stopping or self._rounds:
            try:
                self._publisher.poll(0.2)
            except UnavailableError as error:
                self._failure = error
            if self._publisher.safe != safe:
                safe = self._publisher.safe
                os.write(self._wake_write, b"k")
