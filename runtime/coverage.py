"""Where the district is watched and where nobody knows anything (监管空白): map modules, devices, hours. No I/O.

A module is watched in an hour if a device in it is live then: if it was heard in that hour, or before it by no more
than the silence after which its type counts as offline. Hours in which nobody listened count for neither side.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from city.device import Device, DeviceType

HOUR_MS = 3_600_000


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """One town, or the district where `town` is empty.

    Attributes:
        town: Its code.
        modules: Map modules of it.
        equipped: Modules with a device that is in use.
        live: Modules of which a device was live in some hour.
        hours: Hours of the range that are known, of all equipped modules together.
        blank_hours: Those of them in which no device of the module was live.
    """

    town: str
    modules: int
    equipped: int
    live: int
    hours: int
    blank_hours: int

    @property
    def share(self) -> float:
        """Share of the modules that were live, 0 to 1."""
        return self.live / self.modules if self.modules else 0.0


def coverage(
    town_of: Mapping[str, str],
    devices: Iterable[Device],
    types: Mapping[str, DeviceType],
    heard: Iterable[tuple[str, int]],
    hours: range,
    unknown: frozenset[int] = frozenset(),
) -> list[Coverage]:
    """The district, then its towns in the order of their codes.

    Args:
        town_of: Town of each map module.
        devices: All devices; those out of use, on trial, or outside every module do not count.
        types: For the silence after which a device counts as offline.
        heard: (device, hour since the epoch) in which it said something; hours before the range count as well.
        hours: Hours since the epoch.
        unknown: Hours of them in which nobody listened.
    """
    equipped: dict[str, list[Device]] = {}
    for device in devices:
        if device.place in town_of and not device.out_of_use and not device.on_trial:
            equipped.setdefault(device.place, []).append(device)
    said: dict[str, set[int]] = defaultdict(set)
    for name, hour in heard:
        said[name].add(hour)
    known = frozenset(hours) - unknown
    blank = {
        place: len(known.difference(*(_live(said[one.id], types.get(one.type)) for one in there)))
        for place, there in equipped.items()
    }
    towns = ["", *sorted(set(town_of.values()))]
    return [_of(town, town_of, blank, len(known)) for town in towns]


def _live(said: set[int], kind: DeviceType | None) -> set[int]:
    silent_ms = kind.offline_after_ms if kind is not None and kind.offline_after_ms is not None else HOUR_MS
    return {hour + later for hour in said for later in range(math.ceil(silent_ms / HOUR_MS))}


def _of(town: str, town_of: Mapping[str, str], blank: Mapping[str, int], known: int) -> Coverage:
    modules = [place for place, of in town_of.items() if town in ("", of)]
    there = [place for place in modules if place in blank]
    return Coverage(
        town=town,
        modules=len(modules),
        equipped=len(there),
        live=sum(blank[place] < known for place in there),
        hours=known * len(there),
        blank_hours=sum(blank[place] for place in there),
    )
