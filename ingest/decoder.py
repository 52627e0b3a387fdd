"""Bytes in, entries and acknowledgements out: the whole door without a socket."""

from dataclasses import dataclass, field

import numpy as np

from core.reading import ReadingBatch
from ingest import kernel
from ingest.codec import ClockTick, Codec, GatewayState, HostAway, Rebirth
from ingest.registry import FeedRegistry
from ingest.rejected import Reason, Rejected
from ingest.rows import Rows

ROWS = 32_768
"""Rows that one call fills at most; far more than one socket read of single readings holds."""
_ACKS = 4 * 16_384
_PUBLISH = 3


class ProtocolBreach(Exception):  # noqa: N818 - what the broker did, not a fault of the program
    """The bytes are not MQTT: the connection has to be given up."""


@dataclass(slots=True)
class Taken:
    """What one run over the bytes gave.

    Attributes:
        entries: Batches and gateway states in their order.
        acks: PUBACK packets in the order received, to be sent when the entries are durable.
        others: Whole control packets, for the MQTT client.
        rejected: What was refused.
        rebirths: Edge nodes of Sparkplug that have to be asked for their births.
        away: Whether edge nodes were told that we are away.
        consumed: Where the next packet starts in the bytes given.
        complete: False if it stopped because the columns were full: call again from `consumed`.
        slow: How many messages went the slow way.
    """

    entries: list[ReadingBatch | GatewayState | ClockTick] = field(default_factory=list)
    acks: bytes = b""
    others: bytes = b""
    rejected: list[Rejected] = field(default_factory=list)
    rebirths: list[Rebirth] = field(default_factory=list)
    away: bool = False
    consumed: int = 0
    complete: bool = True
    slow: int = 0


class Decoder:
    """Turns what a socket gave into columns.

    Args:
        registry: Known feeds.
        codec: The slow path.
        version5: Whether the session speaks MQTT 5.
        max_pack: Most readings of one pack, at most `ROWS`.
        fast: False sends everything the slow way: the twin that the kernel is held to.
    """

    def __init__(
        self,
        registry: FeedRegistry,
        codec: Codec,
        *,
        version5: bool = True,
        max_pack: int = 10_000,
        fast: bool = True,
    ) -> None:
        if max_pack > ROWS:
            raise ValueError(f"a pack may have at most {ROWS} readings, not {max_pack}")
        self.version5 = version5
        self._registry = registry
        self._codec = codec
        self._max_pack = max_pack
        self._fast = fast
        self._feed = np.empty(ROWS, np.int32)
        self._event_time = np.empty(ROWS, np.int64)
        self._value = np.empty(ROWS, np.float64)
        self._quality = np.empty(ROWS, np.uint8)
        self._acks = np.empty(_ACKS, np.uint8)

    def take(self, data: np.ndarray, start: int, end: int, *, arrival: int, latest_ms: int) -> Taken:
        """Everything complete in `data[start:end]` (uint8), which came at `arrival` ns.

        Raises:
            ProtocolBreach: If the bytes are not MQTT.
        """
        taken = Taken()
        at, rows, acked = start, 0, 0
        others = bytearray()
        reg = self._registry
        while True:
            if self._fast:
                why, at, rows, acked = kernel.peel(
                    data, at, end, self.version5, reg.slots, reg.hashes, reg.arena, reg.starts, latest_ms, arrival,
                    self._max_pack, self._feed, self._event_time, self._value, self._quality, rows, self._acks, acked,
                )  # fmt: skip
            else:
                why = self._look(data, at, end)
            if why == kernel.DONE:
                break
            if why == kernel.BROKEN:
                raise ProtocolBreach("the bytes are no MQTT packet")
            if why == kernel.FULL or (why == kernel.SLOW and ROWS - rows < self._max_pack) or acked + 4 > _ACKS:
                taken.complete = False
                break
            body, stop = kernel.frame(data, at, end)
            if body == -1:
                break
            if body == -2:
                raise ProtocolBreach("the bytes are no MQTT packet")
            if why == kernel.OTHER:
                others += data[at:stop].tobytes()
            else:
                taken.slow += 1
                rows, acked = self._slow(taken, data, at, body, stop, arrival, latest_ms, rows, acked)
            at = stop
        self._flush(taken, rows, arrival)
        taken.acks = self._acks[:acked].tobytes()
        taken.others = bytes(others)
        taken.consumed = at
        return taken

    def warm_up(self) -> None:
        """Have the kernels compiled; no state changes."""
        nothing = np.zeros(0, np.uint8)
        self.take(nothing, 0, 0, arrival=0, latest_ms=0)
        kernel.frame(nothing, 0, 0)
        self._codec.warm_up()
        FeedRegistry(1).add("", "", "")

    @staticmethod
    def _look(data: np.ndarray, at: int, end: int) -> int:
        if at >= end:
            return kernel.DONE
        kind = int(data[at]) >> 4
        if kind == _PUBLISH:
            return kernel.SLOW
        return kernel.OTHER if kind else kernel.BROKEN

    def _slow(
        self, taken: Taken, data: np.ndarray, at: int, body: int, stop: int, arrival: int, latest_ms: int,
        rows: int, acked: int,
    ) -> tuple[int, int]:  # fmt: skip
        head = int(data[at])
        message = parse_publish(data[body:stop].tobytes(), head, version5=self.version5)
        topic, payload, packet_id = message
        for item in self._codec.decode(
            topic, payload, retained=bool(head & 1), arrival=arrival, latest_ms=latest_ms,
            at_least_once=packet_id is not None,
        ):  # fmt: skip
            if isinstance(item, Rows):
                rows = self._put(rows, item)
            elif isinstance(item, tuple):
                self._feed[rows], self._event_time[rows], self._value[rows], self._quality[rows] = item
                rows += 1
            elif isinstance(item, Rejected):
                taken.rejected.append(item)
            elif isinstance(item, Rebirth):
                taken.rebirths.append(item)
            elif isinstance(item, HostAway):
                taken.away = True
            else:
                self._flush(taken, rows, arrival)
                rows = 0
                taken.entries.append(item)
        if packet_id is not None:
            self._acks[acked : acked + 4] = (0x40, 2, packet_id >> 8, packet_id & 255)
            acked += 4
        return rows, acked

    def _put(self, at: int, rows: Rows) -> int:
        """Copy rows of one message behind the first `at`; where the next one goes."""
        end = at + len(rows)
        self._feed[at:end], self._event_time[at:end] = rows.feed, rows.event_time
        self._value[at:end], self._quality[at:end] = rows.value, rows.quality
        return end

    def _flush(self, taken: Taken, rows: int, arrival: int) -> None:
        if rows:
            taken.entries.append(
                ReadingBatch(
                    self._feed[:rows].copy(),
                    self._event_time[:rows].copy(),
                    self._value[:rows].copy(),
                    np.full(rows, arrival, np.int64),
                    self._quality[:rows].copy(),
                )
            )


def parse_publish(body: bytes, head: int, *, version5: bool) -> tuple[str, bytes, int | None]:
    """(topic, payload, packet id or None) of a PUBLISH after its fixed header.

    Raises:
        ProtocolBreach: If it is cut short, its topic is no UTF-8, or its QoS is 2 (never subscribed to).
    """
    qos = (head >> 1) & 3
    if qos > 1:
        raise ProtocolBreach(f"a PUBLISH of QoS {qos} came, QoS 1 was subscribed")
    try:
        length = int.from_bytes(body[:2])
        topic = body[2 : 2 + length].decode()
        at = 2 + length
        packet_id = int.from_bytes(body[at : at + 2]) if qos else None
        at += 2 if qos else 0
        if version5:
            size, shift = 0, 0
            while True:
                byte = body[at]
                at += 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            at += size
    except (IndexError, UnicodeDecodeError) as error:
        raise ProtocolBreach(f"a PUBLISH cannot be read: {error}") from error
    if at > len(body):
        raise ProtocolBreach("a PUBLISH is shorter than its header says")
    return topic, body[at:], packet_id


__all__ = ["ROWS", "Decoder", "ProtocolBreach", "Reason", "Taken", "parse_publish"]
