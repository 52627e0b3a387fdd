import threading
from typing import Any

import httpx
import pytest

from tests.unit.console.running import PATIENCE_S, RunningHub
from tests.unit.console.test_events import problem
from tests.unit.dispatch.events import event, life


def acknowledge(hub: RunningHub, alert: str, body: bytes) -> httpx.Response:
    return hub.client.post(f"/api/v1/alerts/{alert}/acknowledge", content=body)


def test_what_a_person_says_is_there_for_the_pipeline_in_order(hub: RunningHub) -> None:
    hub.post_batch([event("a"), event("b")])
    first = acknowledge(hub, "a", b'{"by": "Li"}')
    second = acknowledge(hub, "b", '{"by": "王", "comment": "已派人"}'.encode())
    assert (first.status_code, second.status_code) == (202, 202)
    assert hub.get("/api/v1/feedback") == [first.json(), second.json()]
    assert hub.get("/api/v1/feedback", after=first.json()["seq"]) == [second.json()]
    assert second.json()["kind"] == "acknowledge"
    assert second.json()["comment"] == "已派人"


def test_who_waits_is_told_as_soon_as_something_is_said(hub: RunningHub) -> None:
    hub.post(event("a"))
    heard: list[Any] = []
    waiting = threading.Thread(target=lambda: heard.append(hub.get("/api/v1/feedback", after=0, wait=PATIENCE_S)))
    waiting.start()
    hub.wait_for(lambda: hub.figure("scenewatch_feedback_waiting") == 1)
    said = acknowledge(hub, "a", b'{"by": "Li"}').json()
    waiting.join(PATIENCE_S / 2)
    assert heard == [[said]]


def test_who_waits_in_vain_is_told_so(hub: RunningHub) -> None:
    assert hub.get("/api/v1/feedback", after=0, wait=0.05) == []


def test_a_hub_that_stops_does_not_keep_those_who_wait(hub: RunningHub) -> None:
    answers: list[int] = []

    def wait() -> None:
        with httpx.Client(base_url=hub.url, timeout=60) as client:
            answers.append(client.get("/api/v1/feedback", params={"wait": 60}).status_code)

    waiting = threading.Thread(target=wait)
    waiting.start()
    hub.wait_for(lambda: hub.figure("scenewatch_feedback_waiting") == 1)
    hub.stop()
    waiting.join(PATIENCE_S)
    assert answers == [200]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "invalid_json")),
        (b"{}", (422, "invalid_parameter")),
        (b'{"by": ""}', (422, "invalid_parameter")),
        (b'{"by": "a\\u0000b"}', (422, "invalid_parameter")),
        (b'{"by": "Li", "comment": "' + b"x" * 2001 + b'"}', (422, "invalid_parameter")),
        (b'{"by": "Li", "verdict": true}', (422, "invalid_parameter")),
        (b" " * (1024 * 1024 + 1), (413, "too_large")),
    ],
)
def test_what_is_said_must_be_readable(hub: RunningHub, body: bytes, expected: tuple[int, str]) -> None:
    hub.post(event("a"))
    assert problem(acknowledge(hub, "a", body)) == expected
    assert hub.get("/api/v1/feedback") == []


def test_only_what_is_open_can_be_acknowledged(hub: RunningHub) -> None:
    assert problem(acknowledge(hub, "nobody", b'{"by": "Li"}')) == (404, "not_found")
    hub.post_batch([*life("a")[:3], *life("b")])
    assert problem(acknowledge(hub, "a", b'{"by": "Li"}')) == (409, "not_active")
    assert problem(acknowledge(hub, "b", b'{"by": "Li"}')) == (409, "not_active")


@pytest.mark.parametrize("query", ["after=-1", "wait=61", "wait=nan", "after=99999999999999999999"])
def test_a_wrong_question_is_refused(hub: RunningHub, query: str) -> None:
    assert problem(hub.client.get(f"/api/v1/feedback?{query}")) == (422, "invalid_parameter")
