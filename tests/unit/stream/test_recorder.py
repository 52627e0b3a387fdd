"""Records of several partitions into history, without Kafka: each reading once, in the order in which it came."""

import itertools
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from city.device import Device
from core.errors import DataLossError, UnavailableError
from core.reading import ReadingBatch
from history.archive import Archive, Piece
from history.parquet import ParquetHistory
from history.query import GapReason, Readings, Selection
from history.stores import Store
from ingest.codec import ClockTick
from ingest.journal import Entry, Kind, Listening, decode_batch, encode_clock, encode_listening
from runtime.recovery import encode_devices
from runtime.stream.recorder import StreamRecorder
from runtime.stream.records import decode_record, encode_names, encode_readings, encode_record
from tests.distributed.hour import BEGIN_MS, Hour, make_hour
from tests.distributed.sides import PARTITIONS, plan_of, records_of
from tests.reference.history_twin import Given, Row, sequenced
from tests.unit.history.influxd import MISSING, PROGRAM, influxdb
from tests.unit.history.parts import rows_of

EVERYTHING = Selection.of(BEGIN_MS - 10_000_000, BEGIN_MS + 10_000_000)
NS = 1_000_000
Coded = tuple[int, bytes]


class Lists:
    """Device lists by version, as the topic of plans would give them."""

    def __init__(self, lists: Mapping[str, Mapping[str, Device]] | None = None) -> None:
        self._lists = lists or {}

    def devices(self, version: str) -> Mapping[str, Device]:
        return self._lists[version]


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    return make_hour(tmp_path_factory.mktemp("hour"), minutes=3)


@pytest.fixture(scope="module")
def logs(hour: Hour) -> list[list[bytes]]:
    found: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    for partition, record in records_of(hour, itertools.repeat(3)):
        found[partition].append(record)
    return found


def in_the_hour(hour: Hour) -> list[Row]:
    """Its readings as a list in plain Python gives them back."""
    batches = [entry for entry in hour.entries if isinstance(entry, ReadingBatch)]
    rows = [
        Given(hour.devices[feed].id, time, value, arrival, quality)
        for batch in batches
        for feed, time, value, arrival, quality in zip(
            batch.feed.tolist(), batch.event_time.tolist(), batch.value.tolist(), batch.arrival.tolist(),
            batch.quality.tolist(), strict=True,
        )
    ]  # fmt: skip
    return sequenced(rows)


def in_history(folder: Path) -> Readings:
    history = ParquetHistory(folder)
    try:
        return history.readings(EVERYTHING)
    finally:
        history.close()


def by_device(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_and_read_at_any_speed_each_reading_is_there_once_in_its_order(
    hour: Hour, logs: list[list[bytes]], tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    plan = plan_of(hour)
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, plan, PARTITIONS)
    read = [0] * PARTITIONS
    while any(recorder.next(number) < len(log) for number, log in enumerate(logs)):
        number = rng.randrange(PARTITIONS)
        for offset in range(read[number], min(read[number] + rng.randint(1, 25), len(logs[number]))):
            recorder.take(number, offset, logs[number][offset])
            read[number] = offset + 1
        if read[number] == len(logs[number]):
            recorder.at_end(number)
        fate = rng.random()
        if fate < 0.2:
            recorder.flush()
        elif fate < 0.3:  # it is killed, or the store was away: begin again from what history has
            recorder = StreamRecorder(archive, plan, PARTITIONS)
            read = [recorder.next(one) for one in range(PARTITIONS)]
    archive.close()
    rows = rows_of(in_history(tmp_path))
    wanted = in_the_hour(hour)
    assert by_device(rows) == by_device(wanted)
    arrivals = np.array([row[3] for row in rows])
    back = (np.maximum.accumulate(arrivals) - arrivals).max()
    assert back <= longest(logs), "history is not in the order of arrival, but for what one record spans"


def test_into_influxdb_each_reading_comes_once_too(hour: Hour, logs: list[list[bytes]], tmp_path: Path) -> None:
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    (tmp_path / "server").mkdir()
    plan = plan_of(hour)
    with influxdb(tmp_path / "server") as address:
        store = Store(tmp_path / "ledger", address)
        sink = store.writer()
        for stop in (40, 10_000):
            recorder = StreamRecorder(sink, plan, PARTITIONS)  # what was collected and not written is read again
            for number, log in enumerate(logs):
                for offset in range(recorder.next(number), min(stop, len(log))):
                    recorder.take(number, offset, log[offset])
                    if stop == 10_000 or offset == 20:
                        recorder.flush(everything=True)
        history = store.history()
        assert by_device(rows_of(history.readings(EVERYTHING))) == by_device(in_the_hour(hour))
        history.close()
        sink.close()


def longest(logs: list[list[bytes]]) -> int:
    """The longest time that one record spans, ns."""
    spans = [0]
    for content in itertools.chain(*logs):
        entries = [entry for entry in decode_record(content).entries if entry[0] in (Kind.READINGS, 2)]
        arrivals = [decode_batch(Entry(0, Kind(kind), body)).arrival for kind, body in entries]
        spans += [int(arrivals[-1][-1] - arrivals[0][0])] if arrivals else []
    return max(spans)


def test_what_came_later_waits_for_a_partition_that_still_owes_something(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 2)
    recorder.take(0, 0, record(named("a"), reading(0, 100)))
    recorder.take(1, 0, record(named("b"), reading(0, 50)))
    recorder.flush()
    assert (recorder.next(0), recorder.next(1)) == (0, 1), "something before 100 may still come in partition 1"
    recorder.take(1, 1, record(reading(0, 60)))
    recorder.at_end(1)
    recorder.at_end(0)
    recorder.flush()
    assert recorder.offsets == {0: 1, 1: 2}
    assert [row[0] for row in rows_of(in_history(tmp_path))] == ["b", "b", "a"]
    recorder.take(0, 1, record(reading(0, 200)))
    recorder.take(1, 2, record(reading(0, 70)))
    recorder.flush(everything=True)
    assert recorder.offsets == {0: 2, 1: 3}, "a partition without a leader must not hold history up for ever"
    archive.close()


def test_a_feed_has_the_type_that_the_device_list_in_force_says(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    lists = Lists({"v1.town": {"a": Device("a", "g", "ambient-noise")}, "v2.town": {"a": Device("a", "g", "pump")}})
    recorder = StreamRecorder(archive, lists, 1)
    recorder.take(0, 0, record(devices("v1.town"), named("a"), reading(0, 1)))
    recorder.flush(everything=True)
    recorder = StreamRecorder(archive, lists, 1)
    recorder.take(0, 1, record(reading(0, 2), session=1))
    recorder.take(0, 2, record(devices("v2.town"), named("a"), reading(0, 3)))
    recorder.flush(everything=True)
    archive.close()
    found = in_history(tmp_path)
    assert [found.feeds[feed].type for feed in found.batch.feed.tolist()] == ["ambient-noise", "ambient-noise", "pump"]


def test_a_connection_that_was_gone_is_a_gap_that_says_whether_the_broker_kept_what_came(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 2)
    for number in (0, 1):
        recorder.take(number, 0, record(listening(0, Listening.NEW), tick(1_000)))
        recorder.take(number, 1, record(listening(5_000, Listening.KEPT), tick(6_000)))
        recorder.take(number, 2, record(listening(9_000, Listening.NEW), tick(9_500)))
    recorder.flush(everything=True)
    spans = [(span.start_ms - BEGIN_MS, span.end_ms - BEGIN_MS, span.after) for span in archive.ledger.spans()]
    archive.close()
    assert spans == [
        (0, 1_000, GapReason.BEFORE), (5_000, 6_000, GapReason.QUEUED), (9_000, 9_500, GapReason.AWAY),
    ]  # fmt: skip


def test_a_bridge_that_was_started_again_listens_from_when_it_says_so(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 1)
    recorder.take(0, 0, record(listening(0, Listening.NEW), tick(1_000)))
    recorder.take(0, 1, record(tick(60_000), session=2))  # it has begun, and has no connection yet
    recorder.take(0, 2, record(listening(61_000, Listening.KEPT), tick(62_000), session=2))
    recorder.flush(everything=True)
    spans = [(span.start_ms - BEGIN_MS, span.end_ms - BEGIN_MS, span.after) for span in archive.ledger.spans()]
    archive.close()
    assert spans == [(0, 1_000, GapReason.BEFORE), (61_000, 62_000, GapReason.QUEUED)]


class TwoBridges:
    """Bridge 0 leads and brings feed a; bridge 1 brings feed b. Everything stands in one partition."""

    def __init__(self, folder: Path) -> None:
        self.archive = Archive(folder)
        self._folder = folder
        self._offset = 0
        self._recorder = StreamRecorder(self.archive, Lists(), 1)
        for bridge, name in enumerate("ab"):
            self.sends(bridge, named(name), listening(0, Listening.NEW), reading(0, 1_000))

    def sends(self, bridge: int, *entries: Coded, run: int = 1) -> None:
        """A record of a bridge, written at once."""
        self._recorder.take(0, self._offset, record(*entries, session=run, bridge=bridge))
        self._offset += 1
        self._recorder.flush(everything=True)

    def restarts(self) -> None:
        """The role history is another process."""
        self._recorder = StreamRecorder(self.archive, Lists(), 1)

    def gaps(self, *devices: str, until_ms: int) -> list[tuple[int, int, GapReason, str]]:
        """What is not known of some devices."""
        history = ParquetHistory(self._folder)
        found = history.gaps(Selection.of(BEGIN_MS, BEGIN_MS + until_ms, devices=devices))
        history.close()
        return [(gap.start_ms - BEGIN_MS, gap.end_ms - BEGIN_MS, gap.reason, gap.detail) for gap in found]


def test_one_of_two_bridges_that_was_away_is_a_gap_of_the_feeds_that_it_brings(tmp_path: Path) -> None:
    two = TwoBridges(tmp_path)
    two.sends(0, tick(10_000))
    two.restarts()
    two.sends(0, tick(20_000))
    two.sends(1, named("b"), listening(15_000, Listening.KEPT), reading(0, 20_000), run=2)
    away = (1_000, 15_000, GapReason.QUEUED)
    assert two.gaps("a", until_ms=20_000) == []
    assert two.gaps("b", until_ms=20_000) == [(*away, "")]
    assert two.gaps("a", "b", until_ms=20_000) == [(*away, "1 of 2 feeds")]
    two.archive.close()


def test_a_bridge_that_has_not_come_back_is_a_gap_of_its_feeds_from_where_it_was_heard_last(tmp_path: Path) -> None:
    two = TwoBridges(tmp_path)
    two.sends(1, listening(8_000, Listening.STILL))
    two.sends(0, tick(60_000))
    assert two.gaps("a", until_ms=60_000) == []
    assert two.gaps("b", until_ms=60_000) == [(8_000, 60_000, GapReason.NOT_WRITTEN, "")]
    two.archive.close()


def test_two_bridges_that_are_both_away_are_a_gap_of_all_feeds_and_each_comes_back_for_its_own(tmp_path: Path) -> None:
    two = TwoBridges(tmp_path)
    two.sends(0, named("a"), listening(30_000, Listening.NEW), tick(40_000), run=2)
    two.sends(1, named("b"), listening(35_000, Listening.NEW), reading(0, 40_000), run=2)
    assert two.gaps("a", until_ms=40_000) == [(1_000, 30_000, GapReason.AWAY, "")]
    assert two.gaps("b", until_ms=40_000) == [(1_000, 35_000, GapReason.AWAY, "")]
    two.archive.close()


def test_feeds_that_another_bridge_takes_over_are_heard_where_one_of_the_two_listened(tmp_path: Path) -> None:
    two = TwoBridges(tmp_path)
    two.sends(0, named("b"), tick(20_000))
    assert two.gaps("b", until_ms=20_000) == [], "bridge 1 is gone for good, and bridge 0 has its gateways"
    two.archive.close()


def test_records_that_kafka_dropped_before_history_had_them_are_a_gap_and_are_counted(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 1)
    recorder.pass_over(0, 10)
    assert recorder.counts.lost_entries == 0, "what was gone before history began is no loss"
    recorder.take(0, 10, record(named("a"), reading(0, 1)))
    recorder.flush(everything=True)
    recorder.pass_over(0, 30)
    recorder.take(0, 30, record(reading(0, 5_000)))
    recorder.flush(everything=True)
    assert recorder.counts.lost_entries == 19
    assert [span.after for span in archive.ledger.spans()] == [GapReason.BEFORE, GapReason.LOST]
    archive.close()


def test_another_topic_is_known_by_its_last_record_and_followed_from_its_start(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 1)
    first = record(named("a"), reading(0, 1))
    recorder.take(0, 0, first)
    recorder.flush(everything=True)
    recorder = StreamRecorder(archive, Lists(), 1)
    assert recorder.recognises(0, first)
    assert not recorder.recognises(0, record(named("b"), reading(0, 1)))
    recorder.begin_again(0)
    recorder.take(0, 0, record(named("b"), reading(0, 900)))
    recorder.flush(everything=True)
    archive.close()
    assert [row[0] for row in rows_of(in_history(tmp_path))] == ["a", "b"]


def test_a_store_that_fails_has_nothing_of_the_piece_and_gets_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 1)
    recorder.take(0, 0, record(named("a"), reading(0, 1)))

    def full(piece: Piece) -> None:
        raise UnavailableError(f"no room for {len(piece.batch)}")

    with monkeypatch.context() as patch:
        patch.setattr(archive, "put", full)
        with pytest.raises(UnavailableError, match="no room for 1"):
            recorder.flush(everything=True)
    recorder = StreamRecorder(archive, Lists(), 1)
    assert recorder.next(0) == 0
    recorder.take(0, 0, record(named("a"), reading(0, 1)))
    recorder.flush(everything=True)
    archive.close()
    assert len(rows_of(in_history(tmp_path))) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xc1 nonsense", "record 0 of partition 0: it cannot be read"),
        (encode_record("b", 1, [(63, b"")]), "an entry of unknown kind 63: upgrade history before bridges"),
    ],
)
def test_a_record_that_is_not_understood_stops_it_with_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    archive = Archive(tmp_path)
    with pytest.raises(DataLossError, match=said):
        StreamRecorder(archive, Lists(), 1).take(0, 0, content)
    archive.close()


def test_a_hole_in_the_records_is_never_written_over(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 1)
    with pytest.raises(DataLossError, match="records 0 to 1 of partition 0 did not come"):
        recorder.take(0, 2, record(named("a"), reading(0, 1)))
    archive.close()


def test_fewer_partitions_than_history_knows_are_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    recorder = StreamRecorder(archive, Lists(), 2)
    recorder.take(1, 0, record(named("a"), reading(0, 1)))
    recorder.flush(everything=True)
    with pytest.raises(DataLossError, match=r"partition 1: there are only 1 partitions; is stream\.partitions right\?"):
        StreamRecorder(archive, Lists(), 1)
    archive.close()


def record(*entries: Coded, session: int = 1, bridge: int = 0) -> bytes:
    return encode_record(f"bridge-{bridge}", session, list(entries))


def named(device: str) -> Coded:
    return encode_names([(0, f"g\0{device}\0depth_cm".encode())])


def reading(feed: int, at_ms: int) -> Coded:
    at = BEGIN_MS + at_ms
    return encode_readings(ReadingBatch.of([feed], [at], [1.0], [at * NS]))


def devices(version: str) -> Coded:
    kind, body = encode_devices(version)
    return int(kind), body


def listening(at_ms: int, how: Listening) -> Coded:
    kind, body = encode_listening(BEGIN_MS + at_ms, how)
    return int(kind), body


def tick(at_ms: int) -> Coded:
    kind, body = encode_clock(ClockTick(BEGIN_MS + at_ms))
    return int(kind), body
