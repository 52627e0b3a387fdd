"""What stands in a record of `alerts`: changes of alerts of one place, in their order."""

import msgspec

from alerts.change import AlertChange
from core.errors import DataLossError

VERSION = 1


class Told(msgspec.Struct, frozen=True, array_like=True):
    """One record."""

    version: int
    changes: list[AlertChange]


_decoder = msgspec.msgpack.Decoder(Told)
_encoder = msgspec.msgpack.Encoder()


def encode_told(changes: list[AlertChange]) -> bytes:
    """Changes as bytes."""
    return _encoder.encode(Told(VERSION, changes))


def decode_told(value: bytes) -> list[AlertChange]:
    """The changes that `encode_told` wrote.

    Raises:
        DataLossError: If they are damaged or of another version.
    """
    try:
        told = _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise DataLossError(f"a record of alerts cannot be read: {error}") from error
    if told.version != VERSION:
        raise DataLossError(f"a record of alerts is of version {told.version}, this program reads {VERSION}")
    return told.changes


def by_place(changes: list[AlertChange]) -> dict[str, list[AlertChange]]:
    """Changes by place, each in its order."""
    places: dict[str, list[AlertChange]] = {}
    for change in changes:
        places.setdefault(change.data.place, []).append(change)
    return places
