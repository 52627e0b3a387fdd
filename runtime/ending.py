"""Being asked to end: by Ctrl-C or SIGTERM, in a way that no signal can break."""

import os
import select
import signal


class Ending:
    """Notes that the process was asked to end, and wakes whoever waits for it.

    An event of the threading module will not do: its lock may be held by the very code that the signal interrupts.
    """

    def __init__(self, *numbers: int) -> None:
        """Take over the signals `numbers` (SIGINT and SIGTERM where none is given); in the main thread."""
        self._asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in numbers or (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.ask())

    def ask(self) -> None:
        """Ask for the end; from anywhere, a signal's handler too."""
        if not self._asked:
            self._asked = True
            os.write(self._write, b".")

    def is_asked(self) -> bool:
        """Whether it was asked for."""
        return self._asked

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is asked for, at most so long; whether it was."""
        if not self._asked:
            select.select([self._read], [], [], seconds)
        return self._asked
