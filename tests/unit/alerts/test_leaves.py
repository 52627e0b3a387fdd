"""Which leaf an alert has: that of the worst level it reached; and who is folded with whom."""

from alerts.event import EventType
from alerts.lifecycle import AlertStage
from city.device import Device
from core.severity import Severity
from tests.unit.alerts.parts import MIN, T0, FeedsOf, Row, SceneOf, ScenesOf, Timeline, only
from thresholds.transition import TransitionKind

MINOR, MAJOR, CRITICAL = Severity.MINOR, Severity.MAJOR, Severity.CRITICAL
LIGHT, HEAVY, LITTER = "14-08-02", "14-08-03", "02-02-01"
SCENE = SceneOf(leaf_of_all=LIGHT, leaf_of={("", MAJOR): HEAVY, ("", CRITICAL): HEAVY, ("litter", MINOR): LITTER})
FEEDS = FeedsOf(
    [(Device(name, "g1", place="M1", kind=kind), "m", "") for name, kind in (("a", ""), ("b", ""), ("c", "litter"))]
)


def line(scene: SceneOf = SCENE) -> Timeline:
    return Timeline(scene, feeds_of=FEEDS)


def test_an_alert_opens_with_the_leaf_of_its_worst_level() -> None:
    told = line().push(Row(TransitionKind.RAISED, 0, T0, MINOR), Row(TransitionKind.RAISED, 0, T0, MAJOR))
    assert only(told).data.leaf == HEAVY


def test_a_worse_level_changes_the_leaf_and_a_milder_one_never_does() -> None:
    one = line()
    assert only(one.raised(0, T0, MINOR)).data.leaf == LIGHT
    rose = only(one.raised(0, T0 + MIN, MAJOR))
    assert (rose.type, rose.data.severity, rose.data.leaf) == (EventType.CHANGED, "major", HEAVY)
    fell = only(one.cleared(0, T0 + 2 * MIN, MAJOR))
    assert (fell.data.severity, fell.data.leaf) == ("minor", HEAVY)
    assert only(one.cleared(0, T0 + 3 * MIN, MINOR)).data.leaf == HEAVY


def test_a_worse_level_without_a_leaf_leaves_the_leaf_as_it_is() -> None:
    one = line(SceneOf(leaf_of_all=None, leaf_of={("", MINOR): LIGHT}))
    one.raised(0, T0, MINOR)
    assert only(one.raised(0, T0 + MIN, MAJOR)).data.leaf == LIGHT


def test_feeds_that_lead_to_the_same_leaves_are_folded_whatever_their_levels() -> None:
    one = line()
    first = only(one.raised(0, T0, MINOR)).data
    second = only(one.raised(1, T0 + 1, MAJOR)).data
    assert (second.alert, second.leaf, second.count) == (first.alert, HEAVY, 2)


def test_feeds_of_one_place_that_lead_to_other_leaves_are_alerts_of_their_own() -> None:
    one = line()
    first, second = only(one.raised(0, T0, MINOR)).data, only(one.raised(2, T0 + 1, MINOR)).data
    assert first.alert != second.alert
    assert (first.leaf, second.leaf) == (LIGHT, LITTER)
    again = only(one.raised(1, T0 + 2, MINOR)).data
    assert again.alert == first.alert


def test_the_leaf_and_whom_it_folds_outlive_a_restart() -> None:
    one = line()
    one.raised(0, T0, MAJOR)
    other = AlertStage(ScenesOf((SCENE,)), FEEDS)
    other.restore(one.stage.snapshot())
    one.stage = other
    folded = only(one.raised(1, T0 + 1, MINOR)).data
    assert (folded.leaf, folded.count) == (HEAVY, 2)
    assert only(one.raised(2, T0 + 2, MINOR)).type is EventType.RAISED
