"""The slow, obvious twin of the threshold engine: plain Python over plain objects, written from the scene language.

It reads "Exactly what a level means" and the rules of time, and nothing of the kernel, the tables or the heap: every
level of every feed is an object, and whose delay ends next is found by looking at all of them.
"""

from dataclasses import dataclass, field

from city.device import Device
from core.reading import Quality, ReadingBatch
from core.severity import Severity
from thresholds.level import LevelBase
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind

Row = tuple[int, int, int, int, int, int, float, int, int]
"""A row of `Transitions`, in the order of its columns."""


def condition_holds(level: LevelBase, value: float) -> bool:
    """Whether the condition of a level holds for a value."""
    limit = level.limit
    match level.condition:
        case "above":
            holds = value > limit
        case "below":
            holds = value < limit
        case "outside":
            holds = value < limit[0] or value > limit[1]
        case "inside":
            holds = limit[0] <= value <= limit[1]
        case "equals":
            holds = value == limit
        case "not_equals":
            holds = value != limit
        case "state":
            holds = (value != 0) == limit
        case _:
            raise AssertionError(level.condition)
    return bool(holds)


def beyond_clear_value(level: LevelBase, value: float) -> bool:
    """Whether a value is beyond the clear value, or where there is none, one for which the condition does not hold."""
    clear = level.clear_value
    if clear is None:
        return not condition_holds(level, value)
    match level.condition:
        case "above":
            return bool(value < clear)
        case "below":
            return bool(value > clear)
        case "outside":
            return bool(clear[0] < value < clear[1])
        case "inside":
            return bool(value < clear[0] or value > clear[1])
    raise AssertionError(level.condition)


@dataclass
class Feed:
    """The last reading of a feed that was looked at."""

    event: int = 0
    arrival_ms: int = 0
    value: float = 0.0


@dataclass
class Machine:
    """One level of one feed."""

    number: int
    feed_index: int
    scene: int
    level: LevelBase
    silent_after: int | None
    feed: Feed
    active: bool = False
    running: bool = False
    onset: int = 0
    in_a_row: int = 0

    @property
    def delay(self) -> tuple[int, int]:
        """(ms, samples) of the delay that matters now."""
        delay = self.level.clear_for if self.active else self.level.for_
        return delay.ms, delay.samples

    def ends_at(self) -> int | None:
        """Event time at which time alone ends the delay, None if time alone does not."""
        ms, _ = self.delay
        if not self.running or ms == 0:
            return None
        end = self.onset + ms
        if self.silent_after and end > self.feed.event + self.silent_after:
            return None
        return end


@dataclass
class EngineTwin:
    """Feeds are bound in order; readings come one by one."""

    scenes: SceneSet
    settle_ms: int = 1_000
    resumed_ms: int = 0
    feeds: list[Feed] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    decisions: int = 0

    def bind(self, device: Device, metric: str) -> None:
        """The next feed."""
        feed = Feed()
        self.feeds.append(feed)
        for index, scene in enumerate(self.scenes.scenes):
            if scene.stage in ("shadow", "pilot", "live") and scene.feeds.watch(device, metric):
                for level in scene.levels_for(device):
                    number = len(self.machines)
                    silent = scene.feeds.silent_after
                    self.machines.append(Machine(number, len(self.feeds) - 1, index, level, silent, feed))

    def on_batch(self, batch: ReadingBatch) -> None:
        """Readings in their order."""
        columns = (batch.feed, batch.event_time, batch.value, batch.arrival, batch.quality)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            self.on_reading(*row)

    def on_reading(self, feed: int, event: int, value: float, arrival_ns: int, quality: int) -> None:
        """One reading, after the time that has passed until it came in."""
        self.on_timer(arrival_ns // 1_000_000)
        if quality & (Quality.LATE | Quality.REPEATED | Quality.HISTORICAL):
            return
        mine = [machine for machine in self.machines if machine.feed_index == feed]
        self.decisions += len({machine.scene for machine in mine})
        while True:
            overtaken = [(end, m.number) for m in mine if (end := m.ends_at()) is not None and end < event]
            if not overtaken:
                break
            end, number = min(overtaken)
            self._end(self.machines[number], end, arrival_ns)
        state = self.feeds[feed]
        state.event, state.arrival_ms, state.value = event, arrival_ns // 1_000_000, value
        for machine in mine:
            self._look(machine, event, value, arrival_ns)

    def on_timer(self, now_ms: int) -> None:
        """Time passes to `now_ms` without a reading."""
        while True:
            due = [(self._moment(m, end), m.number, end) for m in self.machines if (end := m.ends_at()) is not None]
            if not due or min(due)[0] > now_ms:
                return
            moment, number, end = min(due)
            self._end(self.machines[number], end, moment * 1_000_000)

    def _moment(self, machine: Machine, end: int) -> int:
        heard = max(machine.feed.arrival_ms, self.resumed_ms)
        return heard + (end - machine.feed.event) + self.settle_ms

    def _look(self, machine: Machine, event: int, value: float, arrival_ns: int) -> None:
        held = condition_holds(machine.level, value)
        wanted = beyond_clear_value(machine.level, value) if machine.active else held
        if not wanted:
            if machine.running and not machine.active:
                self._row(TransitionKind.LAPSED, machine, event, arrival_ns)
            machine.running = False
            return
        begins = not machine.running
        if begins:
            machine.running, machine.onset, machine.in_a_row = True, event, 0
        machine.in_a_row += 1
        ms, samples = machine.delay
        if (machine.in_a_row >= samples) if samples else (event >= machine.onset + ms):
            self._end(machine, event, arrival_ns)
        elif begins and not machine.active:
            self._row(TransitionKind.ONSET, machine, event, arrival_ns)

    def _end(self, machine: Machine, at: int, arrival_ns: int) -> None:
        self._row(TransitionKind.CLEARED if machine.active else TransitionKind.RAISED, machine, at, arrival_ns)
        machine.active, machine.running = not machine.active, False

    def _row(self, kind: TransitionKind, machine: Machine, at: int, arrival_ns: int) -> None:
        ms, _ = machine.delay
        severity = int(Severity.of(machine.level.severity))
        value = machine.feed.value
        self.rows.append(
            (int(kind), machine.feed_index, machine.scene, severity, at, machine.onset, value, arrival_ns, ms)
        )
