import contextlib
import threading
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.event import BATCH_CONTENT_TYPE, CONTENT_TYPE, AlertEvent, EventType
from console import cloudevents
from console.problems import Problem
from tests.unit.console.running import PATIENCE_S, TOKEN, RunningHub
from tests.unit.dispatch.events import event, life, with_data

StartHub = Callable[..., RunningHub]


def problem(answer: httpx.Response) -> tuple[int, str]:
    """(status, code) of an error, which must be problem details."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["code"]


def changed(**fields: object) -> bytes:
    """A raised event as JSON with top-level fields changed; None takes one away."""
    whole = msgspec.to_builtins(event())
    return msgspec.json.encode({k: v for k, v in {**whole, **fields}.items() if v is not None})


def test_a_new_case_is_answered_201_with_its_number_and_known_events_200_with_the_same(
    hub: RunningHub,
) -> None:
    first = hub.post(event("a"))
    assert first.status_code == 201
    assert first.json() == {"id": "a.1", "task_number": "20261124-000001", "duplicate": False, "error": None}
    again = hub.post(event("a"))
    assert again.status_code == 200
    assert again.json() == {**first.json(), "duplicate": True}
    later = hub.post(life("a")[1])
    assert (later.status_code, later.json()["task_number"]) == (200, "20261124-000001")
    assert len(hub.get("/api/v1/cases")["items"]) == 1


def test_an_alert_without_a_case_is_answered_200_without_a_number(hub: RunningHub) -> None:
    answer = hub.post(event("a", auto=False))
    assert (answer.status_code, answer.json()["task_number"]) == (200, None)
    assert [a["id"] for a in hub.get("/api/v1/alerts")["items"]] == ["a"]
    assert hub.get("/api/v1/cases")["items"] == []


def test_a_batch_is_answered_in_its_order_with_one_receipt_each(hub: RunningHub) -> None:
    hub.post(event("b"))
    answer = hub.post_batch([event("a"), event("b"), event("c"), event("a")])
    assert answer.status_code == 200
    assert [(r["id"], r["task_number"], r["duplicate"]) for r in answer.json()] == [
        ("a.1", "20261124-000002", False),
        ("b.1", "20261124-000001", True),
        ("c.1", "20261124-000003", False),
        ("a.1", "20261124-000002", True),
    ]


def test_an_empty_batch_is_answered_with_an_empty_list(hub: RunningHub) -> None:
    answer = hub.post_batch([])
    assert (answer.status_code, answer.json()) == (200, [])


def test_what_is_wrong_in_a_batch_does_not_stop_the_rest(hub: RunningHub) -> None:
    parts = [
        msgspec.json.encode(event("a")),
        changed(type="cn.scenewatch.alert.sung.v9", id="song"),
        b'{"id": "half"}',
        b"17",
        msgspec.json.encode(with_data(event("b"), severity="loud")),
        msgspec.json.encode(event("c")),
    ]
    answer = hub.send(b"[" + b",".join(parts) + b"]", BATCH_CONTENT_TYPE)
    assert answer.status_code == 200
    receipts = answer.json()
    assert [r["id"] for r in receipts] == ["a.1", "song", "half", "", "b.1", "c.1"]
    assert [r["error"] is None for r in receipts] == [True, False, False, False, False, True]
    assert "sung" in receipts[1]["error"]
    assert "source" in receipts[2]["error"]
    assert "severity" in receipts[4]["error"]
    assert hub.figure('scenewatch_hub_events_total{decision="refused",type="unreadable"}') == 4


def test_an_event_of_an_unknown_type_is_answered_as_one_that_can_never_be_taken(hub: RunningHub) -> None:
    answer = hub.send(changed(type="cn.scenewatch.alert.sung.v9"), CONTENT_TYPE)
    assert answer.status_code == 200
    assert "sung" in answer.json()["error"]


def test_an_event_may_come_in_binary_mode(hub: RunningHub) -> None:
    raised = event("警报 %1")
    headers = {
        f"ce-{name}": quote(value, safe="/-.:")
        for name, value in msgspec.to_builtins(raised).items()
        if name not in {"data", "datacontenttype"}
    }
    body = msgspec.json.encode(raised.data)
    answer = hub.send(body, "application/json; charset=utf-8", **headers)
    assert answer.status_code == 201
    assert answer.json()["id"] == "警报 %1.1"
    assert hub.post(raised).json()["duplicate"]
    unknown = hub.send(body, "application/json", **{**headers, "ce-type": "x.y", "ce-id": "n"})
    assert (unknown.status_code, unknown.json()["id"]) == (200, "n")
    del headers["ce-source"]
    incomplete = hub.send(body, "application/json", **headers)
    assert problem(incomplete) == (422, "invalid_event")
    assert "source" in incomplete.json()["detail"]
    assert problem(hub.send(b"{", "application/json", **headers)) == (400, "invalid_json")


def test_the_media_type_may_have_parameters_and_any_case(hub: RunningHub) -> None:
    body = msgspec.json.encode(event("a"))
    assert hub.send(body, "Application/CloudEvents+JSON; charset=UTF-8").status_code == 201


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain", b"{}", (415, "unsupported_media_type")),
        ("", b"{}", (415, "unsupported_media_type")),
        ("application/json", b"{}", (415, "unsupported_media_type")),
        (f"{CONTENT_TYPE}; charset=gb2312", b"{}", (415, "unsupported_media_type")),
        (CONTENT_TYPE, b"", (400, "invalid_json")),
        (CONTENT_TYPE, b"{", (400, "invalid_json")),
        (CONTENT_TYPE, changed()[:-1], (400, "invalid_json")),
        (CONTENT_TYPE, changed().replace(b"31.5", b"NaN"), (400, "invalid_json")),
        (CONTENT_TYPE, changed().replace(b"31.5", b"-Infinity"), (400, "invalid_json")),
        (CONTENT_TYPE, changed().replace(b"31.5", b"1e999"), (422, "invalid_event")),
        (CONTENT_TYPE, b'{"x":' + b"[" * 100_000, (400, "invalid_json")),
        (CONTENT_TYPE, b'{"id":"\xff\xfe"}', (400, "invalid_json")),
        (CONTENT_TYPE, b'{"id":"\\ud800"}', (400, "invalid_json")),
        (CONTENT_TYPE, b"[]", (422, "invalid_event")),
        (CONTENT_TYPE, b"null", (422, "invalid_event")),
        (CONTENT_TYPE, changed(source=None), (422, "invalid_event")),
        (CONTENT_TYPE, changed(data={}), (422, "invalid_event")),
        (CONTENT_TYPE, changed(data=17), (422, "invalid_event")),
        (CONTENT_TYPE, changed(id="x" * 300_000), (422, "invalid_event")),
        (CONTENT_TYPE, changed(id=""), (422, "invalid_event")),
        (CONTENT_TYPE, changed(time="noon"), (422, "invalid_event")),
        (CONTENT_TYPE, changed(specversion="2.0"), (422, "invalid_event")),
        (CONTENT_TYPE, b" " * (1024 * 1024 + 1), (413, "too_large")),
        (BATCH_CONTENT_TYPE, b"{}", (422, "invalid_event")),
        (BATCH_CONTENT_TYPE, b"[" * 100_000, (400, "invalid_json")),
        (BATCH_CONTENT_TYPE, b"[" + b",".join([b"{}"] * 1001) + b"]", (413, "too_large")),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_code(
    hub: RunningHub, content_type: str, body: bytes, expected: tuple[int, str]
) -> None:
    assert problem(hub.send(body, content_type)) == expected
    assert hub.post(event("still-well")).status_code == 201


def test_a_body_without_a_length_is_bounded_too(hub: RunningHub) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    answer = hub.client.post(
        "/api/v1/events",
        content=endless(),
        headers={"Content-Type": CONTENT_TYPE},
    )
    assert problem(answer) == (413, "too_large")


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer 密".encode()])
def test_nobody_writes_without_the_token(hub: RunningHub, header: str | bytes | None) -> None:
    headers: dict[str, str | bytes] = {"Content-Type": CONTENT_TYPE}
    if header is not None:
        headers["Authorization"] = header
    with httpx.Client(base_url=hub.url, timeout=PATIENCE_S) as stranger:
        posted = stranger.post("/api/v1/events", content=msgspec.json.encode(event("a")), headers=headers)  # type: ignore[arg-type]
        assert problem(posted) == (401, "unauthorized")
        assert posted.headers["www-authenticate"] == "Bearer"
        said = stranger.post("/api/v1/alerts/a/acknowledge", content=b'{"by":"me"}', headers=headers)  # type: ignore[arg-type]
        assert problem(said) == (401, "unauthorized")
        assert stranger.get("/api/v1/cases").json()["items"] == []


def test_with_a_token_for_reading_nobody_reads_without_one(start_hub: StartHub) -> None:
    hub = start_hub(read_token="reader")  # noqa: S106 - of this test
    hub.post(event("a"))
    with httpx.Client(base_url=hub.url, timeout=PATIENCE_S) as stranger:
        for path in ("/api/v1/cases", "/api/v1/alerts", "/api/v1/feedback", "/api/v1/stream", "/metrics"):
            assert problem(stranger.get(path)) == (401, "unauthorized")
            if path != "/api/v1/stream":
                assert stranger.get(path, headers={"Authorization": "Bearer reader"}).status_code == 200
                assert hub.client.get(path).status_code == 200
        for path in ("/healthz", "/readyz", "/"):
            assert stranger.get(path).status_code == 200
        reader = {"Authorization": "Bearer reader", "Content-Type": CONTENT_TYPE}
        assert problem(stranger.post("/api/v1/events", content=b"{}", headers=reader)) == (
            401,
            "unauthorized",
        )


def test_an_unknown_address_and_a_wrong_method_have_codes_too(hub: RunningHub) -> None:
    assert problem(hub.client.get("/api/v2/cases")) == (404, "not_found")
    wrong = hub.client.delete("/api/v1/cases")
    assert problem(wrong) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, HEAD"


def test_several_senders_of_the_same_events_open_one_case_each(hub: RunningHub) -> None:
    events = [event(f"alert-{n}") for n in range(30)]
    answers: list[list[tuple[int, str]]] = [[] for _ in range(4)]
    barrier = threading.Barrier(4)

    def send(mine: list[tuple[int, str]], order: list[AlertEvent]) -> None:
        barrier.wait(PATIENCE_S)
        with httpx.Client(base_url=hub.url, headers=hub.client.headers, timeout=PATIENCE_S) as client:
            for one in order:
                answer = client.post(
                    "/api/v1/events",
                    content=msgspec.json.encode(one),
                    headers={"Content-Type": CONTENT_TYPE},
                )
                mine.append((answer.status_code, answer.json()["task_number"]))

    threads = [
        threading.Thread(target=send, args=(mine, events[n * 7 :] + events[: n * 7])) for n, mine in enumerate(answers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    everything = [answer for mine in answers for answer in mine]
    assert sum(status == 201 for status, _ in everything) == 30
    assert {number for _, number in everything} == {f"20261124-{n:06d}" for n in range(1, 31)}
    assert len(everything) == 120


def test_numbers_stay_over_a_restart_of_the_hub(start_hub: StartHub) -> None:
    before = start_hub()
    numbers = {e.id: before.post(e).json()["task_number"] for e in (event("a"), event("b"))}
    before.stop()
    after = start_hub()
    assert {e.id: after.post(e).json()["task_number"] for e in (event("b"), event("a"))} == numbers
    assert after.post(event("c")).json()["task_number"] == "20261124-000003"


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=10,
        ).map(lambda value: repr(value).encode("utf-8", "surrogatepass")),
        st.sampled_from(list(msgspec.to_builtins(event()))).flatmap(
            lambda name: st.one_of(st.none(), st.integers(), st.text(max_size=30), st.just([])).map(
                lambda value: msgspec.json.encode({**msgspec.to_builtins(event()), name: value})
            )
        ),
    ),
    st.sampled_from([CONTENT_TYPE, BATCH_CONTENT_TYPE, "application/json", "", ";;", "a; charset=x*=y"]),
)
def test_any_bytes_are_an_event_a_refusal_or_a_problem_and_never_a_fault(body: bytes, content_type: str) -> None:
    events: list[cloudevents.Taken] = []
    with contextlib.suppress(Problem):
        events = cloudevents.read({"content-type": content_type}, body)
    assert all(isinstance(e, cloudevents.Taken) for e in events)


def test_every_type_of_event_is_taken(hub: RunningHub) -> None:
    for n, kind in enumerate(EventType, 1):
        assert hub.post(event("a", n, kind)).status_code == (201 if kind is EventType.RAISED else 200)
    assert hub.get("/api/v1/alerts/a")["revision"] == len(EventType)
