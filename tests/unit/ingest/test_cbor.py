"""CBOR out of the network: cbor2 makes nothing of it that a pack has no need of."""

import struct

import pytest

from ingest.cbor import MOST_DEEP, TAGGED, read_cbor
from ingest.codec import Malformed

BODIES = [b"\x01", b"\x80", b"\x61a", b"\x41a", b"\x82\x01\x02", b"\xa0", b"\xf6", b"\xfb" + b"\x7f" * 8]


def head(major: int, number: int) -> bytes:
    """The first bytes of an item, as RFC 8949 has them."""
    if number < 24:
        return bytes([major << 5 | number])
    for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError(number)


def test_a_tag_makes_a_number_or_nothing() -> None:
    for number in [*range(300), 1004, 43_000, 55_799, 1 << 40]:
        for body in BODIES:
            found = read_cbor(head(6, number) + body)
            assert found is TAGGED or isinstance(found, int | float | Malformed), (number, body, found)


def test_depth_is_bounded() -> None:
    assert isinstance(read_cbor(b"\x81" * MOST_DEEP + b"\x01"), list)
    assert isinstance(read_cbor(b"\x81" * (MOST_DEEP + 1) + b"\x01"), Malformed)
    assert isinstance(read_cbor(b"\x81" * 1_000_000), Malformed)


@pytest.mark.parametrize("major", [2, 3, 4, 5])
def test_a_length_that_is_not_there_costs_nothing(major: int) -> None:
    for number in (1 << 20, 1 << 40, (1 << 64) - 1):
        assert isinstance(read_cbor(head(major, number)), Malformed)


@pytest.mark.parametrize(
    ("exponent", "mantissa", "value"), [(-2, 27_315, 273.15), (3, -5, -5000.0), (-400, 1, 0.0), (0, 0, 0.0)]
)
def test_a_decimal_fraction_is_the_nearest_double(exponent: int, mantissa: int, value: float) -> None:
    parts = [head(0, part) if part >= 0 else head(1, -1 - part) for part in (exponent, mantissa)]
    assert read_cbor(b"\xc4\x82" + parts[0] + parts[1]) == value


def test_numbers_of_every_width_are_read() -> None:
    for packed in (b"\xf9\x3e\x00", b"\xfa" + struct.pack(">f", 1.5), b"\xfb" + struct.pack(">d", 1.5)):
        assert read_cbor(packed) == 1.5
    assert [read_cbor(head(0, 1 << bits)) for bits in (0, 8, 16, 32, 63)] == [1 << bits for bits in (0, 8, 16, 32, 63)]
