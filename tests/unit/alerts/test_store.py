"""Alerts on disk, with real SQLite files."""

import os
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.change import AlertChange
from alerts.event import AlertEvent, EventType, Feedback, Receipt, Verdict
from alerts.store import AlertStore
from alerts.stored import Durability
from core.errors import DataLossError, UnavailableError
from core.severity import Severity
from tests.unit.alerts.parts import MIN, T0, Row, Timeline, only, transitions
from thresholds.transition import TransitionKind

MS = 1_000_000
DECIDED = T0 * MS + 2 * MS
STORED = DECIDED + 1 * MS


def story() -> list[AlertChange]:
    """An alert in M1 that rises and clears, and one in M2 that stays open."""
    line = Timeline()
    line.raised(0, T0)
    line.raised(3, T0 + 1, Severity.MAJOR)
    line.raised(0, T0 + 2, Severity.CRITICAL)
    line.cleared(0, T0 + 3)
    line.cleared(0, T0 + MIN, Severity.CRITICAL)
    return line.told


def opened(path: Path, durability: Durability = Durability.PROCESS) -> AlertStore:
    return AlertStore(path / "alerts.db", durability, now_ns=lambda: STORED)


def receipts(changes: list[AlertChange]) -> list[Receipt]:
    return [Receipt(id=c.id, task_number=f"T-{c.data.alert}" if c.type is EventType.RAISED else None) for c in changes]


@pytest.mark.parametrize("durability", list(Durability))
def test_an_alert_and_its_events_are_there_after_a_write(tmp_path: Path, durability: Durability) -> None:
    store = opened(tmp_path, durability)
    changes = story()
    assert store.write(changes) == 4
    assert [w.id for w in store.pending(10)] == [c.id for c in changes]
    first, second = store.by_raised()
    assert (first.feed, first.place, first.severity, first.worst) == (
        "d0/depth_cm",
        "M1",
        "critical",
        "critical",
    )
    assert (first.raised_ms, first.cleared_ms, first.count, first.revision) == (T0, T0 + MIN, 2, 3)
    assert (second.state, second.severity, second.cleared_ms) == ("active", "major", None)
    assert second.data == changes[1].data
    store.close()


def test_a_replay_writes_nothing_twice(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes)
    before = store.by_raised(), store.pending(10)
    assert store.write(changes) == 0
    assert store.write(changes[:2]) == 0
    assert (store.by_raised(), store.pending(10)) == before
    store.close()


def test_a_replay_after_delivery_sends_nothing_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes)
    store.acked(receipts(changes), STORED)
    assert store.write(changes) == 0
    assert store.pending(10) == []
    store.close()


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes[:3])
    alerts = store.by_raised()
    store.close()
    store = opened(tmp_path)
    assert store.by_raised() == alerts
    assert [w.id for w in store.pending(10)] == [c.id for c in changes[:3]]
    assert store.write(changes) == 1
    assert [w.seq for w in store.pending(10)] == sorted(w.seq for w in store.pending(10))
    store.close()


def test_an_event_carries_the_latency_that_is_known_before_it_is_sent(tmp_path: Path) -> None:
    change = _timed()
    store = opened(tmp_path)
    store.write([change])
    event = store.pending(1)[0].event("/here")
    assert isinstance(event, AlertEvent)
    assert event.data.latency.device_to_ingest_ms == 1.0
    assert event.data.latency.ingest_to_decision_ms == 1.0
    assert event.data.latency.decision_to_durable_ms == 1.0
    assert event.data.latency.total_ms is None
    assert (event.source, event.subject, event.partitionkey) == ("/here", change.data.alert, "M1")
    assert len(event.sequence) == 20
    store.close()


def test_after_a_restart_the_moment_of_durability_is_not_known(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.write([_timed()])
    store.close()
    store = opened(tmp_path)
    event = store.pending(1)[0].event("/here")
    assert isinstance(event, AlertEvent)
    assert event.data.latency.decision_to_durable_ms is None
    store.close()


def test_a_receipt_gives_the_task_number_and_completes_the_latency(tmp_path: Path) -> None:
    store = opened(tmp_path)
    change = _timed()
    store.write([change])
    [done] = store.acked([Receipt(id=change.id, task_number="20261124-7")], STORED + 4 * MS)
    assert done.latency.total_ms == 7.0
    alert = store.get(change.data.alert)
    assert alert is not None
    assert (alert.task_number, alert.latency) == ("20261124-7", done.latency)
    assert store.pending(1) == []
    store.close()


def test_a_task_number_never_changes(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes)
    store.acked([Receipt(id=changes[0].id, task_number="first")], STORED)
    store.acked([Receipt(id=changes[0].id, task_number="second")], STORED)
    store.acked([Receipt(id=changes[2].id, task_number="third")], STORED)
    assert store.by_raised()[0].task_number == "first"
    store.close()


def test_a_receipt_for_nothing_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.write(story())
    assert store.acked([Receipt(id="a-nobody.1", task_number="x")], STORED) == []
    assert store.counts()["waiting"] == 4
    store.close()


def test_a_refused_event_is_parked_with_its_reason_and_can_wait_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes)
    store.failed(changes[0].id, "no such leaf", STORED)
    assert store.parked() == [(changes[0].id, "no such leaf")]
    assert changes[0].id not in [w.id for w in store.pending(10)]
    assert store.retry_parked() == 1
    assert [w.id for w in store.pending(10)] == [c.id for c in changes]
    store.close()


def test_places_can_be_left_out_and_pages_follow_each_other(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes)
    assert [w.place for w in store.pending(10, without={"M1"})] == ["M2"]
    first = store.pending(3)
    assert [w.id for w in store.pending(3, after=first[-1].seq)] == [changes[3].id]
    store.close()


def test_counts_say_what_is_open_and_what_waits(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes)
    store.acked(receipts(changes[:1]), STORED)
    store.failed(changes[2].id, "refused", STORED)
    assert store.counts() == {
        "alerts": 2,
        "open": 1,
        "open_major": 1,
        "with_task": 1,
        "waiting": 2,
        "acknowledged": 1,
        "parked": 1,
    }
    store.close()


def test_recent_alerts_come_newest_first(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.write(story())
    assert [a.place for a in store.recent()] == ["M2", "M1"]
    assert [a.place for a in store.recent(open_only=True)] == ["M2"]
    assert len(store.recent(1)) == 1
    store.close()


def test_pruning_takes_cleared_and_delivered_alerts_only(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    store.write(changes)
    assert store.prune(T0 + 10 * MIN) == 0
    store.acked(receipts(changes), STORED)
    assert store.prune(T0 + MIN) == 0
    assert store.prune(T0 + MIN + 1) == 1
    assert [a.place for a in store.by_raised()] == ["M2"]
    assert store.counts()["acknowledged"] == 1
    store.close()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    pages = store._db().execute("PRAGMA page_count").fetchone()[0]
    store._db().execute(f"PRAGMA max_page_count = {pages}")
    many = [c for n in range(40) for c in _another(n)]
    with pytest.raises(UnavailableError, match=r"alerts\.db: the disk is full"):
        store.write(many)
    store._db().execute("PRAGMA max_page_count = 100000")
    assert store.counts()["alerts"] == 0
    assert store.write(changes) == 4
    store.close()


def test_a_write_that_fails_in_the_middle_leaves_nothing_of_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    changes = story()
    broken = replace(changes[1], at_ms=1 << 70)
    with pytest.raises(OverflowError):
        store.write([changes[0], broken])
    assert store.counts()["alerts"] == 0
    assert store.pending(10) == []
    assert store.write(changes) == 4
    store.close()


def test_a_database_that_another_process_holds_is_a_plain_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.store.BUSY_TIMEOUT_MS", 10)
    store = opened(tmp_path)
    other = sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError, match="another process holds it locked"):
        store.write(story())
    other.execute("COMMIT")
    other.close()
    assert store.write(story()) == 4
    store.close()


def test_a_file_that_is_no_database_is_a_plain_line(tmp_path: Path) -> None:
    (tmp_path / "alerts.db").write_bytes(b"not a database, by far " * 100)
    with pytest.raises(DataLossError, match="damaged or no alert database"):
        opened(tmp_path)


def test_a_database_of_another_version_is_a_plain_line(tmp_path: Path) -> None:
    opened(tmp_path).close()
    other = sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)
    other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(DataLossError, match="version 7"):
        opened(tmp_path)


def test_a_folder_that_is_not_there_is_a_plain_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="check that the folder exists"):
        opened(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_a_plain_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UnavailableError):
        opened(tmp_path)


def test_threads_write_and_acknowledge_at_once_without_loss(tmp_path: Path) -> None:
    store = opened(tmp_path)
    groups = [_another(n) for n in range(40)]
    failures: list[BaseException] = []

    def work(own: list[list[AlertChange]]) -> None:
        try:
            for changes in own:
                store.write(changes)
                store.acked(receipts(changes), STORED)
                store.counts()
        except BaseException as error:  # noqa: BLE001 - the test shows it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(groups[k::4],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    counts = store.counts()
    assert (counts["alerts"], counts["acknowledged"], counts["waiting"]) == (40, 80, 0)
    store.close()


def test_a_checkpoint_empties_the_log_for_the_next_writer(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for n in range(110):
        store.write(_another(n))
    store.checkpoint()
    size = (tmp_path / "alerts.db-wal").stat().st_size
    for n in range(110, 130):
        store.write(_another(n))
    assert (tmp_path / "alerts.db-wal").stat().st_size == size
    store.close()


def _timed() -> AlertChange:
    """A raise that came in 1 ms after it was measured and was decided 1 ms later."""
    row = Row(TransitionKind.RAISED, 0, T0, arrival=T0 * MS + MS)
    return only(Timeline().stage.on_transitions(transitions(row), DECIDED))


def _another(n: int) -> list[AlertChange]:
    line = Timeline()
    line.raised(0, T0 + n * MIN)
    line.cleared(0, T0 + n * MIN + 1)
    return line.told


def verdict(seq: int, what: Verdict, alert: str = "a") -> Feedback:
    return Feedback(seq=seq, kind="verdict", alert=alert, by="Li", verdict=what, at="2026-11-25T10:00:00.000Z")


def test_of_several_verdicts_the_last_one_counts_whatever_the_order_and_however_often(tmp_path: Path) -> None:
    store = AlertStore(tmp_path / "alerts.db")
    for said in (
        verdict(2, Verdict.FALSE),
        verdict(1, Verdict.TRUE),
        verdict(2, Verdict.FALSE),
        verdict(3, Verdict.TRUE, "b"),
    ):
        store.judge(said)
    assert store.verdicts() == {"a": Verdict.FALSE, "b": Verdict.TRUE}
    store.close()


def test_what_is_no_verdict_is_refused(tmp_path: Path) -> None:
    store = AlertStore(tmp_path / "alerts.db")
    with pytest.raises(ValueError, match="no verdict"):
        store.judge(Feedback(seq=1, kind="acknowledge", alert="a", by="Li", at="2026-11-25T10:00:00.000Z"))
    store.close()
