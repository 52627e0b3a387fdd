"""What stands in a record of `alerts`: changes of alerts, and of the ledger, of one place, in their order."""

import msgspec

from alerts.change import AlertChange
from alerts.kept import LedgerChange
from core.errors import DataLossError

VERSION = 1


class Told(msgspec.Struct, frozen=True, array_like=True):
    """One record."""

    version: int
    changes: list[AlertChange]
    ledger: list[LedgerChange] = []


_decoder = msgspec.msgpack.Decoder(Told)
_encoder = msgspec.msgpack.Encoder()


def encode_told(changes: list[AlertChange], ledger: list[LedgerChange] | None = None) -> bytes:
    """Changes as bytes."""
    return _encoder.encode(Told(VERSION, changes, ledger or []))


def decode_told(value: bytes) -> Told:
    """What `encode_told` wrote.

    Raises:
        DataLossError: If they are damaged or of another version.
    """
    try:
        told = _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise DataLossError(f"a record of alerts cannot be read: {error}") from error
    if told.version != VERSION:
        raise DataLossError(f"a record of alerts is of version {told.version}, this program reads {VERSION}")
    return told


def by_place(
    changes: list[AlertChange], ledger: list[LedgerChange]
) -> dict[str, tuple[list[AlertChange], list[LedgerChange]]]:
    """Changes of alerts and of the ledger by place, each in their order."""
    places: dict[str, tuple[list[AlertChange], list[LedgerChange]]] = {}
    for change in changes:
        places.setdefault(change.data.place, ([], []))[0].append(change)
    for one in ledger:
        places.setdefault(one.data.place, ([], []))[1].append(one)
    return places
