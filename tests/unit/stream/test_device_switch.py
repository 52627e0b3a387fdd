"""Another device list takes effect at its marker: devices that move, go and come."""

from pathlib import Path

import pytest

from alerts.change import AlertChange
from city.catalogue import load_catalogue
from core.reading import ReadingBatch
from runtime.device_list import DeviceList
from runtime.recovery import encode_devices, encode_rules
from runtime.stream.places import partition_of
from runtime.stream.plan import PlanBook, devices_record, devices_version, scenes_record
from runtime.stream.records import encode_names, encode_readings, encode_record
from runtime.stream.slice import Slice
from tests.distributed.hour import BEGIN_MS, METRIC, scene_set

PARTITIONS = 8
HERE = partition_of("M1", PARTITIONS)
AWAY = next(place for place in map("M{}".format, range(2, 99)) if partition_of(place, PARTITIONS) != HERE)
NEAR = next(place for place in map("M{}".format, range(2, 99)) if partition_of(place, PARTITIONS) == HERE)


class Played:
    """A slice with one feed over its limit, and lists to switch to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.book = PlanBook(load_catalogue(), [METRIC])
        self.scenes = scene_set(folder / "scenes", "depth", minor=15)
        self.book.take(*scenes_record(self.scenes))
        self.slice = self.fresh()
        self.versions: dict[str, str] = {}
        names = encode_names([(0, f"g\0pit\0{METRIC}".encode())])
        high = ReadingBatch.of([0, 0], [BEGIN_MS, BEGIN_MS + 1_000], [21.0, 21.0])
        opened = self.send(self.devices("M1"), encode_rules(self.scenes.version), names, encode_readings(high))
        assert [(change.data.place, change.data.state) for change in opened] == [("M1", "active")]

    def fresh(self) -> Slice:
        return Slice(HERE, PARTITIONS, self.book, max_feeds=100, settle_ms=1_000, wall_ns=lambda: 0)

    def devices(self, place: str, *, device: str = "pit") -> tuple[int, bytes]:
        """The marker of a list with one device at a place."""
        path = self.folder / f"{device}-{place}.csv"
        path.write_text(f"device,gateway,type,place,town,kind,tags\n{device},g,,{place},,,\n")
        version = devices_version(DeviceList.read(path, self.book.types).version, "place")
        self.book.take(*devices_record(version, path.read_bytes()))
        return encode_devices(version)

    def send(self, *entries: tuple[int, bytes]) -> list[AlertChange]:
        """What follows from a record of these entries."""
        record = encode_record("b", 1, [(int(kind), body) for kind, body in entries])
        return self.slice.take(self.slice.next_offset, record).changes

    def restored(self) -> None:
        """Go on from the state alone."""
        state, self.slice = self.slice.state(), self.fresh()
        self.slice.restore(state)


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


@pytest.mark.parametrize("restored", [False, True])
def test_a_device_that_moves_to_another_partition_leaves_its_alert_here(played: Played, *, restored: bool) -> None:
    if restored:
        played.restored()
    ended = played.send(played.devices(AWAY))
    assert [(change.data.place, change.data.state) for change in ended] == [("M1", "cleared")]


def test_a_device_that_is_taken_off_the_list_leaves_its_alert(played: Played) -> None:
    ended = played.send(played.devices("M1", device="other"))
    assert [change.data.state for change in ended] == ["cleared"]


def test_a_device_that_moves_within_the_partition_keeps_its_alert_where_it_was(played: Played) -> None:
    assert played.send(played.devices(NEAR)) == []
    low = ReadingBatch.of([0], [BEGIN_MS + 5_000], [1.0])
    played.send(encode_readings(low))
    again = ReadingBatch.of([0, 0], [BEGIN_MS + 90_000, BEGIN_MS + 91_000], [21.0, 21.0])
    told = played.send(encode_readings(again))
    assert [change.data.place for change in told if change.data.revision == 1] == [NEAR]


def test_the_same_list_again_changes_nothing(played: Played) -> None:
    before = played.slice.chain
    assert played.send(played.devices("M1")) == []
    assert played.slice.chain is before


def test_a_restored_slice_knows_the_list_that_held(played: Played) -> None:
    played.send(played.devices(NEAR))
    played.restored()
    again = ReadingBatch.of([0], [BEGIN_MS + 5_000], [1.0])
    assert [change.data.place for change in played.send(encode_readings(again))] == ["M1"]
    assert played.slice.chain.devices != ""
