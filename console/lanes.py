"""Where blocking work is done, so that the event loop never stands still."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from console.problems import Problem, ProblemCode

Answer = TypeVar("Answer")


class Lane:
    """A few threads with a bounded queue before them; what does not fit is turned away, not kept waiting.

    With one thread it keeps the order: work is done, and finished, in the order in which it was given.
    """

    def __init__(self, name: str, *, threads: int, most_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._waiting = 0

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """The answer of `work`, which runs to its end even if the caller goes away.

        Raises:
            Problem: `busy` if too much is waiting, `unavailable` if the lane is closed.
        """
        if self._waiting >= self._most_waiting:
            raise Problem(ProblemCode.BUSY, "too much is waiting for the database; try again in a second")
        loop = asyncio.get_running_loop()
        try:
            future = self._pool.submit(work)
        except RuntimeError as error:
            raise Problem(ProblemCode.UNAVAILABLE, "the hub is stopping") from error
        self._waiting += 1
        future.add_done_callback(lambda done: self._done(loop, done))
        return await asyncio.shield(asyncio.wrap_future(future))

    @property
    def idle(self) -> bool:
        """Whether nothing is being done or waiting."""
        return self._waiting == 0

    def close(self) -> None:
        """Finish what was begun, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _done(self, loop: asyncio.AbstractEventLoop, _future: "Future[Answer]") -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._waiting -= 1
