import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.datum import from_wgs84, gcj02_of, metres_around, to_wgs84, wgs84_of_gcj02
from core.errors import ConfigError

in_china = st.tuples(st.floats(73.5, 135.0), st.floats(3.9, 53.5))
outside = st.tuples(st.floats(-170, 70), st.floats(-85, 85))


@given(in_china)
def test_gcj02_comes_back_to_better_than_a_ten_millionth_of_a_degree(point: tuple[float, float]) -> None:
    xy = np.array([point])
    assert np.abs(wgs84_of_gcj02(gcj02_of(xy)) - xy).max() < 1e-9


@given(in_china)
def test_gcj02_shifts_by_some_hundred_metres_in_china(point: tuple[float, float]) -> None:
    xy = np.array([point])
    shift = np.abs(gcj02_of(xy) - xy).max()
    assert 1e-5 < shift < 0.02


@given(outside)
def test_gcj02_shifts_nothing_elsewhere(point: tuple[float, float]) -> None:
    xy = np.array([point])
    assert np.array_equal(gcj02_of(xy), xy)
    assert np.array_equal(wgs84_of_gcj02(xy), xy)


def test_a_known_point_of_shanghai_shifts_as_everybody_says() -> None:
    # The test point of the public "eviltransform" implementations: 31.1774276, 121.5272106 -> 31.17530398, 121.53162...
    found = gcj02_of(np.array([[121.5272106, 31.1774276]]))
    assert found[0] == pytest.approx([121.531541859215, 31.17530398364597], abs=1e-9)


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "EPSG:4549", "+proj=tmerc +lat_0=31.2 +lon_0=121.46 +ellps=WGS84"])
def test_every_datum_comes_back_to_the_centimetre(datum: str) -> None:
    xy = np.array([[121.4, 31.05], [121.31, 31.15]])
    assert np.abs(to_wgs84(datum)(from_wgs84(datum)(xy)) - xy).max() < 1e-8


def test_a_datum_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither wgs84 nor gcj02"):
        to_wgs84("shanghai-city-grid")


def test_metres_on_the_plane_are_those_of_the_ellipsoid_to_a_hundred_thousandth() -> None:
    import pyproj  # noqa: PLC0415 - the referee

    plane, ellipsoid = metres_around(121.4, 31.06), pyproj.Geod(ellps="WGS84")
    for east, north in ((0.0, 0.0), (0.2, 0.1), (-0.25, -0.12)):
        a, b = (121.4 + east, 31.06 + north), (121.403 + east, 31.063 + north)
        true = ellipsoid.inv(*a, *b)[2]
        flat = np.hypot(*np.subtract(plane.transform(*a), plane.transform(*b)))
        assert flat == pytest.approx(true, rel=1e-5)
