"""The laws of a stage catch a stage that breaks one."""

from collections.abc import Callable

import numpy as np
import pytest

from core.reading import NOT_EVALUATED, ReadingBatch
from core.stage import Snapshot
from tests.laws.stage_laws import check_stage

DELAY_MS = 100
STREAM = [ReadingBatch.of([0] * 6, [10, 20, 300, 310, 500, 505], [1, 2, 3, 4, 5, 6])]


class Echo:
    """Says the number of a reading when it comes, and again 100 ms later."""

    def __init__(self) -> None:
        self.count = 0
        self.due: list[int] = []

    def on_batch(self, batch: ReadingBatch) -> list[tuple[str, int]]:
        told: list[tuple[str, int]] = []
        for arrival, quality in zip(batch.arrival.tolist(), batch.quality.tolist(), strict=True):
            now = arrival // 1_000_000
            told += self.on_timer(now)
            if not quality & NOT_EVALUATED:
                self.count += 1
                self.due.append(now + DELAY_MS)
                told.append(("reading", self.count))
        return told

    def on_timer(self, now_ms: int) -> list[tuple[str, int]]:
        over = [due for due in self.due if due <= now_ms]
        self.due = [due for due in self.due if due > now_ms]
        return [("echo", due) for due in over]

    def next_timer(self) -> int | None:
        return min(self.due, default=None)

    def snapshot(self) -> Snapshot:
        return {"state": np.array([self.count, *self.due], np.int64)}

    def restore(self, snapshot: Snapshot) -> None:
        self.count, *self.due = np.asarray(snapshot["state"]).tolist()


class CountsBatches(Echo):
    def on_batch(self, batch: ReadingBatch) -> list[tuple[str, int]]:
        self.count += 1
        return super().on_batch(batch)


class ForgetsOnRestart(Echo):
    def restore(self, snapshot: Snapshot) -> None:
        super().restore(snapshot)
        self.due = []


class TakesRepeats(Echo):
    def on_batch(self, batch: ReadingBatch) -> list[tuple[str, int]]:
        columns = (batch.feed, batch.event_time, batch.value, batch.arrival, np.zeros(len(batch), np.uint8))
        return super().on_batch(ReadingBatch(*columns))


class WritesToItsInput(Echo):
    def on_batch(self, batch: ReadingBatch) -> list[tuple[str, int]]:
        batch.value.fill(0)
        return super().on_batch(batch)


class LendsItsState(Echo):
    def __init__(self) -> None:
        super().__init__()
        self.state = np.zeros(1, np.int64)

    def snapshot(self) -> Snapshot:
        self.state[0] = self.count
        return {**super().snapshot(), "lent": self.state}


class AnnouncesLate(Echo):
    def next_timer(self) -> int | None:
        due = super().next_timer()
        return None if due is None else due + 1


class IgnoresArrivals(Echo):
    def on_batch(self, batch: ReadingBatch) -> list[tuple[str, int]]:
        told = [("reading", self.count + 1 + i) for i in range(int((batch.quality & NOT_EVALUATED == 0).sum()))]
        super().on_batch(batch)
        return told


def test_a_stage_that_keeps_the_laws_passes() -> None:
    told = check_stage(Echo, STREAM, rows=list, quiet_ms=1000)
    assert told[:2] == [("reading", 1), ("reading", 2)]
    assert len(told) == 12


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (CountsBatches, "where the batches are cut"),
        (ForgetsOnRestart, "a restart"),
        (TakesRepeats, "repeated readings"),
        (WritesToItsInput, "wrote to the column value"),
        (LendsItsState, "changed an earlier snapshot"),
        (AnnouncesLate, "before the time that was announced"),
        (IgnoresArrivals, "where the batches are cut|a timer between"),
    ],
)
def test_a_stage_that_breaks_a_law_is_caught(broken: Callable[[], Echo], law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check_stage(broken, STREAM, rows=list, quiet_ms=1000)
