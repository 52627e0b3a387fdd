"""What stands in a record of `readings`: entries of the journal, and the names that they are bound to.

A record is what one bridge has for one partition at one time: several entries in their order. The bodies are those of
the journal, so what a journal entry means live, in a recovery and here is one piece of code. Feeds are numbered by the
session of the bridge that sent them; before a number is used in a partition, its name stands there.
"""

import enum
from typing import Any

import msgspec

from core.errors import DataLossError
from core.reading import ReadingBatch
from ingest.journal import encode_batch

VERSION = 1
Entries = list[tuple[int, bytes]]


class Kind(enum.IntEnum):
    """Kinds of entries beside those of the journal; the numbers stand in Kafka."""

    NAMES = 64
    """Numbers of feeds in this session, and their keys."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One record: whose it is, and its entries as (kind, body)."""

    version: int
    bridge: str
    session: int
    entries: Entries


_encode = msgspec.msgpack.Encoder().encode
_record = msgspec.msgpack.Decoder(Record).decode
_names = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode
_head = msgspec.msgpack.Decoder(list[Any]).decode


def encode_record(bridge: str, session: int, entries: Entries) -> bytes:
    """A record as bytes."""
    return _encode(Record(VERSION, bridge, session, entries))


def decode_record(value: bytes) -> Record:
    """The record that `encode_record` wrote.

    Raises:
        DataLossError: If it is of another version or damaged.
    """
    try:
        record = _record(value)
    except msgspec.MsgspecError as error:
        raise DataLossError(f"it cannot be read ({error})") from error
    if record.version != VERSION:
        raise DataLossError(
            f"it is of version {record.version}, this program reads {VERSION}: upgrade workers before bridges"
        )
    return record


def encode_names(names: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Numbers and keys of feeds as an entry."""
    return Kind.NAMES, _encode(names)


def decode_names(body: bytes) -> list[tuple[int, bytes]]:
    """Numbers and keys of feeds out of an entry.

    Raises:
        DataLossError: If they are damaged.
    """
    try:
        return _names(body)
    except msgspec.MsgspecError as error:
        raise DataLossError(f"names of feeds cannot be read ({error})") from error


def encode_readings(batch: ReadingBatch) -> tuple[int, bytes]:
    """Readings as an entry of the journal's."""
    kind, body = encode_batch(batch)
    return int(kind), body
