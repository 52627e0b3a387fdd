import asyncio
import contextlib
import re
import socket
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from console import openapi
from console.app import describe
from console.hub import HubSettings
from console.lanes import Lane
from console.problems import Problem, ProblemCode
from console.serve import HubServer, run_hub
from core.errors import ConfigError, UnavailableError
from tests.unit.console.running import PATIENCE_S, RunningHub
from tests.unit.console.test_events import problem
from tests.unit.dispatch.events import event, life

StartHub = Callable[..., RunningHub]
ROOT = Path(__file__).parents[3]


def test_the_kept_description_of_the_interface_is_current() -> None:
    kept = (ROOT / "schema" / "openapi.json").read_text(encoding="utf-8")
    assert openapi.text(describe()) == kept, "run: python -m console.openapi > schema/openapi.json"


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_the_description_is_served_is_openapi_3_1_and_refers_to_nothing_that_is_missing(
    hub: RunningHub,
) -> None:
    document = hub.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    assert {reference.rpartition("/")[2] for reference in references(document)} <= set(schemas)
    for path in ("events", "cases", "cases/{task_number}", "alerts", "feedback", "stream"):
        assert f"/api/v1/{path}" in document["paths"]
    assert set(schemas["ProblemCode"]["enum"]) == {code.value for code in ProblemCode}


def test_every_code_of_a_problem_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")
    assert {f"`{code.value}`" for code in ProblemCode} <= set(re.findall(r"`[a-z_]+`", reference))


def test_answers_are_as_described(hub: RunningHub) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    number = hub.post(event("a")).json()["task_number"]
    hub.post_batch([*life("b"), event("c", auto=False)])
    document = hub.get("/openapi.json")
    for path, route in (
        ("/api/v1/cases", None),
        ("/api/v1/alerts", None),
        (f"/api/v1/cases/{number}", "/api/v1/cases/{task_number}"),
        ("/api/v1/alerts/a", "/api/v1/alerts/{alert}"),
        ("/api/v1/counts", None),
        ("/healthz", None),
        ("/readyz", None),
    ):
        operation = document["paths"][route or path]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(hub.get(path), {**schema, "components": document["components"]})


def test_figures_have_the_prefix_and_labels_that_cannot_grow(hub: RunningHub) -> None:
    hub.post_batch([*life("a"), event("b", severity="critical")])
    hub.client.get("/api/v1/alerts/a")
    hub.client.get("/api/v1/alerts/b")
    hub.client.get("/no/such/place")
    hub.client.request("BREW", "/api/v1/cases")
    text = hub.client.get("/metrics").text
    names = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert all(name.startswith(("scenewatch_", "process_", "python_")) for name in names)
    assert 'scenewatch_hub_events_total{decision="opened",type="raised"} 2.0' in text
    assert 'scenewatch_cases_opened_total{severity="critical"} 1.0' in text
    assert 'scenewatch_alerts_active{severity="critical"} 1.0' in text
    assert 'scenewatch_alerts_active{severity="minor"} 0.0' in text
    assert 'scenewatch_cases{state="pending_dispatch"} 2.0' in text
    assert 'route="/api/v1/alerts/{alert}"' in text
    assert "/no/such/place" not in text
    assert "BREW" not in text


def test_the_hub_is_well_and_ready(hub: RunningHub) -> None:
    assert hub.get("/healthz") == hub.get("/readyz") == {"status": "ok"}


def test_a_hub_whose_database_takes_no_writes_is_up_but_not_ready_until_it_does_again(
    start_hub: StartHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.database.BUSY_TIMEOUT_MS", 20)
    hub = start_hub()
    hub.post(event("a"))
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert hub.get("/healthz") == {"status": "ok"}
        assert problem(hub.client.get("/readyz")) == (503, "unavailable")
        refused = hub.post(event("b"))
        assert problem(refused) == (503, "unavailable")
        assert refused.headers["retry-after"] == "1"
        assert [case["alert"] for case in hub.get("/api/v1/cases")["items"]] == ["a"]
        other.execute("ROLLBACK")
    assert hub.get("/readyz") == {"status": "ok"}
    assert hub.post(event("b")).status_code == 201


def test_a_fault_is_a_problem_too_and_tells_nothing_about_the_inside(hub: RunningHub, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.db")) as other:
        other.execute("ALTER TABLE case_events RENAME TO elsewhere")
    answer = hub.post(event("a"))
    assert answer.status_code in {500, 503}
    assert "sqlite" not in answer.text.lower()


def test_the_page_and_what_it_loads_are_served_without_a_token_and_kept_by_the_browser(
    hub: RunningHub,
) -> None:
    with httpx.Client(base_url=hub.url, timeout=PATIENCE_S) as browser:
        page = browser.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        loaded = re.findall(r'(?:src|href)="(/web/[^"]+)"', page.text)
        assert loaded
        for path in loaded:
            answer = browser.get(path)
            assert answer.status_code == 200
            assert browser.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        assert "http://" not in page.text.replace("http://www.w3.org/", "")
        assert "https://" not in page.text


def test_a_taken_port_is_said_in_a_plain_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UnavailableError, match=rf"port {port} on 127\.0\.0\.1 is taken"):
            run_hub("127.0.0.1", port, f"sqlite:///{tmp_path / 'hub.db'}", "t")


def test_a_database_that_cannot_be_opened_is_said_in_a_plain_line_and_frees_the_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(UnavailableError, match="cannot be opened"):
        run_hub("127.0.0.1", port, f"sqlite:///{tmp_path / 'nowhere' / 'hub.db'}", "t")
    socket.create_server(("127.0.0.1", port)).close()


def test_an_address_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot listen on"):
        run_hub("no.such.host.invalid", 0, f"sqlite:///{tmp_path / 'hub.db'}", "t", read_token="r")  # noqa: S106 - of this test


@pytest.mark.parametrize(
    ("host", "settings", "why"),
    [
        ("127.0.0.1", HubSettings(token=""), "needs a token"),
        ("0.0.0.0", HubSettings(token="t"), "everybody"),  # noqa: S104, S106 - it must be refused
    ],
)
def test_a_hub_that_would_be_open_to_others_does_not_start(
    tmp_path: Path, host: str, settings: HubSettings, why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        HubServer(host, 0, f"sqlite:///{tmp_path / 'hub.db'}", settings)


def test_a_lane_turns_away_what_does_not_fit_and_keeps_its_order() -> None:
    async def scenario() -> list[int]:
        lane = Lane("test", threads=1, most_waiting=2)
        gate = threading.Event()
        done: list[int] = []
        first = asyncio.create_task(lane.run(lambda: done.append(1 if gate.wait(PATIENCE_S) else 0)))
        second = asyncio.create_task(lane.run(lambda: done.append(2)))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as turned_away:
            await lane.run(lambda: done.append(3))
        assert turned_away.value.code is ProblemCode.BUSY
        gate.set()
        await asyncio.gather(first, second)
        await lane.run(lambda: done.append(4))
        lane.close()
        with pytest.raises(Problem) as closed:
            await lane.run(lambda: done.append(5))
        assert closed.value.code is ProblemCode.UNAVAILABLE
        return done

    assert asyncio.run(scenario()) == [1, 2, 4]


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/metrics", "/api/v1/cases", "/api/v1/alerts/none", "/api/v1/events"]
)
def test_head_is_get_without_a_body(hub: RunningHub, path: str) -> None:
    whole, head = hub.client.get(path), hub.client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_head_of_the_stream_ends_at_once(hub: RunningHub) -> None:
    head = hub.client.head("/api/v1/stream")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_a_wrong_method_is_told_every_right_one(hub: RunningHub) -> None:
    answer = hub.client.delete("/api/v1/maintenance")
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_the_description_says_that_reads_may_be_open_and_writes_never_are(hub: RunningHub) -> None:
    paths = hub.get("/openapi.json")["paths"]
    assert {} in paths["/api/v1/maintenance"]["get"]["security"]
    assert {} not in paths["/api/v1/maintenance"]["post"]["security"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/v1/cases?sate=screening", "query.sate: there is no such parameter (did you mean state?)"),
        (
            "/api/v1/alerts?severity=major&offset=2",
            "query.offset: there is no such parameter (there may be state, severity",
        ),
        ("/api/v1/counts?x=1", "query.x: there is no such parameter (there may be none here)"),
    ],
)
def test_a_parameter_that_an_address_does_not_know_is_refused(hub: RunningHub, path: str, says: str) -> None:
    answer = hub.client.get(path)
    assert problem(answer) == (422, "invalid_parameter")
    assert answer.json()["detail"].startswith(says)


def test_every_address_says_that_it_may_refuse_a_parameter(hub: RunningHub) -> None:
    for path, operations in hub.get("/openapi.json")["paths"].items():
        told = all("422" in operation["responses"] for operation in operations.values())
        assert told or not path.startswith("/api/"), path
