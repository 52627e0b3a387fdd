"""History behind the routes: opened when first asked, in threads of its own, so that a long question stalls nothing."""

import threading
from collections.abc import Callable
from typing import TypeVar

from console.lanes import Lane
from console.problems import Problem, ProblemCode
from history.query import History

Answer = TypeVar("Answer")
Opener = Callable[[], History]
_THREADS = 2
_MOST_WAITING = 32


class HistoryDesk:
    """Where the routes ask history.

    Args:
        opener: Opens it; None where this hub has none.
    """

    def __init__(self, opener: Opener | None) -> None:
        self._opener = opener
        self._opened: History | None = None
        self._lock = threading.Lock()
        self._lane = Lane("hub-history", threads=_THREADS, most_waiting=_MOST_WAITING)

    async def ask(self, question: Callable[[History], Answer]) -> Answer:
        """The answer of history.

        Raises:
            Problem: `unavailable` if this hub has none, `busy` if too much is asked.
            UnavailableError: If it cannot be had now.
        """
        return await self._lane.run(lambda: question(self._open()))

    def close(self) -> None:
        """Finish the question in hand and let go."""
        self._lane.close()
        if self._opened is not None:
            self._opened.close()

    def _open(self) -> History:
        if self._opener is None:
            raise Problem(ProblemCode.UNAVAILABLE, "this hub has no history; set history.kind in its configuration")
        with self._lock:
            if self._opened is None:
                self._opened = self._opener()
            return self._opened
