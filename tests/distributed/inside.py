"""A worker in this process, so that a test can do to Faust what a rebalance does to it by chance."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection
from types import TracebackType
from typing import Any, Self

from faust.types import TP

from core.clock import wall_ns
from core.errors import ScenewatchError
from runtime.stream.holder import Holder, SliceOptions
from runtime.stream.worker import StreamWorker
from tests.distributed.cluster import Cluster
from tests.distributed.hour import Hour
from tests.distributed.sides import SETTLE_MS, plan_of

OPTIONS = SliceOptions(max_feeds=4_096, settle_ms=SETTLE_MS, state_every_ms=1_000)


def holder_for(cluster: Cluster, hour: Hour, name: str = "inside") -> Holder:
    """Slices without Faust; every kernel is compiled, as it is before a worker joins the others."""
    holder = Holder(cluster.access, cluster.topics, plan_of(hour), OPTIONS, name=name, wall_ns=wall_ns)
    holder.warm_up()
    return holder


class InsideWorker:
    """Runs a worker in a thread until the end of the context.

    Args:
        cluster: Kafka and its topics.
        hour: What is played.
        holder: The slices; its own where none are given.
        loses: Records, as (partition, offset), that are thrown away when they are fetched first, as a cleared buffer
            does: those behind them come without them.

    Attributes:
        holder: Its slices.
        failure: What ended it, None while it runs or if it was asked to end.
        lost: How many records were thrown away.
        first: The first record that it was given of each partition, by offset.
    """

    def __init__(
        self,
        cluster: Cluster,
        hour: Hour,
        *,
        holder: Holder | None = None,
        loses: Collection[tuple[int, int]] = (),
    ) -> None:
        self.holder = holder or holder_for(cluster, hour)
        self.failure: ScenewatchError | None = None
        self.worker: StreamWorker | None = None
        self.ended = threading.Event()
        self._cluster = cluster
        self.lost = 0
        self.first: dict[int, int] = {}
        self._to_lose = set(loses)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="inside", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._loop is not None and self.worker is not None and not self.ended.is_set():
            self._loop.call_soon_threadsafe(self.worker.stop)
        self._thread.join(60)

    def seek(self, partition: int, offset: int) -> None:
        """Put Faust's consumer somewhere else, behind the worker's back."""
        consumer: Any = self.worker._app.consumer  # type: ignore[union-attr]
        self.call(lambda: consumer.seek_wait({TP(self._cluster.topics.readings, partition): offset}))

    def call(self, what: Callable[[], Awaitable[Any]]) -> Any:
        """Let the worker's own loop do something."""
        assert self._loop is not None

        async def run() -> Any:
            return await what()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def ready(self) -> bool:
        """Whether it knows its partitions and has restored them."""
        return len(self.holder.slices) == self._cluster.topics.partitions

    def _run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.worker = StreamWorker(
            self._cluster.access,
            self._cluster.topics,
            self.holder,
            data=self._cluster.data / "faust",
            session_timeout_s=3,
            wall_ns=wall_ns,
        )
        self._watch(self.worker._app.consumer)
        try:
            await self.worker.run()
        except ScenewatchError as error:
            self.failure = error
        finally:
            self.ended.set()

    def _watch(self, consumer: Any) -> None:
        """Let what is fetched pass, but for what is to be lost."""
        fetch = consumer._getmany

        async def lossy(*arguments: Any, **named: Any) -> Any:
            found = await fetch(*arguments, **named)
            for place, records in found.items():
                self.first.setdefault(place.partition, records[0].offset)
                found[place] = [one for one in records if not self._loses(place.partition, one.offset)]
            return {place: records for place, records in found.items() if records}

        consumer._getmany = lossy

    def _loses(self, partition: int, offset: int) -> bool:
        if (partition, offset) not in self._to_lose:
            return False
        self._to_lose.discard((partition, offset))
        self.lost += 1
        return True
