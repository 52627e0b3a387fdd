"""The records of a SenML pack in which nothing is unusual, resolved at once: a list a field, not an object a record."""

from dataclasses import dataclass
from operator import add
from typing import Any, NamedTuple

import numpy as np

from core.reading import Float64

_NONE = type(None)
_TEXT, _NUMBER, _TRUTH = frozenset({str}), frozenset({int, float}), frozenset({bool})
Kinds = frozenset[type]


class Labels(NamedTuple):
    """What the fields are called in one representation."""

    bver: object
    bn: object
    bt: object
    bu: object
    bv: object
    bs: object
    n: object
    u: object
    v: object
    vs: object
    vb: object
    vd: object
    s: object
    t: object


@dataclass(slots=True)
class Columns:
    """Resolved records, columns of one length.

    Attributes:
        names: Base name and name together.
        units: As sent; None if no record has one.
        seconds: Times as they stand, float64.
        values: In the units as sent, float64.
    """

    names: list[str]
    units: list[str | None] | None
    seconds: Float64
    values: Float64


class _Unusual(Exception):  # noqa: N818 - it says what a pack is, and never leaves this module
    """A record is not of the plain kind: each has to be looked at by itself."""


def columns_of(records: list[Any], there: set[object], labels: Labels) -> Columns | None:
    """The records as columns, a first one left out that only sets base fields; None where one is unusual.

    Args:
        records: At least one.
        there: All labels that occur in them.
        labels: What the fields are called.
    """
    if labels.vs in there or labels.vd in there or set(map(type, records)) != {dict}:
        return None
    pack = _Pack(records, there)
    try:
        if records[0].keys() <= set(labels[:6]):
            pack.begin()
        names = pack.column(labels.n, "", _TEXT)
        before = pack.carried(labels.bn, "", _TEXT)
        return Columns(
            list(map(add, before, names)) if before is not None else names,
            _units(pack, labels),
            _sum(pack, labels.bt, pack.column(labels.t, 0.0, _NUMBER)),
            _values(pack, labels),
        )
    except (_Unusual, OverflowError):
        return None


@dataclass(slots=True)
class _Pack:
    """Plain records, and what a first one without a value has set for them."""

    records: list[dict[Any, Any]]
    there: set[object]
    first: dict[Any, Any] | None = None

    def begin(self) -> None:
        """Take the first record as one that only sets base fields."""
        self.first, self.records = self.records[0], self.records[1:]

    def column(self, label: object, missing: Any, kinds: Kinds) -> list[Any]:
        """A field of every record."""
        if label not in self.there:
            return [missing] * len(self.records)
        found = [record.get(label, missing) for record in self.records]
        if not kinds.issuperset(map(type, found)):
            raise _Unusual
        return found

    def carried(self, label: object, missing: Any, kinds: Kinds) -> list[Any] | None:
        """A base field as it is in force for every record; None if there is none."""
        if label not in self.there:
            return None
        last = None if self.first is None else self.first.get(label)
        last = missing if last is None else last
        found = [last := last if (own := record.get(label)) is None else own for record in self.records]
        if not kinds.issuperset(map(type, found)):
            raise _Unusual
        return found


def _units(pack: _Pack, labels: Labels) -> list[str | None] | None:
    found = pack.carried(labels.bu, None, _TEXT | {_NONE})
    if labels.u in pack.there:
        own = pack.column(labels.u, None, _TEXT | {_NONE})
        found = own if found is None else [b if a is None else a for a, b in zip(own, found, strict=True)]
    if found is None or labels.vb not in pack.there:
        return found
    # True and false have no unit, whatever the base unit of the numbers is.
    return [unit if record.get(labels.vb) is None else None for unit, record in zip(found, pack.records, strict=True)]


def _sum(pack: _Pack, base: object, own: list[Any]) -> Float64:
    """Numbers with what stands in a base field added to them."""
    numbers = np.array(own, np.float64)
    more = pack.carried(base, 0.0, _NUMBER)
    if more is None:
        return numbers
    added = np.array(more, np.float64)
    if not np.isfinite(added).all():
        raise _Unusual
    with np.errstate(all="ignore"):
        return numbers + added


def _values(pack: _Pack, labels: Labels) -> Float64:
    if labels.vb not in pack.there:
        return _sum(pack, labels.bv, pack.column(labels.v, None, _NUMBER))
    if labels.bv in pack.there:
        raise _Unusual  # a base value is added to numbers only
    number = pack.column(labels.v, None, _NUMBER | {_NONE})
    truth = pack.column(labels.vb, None, _TRUTH | {_NONE})
    if any((one is None) == (other is None) for one, other in zip(number, truth, strict=True)):
        raise _Unusual
    return np.array([one if other is None else other for one, other in zip(number, truth, strict=True)], np.float64)
