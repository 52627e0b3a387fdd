"""What users of other systems have asked for in vain, told as stories of the gate, of absence and of profiles."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from alerts.event import Feedback
from alerts.lifecycle import AlertStage
from city.device import Device
from core.clock import rfc3339
from core.reading import ReadingBatch
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.known_scenes import known_scenes
from runtime.offline import OfflineRun
from tests.unit.thresholds.parts import scene, seconds
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

DEVICES = [
    Device("flood-1", "g", "water", town="T1", lon=121.4, lat=31.1),
    Device("flood-2", "g", "water", town="T1", lon=121.402, lat=31.1),
    Device("rain-1", "g", "weather", town="T1", lon=121.5, lat=31.2),
    Device("flood-3", "g", "water", town="T2", lon=121.6, lat=31.1),
]
RAIN = scene({"above": 35}, name="heavy-rain", feeds={"type": "weather"})


def flood(**parts: Any) -> Scene:
    return scene({"above": 15, "clear_below": 12}, name="flood", feeds={"type": "water"}, **parts)


class Names:
    """Feeds in the order of the devices, two metrics each."""

    def feed(self, index: int) -> tuple[Device, str, str]:
        return DEVICES[index // 2], "mn"[index % 2], ""


class System:
    """Everything from readings to alerts; feed 2 * d is metric m of device d, the next one its metric n."""

    def __init__(self, *scenes: Scene) -> None:
        self.scenes = SceneSet.of(scenes)
        self.chain = self.fresh()
        self.said = 0

    def fresh(self) -> Chain:
        engine = Engine(self.scenes, max_feeds=16)
        engine.bind_many((device, metric) for device in DEVICES for metric in "mn")
        return Chain(Sequencer(16), engine, AlertStage(AlertScenes(self.scenes), Names()), lambda: 0)

    def restart(self) -> None:
        kept = self.chain.snapshot()
        self.chain = self.fresh()
        self.chain.restore(kept)

    def read(self, at: float, device: int, value: float, metric: int = 0) -> list[tuple[str, str, str]]:
        batch = ReadingBatch.of([2 * device + metric], [seconds(at)], [value])
        return _told(self.chain.on_batch(batch))

    def wait(self, until: float) -> list[tuple[str, str, str]]:
        return _told(self.chain.on_timer(seconds(until)))

    def say(self, at: float, kind: str, alert: str, **more: Any) -> list[tuple[str, str, str]]:
        self.said += 1
        feedback = Feedback(seq=self.said, kind=kind, alert=alert, by="Li", at=rfc3339(seconds(at)), **more)
        return _told(self.chain.on_feedback(feedback, seconds(at)))


def _told(changes: list[Any]) -> list[tuple[str, str, str]]:
    return [(change.type.name.lower(), change.data.scene, change.data.measured.device) for change in changes]


CONFIRMED = flood(confirm={"any": [{"scene": "heavy-rain", "within": "town", "in_last": "30m"}]})
INHIBITED = flood(inhibit_by=[{"scene": "heavy-rain", "same": "town"}])


def test_what_is_not_confirmed_opens_nothing_until_it_is() -> None:
    system = System(RAIN, CONFIRMED)
    assert system.read(0, 0, 20) == []
    assert system.read(1, 3, 20) == []
    assert [kept.why for kept in system.chain.gate.ledger] == ["unconfirmed", "unconfirmed"]
    assert system.read(60, 2, 40) == [("raised", "heavy-rain", "rain-1"), ("raised", "flood", "flood-1")]


def test_rain_half_an_hour_ago_still_confirms_and_longer_ago_does_not() -> None:
    for since, expected in ((29, [("raised", "flood", "flood-1")]), (31, [])):
        system = System(RAIN, CONFIRMED)
        system.read(0, 2, 40)
        system.read(10, 2, 0)
        assert system.read(10 + since * 60, 0, 20) == expected


def test_two_feeds_within_a_distance_confirm_each_other() -> None:
    system = System(flood(confirm={"all": [{"feeds": 2, "within": "300m", "in_last": "5m"}]}))
    assert system.read(0, 0, 20) == []
    assert system.read(1, 3, 20) == []
    assert [device for _, _, device in system.read(2, 1, 20)] == ["flood-2", "flood-1"]


def test_when_the_inhibition_ends_what_still_holds_is_raised() -> None:
    """Asked for as alertmanager 730: nobody says that the silence ended and the cause is still there."""
    system = System(RAIN, INHIBITED)
    system.read(0, 2, 40)
    assert system.read(1, 0, 20) == []
    assert system.read(2, 1, 20) == []
    assert system.read(3, 1, 5) == []
    assert system.read(100, 2, 0) == [("cleared", "heavy-rain", "rain-1"), ("raised", "flood", "flood-1")]
    assert [(kept.feed, kept.outcome) for kept in system.chain.gate.ended] == [(2, "cleared"), (0, "released")]


def test_the_worst_level_is_told_whatever_inhibits_the_milder_ones() -> None:
    ladder = ({"above": 15, "clear_below": 12}, {"severity": "critical", "above": 25, "clear_below": 22})
    only_milder = [{"scene": "heavy-rain", "same": "town", "below": "critical"}]
    system = System(RAIN, scene(*ladder, name="flood", feeds={"type": "water"}, inhibit_by=only_milder))
    system.read(0, 2, 40)
    assert system.read(1, 0, 20) == []
    system.restart()
    assert system.read(2, 0, 30) == [("raised", "flood", "flood-1")]
    assert [(kept.severity, kept.outcome) for kept in system.chain.gate.ledger] == [(2, "kept")]
    assert system.read(3, 0, 23) == [], "the critical level holds down to its clear value"
    assert system.read(4, 0, 20) == [("cleared", "flood", "flood-1")], "what is milder is kept back again"
    assert system.read(100, 2, 0) == [("cleared", "heavy-rain", "rain-1"), ("raised", "flood", "flood-1")]


def test_an_inhibition_that_keeps_back_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing is below minor: the scene has no milder level"):
        flood(inhibit_by=[{"scene": "heavy-rain", "same": "town", "below": "minor"}])


def test_a_cover_that_is_gone_is_not_told_as_tilted_as_well() -> None:
    library = {one.id: one for one in known_scenes().scenes}
    cover = Device("lid-1", "g", "manhole-cover")
    run = OfflineRun(
        SceneSet.of([library["manhole-cover-moved"], library["manhole-cover-missing"]]),
        [(cover, "tilt_deg", "deg"), (cover, "moved", "")],
    )
    run.take([ReadingBatch.of([0, 1], [seconds(0)] * 2, [40.0, 1.0])])
    run.pass_time(seconds(60))
    assert [alert.last.data.scene for alert in run.alerts.values()] == ["manhole-cover-missing"]


def test_inhibited_alerts_do_not_fire_after_a_restart() -> None:
    """Asked for as alertmanager 4064 and 2229."""
    system = System(RAIN, INHIBITED)
    system.read(0, 2, 40)
    system.read(1, 0, 20)
    system.restart()
    assert system.read(2, 0, 21) == []
    assert system.wait(3600) == []
    assert system.read(3601, 2, 0)[1:] == [("raised", "flood", "flood-1")]


def test_maintenance_keeps_back_until_it_ends() -> None:
    system = System(flood())
    until = rfc3339(seconds(600))
    assert system.say(0, "maintenance", "work-1", until=until, where={"town": ["T1"]}) == []
    assert system.read(1, 0, 20) == []
    assert system.read(1, 3, 20) == [("raised", "flood", "flood-3")]
    system.restart()
    assert system.wait(599) == []
    assert system.wait(600) == [("raised", "flood", "flood-1")]


def test_maintenance_of_nothing_or_until_no_time_means_nothing() -> None:
    system = System(flood())
    assert system.say(0, "maintenance", "work-1", until="soon", where={"town": ["T1"]}) == []
    assert system.say(0, "maintenance", "work-2", until=rfc3339(seconds(60))) == []
    assert system.read(1, 0, 20) == [("raised", "flood", "flood-1")]


def test_a_profile_that_a_person_switches_on_lasts_over_a_restart_until_it_is_switched_off() -> None:
    system = System(flood(overrides=[{"profile": "typhoon", "levels": {"minor": {"above": 10, "clear_below": 8}}}]))
    assert system.read(0, 0, 12) == []
    system.say(1, "profile_on", "typhoon")
    system.restart()
    assert system.read(2, 0, 12) == [("raised", "flood", "flood-1")]
    system.say(3, "profile_off", "typhoon")
    assert system.read(4, 0, 11) == [("cleared", "flood", "flood-1")]


def test_a_latched_alert_clears_only_when_a_person_says_so_and_it_holds_no_more() -> None:
    system = System(scene({"above": 15, "latch": "manual"}, name="flood", feeds={"type": "water"}))
    (alert,) = system.chain.on_batch(ReadingBatch.of([0], [seconds(0)], [20]))
    assert system.say(1, "reset", alert.data.alert) == []
    assert system.read(2, 0, 1) == []
    system.restart()
    assert system.say(3, "reset", alert.data.alert) == [("cleared", "flood", "flood-1")]
    assert system.say(4, "reset", alert.data.alert) == []


SILENT = scene({"absent_for": "30m"}, name="silent", feeds={"metric": "m"})


def test_one_metric_is_silent_while_the_device_still_talks() -> None:
    """Asked for as thingsboard 8614."""
    system = System(SILENT)
    system.read(0, 0, 1)
    assert [system.read(60 * minute, 0, 1, metric=1) for minute in range(1, 30)] == [[]] * 29
    assert system.wait(1801) == [("raised", "silent", "flood-1")]
    assert system.read(1900, 0, 1) == [("cleared", "silent", "flood-1")]


def test_a_restart_does_not_mark_every_device_offline() -> None:
    """Asked for as thingsboard 13715."""
    system = System(SILENT)
    for device in range(4):
        system.read(0, device, 1)
    system.restart()
    system.chain.on_resume(seconds(50_000))
    assert system.wait(50_000) == []
    for device in range(3):
        assert system.read(50_100, device, 1) == []
    assert system.wait(50_000 + 1801) == [("raised", "silent", "flood-3")]


def test_a_device_that_was_never_heard_counts_from_when_it_became_known() -> None:
    system = System(SILENT)
    assert system.wait(10_000) == []
    feeds = system.chain.engine.unexpected()
    assert feeds.tolist() == [0, 2, 4, 6]
    system.chain.on_expect(np.array(feeds[:1]), seconds(10_000))
    system.restart()
    assert system.wait(11_800) == []
    assert system.wait(11_801) == [("raised", "silent", "flood-1")]
