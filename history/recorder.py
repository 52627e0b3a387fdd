"""From journal entries to pieces of history: renumbered, sequenced, stamped, with the spans that were listened to."""

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.reading import Int64, ReadingBatch
from history.archive import Piece
from history.kernel import stamps
from history.ledger import Ledger, Progress
from history.listening import Ears
from history.names import FeedBook, JournalNames, Renumbering, TypeOf
from ingest.journal import Entry, Kind, decode_batch
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
        self._ears = Ears(sink.ledger.spans()[-1:])

    @property
    def position(self) -> int:
        """Position of the last entry taken."""
        return self._last_entry.seq if self._last_entry is not None else self.progress.seq

    @property
    def until_ms(self) -> int:
        """Until where the spans go that were listened to, 0 for nowhere."""
        return self._ears.until_ms

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
        self._ears.lose()

    def take(self, entry: Entry) -> None:
        """Collect an entry; positions that were passed over are a hole."""
        missing = entry.seq - self.position - 1
        if missing > 0 and self.position + missing > 0 and self._has_begun():
            log.error("journal entries %d to %d were dropped before history had them", self.position + 1, entry.seq - 1)
            self.counts.lost_entries += missing
            self._ears.lose()
        self._ears.hear(entry)
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
                    spans=self._ears.spans, goes_on=self._ears.goes_on, last=self._last,
                )
            )  # fmt: skip
        self.progress = progress
        self.counts.readings += len(batch)
        self.counts.pieces += 1
        self._waiting, self.waiting_bytes = [], 0
        self._ears.written()

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
        self._last = with_room(self._last, len(self._book))
        return sequenced(ReadingBatch(feed, raw.event_time, raw.value, raw.arrival, raw.quality), self._last)


def with_room(last: Int64, feeds: int) -> Int64:
    """The last event times with room for so many feeds."""
    if len(last) >= feeds:
        return last
    return np.concatenate([last, np.zeros(2 * feeds - len(last), np.int64)])


def sequenced(raw: ReadingBatch, last: Int64) -> ReadingBatch:
    """Readings with the marks that the live engine gave them; `last` (one more than each last time) is changed."""
    event_time, quality = raw.event_time.copy(), raw.quality.copy()
    sequence(raw.feed, event_time, quality, last)
    return ReadingBatch(raw.feed, event_time, raw.value, raw.arrival, quality)


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
