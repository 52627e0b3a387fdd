"""What people say comes back: a thread that long-polls the dispatch core's feedback."""

import random
import threading
import time
from collections.abc import Callable

import msgspec

from alerts.event import Feedback
from alerts.sinks.backoff import Backoff
from alerts.sinks.wire import Answer, HubClient
from core.errors import UnavailableError

WAIT_S = 20
_GRACE_S = 10.0
_SHORTEST_ROUND_S = 1.0

_decode = msgspec.json.Decoder(list[Feedback]).decode


class FeedbackReader:
    """Hands each `Feedback` over once and in order, however often the hub goes away.

    `position` is the `seq` of the last one that was handed over without an error; who starts a reader again
    gives it as `after`. The callback runs in the reader's thread.

    Args:
        base: Address of the dispatch core.
        token: The bearer token.
        on_feedback: Takes one; when it raises `UnavailableError` the same one comes again later.
        after: The last `seq` that is known.
        stop: Ends the reader.
        rng: Jitter of the waits.
        backoff: Waits after failures, instead of the usual ones.
    """

    def __init__(
        self,
        base: str,
        token: str,
        on_feedback: Callable[[Feedback], None],
        *,
        after: int,
        stop: threading.Event,
        rng: random.Random,
        backoff: Backoff | None = None,
    ) -> None:
        self.position = after
        self.last_error: str | None = None
        self._client = HubClient(base, token, read_timeout_s=WAIT_S + _GRACE_S)
        self._on_feedback = on_feedback
        self._stop = stop
        self._backoff = backoff if backoff is not None else Backoff(rng)
        self._thread = threading.Thread(target=self._run, name="alert-feedback", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End the reader and what it waits for; whether it has ended in time."""
        self._stop.set()
        self._client.interrupt()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                came = self._poll()
                self.last_error, failures = None, 0
            except UnavailableError as error:
                failures += 1
                self.last_error = str(error)
                self._stop.wait(self._backoff.delay_s(failures))
                continue
            if not came:  # a hub that does not wait is not asked without a break
                self._stop.wait(max(0.0, _SHORTEST_ROUND_S - (time.monotonic() - started)))
        self._client.close()

    def _poll(self) -> bool:
        """One round; whether anything came."""
        answer = self._client.request("GET", f"/api/v1/feedback?after={self.position}&wait={WAIT_S}")
        found = [said for said in _read(answer) if said.seq > self.position]
        for said in found:
            self._on_feedback(said)
            self.position = said.seq
        return bool(found)


def _read(answer: Answer) -> list[Feedback]:
    if answer.status != 200:
        raise UnavailableError(f"the hub answers {answer.status} when asked for feedback")
    try:
        return _decode(answer.body)
    except msgspec.MsgspecError as error:
        raise UnavailableError(f"the hub's feedback cannot be read: {error}") from error
