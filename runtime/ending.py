"""Being asked to end: by Ctrl-C or SIGTERM, in a way that no signal can break."""

import os
import select
import signal
import threading
from collections.abc import Callable
from typing import Protocol


class Stop(Protocol):
    """What a loop looks at between two rounds: an `Ending`, or an event of `threading` where no signal sets it."""

    def is_set(self) -> bool:
        """Whether it has to end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has to, at most so many seconds; whether it has."""


class Ending:
    """Notes that the process was asked to end, and wakes whoever waits for it; used as an event of `threading` is.

    Such an event itself will not do: its lock may be held by the very code that the signal interrupts.
    """

    def __init__(self, *numbers: int) -> None:
        """Take over the signals `numbers` (SIGINT and SIGTERM where none is given); in the main thread."""
        self._asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in numbers or (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.set())

    def set(self) -> None:
        """Ask for the end; from anywhere, a signal's handler too."""
        if not self._asked:
            self._asked = True
            os.write(self._write, b".")

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self._asked

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is asked for, at most so many seconds; whether it was."""
        if not self._asked:
            select.select([self._read], [], [], timeout)
        return self._asked


def end_when_a_thread_breaks(stop: Callable[[], None]) -> list[BaseException]:
    """Call `stop` when a bug ends any thread of this process: nobody would deliver, or look at files, any more.

    Returns:
        What ended them; filled from then on.
    """
    broken: list[BaseException] = []

    def end(thread: threading.ExceptHookArgs) -> None:
        if thread.exc_value is not None:
            broken.append(thread.exc_value)
            stop()

    threading.excepthook = end
    return broken
