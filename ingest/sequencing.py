"""What is late and what is repeated, by the last event time of each feed."""

import numpy as np

from core.errors import DataLossError
from core.reading import ReadingBatch
from core.stage import Snapshot
from ingest.kernel_sequence import sequence

_VERSION = 1


class Sequencer:
    """A stage that marks late and repeated readings and separates readings without a time.

    A reading older than the last of its feed is `LATE`, one of the same event time is `REPEATED`, whatever its value:
    both stay in history and never reach a decision. A reading that brought no time of its own is taken one millisecond
    after the last if it came within the same one.
    """

    def __init__(self, max_feeds: int) -> None:
        # Offset by one so that the reserve is zeros, whose pages cost nothing until they are touched.
        self._last = np.zeros(max_feeds, np.int64)
        self._known = 0
        self.late = 0
        self.repeated = 0

    def on_batch(self, batch: ReadingBatch) -> ReadingBatch:
        """The batch with its quality bits set (and times separated); the columns given are not written to."""
        event_time, quality = batch.event_time.copy(), batch.quality.copy()
        late, repeated, highest = sequence(batch.feed, event_time, quality, self._last)
        self.late += late
        self.repeated += repeated
        self._known = max(self._known, highest + 1)
        return ReadingBatch(batch.feed, event_time, batch.value, batch.arrival, quality)

    def on_timer(self, now_ms: int) -> ReadingBatch:  # noqa: ARG002 - the contract of a stage
        """Nothing follows from time alone."""
        return ReadingBatch.of([], [], [])

    def next_timer(self) -> int | None:
        """Never."""
        return None

    def snapshot(self) -> Snapshot:
        """Last event times and counts."""
        return {
            "version": np.array([_VERSION], np.int64),
            "last": self._last[: self._known].copy(),
            "counts": np.array([self.late, self.repeated], np.int64),
        }

    def restore(self, snapshot: Snapshot) -> None:
        """Take up a snapshot.

        Raises:
            DataLossError: If it is of another version or has more feeds than there is room for.
        """
        version, last, counts = (np.asarray(snapshot[name]) for name in ("version", "last", "counts"))
        if int(version[0]) != _VERSION or len(last) > len(self._last):
            raise DataLossError(
                "the snapshot of the sequencer does not fit; raise ingest.max_feeds or replay the journal"
            )
        self._last[:] = 0
        self._last[: len(last)] = last
        self._known = len(last)
        self.late, self.repeated = int(counts[0]), int(counts[1])
