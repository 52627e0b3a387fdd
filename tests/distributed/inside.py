"""A worker in this process, so that a test can do to Faust what a rebalance does to it by chance."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
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
    """Slices without Faust."""
    return Holder(cluster.access, cluster.topics, plan_of(hour), OPTIONS, name=name, wall_ns=wall_ns)


class InsideWorker:
    """Runs a worker in a thread until the end of the context.

    Args:
        cluster: Kafka and its topics.
        hour: What is played.
        holder: The slices; its own where none are given.
        loses: Now and then the first records of a fetch are thrown away, as a cleared buffer does.

    Attributes:
        holder: Its slices.
        failure: What ended it, None while it runs or if it was asked to end.
    """

    def __init__(
        self, cluster: Cluster, hour: Hour, *, holder: Holder | None = None, loses: random.Random | None = None
    ) -> None:
        self.holder = holder or holder_for(cluster, hour)
        self.failure: ScenewatchError | None = None
        self.worker: StreamWorker | None = None
        self.ended = threading.Event()
        self._cluster = cluster
        self._loses = loses
        self.lost = 0
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

        async def move() -> None:
            consumer: Any = self.worker._app.consumer  # type: ignore[union-attr]
            await consumer.seek(TP(self._cluster.topics.readings, partition), offset)

        self.call(move)

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
            self._cluster.access, self._cluster.topics, self.holder, session_timeout_s=3, wall_ns=wall_ns
        )
        if self._loses is not None:
            self._lose(self.worker._app.consumer, self._loses)
        try:
            await self.worker.run()
        except ScenewatchError as error:
            self.failure = error
        finally:
            self.ended.set()

    def _lose(self, consumer: Any, rng: random.Random) -> None:
        fetch = consumer._getmany

        async def lossy(*arguments: Any, **named: Any) -> Any:
            found = await fetch(*arguments, **named)
            for place, records in found.items():
                if len(records) > 1 and rng.random() < 0.3:
                    count = rng.randint(1, len(records) - 1)
                    self.lost += count
                    found[place] = records[count:]
            return found

        consumer._getmany = lossy
