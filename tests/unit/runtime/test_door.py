"""The door, the shelf and the watch of device lists: real files, no processes."""

import threading
from pathlib import Path

import pytest

from city.catalogue import load_catalogue
from city.device import Device
from city.device_list import dump_devices
from core.errors import ConfigError, DataLossError
from ingest.journal import FeedNames
from ingest.registry import FeedRegistry
from ingest.rejected import Reason, Rejected
from ingest.rows import Rows
from runtime.device_list import DeviceList, DeviceShelf, read_and_keep
from runtime.device_watch import DeviceChange, DeviceWatch, mark_of
from runtime.door import Door

TYPES = load_catalogue()
LEVEL = "road-water-level"


def the_list(*devices: Device) -> DeviceList:
    return DeviceList("v", {device.id: device for device in devices})


@pytest.fixture
def door(tmp_path: Path) -> Door:
    known = the_list(Device("a", "g", LEVEL), Device("b", "g"), Device("s", "g", state="suspended"))
    return Door(FeedRegistry(64), FeedNames(tmp_path / "feeds.sqlite"), known, TYPES)


def switched(door: Door, *devices: Device) -> None:
    known, names = the_list(*devices).after(door.known)
    feeds = door.feeds_of(names, 0, len(door.registry))
    door.switch(known, feeds)
    door.admit(feeds)


@pytest.mark.parametrize(
    ("gateway", "device", "metric", "answer"),
    [
        ("g", "a", "depth_cm", 0),
        ("g", "a", "colour", Reason.UNKNOWN_METRIC),
        ("other", "a", "depth_cm", Reason.WRONG_GATEWAY),
        ("g", "x", "depth_cm", Reason.UNKNOWN_DEVICE),
        ("g", "s", "depth_cm", Reason.SUSPENDED_DEVICE),
        ("g", "b", "anything", 0),
    ],
)
def test_a_reading_comes_in_or_there_is_a_reason(
    door: Door, gateway: str, device: str, metric: str, answer: int | Reason
) -> None:
    assert door.resolve(gateway, device, metric) == answer


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ([Device("a", "g", LEVEL, state="suspended")], Reason.SUSPENDED_DEVICE),
        ([Device("a", "g", LEVEL, state="retired")], Reason.RETIRED_DEVICE),
        ([Device("a", "g2", LEVEL)], Reason.WRONG_GATEWAY),
        ([Device("a", "g", "camera")], Reason.UNKNOWN_METRIC),
        ([], Reason.UNKNOWN_DEVICE),
    ],
)
def test_a_feed_that_was_known_is_refused_when_its_device_is_not_to_be_heard_and_found_again_as_the_same(
    door: Door, after: list[Device], reason: Reason
) -> None:
    feed = door.resolve("g", "a", "depth_cm")
    other = door.resolve("g", "b", "depth_cm")
    switched(door, *after, Device("b", "g"))
    assert door.resolve("g", "a", "depth_cm") is reason
    assert door.registry.find("g", "a", "depth_cm") == -1
    assert door.resolve("g", "b", "depth_cm") == other
    assert door.feed(0)[0].out_of_use == (reason is not Reason.UNKNOWN_METRIC)
    switched(door, Device("a", "g", LEVEL), Device("b", "g"))
    assert door.resolve("g", "a", "depth_cm") == feed
    assert len(door.registry) == 2
    assert not door.registry.barred


def test_a_change_of_the_list_names_what_is_other_and_keeps_what_is_not() -> None:
    before = the_list(Device("a", "g"), Device("b", "g"), Device("c", "g"))
    known, names = the_list(Device("a", "g"), Device("b", "g", owner="x"), Device("d", "g")).after(before)
    assert names == {"b", "c", "d"}
    assert known.devices["a"] is before.devices["a"]


def written(path: Path, *devices: Device) -> Path:
    dump_devices(path, devices)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "devices.csv", Device("a", "g"))


@pytest.fixture
def shelf(tmp_path: Path) -> DeviceShelf:
    return DeviceShelf(tmp_path / "shelf", TYPES)


def test_a_list_on_the_shelf_is_taken_up_as_it_was(path: Path, shelf: DeviceShelf) -> None:
    first = read_and_keep(path, TYPES, shelf)
    second = read_and_keep(written(path, Device("b", "g")), TYPES, shelf)
    assert (shelf.take(first.version), shelf.take(second.version)) == (first, second)
    assert shelf.last() == second.version


def test_a_list_that_is_another_by_now_is_not_kept(path: Path, shelf: DeviceShelf) -> None:
    version = DeviceList.read(path, TYPES).version
    written(path, Device("b", "g"))
    assert not shelf.keep(path, version)
    with pytest.raises(DataLossError, match="cannot be taken up again"):
        shelf.take(version)


def test_a_damaged_list_is_not_taken_up(path: Path, shelf: DeviceShelf, tmp_path: Path) -> None:
    version = read_and_keep(path, TYPES, shelf).version
    written(tmp_path / "shelf" / f"{version}.csv", Device("b", "g"))
    with pytest.raises(DataLossError, match="damaged"):
        shelf.take(version)


def test_a_list_stays_as_long_as_a_snapshot_may_lead_back_to_it(path: Path, shelf: DeviceShelf) -> None:
    first = read_and_keep(path, TYPES, shelf).version
    second = read_and_keep(written(path, Device("b", "g")), TYPES, shelf).version
    shelf.cease(second, 10)
    shelf.drop_before(9)
    assert shelf.take(first).version == first
    shelf.drop_before(10)
    with pytest.raises(DataLossError):
        shelf.take(first)
    shelf.cease(second, 11)
    shelf.drop_before(12)
    assert shelf.take(second).version == second


class Looking:
    def __init__(self, path: Path, door: Door, shelf: DeviceShelf, *, seen: object = None) -> None:
        self.changes: list[DeviceChange] = []
        self.watch = DeviceWatch(path, TYPES, door, shelf, self.changes.append, threading.Event(), seen=seen)

    def look(self) -> None:
        """Twice: a file is read once it is still."""
        self.watch.look()
        self.watch.look()


def test_a_right_list_is_handed_over_with_its_feeds_and_a_wrong_one_is_told(
    path: Path, door: Door, shelf: DeviceShelf
) -> None:
    for name in ("a", "b"):
        door.resolve("g", name, "depth_cm")
    looking = Looking(path, door, shelf)
    written(path, Device("a", "g", LEVEL), Device("b", "g", owner="x"), Device("s", "g", state="suspended"))
    looking.look()
    (change,) = looking.changes
    assert (set(change.names), change.feeds, change.looked) == ({"b"}, [1], 2)
    path.write_text("device,gateway\na,g\na,g\n")
    looking.look()
    assert looking.watch.findings == [f"{path}:3: device 'a' stands twice: take one row away"]
    path.unlink()
    looking.look()
    assert "cannot be read" in looking.watch.findings[0]
    assert len(looking.changes) == 1
    written(path, *change.known.devices.values())
    looking.look()
    assert (looking.watch.findings, len(looking.changes)) == ([], 1)


def test_a_list_is_not_read_while_it_is_being_written(path: Path, door: Door, shelf: DeviceShelf) -> None:
    looking = Looking(path, door, shelf, seen=mark_of(path))
    looking.watch.look()
    for rows in ("", "x,g\n", "x,g\ny,g\n"):
        path.write_text(f"device,gateway\n{rows}")
        looking.watch.look()
        assert looking.changes == []
    looking.watch.look()
    assert [set(change.known.devices) for change in looking.changes] == [{"x", "y"}]


def test_a_list_that_was_read_already_is_not_read_again(path: Path, door: Door, shelf: DeviceShelf) -> None:
    looking = Looking(path, door, shelf, seen=mark_of(path))
    path.chmod(0o600)
    looking.look()
    assert looking.changes == []


def test_a_list_that_changes_all_the_time_is_refused(
    path: Path, shelf: DeviceShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "keep", lambda *_: False)
    with pytest.raises(ConfigError, match="it changes while it is read"):
        read_and_keep(path, TYPES, shelf)


def test_the_list_knows_gateways_and_who_is_behind_them(door: Door) -> None:
    assert door.lists("g", "")
    assert door.lists("g", "a")
    assert not door.lists("other", "")
    assert not door.lists("other", "a")
    assert not door.lists("g", "x")
    switched(door, Device("a", "other", LEVEL))
    assert door.lists("other", "a")
    assert not door.lists("g", "")


def test_the_unit_that_a_sender_names_is_held_against_that_of_the_device_type_of_now(door: Door) -> None:
    codec = door.codec(max_pack=10)

    def taken(unit: str, records: int = 10) -> set[float | str]:
        pack = f'[{",".join([f"""{{"n":"a/depth_cm","u":"{unit}","v":2}}"""] * records)}]'.encode()
        said = codec.decode("sw/v1/g/senml", pack, retained=False, arrival=0, latest_ms=10)
        return {
            value
            for item in said
            for value in (
                item.value.tolist() if isinstance(item, Rows)
                else [item.reason.value] if isinstance(item, Rejected)
                else [item[2]] if isinstance(item, tuple)
                else []
            )
        }  # fmt: skip

    assert taken("m") == {200.0}
    assert taken("Cel") == {"wrong_unit"}
    switched(door, Device("a", "g"))
    assert taken("Cel") == {2.0}  # nobody says of what type it is, and so of what unit
    switched(door, Device("a", "g", LEVEL))
    assert taken("Cel") == taken("Cel", 1) == {"wrong_unit"}
    assert taken("mm") == taken("mm", 1) == {0.2}
