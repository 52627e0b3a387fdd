"""Devices put into their places by their points."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from city.atlas import Atlas
from city.device import Device


@dataclass(frozen=True, slots=True)
class Placed:
    """Devices with their places.

    Attributes:
        devices: All of them in the order in which they came; those outside, or without a point, as they were.
        outside: Ids of those whose point lies outside the district.
        pointless: Ids of those of which no point is known.
    """

    devices: tuple[Device, ...]
    outside: tuple[str, ...]
    pointless: tuple[str, ...]


def placed(devices: Iterable[Device], atlas: Atlas) -> Placed:
    """Fill in `place` (the module), `self_grid`, `disposal_grid` and `town` of every device that has a point.

    What the list says of these is replaced: the point decides. Without modules `place` stays as it is.
    """
    every = list(devices)
    has = [i for i, device in enumerate(every) if device.lon is not None and device.lat is not None]
    lon = np.array([every[i].lon for i in has], np.float64)
    lat = np.array([every[i].lat for i in has], np.float64)
    found = atlas.locate(lon, lat)
    outside: list[str] = []
    for at, module, self_grid, disposal_grid, town in zip(has, *(column.tolist() for column in found), strict=True):
        if town < 0:
            outside.append(every[at].id)
            continue
        every[at] = replace(
            every[at],
            place=atlas.modules[module].code if module >= 0 else every[at].place,
            self_grid=atlas.self_grids[self_grid].code if self_grid >= 0 else "",
            disposal_grid=atlas.disposal_grids[disposal_grid].code if disposal_grid >= 0 else "",
            town=atlas.towns[town].code,
        )
    known = set(has)
    return Placed(tuple(every), tuple(outside), tuple(d.id for i, d in enumerate(every) if i not in known))
