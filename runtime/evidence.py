"""Evidence of each alert: what the feeds that raised it measured around it, out of history, put where evidence lies.

It follows the alerts that the dispatch core knows, behind everything else: a place that is away is tried again, and
nothing waits for it. What is done twice is the same object twice.
"""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from alerts.event import AlertData
from alerts.evidence import EvidenceStore, Item, Manifest
from core.clock import Clock, parse_rfc3339, rfc3339
from core.errors import ScenewatchError
from core.whole import write_whole
from history.query import GapReason, History, Selection

log = logging.getLogger("scenewatch.evidence")

_LOOK_S = 2.0
_LONGEST_S = 60.0
_PAGE = 200
_MOST_FEEDS = 50
_MOST_READINGS = 20_000
_PATIENCE_MS = 3_600_000
_EXPIRE_MS = 3_600_000
_JSON = "application/json"

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Known:
    """An alert as the dispatch core knows it: its number there, and what it is."""

    seq: int
    data: AlertData


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """What is kept of an alert.

    Attributes:
        before_ms: So long before it was raised.
        after_ms: So long after it.
        keep_ms: How long evidence is kept.
        settle_ms: So long after that history has what came.
    """

    before_ms: int = 600_000
    after_ms: int = 600_000
    keep_ms: int = 365 * 86_400_000
    settle_ms: int = 30_000


class EvidenceKeeper:
    """Runs in a thread of its own.

    Args:
        alerts: Alerts with a number below the one given (None: of all), the newest first, so many.
        history: Opens history.
        store: Where evidence is put.
        clock: What is taken for now.
        options: What is kept.
        position: File that says up to which alert everything is done.
        stop: Ends the thread.

    Attributes:
        kept: Alerts whose evidence was put.
        error: Why the last look came to nothing; empty if it did not.
    """

    def __init__(
        self,
        alerts: Callable[[int | None, int], Sequence[Known]],
        history: Callable[[], History],
        store: EvidenceStore,
        clock: Clock,
        options: EvidenceOptions,
        position: Path,
        stop: threading.Event,
    ) -> None:
        self.kept = 0
        self.error = ""
        self._alerts = alerts
        self._open_history = history
        self._history: History | None = None
        self._store = store
        self._clock = clock
        self._options = options
        self._position = position
        self._stop = stop
        self._done_to = int(position.read_text()) if position.exists() else 0
        self._done: set[int] = set()
        self._next_expiry = 0
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look(self) -> None:
        """Look once at every alert that is not done, the oldest first.

        Raises:
            UnavailableError: If the dispatch core, history or the place is away; what was done stays done.
        """
        now = self._clock.now_ms()
        open_ones = self._open_ones()
        try:
            for known in open_ones:
                if self._is_due(known.data, now) and self._keep(known.data, now):
                    self._done.add(known.seq)
                    self.kept += 1
        finally:
            self._advance([known.seq for known in open_ones])
        if now >= self._next_expiry:
            self._next_expiry = now + _EXPIRE_MS
            self._store.expire(dt.datetime.fromtimestamp((now - self._options.keep_ms) / 1000, dt.UTC))

    def _open_ones(self) -> list[Known]:
        found: list[Known] = []
        before: int | None = None
        while page := self._alerts(before, _PAGE):
            fresh = [known for known in page if known.seq > self._done_to]
            found += [known for known in fresh if known.seq not in self._done]
            if len(fresh) < len(page):
                break
            before = page[-1].seq
        return sorted(found, key=lambda known: known.seq)

    def _is_due(self, data: AlertData, now: int) -> bool:
        return now >= parse_rfc3339(data.raised_at) + self._options.after_ms + self._options.settle_ms

    def _keep(self, data: AlertData, now: int) -> bool:
        """Put the evidence of one alert; False if history is not there yet."""
        raised = parse_rfc3339(data.raised_at)
        start, end = raised - self._options.before_ms, raised + self._options.after_ms
        if now - end > self._options.keep_ms:
            return True  # it would be dropped at once
        if self._history is None:
            self._history = self._open_history()
        extract = extracted(self._history, data, start, end)
        late = now - end > _PATIENCE_MS
        if extract is None or (not late and any(gap["reason"] == GapReason.NOT_WRITTEN for gap in extract["gaps"])):
            return late
        content = _encode(extract)
        item = Item(
            kind="readings", sha256=self._store.put(content), bytes=len(content), media_type=_JSON,
            start=rfc3339(start), end=rfc3339(end),
        )  # fmt: skip
        self._store.note(Manifest(alert=data.alert, items=[item]))
        return True

    def _advance(self, looked_at: Sequence[int]) -> None:
        """Move the position up to the first alert that is not done."""
        waiting = [seq for seq in looked_at if seq not in self._done]
        done_to = min(waiting) - 1 if waiting else max([self._done_to, *looked_at])
        if done_to == self._done_to:
            return
        self._done_to = done_to
        self._done = {seq for seq in self._done if seq > done_to}
        write_whole(self._position, str(done_to))

    def _close(self) -> None:
        if self._history is not None:
            self._history.close()
            self._history = None

    def _run(self) -> None:
        wait = _LOOK_S
        while not self._stop.wait(wait):
            try:
                self.look()
            except ScenewatchError as error:
                wait = min(2 * wait, _LONGEST_S)
                if str(error) != self.error:
                    log.warning("%s; trying again in %.0f s", error, wait)
                self.error = str(error)
                self._close()
            else:
                self.error, wait = "", _LOOK_S


def extracted(history: History, data: AlertData, start_ms: int, end_ms: int) -> dict[str, Any] | None:
    """What the feeds of an alert measured, as plain data; None if history knows none of them.

    Readings stand in the order of arrival, as [time, value, quality, arrival]. At most 50 feeds and 20,000 readings;
    `left_out` says how many more there were.
    """
    pairs = [tuple(feed.split("/", 1)) for feed in data.feeds[:_MOST_FEEDS]]
    of = Selection.of(
        start_ms, end_ms, devices={device for device, _ in pairs}, metrics={metric for _, metric in pairs}
    )  # fmt: skip
    found = history.readings(of)
    wanted = [index for index, name in enumerate(found.feeds) if (name.device, name.metric) in pairs]
    if not wanted:
        return None
    rows: dict[int, list[list[Any]]] = {index: [] for index in wanted}
    batch, room, left_out = found.batch, _MOST_READINGS, 0
    columns = (batch.feed, batch.event_time, batch.value, batch.quality, batch.arrival // 1_000_000)
    for feed, time, value, quality, arrival in zip(*(column.tolist() for column in columns), strict=True):
        if feed in rows and room:
            rows[feed].append([rfc3339(time), value, quality, rfc3339(arrival)])
            room -= 1
        elif feed in rows:
            left_out += 1
    return {
        "alert": data.alert,
        "scene": data.scene,
        "rules": data.rules,
        "from": rfc3339(start_ms),
        "to": rfc3339(end_ms),
        "columns": ["time", "value", "quality", "arrival"],
        "feeds": [{**found.feeds[index]._asdict(), "readings": rows[index]} for index in wanted],
        "left_out": left_out,
        "gaps": [
            {"from": rfc3339(gap.start_ms), "to": rfc3339(gap.end_ms), "reason": str(gap.reason)} for gap in found.gaps
        ],
    }
