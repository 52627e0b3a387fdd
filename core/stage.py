"""The contract of everything between the journal and the outbox: pure stages, thin shells."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.reading import ReadingBatch

Snapshot = Mapping[str, NDArray[np.generic] | bytes]
"""A stage's whole state: named arrays and bytes. It carries its own version; it is never pickled."""

Out_co = TypeVar("Out_co", covariant=True)


class Stage(Protocol[Out_co]):
    """State in, readings in, decisions out; no I/O, no clock, no threads.

    Laws (tests/laws proves them for every stage): the result does not depend on where a batch was cut,
    on repeated readings, or on a snapshot and restore between two batches; inputs are never written to.
    """

    def on_batch(self, batch: ReadingBatch) -> Out_co:
        """What follows from `batch`; time passes to each reading's `arrival` before it is looked at."""

    def on_timer(self, now_ms: int) -> Out_co:
        """What follows from time having passed to `now_ms` without a reading."""

    def next_timer(self) -> int | None:
        """When `on_timer` has something to do, in ms since the epoch; None if nothing is waiting."""

    def snapshot(self) -> Snapshot:
        """The whole state, as copies that later batches do not change."""

    def restore(self, snapshot: Snapshot) -> None:
        """Take up the state of `snapshot`.

        Raises:
            DataLossError: If it is of another version or does not fit.
        """
