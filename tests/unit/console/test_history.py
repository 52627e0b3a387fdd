from collections.abc import Callable
from pathlib import Path

import pytest

from core.clock import rfc3339
from history.archive import Archive
from history.query import History
from history.stores import Store
from tests.reference.history_twin import Given
from tests.unit.console.conftest import StartHub
from tests.unit.console.running import RunningHub
from tests.unit.console.test_events import problem
from tests.unit.history.parts import BASE, Source, catch_up

MINUTE = 60_000
RANGE = {"from": rfc3339(BASE), "to": rfc3339(BASE + 10 * MINUTE)}


@pytest.fixture
def opener(tmp_path: Path) -> Callable[[], History]:
    source = Source(tmp_path)
    source.listens(BASE)
    for i in range(9):
        at = BASE + i * MINUTE
        source.takes([Given("d0", at, i, (at + 500) * 10**6), Given("d1", at, -i, (at + 500) * 10**6)])
    archive = Archive(tmp_path / "history")
    catch_up(source, archive)
    archive.close()
    source.close()
    return Store(tmp_path / "history").history


@pytest.fixture
def hub(start_hub: StartHub, opener: Callable[[], History]) -> RunningHub:
    return start_hub(history=opener)


def test_readings_of_a_feed_come_with_the_holes_of_the_range(hub: RunningHub) -> None:
    found = hub.get("/api/v1/history", feed="d0/depth", **RANGE)
    assert [item["value"] for item in found["items"]] == list(range(9))
    assert found["items"][3] == {
        "t": rfc3339(BASE + 3 * MINUTE), "value": 3.0, "quality": 0, "arrived": rfc3339(BASE + 3 * MINUTE + 500)
    }  # fmt: skip
    assert (found["device"], found["metric"], found["device_type"]) == ("d0", "depth", "gauge")
    assert found["gaps"] == [
        {"from": rfc3339(BASE + 8 * MINUTE + 500), "to": RANGE["to"], "reason": "not_written", "detail": ""}
    ]
    assert found["next"] is None


def test_a_step_asks_for_spans(hub: RunningHub) -> None:
    found = hub.get("/api/v1/history", device="d1", metric="depth", step="5m", **RANGE)
    assert found["step"] == "5m"
    assert sum(item["count"] for item in found["items"]) == 9
    assert min(item["min"] for item in found["items"]) == -8
    assert {key for item in found["items"] for key in item} == {"t", "count", "min", "max", "mean", "last"}


def test_pages_go_through_everything_once(hub: RunningHub) -> None:
    seen: list[float] = []
    cursor: dict[str, str] = {}
    while True:
        page = hub.get("/api/v1/history", feed="d0/depth", limit=4, **RANGE, **cursor)
        seen += [item["value"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == list(range(9))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"feed": "d0"}, "name one feed"),
        ({"device": "d0"}, "name one feed"),
        ({"feed": "d0/depth", "device": "d0"}, "name one feed"),
        ({"feed": "d0/depth", "from": "yesterday"}, "write times like"),
        ({"feed": "d0/depth", "from": RANGE["to"], "to": RANGE["from"]}, "ends"),
        ({"feed": "d0/depth", "step": "90s"}, "whole minutes"),
        ({"feed": "d0/depth", "step": "soon"}, "not a duration"),
        ({"feed": "d0/depth", "cursor": "x"}, "cursor"),
    ],
)
def test_a_wrong_question_is_answered_by_what_is_wrong(hub: RunningHub, query: dict[str, str], words: str) -> None:
    answer = hub.client.get("/api/v1/history", params={**RANGE, **query})
    assert problem(answer) == (422, "invalid_parameter")
    assert words in answer.json()["detail"]


def test_a_feed_that_history_does_not_know_is_not_found(hub: RunningHub) -> None:
    answer = hub.client.get("/api/v1/history", params={**RANGE, "feed": "d9/depth"})
    assert problem(answer) == (404, "not_found")


def test_a_hub_without_history_says_so(start_hub: StartHub) -> None:
    answer = start_hub().client.get("/api/v1/history", params={**RANGE, "feed": "d0/depth"})
    assert problem(answer) == (503, "unavailable")
    assert "history.kind" in answer.json()["detail"]


def test_history_that_has_not_begun_is_asked_again_later(start_hub: StartHub, tmp_path: Path) -> None:
    answer = start_hub(history=Store(tmp_path / "later").history).client.get(
        "/api/v1/history", params={**RANGE, "feed": "d0/depth"}
    )
    assert problem(answer) == (503, "unavailable")
    assert "no history yet" in answer.json()["detail"]
