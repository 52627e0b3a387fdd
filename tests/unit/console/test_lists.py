from typing import Any

import pytest

from alerts.event import EventType
from tests.unit.console.running import NOW, RunningHub
from tests.unit.console.test_events import problem
from tests.unit.dispatch.events import event, life


def test_pages_go_through_everything_once_newest_first(hub: RunningHub) -> None:
    hub.post_batch([event(f"a{n:02d}") for n in range(23)])
    for path, name in (("/api/v1/cases", "alert"), ("/api/v1/alerts", "id")):
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 10}
        while True:
            page = hub.get(path, **query)
            seen += [item[name] for item in page["items"]]
            hub.post(event(f"new-{path[-5:]}-{len(seen)}"))
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert [s for s in seen if s.startswith("a")] == [f"a{n:02d}" for n in reversed(range(23))]
        assert len(seen) == len(set(seen))


def test_a_full_last_page_has_no_next(hub: RunningHub) -> None:
    hub.post_batch([event("a"), event("b")])
    assert hub.get("/api/v1/cases", limit=2)["next"] is None
    assert hub.get("/api/v1/cases", limit=1)["next"] is not None


def test_lists_hold_what_is_asked_for(hub: RunningHub) -> None:
    hub.post_batch([event("a"), event("b", severity="critical", place="M 2"), event("c", leaf=None)])
    hub.clock.advance_to_ms(NOW + 1000)
    hub.post_batch([event("d", scene="crowd"), *life("e")])

    def cases(**query: str) -> list[str]:
        return [case["alert"] for case in hub.get("/api/v1/cases", **query)["items"]]

    def alerts(**query: str) -> list[str]:
        return [alert["id"] for alert in hub.get("/api/v1/alerts", **query)["items"]]

    assert cases(state="screening") == ["c"]
    assert cases(severity="critical") == alerts(severity="critical") == ["b"]
    assert cases(place="M 2") == alerts(place="M 2") == ["b"]
    assert cases(scene="crowd") == alerts(scene="crowd") == ["d"]
    assert cases(since="2026-11-24T18:00:01+08:00") == ["e", "d"]
    assert alerts(state="cleared") == ["e"]
    assert alerts(since="2026-11-24T10:00:00.001Z") == []
    assert cases(state="screening", scene="crowd") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=many",
        "state=open",
        "severity=loud",
        "cursor=%FF",
        "cursor=AAAA",
        "cursor=YmVmb3JlOng",
        "since=yesterday",
        "since=2026-11-24T10:00:00",
        "place=%00",
        "scene=" + "x" * 201,
    ],
)
def test_a_wrong_parameter_is_named(hub: RunningHub, query: str) -> None:
    answer = hub.client.get(f"/api/v1/cases?{query}")
    assert problem(answer) == (422, "invalid_parameter")
    assert query.partition("=")[0] in answer.json()["detail"]


def test_a_case_tells_all_that_happened_to_it(hub: RunningHub) -> None:
    number = hub.post(event("a")).json()["task_number"]
    hub.clock.advance_to_ms(NOW + 60_000)
    hub.post_batch(life("a")[1:])
    detail = hub.get(f"/api/v1/cases/{number}")
    assert detail["case"]["state"] == "pending_dispatch"
    assert detail["case"]["opened_at"] == "2026-11-24T10:00:00.000Z"
    assert detail["case"]["updated_at"] == "2026-11-24T10:01:00.000Z"
    assert detail["case"]["cleared_at"] == "2026-11-24T10:30:00.000Z"
    assert [(line["what"], line["from"], line["to"]) for line in detail["audit"]] == [
        ("opened", None, "pending_dispatch"),
        ("alert_changed", "pending_dispatch", "pending_dispatch"),
        ("alert_acknowledged", "pending_dispatch", "pending_dispatch"),
        ("alert_cleared", "pending_dispatch", "pending_dispatch"),
    ]
    assert detail["audit"][2]["who"] == "Li"
    assert detail["alert"]["task_number"] == number
    assert detail["alert"]["measured"]["value"] == 31.5


def test_what_is_not_there_is_not_found(hub: RunningHub) -> None:
    for path in ("/api/v1/cases/20261124-000001", "/api/v1/alerts/a", "/api/v1/alerts/%E8%AD%A6"):
        assert problem(hub.client.get(path)) == (404, "not_found")
    for path in ("/api/v1/alerts/%00", "/api/v1/cases/%00"):
        assert problem(hub.client.get(path)) == (422, "invalid_parameter")


def test_an_alert_is_shown_in_its_newest_revision_whatever_came_last(hub: RunningHub) -> None:
    hub.post(event("a"))
    hub.post(event("a", 3, EventType.STALE, severity="major"))
    hub.post(event("a", 2, EventType.CHANGED, severity="critical"))
    alert = hub.get("/api/v1/alerts/a")
    assert (alert["revision"], alert["state"], alert["severity"]) == (3, "stale", "major")
