"""Maintenance, emergency profiles and the ledger, as people at the hub say and see them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from alerts.event import CONTENT_TYPE, CoverData, KeptData, LedgerEvent, LedgerType
from console.hub import Beside
from core.clock import rfc3339
from dispatch.store import Store
from tests.unit.console.running import NOW, RunningHub
from tests.unit.console.test_events import problem
from tests.unit.dispatch.events import event, life

StartHub = Callable[..., RunningHub]
HOUR = 3_600_000


def said(hub: RunningHub, **body: Any) -> httpx.Response:
    whole = {"by": "Li", "reason": "泵站检修", "to": "2h", **body}
    return hub.client.post("/api/v1/maintenance", json=whole)


def kept(name: str, revision: int = 1, **more: Any) -> LedgerEvent:
    data = KeptData(
        entry=name, revision=revision, scene="flood", title_en="Flooding", title_zh="积水", device="d1",
        metric="depth_cm", unit="cm", place="M1", town="T1", severity="major", value=22.5, limit="above 15",
        raised_at=rfc3339(NOW), **{"reason": "maintenance", "by": "m-000001", **more},
    )  # fmt: skip
    kind = LedgerType.KEPT if data.outcome == "kept" else LedgerType.ENDED
    return of_ledger(kind, name, data)


def over(name: str = "c-1", **more: Any) -> LedgerEvent:
    told = {"by": "m-000001", "kept": 3, "cleared": 2, "holds": 1, "scenes": {"flood": 3}, **more}
    span = {"since": rfc3339(NOW), "until": rfc3339(NOW + HOUR)}
    data = CoverData(cover=name, reason="maintenance", place="M1", **span, **told)  # type: ignore[arg-type]
    return of_ledger(LedgerType.OVER, name, data)


def of_ledger(kind: LedgerType, subject: str, data: KeptData | CoverData) -> LedgerEvent:
    return LedgerEvent(
        id=f"{subject}.{data.revision}", source="/test", type=kind, subject=subject, time=rfc3339(NOW),
        partitionkey=data.place, sequence="1", traceparent="", data=data,
    )  # fmt: skip


def tell(hub: RunningHub, *events: Any) -> Any:
    answer = hub.post_batch(list(events))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_maintenance_is_there_for_people_and_on_its_way_to_the_pipeline(hub: RunningHub) -> None:
    made = said(hub, where={"town": ["T1"]}, scenes=["flood"])
    assert made.status_code == 201
    view = made.json()
    assert made.headers["location"] == f"/api/v1/maintenance/{view['id']}"
    assert (view["state"], view["from"], view["to"]) == ("running", rfc3339(NOW), rfc3339(NOW + 2 * HOUR))
    (order,) = hub.get("/api/v1/feedback")
    assert (order["kind"], order["alert"], order["by"]) == ("maintenance", view["id"], "Li")
    assert order["where"] == {"town": ["T1"], "scene": ["flood"]}
    assert (order["since"], order["until"]) == (view["from"], view["to"])
    assert hub.get("/api/v1/maintenance")["items"] == [view]
    assert "进行中" in view["says_zh"]
    assert "running" in view["says_en"]


def test_a_maintenance_can_be_planned_and_is_over_by_itself(hub: RunningHub) -> None:
    begins, ends = rfc3339(NOW + HOUR), rfc3339(NOW + 3 * HOUR)
    said(hub, where={"device": ["d1"]}, **{"from": begins, "to": ends})
    assert [one["state"] for one in hub.get("/api/v1/maintenance")["items"]] == ["planned"]
    assert hub.figure("scenewatch_maintenance_running") == 0
    hub.clock.advance_to_ms(NOW + HOUR)
    assert [one["state"] for one in hub.get("/api/v1/maintenance")["items"]] == ["running"]
    assert hub.figure("scenewatch_maintenance_running") == 1
    hub.clock.advance_to_ms(NOW + 3 * HOUR)
    assert hub.get("/api/v1/maintenance")["items"] == []
    assert [one["state"] for one in hub.get("/api/v1/maintenance", which="all")["items"]] == ["ended"]


def test_a_maintenance_is_ended_before_its_time_once_and_the_pipeline_is_told(hub: RunningHub) -> None:
    name = said(hub, scenes=["flood"]).json()["id"]
    hub.clock.advance_to_ms(NOW + HOUR)
    path = f"/api/v1/maintenance/{name}/end"
    ended = hub.client.post(path, json={"by": "王", "reason": "提前完工"})
    assert ended.json()["state"] == "ended"
    assert ended.json()["ended_by"] == "王"
    assert problem(hub.client.post(path, json={"by": "王", "reason": "x"})) == (409, "not_active")
    assert problem(hub.client.post("/api/v1/maintenance/m-9/end", json={"by": "王", "reason": "x"}))[0] == 404
    first, last = hub.get("/api/v1/feedback")
    assert (first["alert"], last["alert"]) == (name, name)
    assert last["until"] == rfc3339(NOW + HOUR)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"where": {"street": ["x"]}},
        {"where": {"town": []}},
        {"where": {"town": ["T1"]}, "to": "yesterday"},
        {"where": {"town": ["T1"]}, "to": rfc3339(NOW - 1)},
        {"where": {"town": ["T1"]}, "to": "93d"},
        {"where": {"town": ["T1"]}, "from": "soon"},
        {"where": {"town": ["T1"]}, "reason": ""},
        {"where": {"town": ["T1"]}, "by": "a\nb"},
    ],
)
def test_a_maintenance_that_means_nothing_is_refused_and_nothing_is_written(
    hub: RunningHub, body: dict[str, Any]
) -> None:
    assert problem(said(hub, **body)) == (422, "invalid_parameter")
    assert hub.get("/api/v1/maintenance", which="all")["items"] == []
    assert hub.get("/api/v1/feedback") == []


def test_what_is_said_lasts_over_a_restart_of_the_hub(start_hub: StartHub) -> None:
    first = start_hub()
    name = said(first, scenes=["flood"]).json()["id"]
    tell(first, kept("k-1"))
    again = start_hub()
    assert [one["id"] for one in again.get("/api/v1/maintenance")["items"]] == [name]
    assert len(again.get("/api/v1/feedback")) == 1
    assert len(again.get("/api/v1/ledger")["items"]) == 1


def test_pages_of_maintenance_follow_each_other(hub: RunningHub) -> None:
    names = [said(hub, scenes=[f"s{n}"]).json()["id"] for n in range(3)]
    first = hub.get("/api/v1/maintenance", limit=2)
    second = hub.get("/api/v1/maintenance", limit=2, cursor=first["next"])
    assert [one["id"] for one in first["items"] + second["items"]] == names[::-1]
    assert second["next"] is None


def test_entries_come_in_once_and_in_their_newest_revision(hub: RunningHub) -> None:
    news = [kept("k-1"), event("a"), kept("k-2", reason="unconfirmed", by="")]
    assert [one["duplicate"] for one in tell(hub, *news)] == [False, False, False]
    assert [one["duplicate"] for one in tell(hub, *news)] == [True, True, True]
    tell(hub, kept("k-1", 2, outcome="released", ended_at=rfc3339(NOW + HOUR)))
    tell(hub, kept("k-1"))
    items = hub.get("/api/v1/ledger")["items"]
    assert [(one["entry"], one["outcome"]) for one in items] == [("k-2", "kept"), ("k-1", "released")]
    assert [one["entry"] for one in hub.get("/api/v1/ledger", outcome="kept")["items"]] == ["k-2"]
    assert hub.get("/api/v1/ledger", scene="other")["items"] == []
    assert hub.get("/api/v1/ledger", since=rfc3339(NOW + 1))["items"] == []
    assert "结束时仍持续" in items[1]["says_zh"]
    assert hub.figure('scenewatch_hub_kept_back{reason="unconfirmed"}') == 1
    assert hub.figure('scenewatch_hub_kept_back{reason="maintenance"}') == 0


def test_one_event_of_the_ledger_comes_alone_too(hub: RunningHub) -> None:
    answer = hub.send(msgspec.json.encode(kept("k-1")), CONTENT_TYPE)
    assert (answer.status_code, answer.json()["error"]) == (200, None)
    wrong = msgspec.structs.replace(kept("k-1"), subject="k-2")
    assert problem(hub.send(msgspec.json.encode(wrong), CONTENT_TYPE)) == (422, "invalid_event")
    headers = {f"ce-{name}": value for name, value in {
        "id": "k-3.1", "source": "/t", "type": LedgerType.KEPT.value, "subject": "k-3", "time": rfc3339(NOW),
        "specversion": "1.0", "partitionkey": "M1", "sequence": "1", "traceparent": "-",
    }.items()}  # fmt: skip
    binary = hub.send(msgspec.json.encode(kept("k-3").data), "application/json", **headers)
    assert binary.status_code == 200
    assert {one["entry"] for one in hub.get("/api/v1/ledger")["items"]} == {"k-1", "k-3"}


def test_the_end_of_a_maintenance_says_what_happened_behind_it_on_the_stream_and_as_an_entry(hub: RunningHub) -> None:
    name = said(hub, scenes=["flood"]).json()["id"]
    with hub.stream() as stream:
        assert stream.next().name == "ready"
        tell(hub, kept("k-1", by=name), over(by=name))
        tell(hub, over(by=name))
        first, last = stream.take(2)
    assert (first.name, first.data["entry"]) == ("kept", "k-1")
    assert (last.name, last.data["holds"]) == ("over", 1)
    assert last.data["says_en"] == f"Maintenance {name} is over: 3 raised behind it, 2 cleared, 1 still hold"
    assert last.data["says_zh"] == f"检修 {name} 已结束: 期间触发 3 次, 已解除 2 次, 仍持续 1 次"
    detail = hub.get(f"/api/v1/maintenance/{name}")
    assert [one["entry"] for one in detail["behind"]] == ["k-1"]
    assert [one["cover"] for one in detail["over"]] == ["c-1"]
    assert [one["cover"] for one in hub.get("/api/v1/ledger/over")["items"]] == ["c-1"]


def test_who_comes_back_is_given_what_was_said_meanwhile(start_hub: StartHub) -> None:
    hub = start_hub(beside=Beside(profiles=lambda: {"typhoon": ["flood"]}))
    with hub.stream() as stream:
        place = stream.next().id
    said(hub, scenes=["flood"])
    tell(hub, kept("k-1"), over())
    hub.client.post("/api/v1/profiles/typhoon", json={"on": True, "by": "Li", "reason": "台风红色预警"})
    with hub.stream(place) as stream:
        assert [one.name for one in stream.take(5)] == ["ready", "maintenance", "kept", "over", "profile"]


def test_a_profile_is_switched_on_and_off_and_the_log_says_who_why_and_what_came_of_it(start_hub: StartHub) -> None:
    hub = start_hub(beside=Beside(profiles=lambda: {"typhoon": ["scene-1"], "heat": []}))
    path = "/api/v1/profiles/typhoon"
    assert hub.client.post(path, json={"on": True, "by": "Li", "reason": "台风红色预警"}).status_code == 200
    assert problem(hub.client.post(path, json={"on": True, "by": "Li", "reason": "x"})) == (409, "not_active")
    found = hub.get("/api/v1/profiles")["items"]
    assert [(one["profile"], one["on"], one["scenes"]) for one in found] == [
        ("heat", False, []), ("typhoon", True, ["scene-1"]),
    ]  # fmt: skip
    assert hub.figure("scenewatch_profiles_on") == 1
    hub.post_batch([event("a", scene="scene-1"), event("other", scene="elsewhere")])
    hub.post_batch([msgspec.structs.replace(one) for one in life("b")])
    off = hub.client.post(path, json={"on": False, "by": "王", "reason": "预警解除"}).json()
    assert off["on"] is False
    assert (off["raised"], off["holds"]) == expected_of(hub, "scene-1")
    assert [(one["on"], one["by"]) for one in hub.get(path)["items"]] == [(False, "王"), (True, "Li")]
    assert [one["kind"] for one in hub.get("/api/v1/feedback")] == ["profile_on", "profile_off"]
    assert "应急预案 typhoon 已停用" in off["says_zh"]


def expected_of(hub: RunningHub, scene: str) -> tuple[int, int]:
    found = [one for one in hub.get("/api/v1/alerts", scene=scene)["items"] if one["raised_at"] >= rfc3339(NOW)]
    assert found
    return len(found), sum(one["state"] != "cleared" for one in found)


def test_a_profile_that_no_scene_has_is_refused_with_the_one_that_was_meant(start_hub: StartHub) -> None:
    hub = start_hub(beside=Beside(profiles=lambda: {"typhoon": ["flood"]}))
    answer = hub.client.post("/api/v1/profiles/tyfoon", json={"on": True, "by": "Li", "reason": "x"})
    assert problem(answer) == (404, "not_found")
    assert "did you mean typhoon" in answer.json()["detail"]
    assert hub.get("/api/v1/feedback") == []


def test_a_database_of_the_version_before_goes_on_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.take([event("a")], NOW)
        store.say("acknowledge", "a", "Li", None, NOW)
    with closing(sqlite3.connect(path)) as db:
        for table in ("ledger", "covers", "maintenance", "switches"):
            db.execute(f"DROP TABLE {table}")
        db.execute("ALTER TABLE feedback DROP COLUMN scope")
        db.execute("UPDATE hub_schema SET version = 1")
        db.commit()
    with Store.open(f"sqlite:///{path}") as store:
        assert [said.kind for said in store.feedback(0, 10)] == ["acknowledge"]
        store.maintain("Li", "x", {"scene": ["flood"]}, NOW, NOW + HOUR, NOW)
        assert [said.kind for said in store.feedback(0, 10)] == ["acknowledge", "maintenance"]
        assert store.alert("a") is not None
