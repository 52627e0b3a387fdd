"""What an engine makes of readings that lie by feed: decided as they lie, told in the order in which it was live.

Feeds are independent of one another, so they are decided in parts, which may run at once; see `kernel_by_feed`. Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from core.reading import Int32, Int64, ReadingBatch
from thresholds import kernel_by_feed as kernel
from thresholds import kernel_state as arrays
from thresholds.engine import Engine
from thresholds.kernel_state import Rows, State
from thresholds.transition import Transitions

_HEAP_ROWS = 1_024
_MS = 1_000_000
_BEFORE_ALL = -(1 << 62)

Look = Callable[[int], None]
"""Called with how many rows have been looked at since the last call; what it raises ends the work."""


class NeedsOrderError(Exception):
    """What a feed does cannot be told from its own readings: they have to be put in the order of arrival of all."""


class Block(NamedTuple):
    """Readings by feed, then stamp: the columns, and the ns from arrival to stamp."""

    batch: ReadingBatch
    lag: Int64


class Outage(NamedTuple):
    """A moment at which something happens to the passing of time, ms.

    Attributes:
        at: When.
        passes: To where time has passed by then.
        resumes: Whether somebody listens again from here on.
    """

    at: int
    passes: int
    resumes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What has to be known of readings by feed beside themselves.

    Attributes:
        lookup: Index of each feed id of the blocks, int32, -1 where it is not asked for; rising with the id otherwise.
        start_ms: First event time.
        end_ms: Event time at which it ends.
        outages: By time.
        until_ms: To where time passes behind the last reading, None for nowhere.
    """

    lookup: Int32
    start_ms: int
    end_ms: int
    outages: Sequence[Outage]
    until_ms: int | None

    def marks(self) -> tuple[Int64, Int64, Int64]:
        """`marks`, `passes` and `resumed` of the kernel."""
        resumed = [0]
        for one in self.outages:
            resumed.append(max(resumed[-1], one.at if one.resumes else 0))
        return (
            np.array([one.at * _MS for one in self.outages], np.int64),
            np.array([one.passes for one in self.outages], np.int64),
            np.array(resumed, np.int64),
        )


class Decided(NamedTuple):
    """Rows of `OUT` with their places and turns, and of which block the readings were."""

    out: Rows
    place: Int64
    turn: Int64
    block: Int64


class Part:
    """Some feeds of an engine.

    Args:
        state: The engine's; what is not of single feeds is replaced, so that parts do not meet.
        settle_ms: The engine's.
        of: What has to be known.
        first: The first of its feeds.
        upto: The feed at which they end.
    """

    def __init__(self, state: State, settle_ms: int, of: Frame, first: int, upto: int) -> None:
        room = len(state.out)
        self._meta = np.zeros(arrays.META, np.int64)
        self._meta[arrays.HEAP_ROOM] = _HEAP_ROWS
        self._state = state._replace(
            heap=np.zeros(_HEAP_ROWS, arrays.HEAP), meta=self._meta, out=np.zeros(room, arrays.OUT)
        )
        self._place, self._turn = np.empty(room, np.int64), np.empty(room, np.int64)
        self._track = np.zeros(upto, kernel.TRACK)
        self._track["event"], self._track["stamp"] = _BEFORE_ALL, _BEFORE_ALL
        self._settle_ms, self._of, self._marks = settle_ms, of, of.marks()
        self._first, self._upto = first, upto
        mine = (of.lookup >= first) & (of.lookup < upto)
        self._lookup = np.where(mine, of.lookup, -1).astype(np.int32)
        ids = np.flatnonzero(mine)
        self._ids = (int(ids[0]), int(ids[-1]) + 1) if len(ids) else (0, 0)
        self._found: list[Decided] = []

    @property
    def decisions(self) -> int:
        """Readings looked at, summed over scenes."""
        return int(self._meta[arrays.DECISIONS])

    def run(self, blocks: Iterable[Block], look: Look) -> None:
        """Decide all readings; those of a feed come in the order of their stamps, over all blocks.

        Raises:
            NeedsOrderError: If they do not suffice.
        """
        for number, block in enumerate(blocks):
            row, upto = np.searchsorted(block.batch.feed, self._ids).tolist()
            self._block(number, block, row, upto)
            look(upto - row)

    def _block(self, number: int, block: Block, row: int, upto: int) -> None:
        b, of = block.batch, self._of
        ended = kernel.NO_ROOM
        while ended != kernel.DONE:
            row, filled, ended = kernel.evaluate_by_feed(
                row, upto, b.feed, b.event_time, b.value, b.arrival, b.quality, block.lag, self._lookup, of.start_ms,
                of.end_ms, self._settle_ms, self._track, *self._marks, self._place, self._turn, *self._state,
            )  # fmt: skip
            self._keep(number, filled, ended)

    def end(self, last_ms: int) -> list[Decided]:
        """Let time pass to the latest arrival of any reading and to the end; all that was decided.

        Raises:
            NeedsOrderError: If the readings do not suffice.
        """
        of, feed = self._of, self._first
        until = int(arrays.NO_NOW) if of.until_ms is None else of.until_ms
        ended = kernel.NO_ROOM
        while ended != kernel.DONE:
            feed, filled, ended = kernel.end_by_feed(
                feed, self._upto, last_ms, until, self._settle_ms, self._track, *self._marks, self._place,
                self._turn, self._state,
            )  # fmt: skip
            self._keep(0, filled, ended)
        return self._found

    def _keep(self, number: int, filled: int, ended: int) -> None:
        if ended == kernel.FAULT:
            raise NeedsOrderError
        if filled:
            out, place, turn = self._state.out[:filled], self._place[:filled], self._turn[:filled]
            self._found.append(Decided(out.copy(), place.copy(), turn.copy(), np.full(filled, number)))


def parts(engine: Engine, of: Frame, count: int) -> list[Part]:
    """The feeds of an engine that has seen nothing yet, in `count` parts; their runs may be at once."""
    state, settle_ms = engine.lend()
    feeds = int(of.lookup.max(initial=-1)) + 1
    edges = np.linspace(0, feeds, max(1, min(count, feeds)) + 1).astype(int).tolist()
    return [Part(state, settle_ms, of, first, upto) for first, upto in pairwise(edges)]


def joined(engine: Engine, of: Frame, ran: Sequence[Part], found: Sequence[Decided]) -> Transitions:
    """What all parts decided, row by row as `on_batch` gives it for the same readings in the order of their stamps.

    That is with `on_timer` and `resume` at the outages, and `on_timer` at the end. The engine goes on from there.

    Raises:
        NeedsOrderError: If it is not clear which of two rows came first.
    """
    out = np.concatenate([np.empty(0, arrays.OUT), *(one.out for one in found)])
    place, turn, block = (
        np.concatenate([np.empty(0, np.int64), *(getattr(one, name) for one in found)])
        for name in ("place", "turn", "block")
    )
    # Of one stamp, as imports have it, what lies in the earlier file came first, and then the lower feed.
    order = np.lexsort((block, turn, place))
    out, place, turn = out[order], place[order], turn[order]
    if not _is_clear(place, turn):
        raise NeedsOrderError
    resumed = max([one.at for one in of.outages if one.resumes], default=0)
    engine.take_back(sum(part.decisions for part in ran), resumed)
    return Transitions(**{name: out[name].copy() for name in Transitions.__slots__})


def _is_clear(place: Int64, turn: Int64) -> bool:
    """Whether time is never in doubt: no arrival in an earlier millisecond than its stamp has something between."""
    by_reading = turn >= kernel.BY_READING
    beyond = turn - kernel.BY_READING
    doubtful = np.flatnonzero(by_reading & (beyond != 0))
    stamp_ms, keys = place[doubtful] // _MS, place[~by_reading] // _MS
    between = np.searchsorted(keys, stamp_ms, "right") > np.searchsorted(keys, stamp_ms - beyond[doubtful], "right")
    same = (place[1:] == place[:-1]) & (turn[1:] != turn[:-1]) & by_reading[1:] & by_reading[:-1]
    return not (np.any(between) or np.any(same))
