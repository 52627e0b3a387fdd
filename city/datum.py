"""Where coordinates come from: WGS-84, GCJ-02, or any local grid that PROJ knows. Inside everything is WGS-84.

GCJ-02 shifts points in China by some hundred metres; the shift is a function of the place and has no published inverse.
Forward it is computed as by everybody, back by iteration. Outside a box around China it shifts nothing.

References:
    The forward formulas are those of the public "eviltransform" family of implementations (verified: no, from memory);
    the constants are the Krasovsky 1940 ellipsoid's.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from core.errors import ConfigError

if TYPE_CHECKING:
    import pyproj

Floats = npt.NDArray[np.float64]
WGS84 = "wgs84"
GCJ02 = "gcj02"
DECIMALS = 7
"""Of a degree in files, as RFC 7946 advises: about a centimetre."""

_A = 6_378_245.0
_EE = 0.00669342162296594323
_CHINA = (72.004, 0.8293, 137.8347, 55.8271)
_MOST_ROUNDS = 30
_CLOSE_ENOUGH = 1e-11


def gcj02_of(xy: Floats) -> Floats:
    """GCJ-02 of WGS-84 points, shape (n, 2), degrees, longitude first; outside China they stay."""
    return np.where(_in_china(xy), xy + _shift(xy), xy)


def wgs84_of_gcj02(xy: Floats) -> Floats:
    """WGS-84 of GCJ-02 points, shape (n, 2), degrees, longitude first, to better than 1e-9 degrees."""
    found = np.array(xy, np.float64)
    for _ in range(_MOST_ROUNDS):
        error = gcj02_of(found) - xy
        found -= error
        if not np.any(np.abs(error) > _CLOSE_ENOUGH):
            break
    # At the box's own edge no point shifts to here: what lies outside stays where it is.
    return np.where(_in_china(xy) & _in_china(found), found, xy)


def to_wgs84(datum: str) -> Callable[[Floats], Floats]:
    """The function that turns points of a datum into WGS-84.

    Args:
        datum: `wgs84`, `gcj02`, or what PROJ takes: `EPSG:4549`, `+proj=tmerc +lat_0=...`, the text of a WKT.

    Raises:
        ConfigError: If PROJ does not know it.
    """
    return _turn(datum, wgs84_of_gcj02, "FORWARD")


def from_wgs84(datum: str) -> Callable[[Floats], Floats]:
    """The function that turns WGS-84 points into those of a datum, shape (n, 2); east comes first in any datum.

    Raises:
        ConfigError: If PROJ does not know it.
    """
    return _turn(datum, gcj02_of, "INVERSE")


def metres_around(lon: float, lat: float) -> "pyproj.Transformer":
    """From degrees to metres on a plane that touches the ellipsoid's meridian here, and back by its inverse.

    Lengths are right to 1e-5 within 25 km east and west: a transverse Mercator's scale is 1 + d^2 / 2R^2.
    """
    import pyproj  # noqa: PLC0415 - slow to load, and what stays in degrees needs none of it

    local = f"+proj=tmerc +lat_0={lat} +lon_0={lon} +ellps=WGS84"
    return pyproj.Transformer.from_crs("EPSG:4326", local, always_xy=True)


def _turn(
    datum: str, gcj02: Callable[[Floats], Floats], way: Literal["FORWARD", "INVERSE"]
) -> Callable[[Floats], Floats]:
    if datum == WGS84:
        return lambda xy: xy
    if datum == GCJ02:
        return gcj02
    import pyproj  # noqa: PLC0415 - as above
    from pyproj.exceptions import CRSError  # noqa: PLC0415

    try:
        grid = pyproj.Transformer.from_crs(datum, "EPSG:4326", always_xy=True)
    except CRSError as error:
        why = str(error).splitlines()[0]
        raise ConfigError(
            f"the datum {datum!r} is neither wgs84 nor gcj02, and PROJ does not know it: {why}"
        ) from error
    return lambda xy: np.column_stack(grid.transform(xy[:, 0], xy[:, 1], direction=way))


def _in_china(xy: Floats) -> npt.NDArray[np.bool_]:
    west, south, east, north = _CHINA
    lon, lat = xy[:, :1], xy[:, 1:]
    inside: npt.NDArray[np.bool_] = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return inside


def _shift(xy: Floats) -> Floats:
    x, y = xy[:, 0] - 105.0, xy[:, 1] - 35.0
    waves = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    root = np.sqrt(np.abs(x))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    phi = np.radians(xy[:, 1])
    magic = 1.0 - _EE * np.sin(phi) ** 2
    per_east = _A / np.sqrt(magic) * np.cos(phi) * np.pi / 180.0
    per_north = _A * (1.0 - _EE) / (magic * np.sqrt(magic)) * np.pi / 180.0
    return np.column_stack([east / per_east, north / per_north])
