"""kill -9 of the pipeline under load: nothing is missing, nothing is doubled."""

import os
import random
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.chaos.system import Gateway, System, wait_until
from tests.chaos.truth import Truth

pytestmark = [pytest.mark.chaos, pytest.mark.broker]

FEEDS = 200
RATE = 5_000
KILLS = int(os.environ.get("SCENEWATCH_KILLS", "2"))
"""`make chaos` asks for more."""


@pytest.mark.timeout(600)
def test_killed_again_and_again_under_load_it_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    truth = Truth(feeds=FEEDS)
    moments = random.Random(20_261_124)
    with System(tmp_path, truth.devices(), truth.scene()) as system, Gateway(system, truth, rate=RATE) as gateway:
        for _ in range(KILLS):
            seen = gateway.acknowledged
            target = seen + moments.randint(RATE // 2, 2 * RATE)
            wait_until(lambda target=target: gateway.acknowledged >= target, 30, "the load goes on")  # type: ignore[misc]
            victim = system.status()["pid"]
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda victim=victim: system.restarted(victim), 30, "the pipeline is back")  # type: ignore[misc]
        sent = gateway.finish()
        wait_until(lambda: system.drained(sent), 60, "everything sent is in the journal and delivered")
        in_journal = system.readings_in_journal()
        alerts = system.alerts()
        cases = system.cases()

    assert set(in_journal) >= set(sent), f"{len(set(sent) - set(in_journal))} readings are missing"
    assert set(in_journal) <= set(sent), "readings that nobody sent"
    expected = truth.expected(sent)
    assert Counter((a["place"], a["raised_at"]) for a in alerts) == Counter(expected.keys())
    assert {(a["place"], a["raised_at"]): a["cleared_at"] for a in alerts} == expected
    assert Counter(case["alert"] for case in cases) == Counter({a["id"]: 1 for a in alerts})
    assert len({case["task_number"] for case in cases}) == len(cases)


@pytest.mark.timeout(300)
def test_the_dispatch_core_may_be_away_and_everything_comes_in_order(tmp_path: Path) -> None:
    truth = Truth(feeds=20)
    with System(tmp_path, truth.devices(), truth.scene()) as system, Gateway(system, truth, rate=500) as gateway:
        wait_until(lambda: len(system.cases()) > 5, 30, "the first cases")
        with system.hub_held():
            before = system.status()["readings"]
            raised = system.status()["alerts"]
            wait_until(lambda: system.status()["alerts"] > raised + 20, 30, "alerts go on without the dispatch core")
            assert system.status()["readings"] > before
            assert system.status()["outbox"] > 0
        sent = gateway.finish()
        wait_until(lambda: system.drained(sent), 60, "everything delivered")
        alerts, cases = system.alerts(), system.cases()
        events = system.events_in_order()
    assert Counter(case["alert"] for case in cases) == Counter(alert["id"] for alert in alerts)
    assert set(truth.expected(sent)) == {(a["place"], a["raised_at"]) for a in alerts}
    for place, ids in events.items():
        assert len(ids) == len(set(ids)), f"an event of {place} was taken twice"
    revisions: dict[str, int] = {}
    for ids in events.values():
        for event in ids:
            alert, _, revision = event.rpartition(".")
            assert int(revision) == revisions.get(alert, 0) + 1
            revisions[alert] = int(revision)


@pytest.mark.timeout(300)
def test_the_broker_may_restart_and_the_session_resumes(tmp_path: Path) -> None:
    truth = Truth(feeds=20)
    with System(tmp_path, truth.devices(), truth.scene(), broker="mosquitto") as system:
        with Gateway(system, truth, rate=500) as gateway:
            wait_until(lambda: gateway.acknowledged > 500, 30, "the load goes on")
            system.restart_broker()
            wait_until(lambda: system.status()["connected"], 30, "the pipeline is connected again")
            seen = gateway.acknowledged
            wait_until(lambda: gateway.acknowledged > seen + 500, 30, "the load goes on")
            sent = gateway.finish()
        wait_until(lambda: system.drained(sent), 60, "everything is in the journal")
        assert system.status()["resumed"]
        assert set(system.readings_in_journal()) == set(sent)
        assert httpx.get(f"{system.hub}/healthz").status_code == 200
