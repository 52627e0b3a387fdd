"""One running hub: the store, the threads it is used from, the figures, and those who listen."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from alerts.event import ACKNOWLEDGE, RESET, AlertEvent, Feedback, Verdict
from alerts.evidence import EvidenceStore
from city.atlas import Atlas
from console.backtests import Backtests
from console.devices import DeviceDirectory
from console.lanes import Lane
from console.metrics import Metrics
from console.problems import Problem, ProblemCode
from console.stream import Broadcast
from core.clock import Clock, civil_day
from core.errors import UnavailableError
from dispatch.intake import Plan, Refused
from dispatch.store import Store
from history.query import History
from thresholds.register import SceneRegister

Answer = TypeVar("Answer")
MOST_FEEDBACK = 500
_AT_ONCE = 4
_READERS = 4
_BATCHES_BEFORE_TIDYING = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """How a hub behaves.

    `token` is asked for on every write, `read_token` (or `token`) on every read if it is set.
    `most_waiting` is the length of a listener's queue; a longer one is cut off.
    `history` opens the readings at rest, if this hub shows them.
    """

    token: str
    read_token: str | None = None
    max_body_bytes: int = 1024 * 1024
    most_waiting: int = 2_000
    heartbeat_s: float = 15.0
    history: Callable[[], History] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a hub shows beside alerts and cases; None where this one has none.

    Attributes:
        scenes: The register of scenes.
        devices: The device list, and who is unknown.
        atlas: The map.
        backtests: Whoever makes backtests.
        evidence: Where evidence of alerts lies.
    """

    scenes: SceneRegister | None = None
    devices: DeviceDirectory | None = None
    atlas: Atlas | None = None
    backtests: Backtests | None = None
    evidence: EvidenceStore | None = None


class Hub:
    """The hub behind the routes. Its coroutines are for the event loop on which `start` was called."""

    def __init__(
        self,
        store: Store,
        settings: HubSettings,
        clock: Clock,
        *,
        beside: Beside | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.broadcast = Broadcast(self.metrics, most_waiting=settings.most_waiting)
        self._store = store
        self._clock = clock
        self._beside = beside or Beside()
        self._atlas = self._beside.atlas
        self._batches = 0
        self._tidying: asyncio.Task[None] | None = None
        self._writer = Lane("hub-writer", threads=1, most_waiting=256)
        self._readers = Lane("hub-reader", threads=_READERS, most_waiting=256)
        # A place that is away takes seconds to say so: nobody but who asks for evidence waits for it.
        self._keepsakes = Lane("hub-evidence", threads=2, most_waiting=16)

    async def take(self, events: Sequence[AlertEvent | Refused]) -> Plan:
        """Take events in their order; those who listen are told right after the commit."""
        loop = asyncio.get_running_loop()
        began = time.perf_counter()

        def work() -> Plan:
            plan = self._store.take(events, self._clock.now_ms())
            if plan.moved:
                loop.call_soon_threadsafe(self.broadcast.publish, plan.moved)
            return plan

        # A few events take a millisecond; two changes of thread, under load, take several times that.
        plan = work() if len(events) <= _AT_ONCE and self._writer.idle else await self._writer.run(work)
        self.metrics.intake_seconds.observe(time.perf_counter() - began)
        self.metrics.count(plan.outcomes)
        self._tidy_now_and_then()
        return plan

    async def read(self, query: Callable[[Store], Answer]) -> Answer:
        """The answer of a query."""
        return await self._readers.run(lambda: query(self._store))

    async def devices(self, query: Callable[[DeviceDirectory], Answer]) -> Answer:
        """The answer of a query about devices.

        Raises:
            Problem: `unavailable` if the hub was given no device list.
        """
        directory = self._beside.devices
        if directory is None:
            raise Problem(ProblemCode.UNAVAILABLE, "this hub was given no device list")
        return await self._readers.run(lambda: query(directory))

    async def with_scenes(self, what: Callable[[SceneRegister, int], Answer]) -> Answer:
        """What the register of scenes answers, given the time in ms.

        Raises:
            Problem: `not_found` if this hub has no register.
        """
        register = self._beside.scenes
        if register is None:
            raise Problem(ProblemCode.NOT_FOUND, "this hub has no register of scenes; set scenes.register_dir")
        return await self._readers.run(lambda: what(register, self._clock.now_ms()))

    async def with_backtests(self, what: Callable[[Backtests, int], Answer]) -> Answer:
        """What whoever makes backtests answers, given the time in ms.

        Raises:
            Problem: `unavailable` if this hub has no history to look back on.
        """
        backtests = self._beside.backtests
        if backtests is None:
            raise Problem(ProblemCode.UNAVAILABLE, "this hub has no history to look back on; set history.kind")
        return await self._readers.run(lambda: what(backtests, self._clock.now_ms()))

    async def evidence(self, what: Callable[[EvidenceStore], Answer]) -> Answer:
        """What the place of evidence answers.

        Raises:
            Problem: `not_found` if this hub keeps none, `unavailable` if the place is away.
        """
        evidence = self._beside.evidence
        if evidence is None:
            raise Problem(ProblemCode.NOT_FOUND, "this hub keeps no evidence; set evidence.url")
        return await self._keepsakes.run(lambda: what(evidence))

    async def acknowledge(self, alert: str, by: str, comment: str | None) -> Feedback:
        """Write down that a person has seen an alert, for the pipeline to fetch.

        Raises:
            Problem: `not_found`, or `not_active` if there is nothing to acknowledge.
        """
        loop = asyncio.get_running_loop()

        def work() -> Feedback:
            found = self._store.alert(alert)
            if found is None:
                raise Problem(ProblemCode.NOT_FOUND, "there is no alert with this id")
            if found.data.state in {"cleared", "acknowledged"}:
                raise Problem(ProblemCode.NOT_ACTIVE, f"the alert is {found.data.state} already")
            written = self._store.say(ACKNOWLEDGE, alert, by, comment, self._clock.now_ms())
            loop.call_soon_threadsafe(self.broadcast.announce_feedback)
            return written

        return await self._writer.run(work)

    async def reset(self, alert: str, by: str, comment: str | None) -> Feedback:
        """Write down that what is latched in an alert may clear, for the pipeline to fetch.

        Raises:
            Problem: `not_found`, or `not_active` if the alert is cleared.
        """
        loop = asyncio.get_running_loop()

        def work() -> Feedback:
            found = self._store.alert(alert)
            if found is None:
                raise Problem(ProblemCode.NOT_FOUND, "there is no alert with this id")
            if found.data.state == "cleared":
                raise Problem(ProblemCode.NOT_ACTIVE, "the alert is cleared already")
            written = self._store.say(RESET, alert, by, comment, self._clock.now_ms())
            loop.call_soon_threadsafe(self.broadcast.announce_feedback)
            return written

        return await self._writer.run(work)

    async def judge(self, alert: str, verdict: Verdict, by: str, comment: str | None) -> Feedback:
        """Write down what an alert turned out to be, for the pipeline to fetch.

        Raises:
            Problem: `not_found`.
        """
        loop = asyncio.get_running_loop()

        def work() -> Feedback:
            if self._store.alert(alert) is None:
                raise Problem(ProblemCode.NOT_FOUND, "there is no alert with this id")
            written = self._store.judge(alert, verdict, by, comment, self._clock.now_ms())
            loop.call_soon_threadsafe(self.broadcast.announce_feedback)
            return written

        return await self._writer.run(work)

    async def feedback(self, after: int, wait_s: float) -> list[Feedback]:
        """Feedback with `seq` above `after`; if there is none, it waits up to `wait_s` for some."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while True:
            news = self.broadcast.feedback_news()
            found = await self.read(lambda store: store.feedback(after, MOST_FEEDBACK))
            patience = deadline - loop.time()
            if found or patience <= 0 or self.broadcast.closed:
                return found
            with self.metrics.feedback_waiting.track_inprogress():
                try:
                    async with asyncio.timeout(patience):
                        await news.wait()
                except TimeoutError:
                    return []

    def atlas(self) -> Atlas | None:
        """The map of today (in Asia/Shanghai), or None if the hub has none."""
        if self._atlas is not None:
            today = civil_day(self._clock.now_ms())
            if today != self._atlas.day:
                self._atlas = self._atlas.on(today)
        return self._atlas

    async def check_writable(self, patience_s: float) -> None:
        """Return if the database takes a write within `patience_s`.

        Raises:
            Problem: `unavailable` if it does not.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self._writer.run(self._store.check_writable)
        except TimeoutError as error:
            raise Problem(ProblemCode.UNAVAILABLE, "the database takes too long for a write") from error

    def _tidy_now_and_then(self) -> None:
        """Keep the database's own housekeeping out of the way of events: beside the writer, not in it."""
        self._batches += 1
        if self._batches % _BATCHES_BEFORE_TIDYING == 0 and (self._tidying is None or self._tidying.done()):
            self._tidying = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        with contextlib.suppress(Problem, UnavailableError):  # the next one comes soon
            await self._readers.run(self._store.tidy)

    def close(self) -> None:
        """Finish the write that was begun and close the database; backtests that run are ended."""
        if self._beside.backtests is not None:
            self._beside.backtests.close()
        self._writer.close()
        self._readers.close()
        self._keepsakes.close()
        self._store.close()
