"""CBOR payloads to lists, mappings, text and numbers; whatever else a tag may mean is made nothing of.

cbor2 would make regular expressions, messages, sets and shared values of what a sender writes. Nothing here needs them,
so a tagged value is `TAGGED`, but for big integers and for decimal fractions, which RFC 8428 allows for numbers.

References: RFC 8949 (verified: no, from memory); the behaviour of cbor2 6.3 was tried.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from cbor2 import CBORDecodeEOF, CBORDecodeError, CBORDecoder

from ingest.codec import Malformed

MOST_DEEP = 32
"""Containers within each other; a pack has two."""
_READ = 1 << 16
_MOST_EXPONENT = 400
_MOST_MANTISSA = 1 << 64


class Tagged:
    """A value that a tag gives another meaning."""


TAGGED: Final = Tagged()


def read_cbor(payload: bytes) -> object:
    """What one CBOR item says, or why it says nothing; bytes behind it make it malformed, as a second pack would."""
    decoder = CBORDecoder(
        BytesIO(payload), semantic_decoders=_OF_TAG, tag_hook=_tagged, max_depth=MOST_DEEP, read_size=_READ
    )
    try:
        item = decoder.decode()
    except CBORDecodeError as error:
        return Malformed(str(error))
    try:
        decoder.read(1)
    except CBORDecodeEOF:
        return item
    return Malformed("something stands behind the end of the pack")


def _tagged(value: object, immutable: bool) -> Tagged:  # noqa: ARG001, FBT001 - as cbor2 calls it
    return TAGGED


def _decimal(value: Any, immutable: bool) -> float | Tagged:  # noqa: ARG001, FBT001 - as cbor2 calls it
    """A decimal fraction `[exponent, mantissa]` as the nearest double."""
    if not isinstance(value, Sequence) or len(value) != 2 or not all(type(part) is int for part in value):
        return TAGGED
    exponent, mantissa = value
    if abs(exponent) > _MOST_EXPONENT or abs(mantissa) > _MOST_MANTISSA:
        return TAGGED
    return float(f"{mantissa}e{exponent}")


_OF_TAG = {
    **dict.fromkeys(
        (0, 1, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43_000, 55_799), _tagged
    ),
    4: _decimal,
}
"""Every tag that cbor2 6.3 knows, but for those of big integers (2 and 3)."""
