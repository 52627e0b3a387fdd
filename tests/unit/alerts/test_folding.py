"""Feeds that fold into one alert, and those that do not."""

from alerts.event import EventType
from alerts.states import Decision
from tests.unit.alerts.parts import MIN, T0, FeedsOf, SceneOf, Timeline, device, only


def test_a_scene_that_folds_by_town_makes_one_alert_of_several_places() -> None:
    towns = FeedsOf([device("d0", "M1"), device("d1", "M2"), device("d2", "M3", town="T02")])
    line = Timeline(SceneOf(by_town=True), feeds_of=towns)
    line.raised(0, T0)
    line.raised(1, T0 + 1)
    line.raised(2, T0 + 2)
    assert [(c.type.name, c.data.place, c.data.count) for c in line.told] == [
        ("RAISED", "M1", 1),
        ("CHANGED", "M1", 2),
        ("RAISED", "M3", 1),
    ]
    line.cleared(0, T0 + 3)
    assert line.stage.open_count == 2
    line.cleared(1, T0 + 4)
    assert line.told[-1].type.name == "CLEARED"


def test_feeds_of_one_place_fold_into_one_alert_with_a_count() -> None:
    line = Timeline()
    line.raised(0, T0)
    joined = only(line.raised(1, T0 + 10 * MIN))
    assert (joined.type, joined.decision) == (EventType.CHANGED, Decision.FOLDED)
    assert joined.data.count == 2
    assert joined.data.feeds == ["d0/depth_cm", "d1/depth_cm"]
    assert joined.data.measured.device == "d1"
    assert line.cleared(0, T0 + 11 * MIN) == []
    assert only(line.cleared(1, T0 + 12 * MIN)).type is EventType.CLEARED


def test_other_places_and_other_scenes_have_alerts_of_their_own() -> None:
    line = Timeline(SceneOf(), SceneOf(id="ponding"))
    ids = {
        only(line.raised(0, T0)).data.alert,
        only(line.raised(3, T0)).data.alert,
        only(line.raised(0, T0, scene=1)).data.alert,
    }
    assert len(ids) == 3
    assert line.stage.open_count == 3


def test_a_device_without_a_place_folds_by_itself() -> None:
    line = Timeline(feeds_of=FeedsOf([device("d0", place=""), device("d1", place="")]))
    assert only(line.raised(0, T0)).data.place == "d0"
    assert only(line.raised(1, T0)).data.place == "d1"


def test_a_new_feed_within_the_window_joins_and_one_outside_opens_a_second_alert() -> None:
    line = Timeline(SceneOf(fold_window_ms=30 * MIN))
    first = only(line.raised(0, T0)).data.alert
    assert only(line.raised(1, T0 + 30 * MIN)).data.alert == first
    second = only(line.raised(2, T0 + 60 * MIN + 1))
    assert second.type is EventType.RAISED
    assert second.data.alert != first


def test_the_window_runs_from_the_last_raise() -> None:
    line = Timeline(SceneOf(fold_window_ms=30 * MIN))
    first = only(line.raised(0, T0)).data.alert
    line.raised(1, T0 + 20 * MIN)
    assert only(line.raised(2, T0 + 45 * MIN)).data.alert == first


def test_a_feed_that_was_part_of_an_open_alert_comes_back_to_it_after_the_window() -> None:
    line = Timeline(SceneOf(fold_window_ms=30 * MIN))
    first = only(line.raised(0, T0)).data.alert
    line.raised(1, T0 + MIN)
    line.cleared(1, T0 + 2 * MIN)
    back = only(line.raised(1, T0 + 300 * MIN))
    assert (back.data.alert, back.decision) == (first, Decision.REPEATED)


def test_each_level_clears_in_the_alert_that_it_raised() -> None:
    line = Timeline(SceneOf(fold_window_ms=MIN))
    first = only(line.raised(0, T0)).data.alert
    second = only(line.raised(1, T0 + 2 * MIN)).data.alert
    assert only(line.cleared(0, T0 + 3 * MIN)).data.alert == first
    assert only(line.cleared(1, T0 + 4 * MIN)).data.alert == second
