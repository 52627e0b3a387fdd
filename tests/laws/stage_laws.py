"""What is true of every stage between the journal and the outbox, to be called by the tests of each of them."""

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from core.reading import Quality, ReadingBatch
from core.stage import Snapshot, Stage

Out = TypeVar("Out")
Rows = Sequence[Hashable]

COLUMNS = ("feed", "event_time", "value", "arrival", "quality")


@dataclass(frozen=True)
class Subject(Generic[Out]):
    """A stage that is put to the laws.

    Attributes:
        make: A fresh stage, with everything bound, equal to every other one that it makes.
        rows: What the stage gave as rows that can be compared.
    """

    make: Callable[[], Stage[Out]]
    rows: Callable[[Out], Rows]


def check_stage(
    make_stage: Callable[[], Stage[Out]],
    batches: Sequence[ReadingBatch],
    *,
    rows: Callable[[Out], Rows],
    quiet_ms: int,
    seed: int = 0,
) -> Rows:
    """Put a stage to every law on one stream of readings.

    Args:
        make_stage: Makes a fresh stage, with everything bound.
        batches: The stream; arrivals never decrease, readings have been sequenced.
        rows: What the stage gave, as rows that can be compared.
        quiet_ms: How far time passes behind the last reading, ms.
        seed: Of the random cuts.

    Returns:
        What the stage gives on the whole stream.
    """
    subject = Subject(make_stage, rows)
    stream = ReadingBatch.concat(list(batches))
    end_ms = (int(stream.arrival[-1]) // 1_000_000 if len(stream) else 0) + quiet_ms
    rng = random.Random(seed)
    # First of all: what writes to its input spoils it for every other law.
    _check_inputs_are_left_alone(subject, stream)
    expected = _run(subject, [stream], end_ms)
    assert _run(subject, [stream], end_ms) == expected, "the same readings give something else the second time"
    for pieces in (list(batches), _cut(stream, rng), [stream[i : i + 1] for i in range(len(stream))]):
        assert _run(subject, pieces, end_ms) == expected, "where the batches are cut matters"
        assert _run(subject, pieces, end_ms, timers=True) == expected, "a timer between two batches matters"
        assert _run(subject, pieces, end_ms, restarts=rng) == expected, "a restart between two batches matters"
    assert _run(subject, [_with_repeats(stream, rng)], end_ms) == expected, "repeated readings matter"
    _check_snapshots_are_copies(subject, _cut(stream, rng))
    _check_timers_say_when(subject, _cut(stream, rng), end_ms)
    return expected


def _run(
    subject: Subject[Any],
    pieces: Sequence[ReadingBatch],
    end_ms: int,
    *,
    timers: bool = False,
    restarts: random.Random | None = None,
) -> list[Hashable]:
    stage = subject.make()
    found: list[Hashable] = []
    for piece in pieces:
        if timers and len(piece):
            found += subject.rows(stage.on_timer(int(piece.arrival[0]) // 1_000_000))
        found += subject.rows(stage.on_batch(piece))
        if restarts is not None and restarts.random() < 0.5:
            snapshot = stage.snapshot()
            stage = subject.make()
            stage.restore(snapshot)
    return found + list(subject.rows(stage.on_timer(end_ms)))


def _cut(stream: ReadingBatch, rng: random.Random) -> list[ReadingBatch]:
    """The stream in pieces of random length, some of them empty."""
    edges = sorted(rng.randint(0, len(stream)) for _ in range(min(8, len(stream))))
    return [stream[a:b] for a, b in zip([0, *edges], [*edges, len(stream)], strict=True)]


def _with_repeats(stream: ReadingBatch, rng: random.Random) -> ReadingBatch:
    """The stream in which some readings come twice, marked as sequencing marks them."""
    pieces = []
    for i in range(len(stream)):
        pieces.append(stream[i : i + 1])
        if rng.random() < 0.3:
            repeated = stream[i : i + 1]
            quality = repeated.quality | np.uint8(Quality.REPEATED)
            pieces.append(ReadingBatch(repeated.feed, repeated.event_time, repeated.value, repeated.arrival, quality))
    return ReadingBatch.concat(pieces)


def _check_inputs_are_left_alone(subject: Subject[Any], stream: ReadingBatch) -> None:
    before = {name: getattr(stream, name).copy() for name in COLUMNS}
    locked = ReadingBatch(*(getattr(stream, name).copy() for name in COLUMNS))
    subject.make().on_batch(locked)
    for name in COLUMNS:
        assert np.array_equal(getattr(locked, name), before[name]), f"the stage wrote to the column {name}"


def _check_snapshots_are_copies(subject: Subject[Any], pieces: Sequence[ReadingBatch]) -> None:
    stage = subject.make()
    taken: list[tuple[Snapshot, dict[str, bytes]]] = []
    for piece in pieces:
        stage.on_batch(piece)
        snapshot = stage.snapshot()
        taken.append((snapshot, _frozen(snapshot)))
    for snapshot, frozen in taken:
        assert _frozen(snapshot) == frozen, "a later batch changed an earlier snapshot"
    again = subject.make()
    if taken:
        again.restore(taken[-1][0])
        assert _frozen(again.snapshot()) == taken[-1][1], "a restored stage says something else of itself"


def _frozen(snapshot: Snapshot) -> dict[str, bytes]:
    return {name: part if isinstance(part, bytes) else part.tobytes() for name, part in snapshot.items()}


def _check_timers_say_when(subject: Subject[Any], pieces: Sequence[ReadingBatch], end_ms: int) -> None:
    stage = subject.make()
    now_ms = 0
    for piece in pieces:
        stage.on_batch(piece)
        now_ms = int(piece.arrival[-1]) // 1_000_000 if len(piece) else now_ms
        due = stage.next_timer()
        if due is not None:
            assert due > now_ms, "a timer was due before the reading and is still there"
    while (due := stage.next_timer()) is not None and due <= end_ms:
        assert not subject.rows(stage.on_timer(due - 1)), "something happened before the time that was announced"
        stage.on_timer(due)
        following = stage.next_timer()
        assert following is None or following > due, "the same time is announced again"
    assert not subject.rows(stage.on_timer(end_ms)), "something happened that was not announced"
