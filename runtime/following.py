"""The loop of the role `history`, whatever log it follows: look, write, tidy, and begin again after a failure."""

import logging
import os
import time
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, Protocol

from core.clock import wall_ns
from core.errors import DataLossError, UnavailableError
from history.archive import Archive
from history.keeping import Retention, tidy
from history.ledger import Progress
from history.recorder import Counts
from history.stores import Writer
from runtime.ending import Stop
from runtime.figures import Status, family

log = logging.getLogger("scenewatch.history")

LOOK_S = 0.5
_LONGEST_AGAIN_S = 60.0
_TIDY_S = 3_600.0


class Collects(Protocol):
    """What a recorder of any log says of itself."""

    counts: Counts
    progress: Progress
    waiting_bytes: int

    @property
    def until_ms(self) -> int:
        """Until where the spans go that were listened to, 0 for nowhere."""

    def flush(self) -> None:
        """Hand on what was collected.

        Raises:
            UnavailableError: If it cannot be written; make a new recorder.
            DataLossError: If a feed has no name; the same.
        """


class Following(ABC):
    """The loop of the role.

    Args:
        sink: Where the readings go.
        retention: What is kept for how long.
        flush_s: Readings wait so long at most.
        stop: Ends it after the piece in hand.
    """

    def __init__(self, sink: Writer, retention: Retention, *, flush_s: float, stop: Stop) -> None:
        self._sink = sink
        self._stop = stop
        self._retention = retention
        self._flush_s = flush_s
        self._counts = Counts()
        self._errors = 0
        self._error = ""
        self._wait_s = LOOK_S
        self._flushed = time.monotonic()
        self._tidied = -_TIDY_S

    def run(self) -> None:
        """Loop until `stop`; what has come by then is written."""
        while not self._stop.wait(self._wait_s):
            try:
                self._step()
                self._well()
            except (UnavailableError, DataLossError) as error:
                self._wait_s = min(2 * self._wait_s, _LONGEST_AGAIN_S)
                self._failed(error, self._wait_s)
        try:
            self._write()
        except (UnavailableError, DataLossError) as error:
            self._failed(error, 0.0)
        self._end()

    def status(self) -> Status:
        """What it does, in numbers; safe to call from another thread."""
        recorder = self._collects
        held = self._sink.ledger.files()
        return {
            "connected": not self._error,
            **{key: value + getattr(recorder.counts, key) for key, value in asdict(self._counts).items()},
            "held": recorder.progress.readings,
            "until_ms": recorder.until_ms,
            "waiting_bytes": recorder.waiting_bytes,
            "files": len(held),
            "bytes": sum(row.bytes for row in held),
            "errors": self._errors,
            "error": self._error,
            "pid": os.getpid(),
            **self._position(),
        }

    @property
    @abstractmethod
    def _collects(self) -> Collects:
        """The recorder in use."""

    @abstractmethod
    def _position(self) -> dict[str, Any]:
        """Up to where history has the log: `seq`, and whatever else says it."""

    @abstractmethod
    def _step(self) -> None:
        """Look once, and write what is due.

        Raises:
            UnavailableError: If the log cannot be read or the store not be written.
            DataLossError: If something cannot be understood.
        """

    @abstractmethod
    def _anew(self) -> None:
        """Begin again from what history has."""

    def _well(self) -> None:
        """What was wrong is over."""
        self._error, self._wait_s = "", LOOK_S

    def _end(self) -> None:  # noqa: B027 - not every log has to be let go of
        """Let go of what was opened."""

    def _write(self) -> None:
        self._collects.flush()

    def _due(self) -> None:
        """Write and tidy if it is time."""
        if time.monotonic() - self._flushed >= self._flush_s:
            self._write()
            self._on_piece()
        if time.monotonic() - self._tidied >= _TIDY_S:
            self._tidied = time.monotonic()
            self._tidy()

    def _on_piece(self) -> None:
        self._flushed = time.monotonic()
        if isinstance(self._sink, Archive):
            self._sink.fold()

    def _tidy(self) -> None:
        if isinstance(self._sink, Archive):
            tidy(
                self._sink, self._retention, until_ms=self._collects.until_ms, now_ms=wall_ns() // 1_000_000
            )  # fmt: skip

    def _failed(self, error: Exception, wait: float) -> None:
        """Begin again from what history has: the log keeps the rest."""
        if str(error) != self._error:
            log.error("%s; trying again in %.0f s, the log keeps what comes meanwhile", error, wait)
        self._error = str(error)
        self._errors += 1
        for key, value in asdict(self._collects.counts).items():
            setattr(self._counts, key, getattr(self._counts, key) + value)
        self._anew()


def metrics(status: Status) -> str:
    """The status in Prometheus' text form."""
    lines: list[str] = []
    for key, kind, words in (
        ("entries", "counter", "Entries or records of the log looked at."),
        ("readings", "counter", "Readings written."),
        ("pieces", "counter", "Writes."),
        ("lost_entries", "counter", "Entries or records dropped before history had them."),
        ("errors", "counter", "Times that it had to begin again."),
        ("seq", "gauge", "Entries of the journal, or records of all partitions, up to where history has them."),
        ("held", "gauge", "Readings written since history began."),
        ("waiting_bytes", "gauge", "Bytes of readings collected and not written yet."),
        ("files", "gauge", "Files of readings."),
        ("bytes", "gauge", "Their size."),
    ):
        name = f"scenewatch_history_{key}" + ("_total" if kind == "counter" else "")
        lines += family(name, kind, words, [("", status[key])])
    return "\n".join(lines) + "\n"
