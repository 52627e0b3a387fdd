"""Sparkplug B payloads written and read byte by byte, without a library: the slow twin of `ingest.sparkplug`.

References: Protocol Buffers, "Encoding" (verified: no, from memory); Sparkplug 3.0.0, chapter 6 (verified: yes).
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64}
FLOAT, DOUBLE, BOOLEAN, STRING = 9, 10, 11, 12
INT_VALUE, LONG_VALUE, FLOAT_VALUE, DOUBLE_VALUE, BOOLEAN_VALUE, STRING_VALUE = 10, 11, 12, 13, 14, 15


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def number_field(field: int, number: int) -> bytes:
    return varint(field << 3 | VARINT) + varint(number)


def bytes_field(field: int, content: bytes) -> bytes:
    return varint(field << 3 | BYTES) + varint(len(content)) + content


def value_field(field: int, value: float | bytes) -> bytes:
    if isinstance(value, bytes):
        return bytes_field(field, value)
    if field == FLOAT_VALUE:
        return varint(field << 3 | FOUR) + struct.pack("<f", value)
    if field == DOUBLE_VALUE:
        return varint(field << 3 | EIGHT) + struct.pack("<d", value)
    return number_field(field, int(value))


def encoded(datatype: int, value: float) -> bytes:
    """The value of a metric as a sender writes it who keeps to the standard."""
    if datatype in (FLOAT, DOUBLE):
        return value_field(FLOAT_VALUE if datatype == FLOAT else DOUBLE_VALUE, value)
    if datatype == BOOLEAN:
        return value_field(BOOLEAN_VALUE, value)
    wide = datatype in (4, 8)
    bits = 64 if wide else 32
    return value_field(LONG_VALUE if wide else INT_VALUE, int(value) & ((1 << bits) - 1))


def metric(
    value: bytes = b"",
    *,
    name: str | bytes | None = None,
    alias: int | None = None,
    time: int | None = None,
    datatype: int | None = None,
    historical: bool = False,
    null: bool = False,
    quality: int | None = None,
) -> bytes:
    out = b"" if name is None else bytes_field(1, name.encode() if isinstance(name, str) else name)
    for field, number in ((2, alias), (3, time), (4, datatype)):
        out += b"" if number is None else number_field(field, number)
    out += number_field(5, 1) if historical else b""
    out += number_field(7, 1) if null else b""
    if quality is not None:
        out += bytes_field(
            9, bytes_field(1, b"Quality") + bytes_field(2, number_field(1, 3) + number_field(3, quality))
        )
    return out + value


def payload(metrics: Sequence[bytes], *, time: int | None = None, seq: int | None = None) -> bytes:
    out = b"" if time is None else number_field(1, time)
    out += b"".join(bytes_field(2, one) for one in metrics)
    return out + (b"" if seq is None else number_field(3, seq))


@dataclass(frozen=True)
class Read:
    """One metric as it was read."""

    who: int | str
    time: int | None
    value: float | None
    historical: bool


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0

    def read_varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number & ((1 << 64) - 1)

    while at < len(data):
        tag = read_varint()
        field, wire = tag >> 3, tag & 7
        if wire == VARINT:
            yield field, read_varint()
        else:
            size = {EIGHT: 8, FOUR: 4}.get(wire) or read_varint()
            yield field, data[at : at + size]
            at += size


def read(data: bytes, types: Mapping[Any, int]) -> list[Read]:
    """The metrics of a DATA message whose births gave these types, by alias or name; a value that is none is None."""
    found = []
    top = list(fields(data))
    sent = next((number for field, number in top if field == 1), None)
    for field, content in top:
        if field != 2:
            continue
        assert isinstance(content, bytes)
        parts = dict(fields(content))
        who = parts[2] if 2 in parts else bytes(parts[1]).decode()
        assert isinstance(who, int | str)
        time = parts.get(3, sent)
        assert time is None or isinstance(time, int)
        value = None if parts.get(7) else number_of(parts, types[who])
        found.append(Read(who, time, value, bool(parts.get(5))))
    return found


def number_of(parts: Mapping[int, int | bytes], datatype: int) -> float | None:
    bits = SIGNED.get(datatype) or UNSIGNED.get(datatype)
    if bits:
        raw = parts.get(INT_VALUE, parts.get(LONG_VALUE))
        if not isinstance(raw, int):
            return None
        raw %= 2**bits
        return float(raw - 2**bits if datatype in SIGNED and raw >= 2 ** (bits - 1) else raw)
    if datatype == BOOLEAN:
        truth = parts.get(BOOLEAN_VALUE)
        return float(bool(truth)) if isinstance(truth, int) else None
    for field, form in ((FLOAT_VALUE, "<f"), (DOUBLE_VALUE, "<d")):
        content = parts.get(field)
        if datatype in (FLOAT, DOUBLE) and isinstance(content, bytes):
            value: float = struct.unpack(form, content)[0]
            return value if math.isfinite(value) else None
    return None
