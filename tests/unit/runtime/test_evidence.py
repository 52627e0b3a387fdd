"""Evidence of alerts out of history: what is kept, when, and that nothing is forgotten while a place is away."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alerts.event import AlertData, Measured
from alerts.evidence import EvidenceStore, Place
from core.clock import ManualClock, rfc3339
from core.errors import ConfigError, UnavailableError
from history.archive import Archive
from history.stores import Store
from ingest.journal import Listening
from runtime.config import load_config
from runtime.evidence import EvidenceKeeper, EvidenceOptions, Known
from runtime.hub_role import _evidence
from tests.reference.history_twin import Given
from tests.unit.history.parts import BASE, Source, catch_up

MINUTE = 60_000
OPTIONS = EvidenceOptions(before_ms=2 * MINUTE, after_ms=3 * MINUTE, settle_ms=1_000)


class Away(EvidenceStore):
    """A place that is away until it is told otherwise."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.away = True

    def put(self, content: bytes) -> str:
        if self.away:
            raise UnavailableError("the place is away")
        return super().put(content)


class World:
    """History, alerts, a place, and somebody who keeps evidence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = Source(folder)
        self.source.listens(BASE)
        self.archive = Archive(folder / "history")
        self.clock = ManualClock(BASE)
        self.alerts: list[Known] = []
        self.store = EvidenceStore(Place(f"file://{folder / 'evidence'}"))

    def keeper(self, store: EvidenceStore | None = None) -> EvidenceKeeper:
        return EvidenceKeeper(
            self.known, Store(self.folder / "history").history, store or self.store, self.clock, OPTIONS,
            self.folder / "position", threading.Event(),
        )  # fmt: skip

    def known(self, before: int | None, limit: int) -> Sequence[Known]:
        newest_first = sorted(self.alerts, key=lambda one: -one.seq)
        return [one for one in newest_first if before is None or one.seq < before][: min(limit, 2)]

    def raises(self, raised_ms: int, *feeds: str) -> str:
        """An alert; its id."""
        seq = len(self.alerts) + 1
        data = AlertData(
            alert=f"alert-{seq}", revision=1, scene="depth", place="M1", severity="major", worst_severity="major",
            state="active", count=1, raised_at=rfc3339(raised_ms),
            measured=Measured(device="d0", metric="depth", value=1.0), feeds=list(feeds),
        )  # fmt: skip
        self.alerts.append(Known(seq, data))
        return data.alert

    def passes(self, minutes: int) -> None:
        """A reading of two devices each minute, and history has them."""
        begin = self.clock.now_ms()
        for n in range(minutes):
            at = begin + n * MINUTE
            self.source.takes([Given(name, at, n + 0.5, at * 10**6) for name in ("d0", "d1")])
        self.clock.advance_to_ms(begin + minutes * MINUTE)
        self.source.listens(self.clock.now_ms(), Listening.STILL)
        catch_up(self.source, self.archive)

    def evidence(self, alert: str) -> dict[str, Any] | None:
        manifest = self.store.of(alert)
        content = self.store.get(manifest.items[0].sha256) if manifest is not None else None
        return None if content is None else dict(json.loads(content))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_readings_of_its_feeds_around_an_alert_are_kept_once_they_are_there(world: World) -> None:
    world.passes(5)
    alert = world.raises(BASE + 4 * MINUTE, "d0/depth")
    keeper = world.keeper()
    keeper.look()
    assert world.evidence(alert) is None, "three minutes after it have not passed"
    world.passes(4)
    keeper.look()
    found = world.evidence(alert)
    assert found is not None
    assert (found["alert"], found["scene"], found["left_out"], found["gaps"]) == (alert, "depth", 0, [])
    (feed,) = found["feeds"]
    assert (feed["device"], feed["metric"], feed["type"]) == ("d0", "depth", "gauge")
    assert [row[0] for row in feed["readings"]] == [rfc3339(BASE + n * MINUTE) for n in range(2, 7)]
    assert (keeper.kept, (world.folder / "position").read_text()) == (1, "1")
    keeper.look()
    assert keeper.kept == 1


def test_what_history_has_not_got_yet_is_waited_for_but_not_for_ever(world: World) -> None:
    world.passes(5)
    alert = world.raises(BASE + 4 * MINUTE, "d0/depth")
    keeper = world.keeper()
    world.clock.advance_to_ms(BASE + 60 * MINUTE)
    keeper.look()
    assert world.evidence(alert) is None
    world.clock.advance_to_ms(BASE + 70 * MINUTE)
    keeper.look()
    found = world.evidence(alert)
    assert found is not None
    assert [gap["reason"] for gap in found["gaps"]] == ["not_written"]


def test_a_place_that_is_away_gets_everything_when_it_is_back_also_after_a_restart(world: World) -> None:
    alerts = [world.raises(BASE + n * MINUTE, "d0/depth", "d1/depth") for n in (1, 2, 3, 4, 5)]
    world.passes(12)
    away = Away(Place(f"file://{world.folder / 'evidence'}"))
    keeper = world.keeper(away)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="the place is away"):
            keeper.look()
    assert not (world.folder / "position").exists()
    keeper = world.keeper(away)
    away.away = False
    keeper.look()
    assert all(world.evidence(alert) is not None for alert in alerts)
    assert (keeper.kept, (world.folder / "position").read_text()) == (5, "5")
    before = sorted(path.name for path in (world.folder / "evidence").rglob("*"))
    (world.folder / "position").unlink()
    world.keeper().look()
    assert sorted(path.name for path in (world.folder / "evidence").rglob("*")) == before, "the same, again"


def test_one_that_is_not_due_holds_none_up_that_come_after_it(world: World) -> None:
    early, late = world.raises(BASE + 9 * MINUTE, "d0/depth"), world.raises(BASE + 2 * MINUTE, "d1/depth")
    world.passes(10)
    keeper = world.keeper()
    keeper.look()
    assert world.evidence(early) is None
    assert world.evidence(late) is not None
    world.passes(5)
    keeper.look()
    assert world.evidence(early) is not None
    assert keeper.kept == 2


def test_feeds_that_history_never_heard_of_do_not_hold_it_up_for_ever(world: World) -> None:
    world.passes(10)
    alert = world.raises(BASE + MINUTE, "nobody/depth")
    keeper = world.keeper()
    keeper.look()
    assert not (world.folder / "position").exists()
    world.clock.advance_to_ms(BASE + 100 * MINUTE)
    keeper.look()
    assert (world.evidence(alert), (world.folder / "position").read_text()) == (None, "1")


def test_evidence_is_dropped_by_age_and_older_alerts_are_not_kept_at_all(world: World) -> None:
    world.passes(10)
    alert = world.raises(BASE + MINUTE, "d0/depth")
    keeper = world.keeper()
    keeper.look()
    assert world.evidence(alert) is not None
    world.clock.advance_to_ms(4_000_000_000_000)  # the place takes the machine's clock for the age of what it has
    ancient = world.raises(BASE + 2 * MINUTE, "d0/depth")
    keeper.look()
    assert (world.evidence(alert), world.evidence(ancient)) == (None, None)
    assert (world.folder / "position").read_text() == "2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('url = "/var/evidence"', "write it like s3://bucket/prefix or file:///var"),
        ('url = "s3:///no-bucket"', "write it like s3://bucket/prefix"),
        ('url = "s3://b"\nendpoint = "host:9000"', "write it like https://host:9000"),
        ('url = "s3://b"\nsecret_key_file = "nowhere"', "evidence.secret_key_file: .*nowhere cannot be read"),
        ('url = "file:///x"\n[history]\nkind = "none"', 'made out of history, and history.kind is "none"'),
    ],
)
def test_what_is_wrong_with_a_place_is_told_before_anything_starts(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "scenewatch.toml"
    path.write_text(f"[evidence]\n{text}\n")
    with pytest.raises(ConfigError, match=said):
        _evidence(load_config(path), "sqlite://", threading.Event())
