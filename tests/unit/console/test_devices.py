from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from console.devices import DeviceDirectory
from console.hub import Beside, HubSettings
from ingest.unknown import UnknownDevices
from tests.unit.console.running import TOKEN, RunningHub
from tests.unit.console.test_events import problem

LIST = "device,gateway,type,town,state,lon,lat,installed,design,tags\n" + "".join(
    f"d{n:02d},g{n % 3},{'road-water-level' if n % 2 else 'camera'},T{n % 2},{'suspended' if n == 5 else ''},,,,,\n"
    for n in range(12)
)
ONE = "special,g0,road-water-level,T9,adopted,121.4,31.1,2024-02-29,depth_cm=30,asset=A1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "devices.csv"
    path.write_text(LIST + ONE)
    return path


@pytest.fixture
def unknown(tmp_path: Path) -> UnknownDevices:
    unknown = UnknownDevices(tmp_path / "unknown.sqlite")
    for gateway, device, at in (("g0", "x", 1_000), ("g1", "x", 2_000), ("g1", "y", 3_000), ("g0", "d00", 4_000)):
        unknown.note(gateway, device, "depth_cm", 12.5, at)
    unknown.write()
    return unknown


@pytest.fixture
def hub(tmp_path: Path, path: Path, unknown: UnknownDevices) -> Iterator[RunningHub]:
    assert len(unknown) == 4
    directory = DeviceDirectory(path, None, tmp_path / "unknown.sqlite")
    hub = RunningHub(tmp_path / "hub.db", HubSettings(token=TOKEN), beside=Beside(devices=directory))
    yield hub
    hub.stop()


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


def test_pages_go_through_every_device_once_by_id(hub: RunningHub) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 5}
    while True:
        page = hub.get("/api/v1/devices", **query)
        seen += ids(page)
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [*(f"d{n:02d}" for n in range(12)), "special"]
    assert hub.get("/api/v1/devices", limit=13)["next"] is None


def test_lists_hold_what_is_asked_for(hub: RunningHub) -> None:
    def found(**query: str) -> list[str]:
        return ids(hub.get("/api/v1/devices", **query))

    assert found(state="suspended") == ["d05"]
    assert found(town="T9") == ["special"]
    assert found(gateway="g0", type="camera") == ["d00", "d06"]
    assert found(gateway="g7") == []
    assert found(state="adopted", town="T0") == []


def test_a_device_is_told_with_its_feeds(hub: RunningHub) -> None:
    detail = hub.get("/api/v1/devices/special")
    device = detail["device"]
    assert (device["state"], device["lon"], device["installed"]) == ("adopted", 121.4, "2024-02-29")
    assert (device["design"], device["tags"], device["seen"]) == ({"depth_cm": 30.0}, {"asset": "A1"}, None)
    assert device["title_zh"] == "道路(下立交)积水监测"
    assert [(feed["feed"], feed["unit"]) for feed in detail["feeds"]] == [("special/depth_cm", "cm")]


def test_who_is_unknown_is_told_with_what_was_heard_and_one_that_is_listed_is_not_unknown(hub: RunningHub) -> None:
    page = hub.get("/api/v1/devices", state="unknown", limit=2)
    assert [(one["gateway"], one["id"]) for one in page["items"]] == [("g0", "x"), ("g1", "x")]
    rest = hub.get("/api/v1/devices", state="unknown", limit=2, cursor=page["next"])
    assert ids(rest) == ["y"]
    assert rest["items"][0]["seen"] == {
        "gateway": "g1", "first_seen": "1970-01-01T00:00:03.000Z", "last_seen": "1970-01-01T00:00:03.000Z",
        "count": 1, "metrics": {"depth_cm": 12.5},
    }  # fmt: skip
    assert ids(hub.get("/api/v1/devices", state="unknown", gateway="g0")) == ["x"]
    assert ids(hub.get("/api/v1/devices", state="unknown", type="camera")) == []
    assert [seen["gateway"] for seen in hub.get("/api/v1/devices/x")["seen"]] == ["g0", "g1"]
    assert hub.get("/api/v1/devices/x")["device"]["state"] == "unknown"


def test_a_changed_list_is_shown_and_a_wrong_one_is_told_beside_the_one_that_holds(hub: RunningHub, path: Path) -> None:
    before = hub.get("/api/v1/devices")
    path.write_text("device,gateway\nd00,g0\nd00,g0\n")
    wrong = hub.get("/api/v1/devices")
    assert (wrong["items"], wrong["version"]) == (before["items"], before["version"])
    assert wrong["findings"] == [f"{path}:3: device 'd00' stands twice: take one row away"]
    path.write_text("device,gateway\nd00,g0\n")
    after = hub.get("/api/v1/devices")
    assert (ids(after), after["findings"]) == (["d00"], [])


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "cursor=%FF", "cursor=YmVmb3JlOjEy", "town=%00"])
def test_a_wrong_parameter_is_named(hub: RunningHub, query: str) -> None:
    answer = hub.client.get(f"/api/v1/devices?{query}")
    assert problem(answer) == (422, "invalid_parameter")
    assert query.partition("=")[0] in answer.json()["detail"]


def test_what_is_not_there_is_not_found(hub: RunningHub) -> None:
    assert problem(hub.client.get("/api/v1/devices/nobody")) == (404, "not_found")


def test_answers_are_as_described(hub: RunningHub) -> None:
    document = hub.get("/openapi.json")
    for path, route in (
        ("/api/v1/devices", None),
        ("/api/v1/devices?state=unknown", "/api/v1/devices"),
        ("/api/v1/devices/special", "/api/v1/devices/{device}"),
        ("/api/v1/devices/x", "/api/v1/devices/{device}"),
    ):
        answer = document["paths"][route or path]["get"]["responses"]["200"]
        schema = answer["content"]["application/json"]["schema"]
        jsonschema.validate(hub.client.get(path).json(), {**schema, "components": document["components"]})


def test_a_hub_without_a_list_or_with_one_that_never_was_right_says_so(tmp_path: Path) -> None:
    for directory in (None, DeviceDirectory(tmp_path / "gone.csv", None, tmp_path / "unknown.sqlite")):
        hub = RunningHub(tmp_path / "hub.db", HubSettings(token=TOKEN), beside=Beside(devices=directory))
        answer = hub.client.get("/api/v1/devices")
        assert problem(answer) == (503, "unavailable")
        hub.stop()
