"""The whole road in one process: people at the hub, the feedback, the chain, the outbox, the delivery, the hub."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.event import Feedback
from alerts.lifecycle import AlertStage
from alerts.sinks.feedback import FeedbackReader
from alerts.sinks.http import Delivery
from alerts.store import AlertStore
from city.device import Device
from console.hub import Beside, HubSettings
from core.reading import ReadingBatch
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.profiles import Profiles
from tests.unit.console.running import NOW, TOKEN, RunningHub
from tests.unit.thresholds.parts import scene
from thresholds.engine import Engine
from thresholds.scene_set import SceneSet

DEVICES = [Device(f"d{n}", "g", "water", town="T1", place=f"M{n}") for n in range(2)]
HOUR = 3_600_000


class Names:
    def feed(self, index: int) -> tuple[Device, str, str]:
        return DEVICES[index], "depth_cm", "cm"


class Pipeline:
    """What the loop does, without a broker and a journal: what comes in order is taken in order."""

    def __init__(self, hub: RunningHub, folder: Path) -> None:
        self.stop = threading.Event()
        scenes = SceneSet.of([scene({"above": 15}, name="flood", feeds={"type": "water"})])
        engine = Engine(scenes, max_feeds=4)
        engine.bind_many((device, "depth_cm") for device in DEVICES)
        stage = AlertStage(AlertScenes(scenes), Names())
        self.chain = Chain(Sequencer(4), engine, stage, lambda: 0, tells_ledger=True)
        self.store = AlertStore(folder / "alerts.db")
        self.heard: list[Feedback] = []
        rng = random.Random(1)
        self.delivery = Delivery(self.store, hub.url, TOKEN, source="/test", stop=self.stop, rng=rng, batch=True)
        self.reader = FeedbackReader(hub.url, TOKEN, self.heard.append, after=0, stop=self.stop, rng=rng)
        self.delivery.start()
        self.reader.start()

    def read(self, device: int, value: float, at: int) -> None:
        self._tell(self.chain.on_batch(ReadingBatch.of([device], [at], [value])))

    def wait(self, until: int) -> None:
        self._tell(self.chain.on_timer(until))

    def take_feedback(self, at: int) -> None:
        for said in self.heard:
            self._tell(self.chain.on_feedback(said, at))

    def _tell(self, changes: list) -> None:  # type: ignore[type-arg]
        self.store.write(changes)
        self.store.tell(self.chain.take_ledger())
        self.delivery.wake()

    def close(self) -> None:
        self.stop.set()
        self.delivery.stop()
        self.reader.stop()
        self.store.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path / "hub.db", HubSettings(token=TOKEN), Beside())
    yield running
    running.stop()


@pytest.fixture
def pipeline(hub: RunningHub, tmp_path: Path) -> Iterator[Pipeline]:
    running = Pipeline(hub, tmp_path)
    yield running
    running.close()


def test_what_a_maintenance_hid_comes_back_to_those_who_said_it(hub: RunningHub, pipeline: Pipeline) -> None:
    body = {"by": "Li", "reason": "泵站检修", "to": "1h", "where": {"town": ["T1"]}}
    name = hub.client.post("/api/v1/maintenance", json=body).json()["id"]
    hub.wait_for(lambda: bool(hub.get("/api/v1/feedback")) and bool(pipeline.heard))
    pipeline.take_feedback(NOW)
    pipeline.read(0, 20, NOW + 1)
    pipeline.read(1, 20, NOW + 2)
    pipeline.read(1, 5, NOW + 3)
    hub.wait_for(lambda: len(hub.get("/api/v1/ledger")["items"]) == 2)
    assert hub.get("/api/v1/alerts")["items"] == []
    pipeline.wait(NOW + HOUR)
    hub.wait_for(lambda: bool(hub.get(f"/api/v1/maintenance/{name}")["over"]))
    hub.wait_for(lambda: len(hub.get("/api/v1/alerts")["items"]) == 1)
    detail = hub.get(f"/api/v1/maintenance/{name}")
    assert {(one["device"], one["outcome"]) for one in detail["behind"]} == {("d0", "released"), ("d1", "cleared")}
    assert [(one["kept"], one["cleared"], one["holds"]) for one in detail["over"]] == [(2, 1, 1)]
    assert pipeline.store.counts()["waiting"] == pipeline.store.counts()["parked"] == 0


def test_profiles_are_looked_up_in_the_files_and_again_when_they_change(tmp_path: Path) -> None:
    text = "scene: {id}\nfeeds: {{metric: depth_cm}}\nlevels: [{{severity: minor, above: 15}}]\n{more}"
    override = "overrides: [{profile: typhoon, levels: {minor: {above: 10}}}]\n"
    (tmp_path / "a.yaml").write_text(text.format(id="a", more=override))
    asked = Profiles([tmp_path], dict, ["depth_cm"])
    assert asked() == {"typhoon": ["a"]}
    (tmp_path / "b.yaml").write_text(text.format(id="b", more=override))
    assert asked() == {"typhoon": ["a", "b"]}
    (tmp_path / "a.yaml").unlink()
    assert asked() == {"typhoon": ["b"]}
