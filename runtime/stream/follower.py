"""History out of Kafka: every partition of `readings`, from where the ledger says that history has it."""

import contextlib
import logging
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from core.errors import DataLossError, UnavailableError
from history.keeping import Retention
from history.stores import Writer
from runtime.ending import Stop
from runtime.following import Collects, Following
from runtime.stream.access import Address
from runtime.stream.plan import PlanBook
from runtime.stream.reader import bounds, open_reader, read_all
from runtime.stream.recorder import StreamRecorder
from runtime.stream.topics import Topics

log = logging.getLogger("scenewatch.history")

_MOST = 500
_LOOK_S = 0.2
_PIECE_BYTES = 16 << 20
_MOST_BYTES = 64 << 20
_FETCH_BYTES = 1 << 20


class StreamFollower(Following):
    """The loop of the role over Kafka. One of these at a time writes a folder.

    Offsets are committed for people to see the lag; nothing is read from them.

    Args:
        sink: Where the readings go.
        address: How Kafka is reached.
        topics: What the topics are called.
        plan: Device lists by version; read from its topic here.
        retention: What is kept for how long.
        flush_s: Readings wait so long at most.
        stop: Ends it after the piece in hand.

    Raises:
        DataLossError: If the ledger is of another number of partitions.
    """

    def __init__(
        self,
        sink: Writer,
        address: Address,
        topics: Topics,
        plan: PlanBook,
        retention: Retention,
        *,
        flush_s: float,
        stop: Stop,
    ) -> None:
        super().__init__(sink, retention, flush_s=flush_s, stop=stop)
        self._address = address
        self._topics = topics
        self._plan = plan
        plan.refill = self._read_plan
        self._reader: Consumer | None = None
        self._doubted: set[int] = set()
        self._sought: dict[int, int] = {}
        self._away = False
        self._recorder = self._fresh()

    @property
    def _collects(self) -> Collects:
        return self._recorder

    def _position(self) -> dict[str, Any]:
        offsets = self._recorder.offsets
        found: dict[str, Any] = {
            "seq": sum(offsets.values()),
            "partitions": offsets,
            "outlived": self._recorder.outlived,
        }
        return {**found, "connected": False, "error": "Kafka is away"} if self._away and not self._error else found

    def _fresh(self) -> StreamRecorder:
        return StreamRecorder(self._sink, self._plan, self._topics.partitions)

    def _anew(self) -> None:
        self._end()
        self._recorder = self._fresh()

    def _end(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _step(self) -> None:
        if self._reader is None:
            self._doubted, self._sought = set(), {}
            self._reader = open_reader(
                self._address,
                f"{self._topics.prefix}-history",
                ends=True,
                fetch_bytes=_FETCH_BYTES,
                on_error=self._on_error,
            )
            self._reader.assign([self._place(number) for number in range(self._topics.partitions)])
            self._commit()
        while not self._stop.is_set():
            messages = self._reader.consume(_MOST, _LOOK_S)
            for message in messages:
                self._take(message)
            if self._away and not messages:
                self._ask()
            if self._recorder.waiting_bytes >= _PIECE_BYTES:
                self._recorder.flush(everything=self._recorder.waiting_bytes >= _MOST_BYTES)
                self._on_piece()
            self._due()
            self._well()

    def _on_piece(self) -> None:
        super()._on_piece()
        self._commit()

    def _commit(self) -> None:
        """Tell Kafka's tools how far history is; it does no harm if they are not told."""
        offsets = [TopicPartition(self._topics.readings, number, at) for number, at in self._recorder.offsets.items()]
        try:
            assert self._reader is not None  # noqa: S101 - it was opened before anything was written
            self._reader.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            log.info("offsets were not committed: %s", error)

    def _place(self, number: int) -> TopicPartition:
        """Where to begin: at the last record that history has, to know the topic again, or at the first there is."""
        assert self._reader is not None  # noqa: S101 - it was opened
        begin, end = bounds(self._reader, self._topics.readings, number)
        wanted = self._recorder.next(number)
        if wanted > end:
            self._recorder.begin_again(number)
            wanted = 0
        if wanted < begin:
            self._recorder.pass_over(number, begin)
            wanted = begin
        elif wanted > begin:
            self._doubted.add(number)
            wanted -= 1
        return TopicPartition(self._topics.readings, number, wanted)

    def _on_error(self, error: KafkaError) -> None:
        """The client tries again by itself; that nobody answers is for the status."""
        self._away = self._away or error.code() == KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - its public name

    def _ask(self) -> None:
        """Is Kafka there again? While nobody sends anything no record says so, and a partition ends only once."""
        assert self._reader is not None  # noqa: S101 - it was read from
        with contextlib.suppress(KafkaException):
            self._reader.list_topics(self._topics.readings, timeout=_LOOK_S)
            self._away = False

    def _take(self, message: Message) -> None:
        self._away = False
        error, value, number = message.error(), message.value(), message.partition() or 0
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                self._recorder.at_end(number)
            elif not error.retriable():
                raise UnavailableError(f"readings cannot be read from Kafka: {error.str()}")
            return
        if value is None:
            raise DataLossError(f"record {message.offset()} of partition {number} is empty")
        if number in self._doubted:
            self._doubted.discard(number)
            if not self._recorder.recognises(number, value):
                self._start_over(number)
            return
        offset = message.offset() or 0
        if self._sought.get(number, offset) != offset:
            return  # it was on its way already
        self._sought.pop(number, None)
        self._recorder.take(number, offset, value)

    def _start_over(self, number: int) -> None:
        """Read a partition from its first record on: it is of another topic than the one that history has."""
        assert self._reader is not None  # noqa: S101 - a record came out of it
        self._recorder.begin_again(number)
        begin, _ = bounds(self._reader, self._topics.readings, number)
        self._recorder.pass_over(number, begin)
        self._sought[number] = begin
        self._reader.seek(TopicPartition(self._topics.readings, number, begin))

    def _read_plan(self) -> None:
        reader = open_reader(self._address, f"{self._topics.prefix}-history-plan")
        try:
            for message in read_all(reader, self._topics.plan):
                key, value = message.key(), message.value()
                if isinstance(key, bytes) and value is not None:
                    self._plan.take(key, value)
        finally:
            reader.close()
