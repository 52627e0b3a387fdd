"""From a payload with a wrong time to an alert: decoder, door, clocks and the shipped scenes."""

import json
from pathlib import Path

import numpy as np
import pytest

from alerts.lifecycle import AlertStage
from city.catalogue import load_catalogue
from city.device import Device
from city.own import CLOCK
from core.reading import ReadingBatch
from ingest.codec import Codec
from ingest.decoder import Decoder
from ingest.journal import FeedNames
from ingest.registry import FeedRegistry
from ingest.rejected import Reason
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.device_clocks import clocks_of, with_clocks
from runtime.device_list import DeviceList
from runtime.door import Door
from runtime.known_scenes import known_scenes
from tests.laws.test_door_laws import frame
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

T0 = 1_780_000_000_000
MINUTE, HOUR = 60_000, 3_600_000
KNOWN = DeviceList("v", {"w": Device("w", "g", "weather-station", town="T1")})
SCENES = SceneSet.of([s for s in known_scenes().scenes if s.id in ("device-clock", "device-stale", "strong-wind")])


class Live:
    """What the pipeline does between socket and outbox; what is journalled is `entries`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[ReadingBatch] = []
        self.told: list[tuple[str, str]] = []
        self.start()

    def start(self) -> None:
        names = FeedNames(self.folder / "feeds.sqlite")
        registry = FeedRegistry(64)
        registry.load(names.load())
        self.door = Door(registry, names, KNOWN, load_catalogue())
        self.decoder = Decoder(registry, Codec(self.door.resolve, max_pack=100), max_pack=100)
        self.clocks = clocks_of(self.door, MINUTE)
        engine = Engine(SCENES, max_feeds=64)
        self.door.bind_to(engine)
        self.door.admit(range(len(registry)))
        stage = AlertStage(AlertScenes(SCENES), self.door)
        self.chain = Chain(Sequencer(64), engine, stage, lambda: 0)

    def publish(self, at: int, time: int, *, metric: str = "gust", value: float = 1.0) -> list[Reason]:
        payload = json.dumps({"t": T0 + time, "v": {metric: value}}).encode()
        data = np.frombuffer(bytearray(frame("sw/v1/g/tele/w", payload, packet_id=7)), np.uint8)
        arrival = (T0 + at) * 1_000_000
        taken = self.decoder.take(data, 0, len(data), arrival=arrival, latest_ms=T0 + at + 5 * MINUTE)
        for entry in with_clocks(self.clocks, self.door, taken, arrival):
            assert isinstance(entry, ReadingBatch)
            self.entries.append(entry)
            self._decide(entry)
        self.door.persist()
        return [rejected.reason for rejected in taken.rejected]

    def restart(self) -> None:
        journal, self.entries = self.entries, []
        self.start()
        before, self.told = self.told, []
        for entry in journal:
            self.entries.append(entry)
            self._decide(entry)
        assert self.told == before, "a replay needs nothing but the journal"

    def _decide(self, entry: ReadingBatch) -> None:
        self.told += [(change.type.name.lower(), change.data.scene) for change in self.chain.on_batch(entry)]


@pytest.fixture
def live(tmp_path: Path) -> Live:
    return Live(tmp_path)


@pytest.mark.parametrize("ahead", [-HOUR, -7 * MINUTE, 150_000, 4 * MINUTE, HOUR])
def test_a_clock_that_is_wrong_is_told_and_told_to_be_right_again(live: Live, ahead: int) -> None:
    """Behind, its readings are late; an hour ahead, they are refused: told all the same."""
    live.publish(0, 0)
    for turn in range(1, 6):
        refused = live.publish(turn * MINUTE, turn * MINUTE + ahead)
        assert refused == ([Reason.AHEAD] if ahead == HOUR else [])
    assert live.told == [("raised", "device-clock")]
    live.restart()
    for turn in range(6, 12):
        live.publish(turn * MINUTE, turn * MINUTE)
    assert live.told == [("raised", "device-clock"), ("cleared", "device-clock")]


def test_old_data_again_and_again_is_told(live: Live) -> None:
    for turn in range(30):
        live.publish(turn * MINUTE, -20 * MINUTE)
    assert live.told == [("raised", "device-stale")]


def test_nobody_can_send_what_is_found_out_about_them(live: Live) -> None:
    assert live.publish(0, 0, metric=CLOCK, value=900.0) == [Reason.UNKNOWN_METRIC]
    for turn in range(1, 4):
        live.publish(turn * MINUTE, turn * MINUTE - HOUR)
    assert live.door.own_feed("g", "w", CLOCK) == 1
    assert live.publish(4 * MINUTE, 4 * MINUTE - HOUR, metric=CLOCK) == [Reason.UNKNOWN_METRIC]
    live.restart()
    assert live.door.own_feed("g", "w", CLOCK) == 1
    assert live.publish(5 * MINUTE, 5 * MINUTE - HOUR, metric=CLOCK) == [Reason.UNKNOWN_METRIC]


def test_what_is_derived_does_not_count_among_the_readings_taken(live: Live) -> None:
    for turn in range(5):
        live.publish(turn * MINUTE, turn * MINUTE - HOUR)
    assert sum(len(entry) for entry in live.entries) == 5 + 2 * 4
    assert live.chain.readings == 5


def test_a_scene_on_whatever_a_device_sends_does_not_watch_what_it_does_not_send() -> None:
    every = SceneSet.of(
        [s.model_copy(update={"feeds": s.feeds.model_copy(update={"metric": None})}) for s in SCENES.scenes[:1]]
    )
    (scene,) = every.scenes
    device = KNOWN.devices["w"]
    assert scene.feeds.watch(device, "gust")
    assert not scene.feeds.watch(device, CLOCK)
