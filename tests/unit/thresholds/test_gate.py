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
        self.open: list[str] = []
        """Ids of the alerts that were told last and are not cleared."""

    def fresh(self) -> Chain:
        engine = Engine(self.scenes, max_feeds=16)
        engine.bind_many((device, metric) for device in DEVICES for metric in "mn")
        stage = AlertStage(AlertScenes(self.scenes), Names())
        return Chain(Sequencer(16), engine, stage, lambda: 0, tells_ledger=True)

    def restart(self) -> None:
        kept = self.chain.snapshot()
        self.chain = self.fresh()
        self.chain.restore(kept)

    def read(self, at: float, device: int, value: float, metric: int = 0) -> list[tuple[str, str, str]]:
        batch = ReadingBatch.of([2 * device + metric], [seconds(at)], [value])
        return self._heard(self.chain.on_batch(batch))

    def wait(self, until: float) -> list[tuple[str, str, str]]:
        return self._heard(self.chain.on_timer(seconds(until)))

    def ledger(self) -> list[Any]:
        """What came into the ledger, and out of it, since it was asked last."""
        return list(self.chain.take_ledger())

    def say(self, at: float, kind: str, alert: str, **more: Any) -> list[tuple[str, str, str]]:
        self.said += 1
        feedback = Feedback(seq=self.said, kind=kind, alert=alert, by="Li", at=rfc3339(seconds(at)), **more)
        return self._heard(self.chain.on_feedback(feedback, seconds(at)))

    def _heard(self, changes: list[Any]) -> list[tuple[str, str, str]]:
        for change in changes:
            if change.data.alert in self.open:
                self.open.remove(change.data.alert)
            if change.data.state != "cleared":
                self.open.append(change.data.alert)
        return _told(changes)


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
    *entries, over = system.ledger()
    assert [one.type.name for one in entries] == ["KEPT", "KEPT", "ENDED", "ENDED"]
    assert len({one.id for one in entries}) == 4
    assert (over.type.name, over.data.by, over.data.same, over.data.value) == ("OVER", "heavy-rain", "town", "T1")
    assert (over.data.kept, over.data.cleared, over.data.holds, over.data.scenes) == (2, 1, 1, {"flood": 2})


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


def test_maintenance_keeps_back_until_it_ends() -> None:
    system = System(flood())
    until = rfc3339(seconds(600))
    assert system.say(0, "maintenance", "work-1", until=until, where={"town": ["T1"]}) == []
    assert system.read(1, 0, 20) == []
    assert system.read(1, 3, 20) == [("raised", "flood", "flood-3")]
    system.restart()
    assert system.wait(599) == []
    assert system.wait(600) == [("raised", "flood", "flood-1")]


def test_when_a_maintenance_ends_it_is_told_what_happened_behind_it_and_what_still_holds() -> None:
    """Asked for as alertmanager 730: nobody says that the silence ended and the cause is still there."""
    system = System(flood())
    system.say(0, "maintenance", "work-1", until=rfc3339(seconds(600)), where={"town": ["T1"], "scene": ["flood"]})
    system.read(1, 0, 20)
    system.read(1, 1, 20)
    system.restart()
    system.read(2, 1, 5)
    first = system.ledger()
    assert [(one.type.name, one.data.device, one.data.outcome) for one in first] == [("ENDED", "flood-2", "cleared")]
    assert system.wait(600) == [("raised", "flood", "flood-1")]
    released, over = system.ledger()
    assert (released.data.device, released.data.outcome, released.data.revision) == ("flood-1", "released", 2)
    assert (over.data.by, over.data.kept, over.data.cleared, over.data.holds) == ("work-1", 2, 1, 1)
    assert over.data.until == rfc3339(seconds(600))


def test_a_scene_is_shelved_and_others_are_not() -> None:
    system = System(flood(), scene({"above": 18}, name="deep", feeds={"type": "water"}))
    system.say(0, "maintenance", "work-1", until=rfc3339(seconds(600)), where={"scene": ["deep"]})
    assert system.read(1, 0, 20) == [("raised", "flood", "flood-1")]
    assert [one.data.scene for one in system.ledger()] == ["deep"]


def test_a_maintenance_that_begins_later_keeps_nothing_back_before() -> None:
    system = System(flood())
    begins, ends = rfc3339(seconds(300)), rfc3339(seconds(600))
    system.say(0, "maintenance", "work-1", since=begins, until=ends, where={"town": ["T1"]})
    assert system.read(1, 0, 20) == [("raised", "flood", "flood-1")]
    assert system.read(301, 1, 20) == []


def test_a_maintenance_that_is_ended_early_lets_go_at_once() -> None:
    system = System(flood())
    system.say(0, "maintenance", "work-1", until=rfc3339(seconds(600)), where={"town": ["T1"]})
    system.read(1, 0, 20)
    ended = system.say(60, "maintenance", "work-1", until=rfc3339(seconds(60)), where={"town": ["T1"]})
    assert ended == [("raised", "flood", "flood-1")]


def test_a_scene_in_shadow_tells_nothing_of_what_it_keeps_back() -> None:
    system = System(RAIN, flood(stage="shadow", inhibit_by=[{"scene": "heavy-rain", "same": "town"}]))
    system.read(0, 2, 40)
    system.read(1, 0, 20)
    assert [kept.why for kept in system.chain.gate.ledger] == ["inhibited by heavy-rain"]
    system.read(100, 2, 0)
    assert system.ledger() == []


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


def test_a_device_that_was_never_heard_counts_from_when_it_became_known() -> None:
    system = System(SILENT)
    assert system.wait(10_000) == []
    feeds = system.chain.engine.unexpected()
    assert feeds.tolist() == [0, 2, 4, 6]
    system.chain.on_expect(np.array(feeds[:1]), seconds(10_000))
    system.restart()
    assert system.wait(11_800) == []
    assert system.wait(11_801) == [("raised", "silent", "flood-1")]
