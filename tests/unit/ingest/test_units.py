"""A unit that is sent is the metric's, is brought into it, or is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.units import SAME, FeedUnits, conversion


@pytest.mark.parametrize(
    ("sent", "value", "unit", "expected"),
    [
        ("Cel", 23.1, "Cel", 23.1),
        ("K", 296.25, "Cel", 23.1),
        ("Cel", 100.0, "[degF]", 212.0),
        ("Pa", 140_000.0, "MPa", 0.14),
        ("kPa", 140.0, "MPa", 0.14),
        ("hPa", 1400.0, "MPa", 0.14),
        ("m", 0.29, "cm", 29.0),
        ("m", 0.07, "cm", 7.0),
        ("mm", 5.0, "cm", 0.5),
        ("A", 0.3, "mA", 300.0),
        ("m3/s", 0.01, "m3/h", 36.0),
        ("km/h", 36.0, "m/s", 10.0),
        ("kg/m3", 1e-6, "mg/m3", 1.0),
        ("ug/m3", 250.0, "mg/m3", 0.25),
        ("mg/l", 3.0, "mg/L", 3.0),
        ("%RH", 45.0, "%", 45.0),
        ("%EL", 45.0, "%", 45.0),
        ("/", 0.45, "%", 45.0),
        ("/1000", 7.0, "[ppth]", 7.0),
        ("ppm", 120.0, "10*-6", 120.0),
        ("rad", 0.1, "deg", 5.72957795130823),
        ("count", 3.0, "1", 3.0),
        ("/", 1.0, "", 1.0),
        ("NTU", 1.5, "{NTU}", 1.5),
        ("pH", 7.0, "[pH]", 7.0),
        ("%{LEL}", 20.0, "%{LEL}", 20.0),
        ("furlong", 3.0, "furlong", 3.0),
    ],
)
def test_a_known_unit_is_brought_into_the_metrics(sent: str, value: float, unit: str, expected: float) -> None:
    found = conversion(sent, unit)
    assert found is not None
    assert found(value) == expected
    units = FeedUnits(4, lambda _: unit)
    values = np.array([value, 5.0])
    assert units.convert(values, [sent, None], np.array([0, 3], np.int32)).all()
    assert values.tolist() == [expected, 5.0]


@pytest.mark.parametrize(
    ("sent", "unit"),
    [
        ("%", "%"),  # a ratio or a percentage, nobody knows which
        ("%", "%{LEL}"),
        ("V", "A"),
        ("C", "Cel"),  # a coulomb
        ("cel", "Cel"),
        ("%RH", "%{LEL}"),
        ("ppm", "mg/m3"),
        ("Cel", ""),
        ("", "Cel"),
        ("count", "%"),
        ("lat", "deg"),
        ("furlong", "m"),
        ("m", "m/s"),
    ],
)
def test_another_quantity_or_an_unknown_unit_is_refused(sent: str, unit: str) -> None:
    assert conversion(sent, unit) is None
    values = np.array([1.0])
    assert not FeedUnits(1, lambda _: unit).convert(values, [sent], np.array([0], np.int32)).any()
    assert values.tolist() == [1.0]


def test_where_no_type_says_a_unit_any_is_taken() -> None:
    units = FeedUnits(1, lambda _: None)
    assert units.conversion("furlong", 0) == SAME
    assert units.convert(np.array([1.0, 1.0]), ["furlong", "%"], np.array([0, 0], np.int32)).all()


def test_a_feed_of_another_type_gets_the_unit_of_that() -> None:
    now = {0: "cm"}
    units = FeedUnits(1, now.__getitem__)
    feed = np.array([0], np.int32)
    values = np.array([1.0])
    assert units.convert(values, ["m"], feed).all()
    now[0] = "A"
    units.forget([0])
    assert not units.convert(np.array([1.0]), ["m"], feed).any()
    assert values.tolist() == [100.0]


def test_more_units_than_there_are_numbers_are_looked_at_one_by_one() -> None:
    """They come back as not known, and `conversion` decides."""
    names = [f"unit-{i}" for i in range(600)]
    units = FeedUnits(600, names.__getitem__)
    feeds = np.arange(600, dtype=np.int32)
    good = units.convert(np.zeros(600), list(names), feeds)
    assert good[:200].all()
    assert not good[-200:].any()
    assert all(units.conversion(names[i], i) == SAME for i in range(600))


decimals = st.decimals(-(10**9), 10**9, places=4).map(float)
pairs = st.sampled_from([("m", "cm"), ("Pa", "MPa"), ("K", "Cel"), ("[degF]", "Cel"), ("rad", "deg"), ("m3/h", "m3/s")])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.one_of(decimals, st.floats(allow_nan=False, allow_infinity=False)), pairs), min_size=1))
def test_arrays_are_converted_as_single_values_are(rows: list[tuple[float, tuple[str, str]]]) -> None:
    units = FeedUnits(len(rows), [unit for _, (_, unit) in rows].__getitem__)
    values = np.array([value for value, _ in rows])
    with np.errstate(all="ignore"):
        assert units.convert(values, [sent for _, (sent, _) in rows], np.arange(len(rows), dtype=np.int32)).all()
    one_by_one = [found(value) for value, pair in rows if (found := conversion(*pair)) is not None]
    assert values.tolist() == one_by_one


@settings(max_examples=50, deadline=None)
@given(st.integers(-(10**7), 10**7))
def test_a_decimal_of_metres_is_the_decimal_of_centimetres(hundredths: int) -> None:
    found = conversion("m", "cm")
    assert found is not None
    assert found(hundredths / 10_000) == hundredths / 100
