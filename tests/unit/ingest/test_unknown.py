from pathlib import Path

import pytest

from core.errors import UnavailableError
from ingest.unknown import MOST_METRICS, Sighting, UnknownDevices, read_unknown


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "unknown.sqlite"


def test_an_unknown_device_is_kept_with_what_it_says_over_a_restart(path: Path) -> None:
    unknown = UnknownDevices(path)
    unknown.note("g", "x", "depth_cm", 1.0, 100)
    unknown.note("g", "x", "depth_cm", 2.0, 300)
    unknown.note("g", "x", "temp", 9.5, 200)
    unknown.note("h", "x", "depth_cm", 3.0, 400)
    unknown.write()
    expected = [
        Sighting("g", "x", 100, 300, 3, {"depth_cm": 2.0, "temp": 9.5}),
        Sighting("h", "x", 400, 400, 1, {"depth_cm": 3.0}),
    ]
    assert read_unknown(path) == expected
    again = UnknownDevices(path)
    assert again.newest(1) == expected[1:]
    again.note("g", "x", "depth_cm", 4.0, 500)
    again.write()
    assert read_unknown(path)[0] == Sighting("g", "x", 100, 500, 4, {"depth_cm": 4.0, "temp": 9.5})


def test_past_the_most_devices_are_counted_and_not_kept_and_room_is_made_by_adoption(path: Path) -> None:
    unknown = UnknownDevices(path, most=2)
    for name in ("a", "b", "c", "a", "d"):
        unknown.note("g", name, "m", 1.0, 1)
    assert (len(unknown), unknown.dropped) == (2, 2)
    unknown.write()
    unknown.forget({"a"}.__contains__)
    unknown.note("g", "c", "m", 1.0, 2)
    unknown.write()
    assert [seen.device for seen in read_unknown(path)] == ["b", "c"]
    assert UnknownDevices(path).dropped == 2


def test_metrics_of_a_device_are_bounded(path: Path) -> None:
    unknown = UnknownDevices(path)
    for index in range(2 * MOST_METRICS):
        unknown.note("g", "x", f"m{index}", 1.0, 1)
    (seen,) = unknown.newest(5)
    assert (seen.count, len(seen.metrics)) == (2 * MOST_METRICS, MOST_METRICS)


def test_what_cannot_be_written_now_is_written_later(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = UnknownDevices(path)
    unknown.note("g", "x", "m", 1.0, 1)
    away = tmp_path / "away"
    path.rename(away)
    path.mkdir()
    unknown.write()
    assert "cannot be written" in caplog.text
    path.rmdir()
    away.rename(path)
    unknown.write()
    assert len(read_unknown(path)) == 1


def test_no_file_is_nobody_and_another_file_is_said_to_be_no_such(path: Path) -> None:
    assert read_unknown(path) == []
    path.write_text("this is no database, and it is long enough to be seen as none" * 20)
    with pytest.raises(UnavailableError, match="cannot be read"):
        read_unknown(path)
    with pytest.raises(UnavailableError, match="cannot be opened"):
        UnknownDevices(path)
