"""Evidence through the hub: what there is of an alert, to those who may read."""

import hashlib
from pathlib import Path

import httpx

from alerts.evidence import EvidenceStore, Item, Manifest, Place
from console.hub import Beside
from tests.unit.console.conftest import StartHub
from tests.unit.console.running import TOKEN
from tests.unit.dispatch.events import event

CONTENT = b'{"feeds":[]}'
NAME = hashlib.sha256(CONTENT).hexdigest()


def kept(folder: Path, alert: str) -> EvidenceStore:
    store = EvidenceStore(Place(f"file://{folder / 'evidence'}"))
    store.put(CONTENT)
    item = Item(
        kind="readings", sha256=NAME, bytes=len(CONTENT), media_type="application/json",
        start="2026-01-01T00:00:00Z", end="2026-01-01T00:20:00Z",
    )  # fmt: skip
    store.note(Manifest(alert=alert, items=[item]))
    return store


def test_what_was_kept_of_an_alert_is_listed_and_given(start_hub: StartHub, tmp_path: Path) -> None:
    hub = start_hub(beside=Beside(evidence=kept(tmp_path, "a")))
    hub.post_batch([event("a"), event("b")])
    (item,) = hub.get("/api/v1/alerts/a/evidence")["items"]
    assert (item["sha256"], item["bytes"], item["kind"]) == (NAME, len(CONTENT), "readings")
    answer = hub.client.get(f"/api/v1/alerts/a/evidence/{NAME}")
    assert (answer.content, answer.headers["content-type"]) == (CONTENT, "application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert hub.get("/api/v1/alerts/b/evidence") == {"alert": "b", "items": []}
    assert hub.client.get(f"/api/v1/alerts/b/evidence/{NAME}").status_code == 404, "it is another alert's"
    assert hub.client.get("/api/v1/alerts/nobody/evidence").status_code == 404
    assert hub.client.get("/api/v1/alerts/a/evidence/..%2f..%2fhub.db").status_code in {404, 422}


def test_only_who_may_read_gets_evidence(start_hub: StartHub, tmp_path: Path) -> None:
    hub = start_hub(beside=Beside(evidence=kept(tmp_path, "a")), read_token="for-reading")  # noqa: S106
    hub.post(event("a"))
    for path in ("/api/v1/alerts/a/evidence", f"/api/v1/alerts/a/evidence/{NAME}"):
        assert httpx.get(hub.url + path).status_code == 401
        assert httpx.get(hub.url + path, headers={"Authorization": "Bearer wrong"}).status_code == 401
        for token in (TOKEN, "for-reading"):
            assert httpx.get(hub.url + path, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_hub_without_evidence_says_which_key_is_missing_and_a_place_that_is_away_is_503(start_hub: StartHub) -> None:
    hub = start_hub()
    hub.post(event("a"))
    answer = hub.client.get("/api/v1/alerts/a/evidence")
    assert (answer.status_code, answer.json()["detail"]) == (404, "this hub keeps no evidence; set evidence.url")
    away = EvidenceStore(Place("s3://bucket", "http://127.0.0.1:9", access_key="x", secret_key="y"))  # noqa: S106
    hub = start_hub(beside=Beside(evidence=away))
    assert hub.client.get("/api/v1/alerts/a/evidence").status_code == 503
    assert hub.post(event("b")).status_code == 201, "alerts are taken meanwhile"
