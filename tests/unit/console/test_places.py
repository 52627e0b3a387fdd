from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import shape

from city.atlas import Atlas
from console import openapi
from console.app import describe
from console.hub import Beside, HubSettings
from tests.unit.city.made import corner, squares
from tests.unit.city.test_atlas import DAY
from tests.unit.console.running import TOKEN, RunningHub
from tests.unit.console.test_events import problem


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path / "hub.db", HubSettings(token=TOKEN), beside=Beside(atlas=Atlas(squares(), DAY)))
    yield running
    running.stop()


def codes(page: dict[str, Any]) -> list[str]:
    return [item["code"] for item in page["items"]]


def test_places_come_page_by_page_from_the_coarsest_layer_to_the_finest(hub: RunningHub) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    while True:
        page = hub.get("/api/v1/places", **query)
        seen += codes(page)
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == ["T1", "D1", "D2", "S1", "S2", "S3", "S4", *(f"M{n}" for n in range(1, 9))]
    assert hub.get("/api/v1/places", limit=15)["next"] is None


def test_a_list_holds_what_is_asked_for(hub: RunningHub) -> None:
    assert codes(hub.get("/api/v1/places", layer="disposal_grids")) == ["D1", "D2"]
    assert codes(hub.get("/api/v1/places", parent="D2")) == ["S3", "S4"]
    assert codes(hub.get("/api/v1/places", parent="S1")) == ["M1", "M5"]
    assert codes(hub.get("/api/v1/places", kind="residents")) == ["S1", "S2", "S3", "S4"]
    assert codes(hub.get("/api/v1/places", kind="street")) == []
    first = hub.get("/api/v1/places", layer="self_grids", limit=1)["items"][0]
    assert first == {
        "layer": "self_grids", "code": "S1", "name_zh": "", "name_en": "Grid", "kind": "residents", "town": None,
        "disposal_grid": "D1", "self_grid": None, "valid_from": None, "valid_to": None, "geometry": None,
    }  # fmt: skip


def test_a_point_is_located(hub: RunningHub) -> None:
    lon, lat = corner(2.5, 0.5)
    assert codes(hub.get("/api/v1/places", lon=lon, lat=lat)) == ["T1", "D2", "S3", "M3"]
    assert codes(hub.get("/api/v1/places", lon=lon, lat=lat, layer="modules")) == ["M3"]
    assert hub.get("/api/v1/places", lon=0, lat=0) == {"items": [], "next": None}


def test_one_place_comes_with_its_ground(hub: RunningHub) -> None:
    one = hub.get("/api/v1/places/modules/M3")
    assert (one["layer"], one["self_grid"]) == ("modules", "S3")
    assert shape(one["geometry"]).equals(squares().modules[2].polygon)
    listed = hub.get("/api/v1/places", layer="modules", geometry=True)["items"][2]
    assert listed == one


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("places/modules/M99", (404, "not_found")),
        ("places/hydrants/M1", (422, "invalid_parameter")),
        ("places?layer=town", (422, "invalid_parameter")),
        ("places?lon=121.4", (422, "invalid_parameter")),
        ("places?lon=999&lat=31", (422, "invalid_parameter")),
        ("places?lon=nan&lat=31", (422, "invalid_parameter")),
        ("places?cursor=AAAA", (422, "invalid_parameter")),
        ("places?kind=forest", (422, "invalid_parameter")),
    ],
)
def test_what_cannot_be_answered_is_a_problem(hub: RunningHub, path: str, expected: tuple[int, str]) -> None:
    assert problem(hub.client.get(f"/api/v1/{path}")) == expected


def test_answers_are_as_described(hub: RunningHub) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = describe().openapi()
    for path, route in (
        ("/api/v1/places?geometry=true", "/api/v1/places"),
        ("/api/v1/places/towns/T1", "/api/v1/places/{layer}/{code}"),
    ):
        schema = document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(hub.get(path), {**schema, "components": document["components"]})
    assert openapi.text(describe())


def test_a_hub_without_a_map_has_no_places(start_hub: Callable[..., RunningHub]) -> None:
    bare = start_hub()
    assert bare.get("/api/v1/places") == {"items": [], "next": None}
    assert bare.get("/api/v1/places", lon=121.4, lat=31.0) == {"items": [], "next": None}
    assert problem(bare.client.get("/api/v1/places/towns/T1")) == (404, "not_found")
