"""History in InfluxDB 2: points out, columns back. The ledger beside it says up to where, as for the files.

A point is `metric,gateway=,device=,type= value=,quality=,arrival=,lag=`. Its time is the event time; where a reading is
late or repeated the time has an offset below a millisecond, made of its stamp, so that it does not replace another. The
same reading written again is the same point: a write whose answer was lost is simply done again.

References: InfluxDB 2.7 line protocol and Flux (verified: yes, against 2.7.12).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.dialect import Dialect
from influxdb_client.rest import ApiException
from pyarrow import compute, csv
from urllib3.exceptions import HTTPError

from core.clock import wall_ns
from core.errors import UnavailableError
from core.reading import Int32, Int64, Quality, ReadingBatch, UInt8
from history.archive import Piece, settle
from history.columns import Stored
from history.coverage import holes, joined
from history.days import day_label
from history.ledger import Ledger, put_brought, put_feeds
from history.query import (
    STEP_MS,
    FeedName,
    Gap,
    GapReason,
    Held,
    Progress,
    Readings,
    Rollup,
    Selection,
    empty_rollup,
)
from history.rollup import as_parts, summarised
from history.stores import InfluxAddress

log = logging.getLogger("scenewatch.history")

_POINTS = 10_000
_TIMEOUT_MS = 60_000
_FEW = 50
_OUT_OF_ORDER = int(Quality.LATE | Quality.REPEATED)
_COLUMNS = ("_time", "_measurement", "gateway", "device", "type", "value", "quality", "arrival", "lag")
_ESCAPED = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\\": r"\\"})
_FIRST_NS, _LAST_NS = -9_223_372_036_854_775_806, 9_223_372_036_854_775_806


def _client(address: InfluxAddress) -> InfluxDBClient:
    ca = str(address.ca_file) if address.ca_file is not None else None
    return InfluxDBClient(address.url, address.token, org=address.org, timeout=_TIMEOUT_MS, ssl_ca_cert=ca)


def _asked(address: InfluxAddress, call: Callable[[], Any]) -> Any:
    """What a call to the server answers.

    Raises:
        UnavailableError: If it cannot be reached or refuses.
    """
    try:
        return call()
    except (ApiException, InfluxDBError, HTTPError, OSError) as error:
        said = getattr(error, "message", None)
        # Where nothing answered, the client's message is that alone, and the reason is the cause.
        words = " ".join(
            str((said if said != "no response" else None) or getattr(error, "reason", None) or error).split()
        )
        raise UnavailableError(
            f"InfluxDB at {address.url} does not take it ({words}); check history.influxdb_url and its token"
        ) from error


class InfluxSink:
    """Writes pieces as points, 10,000 at a time; one is written whole before the ledger says so.

    Args:
        folder: Of the ledger.
        address: Where InfluxDB answers.

    InfluxDB need not be there yet: it is asked for when there is something to write.

    Raises:
        UnavailableError: If the ledger cannot be opened.
    """

    def __init__(self, folder: Path, address: InfluxAddress) -> None:
        self.ledger = Ledger(folder)
        self._address = address
        self._client = _client(address)
        self._names: dict[int, FeedName] = {}
        self._heads: dict[int, str] = {}
        self._bucket_is_there = False
        self._write = self._client.write_api(write_options=SYNCHRONOUS)

    def close(self) -> None:
        """Close the ledger and the connections."""
        self._client.close()
        self.ledger.close()

    def put(self, piece: Piece) -> None:
        """Write a piece; after a failure the same piece again changes nothing that was written.

        Raises:
            UnavailableError: If it cannot be written now.
        """
        self._send(piece.batch, piece.lag, piece.new_feeds)
        with self.ledger.transaction() as db:
            settle(db, piece)

    def bring(
        self, batch: ReadingBatch, lag: Int64, new_feeds: Sequence[tuple[int, FeedName]], digest: str, name: str
    ) -> None:
        """Write what was recorded elsewhere; it covers its own span for its own feeds.

        Raises:
            UnavailableError: If it cannot be written now.
        """
        self._send(batch, lag, new_feeds)
        with self.ledger.transaction() as db:
            put_feeds(db, new_feeds)
            put_brought(db, batch, digest, name)

    def _send(self, batch: ReadingBatch, lag: Int64, new_feeds: Sequence[tuple[int, FeedName]]) -> None:
        if not self._bucket_is_there:
            _asked(self._address, self._make_bucket)
            self._bucket_is_there = True
        self._names.update(self.ledger.feeds(max(self._names, default=-1)))
        self._names.update(new_feeds)
        rows = np.arange(len(batch))
        if self._address.keep_ms:
            rows = rows[batch.event_time > wall_ns() // 1_000_000 - self._address.keep_ms]
            if len(rows) < len(batch):  # the server would refuse them, and the others with them
                log.warning("%d readings are older than the bucket keeps any: left out", len(batch) - len(rows))
        for begin in range(0, len(rows), _POINTS):
            part = rows[begin : begin + _POINTS]
            lines = "\n".join(self._lines(batch, lag, part))
            _asked(
                self._address,
                lambda lines=lines: self._write.write(self._address.bucket, record=lines.encode()),  # type: ignore[misc]
            )

    def _lines(self, batch: ReadingBatch, lag: Int64, rows: Int64) -> Iterator[str]:
        arrival = batch.arrival[rows]
        quality = batch.quality[rows]
        time = _point_time(batch.event_time[rows], arrival + lag[rows], quality)
        columns = (batch.feed[rows], batch.value[rows], quality, arrival, lag[rows], time)
        for feed, value, bits, came, behind, at in zip(*(column.tolist() for column in columns), strict=True):
            yield f"{self._head(feed)} value={value!r},quality={bits}i,arrival={came}i,lag={behind}i {at}"

    def _head(self, feed: int) -> str:
        head = self._heads.get(feed)
        if head is None:
            gateway, device, metric, kind = self._names[feed]
            # A measurement knows no escape for `=`, and needs none.
            measurement = metric.translate(_ESCAPED).replace(r"\=", "=")
            head = f"{measurement},device={device.translate(_ESCAPED)},gateway={gateway.translate(_ESCAPED)}"
            head += f",type={kind.translate(_ESCAPED)}" if kind else ""
            self._heads[feed] = head
        return head

    def _make_bucket(self) -> None:
        buckets = self._client.buckets_api()
        if buckets.find_bucket_by_name(self._address.bucket) is None:
            rules = BucketRetentionRules(type="expire", every_seconds=self._address.keep_ms // 1000)
            buckets.create_bucket(bucket_name=self._address.bucket, retention_rules=rules, org=self._address.org)


class InfluxHistory:
    """Answers out of InfluxDB, with the holes that the ledger knows.

    Args:
        folder: Of the ledger.
        address: Where InfluxDB answers.

    Raises:
        UnavailableError: If there is no ledger yet.
    """

    def __init__(self, folder: Path, address: InfluxAddress) -> None:
        self._ledger = Ledger(folder, write=False)
        self._address = address
        self._client = _client(address)

    def close(self) -> None:
        """Let go of the ledger and the connections."""
        self._client.close()
        self._ledger.close()

    def readings(self, of: Selection, progress: Progress | None = None) -> Readings:
        """See `History`."""
        known = self._known(of)
        stored = self._stored(of, known)
        if progress is not None:
            progress(1, 1)
        index = np.full(max((number for number, _ in known), default=-1) + 1, -1, np.int32)
        index[[number for number, _ in known]] = np.arange(len(known), dtype=np.int32)
        order = np.argsort(stored.stamp, kind="stable")
        b = stored.batch
        batch = ReadingBatch(
            index[b.feed[order]], b.event_time[order], b.value[order], b.arrival[order], b.quality[order]
        )
        return Readings(batch, tuple(name for _, name in known), self.gaps(of))

    def rollup(self, of: Selection, step_ms: int, progress: Progress | None = None) -> Rollup:
        """See `History`."""
        if step_ms <= 0 or step_ms % STEP_MS["1m"]:
            raise ValueError(f"a step of {step_ms} ms is no whole number of minutes")
        start, end = of.start_ms - of.start_ms % step_ms, of.end_ms + -of.end_ms % step_ms
        wide = Selection(
            start_ms=start, end_ms=end, types=of.types, metrics=of.metrics, devices=of.devices, gateways=of.gateways
        )
        known = self._known(wide)
        names = tuple(name for _, name in known)
        stored = self._stored(wide, known)
        if progress is not None:
            progress(1, 1)
        if not len(stored):
            return empty_rollup(names, step_ms, self.gaps(wide))
        table = summarised([as_parts(stored)], step_ms)
        index = {number: i for i, (number, _) in enumerate(known)}
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        feed = np.array([index[number] for number in columns["feed"].tolist()], np.int32)
        return Rollup(
            feed, columns["start"], columns["count"], columns["least"], columns["most"], columns["mean"],
            columns["last"], names, step_ms, self.gaps(wide),
        )  # fmt: skip

    def gaps(self, of: Selection) -> tuple[Gap, ...]:
        """See `History`."""
        feeds = [number for number, _ in self._known(of)]
        found = holes(of.start_ms, of.end_ms, self._ledger.spans(), self._ledger.brought(), feeds)
        if self._address.keep_ms:
            kept_from = wall_ns() // 1_000_000 - self._address.keep_ms
            if of.start_ms < kept_from:
                found.append(Gap(of.start_ms, min(of.end_ms, kept_from), GapReason.EXPIRED))
        return tuple(joined(found))

    def feeds(self, of: Selection) -> tuple[FeedName, ...]:
        """See `History`."""
        return tuple(name for _, name in self._known(of))

    def held(self) -> tuple[Held, ...]:
        """See `History`; InfluxDB does not say how many bytes."""
        flux = (
            f"from(bucket: {_text(self._address.bucket)}) |> range(start: 0)"
            ' |> filter(fn: (r) => r._field == "value")'
            ' |> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start")'
            ' |> group(columns: ["_time", "_measurement", "type"]) |> sum()'
        )
        tables = _asked(self._address, lambda: self._client.query_api().query(flux))
        sums = {
            (day_label(int(record["_time"].timestamp()) // 86_400), record.values.get("type") or "", metric): count
            for table in tables
            for record in table.records
            for metric, count in [(record["_measurement"], record["_value"])]
        }
        return tuple(Held(*key, count, 0, None) for key, count in sorted(sums.items()))

    def _known(self, of: Selection) -> list[tuple[int, FeedName]]:
        return [(number, name) for number, name in self._ledger.feeds() if of.takes(name)]

    def _stored(self, of: Selection, known: Sequence[tuple[int, FeedName]]) -> Stored:
        """The readings of known feeds in any order, under the ledger's numbers."""
        if not known or of.start_ms >= of.end_ms:
            return _columns_of(pa.table({}), {})
        flux = _flux(self._address.bucket, of, [name for _, name in known])
        dialect = Dialect(header=True, delimiter=",", annotations=[], comment_prefix="", date_time_format="RFC3339Nano")
        answer = _asked(self._address, lambda: self._client.query_api().query_raw(flux, dialect=dialect).read())
        return _columns_of(_table(answer), {name: number for number, name in known})


def _flux(bucket: str, of: Selection, names: Sequence[FeedName]) -> str:
    start, end = max(of.start_ms * 1_000_000, _FIRST_NS), min(of.end_ms * 1_000_000, _LAST_NS)
    tests = [_one_of("_measurement", {name.metric for name in names})]
    for tag, asked in (("device", of.devices), ("gateway", of.gateways), ("type", of.types)):
        if asked is not None and len(asked) <= _FEW:
            tests.append(_one_of(tag, asked))
    keep = ", ".join(_text(name) for name in _COLUMNS)
    return (
        f"from(bucket: {_text(bucket)}) |> range(start: time(v: {start}), stop: time(v: {end}))"
        f" |> filter(fn: (r) => {' and '.join(tests)})"
        ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        f" |> keep(columns: [{keep}]) |> group()"
    )


def _one_of(column: str, values: Iterable[str]) -> str:
    if column == "type" and "" in values:
        return "true"  # a point of no type has no such tag; what is too much is left out afterwards
    return "(" + " or ".join(f"r[{_text(column)}] == {_text(value)}" for value in sorted(values)) + ")"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _table(answer: bytes) -> pa.Table:
    if not answer.strip():
        return pa.table({})
    types = {"value": pa.float64(), "quality": pa.uint8(), "arrival": pa.int64(), "lag": pa.int64()}
    texts = dict.fromkeys(("_time", "_measurement", "gateway", "device", "type"), pa.string())
    return csv.read_csv(
        BytesIO(answer),
        convert_options=csv.ConvertOptions(column_types={**types, **texts}, strings_can_be_null=False),
    )


def _columns_of(table: pa.Table, numbers: dict[FeedName, int]) -> Stored:
    if not len(table):
        return Stored(ReadingBatch.of([], [], []), np.empty(0, np.int64), np.empty(0, np.int32))
    feed = _feeds_of(table, numbers)
    rows = np.flatnonzero(feed >= 0)
    time = compute.cast(table.column("_time"), pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
    value, quality, arrival, lag = (
        table.column(name).to_numpy()[rows] for name in ("value", "quality", "arrival", "lag")
    )
    batch = ReadingBatch(feed[rows], time[rows] // 1_000_000, value, arrival, quality)
    return Stored(batch, lag, np.arange(len(rows), dtype=np.int32))


def _feeds_of(table: pa.Table, numbers: dict[FeedName, int]) -> Int32:
    """The number of each row's feed, -1 for one that is not asked for; names are looked up once each."""
    columns = [
        table.column(name).combine_chunks() if name in table.column_names else pa.array([""] * len(table))
        for name in ("gateway", "device", "_measurement", "type")
    ]
    joined_names = compute.binary_join_element_wise(*columns, "\0")
    encoded = pa.array(joined_names).dictionary_encode()
    known = [numbers.get(FeedName(*text.split("\0")), -1) for text in encoded.dictionary.to_pylist()]
    found: Int32 = np.array(known, np.int32)[encoded.indices.to_numpy()]
    return found


def _point_time(event_time: Int64, stamp: Int64, quality: UInt8) -> Int64:
    """Times of points, ns: an ordinary reading's is its event time, which no other of its feed has."""
    mixed = (stamp.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    offset = 1 + (mixed % np.uint64(999_999)).astype(np.int64)
    time: Int64 = event_time * 1_000_000 + np.where(quality & _OUT_OF_ORDER, offset, 0)
    return time
