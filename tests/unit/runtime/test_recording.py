"""Recordings from files: what is read, and what is left out and named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import ConfigError
from runtime.recording import Recording, feed_name, load_recording

JULY = 1_782_864_000_000
"""2026-07-01T00:00:00Z in ms."""


def written(folder: Path, text: str, name: str = "tank.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows(recording: Recording) -> list[tuple[str, int, float]]:
    """(device/metric, ms since July 2026 began, value) in the recording's order."""
    names = ["/".join(feed) for feed in recording.feeds]
    columns = (recording.feed.tolist(), recording.event_time.tolist(), recording.value.tolist())
    return [(names[feed], at - JULY, value) for feed, at, value in zip(*columns, strict=True)]


def refusal(path: Path, *, feed: str | None = None, tz: str = "UTC") -> str:
    with pytest.raises(ConfigError) as caught:
        load_recording(path, feed=feed, tz=tz)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T00:00:00Z,1.5\n2026-07-01T00:00:01Z,2\n",
        "timestamp,value\n2026-07-01T00:00:00Z,1.5\n2026-07-01T00:00:01Z,2\n",
        "Value , Time\n1.5,2026-07-01T00:00:00Z\n2,2026-07-01T00:00:01Z\n",
        "\ufefftimestamp,value\r\n2026-07-01T00:00:00Z,1.5\r\n\r\n2026-07-01T00:00:01Z,2\r\n",
        "quality,timestamp,unit,value\nok,2026-07-01T00:00:00Z,cm,1.5\nok,2026-07-01T00:00:01Z,cm,2\n",
    ],
    ids=["no header", "header", "columns by name", "byte order mark and CRLF", "further columns"],
)
def test_a_file_of_one_feed_is_named_after_itself(tmp_path: Path, text: str) -> None:
    found = load_recording(written(tmp_path, text))
    assert rows(found) == [("tank/value", 0, 1.5), ("tank/value", 1_000, 2.0)]
    assert (len(found), found.problems, found.left_out) == (2, (), 0)


@pytest.mark.parametrize("header", ["", "feed,timestamp,value\n", "device,t,v\n"], ids=["none", "long", "short"])
def test_a_file_of_many_feeds_names_each_and_is_sorted_by_time(tmp_path: Path, header: str) -> None:
    text = f"{header}b/level,{JULY + 2_000},3\na,{JULY},1\nb/level,{JULY + 1_000},2\na,{JULY + 1_000},4\n"
    found = load_recording(written(tmp_path, text))
    assert rows(found) == [("a/value", 0, 1), ("b/level", 1_000, 2), ("a/value", 1_000, 4), ("b/level", 2_000, 3)]


def test_the_name_of_the_feed_can_be_given(tmp_path: Path) -> None:
    path = written(tmp_path, f"{JULY},1\n")
    assert load_recording(path, feed="cold-1/temperature_c").feeds == (("cold-1", "temperature_c"),)


def test_a_file_name_that_cannot_stand_in_a_topic_is_made_to(tmp_path: Path) -> None:
    assert load_recording(written(tmp_path, f"{JULY},1\n", "pump #1+2.csv")).feeds == (("pump--1-2", "value"),)


@pytest.mark.parametrize("name", ["", "/", "a/", "/b", "a/b/c", "a+", "#", "x" * 65])
def test_a_name_that_is_no_feed_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="write device/metric"):
        feed_name(name)


def test_a_wrong_name_for_the_feed_is_told_once(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, f"{JULY},1\n{JULY},2\n"), feed="a/b/c")
    assert said == "'a/b/c' is no feed: write device/metric, without further / and without + or #"


@pytest.mark.parametrize(
    "time",
    [
        "2026-07-01",
        "2026-07-01 00:00:00",
        "2026-07-01T00:00:00Z",
        "2026-07-01T08:00:00+08:00",
        "2026-07-01 00:00:00.000000",
        "1782864000",
        "1782864000.0",
        "1782864000000",
        "1.782864e9",
    ],
)
def test_every_form_of_a_time_is_the_same_moment(tmp_path: Path, time: str) -> None:
    assert rows(load_recording(written(tmp_path, f"{time},1\n"))) == [("tank/value", 0, 1.0)]


def test_fractions_of_a_second_are_kept_to_the_millisecond(tmp_path: Path) -> None:
    text = "1782864000.25,1\n2026-07-01T00:00:00.5004Z,2\n"
    assert [at for _, at, _ in rows(load_recording(written(tmp_path, text)))] == [250, 500]


def test_the_zone_is_for_times_without_an_offset_only(tmp_path: Path) -> None:
    text = f"2026-07-01T08:00:00,1\n2026-07-01T00:00:00Z,2\n{JULY},3\n"
    found = load_recording(written(tmp_path, text), tz="Asia/Shanghai")
    assert [at for _, at, _ in rows(found)] == [0, 0, 0]


def test_the_zone_knows_summer_time(tmp_path: Path) -> None:
    text = "2026-01-01T12:00:00,1\n2026-07-01T12:00:00,2\n"
    found = load_recording(written(tmp_path, text), tz="Europe/Berlin")
    assert [datetime.fromtimestamp(at / 1000, UTC).hour for at in found.event_time.tolist()] == [11, 10]


@pytest.mark.parametrize("tz", ["Mars", "", "Asia", "../etc", "/etc/localtime"])
def test_an_unknown_zone_is_refused(tmp_path: Path, tz: str) -> None:
    said = refusal(written(tmp_path, f"{JULY},1\n"), tz=tz)
    assert said == f"--tz {tz}: no such time zone; write it like Asia/Shanghai"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,yesterday,1", "'yesterday' is no time; write it like 2026-11-24T10:00:00+08:00"),
        ("a,2026-02-30,1", "'2026-02-30' is no time; write it like 2026-11-24T10:00:00+08:00"),
        ("a,-5,1", "'-5' is no time"),
        ("a,1969-12-31T23:59:59Z,1", "'1969-12-31T23:59:59Z' is before 1970"),
        *(
            (f"a,{day},1", f"{day!r} looks like a day without its dashes; write it like 2026-11-24T10:00:00+08:00")
            for day in ("20261124", "202611241000", "20261124100000")
        ),
        ("a,nan,1", "'nan' is no time"),
        ("a,1e300,1", "'1e300' is no time"),
        ("a,,1", "'' is no time; write it like 2026-11-24T10:00:00+08:00"),
        ("a,5,high", "'high' is no number"),
        ("a,5,", "'' is no number"),
        ("a,5", "'' is no number"),
        ("a,5,inf", "'inf' is not finite"),
        ("a,5,NaN", "'NaN' is not finite"),
        ("a/b/c,5,1", "'a/b/c' is no feed: write device/metric, without further / and without + or #"),
    ],
)
def test_a_wrong_row_is_named_by_its_line_and_left_out(tmp_path: Path, row: str, said: str) -> None:
    path = written(tmp_path, f"feed,timestamp,value\na,{JULY},1\n{row}\na,{JULY + 1_000},2\n")
    found = load_recording(path)
    assert [at for _, at, _ in rows(found)] == [0, 1_000]
    assert found.problems == (f"{path}:3: {said}",)
    assert found.left_out == 1


def test_only_the_first_wrong_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, f"{JULY},1\n" + "x,1\n" * 25)
    found = load_recording(path)
    assert [line.partition(": ")[0] for line in found.problems] == [f"{path}:{number}" for number in range(2, 12)]
    assert found.left_out == 25


def test_a_feed_whose_rows_are_all_wrong_does_not_exist(tmp_path: Path) -> None:
    assert load_recording(written(tmp_path, f"b,{JULY},high\na,{JULY},1\n")).feeds == (("a", "value"),)


def test_a_row_without_a_feed_is_the_files_own(tmp_path: Path) -> None:
    found = load_recording(written(tmp_path, f"feed,timestamp,value\n,{JULY},1\na,{JULY},2\n"))
    assert rows(found) == [("tank/value", 0, 1), ("a/value", 0, 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "{path}: the file is empty"),
        ("timestamp,value\n", "{path}: no row can be used"),
        ("5\n", "{path}:1: 1 column; expected timestamp,value or feed,timestamp,value"),
        (
            "timestamp;value\n5;1\n",
            (
                "{path}:1: 1 column; expected timestamp,value or feed,timestamp,value; "
                "it is separated by semicolons, write commas"
            ),
        ),
        ("a,b,c,d\n", "{path}:1: 4 columns; expected timestamp,value or feed,timestamp,value"),
        (
            "timestamp,value\n5,high\n",
            "{path}: no row can be used\n{path}:2: 'high' is no number",
        ),
    ],
    ids=["empty", "header only", "one column", "semicolons", "four columns", "no good row"],
)
def test_a_file_without_a_good_row_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    assert refusal(path) == said.format(path=path)


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.csv") == f"{tmp_path / 'gone.csv'}: cannot be read: No such file or directory"
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"timestamp,value\n\xff,1\n")
    assert refusal(latin) == f"{latin}:2: not CSV in UTF-8: invalid start byte; save it as UTF-8"


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    times = pa.array([1_782_864_001_000_000_001, 1_782_864_000_000_000_000, None], pa.timestamp("ns"))
    table = pa.table({"feed": ["a/level", None, "b"], "timestamp": times, "value": [2.5, 1.0, 3.0]})
    path = tmp_path / "tank.parquet"
    parquet.write_table(table, path)
    found = load_recording(path)
    assert rows(found) == [("tank/value", 0, 1.0), ("a/level", 1_000, 2.5)]
    assert found.problems == (f"{path}:3: '' is no time; write it like 2026-11-24T10:00:00+08:00",)


def test_parquet_times_with_a_zone_keep_it_and_numbers_are_times_too(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "tank.parquet"
    for times in (pa.array([JULY], pa.timestamp("ms", "Asia/Shanghai")), pa.array([JULY // 1000])):
        parquet.write_table(pa.table({"value": [7], "time": times}), path)
        assert rows(load_recording(path, tz="Europe/Berlin")) == [("tank/value", 0, 7.0)]


def test_what_is_no_parquet_is_refused_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = written(tmp_path, "no", "tank.parquet")
    assert refusal(path).startswith(f"{path}: cannot be read as Parquet: ")
    assert "\n" not in refusal(path)
