"""Alerts whose gateway goes away and comes back."""

from alerts.event import EventType
from tests.unit.alerts.parts import T0, FeedsOf, Timeline, device, only
from tests.unit.alerts.words import CRITICAL, acknowledge


def test_an_alert_is_stale_while_its_gateway_is_away_and_then_what_it_was() -> None:
    line = Timeline()
    alert = only(line.raised(0, T0)).data.alert
    assert only(line.stage.on_gateway("g1", False, T0 + 1)).data.state == "stale"
    assert line.stage.on_gateway("g1", False, T0 + 2) == []
    back = only(line.stage.on_gateway("g1", True, T0 + 3))
    assert (back.type, back.data.state, back.data.revision) == (EventType.REFRESHED, "active", 3)
    line.stage.on_feedback(acknowledge(alert), T0 + 4)
    assert only(line.stage.on_gateway("g1", False, T0 + 5)).type is EventType.STALE
    assert only(line.stage.on_gateway("g1", True, T0 + 6)).data.state == "acknowledged"


def test_an_alert_is_stale_while_its_device_is_away_though_its_gateway_is_there() -> None:
    line = Timeline()
    line.raised(0, T0)
    assert line.stage.on_gateway("g1", False, T0 + 1, device="another") == []
    assert only(line.stage.on_gateway("g1", False, T0 + 2, device="d0")).type is EventType.STALE
    assert line.stage.on_gateway("g1", True, T0 + 3) == [], "the gateway was never away"
    again = Timeline()
    again.stage.restore(line.stage.snapshot())
    assert only(again.stage.on_gateway("g1", True, T0 + 4, device="d0")).type is EventType.REFRESHED


def test_an_alert_with_a_feed_behind_another_gateway_is_not_stale_until_both_are_away() -> None:
    line = Timeline()
    line.raised(0, T0)
    line.raised(2, T0 + 1)
    assert line.stage.on_gateway("g1", False, T0 + 2) == []
    assert only(line.stage.on_gateway("g2", False, T0 + 3)).type is EventType.STALE
    assert only(line.stage.on_gateway("g1", True, T0 + 4)).type is EventType.REFRESHED
    assert line.stage.on_gateway("g2", True, T0 + 5) == []


def test_an_alert_goes_stale_when_the_last_feed_of_a_present_gateway_clears() -> None:
    line = Timeline()
    line.raised(0, T0)
    line.raised(2, T0 + 1)
    line.stage.on_gateway("g1", False, T0 + 2)
    assert only(line.cleared(2, T0 + 3)).type is EventType.STALE


def test_a_feed_of_a_present_gateway_refreshes_a_stale_alert() -> None:
    line = Timeline()
    line.raised(0, T0)
    line.stage.on_gateway("g1", False, T0 + 1)
    changes = line.raised(2, T0 + 2, CRITICAL)
    assert [(c.type, c.data.state) for c in changes] == [
        (EventType.CHANGED, "stale"),
        (EventType.REFRESHED, "active"),
    ]


def test_a_raise_while_its_gateway_is_away_opens_an_alert_that_is_stale_at_once() -> None:
    line = Timeline()
    line.stage.on_gateway("g1", False, T0)
    line.raised(0, T0 + 1)
    assert line.story == [("raised", "minor", "active"), ("stale", "minor", "stale")]


def test_a_stale_alert_can_be_acknowledged_and_can_clear() -> None:
    line = Timeline()
    alert = only(line.raised(0, T0)).data.alert
    line.stage.on_gateway("g1", False, T0 + 1)
    seen = only(line.stage.on_feedback(acknowledge(alert), T0 + 2))
    assert (seen.type, seen.data.state) == (EventType.ACKNOWLEDGED, "stale")
    assert only(line.cleared(0, T0 + 3)).data.state == "cleared"
    assert line.stage.on_gateway("g1", True, T0 + 4) == []


def test_several_alerts_of_a_gateway_go_stale_in_the_order_in_which_they_opened() -> None:
    line = Timeline(feeds_of=FeedsOf([device(f"d{n}", place=f"M{n}") for n in range(12)]))
    ids = [only(line.raised(n, T0 + n)).data.alert for n in range(12)]
    assert [c.data.alert for c in line.stage.on_gateway("g1", False, T0 + 20)] == ids
