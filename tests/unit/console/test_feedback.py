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


def judge(hub: RunningHub, alert: str, **body: object) -> httpx.Response:
    return hub.client.post(f"/api/v1/alerts/{alert}/verdict", json={"by": "Li", **body})


def test_a_verdict_is_there_for_the_pipeline_and_in_the_audit_and_changes_nothing_else(hub: RunningHub) -> None:
    hub.post_batch(life("a"))
    before = hub.get("/api/v1/alerts/a")
    said = judge(hub, "a", verdict="false", comment="a puddle")
    assert said.status_code == 202
    assert hub.get("/api/v1/feedback") == [said.json()]
    assert (said.json()["kind"], said.json()["verdict"], said.json()["comment"]) == ("verdict", "false", "a puddle")
    assert hub.get("/api/v1/alerts/a") == before
    case = hub.get(f"/api/v1/cases/{before['task_number']}")
    line = case["audit"][-1]
    assert (line["what"], line["who"], line["note"], line["to"]) == (
        "judged",
        "Li",
        "false: a puddle",
        case["case"]["state"],
    )


def test_an_alert_without_a_case_can_be_judged_too(hub: RunningHub) -> None:
    hub.post(event("a", auto=False))
    assert judge(hub, "a", verdict="maintenance").status_code == 202


def test_precision_counts_the_last_word_on_each_alert_the_least_precise_first(hub: RunningHub) -> None:
    hub.post_batch([event(name, scene="flood") for name in "abcd"] + [event("e", scene="gas")])
    for alert, verdict in (
        ("a", "true"),
        ("b", "false"),
        ("a", "false"),
        ("c", "true"),
        ("d", "duplicate"),
        ("e", "true"),
    ):
        judge(hub, alert, verdict=verdict)
    rows = hub.get("/api/v1/precision")["items"]
    assert [(r["scene"], r["true"], r["false"], r["duplicate"], r["precision"]) for r in rows] == [
        ("flood", 1, 2, 1, pytest.approx(1 / 3)),
        ("gas", 1, 0, 0, 1.0),
    ]
    assert {(r["scene"], r["severity"]) for r in hub.get("/api/v1/precision", by="severity")["items"]} == {
        ("flood", "minor"), ("gas", "minor"),
    }  # fmt: skip
    only = hub.get("/api/v1/precision", by="device", scene="gas")["items"]
    assert [(r["device"], r["precision"]) for r in only] == [("lvl-7", 1.0)]


def test_where_nobody_said_true_or_false_there_is_no_precision(hub: RunningHub) -> None:
    hub.post(event("a"))
    assert hub.get("/api/v1/precision")["items"] == []
    judge(hub, "a", verdict="not_ours")
    assert hub.get("/api/v1/precision")["items"][0]["precision"] is None


@pytest.mark.parametrize(
    ("alert", "body", "expected"),
    [
        ("a", {"verdict": "maybe"}, (422, "invalid_parameter")),
        ("a", {"verdict": "true", "by": ""}, (422, "invalid_parameter")),
        ("a", {}, (422, "invalid_parameter")),
        ("nobody", {"verdict": "true"}, (404, "not_found")),
    ],
)
def test_a_wrong_verdict_is_one_problem(
    hub: RunningHub, alert: str, body: dict[str, object], expected: tuple[int, str]
) -> None:
    hub.post(event("a"))
    assert problem(judge(hub, alert, **body)) == expected
    assert hub.get("/api/v1/feedback") == []
