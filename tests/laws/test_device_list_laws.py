"""Readings and changes of the device list in any order: a replay, from any snapshot, decides the same."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.change import AlertChange
from alerts.lifecycle import AlertStage
from city.device import Device
from city.life import State
from core.reading import ReadingBatch
from core.stage import Snapshot
from ingest.journal import FeedNames
from ingest.registry import FeedRegistry
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.device_list import DeviceList
from runtime.door import Door
from tests.unit.thresholds.parts import scene
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

SCENES = SceneSet.of([scene({"above": 25, "for": "3s", "clear_below": 20})])
NAMES = ("a", "b", "c")
rows = st.fixed_dictionaries(
    {},
    optional={
        name: st.builds(
            Device,
            st.just(name),
            st.sampled_from(["g", "g2"]),
            kind=st.sampled_from(["road", "underpass"]),
            place=st.sampled_from(["", "P"]),
            state=st.sampled_from(["adopted", "active", "active", "suspended", "retired"]),
        )
        for name in NAMES
    },
)
readings = st.tuples(st.sampled_from(NAMES), st.integers(1, 4), st.sampled_from([10.0, 22.0, 30.0]))
Step = dict[str, Device] | tuple[str, int, float]
Entry = DeviceList | ReadingBatch


@dataclass
class Side:
    """A door and a chain that know `known` at first."""

    known: DeviceList
    registry: FeedRegistry = field(default_factory=lambda: FeedRegistry(16))

    def __post_init__(self) -> None:
        self.door = Door(self.registry, None, self.known, {})  # type: ignore[arg-type]
        engine = Engine(SCENES, max_feeds=16, settle_ms=0)
        self.door.bind_to(engine)
        self.chain = Chain(Sequencer(16), engine, AlertStage(AlertScenes(SCENES), self.door), lambda: 0)

    def apply(self, entry: Entry) -> list[AlertChange]:
        if isinstance(entry, ReadingBatch):
            return self.chain.on_batch(entry)
        known, names = entry.after(self.door.known)
        feeds = self.door.feeds_of(names, 0, len(self.registry))
        changes = self.chain.switch_devices(entry.version, self.door.switch(known, feeds))
        self.door.admit(feeds)
        return changes


def live(first: dict[str, Device], steps: list[Step]) -> tuple[Side, list[Entry], list[list[Any]], list[Any]]:
    """What a pipeline writes to its journal, decides at each entry, and could have as a snapshot before each."""
    side = Side(DeviceList("0", first))
    entries: list[Entry] = []
    decided: list[list[Any]] = []
    snapshots: list[Any] = []
    now = 0
    for number, step in enumerate(steps, 1):
        if isinstance(step, dict):
            entry: Entry = DeviceList(str(number), step)
        else:
            name, seconds, value = step
            now += seconds * 1000
            feed = side.door.resolve("g", name, "m")
            if not isinstance(feed, int):
                continue
            entry = ReadingBatch.of([feed], [now], [value], arrival=[now * 1_000_000])
        snapshots.append((side.door.known, side.chain.snapshot(), side.chain.engine.decisions))
        entries.append(entry)
        decided.append(side.apply(entry))
    return side, entries, decided, snapshots


def replayed(side: Side, known: DeviceList, snapshot: dict[str, Snapshot] | None, entries: list[Entry]) -> list[Any]:
    """What a fresh chain with every feed known decides about the entries."""
    registry = FeedRegistry(16)
    registry.load(side.registry.key_of(feed) for feed in range(len(side.registry)))
    again = Side(known, registry)
    if snapshot is not None:
        again.chain.restore(snapshot)
    return [again.apply(entry) for entry in entries]


@settings(max_examples=80, deadline=None)
@given(rows, st.lists(readings | rows, max_size=14), st.data())
def test_a_replay_decides_the_same_whatever_the_list_became(
    first: dict[str, Device], steps: list[Step], data: st.DataObject
) -> None:
    side, entries, decided, snapshots = live(first, steps)
    assert replayed(side, DeviceList("0", first), None, entries) == decided
    if entries:
        at = data.draw(st.integers(0, len(entries) - 1), label="snapshot before entry")
        known, snapshot, _ = snapshots[at]
        assert replayed(side, known, snapshot, entries[at:]) == decided[at:]


@settings(max_examples=40, deadline=None)
@given(rows, st.lists(readings | rows, max_size=14))
def test_feeds_are_barred_just_where_a_new_reading_would_be_refused(
    first: dict[str, Device], steps: list[Step]
) -> None:
    side, *_ = live(first, steps)
    devices = side.door.known.devices
    for feed in range(len(side.registry)):
        gateway, name, _ = side.registry.names(feed)
        device = devices.get(name)
        heard = device is not None and device.gateway == gateway and not device.out_of_use
        assert (feed not in side.registry.barred) == heard


def test_of_two_devices_on_trial_at_a_place_the_one_that_is_resumed_opens_its_alert() -> None:
    trial = {name: Device(name, "g", place="P", state="adopted") for name in ("a", "b")}
    side, _, decided, _ = live(trial, [("a", 1, 30.0), ("b", 1, 30.0), ("a", 3, 30.0), ("b", 1, 30.0)])
    assert [change for changes in decided for change in changes] == []
    assert side.chain.alerts.shadow_opened == {"s": 1}
    opened = side.apply(DeviceList("2", {**trial, "b": trial["b"].moved_to(State.ACTIVE)}))
    assert [(change.data.place, change.opened_by) for change in opened] == [("P", "b/m")]
    assert side.chain.alerts.open_count == 1
    ended = side.apply(DeviceList("3", {"a": trial["a"]}))
    assert [change.data.state for change in ended] == ["cleared"]


def test_the_names_of_feeds_are_written_before_they_are_used(tmp_path: Path) -> None:
    names = FeedNames(tmp_path / "feeds.sqlite")
    door = Door(FeedRegistry(16), names, DeviceList("0", {"a": Device("a", "g")}), {})
    door.resolve("g", "a", "m")
    door.persist()
    assert list(names.load()) == [b"g\0a\0m"]
    names.close()
