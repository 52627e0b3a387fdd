"""The threshold stage: readings in, transitions out; state, bindings and tables around the kernel."""

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from city.device import Device
from core.errors import DataLossError
from core.reading import ReadingBatch
from core.severity import Severity
from core.stage import Snapshot
from thresholds import kernel
from thresholds.compiler import Tables
from thresholds.scene_set import SceneSet
from thresholds.transition import Transitions

_VERSION = 1
_ROWS = 8_192
_INSTANCES_PER_FEED = 2
_SLOTS_PER_FEED = 6
_HEAP = 1_024
_OUT_COLUMNS = 9
_LINE = 8


class Engine:
    """Every level of every scene on every feed that it watches.

    State is arrays reserved at once for `max_feeds` (pages that are never touched cost nothing), so that a new feed
    never makes the others wait; only where feeds have more levels than expected do the arrays double.

    Args:
        scenes: What decides.
        max_feeds: Most feeds that can be bound.
        settle_ms: What is allowed for transport before a delay ends by time alone.
    """

    def __init__(self, scenes: SceneSet, *, max_feeds: int, settle_ms: int = 1_000) -> None:
        self.scenes = scenes
        self._tables = Tables(scenes)
        self._settle_ms = settle_ms
        self._names: list[tuple[Device, str]] = []
        self._feeds = _aligned(max_feeds, kernel.FEED_COLUMNS)
        self._values = self._feeds.view(np.float64)
        self._instances = np.zeros((max_feeds * _INSTANCES_PER_FEED, kernel.INSTANCE_COLUMNS), np.int32)
        self._slots = np.zeros((max_feeds * _SLOTS_PER_FEED, kernel.SLOT_COLUMNS), np.int64)
        self._heap_key = np.zeros(_HEAP, np.int64)
        self._heap_slot = np.zeros(_HEAP, np.int32)
        self._meta = np.zeros(4, np.int64)
        self._n_instances = 0
        self._n_slots = 0
        self._widest = 1
        self._out = np.zeros((_ROWS, _OUT_COLUMNS), np.int64)

    @property
    def decisions(self) -> int:
        """Readings looked at, summed over the scenes that watch them."""
        return int(self._meta[kernel.META_DECISIONS])

    def bind(self, feed: int, device: Device, metric: str) -> int:
        """Let the scenes that watch `metric` of `device` decide on `feed`; how many they are.

        Raises:
            ValueError: If feeds are not bound in the order 0, 1, 2, ... or there is no room.
        """
        if feed != len(self._names):
            raise ValueError(f"feeds are bound in order: {len(self._names)} is next, not {feed}")
        if feed >= len(self._feeds):
            raise ValueError(f"no more than {len(self._feeds)} feeds can be bound")
        self._names.append((device, metric))
        resolved = self._tables.resolve(device, metric)
        if not resolved:
            return 0
        self._reserve(len(resolved), sum(int(self._tables.ladders[ladder, kernel.SIZE]) for _, ladder in resolved))
        self._feeds[feed, kernel.FIRST :] = (self._n_instances, len(resolved), 0, resolved[0][1], 0)
        for scene, ladder in resolved:
            levels = int(self._tables.ladders[ladder, kernel.SIZE])
            self._instances[self._n_instances] = (ladder, self._n_slots, scene, 0)
            self._slots[self._n_slots : self._n_slots + levels] = (0, 0, kernel.OFF_HEAP, 0, 0, self._n_instances, feed)
            self._n_slots += levels
            self._n_instances += 1
        return len(resolved)

    def bind_many(self, feeds: Iterable[tuple[Device, str]]) -> None:
        """Bind the feeds that come next, in their order."""
        for device, metric in feeds:
            self.bind(len(self._names), device, metric)

    def on_batch(self, batch: ReadingBatch) -> Transitions:
        """What the readings decide; time passes to each one's arrival first."""
        parts, row = [], 0
        while True:
            row, filled = kernel.evaluate(
                row, batch.feed, batch.event_time, batch.value, batch.arrival, batch.quality, self._settle_ms,
                self._feeds, self._values, self._instances, self._slots, self._tables.ladders, self._tables.levels,
                self._tables.limits,
                self._heap_key, self._heap_slot, self._meta, self._out, self._out.view(np.float64),
            )  # fmt: skip
            if filled:
                parts.append(self._taken(filled))
            if row == len(batch):
                return Transitions.concat(parts)

    def on_timer(self, now_ms: int) -> Transitions:
        """What time alone decides by `now_ms`."""
        parts = []
        while True:
            filled = kernel.pass_time(
                now_ms, self._settle_ms, self._feeds, self._values, self._instances, self._slots, self._tables.ladders,
                self._tables.levels, self._heap_key, self._heap_slot, self._meta,
                self._out, self._out.view(np.float64), 0,
            )  # fmt: skip
            rows = filled if filled >= 0 else -1 - filled
            if rows:
                parts.append(self._taken(rows))
            if filled >= 0:
                return Transitions.concat(parts)

    def next_timer(self) -> int | None:
        """When `on_timer` may have something to say, ms."""
        key = kernel.next_key(self._heap_key, self._heap_slot, self._meta, self._slots)
        return None if key < 0 else key

    def resume(self, now_ms: int) -> None:
        """Nobody listened until `now_ms`: what is left of running delays is counted from here."""
        self._meta[kernel.META_RESUMED] = max(int(self._meta[kernel.META_RESUMED]), now_ms)

    def snapshot(self) -> Snapshot:
        """Last readings of all feeds and every level that is not idle, by scene id, not by table position."""
        used = self._slots[: self._n_slots]
        busy = np.flatnonzero(used[:, kernel.PHASE])
        rows = used[busy]
        instances = self._instances[rows[:, kernel.OWNER]]
        level = self._tables.ladders[instances[:, kernel.LADDER], kernel.RUN] + busy - instances[:, kernel.SLOT]
        feeds = self._feeds[: len(self._names)]
        return {
            "version": np.array([_VERSION, len(self._names)], np.int64),
            "scenes": msgspec.json.encode([scene.scene for scene in self.scenes.scenes]),
            "last": feeds[:, : kernel.FIRST].copy(),
            "busy": rows[:, [kernel.SINCE, kernel.DUE, kernel.KEY, kernel.SAMPLES, kernel.PHASE, kernel.WATCHED]],
            "busy_scene": instances[:, kernel.SCENE].copy(),
            "busy_severity": self._tables.levels[level, kernel.SEVERITY],
            "meta": self._meta.copy(),
        }

    def restore(self, snapshot: Snapshot) -> None:
        """Take up a snapshot; the feeds must be bound already.

        Raises:
            DataLossError: If it is of another version or has feeds that are not bound.
        """
        version, known = (int(n) for n in np.asarray(snapshot["version"]))
        if version != _VERSION or known > len(self._names):
            raise DataLossError("the snapshot of the engine does not fit the feeds that are known")
        self._forget()
        self._take_up(snapshot)

    def replace(self, scenes: SceneSet) -> None:
        """Let other scenes decide from here on; state of each (feed, scene id, severity) still there goes on."""
        before = self.snapshot()
        names = self._names
        self._forget()
        self.scenes, self._tables, self._names = scenes, Tables(scenes), []
        self._n_instances = self._n_slots = 0
        self.bind_many(names)
        self._take_up(before)

    def watches(self, scene: str, feed: int, severity: Severity) -> bool:
        """Whether a level of a scene is there for a feed."""
        return self._slot(feed, self.scenes.index(scene), int(severity)) >= 0

    def _forget(self) -> None:
        self._feeds[: len(self._names), : kernel.FIRST] = 0
        self._feeds[: len(self._names), kernel.STIRRED] = 0
        self._slots[: self._n_slots, kernel.PHASE] = kernel.IDLE
        self._slots[: self._n_slots, kernel.KEY] = kernel.OFF_HEAP
        self._instances[: self._n_instances, kernel.BUSY] = 0
        self._meta[kernel.META_HEAP] = 0

    def _take_up(self, snapshot: Snapshot) -> None:
        """Put a snapshot's state where it belongs; that of levels that are there no more is left out."""
        last, busy, scenes, severities, meta = (
            np.asarray(snapshot[name]) for name in ("last", "busy", "busy_scene", "busy_severity", "meta")
        )
        here = [self.scenes.index(scene) for scene in _scene_ids(snapshot)]
        self._feeds[: len(last), : kernel.FIRST] = last
        self._meta[kernel.META_RESUMED :] = meta[kernel.META_RESUMED :]
        for row, (since, due, key, samples, phase, feed) in enumerate(busy.tolist()):
            slot = self._slot(feed, here[int(scenes[row])], int(severities[row]))
            if slot < 0:
                continue
            self._slots[slot, : kernel.OWNER] = (since, due, kernel.OFF_HEAP, samples, phase)
            instance = self._instances[self._slots[slot, kernel.OWNER]]
            self._feeds[feed, kernel.STIRRED] += 1
            instance[kernel.BUSY] |= 1 << (slot - int(instance[kernel.SLOT]))
            if key != kernel.OFF_HEAP:
                kernel.push(self._heap_key, self._heap_slot, self._meta, self._slots, key, slot)

    def _slot(self, feed: int, scene: int, severity: int) -> int:
        first, count = self._feeds[feed, kernel.FIRST], self._feeds[feed, kernel.COUNT]
        for ladder, slot, watching, _ in self._instances[first : first + count].tolist():
            if watching == scene:
                severities = self._tables.level_severities(ladder)
                if severity in severities:
                    return int(slot) + severities.index(severity)
        return -1

    def _reserve(self, instances: int, levels: int) -> None:
        self._instances = _room(self._instances, self._n_instances, instances)
        self._slots = _room(self._slots, self._n_slots, levels)
        heap = 2 * (self._n_slots + levels) + _HEAP
        if heap > len(self._heap_key):
            used = int(self._meta[kernel.META_HEAP])
            self._heap_key = _room(self._heap_key, used, heap)
            self._heap_slot = _room(self._heap_slot, used, heap)
        if instances > self._widest:
            self._widest = instances
            self._out = np.zeros((max(_ROWS, 64 * instances), _OUT_COLUMNS), np.int64)

    def _taken(self, rows: int) -> Transitions:
        ints, floats = self._out[:rows], self._out.view(np.float64)[:rows]
        return Transitions(
            ints[:, 0].astype(np.uint8),
            ints[:, 1].astype(np.int32),
            ints[:, 2].astype(np.int32),
            ints[:, 3].astype(np.uint8),
            ints[:, 4].copy(),
            ints[:, 5].copy(),
            floats[:, 6].copy(),
            ints[:, 7].copy(),
            ints[:, 8].copy(),
        )


def _scene_ids(snapshot: Snapshot) -> list[str]:
    raw = snapshot["scenes"]
    return msgspec.json.decode(raw if isinstance(raw, bytes) else raw.tobytes(), type=list[str])


def _aligned(rows: int, columns: int) -> NDArray[np.int64]:
    """Zeros whose rows begin on cache lines, shape (rows, columns)."""
    reserve = np.zeros(rows * columns + _LINE, np.int64)
    skip = -(reserve.ctypes.data // reserve.itemsize) % _LINE
    return reserve[skip : skip + rows * columns].reshape(rows, columns)


def _room(array: NDArray[Any], used: int, more: int) -> NDArray[Any]:
    """`array`, or one at least twice as long with the same beginning, so that `more` rows fit behind `used`."""
    if used + more <= len(array):
        return array
    longer = np.zeros((max(2 * len(array), used + more), *array.shape[1:]), array.dtype)
    longer[:used] = array[:used]
    return longer
