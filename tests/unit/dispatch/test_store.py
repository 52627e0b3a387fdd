import threading
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine, text

from alerts.event import AlertEvent, EventType
from core.errors import ConfigError, UnavailableError
from dispatch.case import AlertMoved, CaseMoved
from dispatch.intake import Decision
from dispatch.queries import Wanted
from dispatch.store import Store
from dispatch.workflow import CaseState
from tests.unit.dispatch.events import event, life

NOW = 1_795_514_400_000
DAY_MS = 86_400_000
EVERYTHING = Wanted()


def numbers(store: Store) -> dict[str, str]:
    return {case.alert: case.task_number for case in store.cases(EVERYTHING, before=None, limit=500)}


def test_a_case_is_found_again_after_a_restart_with_the_number_it_had(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take(life("a") + life("b"), NOW)
        before = numbers(store)
    with Store.open(database_url) as store:
        assert numbers(store) == before == {"a": "20261124-000001", "b": "20261124-000002"}
        again = store.take(life("a"), NOW + 5_000)
        assert {outcome.decision for outcome in again.outcomes} == {Decision.DUPLICATE}
        assert {outcome.task_number for outcome in again.outcomes} == {"20261124-000001"}
        assert store.take([event("c")], NOW).outcomes[0].task_number == "20261124-000003"


def test_numbers_begin_again_every_day_and_old_ones_are_kept(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event("a")], NOW)
        store.take([event("b")], NOW + DAY_MS)
        store.take([event("c")], NOW)
        assert numbers(store) == {"a": "20261124-000001", "b": "20261125-000001", "c": "20261124-000002"}


def test_how_events_are_cut_into_batches_makes_no_difference(database_url: str) -> None:
    events = [e for alert in ("a", "b", "c") for e in life(alert)]
    with Store.open(database_url) as store:
        for one in events:
            store.take([one], NOW)
        for alert in ("a", "b", "c"):
            found = store.case(numbers(store)[alert])
            assert found is not None
            case, lines = found
            assert (case.severity, case.alert_state, case.state) == (
                "major",
                "cleared",
                CaseState.PENDING_DISPATCH,
            )
            assert [line.note for line in lines] == ["", "minor -> major", "sent a crew", "major -> minor"]


def test_an_event_id_that_another_alert_used_is_a_duplicate_not_a_fault(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event("a")], NOW)
        stolen = msgspec.structs.replace(event("b"), id="a.1")
        assert store.take([stolen], NOW).outcomes[0].decision is Decision.DUPLICATE
        assert set(numbers(store)) == {"a"}


def test_many_threads_with_the_same_events_open_one_case_each(database_url: str) -> None:
    events = [event(f"alert-{n}") for n in range(40)]
    barrier = threading.Barrier(6)
    faults: list[BaseException] = []

    def post(store: Store, mine: list[AlertEvent]) -> None:
        try:
            barrier.wait(20)
            for n in range(0, len(mine), 3):
                store.take(mine[n : n + 3], NOW)
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            faults.append(error)

    with Store.open(database_url) as store:
        threads = [threading.Thread(target=post, args=(store, events[n:] + events[:n])) for n in (0, 0, 7, 13, 20, 33)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert faults == []
        given = numbers(store)
        assert len(given) == 40
        assert sorted(given.values()) == [f"20261124-{n:06d}" for n in range(1, 41)]
        seqs = [moved.seq for moved in store.moved(0, 1000)]
        assert seqs == sorted(set(seqs))


def test_two_stores_on_one_database_share_its_numbers(database_url: str) -> None:
    with Store.open(database_url) as one, Store.open(database_url) as other:
        one.take([event("a")], NOW)
        assert other.take([event("a")], NOW).outcomes[0].decision is Decision.DUPLICATE
        assert other.take([event("b")], NOW).outcomes[0].task_number == "20261124-000002"


def test_pages_go_through_every_case_once_while_new_ones_come_in(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event(f"a{n:02d}") for n in range(25)], NOW)
        seen: list[str] = []
        before: int | None = None
        while page := store.cases(EVERYTHING, before=before, limit=10):
            seen += [case.alert for case in page]
            before = page[-1].id
            store.take([event(f"new{before}")], NOW)
        assert seen == [f"a{n:02d}" for n in reversed(range(25))]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(severity="critical"), {"b"}),
        (Wanted(scene="other"), {"c"}),
        (Wanted(place="M0002"), {"d"}),
        (Wanted(state="screening"), {"e"}),
        (Wanted(since=NOW + 1), {"e"}),
        (Wanted(since=NOW + 2), set()),
        (Wanted(severity="minor", place="M0001", scene="flood-road"), {"a", "e"}),
    ],
)
def test_a_list_holds_what_is_asked_for(database_url: str, wanted: Wanted, found: set[str]) -> None:
    with Store.open(database_url) as store:
        store.take(
            [
                event("a"),
                event("b", severity="critical"),
                event("c", scene="other"),
                event("d", place="M0002"),
            ],
            NOW,
        )
        store.take([event("e", leaf=None)], NOW + 1)
        assert {case.alert for case in store.cases(wanted, before=None, limit=10)} == found


def test_alerts_are_listed_with_and_without_a_case(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event("a"), event("b", auto=False), *life("c")], NOW)
        listed = store.alerts(EVERYTHING, before=None, limit=10)
        assert [(a.data.alert, a.task_number) for a in listed] == [
            ("c", "20261124-000002"),
            ("b", None),
            ("a", "20261124-000001"),
        ]
        cleared = store.alerts(Wanted(state="cleared"), before=None, limit=10)
        assert [a.data.alert for a in cleared] == ["c"]
        assert cleared[0].data == life("c")[-1].data
        assert store.alert("nobody") is None


def test_the_stream_can_be_read_from_any_place_and_gives_what_was_told_live(database_url: str) -> None:
    with Store.open(database_url) as store:
        live = store.take([*life("a"), event("b", auto=False)], NOW).moved
        live += store.take(life("b", auto=False)[1:], NOW + 1).moved
        again = store.moved(0, 1000)
        assert [m.seq for m in again] == [m.seq for m in live]
        for told, read in zip(live, again, strict=True):
            if isinstance(told, AlertMoved):
                assert told == read
            else:
                assert isinstance(read, CaseMoved)
                assert isinstance(told, CaseMoved)
                assert read.line == told.line
        middle = live[3].seq
        assert [m.seq for m in store.moved(middle, 2)] == [m.seq for m in live[4:6]]
        assert store.moved(store.position(), 10) == []


def test_feedback_comes_in_order_and_only_what_is_new(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event("a"), event("b")], NOW)
        first = store.say("acknowledge", "a", "Li", None, NOW)
        second = store.say("acknowledge", "b", "Wang", "on my way", NOW + 1)
        assert store.feedback(0, 10) == [first, second]
        assert store.feedback(first.seq, 10) == [second]
        assert second.at == "2026-11-24T10:00:00.001Z"


def test_counts_follow_what_is_open(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event("a"), event("b", leaf=None), *life("c")], NOW)
        counts = store.counts()
        assert counts.alerts == {"info": 0, "minor": 2, "major": 0, "critical": 0}
        assert counts.cases == {"pending_dispatch": 2, "screening": 1}


def test_what_a_failed_transaction_wrote_is_gone(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event("a")], NOW)
        with store._engine.begin() as connection:
            connection.execute(text("DROP TABLE case_events"))
        with pytest.raises(Exception, match="case_events"):
            store.take([event("b", 1), event("a", 2, EventType.CHANGED)], NOW)
        assert set(numbers(store)) == {"a"}
        assert store.alert("b") is None


def test_a_database_of_a_newer_version_is_refused_in_a_plain_line(database_url: str) -> None:
    with Store.open(database_url) as store, store._engine.begin() as connection:
        connection.execute(text("UPDATE hub_schema SET version = 7"))
    with pytest.raises(ConfigError, match="schema version 7, this program knows 2"):
        Store.open(database_url)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE cases (id INTEGER)"))
    engine.dispose()
    with pytest.raises(ConfigError, match="tables of another program"):
        Store.open(url)


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"these are not the pages that you are looking for" * 100)
    with pytest.raises(UnavailableError, match="not a database"):
        Store.open(f"sqlite:///{tmp_path / 'hub.db'}")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://localhost/x", "must be sqlite or postgresql"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_wrong_url_is_refused_with_the_cure(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Store.open(url)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"nowhere/hub\.db cannot be opened"):
        Store.open(f"sqlite:///{tmp_path / 'nowhere' / 'hub.db'}")


def test_a_password_never_stands_in_a_message() -> None:
    with pytest.raises((UnavailableError, ConfigError)) as caught:
        Store.open("postgresql://hub:secret-word@127.0.0.1:1/x")
    assert "secret-word" not in str(caught.value)


def test_only_process_and_power_are_durabilities(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="process or power"):
        Store.open(f"sqlite:///{tmp_path / 'hub.db'}", durability="weekly")
    with Store.open(f"sqlite:///{tmp_path / 'hub.db'}", durability="power") as store:
        assert store.take([event("a")], NOW).numbers_used == 1


def test_a_database_that_another_process_holds_locked_is_unavailable_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.database.BUSY_TIMEOUT_MS", 20)
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    with Store.open(url) as store, Store.open(url) as other:
        with other._engine.begin() as connection:
            connection.execute(text("UPDATE counters SET value = value"))
            with pytest.raises(UnavailableError, match="locked"):
                store.take([event("a")], NOW)
            with pytest.raises(UnavailableError, match="locked"):
                store.check_writable()
        store.check_writable()
        assert store.take([event("a")], NOW).outcomes[0].decision is Decision.OPENED


def test_tidying_empties_the_log_into_the_database(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.take([event("a")], NOW)
        store.tidy()
        assert set(numbers(store)) == {"a"}
