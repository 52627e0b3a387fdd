"""From records of `readings` to pieces of history: merged by arrival, renumbered, sequenced, with their offsets.

Up to where history has a partition stands in its ledger, in the transaction that names the readings; so whenever the
writer dies, each record is there once. Partitions are read at different speeds: what came later than something that a
partition still owes waits for it, so the order in history is that of arrival, but for the span of one record.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np

from city.device import Device
from core.errors import DataLossError
from core.reading import Int64, ReadingBatch
from history.archive import Piece
from history.columns import taken
from history.kernel import stamps
from history.ledger import Mark, Progress
from history.listening import Ears, heard_ms
from history.names import FeedBook
from history.query import FeedName
from history.recorder import Counts, Sink, sequenced, with_room
from ingest.journal import Entry, Kind, decode_batch
from runtime.stream.listeners import Listeners
from runtime.stream.records import Kind as StreamKind
from runtime.stream.records import Record, decode_record
from runtime.stream.sessions import Sessions

log = logging.getLogger("scenewatch.history")

_VERSION = 1
_READINGS = (Kind.READINGS, Kind.READINGS_WITH_ARRIVAL)


class Devices(Protocol):
    """Device lists by version."""

    def devices(self, version: str) -> Mapping[str, Device]:
        """The devices of a version by id.

        Raises:
            DataLossError: If they are not known.
        """


class _Known(msgspec.Struct, array_like=True):
    """What the ledger keeps of a partition."""

    version: int
    devices: str
    sessions: bytes
    seal: bytes


@dataclass(slots=True)
class _Waiting:
    offset: int
    record: Record
    at_ms: int
    size: int
    seal: bytes


@dataclass(slots=True)
class _Part:
    """One partition: up to where history has it, and what was collected behind that."""

    sessions: Sessions
    next: int = 0
    devices: str = ""
    seal: bytes = b""
    at_ms: int = 0
    behind: bool = True
    waiting: deque[_Waiting] = field(default_factory=deque)

    @property
    def wanted(self) -> int:
        """Offset of the record that comes next."""
        return self.waiting[-1].offset + 1 if self.waiting else self.next


class StreamRecorder:
    """Collects records, and hands them on as one piece when it is told to.

    After a failure make a new one: what was collected is still in Kafka.

    Args:
        sink: Where pieces go.
        plan: Device lists by version.
        partitions: How many there are.
    """

    def __init__(self, sink: Sink, plan: Devices, partitions: int) -> None:
        self._sink = sink
        self._plan = plan
        ledger = sink.ledger
        self.counts = Counts()
        self.progress = ledger.progress()
        self.waiting_bytes = 0
        """Bytes of the records collected."""
        self._book = FeedBook()
        self._last = ledger.last_times()
        self._ears = Ears(ledger.spans()[-1:])
        self._listeners = Listeners(self._ears, ledger.heard())
        self._parts = [_Part(Sessions(self._numbering(number))) for number in range(partitions)]
        marks = ledger.marks()
        if self.progress.seq and not marks:
            self._ears.lose()  # it followed the journal of one machine
        for mark in marks.values():
            self._restore(mark)

    @property
    def until_ms(self) -> int:
        """Until where the spans go that were listened to, 0 for nowhere."""
        return self._ears.until_ms

    def next(self, partition: int) -> int:
        """Offset of the first record of a partition that history does not have."""
        return self._parts[partition].next

    @property
    def offsets(self) -> dict[int, int]:
        """The same of every partition."""
        return {number: part.next for number, part in enumerate(self._parts)}

    @property
    def outlived(self) -> int:
        """Readings that a run of a bridge sent which two later runs have followed."""
        return sum(part.sessions.outlived for part in self._parts)

    def begin_again(self, partition: int) -> None:
        """The topic is another one than before: what lies between the two nobody knows."""
        log.warning("partition %d is another one than before: following it from its start", partition)
        self._parts[partition] = _Part(Sessions(self._numbering(partition)))
        self._last = np.zeros(0, np.int64)
        self._ears.lose()

    def pass_over(self, partition: int, offset: int) -> None:
        """Records of a partition up to `offset` are not in Kafka any more."""
        part = self._parts[partition]
        if part.next:  # what was gone before history began is no loss of its own
            log.error(
                "records %d to %d of partition %d are gone before history had them", part.next, offset - 1, partition
            )  # fmt: skip
            self.counts.lost_entries += offset - part.next
            self._ears.lose()
        part.next = offset

    def recognises(self, partition: int, value: bytes) -> bool:
        """Whether the record before the one that comes next is the one that history has last."""
        return _seal(value) == self._parts[partition].seal

    def take(self, partition: int, offset: int, value: bytes) -> None:
        """Collect a record; those that came already are left out.

        Raises:
            DataLossError: If it cannot be understood, or others before it did not come.
        """
        part = self._parts[partition]
        if offset < part.wanted:
            return
        if offset > part.wanted:
            raise DataLossError(f"records {part.wanted} to {offset - 1} of partition {partition} did not come")
        try:
            record = decode_record(value)
            heard = [at for entry in _entries(offset, record) if (at := heard_ms(entry)) is not None]
        except DataLossError as error:
            raise DataLossError(f"record {offset} of partition {partition}: {error}") from error
        part.at_ms = max([part.at_ms, *heard])
        part.behind = True
        part.waiting.append(_Waiting(offset, record, part.at_ms, len(value), _seal(value)))
        self.waiting_bytes += len(value)
        self.counts.entries += 1

    def at_end(self, partition: int) -> None:
        """There is nothing more in a partition now: nobody waits for it."""
        self._parts[partition].behind = False

    def flush(self, *, everything: bool = False) -> None:
        """Hand on what nothing earlier can come before any more; with `everything`, all that was collected.

        Raises:
            UnavailableError: If it cannot be written; make a new recorder.
            DataLossError: If a feed has no name, or a device list is not known; the same.
        """
        owed = [part.at_ms for part in self._parts if part.behind]
        until = None if everything or not owed else min(owed)
        due = self._due(until)
        if not due:
            return
        ledger = self._sink.ledger
        with ledger.alone():
            self._book.learn(ledger.feeds(self._book.highest))
            raw = self._merged(due)
            self._last = with_room(self._last, len(self._book))
            batch = sequenced(raw, self._last)
            lag = np.empty(len(batch), np.int64)
            stamp = int(stamps(batch.arrival, self.progress.stamp, lag))
            before = self.progress
            progress = Progress(before.seq, before.seal, stamp, before.readings + len(batch))
            self._sink.put(
                Piece(
                    batch=batch, lag=lag, progress=progress, new_feeds=self._book.take_new(),
                    spans=self._ears.spans, goes_on=self._ears.goes_on, last=self._last,
                    marks=[self._mark(number) for number in sorted({number for number, _ in due})],
                    heard=self._listeners.take(),
                )
            )  # fmt: skip
        self.progress = progress
        self.counts.readings += len(batch)
        self.counts.pieces += 1
        self._ears.written()

    def _due(self, until: int | None) -> list[tuple[int, _Waiting]]:
        """What is to be handed on, by time; the records of each partition in their order."""
        due: list[tuple[int, _Waiting]] = []
        for number, part in enumerate(self._parts):
            while part.waiting and (until is None or part.waiting[0].at_ms <= until):
                one = part.waiting.popleft()
                due.append((number, one))
                self.waiting_bytes -= one.size
        return sorted(due, key=lambda pair: pair[1].at_ms)

    def _merged(self, due: Iterable[tuple[int, _Waiting]]) -> ReadingBatch:
        """Their readings by arrival, those of a partition in its order."""
        batches: list[ReadingBatch] = []
        keys: list[Int64] = []
        newest = [0] * len(self._parts)
        for number, one in due:
            for batch in self._apply(number, one):
                batches.append(batch)
                keys.append(np.maximum(np.maximum.accumulate(batch.arrival), newest[number]))
                newest[number] = int(keys[-1][-1])
        merged = ReadingBatch.concat(batches)
        order = np.argsort(np.concatenate([np.empty(0, np.int64), *keys]), kind="stable")
        return taken(merged, order)

    def _apply(self, number: int, one: _Waiting) -> list[ReadingBatch]:
        """Let a record pass; the readings in it, under history's numbers."""
        part, record = self._parts[number], one.record
        found: list[ReadingBatch] = []
        for kind, body in record.entries:
            if kind == StreamKind.NAMES:
                self._listeners.named(record, part.sessions.learn(record.bridge, record.session, body))
                continue
            entry = Entry(one.offset, Kind(kind), body)
            self._listeners.hear(record, entry)
            if entry.kind is Kind.DEVICES:
                part.devices = body.decode()
            elif entry.kind in _READINGS:
                batch = part.sessions.renumbered(record.bridge, record.session, decode_batch(entry))
                if len(batch):
                    found.append(batch)
        part.next, part.seal = one.offset + 1, one.seal
        return found

    def _numbering(self, partition: int) -> Callable[[bytes], int]:
        """History's number of a feed by its key, as the devices of its partition are then."""

        def number_of(key: bytes) -> int:
            gateway, device, metric = key.decode().split("\0")
            version = self._parts[partition].devices
            known = self._plan.devices(version).get(device) if version else None
            return self._book.number(FeedName(gateway, device, metric, known.type if known is not None else ""))

        return number_of

    def _mark(self, number: int) -> Mark:
        part = self._parts[number]
        known = _Known(_VERSION, part.devices, part.sessions.state(), part.seal)
        return Mark(number, part.next, msgspec.msgpack.encode(known))

    def _restore(self, mark: Mark) -> None:
        where = f"what history knows of partition {mark.part}"
        if mark.part >= len(self._parts):
            raise DataLossError(f"{where}: there are only {len(self._parts)} partitions; is stream.partitions right?")
        try:
            known = msgspec.msgpack.decode(mark.known, type=_Known)
        except msgspec.MsgspecError as error:
            raise DataLossError(f"{where} is damaged: {error}") from error
        if known.version != _VERSION:
            raise DataLossError(f"{where} is of version {known.version}, this program reads {_VERSION}")
        part = self._parts[mark.part]
        part.next, part.devices, part.seal = mark.next, known.devices, known.seal
        part.sessions.restore(known.sessions)


def _entries(offset: int, record: Record) -> Iterable[Entry]:
    """Its entries of the journal's kinds."""
    for kind, body in record.entries:
        if kind == StreamKind.NAMES:
            continue
        try:
            yield Entry(offset, Kind(kind), body)
        except ValueError as error:
            raise DataLossError(f"an entry of unknown kind {kind}: upgrade history before bridges") from error


def _seal(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()
