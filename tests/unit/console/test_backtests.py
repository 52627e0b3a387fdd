"""Backtests over HTTP: asked, followed, ended."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.hub import Beside
from core.clock import rfc3339
from history.as_stored import HoldsByFeed
from history.query import Selection
from runtime.backtest.ground import Ground
from runtime.backtest.service import BacktestService
from runtime.config import Config, load_config, write_config
from tests.unit.console.conftest import StartHub
from tests.unit.console.running import RunningHub
from tests.unit.console.test_events import problem
from tests.unit.history.parts import BASE
from tests.unit.runtime.backtest.parts import MINUTE, SCENE, Live, scene, walk

RANGE = {"from": rfc3339(BASE), "to": rfc3339(BASE + 60 * MINUTE)}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    live = Live(tmp_path, scene())
    live.takes(walk("d0", [1, 30, 31, 30, 2]))
    live.history(60).close()
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "deep.yaml").write_text(SCENE)
    (tmp_path / "devices.csv").write_text("device,gateway\n")
    write_config(
        tmp_path / "scenewatch.toml",
        {"scenes": {"paths": ["scenes"], "metrics": ["depth"]}, "history": {"dir": "history"}},
    )
    return load_config(tmp_path / "scenewatch.toml")


class Waiting(Ground):
    """History that answers once it is let."""

    let = threading.Event()
    asked = threading.Event()

    @property
    def history(self) -> Any:
        inner = super().history

        class Slow:
            def as_stored(self, of: Selection, progress: Callable[[int, int], None], *, keep: bool) -> object:
                Waiting.asked.set()
                assert Waiting.let.wait(30)
                progress(0, 1)
                assert isinstance(inner, HoldsByFeed)
                return inner.as_stored(of, progress, keep=keep)

            def __getattr__(self, name: str) -> object:
                return getattr(inner, name)

        return Slow()


@pytest.fixture
def service(config: Config) -> BacktestService:
    return BacktestService(lambda: Ground(config))


@pytest.fixture
def hub(start_hub: StartHub, service: BacktestService) -> RunningHub:
    return start_hub(beside=Beside(backtests=service))


def finished(hub: RunningHub, service: BacktestService, backtest: str) -> dict[str, Any]:
    """Its view once its thread has ended."""
    thread = service._jobs[backtest].thread
    assert thread is not None
    thread.join(30)
    found: dict[str, Any] = hub.client.get(f"/api/v1/backtests/{backtest}").json()
    return found


def test_a_backtest_is_asked_followed_and_answered(hub: RunningHub, service: BacktestService) -> None:
    begun = hub.client.post("/api/v1/backtests", json={"scene": "deep", **RANGE, "sweep": ["levels.1.above=26..40/2"]})
    assert begun.status_code == 202, begun.text
    backtest = begun.json()["id"]
    assert begun.headers["location"] == f"/api/v1/backtests/{backtest}"
    done = finished(hub, service, backtest)
    assert (done["state"], done["error"]) == ("done", None)
    assert [a["feed"] for a in done["result"]["alerts"]] == ["d0/depth"]
    assert [point["cases"] for point in done["result"]["sweep"]] == [1, 0]
    assert hub.client.delete(f"/api/v1/backtests/{backtest}").status_code == 204
    assert problem(hub.client.get(f"/api/v1/backtests/{backtest}")) == (404, "not_found")
    assert problem(hub.client.delete(f"/api/v1/backtests/{backtest}")) == (404, "not_found")


def test_a_draft_comes_as_text_and_values_may_be_changed(hub: RunningHub, service: BacktestService) -> None:
    draft = SCENE.replace("scene: deep", "scene: draft\nstage: draft")
    begun = hub.client.post("/api/v1/backtests", json={"text": draft, **RANGE, "set": ["levels.1.above=40"]})
    result = finished(hub, service, begun.json()["id"])["result"]
    assert (result["scene"], result["alerts"]) == ("draft", [])


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({}, "invalid_parameter", "give one of `scene`"),
        ({"scene": "dep"}, "invalid_parameter", "no scene 'dep' is in force"),
        ({"scene": "/etc/passwd"}, "invalid_parameter", "is no id of a scene"),
        ({"scene": "deep", "set": ["levels.1.abov=1"]}, "invalid_parameter", "did you mean levels.1.above?"),
        ({"scene": "deep", "sweep": ["x"]}, "invalid_parameter", "write it like"),
        ({"text": "scene: x\n"}, "scene_refused", "S005"),
        ({"scene": "deep", "from": "soon"}, "invalid_parameter", "'soon' is no time"),
        ({"scene": "deep", "more": 1}, "invalid_parameter", "more"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(hub: RunningHub, body: dict[str, Any], code: str, words: str) -> None:
    answer = hub.client.post("/api/v1/backtests", json={**RANGE, **body})
    assert problem(answer) == (422, code)
    assert words in answer.json()["detail"]


def test_few_run_at_once_and_one_that_is_ended_makes_room(start_hub: StartHub, config: Config) -> None:
    Waiting.let.clear()
    Waiting.asked.clear()
    service = BacktestService(lambda: Waiting(config), at_once=1)
    hub = start_hub(beside=Beside(backtests=service))
    asked = {"scene": "deep", **RANGE}
    first = hub.client.post("/api/v1/backtests", json=asked).json()["id"]
    assert Waiting.asked.wait(30)
    assert hub.client.get(f"/api/v1/backtests/{first}").json()["state"] == "running"
    assert problem(hub.client.post("/api/v1/backtests", json=asked)) == (503, "busy")
    thread = service._jobs[first].thread
    assert hub.client.delete(f"/api/v1/backtests/{first}").status_code == 204
    Waiting.let.set()
    assert thread is not None
    thread.join(30)
    assert not thread.is_alive()
    second = hub.client.post("/api/v1/backtests", json=asked)
    assert second.status_code == 202
    assert finished(hub, service, second.json()["id"])["state"] == "done"


def test_a_hub_without_history_says_so(start_hub: StartHub) -> None:
    answer = start_hub().client.post("/api/v1/backtests", json={"scene": "deep", **RANGE})
    assert problem(answer) == (503, "unavailable")


def test_only_who_may_write_may_ask(hub: RunningHub) -> None:
    answer = hub.client.post(
        "/api/v1/backtests", json={"scene": "deep", **RANGE}, headers={"Authorization": "Bearer wrong"}
    )
    assert problem(answer) == (401, "unauthorized")


def asked(hub: RunningHub, service: BacktestService, kind: str, **body: object) -> dict[str, Any]:
    """The whole view of a question beside the backtest, once it is done."""
    begun = hub.client.post(f"/api/v1/backtests/{kind}", json=body)
    assert begun.status_code == 202, begun.text
    assert begun.json()["kind"] == kind
    done = finished(hub, service, begun.json()["id"])
    assert (done["state"], done["error"]) == ("done", None)
    return done


def test_a_designer_asks_why_not_and_what_would_have_fired(hub: RunningHub, service: BacktestService) -> None:
    at = rfc3339(BASE + round(1.5 * MINUTE))
    (why,) = asked(hub, service, "explain", feed="d0/depth", at=at, scene="deep")["result"]
    assert why["why"] == ["delay"]
    minor, critical = why["levels"]
    changes = {change["key"]: change["to"] for change in critical["would_fire"]}
    assert changes == {"above": "below 1", "for": "at most 1 sample"}
    assert all(change["verified_by_run"] for change in minor["would_fire"])
    everything = asked(hub, service, "explain", feed="d0/depth", at=at)["result"]
    assert [one["scene"] for one in everything] == ["deep"]


def test_two_versions_are_held_beside_each_other(hub: RunningHub, service: BacktestService) -> None:
    text = SCENE.replace("above: 25, clear_below: 22, for: 2 samples", "above: 40")
    found = asked(hub, service, "diff", first="deep", text=text, **RANGE)["result"]
    assert [alert["feed"] for alert in found["difference"]["lost"]] == ["d0/depth"]
    assert (found["first"], found["second"]) == ("deep", "deep")


def test_limits_worth_trying_are_asked_for(hub: RunningHub, service: BacktestService) -> None:
    found = asked(hub, service, "suggest", scene="deep", **RANGE)["result"]
    assert [level["path"] for level in found["levels"]] == [
        "levels.0.above", "levels.0.for", "levels.1.above", "levels.1.for",
    ]  # fmt: skip


def test_before_publishing_one_asks_what_would_fire_at_once(hub: RunningHub, service: BacktestService) -> None:
    hub.clock.advance_to_ms(max(hub.clock.now_ms(), BASE + 60 * MINUTE))
    found = asked(hub, service, "preview", text=SCENE)["result"]
    assert found["feeds"] == 1
    assert found["fire_now"] == []


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("explain", {"feed": "a/b/c", "at": "1h"}, "a/b/c"),
        ("explain", {"feed": "d0/depth", "at": "soon"}, "soon"),
        ("diff", {"first": "deep", **RANGE}, "give one of `second`"),
        ("diff", {"first": "dep", "second": "deep", **RANGE}, "no scene 'dep'"),
        ("suggest", {"from": "1d"}, "give one of `scene`"),
        ("preview", {}, "give one of `scene`"),
        ("preview", {"scene": "/etc/passwd"}, "is no id"),
    ],
)
def test_what_cannot_be_asked_beside_a_backtest_is_refused_at_once(
    hub: RunningHub, kind: str, body: dict[str, Any], words: str
) -> None:
    answer = hub.client.post(f"/api/v1/backtests/{kind}", json=body)
    assert problem(answer) == (422, "invalid_parameter")
    assert words in answer.json()["detail"]


def test_a_feed_that_history_does_not_know_fails_with_the_one_that_was_meant(
    hub: RunningHub, service: BacktestService
) -> None:
    begun = hub.client.post("/api/v1/backtests/explain", json={"feed": "d0/dept", "at": rfc3339(BASE + MINUTE)})
    done = finished(hub, service, begun.json()["id"])
    assert done["state"] == "failed"
    assert "did you mean d0/depth?" in done["error"]
