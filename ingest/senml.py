"""SenML packs, JSON and CBOR, to rows or refusals. Pure.

A pack is resolved as RFC 8428 has it: base fields hold for their record and for those behind it. A pack in which
nothing is unusual is taken in columns (`ingest.senml_columns`); any other, and what is unusual in one, record by record
here, which alone gives the same.

References: RFC 8428 (verified: no; the draft that became it was read), RFC 9100 for `bver`, RFC 9039 for DEV URNs.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.reading import Float64, Int32, Quality
from ingest.cbor import read_cbor
from ingest.codec import Malformed, read_json
from ingest.kernel_names import find_names
from ingest.registry import FeedRegistry
from ingest.rejected import Reason, Rejected
from ingest.rows import LAST_MS, Resolve, Row, Rows, checked_time, feed_of, finite, of_clock
from ingest.senml_columns import Columns, Labels, columns_of
from ingest.units import AMBIGUOUS, FeedUnits

JSON = Labels("bver", "bn", "bt", "bu", "bv", "bs", "n", "u", "v", "vs", "vb", "vd", "s", "t")
CBOR = Labels(-1, -2, -3, -4, -5, -6, 0, 1, 2, 3, 4, 8, 5, 6)
RELATIVE_BELOW = 1 << 28
"""A time below this is so many seconds from now; from it on it is seconds since the epoch."""
VERSIONS = frozenset({*range(1, 11), 26})
"""`bver` that is understood: up to RFC 8428's own, and that with secondary units (RFC 9100, feature 4)."""
NO_METRIC = "value"
"""The metric of a name that is only a device's."""
_URN = "urn:dev:"
_FEW = 6
"""Up to so many records columns cost more than they save."""
_MOST_KEY = 1024
_MOST_MS = float(1 << 62)

Record = Mapping[Any, Any]


def split_name(name: str) -> tuple[str, str]:
    """(device, metric) of a resolved name.

    The last `/` or `:` parts them. A DEV URN is one device as a whole, and what follows it behind `:`, `/` or `_` is
    the metric. A name of one part is a device's, whose metric is `value`.
    """
    kind = name.find(":", len(_URN)) if name.startswith(_URN) else -1
    if kind >= 0:
        at = min((at for at in (name.find(sign, kind + 1) for sign in ":/_") if at >= 0), default=-1)
    else:
        at = max(name.rfind("/"), name.rfind(":"))
    return (name, NO_METRIC) if at < 0 else (name[:at], name[at + 1 :])


class _No(NamedTuple):
    """Why a record is no reading."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class _Said:
    """A record with its base fields applied: the time in seconds as it stands, the value in the unit it has there."""

    name: str
    unit: str | None
    seconds: float
    value: float


@dataclass(slots=True)
class _Base:
    """The base fields in force."""

    name: str = ""
    time: float = 0.0
    unit: str | None = None
    value: float = 0.0

    def take(self, record: Record, labels: Labels) -> str | None:
        """Let those of a record hold; what is wrong with them, None for nothing."""
        name, unit = record.get(labels.bn), record.get(labels.bu)
        if not isinstance(name, str | None) or not isinstance(unit, str | None):
            return "bn and bu are text"
        time, value = _number(record.get(labels.bt), self.time), _number(record.get(labels.bv), self.value)
        if isinstance(time, _No) or isinstance(value, _No):
            return "bt and bv are finite numbers"
        self.name = self.name if name is None else name
        self.unit = self.unit if unit is None else unit
        self.time, self.value = time, value
        return None


@dataclass(frozen=True, slots=True)
class _Came:
    """How a pack came, and what its times are measured against."""

    topic: str
    gateway: str
    payload: bytes
    retained: bool
    arrival_ms: int
    latest_ms: int

    def refused(self, reason: Reason, detail: str) -> Rejected:
        """A refusal of one of its records."""
        return Rejected(reason, self.topic, detail, self.payload)

    def time(self, seconds: float) -> int | Rejected:
        """The event time in ms that a resolved time means."""
        relative = seconds < RELATIVE_BELOW
        if relative and self.retained:
            return self.refused(
                Reason.RETAINED_WITHOUT_TIME, "its time is relative to now, and nobody knows how old it is"
            )
        ms = seconds * 1000.0
        if not abs(ms) < _MOST_MS:
            return self.refused(Reason.BAD_TIME, f"{seconds:g} s is not between 1970 and 9999")
        return checked_time(self.topic, round(ms) + (self.arrival_ms if relative else 0), self.latest_ms, self.payload)


class Senml:
    """One representation of SenML: a `Form` of the codec.

    Args:
        read: Bytes to lists and mappings, or why not.
        labels: What the fields are called there.
        registry: Known feeds.
        resolve: Finds or makes the feed of (gateway, device, metric).
        units: Of the feeds.
        max_pack: Most records of one pack.
    """

    def __init__(
        self,
        read: Callable[[bytes], object],
        labels: Labels,
        *,
        registry: FeedRegistry,
        resolve: Resolve,
        units: FeedUnits,
        max_pack: int,
    ) -> None:
        self._read = read
        self._labels = labels
        self._registry = registry
        self._resolve = resolve
        self._units = units
        self._max_pack = max_pack
        self._key = np.zeros(_MOST_KEY, np.uint8)

    def decode(
        self, topic: str, gateway: str, payload: bytes, *, retained: bool, arrival: int, latest_ms: int
    ) -> Iterator[Row | Rows | Rejected]:
        """The readings of a pack; records that are wrong do not take good ones with them."""
        records = self._read(payload)
        if not isinstance(records, list) or not 0 < len(records) <= self._max_pack:
            yield self._no_pack(topic, records, payload)
            return
        there: set[object] = set().union(*(record for record in records if isinstance(record, dict)))
        fault = self._not_understood(records, there)
        if fault is not None:
            yield Rejected(Reason.NOT_UNDERSTOOD, topic, fault, payload)
            return
        came = _Came(topic, gateway, payload, retained, arrival // 1_000_000, latest_ms)
        columns = columns_of(records, there, self._labels) if len(records) > _FEW else None
        feeds = None if columns is None else self._find(gateway, columns.names)
        if columns is None or feeds is None:
            yield from self._one_by_one(records, came)
        else:
            yield from self._settled(columns, feeds, came)

    def warm_up(self) -> None:
        """Have the kernel compiled; no state changes."""
        self._find("", [])

    def _no_pack(self, topic: str, records: object, payload: bytes) -> Rejected:
        if isinstance(records, list) and records:
            detail = f"{len(records)} records in one pack, at most {self._max_pack} are taken"
            return Rejected(Reason.OVERSIZED_PACK, topic, detail, payload)
        expected = 'expected an array of records, [{"n": "device/metric", "v": number}, ...]'
        return Rejected(Reason.MALFORMED, topic, records.why if isinstance(records, Malformed) else expected, payload)

    def _not_understood(self, records: list[Any], there: set[object]) -> str | None:
        """What has to be understood and is not: then nothing of the pack need mean what it seems to mean."""
        for label in there:
            if isinstance(label, str) and label.endswith("_"):
                return f"{label!r} has to be understood, as it ends with _, and is not"
        if self._labels.bver in there:
            for version in (record.get(self._labels.bver) for record in records if isinstance(record, dict)):
                if version is not None and not _is_version(version):
                    return "its bver is not understood: up to 10, and 26, are"
        return None

    def _one_by_one(self, records: list[Any], came: _Came) -> Iterator[Row | Rejected]:
        base = _Base()
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                yield came.refused(Reason.MALFORMED, f"record {index}: expected an object")
                continue
            fault = base.take(record, self._labels)
            if fault is not None:
                yield came.refused(Reason.MALFORMED, f"record {index}: {fault}; it and what follows has no meaning")
                return
            said = self._said(record, base)
            if isinstance(said, _No):
                yield came.refused(said.reason, f"record {index}: {said.detail}")
            elif said is not None:
                yield self._row(said, came)

    def _said(self, record: Record, base: _Base) -> _Said | _No | None:
        """One record resolved, or why it is refused; None for one that only sets base fields."""
        labels = self._labels
        value = self._value(record, base)
        if not isinstance(value, float):
            return value
        name, unit = record.get(labels.n), record.get(labels.u)
        if not isinstance(name, str | None) or not isinstance(unit, str | None):
            return _No(Reason.MALFORMED, "n and u are text")
        time = _number(record.get(labels.t), 0.0)
        if isinstance(time, _No):
            return _No(Reason.BAD_TIME, "t is a finite number of seconds")
        if record.get(labels.vb) is not None:
            unit = None  # true and false have none, whatever the base unit of the numbers is
        elif unit is None:
            unit = base.unit
        return _Said(base.name + (name or ""), unit, base.time + time, value)

    def _value(self, record: Record, base: _Base) -> float | _No | None:
        labels = self._labels
        given = [label for label in (labels.v, labels.vs, labels.vb, labels.vd) if record.get(label) is not None]
        if len(given) > 1:
            return _No(Reason.MALFORMED, "it has more than one value")
        if not given:
            if record.get(labels.s) is not None:
                return _No(Reason.NOT_A_NUMBER, "a sum alone is no reading")
            bare = all(record.get(label) is None for label in (labels.n, labels.u, labels.t))
            return None if bare else _No(Reason.MALFORMED, "it has no value")
        value = record[given[0]]
        if given[0] == labels.vb and isinstance(value, bool):
            return float(value)
        if given[0] == labels.v:
            number = _number(value, 0.0)
            return number if isinstance(number, _No) else base.value + number
        kind = type(value).__name__
        return _No(Reason.NOT_A_NUMBER, f"{kind} where a number (v) or true or false (vb) stands")

    def _row(self, said: _Said, came: _Came) -> Row | Rejected:
        """A resolved record to a row: its time, its feed, its unit."""
        device, metric = split_name(said.name)
        if not math.isfinite(said.value):
            return came.refused(Reason.NOT_FINITE, f"{device}/{metric}: not a finite number")
        relative = said.seconds < RELATIVE_BELOW
        at = came.time(said.seconds)
        if isinstance(at, Rejected):
            return at if relative else of_clock(at, device, (metric,), said.seconds * 1000.0)
        feed = feed_of(self._resolve, came.topic, (came.gateway, device, metric), said.value, came.payload)
        if isinstance(feed, Rejected):
            return feed
        conversion = self._units.conversion(said.unit, feed)
        if conversion is None:
            unit = self._units.unit(feed) or "none"
            return came.refused(Reason.WRONG_UNIT, f"{device}/{metric}: {_unit_fault(said.unit, unit)}")
        value = conversion(said.value)
        if not math.isfinite(value):
            return came.refused(Reason.NOT_FINITE, f"{device}/{metric}: not a finite number")
        return (feed, at, value, int(Quality.NO_TIME) if relative else 0)

    def _find(self, gateway: str, names: list[str]) -> Int32 | None:
        """The feeds of names, -1 where one is not known; None where that cannot be told all at once."""
        # JSON can name half of a surrogate pair, which is nobody's name.
        head = gateway.encode(errors="surrogatepass")
        if len(head) >= _MOST_KEY:
            return None
        tail = "\n".join(names).encode(errors="surrogatepass")
        text = np.frombuffer(head + b"\n" + NO_METRIC.encode() + b"\n" + tail, np.uint8)
        found = np.empty(len(names), np.int32)
        reg = self._registry
        prefix = len(text) - len(tail)
        lines = find_names(text, len(head), prefix, reg.slots, reg.hashes, reg.arena, reg.starts, self._key, found)
        return found if lines == len(names) else None

    def _settled(self, columns: Columns, feed: Int32, came: _Came) -> Iterator[Rows | Rejected]:
        """Columns to rows: all at once what can be, and one by one what is new or refused."""
        relative = columns.seconds < RELATIVE_BELOW
        with np.errstate(all="ignore"):
            ms = np.rint(columns.seconds * 1000.0)
            if relative.any():
                ms[relative] += came.arrival_ms
            good = (feed >= 0) & (ms >= 0) & (ms <= min(came.latest_ms, LAST_MS))
            if came.retained:
                good &= ~relative
            value = self._converted(columns, feed, good)
            good &= np.isfinite(value)
            at = ms.astype(np.int64)
        quality = relative.astype(np.uint8)
        for i in np.flatnonzero(~good).tolist():
            unit = None if columns.units is None else columns.units[i]
            said = _Said(columns.names[i], unit, float(columns.seconds[i]), float(columns.values[i]))
            item = self._row(said, came)
            if isinstance(item, Rejected):
                yield item
            else:
                feed[i], at[i], value[i], quality[i] = item
                good[i] = True
        yield Rows(feed, at, value, quality) if good.all() else Rows(feed[good], at[good], value[good], quality[good])

    def _converted(self, columns: Columns, feed: Int32, good: NDArray[np.bool_]) -> Float64:
        """The values of good rows in the units of their feeds; a row whose unit does not fit is good no more."""
        if columns.units is None:
            return columns.values
        value = columns.values.copy()
        if good.all():
            good &= self._units.convert(value, columns.units, feed)
            return value
        rows = np.flatnonzero(good)
        some = value[rows]
        good[rows] = self._units.convert(some, [columns.units[i] for i in rows.tolist()], feed[rows])
        value[rows] = some
        return value


def forms_of(registry: FeedRegistry, resolve: Resolve, units: FeedUnits, *, max_pack: int) -> dict[str, Senml]:
    """Both representations by the last level of their topics."""
    return {
        "senml": Senml(read_json, JSON, registry=registry, resolve=resolve, units=units, max_pack=max_pack),
        "senml-cbor": Senml(read_cbor, CBOR, registry=registry, resolve=resolve, units=units, max_pack=max_pack),
    }


def _is_version(version: object) -> bool:
    return isinstance(version, int | float) and not isinstance(version, bool) and version in VERSIONS


def _number(given: object, missing: float) -> float | _No:
    """A number of a record."""
    if given is None:
        return missing
    if isinstance(given, bool) or not isinstance(given, int | float):
        return _No(Reason.NOT_A_NUMBER, f"{type(given).__name__} where a number stands")
    number = finite(given)
    return _No(Reason.NOT_FINITE, "not a finite number") if number is None else number


def _unit_fault(sent: str | None, unit: str) -> str:
    if sent == AMBIGUOUS:
        return "% is a ratio in RFC 8428 and a percentage elsewhere: send %RH, %EL, / (0 to 1) or no unit"
    return f"{sent} is not known to be the same quantity as its unit, {unit}"
