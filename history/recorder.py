"""From journal entries to pieces of history: renumbered, sequenced, stamped, with the spans that were listened to."""

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.reading import ReadingBatch
from history.archive import Piece
from history.coverage import Span
from history.kernel import stamps
from history.ledger import Ledger, Progress
from history.names import FeedBook, JournalNames, Renumbering, TypeOf
from history.query import GapReason
from ingest.journal import Entry, Kind, Listening, decode_batch, decode_clock, decode_gateway, decode_listening
from ingest.kernel_sequence import sequence

log = logging.getLogger("scenewatch.history")


class Sink(Protocol):
    """Takes pieces; one is in history on return, or nothing of it is."""

    @property
    def ledger(self) -> Ledger:
        """Up to where it has them."""

    def put(self, piece: Piece) -> None:
        """Write a piece.

        Raises:
            UnavailableError: If it cannot be written now.
        """


@dataclass(slots=True)
class Counts:
    """What a recorder has done since it was made."""

    entries: int = 0
    readings: int = 0
    pieces: int = 0
    lost_entries: int = 0


def seal(entry: Entry) -> bytes:
    """Fingerprint of an entry, by which a journal is known again."""
    head = entry.seq.to_bytes(8, "little") + bytes([entry.kind])
    return hashlib.blake2b(head + entry.body, digest_size=16).digest()


class Recorder:
    """Collects entries, and hands them on as one piece when it is told to.

    After a failure make a new one: what was collected comes again from the journal.

    Args:
        sink: Where pieces go.
        names: The journal's names of feeds.
        type_of: Device types.
    """

    def __init__(self, sink: Sink, names: JournalNames, type_of: TypeOf) -> None:
        self._sink = sink
        self._names = names
        self._type_of = type_of
        self.counts = Counts()
        self.progress = sink.ledger.progress()
        self._book = FeedBook()
        self._renumber = Renumbering(names, self._book, type_of)
        self._last = sink.ledger.last_times()
        self._last_entry: Entry | None = None
        self._waiting: list[Entry] = []
        self.waiting_bytes = 0
        """Bytes of the entries collected."""
        self._spans: list[Span] = sink.ledger.spans()[-1:]
        self._goes_on = bool(self._spans)
        self._broken: GapReason | None = None

    @property
    def position(self) -> int:
        """Position of the last entry taken."""
        return self._last_entry.seq if self._last_entry is not None else self.progress.seq

    @property
    def until_ms(self) -> int:
        """Until where the spans go that were listened to, 0 for nowhere."""
        return self._spans[-1].end_ms if self._spans else 0

    def recognises(self, first: Entry | None) -> bool:
        """Whether a journal is the one that was followed so far.

        Args:
            first: Its first entry at or behind `position`; None if there is none.
        """
        if self.progress.seq == 0:
            return True
        if first is None:
            return False
        return first.seq > self.progress.seq or seal(first) == self.progress.seal

    def begin_again(self) -> None:
        """Follow another journal from its start: what lies between the two nobody knows."""
        log.warning("another journal than before: following it from its start")
        self.progress = Progress(0, b"", self.progress.stamp, self.progress.readings)
        self._names.forget()
        self._renumber = Renumbering(self._names, self._book, self._type_of)
        self._last = np.zeros(0, np.int64)
        self._last_entry = None
        self._broken = GapReason.LOST

    def take(self, entry: Entry) -> None:
        """Collect an entry; positions that were passed over are a hole."""
        missing = entry.seq - self.position - 1
        if missing > 0 and self.position + missing > 0 and self._has_begun():
            log.error("journal entries %d to %d were dropped before history had them", self.position + 1, entry.seq - 1)
            self.counts.lost_entries += missing
            self._broken = GapReason.LOST
        self._hear(entry)
        self._waiting.append(entry)
        self.waiting_bytes += len(entry.body)
        self._last_entry = entry
        self.counts.entries += 1

    def flush(self) -> None:
        """Hand on what was collected.

        Raises:
            UnavailableError: If it cannot be written; make a new recorder.
            DataLossError: If a feed has no name.
        """
        if self._last_entry is None or not self._waiting:
            return
        ledger = self._sink.ledger
        with ledger.alone():
            self._book.learn(ledger.feeds(self._book.highest))
            batch = self._sequenced()
            lag = np.empty(len(batch), np.int64)
            stamp = stamps(batch.arrival, self.progress.stamp, lag)
            last = self._last_entry
            progress = Progress(last.seq, seal(last), int(stamp), self.progress.readings + len(batch))
            self._sink.put(
                Piece(
                    batch=batch, lag=lag, progress=progress, new_feeds=self._book.take_new(),
                    spans=self._spans, goes_on=self._goes_on, last=self._last,
                )
            )  # fmt: skip
        self.progress = progress
        self.counts.readings += len(batch)
        self.counts.pieces += 1
        self._waiting, self.waiting_bytes = [], 0
        self._spans, self._goes_on = self._spans[-1:], bool(self._spans)

    def _has_begun(self) -> bool:
        return self.progress.seq > 0 or self._last_entry is not None

    def _sequenced(self) -> ReadingBatch:
        """The readings collected, under history's numbers, with the marks that the live engine gave them."""
        raw = ReadingBatch.concat(
            [
                decode_batch(entry)
                for entry in self._waiting
                if entry.kind in (Kind.READINGS, Kind.READINGS_WITH_ARRIVAL)
            ]
        )
        feed = self._renumber(raw.feed)
        if len(self._last) < len(self._book):
            self._last = np.concatenate([self._last, np.zeros(2 * len(self._book) - len(self._last), np.int64)])
        event_time, quality = raw.event_time.copy(), raw.quality.copy()
        sequence(feed, event_time, quality, self._last)
        return ReadingBatch(feed, event_time, raw.value, raw.arrival, quality)

    def _hear(self, entry: Entry) -> None:
        """Let the spans grow by an entry that shows that the pipeline listened."""
        if entry.kind is Kind.LISTENING:
            at_ms, how = decode_listening(entry)
            if how is not Listening.STILL and self._spans and self._broken is None:
                self._broken = GapReason.QUEUED if how is Listening.KEPT else GapReason.AWAY
            self._listened(at_ms)
        elif (heard := _heard_ms(entry)) is not None:
            self._listened(heard)

    def _listened(self, at_ms: int) -> None:
        if at_ms <= 0:
            return
        if not self._spans:
            self._spans.append(Span(at_ms, at_ms))
        elif self._broken is not None and at_ms > self._spans[-1].end_ms:
            self._spans.append(Span(at_ms, at_ms, self._broken))
        elif at_ms > self._spans[-1].end_ms:
            last = self._spans[-1]
            self._spans[-1] = Span(last.start_ms, at_ms, last.after)
        self._broken = None


def _heard_ms(entry: Entry) -> int | None:
    """When an entry came in, if it shows that the pipeline listened."""
    match entry.kind:
        case Kind.READINGS | Kind.READINGS_WITH_ARRIVAL:
            arrival = decode_batch(entry).arrival
            return int(arrival[-1]) // 1_000_000 if len(arrival) else None
        case Kind.GATEWAY:
            return decode_gateway(entry).at_ms
        case Kind.CLOCK:
            return decode_clock(entry).at_ms
        case _:
            return None


def record(
    recorder: Recorder, entries: Iterable[Entry], *, most_bytes: int, on_piece: Callable[[], None] = lambda: None
) -> int:
    """Take entries and hand them on whenever they come to `most_bytes`; what is left waits. Returns how many.

    Raises:
        UnavailableError: As `Recorder.flush`.
    """
    taken = 0
    for entry in entries:
        recorder.take(entry)
        taken += 1
        if recorder.waiting_bytes >= most_bytes:
            recorder.flush()
            on_piece()
    return taken
