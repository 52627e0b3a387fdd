"""The threshold stage: readings in, transitions out; state, bindings and tables around the kernel."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from city.device import Device
from core.reading import Int32, Int64, ReadingBatch
from core.severity import Severity
from core.stage import Snapshot
from thresholds import kernel
from thresholds import kernel_state as arrays
from thresholds.compiler import Refused, Tables, Watch
from thresholds.gauges import Gauges
from thresholds.kernel_state import Rows, State
from thresholds.lines import aligned
from thresholds.measure import Measure
from thresholds.running import Running
from thresholds.scene_set import SceneSet
from thresholds.schedule import working_days_end_ms
from thresholds.transition import Transitions
from thresholds.usual import Standing, standing

_OUT_ROWS = 4_096
_NUMBER, _HEARS = (Watch._fields.index(name) for name in ("number", "hears"))
_NOTHING = ReadingBatch.of([], [], [])


class Engine:
    """Every level of every scene on every feed that it watches.

    State of feeds and levels is reserved at once as zeroed memory, which the system backs page by page when it is first
    touched: for `max_feeds`, and for as many levels a feed as the scenes allow one to have by type and metric. So a new
    feed never makes the others wait for a copy, and what is never bound costs nothing. State of measures, which few
    feeds have, is made when a feed that needs it is bound; it doubles, so that this is rare.

    Args:
        scenes: What decides.
        max_feeds: Most feeds that can be bound.
        settle_ms: What is allowed for transport before a delay ends by time alone, ms.
    """

    def __init__(self, scenes: SceneSet, *, max_feeds: int, settle_ms: int = 1_000) -> None:
        self._settle_ms = settle_ms
        self._max_feeds = max_feeds
        self._devices: list[Device] = []
        self._metrics: list[str] = []
        self._meta = np.zeros(arrays.META, np.int64)
        self._install(scenes)

    def _install(self, scenes: SceneSet) -> None:
        """Take other scenes, with nothing bound."""
        self.scenes = scenes
        self._tables = Tables(scenes)
        reserve = self._max_feeds * self._tables.widest
        self._feeds: Rows = aligned(self._max_feeds, arrays.FEED)
        self._slots: Rows = np.zeros(reserve, arrays.SLOT)
        self._heap: Rows = aligned(2 * reserve + _OUT_ROWS, arrays.HEAP, behind=1)
        self._out: Rows = np.zeros(_OUT_ROWS + arrays.ROWS_PER_LEVEL * self._tables.widest, arrays.OUT)
        self._gauges = Gauges()
        self._n_slots = 0
        self._meta[arrays.HEAP_SIZE] = 0

    @property
    def decisions(self) -> int:
        """Readings looked at, summed over the scenes that watch them."""
        return int(self._meta[arrays.DECISIONS])

    @property
    def refused(self) -> list[Refused]:
        """Devices that scenes in force cannot watch, since they lack a design value; in the order of binding."""
        return list(self._tables.refused)

    @property
    def calendar_ends_ms(self) -> int | None:
        """When it is no longer known who works, in the calendar by which some scene turns; None if none does."""
        zones = [scene.zone for scene in self.scenes.scenes if scene.uses_working_days]
        return min((working_days_end_ms(zone) for zone in zones), default=None)

    def device(self, feed: int) -> Device:
        """Who stands behind a feed."""
        return self._devices[feed]

    def bind(self, feed: int, device: Device, metric: str) -> int:
        """Let the scenes that watch `metric` of `device` decide on `feed`; how many they are.

        Raises:
            ValueError: If feeds are not bound in the order 0, 1, 2, ... or there is no room for more.
        """
        self._expect(feed, 1)
        self._devices.append(device)
        self._metrics.append(metric)
        self._bind_rest(feed)
        return int(self._tables.watches["scenes"][self._feeds["watch"][feed]])

    def bind_many(self, feeds: Iterable[tuple[Device, str]]) -> None:
        """Bind the feeds that come next, in their order: the fast way for many.

        Raises:
            ValueError: If there is no room for them.
        """
        first = len(self._devices)
        pairs = list(feeds)
        self._expect(first, len(pairs))
        self._devices.extend(device for device, _ in pairs)
        self._metrics.extend(metric for _, metric in pairs)
        self._bind_rest(first)

    def on_batch(self, batch: ReadingBatch) -> Transitions:
        """What the readings decide; time passes to each one's arrival first.

        Raises:
            IndexError: If a feed is beyond `max_feeds`; nothing after that reading has been looked at.
        """
        return self._run(batch, int(arrays.NO_NOW))

    def on_timer(self, now_ms: int) -> Transitions:
        """What time alone decides by `now_ms`."""
        return self._run(_NOTHING, now_ms)

    def next_timer(self) -> int | None:
        """When `on_timer` may have something to say, ms; None if no delay in time runs."""
        key = int(kernel.next_key(self._state()))
        return None if key < 0 else key

    def warm_up(self) -> None:
        """Have every kernel compiled, or loaded, by readings and feeds that are none; nothing changes.

        Nobody has to wait for it when scenes change, a device is expected, or a person lets something go.
        """
        nobody = np.empty(0, np.int64)
        self.on_batch(ReadingBatch.of([], [], []))
        self.next_timer()
        self.expect(nobody.astype(np.int32), 0)
        kernel.arm_all(nobody, self._settle_ms, self._state())
        kernel.let_go(nobody, 0, self._state())

    def resume(self, now_ms: int) -> None:
        """Nobody listened until `now_ms`: what is left of running delays is counted from here.

        So a backlog that comes in after an outage has its say before time alone ends anything.
        """
        self._meta[arrays.RESUMED] = max(int(self._meta[arrays.RESUMED]), now_ms)

    def expect(self, feeds: Int32, now_ms: int) -> None:
        """These feeds are known from now on: where absence does not count yet, it counts from here.

        A feed that was heard counts from its last reading by itself; this is for those that never were.
        """
        kernel.expect(feeds, now_ms, self._settle_ms, self._state())

    def tells_absence(self, device: Device, metric: str) -> bool:
        """Whether a scene would tell that `metric` of `device` does not come."""
        watch = self._tables.watch(device, metric)
        kinds = self._tables.measures["kind"][watch.measure : watch.measure + watch.measures]
        return bool((kinds == arrays.ABSENT).any())

    def unexpected(self) -> Int32:
        """Feeds whose absence would be told and does not count yet, shape (n,)."""
        return self._gauges.waiting(self._tables.measures)

    def release(self, scene: str, feeds: Int32, now_ms: int) -> Transitions:
        """A person lets go what is latched: levels of a scene on these feeds that are back beyond their clear value.

        Those for which the condition still holds stay active.
        """
        index = self.scenes.index(scene)
        rows = self._feeds[feeds]
        levels = self._tables.watches["levels"][rows["watch"]]
        slots = [np.arange(first, first + many) for first, many in zip(rows["slot"], levels, strict=True)]
        at = np.concatenate([np.zeros(0, np.int64), *slots])
        levels = self._tables.levels[self._slots["level"][at]]
        waits = (self._slots["phase"][at] == arrays.CLEARING) & (levels["clear_by"] == arrays.BY_HAND)
        waiting = at[waits & (levels["scene"] == index)]
        parts = [Transitions.empty()]
        for begin in range(0, len(waiting), _OUT_ROWS):
            filled = int(kernel.let_go(waiting[begin : begin + _OUT_ROWS], now_ms, self._state()))
            parts.append(_transitions(self._out[:filled]))
        return Transitions.concat(parts)

    def standing(self, feed: int, scene: str, measure: Measure) -> Standing | None:
        """How a feed stands to a baseline of a scene; None where it has none, or nothing was heard of it yet."""
        row = self._feeds[feed]
        watch = self._tables.watches[row["watch"]]
        keys = self._tables.keys[watch["measure"] : watch["measure"] + watch["measures"]]
        if measure.kind != arrays.BASELINE or (scene, measure) not in keys:
            return None
        gauge = self._gauges.rows[row["gauge"] + keys.index((scene, measure))]
        if not gauge["begun"]:
            return None
        cells = self._gauges.cells[gauge["cell"] : gauge["cell"] + measure.cells]
        away = float(gauge["value"]) if gauge["known"] else None
        return standing(measure, cells, int(gauge["here"]), int(gauge["at"] - gauge["since"]), away)

    def watches(self, scene: str, feed: int, severity: Severity) -> bool:
        """Whether the level of that severity of the scene with that id is there for a feed."""
        index = self.scenes.index(scene)
        if index < 0 or not 0 <= feed < len(self._devices):
            return False
        return bool(self._slots_of(np.array([feed]), np.array([index]), np.array([int(severity)]))[0] >= 0)

    def snapshot(self) -> Snapshot:
        """What is not idle by feed, scene id and severity, what is measured by feed, scene id and measure.

        So it fits other scenes and other tables too.
        """
        return {**self._running().packed(), **self._gauges.packed(self._tables, self._feeds)}

    def _running(self) -> Running:
        slots = self._slots[: self._n_slots]
        running = slots[slots["phase"] != arrays.IDLE]
        levels = self._tables.levels[running["level"]]
        feeds = self._feeds[running["feed"]]
        passed = np.where(running["phase"] == arrays.ACTIVE, 0, feeds["passed"])
        by = np.where(running["phase"] == arrays.RAISING, levels["raise_by"], levels["clear_by"])
        return Running(
            bound=len(self._devices),
            resumed=int(self._meta[arrays.RESUMED]),
            decisions=self.decisions,
            scenes=[scene.id for scene in self.scenes.scenes],
            feed=running["feed"].copy(),
            scene=levels["scene"].copy(),
            severity=levels["severity"].astype(np.uint8),
            phase=running["phase"].astype(np.uint8),
            onset=running["onset"].copy(),
            samples=running["samples"] + passed,
            bits=np.where((by == arrays.BY_SOME) & (running["phase"] != arrays.ACTIVE), running["due"], 0),
            event=feeds["event"].copy(),
            arrival=feeds["arrival"].copy(),
            value=feeds["value"].copy(),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Take up a snapshot; its feeds must be bound already. Levels that are there no more are left out.

        Raises:
            DataLossError: If it is of another version or has feeds that are not bound.
        """
        self._take_over(self.scenes, snapshot)

    def replace(self, scenes: SceneSet) -> None:
        """Let other scenes decide from here on.

        Whatever is not idle goes on where its feed, scene id and severity are still there: active stays active, a
        running delay keeps its onset and takes the new length (it ends at the last reading at the earliest).
        """
        self._take_over(scenes, self.snapshot())

    def _take_over(self, scenes: SceneSet, snapshot: Snapshot) -> None:
        running = Running.unpacked(snapshot, bound=len(self._devices))
        known = Gauges.unpacked(snapshot, bound=len(self._devices))
        self._install(scenes)
        self._bind_rest(0)
        self._gauges.take_up(known, self._tables, self._feeds)
        self._show_faces()
        self._take_up(running)
        waiting = np.flatnonzero(self._slots["phase"][: self._n_slots] != arrays.IDLE)
        kernel.arm_all(np.concatenate([waiting, self._gauges.on_heap()]), self._settle_ms, self._state())

    def rebind(self, devices: Mapping[int, Device]) -> None:
        """Let bound feeds stand for other devices from here on.

        What is not idle goes on as in `replace`; where the scenes watch the same as before, nothing else changes.
        """
        moved = False
        for feed, device in devices.items():
            before, metric = self._devices[feed], self._metrics[feed]
            self._devices[feed] = device
            moved = moved or self._tables.watch(before, metric) != self._tables.watch(device, metric)
        if moved:
            self.replace(self.scenes)

    def _run(self, batch: ReadingBatch, now_ms: int) -> Transitions:
        parts: list[Transitions] = []
        row = 0
        while row <= len(batch):
            row, filled = kernel.evaluate(
                row, batch.feed, batch.event_time, batch.value, batch.arrival, batch.quality, now_ms, self._settle_ms,
                *self._state(),
            )  # fmt: skip
            if row < 0:
                raise IndexError(f"feed {batch.feed[-1 - row]} is beyond the {self._max_feeds} that can be bound")
            if filled:
                parts.append(_transitions(self._out[:filled]))
        return Transitions.concat(parts)

    def lend(self) -> tuple[State, int]:
        """Its arrays and `settle_ms`, for a kernel that runs in place of `on_batch`; `take_back` has to follow."""
        return self._state(), self._settle_ms

    def take_back(self, decisions: int, resumed: int) -> None:
        """Go on from what such a kernel has made of the arrays: what waits for time goes on the heap anew.

        Args:
            decisions: How many more readings were looked at, summed over scenes.
            resumed: ms until which nobody listened, 0 if there was nothing of the kind.
        """
        self._meta[arrays.DECISIONS] += decisions
        self.resume(resumed)
        gauges = self._gauges.rows[: len(self._gauges)]
        key = np.concatenate([self._slots["queued"][: self._n_slots], gauges["queued"]])
        entry = np.concatenate([np.arange(self._n_slots), arrays.GAUGES + np.arange(len(gauges))])
        waiting = np.flatnonzero(key != arrays.UNQUEUED)
        # What is sorted is a heap.
        waiting = waiting[np.lexsort((entry[waiting], key[waiting]))]
        self._heap["key"][: len(waiting)], self._heap["slot"][: len(waiting)] = key[waiting], entry[waiting]
        self._meta[arrays.HEAP_SIZE] = len(waiting)

    def _show_faces(self) -> None:
        """Let the rows be in force that the schedules said last."""
        slots, feeds = self._slots[: self._n_slots], self._feeds
        heads = self._tables.levels[slots["level"]]
        turning = np.flatnonzero(heads["program"] != arrays.READING)
        gauges = self._gauges.rows[feeds["gauge"][slots["feed"][turning]] + heads["program"][turning]]
        begun = gauges["begun"] == 1
        slots["level"][turning[begun]] = heads["faces"][turning[begun]] + gauges["face"][begun]

    def _state(self) -> State:
        tables, gauges = self._tables, self._gauges
        return State(
            self._feeds, self._slots, tables.watches, tables.levels, tables.measures, gauges.rows, gauges.cells,
            tables.times, tables.faces, self._heap, self._meta, self._out,
        )  # fmt: skip

    def _expect(self, feed: int, count: int) -> None:
        if feed != len(self._devices):
            raise ValueError(f"feeds are bound in order: {len(self._devices)} is next, not {feed}")
        if feed + count > self._max_feeds:
            raise ValueError(f"no more than {self._max_feeds} feeds can be bound")

    def _bind_rest(self, first: int) -> None:
        """Give feeds from `first` on their slots, all at once."""
        tables = self._tables
        watches = [
            tables.watch(device, metric)
            for device, metric in zip(self._devices[first:], self._metrics[first:], strict=True)
        ]
        begins, counts, firsts, measures = (_column(watches, k, np.int64) for k in range(4))
        feeds = np.arange(first, first + len(watches))
        slots = self._n_slots + np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        rows = self._feeds[first : first + len(watches)]
        hears = np.where(_column(watches, _HEARS, np.int64) > 0, arrays.HEARS, 0)
        rows[:] = np.zeros(1, arrays.FEED)
        rows["lo"] = np.inf
        rows["busy"] = np.where(measures > 0, arrays.MEASURED | arrays.UNTOLD | hears, 0)
        rows["slot"], rows["watch"] = slots[:-1], _column(watches, _NUMBER, np.int64)
        rows["gauge"] = np.where(measures > 0, len(self._gauges) + np.cumsum(measures) - measures, 0)
        rows["value"][measures > 0] = np.nan
        self._gauges.add(feeds, firsts, measures, tables.cells)
        new = self._slots[self._n_slots : int(slots[-1])]
        new["phase"], new["queued"] = arrays.IDLE, arrays.UNQUEUED
        new["feed"] = np.repeat(feeds, counts)
        new["level"] = np.arange(self._n_slots, int(slots[-1])) - np.repeat(slots[:-1] - begins, counts)
        self._n_slots = int(slots[-1])
        self._make_room()

    def _make_room(self) -> None:
        """Twice as many entries on the heap as there are levels and measures: at most half of them are dead."""
        room = 2 * (self._n_slots + len(self._gauges)) + 1
        self._meta[arrays.HEAP_ROOM] = room
        if room > len(self._heap):
            grown = aligned(len(self._heap) + room, arrays.HEAP, behind=1)
            grown[: len(self._heap)] = self._heap
            self._heap = grown

    def _take_up(self, running: Running) -> None:
        self._meta[arrays.RESUMED] = running.resumed
        self._meta[arrays.DECISIONS] = running.decisions
        here = np.array([self.scenes.index(scene) for scene in running.scenes], np.int64)
        found = self._slots_of(running.feed, here[running.scene], running.severity)
        running, at = running.kept(found >= 0), found[found >= 0]
        feeds = self._feeds
        feeds["event"][running.feed] = running.event
        feeds["arrival"][running.feed] = running.arrival
        feeds["value"][running.feed] = running.value
        places = np.minimum(at - feeds["slot"][running.feed], arrays.LAST_BIT)
        np.bitwise_or.at(feeds["busy"], running.feed, np.uint16(1) << places.astype(np.uint16))
        levels = self._tables.levels[self._slots["level"][at]]
        raising = running.phase == arrays.RAISING
        by = np.where(raising, levels["raise_by"], levels["clear_by"])
        arg = np.where(raising, levels["raise_arg"], levels["clear_arg"])
        bits = running.bits & ((np.int64(1) << arg % arrays.SOME) - 1)
        self._slots["phase"][at] = running.phase
        self._slots["onset"][at] = running.onset
        self._slots["samples"][at] = running.samples
        due = np.maximum(running.onset + arg, running.event)
        self._slots["due"][at] = np.where(by == arrays.BY_SOME, np.maximum(bits, 1), due)

    def _slots_of(self, feed: Int32, scene: Int64, severity: NDArray[Any]) -> Int64:
        """The slot of each (feed, scene index, severity), -1 where there is none, shape (n,)."""
        found = np.full(len(feed), -1, np.int64)
        rows, levels = self._feeds[feed], self._tables.levels
        watches = self._tables.watches[rows["watch"]]
        for rank in range(int(watches["levels"].max(initial=0))):
            there = np.flatnonzero(watches["levels"] > rank)
            level = levels[watches["level"][there] + rank]
            same = there[(level["scene"] == scene[there]) & (level["severity"] == severity[there])]
            found[same] = rows["slot"][same] + rank
        return found


def _column(watches: list[Watch], index: int, kind: type[np.generic]) -> NDArray[Any]:
    return np.fromiter((watch[index] for watch in watches), kind, len(watches))


def _transitions(rows: Rows) -> Transitions:
    return Transitions(**{name: rows[name].copy() for name in Transitions.__slots__})
