"""What people say reaches every slice: maintenance and profiles, and what is kept back comes out again."""

from pathlib import Path

import pytest

from alerts.change import AlertChange
from alerts.event import Feedback
from alerts.kept import LedgerChange
from alerts.store import AlertStore
from core.clock import rfc3339
from core.reading import ReadingBatch
from ingest.codec import ClockTick
from ingest.journal import encode_clock
from runtime.recovery import encode_feedback
from runtime.stream.records import encode_readings, encode_record
from runtime.stream.told import by_place, decode_told, encode_told
from tests.distributed.hour import BEGIN_MS
from tests.unit.stream.test_device_switch import Played

HOUR = 3_600_000


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


def send(played: Played, *entries: tuple[int, bytes]) -> tuple[list[AlertChange], list[LedgerChange]]:
    record = encode_record("b", 1, [(int(kind), body) for kind, body in entries])
    _, changes, ledger = played.slice.take(played.slice.next_offset, record)
    return changes, ledger


def test_a_maintenance_acts_in_a_slice_and_what_it_hid_is_told_and_stored(played: Played, tmp_path: Path) -> None:
    said = Feedback(
        seq=1, kind="maintenance", alert="m-1", by="Li", at=rfc3339(BEGIN_MS), until=rfc3339(BEGIN_MS + HOUR),
        where={"place": ["M1"]},
    )  # fmt: skip
    low = ReadingBatch.of([0], [BEGIN_MS + 2_000], [1.0])
    high = ReadingBatch.of([0, 0], [BEGIN_MS + 3_000, BEGIN_MS + 4_000], [21.0, 21.0])
    send(played, encode_feedback(said, BEGIN_MS + 1_500))
    cleared, _ = send(played, encode_readings(low))
    assert [change.data.state for change in cleared] == ["cleared"]
    changes, kept = send(played, encode_readings(high))
    assert changes == []
    assert [one.type.name for one in kept] == ["KEPT"]
    played.restored()
    changes, ended = send(played, encode_clock(ClockTick(BEGIN_MS + HOUR)))
    assert [(change.type.name, change.data.revision) for change in changes] == [("RAISED", 1), ("CHANGED", 2)]
    assert [one.type.name for one in ended] == ["KEPT", "ENDED", "ENDED", "OVER"]
    store = AlertStore(tmp_path / "alerts.db")
    for place, of_place in by_place(changes, [*kept, *ended]).items():
        told = decode_told(encode_told(*of_place))
        assert place == "M1"
        assert (told.changes, told.ledger) == of_place
        assert store.write(told.changes) + store.tell(told.ledger) == 7
        assert store.tell(told.ledger) == 0
    waiting = [event.event("/test") for event in store.pending(10)]
    assert [event.type.name for event in waiting] == ["RAISED", "CHANGED", "KEPT", "KEPT", "ENDED", "ENDED", "OVER"]
    store.close()
