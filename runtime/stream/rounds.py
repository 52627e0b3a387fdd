"""What has to be safe before gateways are told so: rounds of records, and the acknowledgements that wait for them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from runtime.edge_nodes import Kept


@dataclass(slots=True)
class _Round:
    left: int
    acks: bytes
    rows: int
    said: int
    kept: Kept


class Rounds:
    """Rounds in the order in which they were sent; acknowledgements go out in that order too, and never too early.

    `done` is called by the thread that hears of Kafka; everything else by the bridge's own.
    """

    def __init__(self) -> None:
        self._rounds: deque[_Round] = deque()
        self.rows = 0
        """Readings under way."""
        self.said = 0
        """Position of what people said last that is safe."""
        self._kept: Kept = []

    def __len__(self) -> int:
        return len(self._rounds)

    def begin(
        self, records: int, acks: bytes, rows: int, said: int = 0, kept: Kept | None = None
    ) -> Callable[[], None]:
        """A round of so many records; call what is returned once for each that is safe.

        `kept` is what has to be written down of edge nodes once the round is safe, before its acknowledgements go out.
        """
        sent = _Round(records, acks, rows, said, kept or [])
        self._rounds.append(sent)
        self.rows += rows

        def done() -> None:
            sent.left -= 1

        return done

    def release(self) -> bytes:
        """Acknowledgements that may go out now, in order."""
        acks = b""
        while self._rounds and self._rounds[0].left == 0:
            finished = self._rounds.popleft()
            self.rows -= finished.rows
            acks += finished.acks
            self.said = max(self.said, finished.said)
            self._kept += finished.kept
        return acks

    def take_kept(self) -> Kept:
        """What has to be written down of edge nodes by the rounds that were released, the latest of each last."""
        kept, self._kept = self._kept, []
        return kept

    def forget_acks(self) -> None:
        """The connection is another one: what was not acknowledged on the old one comes again."""
        for one in self._rounds:
            one.acks = b""
