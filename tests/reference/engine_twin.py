"""The slow, obvious twin of the threshold engine: plain Python over plain objects, written from the scene language.

It reads "Exactly what a level means" and the rules of time, and nothing of the kernel, the tables or the heap: every
level of every feed is an object, and whose delay ends next is found by looking at all of them.
"""

from dataclasses import dataclass, field

from city.device import Device
from core.reading import Quality, ReadingBatch
from core.severity import Severity
from tests.reference.measure_twin import MeasureTwin, ProgramTwin, beyond_for, holds_for
from thresholds.delay import Delay
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


READING_ITSELF = frozenset({"above", "below", "outside", "inside", "equals", "not_equals", "state"})
IN_UNIT = ("mean_", "sum_", "max_", "min_", "leq_", "total_")
"""Conditions that compare the reading itself; beginnings of those that compare something in the metric's unit."""


@dataclass
class Feed:
    """The last reading of a feed that was looked at, None before the first; and what is measured of it."""

    event: int = 0
    arrival_ms: int = 0
    value: float | None = None
    measures: dict[tuple[int, str], MeasureTwin] = field(default_factory=dict)
    programs: dict[int, ProgramTwin] = field(default_factory=dict)


@dataclass
class Machine:
    """One level of one feed."""

    number: int
    feed_index: int
    scene: int
    level: LevelBase
    silent_after: int | None
    feed: Feed
    measure: MeasureTwin | None
    program: ProgramTwin | None
    device: Device
    faces: dict[str, MeasureTwin | None] = field(default_factory=dict)
    active: bool = False
    running: bool = False
    onset: int = 0
    in_a_row: int = 0
    last_held: list[bool] = field(default_factory=list)

    @property
    def delay(self) -> Delay:
        """The delay that matters now."""
        return self.level.clear_for if self.active else self.level.for_

    def turn(self) -> None:
        """Take the level that is in force now."""
        if self.program is None:
            return
        scene, kept = self.program.scene, self.level
        levels = scene.levels_for(self.device, self.program.in_force)
        self.level = next(level for level in levels if level.severity == kept.severity)
        self.measure = self.faces[str(self.level.measure(scene.zone))]

    @property
    def open(self) -> bool:
        """Whether its scene watches now."""
        gate = None if self.program is None else self.program.scene.when
        return gate is None or self.program is None or gate.key in self.program.in_force

    @property
    def idle(self) -> bool:
        """Whether nothing is known of it."""
        return not self.active and not self.running

    @property
    def shown(self) -> float:
        """The value that is told of it."""
        if self.measure is not None and self.level.condition.startswith(IN_UNIT):
            return self.measure.shown
        return self.feed.value or 0.0

    def is_held(self, time: int) -> bool:
        """Whether the feed has been silent too long for time alone to decide at `time`."""
        return bool(self.silent_after) and time > self.feed.event + (self.silent_after or 0)

    def ends_at(self) -> int | None:
        """Event time at which time alone ends the delay, None if time alone does not."""
        if not self.running or self.delay.ms == 0 or (self.active and self.level.latch):
            return None
        end = self.onset + self.delay.ms
        return None if self.is_held(end) else end


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
                program = feed.programs.setdefault(index, ProgramTwin(scene)) if scene.whens else None
                faces: dict[str, MeasureTwin | None] = {}
                ladders = [scene.levels_for(device), *(scene.levels_for(device, {when.key}) for when in scene.whens)]
                for level in (level for ladder in ladders for level in ladder):
                    name, measure = str(level.measure(scene.zone)), None
                    if level.condition not in READING_ITSELF:
                        measure = feed.measures.setdefault((index, name), MeasureTwin(level, scene.zone))
                    faces[name] = measure
                for level in scene.levels_for(device):
                    silent = scene.feeds.silent_after if level.condition != "absent_for" else None
                    number, measure = len(self.machines), faces[str(level.measure(scene.zone))]
                    self.machines.append(
                        Machine(
                            number, len(self.feeds) - 1, index, level, silent, feed, measure, program, device, faces
                        )
                    )  # fmt: skip

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
            happening = self._happenings(feed, by_reading=True)
            if not happening or min(happening)[0] >= event:
                break
            self._happen(min(happening), arrival_ns, by_reading=True)
        state = self.feeds[feed]
        state.event, state.arrival_ms, state.value = event, arrival_ns // 1_000_000, value
        for measure in state.measures.values():
            measure.on_reading(event, value)
            measure.numbers()
        for program in state.programs.values():
            program.turn(event)
        for machine in mine:
            machine.turn()
            self._look(machine, event, arrival_ns, reading=True)

    def on_timer(self, now_ms: int) -> None:
        """Time passes to `now_ms` without a reading."""
        while True:
            due = [
                (self._moment(feed, one[0]), *one[1:], feed, one[0])
                for feed in range(len(self.feeds))
                for one in self._happenings(feed, by_reading=False)
            ]
            if not due or min(due)[0] > now_ms:
                return
            moment, kind, number, _, time = min(due)
            self._happen((time, kind, number), moment * 1_000_000, by_reading=False)

    def expect(self, now_ms: int) -> None:
        """Every feed is known from now on."""
        for feed in self.feeds:
            if not feed.measures and not feed.programs:
                continue
            if feed.event == 0 and feed.arrival_ms == 0:
                feed.event = feed.arrival_ms = now_ms
            clock = feed.event + now_ms - max(feed.arrival_ms, self.resumed_ms)
            for measure in feed.measures.values():
                if measure.level.condition == "absent_for" and measure.absent_at is None and not measure.absent:
                    measure.absent_at = max(clock, feed.event) + measure.content

    def release(self, scene: int, feed: int, now_ms: int) -> None:
        """A person lets go what is latched."""
        state = self.feeds[feed]
        at = state.event + max(0, now_ms - max(state.arrival_ms, self.resumed_ms))
        for machine in self.machines:
            mine = machine.feed_index == feed and machine.scene == scene
            if mine and machine.level.latch and machine.active and machine.running:
                self._end(machine, at, now_ms * 1_000_000)

    def _happenings(self, feed: int, *, by_reading: bool) -> list[tuple[int, int, int]]:
        """(event time, 0 for a measure that wakes and 1 for a delay that ends, number) of what time will do."""
        found = [(end, 1, m.number) for m in self.machines if m.feed_index == feed and (end := m.ends_at()) is not None]
        for measure in self.feeds[feed].measures.values():
            if by_reading and measure.level.condition == "absent_for":
                continue
            used = any(m.measure is measure and not m.idle for m in self.machines)
            time = measure.wakes(used=used)
            if time is not None:
                found.append((time, 0, feed))
        turns = (program.turns_at() for program in self.feeds[feed].programs.values())
        return found + [(time, 0, feed) for time in turns if time is not None]

    def _happen(self, what: tuple[int, int, int], arrival_ns: int, *, by_reading: bool) -> None:
        time, kind, number = what
        if kind:
            self._end(self.machines[number], time, arrival_ns)
            return
        mine = [machine for machine in self.machines if machine.feed_index == number]
        awake: dict[int, bool] = {}
        for measure in self.feeds[number].measures.values():
            used = any(m.measure is measure and not m.idle for m in self.machines)
            due = measure.wakes(used=used)
            if due is not None and due <= time and not (by_reading and measure.level.condition == "absent_for"):
                awake[id(measure)] = measure.on_time(time)
                measure.numbers()
        turned = set()
        for index, program in self.feeds[number].programs.items():
            due = program.turns_at()
            if due is not None and due <= time and program.turn(time):
                turned.add(index)
        for machine in mine:
            if machine.scene in turned:
                machine.turn()
                unheard = machine.feed.value is None
                late = machine.measure is not None and machine.measure.level.condition != "absent_for"
                if (
                    machine.measure is not None
                    and late
                    and machine.measure.at is not None
                    and id(machine.measure) not in awake
                ):
                    awake[id(machine.measure)] = machine.measure.on_time(time)
                    machine.measure.numbers()
                if not machine.is_held(time) and not (machine.measure is None and unheard):
                    self._look(machine, time, arrival_ns, reading=False)
                continue
            begins = awake.get(id(machine.measure))
            if begins is not None and not machine.is_held(time) and (begins or not machine.idle):
                self._look(machine, time, arrival_ns, reading=False)

    def _moment(self, feed: int, time: int) -> int:
        state = self.feeds[feed]
        return max(state.arrival_ms, self.resumed_ms) + (time - state.event) + self.settle_ms

    def _look(self, machine: Machine, event: int, arrival_ns: int, *, reading: bool) -> None:
        level, delay = machine.level, machine.delay
        if not reading and delay.samples and not (machine.active and level.latch):
            return
        if not machine.open and (machine.measure is None or machine.measure.numbers() is not None):
            wanted = machine.active
        elif machine.measure is None:
            held = condition_holds(level, machine.feed.value or 0.0)
            wanted = beyond_clear_value(level, machine.feed.value or 0.0) if machine.active else held
        else:
            numbers = machine.measure.numbers()
            if numbers is None and not reading:
                return
            wanted = numbers is not None and (beyond_for if machine.active else holds_for)(level, numbers)
        machine.last_held = [*machine.last_held, wanted][-delay.of :] if delay.of else []
        if not wanted and any(machine.last_held) and machine.running:
            return
        if not wanted:
            if machine.running and not machine.active:
                self._row(TransitionKind.LAPSED, machine, event, arrival_ns)
            machine.running = False
            return
        begins = not machine.running
        if begins:
            machine.running, machine.onset, machine.in_a_row = True, event, 0
            machine.last_held = [True]
        machine.in_a_row += 1
        if self._is_over(machine, event):
            self._end(machine, event, arrival_ns)
        elif begins and not machine.active:
            self._row(TransitionKind.ONSET, machine, event, arrival_ns)

    def _is_over(self, machine: Machine, event: int) -> bool:
        delay = machine.delay
        if machine.active and machine.level.latch:
            return False
        if delay.of:
            return sum(machine.last_held) >= delay.samples
        return machine.in_a_row >= delay.samples if delay.samples else event >= machine.onset + delay.ms

    def _end(self, machine: Machine, at: int, arrival_ns: int) -> None:
        self._row(TransitionKind.CLEARED if machine.active else TransitionKind.RAISED, machine, at, arrival_ns)
        machine.active, machine.running, machine.last_held = not machine.active, False, []

    def _row(self, kind: TransitionKind, machine: Machine, at: int, arrival_ns: int) -> None:
        severity = int(Severity.of(machine.level.severity))
        delay_ms = 0 if machine.active and machine.level.latch else machine.delay.ms
        self.rows.append(
            (
                int(kind), machine.feed_index, machine.scene, severity, at, machine.onset, machine.shown, arrival_ns,
                delay_ms,
            )
        )  # fmt: skip
