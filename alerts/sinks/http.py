"""The outbox goes to the dispatch core: CloudEvents over HTTP, in order per place, until acknowledged.

References: CloudEvents 1.0.2, HTTP protocol binding, structured and batched mode (verified: yes, spec text).
"""

import enum
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from alerts.event import BATCH_CONTENT_TYPE, CONTENT_TYPE, Receipt
from alerts.sinks.backoff import Backoff
from alerts.sinks.wire import Answer, HubAwayError, HubBrokeError, HubClient
from alerts.store import AlertStore
from alerts.stored import Acknowledged, Waiting
from core.clock import wall_ns
from core.errors import ScenewatchError

EVENTS_PATH = "/api/v1/events"
CHUNK = 100
"""So many events are taken from the store at once, and go into one batch at most."""
_LOOK_S = 0.5
_NOT_THE_EVENT = frozenset({401, 403, 404, 405, 407})
"""Refusals that say nothing about the event: the token, the address or the other side is wrong."""
_LATER = frozenset({408, 425})
_BUSY = frozenset({429, 503})

_encode = msgspec.json.Encoder().encode
_receipt = msgspec.json.Decoder(Receipt).decode
_receipts = msgspec.json.Decoder(list[Receipt]).decode


class Outcome(enum.StrEnum):
    """How one event of one request fared."""

    ACKNOWLEDGED = "acknowledged"
    DUPLICATE = "duplicate"
    """Acknowledged, and known there already: an earlier answer was lost."""
    PARKED = "parked"
    """It can never be taken; the reason is in the store."""
    PLACE_WAITS = "place_waits"
    """It failed and is tried again; later events of its place wait, others go on."""
    HUB_AWAY = "hub_away"
    """Nobody answers, or the hub takes nothing from us now: everything waits."""


class _Verdict(msgspec.Struct, frozen=True):
    outcome: Outcome
    receipt: Receipt | None = None
    reason: str = ""
    retry_after_s: float = 0.0


class Delivery:
    """A thread that empties the outbox.

    The store is the queue: nothing is held here but which places wait, so the alert path never does. An
    event is acknowledged by a 200 or 201 with its own receipt, and by nothing else. It is parked if the hub
    says that it can never be taken (a receipt with `error`, or a 4xx that is about the event); a refusal that
    is about us (401, 403, 404, 405, 407) or about load (429, 503) makes everything wait, for a wrong token
    must not throw alerts away. Whatever else goes wrong makes the event's place wait and lets others go on.

    Args:
        store: Alerts and outbox.
        base: Address of the dispatch core.
        token: The bearer token.
        source: Who we are, the CloudEvents `source`.
        stop: Ends the thread.
        rng: Jitter of the waits.
        batch: Whether several events that wait may go in one request; they are then of different places.
        backoff: Waits after failures, instead of 0.1 to 30 s.
        read_timeout_s: How long an answer may take, s.
        on_acknowledged: Told what was acknowledged, in the delivery's thread.
        now_ns: Wall time in ns, for measuring.

    Attributes:
        outcomes: How often each `Outcome` was.
        last_error: What went wrong last, in one line; None once something was delivered after it.
    """

    def __init__(
        self,
        store: AlertStore,
        base: str,
        token: str,
        *,
        source: str,
        stop: threading.Event,
        rng: random.Random,
        batch: bool = False,
        backoff: Backoff | None = None,
        read_timeout_s: float = 5.0,
        on_acknowledged: Callable[[Sequence[Acknowledged]], None] | None = None,
        now_ns: Callable[[], int] = wall_ns,
    ) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.last_error: str | None = None
        self._store = store
        self._client = HubClient(base, token, read_timeout_s=read_timeout_s)
        self._source = source
        self._stop = stop
        self._batch = batch
        self._backoff = backoff if backoff is not None else Backoff(rng)
        self._on_acknowledged = on_acknowledged
        self._now_ns = now_ns
        self._condition = threading.Condition()
        self._woken = True
        self._places: dict[str, tuple[int, float]] = {}
        self._held: set[str] = set()
        self._hub_failures = 0
        self._hub_at = 0.0
        self._thread = threading.Thread(target=self._run, name="alert-delivery", daemon=True)

    def start(self) -> None:
        """Begin with whatever waits."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something new is in the outbox; costs microseconds and never waits for the network."""
        with self._condition:
            self._woken = True
            self._condition.notify()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End the thread and the request under way; whether it has ended in time. What waits stays stored."""
        self._stop.set()
        self._client.interrupt()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # ---- the thread

    def _run(self) -> None:
        while self._wait():
            try:
                self._round()
                self._store.checkpoint()
            except ScenewatchError as error:
                if not self._stop.is_set():
                    self._everything_waits(str(error))
        self._client.close()

    def _wait(self) -> bool:
        """Until there is something to do; False when it is time to end."""
        with self._condition:
            while not self._stop.is_set():
                now = time.monotonic()
                due = [at for _, at in self._places.values() if at <= now]
                if now >= self._hub_at and (self._woken or due):
                    self._woken = False
                    return True
                self._condition.wait(self._longest_wait_s(now))
        return False

    def _longest_wait_s(self, now: float) -> float:
        """At most `_LOOK_S`, since who sets the stop event need not wake us."""
        if now < self._hub_at:
            return min(_LOOK_S, self._hub_at - now)
        return min([_LOOK_S, *(at - now for _, at in self._places.values())])

    def _round(self) -> None:
        """Everything that waits and may go, once.

        A place that waits is left out of the whole round, even if its time comes meanwhile: the round may be
        past the event that it waits with, and would send a later one first.
        """
        now = time.monotonic()
        self._held = {place for place, (_, at) in self._places.items() if at > now}
        after = 0
        while chunk := self._store.pending(CHUNK, after=after, without=self._held):
            after = chunk[-1].seq
            for events in self._requests(chunk):
                free = [event for event in events if event.place not in self._held]
                if free and not self._send(free):
                    return
                if self._stop.is_set():
                    return

    def _requests(self, chunk: list[Waiting]) -> list[list[Waiting]]:
        """What goes together: one event, or with `batch` the next one of each place."""
        if not self._batch:
            return [[event] for event in chunk]
        turns: Counter[str] = Counter()
        requests: dict[int, list[Waiting]] = {}
        for event in chunk:
            requests.setdefault(turns[event.place], []).append(event)
            turns[event.place] += 1
        return [requests[turn] for turn in sorted(requests)]

    def _send(self, events: list[Waiting]) -> bool:
        """One request and what follows from it; False if everything has to wait."""
        try:
            answer = self._post(events)
        except HubAwayError as error:
            verdicts = [_Verdict(Outcome.HUB_AWAY, reason=str(error))] * len(events)
        except HubBrokeError as error:
            verdicts = [_Verdict(Outcome.PLACE_WAITS, reason=str(error))] * len(events)
        else:
            if len(events) > 1 and _about_the_event(answer.status):
                return all(self._send([event]) for event in events)  # which of them is it?
            verdicts = _verdicts(answer, events)
        if self._stop.is_set() and any(verdict.receipt is None for verdict in verdicts):
            return False
        return self._follow(events, verdicts)

    def _post(self, events: list[Waiting]) -> Answer:
        if len(events) == 1:
            body, kind = _encode(events[0].event(self._source)), CONTENT_TYPE
        else:
            body, kind = _encode([event.event(self._source) for event in events]), BATCH_CONTENT_TYPE
        return self._client.request("POST", EVENTS_PATH, body, kind)

    def _follow(self, events: list[Waiting], verdicts: list[_Verdict]) -> bool:
        now_ns = self._now_ns()
        taken = [v.receipt for v in verdicts if v.receipt is not None]
        acknowledged = self._store.acked(taken, now_ns) if taken else []
        self.outcomes.update(verdict.outcome for verdict in verdicts)
        for event, verdict in zip(events, verdicts, strict=True):
            if verdict.outcome is Outcome.HUB_AWAY:
                self._everything_waits(verdict.reason, verdict.retry_after_s)
                return False
            self._hub_failures = 0
            if verdict.outcome is Outcome.PLACE_WAITS:
                self._place_waits(event.place, verdict.reason)
                continue
            self._places.pop(event.place, None)
            if verdict.outcome is Outcome.PARKED:
                self._store.failed(event.id, verdict.reason, now_ns)
                self.last_error = f"event {event.id} was refused for good: {verdict.reason}"
            else:
                self.last_error = None
        if acknowledged and self._on_acknowledged is not None:
            self._on_acknowledged(acknowledged)
        return True

    def _place_waits(self, place: str, reason: str) -> None:
        failures = self._places.get(place, (0, 0.0))[0] + 1
        self._held.add(place)
        self._places[place] = (failures, time.monotonic() + self._backoff.delay_s(failures))
        self.last_error = reason

    def _everything_waits(self, reason: str, retry_after_s: float = 0.0) -> None:
        self._hub_failures += 1
        wish_s = min(retry_after_s, self._backoff.longest_s)
        self._hub_at = time.monotonic() + max(wish_s, self._backoff.delay_s(self._hub_failures))
        self.last_error = reason
        with self._condition:
            self._woken = True


def _about_the_event(status: int) -> bool:
    """Whether the hub says that it can never take what was sent."""
    return 400 <= status < 500 and status not in _NOT_THE_EVENT | _LATER | _BUSY


def _verdicts(answer: Answer, events: list[Waiting]) -> list[_Verdict]:
    """What an answer means for each event of its request."""
    status = answer.status
    if status in {200, 201}:
        receipts = _read(answer.body, len(events))
        return [_acknowledgement(event, receipts) for event in events]
    reason = f"the hub answers {status}{_detail(answer.body)}"
    if _about_the_event(status):
        return [_Verdict(Outcome.PARKED, reason=reason)] * len(events)
    if status in _NOT_THE_EVENT:
        cure = "check the hub's address and the token; alerts wait until then"
        return [_Verdict(Outcome.HUB_AWAY, reason=f"{reason}: {cure}")] * len(events)
    if status in _BUSY:
        wish_s = answer.retry_after_s or 0.0
        return [_Verdict(Outcome.HUB_AWAY, reason=reason, retry_after_s=wish_s)] * len(events)
    return [_Verdict(Outcome.PLACE_WAITS, reason=reason)] * len(events)


def _read(body: bytes, events: int) -> dict[str, Receipt]:
    """Receipts by event id; none if the body holds something else."""
    try:
        receipts = [_receipt(body)] if events == 1 else _receipts(body)
    except msgspec.MsgspecError:
        return {}
    return {receipt.id: receipt for receipt in receipts}


def _acknowledgement(event: Waiting, receipts: dict[str, Receipt]) -> _Verdict:
    receipt = receipts.get(event.id)
    if receipt is None:
        reason = f"the hub answered without a receipt for {event.id}; it is sent again"
        return _Verdict(Outcome.PLACE_WAITS, reason=reason)
    if receipt.error is not None:
        return _Verdict(Outcome.PARKED, reason=receipt.error)
    return _Verdict(Outcome.DUPLICATE if receipt.duplicate else Outcome.ACKNOWLEDGED, receipt)


class _Problem(msgspec.Struct):
    detail: str = ""


def _detail(body: bytes) -> str:
    """What a problem (RFC 9457) says of itself, after a colon."""
    try:
        detail = msgspec.json.decode(body, type=_Problem).detail
    except msgspec.MsgspecError:
        return ""
    return f": {detail[:500]}" if detail else ""
