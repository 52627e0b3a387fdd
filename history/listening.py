"""The spans in which somebody listened, out of the entries of a log. Pure."""

from collections.abc import Sequence

from history.coverage import Span
from history.query import GapReason
from ingest.journal import Entry, Kind, Listening, decode_batch, decode_clock, decode_gateway, decode_listening


class Ears:
    """Lets spans grow, entry by entry.

    Args:
        last: The last span that history has, if there is one.
    """

    def __init__(self, last: Sequence[Span]) -> None:
        self._spans = list(last)
        self._goes_on = bool(self._spans)
        self._broken: GapReason | None = None

    @property
    def until_ms(self) -> int:
        """Until where the spans go, 0 for nowhere."""
        return self._spans[-1].end_ms if self._spans else 0

    @property
    def spans(self) -> Sequence[Span]:
        """Those that are new since `written`; the first may be the last one before that, grown."""
        return self._spans

    @property
    def goes_on(self) -> bool:
        """Whether it is."""
        return self._goes_on

    def lose(self) -> None:
        """What lies between the last entry and the next one, nobody knows."""
        self._broken = GapReason.LOST

    def hear(self, entry: Entry) -> None:
        """Take an entry; others than those that show that somebody listened change nothing."""
        if entry.kind is Kind.LISTENING:
            at_ms, how = decode_listening(entry)
            if how is not Listening.STILL and self._spans and self._broken is None:
                self._broken = GapReason.QUEUED if how is Listening.KEPT else GapReason.AWAY
            self._listened(at_ms)
        elif (at := heard_ms(entry)) is not None:
            self._listened(at)

    def written(self) -> None:
        """History has the spans."""
        self._spans, self._goes_on = self._spans[-1:], bool(self._spans)

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


def heard_ms(entry: Entry) -> int | None:
    """When an entry came in, if it shows that somebody listened."""
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
