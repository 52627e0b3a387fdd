"""`scenewatch history`: what there is, out to a file, in from a recording, and tidied."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from city.catalogue import load_catalogue
from city.device import Device
from city.device_list import load_devices, usable
from core.clock import rfc3339, wall_ns
from core.errors import ConfigError
from core.reading import ReadingBatch
from core.units import parse_duration
from history.archive import Archive
from history.days import DAY_MS, day_label, day_start_ms
from history.keeping import Retention, tidy
from history.kernel import stamps
from history.names import FeedBook
from history.query import STEP_MS, FeedName, Gap, Held, Readings, Rollup, Selection
from history.stores import Store
from ingest.kernel_sequence import sequence
from runtime.config import Config, load_config
from runtime.history_role import retention_of
from runtime.recording import Recording, load_recording, parse_time, zone_of
from runtime.store import store_of
from runtime.terminal import terminal

_SHOWN_GAPS = 20
_FOR_EVER = 1 << 62
_FORMATS = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Where:
    """Which history: a configuration's, or the Parquet archive in a folder."""

    config: Path | None
    folder: Path | None
    quiet: bool = False

    def settings(self) -> Config:
        """The configuration; all defaults for a folder.

        Raises:
            ConfigError: If neither or both are given, or the file is wrong.
        """
        if (self.config is None) == (self.folder is None):
            raise ConfigError("say which history: -c scenewatch.toml, or --dir FOLDER for an archive of Parquet files")
        return Config() if self.config is None else load_config(self.config)

    def store(self) -> Store:
        """The store.

        Raises:
            ConfigError: As `settings`, or if there is no history in the configuration.
        """
        settings = self.settings()
        return store_of(settings) if self.folder is None else Store(self.folder)

    def retention(self) -> Retention:
        """What is kept for how long; in a folder without a configuration everything, for ever."""
        if self.config is None:
            return Retention(readings_ms=_FOR_EVER, minutes_ms=_FOR_EVER, hours_ms=_FOR_EVER)
        return retention_of(self.settings())


@dataclass(frozen=True, slots=True)
class Which:
    """What of it: times as text, and names; an empty list for all."""

    start: str | None
    end: str | None
    types: list[str]
    metrics: list[str]
    devices: list[str]
    tz: str = "UTC"

    def selection(self) -> Selection:
        """The selection.

        Raises:
            ConfigError: If a time is none, or the range ends before it starts.
        """
        try:
            zone = zone_of(self.tz)
            start = 0 if self.start is None else parse_time(self.start, zone)
            end = _FOR_EVER if self.end is None else parse_time(self.end, zone)
            return Selection.of(
                start, end, types=self.types or None, metrics=self.metrics or None, devices=self.devices or None
            )
        except ValueError as error:
            raise ConfigError(f"--from, --to: {error}") from error


def status(where: Where, *, days: bool, json_out: bool) -> int:
    """Print what there is and its holes; 1 if files are missing, else 0."""
    history = where.store().history()
    held = history.held()
    span = _span(held)
    gaps = history.gaps(Selection.of(*span)) if span else ()
    history.close()
    if json_out:
        content = {"held": held, "gaps": [_gap(gap) for gap in gaps]}
        sys.stdout.write(msgspec.json.encode(content).decode() + "\n")
    else:
        _show(terminal(), held, gaps, days=days)
    return 1 if any(gap.reason in ("missing", "damaged") for gap in gaps) else 0


def export(where: Where, which: Which, out: Path, *, step: str) -> int:
    """Write the readings (`step` is `raw`) or roll-ups of a selection; 1 if the range has holes, which are printed.

    Raises:
        ConfigError: If the file's kind is not known, or something given is wrong.
    """
    if out.suffix not in _FORMATS:
        raise ConfigError(f"{out}: write it as {' or '.join(_FORMATS)}")
    step_ms = _step(step)
    history = where.store().history()
    of = which.selection()
    if of.end_ms == _FOR_EVER or of.start_ms == 0:
        span = _span(history.held()) or (0, 0)
        start = of.start_ms or span[0]
        of = Selection.of(
            start, max(start, min(of.end_ms, span[1])), types=of.types, metrics=of.metrics, devices=of.devices
        )
    with _bar("reading", quiet=where.quiet) as tell:
        found = history.readings(of, tell) if step_ms is None else history.rollup(of, step_ms, tell)
    history.close()
    _write(out, _table(found))
    if not where.quiet:
        sys.stdout.write(f"{len(found):,} {'readings' if step_ms is None else 'spans'} in {out}\n")
    for line in (*found.problems, *(f"gap: {gap}" for gap in found.gaps)):
        sys.stderr.write(f"scenewatch history: {line}\n")
    return 1 if found.gaps else 0


def bring(where: Where, file: Path, *, feed: str | None, gateway: str, device_type: str, tz: str) -> int:
    """Write a recording into history.

    Raises:
        ConfigError: If it cannot be read, a name in it is wrong, or it was imported already.
    """
    settings = where.settings()
    types = load_catalogue(settings.ingest.device_types)
    if device_type and device_type not in types:
        raise ConfigError(f"--type {device_type}: there is no such device type")
    if not usable(gateway):
        raise ConfigError(f"--gateway {gateway!r} cannot stand in a topic")
    devices = load_devices(settings.ingest.devices, types) if where.config is not None else {}
    recording = load_recording(file, feed=feed, tz=tz)
    names = [_named(device, metric, devices, gateway, device_type) for device, metric in recording.feeds]
    digest = _digest(file, names)
    writer = where.store().writer()
    try:
        with writer.ledger.alone():
            known = writer.ledger.import_of(digest)
            if known is not None:
                raise ConfigError(f"{file}: its readings are in history already, imported as {known}")
            book = FeedBook()
            book.learn(writer.ledger.feeds())
            numbers = [book.number(name) for name in names]
            batch, lag = _sequenced(recording, np.array(numbers, np.int32))
            _refuse_expired(batch, dict(zip(numbers, names, strict=True)), where.retention())
            writer.bring(batch, lag, book.take_new(), digest, file.name)
        if isinstance(writer, Archive):
            _tidied(writer, int(batch.event_time.max()) + 2 * DAY_MS, where)
    finally:
        writer.close()
    for problem in recording.problems:
        sys.stderr.write(f"scenewatch history: left out: {problem}\n")
    if not where.quiet:
        left = f", {recording.left_out:,} rows left out" if recording.left_out else ""
        sys.stdout.write(f"{len(batch):,} readings of {len(names)} feed{'s' * (len(names) != 1)} imported{left}\n")
    return 1 if recording.left_out else 0


def compact(where: Where) -> int:
    """Tidy the archive now: few files, roll-ups, what has had its time.

    Raises:
        ConfigError: If it is no archive of files.
        UnavailableError: If there is no history yet.
    """
    store = where.store()
    if store.influx is None:
        store.history().close()  # a folder that was mistyped is not made
    writer = store.writer()
    try:
        if not isinstance(writer, Archive):
            raise ConfigError("compact is for Parquet files; InfluxDB does that by itself")
        folded = writer.fold(least_files=1)
        now_ms = wall_ns() // 1_000_000
        merged, rolled, expired = _tidied(writer, now_ms, where)
    finally:
        writer.close()
    if not where.quiet:
        sys.stdout.write(
            f"{folded:,} readings sorted in, {merged} files merged away, {rolled} roll-ups made, "
            f"{expired:,} readings expired\n"
        )
    return 0


def _tidied(archive: Archive, until_ms: int, where: Where) -> tuple[int, int, int]:
    with _bar("tidying", quiet=where.quiet) as tell:
        done = tidy(archive, where.retention(), until_ms=until_ms, now_ms=wall_ns() // 1_000_000, tell=tell)
    return done.merged, done.rolled, done.expired


def _step(text: str) -> int | None:
    if text == "raw":
        return None
    try:
        step_ms = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--step: {error}, or raw") from error
    if step_ms <= 0 or step_ms % STEP_MS["1m"]:
        raise ConfigError(f"--step {text}: whole minutes, like 1m, 15m or 1h, or raw")
    return step_ms


def _refuse_expired(batch: ReadingBatch, names: dict[int, FeedName], retention: Retention) -> None:
    """What would be dropped in an hour is not taken in.

    Raises:
        ConfigError: If a day of the recording is older than its device type is kept.
    """
    now_ms = wall_ns() // 1_000_000
    for number, name in names.items():
        times = batch.event_time[batch.feed == number]
        if len(times) and day_label(int(times.min()) // DAY_MS) < retention.first_day(name.type, now_ms):
            raise ConfigError(
                f"{name.device}/{name.metric} begins at {rfc3339(int(times.min()))}, which is longer ago than history "
                "keeps it: raise history.keep, or import into a folder of its own with --dir"
            )


def _named(device: str, metric: str, devices: dict[str, Device], gateway: str, device_type: str) -> FeedName:
    known = devices.get(device)
    if known is None:
        return FeedName(gateway, device, metric, device_type)
    return FeedName(known.gateway, device, metric, device_type or known.type)


def _digest(file: Path, names: list[FeedName]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(msgspec.json.encode(names))
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _sequenced(recording: Recording, numbers: Any) -> tuple[ReadingBatch, Any]:
    """A recording as if each reading had come in at its own time."""
    feed = numbers[recording.feed]
    batch = ReadingBatch.of(feed, recording.event_time.copy(), recording.value)
    sequence(batch.feed, batch.event_time, batch.quality, np.zeros(int(feed.max()) + 1, np.int64))
    lag = np.empty(len(batch), np.int64)
    stamps(batch.arrival, 0, lag)
    return batch, lag


def _table(found: Readings | Rollup) -> pa.Table:
    """Columns for people: names instead of numbers."""
    names = found.feeds
    texts = {
        "feed": [f"{name.device}/{name.metric}" for name in names],
        "gateway": [name.gateway for name in names],
        "type": [name.type for name in names],
    }
    index = pa.array(found.batch.feed if isinstance(found, Readings) else found.feed)
    columns: dict[str, Any] = {
        key: pa.DictionaryArray.from_arrays(index, pa.array(column or [""])).dictionary_decode()
        for key, column in texts.items()
    }
    time = pa.timestamp("ms", "UTC")
    if isinstance(found, Readings):
        batch = found.batch
        columns["timestamp"] = pa.array(batch.event_time).cast(time)
        columns["value"] = batch.value
        columns["arrival"] = pa.array(batch.arrival).cast(pa.timestamp("ns", "UTC"))
        columns["quality"] = batch.quality
    else:
        columns["timestamp"] = pa.array(found.start).cast(time)
        columns |= {"count": found.count, "min": found.least, "max": found.most, "value": found.mean}
        columns["last"] = found.last
    return pa.table(columns)


def _write(out: Path, table: pa.Table) -> None:
    try:
        if out.suffix == ".parquet":
            parquet.write_table(table, out, compression="zstd")
        else:
            csv.write_csv(table, out)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error}") from error


def _span(held: tuple[Held, ...]) -> tuple[int, int] | None:
    days = [one.day for one in held if one.day]
    return (day_start_ms(min(days)), day_start_ms(max(days)) + DAY_MS) if days else None


def _gap(gap: Gap) -> dict[str, str]:
    return {"from": rfc3339(gap.start_ms), "to": rfc3339(gap.end_ms), "reason": str(gap.reason), "detail": gap.detail}


def _show(console: Console, held: tuple[Held, ...], gaps: tuple[Gap, ...], *, days: bool) -> None:
    table = Table(title="history")
    for column in ("type", "metric", "days", "readings", "files", "MiB"):
        table.add_column(column, justify="left" if column in ("type", "metric", "days") else "right")
    groups: dict[tuple[str, ...], list[Held]] = {}
    for one in held:
        groups.setdefault((one.type, one.metric, *((one.day,) if days else ())), []).append(one)
    for (kind, metric, *_), members in sorted(groups.items()):
        first, last = members[0].day, members[-1].day
        size = sum(one.bytes or 0 for one in members) / 2**20
        table.add_row(
            kind or "-", metric or "-", (first if first == last else f"{first} to {last}") or "not sorted in yet",
            f"{sum(one.readings for one in members):,}", str(sum(one.files for one in members)),
            f"{size:,.1f}" if members[0].bytes is not None else "",
        )  # fmt: skip
    console.print(table)
    for gap in gaps[:_SHOWN_GAPS]:
        console.print(f"gap: {gap}", soft_wrap=True)
    if len(gaps) > _SHOWN_GAPS:
        console.print(f"and {len(gaps) - _SHOWN_GAPS} more gaps; --json lists them all")


@contextmanager
def _bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; nothing elsewhere."""
    console = terminal(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
