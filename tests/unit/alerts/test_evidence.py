"""Where evidence lies, the same over a folder and over a real S3 server."""

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.evidence import EvidenceStore, Item, Manifest, Place
from core.errors import DataLossError, UnavailableError
from tests.unit.alerts.s3 import MISSING, PROGRAM, PrivateS3

CONTENT = b"what was measured"
NAME = hashlib.sha256(CONTENT).hexdigest()
SOON, LONG_AGO = dt.datetime(2100, 1, 1, tzinfo=dt.UTC), dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateS3]:
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    with PrivateS3(tmp_path_factory.mktemp("s3") / "buckets") as running:
        yield running


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(f"file://{tmp_path / 'evidence'}")
    server: PrivateS3 = request.getfixturevalue("server")
    return server.place(f"bucket-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}")


def manifest(alert: str = "alert-1", sha256: str = NAME) -> Manifest:
    item = Item(
        kind="readings", sha256=sha256, bytes=17, media_type="application/json",
        start="2026-01-01T00:00:00Z", end="2026-01-01T00:20:00Z",
    )  # fmt: skip
    return Manifest(alert=alert, items=[item])


def test_what_was_put_is_found_by_its_content_and_by_its_alert(place: Place) -> None:
    store = EvidenceStore(place)
    assert store.get(NAME) is None
    assert store.of("alert-1") is None
    assert store.put(CONTENT) == store.put(CONTENT) == NAME
    store.note(manifest())
    again = EvidenceStore(place)
    assert again.get(NAME) == CONTENT
    assert again.of("alert-1") == manifest()
    assert again.of("alert-2") is None


def test_an_alert_of_any_name_has_a_list_of_its_own_and_none_leads_out_of_the_place(place: Place) -> None:
    store = EvidenceStore(place)
    names = ["../../alert", "alerts/alert-1.json", "火灾 §/%2e%2e", "a" * 400]
    for name in names:
        store.note(manifest(name))
    assert [found.alert for name in names if (found := store.of(name)) is not None] == names


def test_what_is_older_than_it_is_kept_goes_and_nothing_else(place: Place) -> None:
    store = EvidenceStore(place)
    store.put(CONTENT)
    store.note(manifest())
    assert store.expire(LONG_AGO) == 0
    assert store.get(NAME) == CONTENT
    assert store.expire(SOON) == 2
    assert (store.get(NAME), store.of("alert-1")) == (None, None)


def test_content_that_was_changed_behind_our_back_is_never_shown(tmp_path: Path) -> None:
    store = EvidenceStore(Place(f"file://{tmp_path}"))
    store.put(CONTENT)
    store.note(manifest())
    (tmp_path / "objects" / NAME[:2] / NAME).write_bytes(b"something else")
    with pytest.raises(DataLossError, match=f"evidence {NAME} in file://.* is not what was put there"):
        store.get(NAME)
    (listed,) = (tmp_path / "alerts").iterdir()
    listed.write_bytes(b"{")
    with pytest.raises(DataLossError, match="the list of evidence of alert alert-1 is damaged"):
        store.of("alert-1")


def test_a_place_that_is_away_or_refuses_is_one_line_without_the_secret(server: PrivateS3) -> None:
    refused = EvidenceStore(server.place("refused", secret="another-secret"))  # noqa: S106
    with pytest.raises(UnavailableError, match=r"in or read from s3://refused/kept .*look at the section") as caught:
        refused.put(CONTENT)
    assert "another-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    store = EvidenceStore(server.place("away"))
    server.stop()
    try:
        with pytest.raises(UnavailableError, match="s3://away/kept"):
            store.put(CONTENT)
    finally:
        server.start()
    assert store.put(CONTENT) == NAME
    assert store.get(NAME) == CONTENT
