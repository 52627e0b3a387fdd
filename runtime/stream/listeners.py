"""Who of several bridges listened when, out of the entries that each of them sent. No I/O.

Anybody's readings show that somebody listened. Where there are several bridges, each has gateways of its own, and one
that was away is a hole for the feeds that it brings: a run of a bridge counts as listening once it has said so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from core.errors import DataLossError
from core.reading import Int32
from history.coverage import Hole
from history.ledger import Heard
from history.listening import Ears, heard_ms
from history.query import GapReason
from ingest.journal import Entry, Kind, Listening, decode_listening, encode_listening
from runtime.stream.records import Record


@dataclass(slots=True)
class _Bridge:
    """What is known of one, and what of that is new."""

    session: int
    listens: bool = True
    until_ms: int = 0
    brings: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    feeds: list[int] = field(default_factory=list)
    missed: list[Hole] = field(default_factory=list)

    def came_back(self, at_ms: int, how: Listening) -> None:
        """It listens from now on; others were heard meanwhile."""
        if not self.until_ms:
            self.missed.append((0, at_ms, GapReason.BEFORE))
        elif at_ms > self.until_ms:
            reason = GapReason.QUEUED if how is Listening.KEPT else GapReason.AWAY
            self.missed.append((self.until_ms, at_ms, reason))

    def bring(self, feeds: Sequence[int]) -> None:
        """It brings these feeds."""
        highest = max(feeds, default=-1)
        if highest >= len(self.brings):
            self.brings = np.concatenate([self.brings, np.zeros(2 * highest + 2 - len(self.brings), np.bool_)])
        new = [feed for feed in feeds if not self.brings[feed]]
        self.brings[new] = True
        self.feeds += new


class Listeners:
    """Lets spans grow, for everybody and for each.

    Args:
        ears: What anybody heard.
        known: Those who have listened so far.

    Raises:
        DataLossError: If what is known of one is damaged.
    """

    def __init__(self, ears: Ears, known: Sequence[Heard]) -> None:
        self._ears = ears
        self._bridges: dict[str, _Bridge] = {}
        for one in known:
            try:
                session, listens = msgspec.msgpack.decode(one.known, type=tuple[int, bool])
            except msgspec.MsgspecError as error:
                raise DataLossError(f"what history knows of {one.name} is damaged: {error}") from error
            bridge = self._bridges[one.name] = _Bridge(session, listens, one.until_ms)
            bridge.bring(one.feeds.tolist())
            bridge.feeds = []

    def named(self, record: Record, feeds: Sequence[int]) -> None:
        """Whoever sent the record brings these feeds."""
        self._of(record).bring(feeds)

    def hear(self, record: Record, entry: Entry) -> None:
        """Take an entry of a record; what its run sent before it said that it listens shows nothing."""
        bridge = self._of(record)
        at_ms = heard_ms(entry)
        if entry.kind is Kind.LISTENING:
            at_ms, how = decode_listening(entry)
            if how is not Listening.STILL and len(self._bridges) > 1:
                bridge.came_back(at_ms, how)
                entry = Entry(entry.seq, *encode_listening(at_ms, Listening.STILL))
            bridge.listens = True
        if bridge.listens:
            self._ears.hear(entry)
            bridge.until_ms = max(bridge.until_ms, at_ms or 0)

    def take(self) -> list[Heard]:
        """What has become known since the last call."""
        found = []
        for name, one in self._bridges.items():
            known = msgspec.msgpack.encode((one.session, one.listens))
            feeds: Int32 = np.array(one.feeds, np.int32)
            found.append(Heard(name, one.until_ms, known, feeds, one.missed))
            one.feeds, one.missed = [], []
        return found

    def _of(self, record: Record) -> _Bridge:
        known = self._bridges.get(record.bridge)
        if known is None:
            known = self._bridges[record.bridge] = _Bridge(record.session)
        elif record.session > known.session:
            known.session, known.listens = record.session, False
        return known
