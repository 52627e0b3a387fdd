"""The worker: a Faust app whose one agent lets slices take the records of `readings`.

Faust brings membership, assignment and prefetching. What it cannot promise around a rebalance is not asked of it: each
record is compared with the offset that its slice needs next. One that came before is left out, one that comes too early
is refused and asked for again, one that belongs to somebody else is let go. Offsets are committed for people to see the
lag; nothing is read from them.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from core.errors import ScenewatchError, UnavailableError
from runtime.stream.access import Address, access_of
from runtime.stream.holder import Holder
from runtime.stream.seek import SliceTransport
from runtime.stream.slice import Outcome
from runtime.stream.topics import Topics

log = logging.getLogger("scenewatch.stream")

_AGAIN_S = 1.0
_STOP_S = 5.0
_ENDED = UnavailableError("the worker has ended")
_LOOK_S = 0.2


class StreamWorker:
    """Runs until `stop`.

    Args:
        address: How Kafka is reached.
        topics: What the topics are called.
        holder: The slices.
        data: A folder for what Faust puts down; with its tables in memory that is next to nothing.
        session_timeout_s: After so long without a sign of life others take over its partitions.
        wall_ns: Wall time in ns.

    Attributes:
        ready: Set once it was told which partitions are its own, be it none.
        refused: Records that came too early and were asked for again.
    """

    def __init__(
        self,
        address: Address,
        topics: Topics,
        holder: Holder,
        *,
        data: Path,
        session_timeout_s: float,
        wall_ns: Callable[[], int],
    ) -> None:
        self.ready = asyncio.Event()
        self.refused = 0
        self._topics = topics
        self._holder = holder
        self._wall_ns = wall_ns
        self._turn = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._asked: dict[int, float] = {}
        self._app = self._make_app(address, data, session_timeout_s)

    def stop(self) -> None:
        """End after the record in hand; call it in the loop's thread."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            ScenewatchError: What made it impossible to go on; a new worker begins where the states are.
        """
        app = self._app
        await app.start()
        try:
            while not self._stopping.is_set() and self._failure is None and not app.should_stop:
                await self._write_due_states()
                await self._ask_overdue()
                await asyncio.wait([asyncio.ensure_future(self._stopping.wait())], timeout=_LOOK_S)
        finally:
            failure = self._failure or app.crash_reason
            # Records that are on their way are refused from here on, so nothing changes behind the states.
            self._failure = failure or _ENDED
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(app.stop(), _STOP_S)
        if failure is None:
            await self._aside(self._holder.close)
        if isinstance(failure, ScenewatchError):
            raise failure
        if failure is not None:
            raise UnavailableError(f"the worker cannot go on: {failure!r}") from failure

    def _make_app(self, address: Address, data: Path, session_timeout_s: float) -> faust.App:
        app = faust.App(
            f"{self._topics.prefix}-workers",
            broker=access_of(address).urls(),
            broker_credentials=access_of(address).credentials(),
            store="memory://",
            datadir=data,
            autodiscover=False,
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=session_timeout_s,
            broker_heartbeat_interval=session_timeout_s / 4,
            broker_request_timeout=max(30.0, 2 * session_timeout_s),
            stream_wait_empty=False,
            stream_buffer_maxsize=256,
        )
        transport = SliceTransport(app.conf.broker_consumer, app)
        transport.positions = self._positions
        app.transport = transport
        topic = app.topic(self._topics.readings, value_serializer="raw", key_serializer="raw")
        app.agent(topic, name="slices")(self._work)
        revoked: Any = self._on_revoked
        assigned: Any = self._on_assigned
        app.on_partitions_revoked.connect(revoked)
        app.on_partitions_assigned.connect(assigned)
        return app

    async def _work(self, stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            async with self._turn:
                outcome = self._take(message.partition, message.offset, message.value)
            if outcome is Outcome.GAP:
                await self._ask_again(message.partition)
            else:
                self._asked.pop(message.partition, None)

    def _take(self, partition: int, offset: int, value: bytes) -> Outcome | None:
        if self._failure is not None:
            return None
        try:
            return self._holder.take(partition, offset, value)
        except Exception as error:
            # Faust would go on with the next record; one that fails must not be passed over.
            self._failure = error
            raise

    async def _ask_again(self, partition: int) -> None:
        """Go back to the record that the slice needs; those behind it that are on their way are refused until then."""
        self.refused += 1
        if partition in self._asked:
            return
        held = self._holder.slices[partition]
        log.warning("partition %d: records from %d on did not come; asked for again", partition, held.next_offset)
        await self._ask(partition, held.next_offset)

    async def _ask(self, partition: int, offset: int) -> None:
        """Have a partition read from `offset` on, by the thread that fetches: from here a fetch could be cut in two."""
        self._asked[partition] = time.monotonic() + _AGAIN_S
        place = {TP(self._topics.readings, partition): offset}
        try:
            await asyncio.wait_for(self._app.consumer.seek_wait(place), _AGAIN_S)
        except (KafkaError, TimeoutError) as error:
            # Somebody else has it by now, or will: whoever gets it next reads it from its state.
            log.info("partition %d could not be asked for record %d: %r", partition, offset, error)

    async def _ask_overdue(self) -> None:
        """Ask once more for what has not come."""
        now = time.monotonic()
        for partition, moment in list(self._asked.items()):
            held = self._holder.slices.get(partition)
            if held is None:
                self._asked.pop(partition, None)
            elif moment <= now:
                await self._ask(partition, held.next_offset)

    async def _positions(self, partitions: AbstractSet[int]) -> Mapping[int, int]:
        async with self._turn:
            try:
                found: Mapping[int, int] = await self._aside(self._holder.positions, set(partitions))
            except ScenewatchError as error:
                self._failure = error
                raise
        return found

    async def _on_revoked(self, _: object, revoked: AbstractSet[TP], **__: object) -> None:
        async with self._turn:
            await self._guarded(self._holder.revoked, {tp.partition for tp in revoked})

    async def _on_assigned(self, _: object, assigned: AbstractSet[TP], **__: object) -> None:
        async with self._turn:
            self._holder.assigned({tp.partition for tp in assigned})
        self.ready.set()

    async def _write_due_states(self) -> None:
        for partition in self._holder.due(self._wall_ns() // 1_000_000):
            offset = None
            async with self._turn:
                if partition in self._holder.slices:
                    offset = await self._guarded(self._holder.write_state, partition)
            if offset is not None:
                await self._commit(partition, offset)

    async def _commit(self, partition: int, offset: int) -> None:
        """Tell Kafka's tools how far we are; it does no harm if they are not told."""
        try:
            consumer: Any = self._app.consumer
            await consumer._commit({TP(self._topics.readings, partition): offset})  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing depends on it
            log.info("offsets were not committed: %s", error)

    async def _guarded(self, call: Callable[..., Any], *arguments: object) -> Any:
        """Let a call run aside; what goes wrong ends the worker."""
        try:
            return await self._aside(call, *arguments)
        except ScenewatchError as error:
            self._failure = error
            return None

    @staticmethod
    async def _aside(call: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)
