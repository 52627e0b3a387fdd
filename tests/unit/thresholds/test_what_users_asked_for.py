"""What users of other systems have asked for, often for years: each a story in the words of who wanted it.

The issues are those of the projects' own trackers; none of their code was looked at.
"""

from core.clock import rfc3339
from tests.unit.thresholds.parts import scene, seconds
from tests.unit.thresholds.test_gate import INHIBITED, RAIN, SILENT, System, flood
from thresholds.scene_set import SceneSet

WATER = {"type": "water"}
RAISED = [("raised", "flood", "flood-1")]
CLEARED = [("cleared", "flood", "flood-1")]
SIX_FORTY = 26 * 60 + 40
"""The tests' time begins at 06:13:20 in Shanghai: so many seconds later it is 06:40."""


def test_hysteresis_with_a_separate_recovery() -> None:
    """Thingsboard 7943, prometheus 10536: a value that dances around the limit is one alert."""
    system = System(flood())
    assert system.read(0, 0, 16) == RAISED
    assert [system.read(at, 0, 14 + at % 2 * 2) for at in range(1, 9)] == [[]] * 8
    assert system.read(10, 0, 11) == CLEARED


def test_or_between_conditions() -> None:
    """Thingsboard 7227: too deep, or rising too fast: whichever comes first, and both together are one alert."""
    either = scene(
        {"severity": "minor", "above": 15}, {"severity": "major", "changed_by": {"up": 8, "in": "10m"}},
        name="flood", feeds=WATER,
    )  # fmt: skip
    system = System(either)
    assert system.read(0, 0, 14) == []
    assert system.read(60, 0, 16) == RAISED
    assert system.read(120, 0, 23) == [("changed", "flood", "flood-1")]
    assert system.chain.alerts.open_count == 1
    rising = System(either)
    assert rising.read(0, 0, 1) == []
    assert rising.read(60, 0, 10) == RAISED


def test_or_between_conditions_of_two_metrics() -> None:
    """Thingsboard 7227: of two scenes the second is inhibited by the first, so that both at once are one alert."""
    deep = scene({"above": 15}, name="flood", feeds={"type": "water", "metric": "m"})
    fast = scene(
        {"above": 3}, name="flow", feeds={"type": "water", "metric": "n"},
        inhibit_by=[{"scene": "flood", "same": "device"}],
    )  # fmt: skip
    system = System(deep, fast)
    assert system.read(0, 0, 16) == RAISED
    assert system.read(1, 0, 5, metric=1) == []
    assert system.chain.alerts.open_count == 1
    assert system.read(2, 0, 1) == [*CLEARED, ("raised", "flow", "flood-1")]
    assert System(deep, fast).read(0, 0, 5, metric=1) == [("raised", "flow", "flood-1")]


def test_clear_only_after_no_recurrence_for_ten_minutes() -> None:
    """Thingsboard 10979."""
    system = System(scene({"above": 15, "clear_for": "10m"}, name="flood", feeds=WATER))
    assert system.read(0, 0, 20) == RAISED
    assert system.read(60, 0, 5) == []
    assert system.read(540, 0, 20) == []
    assert system.read(600, 0, 5) == []
    assert system.read(1199, 0, 5) == []
    assert system.read(1200, 0, 5) == CLEARED


def test_warning_to_critical_and_back_down() -> None:
    """Thingsboard 11803, 12560: one alert whose severity goes up the ladder and down again."""
    ladder = scene({"severity": "minor", "above": 15}, {"severity": "critical", "above": 25}, name="flood", feeds=WATER)
    system = System(ladder)
    assert system.read(0, 0, 16) == RAISED
    assert system.read(1, 0, 30) == [("changed", "flood", "flood-1")]
    assert system.read(2, 0, 16) == [("changed", "flood", "flood-1")]
    assert system.read(3, 0, 1) == CLEARED


def test_one_metric_silent_while_the_device_still_talks() -> None:
    """Thingsboard 8614."""
    system = System(SILENT)
    system.read(0, 0, 1)
    assert [system.read(60 * minute, 0, 1, metric=1) for minute in range(1, 30)] == [[]] * 29
    assert system.wait(1801) == [("raised", "silent", "flood-1")]
    assert system.read(1900, 0, 1) == [("cleared", "silent", "flood-1")]


def test_the_schedule_opens_and_a_condition_already_holds_so_it_is_raised_then() -> None:
    """Thingsboard 16118: there nothing happens until the next reading."""
    by_day = flood(overrides=[{"when": {"hours": "06:40-22:00"}, "levels": {"minor": {"above": 10, "clear_below": 8}}}])
    system = System(by_day)
    assert system.read(SIX_FORTY - 60, 0, 12) == []
    assert system.wait(SIX_FORTY - 1) == []
    assert system.wait(SIX_FORTY + 2) == RAISED


def test_the_schedule_opens_and_the_delay_begins_then() -> None:
    """Thingsboard 16118, with a delay: it is counted from when the limit came into force."""
    hold = {"minor": {"above": 10, "clear_below": 8, "for": "5m"}}
    system = System(flood(overrides=[{"when": {"hours": "06:40-22:00"}, "levels": hold}]))
    assert system.read(SIX_FORTY - 600, 0, 12) == []
    for at in range(SIX_FORTY - 540, SIX_FORTY + 300, 60):
        assert system.read(at, 0, 12) == []
    assert system.read(SIX_FORTY + 301, 0, 12) == RAISED


def test_a_recurrence_is_a_new_alert_and_not_the_old_one_reopened() -> None:
    """Thingsboard 7811."""
    system = System(flood())
    system.read(0, 0, 20)
    (first,) = system.open
    system.read(60, 0, 1)
    assert system.read(120, 0, 20) == RAISED
    (second,) = system.open
    assert first != second


def test_a_delay_survives_a_restart() -> None:
    """home-assistant core 56642: `for` begins anew there when the process does."""
    system = System(scene({"above": 15, "for": "5m"}, name="flood", feeds=WATER))
    system.read(0, 0, 20)
    system.read(240, 0, 20)
    system.restart()
    assert system.read(299, 0, 20) == []
    assert system.read(301, 0, 20) == RAISED


def test_a_delay_survives_the_edit_of_an_unrelated_scene() -> None:
    """home-assistant core 41354."""
    held = scene({"above": 15, "for": "5m"}, name="flood", feeds=WATER)
    system = System(held, RAIN)
    system.read(0, 0, 20)
    edited = scene({"above": 40}, name="heavy-rain", feeds={"type": "weather"})
    system.chain.switch(SceneSet.of([held, edited]))
    assert system.read(299, 0, 20) == []
    assert system.read(301, 0, 20) == RAISED


def test_a_delay_survives_an_edit_of_its_own_scene() -> None:
    """home-assistant core 41354: a longer delay goes on from the onset as well."""
    system = System(scene({"above": 15, "for": "5m"}, name="flood", feeds=WATER))
    system.read(0, 0, 20)
    system.chain.switch(SceneSet.of([scene({"above": 15, "for": "8m"}, name="flood", feeds=WATER)]))
    assert system.read(479, 0, 20) == []
    assert system.read(481, 0, 20) == RAISED


def test_a_restart_marks_nobody_offline() -> None:
    """Thingsboard 13715: everybody is told that every device is offline."""
    system = System(SILENT)
    for device in range(4):
        system.read(0, device, 1)
    system.restart()
    system.chain.on_resume(seconds(50_000))
    assert system.wait(50_000) == []
    for device in range(3):
        assert system.read(50_100, device, 1) == []
    assert system.wait(50_000 + 1801) == [("raised", "silent", "flood-3")]


def test_inhibited_alerts_stay_inhibited_after_a_restart() -> None:
    """Alertmanager 4064, 2229."""
    system = System(RAIN, INHIBITED)
    system.read(0, 2, 40)
    system.read(1, 0, 20)
    system.restart()
    assert system.read(2, 0, 21) == []
    assert system.wait(3600) == []
    assert system.read(3601, 2, 0)[1:] == RAISED


def test_somebody_says_that_the_silence_ended_and_the_cause_is_still_there() -> None:
    """Alertmanager 730: it ends by time, over a restart, and says how much happened behind it."""
    system = System(flood())
    system.say(0, "maintenance", "m-1", until=rfc3339(seconds(600)), where={"device": ["flood-1", "flood-2"]})
    system.read(1, 0, 20)
    system.read(1, 1, 20)
    system.read(2, 1, 1)
    system.restart()
    assert system.wait(600) == RAISED
    over = system.ledger()[-1].data
    assert (over.by, over.kept, over.cleared, over.holds) == ("m-1", 2, 1, 1)
