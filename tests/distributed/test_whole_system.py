"""From the gateway's PUBLISH to the case, over Kafka, with every part killed once: nothing lost, nothing doubled."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from history.parquet import ParquetHistory
from history.query import GapReason, Selection
from runtime.broker.mosquitto import find_mosquitto
from runtime.servers.kafka import PrivateKafka
from runtime.stream.places import partition_of
from tests.chaos.system import Gateway, wait_until
from tests.chaos.truth import GATEWAY, Truth
from tests.distributed.system import WholeSystem

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.distributed,
    pytest.mark.broker,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed (apt-get install mosquitto)"),
]

FEEDS = 100
RATE = 1_000
HOUR_MS = 3_600_000


@pytest.mark.timeout(400)
def test_every_part_is_killed_once_under_load_and_nothing_is_lost_or_doubled(
    kafka: PrivateKafka, tmp_path: Path
) -> None:
    truth = Truth(feeds=FEEDS)
    with (
        WholeSystem(kafka, tmp_path, "whole", truth.devices(), truth.scene()) as system,
        Gateway(system, truth, rate=RATE) as gateway,
    ):
        for victim in ("worker-1", "bridge", "history", "delivery", "worker-2", "hub"):
            target = gateway.acknowledged + RATE
            wait_until(lambda target=target: gateway.acknowledged >= target, 60, "the load goes on")  # type: ignore[misc]
            before = system.kill(victim)
            wait_until(lambda v=victim, b=before: system.back(v, b), 60, f"{victim} is back")  # type: ignore[misc]
        kafka.kill()
        kafka.start()
        target = gateway.acknowledged + RATE
        wait_until(lambda: gateway.acknowledged >= target, 60, "the load goes on after Kafka was killed")
        sent = gateway.finish()
        expected = truth.expected(sent)
        wait_until(lambda: set(system.readings_in_kafka()) >= set(sent), 90, "everything sent is in Kafka")
        wait_until(lambda: system.delivered(len(expected)), 90, "everything is delivered")
        ends = {key: end for key, end in expected.items() if end is not None}
        wait_until(
            lambda: sum(alert["cleared_at"] is not None for alert in system.alerts()) >= len(ends), 60, "ends are told"
        )
        in_kafka, alerts, cases, events = (
            system.readings_in_kafka(), system.alerts(), system.cases(), system.events_in_order(),
        )  # fmt: skip
        wait_until(lambda: system.status("history").get("held") == len(in_kafka), 60, "history has all of it")
    assert Counter(system.readings_in_history()) == Counter(in_kafka), "each record's readings, and each once"
    assert set(in_kafka) == set(sent)
    assert Counter((a["place"], a["raised_at"]) for a in alerts) == Counter(expected.keys())
    assert {(a["place"], a["raised_at"]): a["cleared_at"] for a in alerts} == expected
    assert Counter(case["alert"] for case in cases) == Counter({a["id"]: 1 for a in alerts})
    revisions: dict[str, int] = {}
    for ids in events.values():
        for event in ids:
            alert, _, revision = event.rpartition(".")
            assert int(revision) == revisions.get(alert, 0) + 1
            revisions[alert] = int(revision)


@pytest.mark.timeout(240)
def test_two_bridges_that_share_the_gateways_are_killed_one_after_the_other_and_nothing_is_lost_or_doubled(
    kafka: PrivateKafka, tmp_path: Path
) -> None:
    other = next(name for name in (f"gw-{n}" for n in range(9)) if partition_of(name, 2) != partition_of(GATEWAY, 2))
    first, second = Truth(feeds=50), Truth(feeds=50, gateway=other, first=50)
    devices = first.devices() + second.devices().partition("\n")[2]
    with (
        WholeSystem(kafka, tmp_path, "shared", devices, first.scene(), gateways=[GATEWAY, other], bridges=2) as system,
        Gateway(system, first, rate=RATE // 2) as one,
        Gateway(system, second, rate=RATE // 2) as two,
    ):
        for victim in ("bridge-1", "bridge"):
            for gateway in (one, two):
                target = gateway.acknowledged + RATE // 2
                wait_until(lambda g=gateway, t=target: g.acknowledged >= t, 60, "the load goes on")  # type: ignore[misc]
            before = system.kill(victim)
            wait_until(lambda v=victim, b=before: system.back(v, b), 60, f"{victim} is back")  # type: ignore[misc]
        for name in ("bridge", "bridge-1"):
            wait_until(lambda n=name: system.status(n).get("readings", 0) > 0, 60, f"{name} has its share")  # type: ignore[misc]
        of_one, of_two = one.finish(), two.finish()
        sent = {**of_one, **of_two}
        expected = first.expected(sent)
        wait_until(lambda: set(system.readings_in_kafka()) >= set(sent), 60, "everything sent is in Kafka")
        readings = len(system.readings_in_kafka())
        wait_until(lambda: system.status("history").get("held") == readings, 60, "history has all of it")
        wait_until(lambda: system.delivered(len(expected)), 60, "everything is delivered")
        ends = sum(end is not None for end in expected.values())
        wait_until(lambda: sum(a["cleared_at"] is not None for a in system.alerts()) >= ends, 60, "ends are told")
        in_kafka, alerts, cases = set(system.readings_in_kafka()), system.alerts(), system.cases()
    assert in_kafka == set(sent)
    assert {(a["place"], a["raised_at"]): a["cleared_at"] for a in alerts} == expected
    assert len(alerts) == len(expected)
    assert Counter(case["alert"] for case in cases) == Counter({a["id"]: 1 for a in alerts})
    assert [detail for _, _, detail in holes_of(system, sent)] == 2 * ["50 of 100 feeds"]
    (mine,), (its,) = holes_of(system, of_one), holes_of(system, of_two)
    assert mine != its, "each was away by itself, and was missed by its own feeds alone"


def holes_of(system: WholeSystem, sent: Collection[tuple[str, int]]) -> list[tuple[int, int, str]]:
    """Where history knows that nobody listened for what was sent."""
    begin = min(at for _, at in sent)
    history = ParquetHistory(system.data / "history")
    try:
        found = history.gaps(Selection.of(begin, begin + HOUR_MS, devices={device for device, _ in sent}))
    finally:
        history.close()
    away = {GapReason.AWAY, GapReason.QUEUED}
    return [(gap.start_ms, gap.end_ms, gap.detail) for gap in found if gap.reason in away]


SECOND = """\
scene: lower-limit
title: {en: Depth over a lower limit, zh: 水位偏高}
feeds: {metric: depth_cm}
levels:
  - {severity: major, above: 10}
"""


@pytest.mark.timeout(240)
def test_scenes_take_effect_everywhere_and_what_people_say_comes_back(kafka: PrivateKafka, tmp_path: Path) -> None:
    truth = Truth(feeds=20)
    with (
        WholeSystem(kafka, tmp_path, "scenes", truth.devices(), truth.scene()) as system,
        Gateway(system, truth, rate=200) as gateway,
    ):
        wait_until(lambda: len(system.alerts()) > 5, 60, "the first alerts")
        (system.scenes / "second.yaml").write_text(SECOND)
        wait_until(lambda: {a["scene"] for a in system.alerts()} == {"chaos-depth", "lower-limit"}, 60, "both decide")
        wait_until(
            lambda: len({a["place"] for a in system.alerts() if a["scene"] == "lower-limit"}) == 20, 60, "everywhere"
        )
        (system.scenes / "second.yaml").write_text(SECOND.replace("above: 10", "above: ten"))
        wait_until(lambda: bool(system.status("bridge").get("findings")), 30, "the mistake is told")
        before = len(system.alerts())
        wait_until(lambda: len(system.alerts()) > before, 60, "what decided before goes on")
        system.acknowledge(_open(system))
        wait_until(lambda: any(a.get("acknowledged_by") == "op-1" for a in system.alerts()), 60, "it came back")
        gateway.finish()


def _open(system: WholeSystem) -> str:
    found: list[str] = []

    def look() -> bool:
        found[:] = [a["id"] for a in system.alerts() if a["state"] == "active"]
        return bool(found)

    wait_until(look, 60, "an alert is open")
    return found[0]
