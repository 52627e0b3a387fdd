"""The register of scenes over HTTP."""

from pathlib import Path
from typing import Any

import pytest

from city.catalogue import load_catalogue
from console.hub import Beside
from tests.unit.console.conftest import StartHub
from tests.unit.console.running import RunningHub
from tests.unit.console.test_events import problem
from tests.unit.thresholds.test_register import text
from thresholds.register import SceneRegister


@pytest.fixture
def register(tmp_path: Path) -> SceneRegister:
    return SceneRegister(tmp_path / "register", load_catalogue())


@pytest.fixture
def with_scenes(start_hub: StartHub, register: SceneRegister) -> RunningHub:
    return start_hub(beside=Beside(scenes=register))


def post(hub: RunningHub, path: str, **body: Any) -> dict[str, Any]:
    answer = hub.client.post(f"/api/v1/scenes{path}", json={"by": "Li", "reason": "why", **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(hub: RunningHub, path: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hub.client.get(f"/api/v1/scenes{path}").json()["items"]
    return found


def test_a_scene_goes_from_a_draft_to_shadow_by_two_people(with_scenes: RunningHub, register: SceneRegister) -> None:
    first = post(with_scenes, "", text=text())
    assert (first["number"], first["state"], first["stage"]) == (1, "in_force", "draft")
    waits = post(with_scenes, "/road-flooding/move", stage="shadow")
    assert waits["state"] == "proposed"
    assert [v["number"] for v in listed(with_scenes, "/waiting")] == [2]
    alone = with_scenes.client.post(
        "/api/v1/scenes/road-flooding/approve", json={"number": 2, "by": "Li", "reason": "mine"}
    )
    assert problem(alone) == (409, "scene_conflict")
    done = post(with_scenes, "/road-flooding/approve", number=2, by="Wang")
    assert (done["state"], done["decided_by"]) == ("in_force", "Wang")
    assert [v["stage"] for v in listed(with_scenes)] == ["shadow"]
    assert [v["number"] for v in listed(with_scenes, "/road-flooding")] == [2, 1]
    diff = with_scenes.client.get("/api/v1/scenes/road-flooding/changes", params={"older": 1, "newer": 2}).json()[
        "diff"
    ]
    assert "+stage: shadow" in diff
    back = post(with_scenes, "/road-flooding/rollback")
    assert (back["number"], back["stage"]) == (3, "draft")
    assert (register.in_force_folder / "road-flooding.yaml").read_text(encoding="utf-8") == text()


def test_a_mistake_is_told_with_its_line(with_scenes: RunningHub) -> None:
    wrong = text().replace("above:", "abov:")
    answer = with_scenes.client.post("/api/v1/scenes", json={"text": wrong, "by": "Li", "reason": "typing"})
    assert problem(answer) == (422, "scene_refused")
    assert "scene.yaml:9:" in answer.json()["detail"]
    assert listed(with_scenes) == []


def test_a_version_can_be_rejected(with_scenes: RunningHub) -> None:
    post(with_scenes, "", text=text())
    post(with_scenes, "/road-flooding/move", stage="shadow")
    assert post(with_scenes, "/road-flooding/reject", number=2)["state"] == "rejected"
    assert listed(with_scenes, "/waiting") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", (400, "invalid_json")),
        (b"{}", (422, "invalid_parameter")),
        (b'{"text": "x", "by": "", "reason": "y"}', (422, "invalid_parameter")),
        (b'{"text": "x", "by": "Li", "reason": "y", "more": 1}', (422, "invalid_parameter")),
        (b'{"text": "x", "by": "Li", "reason": " "}', (422, "scene_refused")),
    ],
)
def test_a_wrong_body_is_one_problem(with_scenes: RunningHub, body: bytes, code: tuple[int, str]) -> None:
    assert problem(with_scenes.client.post("/api/v1/scenes", content=body)) == code


def test_what_is_not_there_is_not_found(with_scenes: RunningHub, start_hub: StartHub) -> None:
    assert problem(with_scenes.client.get("/api/v1/scenes/nothing")) == (404, "not_found")
    moved = with_scenes.client.post("/api/v1/scenes/nothing/move", json={"stage": "live", "by": "Li", "reason": "why"})
    assert problem(moved) == (404, "not_found")
    without = start_hub()
    assert problem(without.client.get("/api/v1/scenes")) == (404, "not_found")


def test_who_may_not_write_changes_nothing(with_scenes: RunningHub) -> None:
    answer = with_scenes.client.post(
        "/api/v1/scenes", json={"text": text(), "by": "Li", "reason": "why"}, headers={"Authorization": "Bearer no"}
    )
    assert problem(answer) == (401, "unauthorized")
    assert listed(with_scenes) == []
