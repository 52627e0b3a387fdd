"""Where scenes are active, found by what devices have in common and by distance."""

import math
from collections.abc import Callable, Iterator

from pyproj import Geod

from city.device import Device
from thresholds.across import PLACES, metres
from thresholds.where import attribute

ENDED_KEPT_MS = 8 * 86_400_000
"""How long (in wall time) it is known that a scene was active on a feed: longer than any `in_last` that makes sense."""
_CELL_DEG = 0.01
_METRES_PER_DEG = 111_000.0
_WGS84 = Geod(ellps="WGS84")


class Mark:
    """A scene on a feed: active (`ended` None) or when it last was, in event time; and when that was noted."""

    __slots__ = ("ended", "keys", "noted")

    def __init__(self, ended: int | None, noted: int, keys: tuple[tuple[str, str, str], ...]) -> None:
        self.ended = ended
        self.noted = noted
        self.keys = keys


class Marks:
    """Every feed on which a watched scene is active or was lately."""

    def __init__(self, device: Callable[[int], Device]) -> None:
        self._device = device
        self._of: dict[str, dict[int, Mark]] = {}
        self._index: dict[tuple[str, str, str], dict[int, Mark]] = {}
        self._ended: dict[tuple[str, int], int] = {}

    def spots(self, feed: int) -> Iterator[tuple[str, str]]:
        """Everything by which a feed may be near another: what its device has, and its cell."""
        for _, same, value in self._keys("", self._device(feed)):
            yield same, value

    def cells_around(self, feed: int, distance: float) -> Iterator[tuple[str, str]]:
        """The cells that reach as far as a distance from a feed."""
        device = self._device(feed)
        if device.lon is None or device.lat is None:
            return
        rows = math.ceil(distance / (_CELL_DEG * _METRES_PER_DEG))
        shrink = max(math.cos(math.radians(min(abs(device.lat) + 1, 89.0))), 0.01)
        columns = math.ceil(distance / (_CELL_DEG * _METRES_PER_DEG * shrink))
        x, y = _cell(device.lon), _cell(device.lat)
        for i in range(x - columns, x + columns + 1):
            for j in range(y - rows, y + rows + 1):
                yield "cell", f"{i},{j}"

    @classmethod
    def of(cls, device: Callable[[int], Device], saved: list[tuple[str, str, str, int, int, int, int]]) -> "Marks":
        """What was saved."""
        marks = cls(device)
        for scene, _, _, feed, is_active, ended, noted in saved:
            marks.set(scene, feed, None if is_active else ended, noted)
        return marks

    def saved(self) -> list[tuple[str, str, str, int, int, int, int]]:
        """All of them, in the order in which they were noted, as plain rows."""
        rows = [
            (scene, "", "", feed, int(mark.ended is None), mark.ended or 0, mark.noted)
            for scene, feeds in self._of.items()
            for feed, mark in feeds.items()
        ]
        return sorted(rows, key=lambda row: (row[-1], row))

    def set(self, scene: str, feed: int, ended: int | None, now_ms: int) -> None:
        """The scene is active on the feed (None), or stopped being so at an event time."""
        mark = self._of.setdefault(scene, {}).get(feed)
        if mark is None:
            mark = self._of[scene][feed] = Mark(ended, now_ms, tuple(self._keys(scene, self._device(feed))))
            for key in mark.keys:
                self._index.setdefault(key, {})[feed] = mark
        mark.ended, mark.noted = ended, now_ms
        self._ended.pop((scene, feed), None)
        if ended is not None:
            self._ended[scene, feed] = now_ms

    def forget(self, before_ms: int) -> None:
        """Forget what had ended by a wall time."""
        while self._ended:
            (scene, feed), noted = next(iter(self._ended.items()))
            if noted >= before_ms:
                return
            del self._ended[scene, feed]
            for key in self._of[scene].pop(feed).keys:
                del self._index[key][feed]

    def any_active(self, scene: str, same: str, device: Device) -> bool:
        """Whether the scene is active on a device that has something in common with this one."""
        value = _common(device, same)
        found = self._index.get((scene, same, value), {}) if value else {}
        return any(mark.ended is None for mark in found.values())

    def near(self, scene: str, within: str, feed: int, since: int, enough: int) -> int:
        """On how many feeds near this one the scene is active or was at `since` or later; at most `enough`."""
        device = self._device(feed)
        distance = metres(within)
        common = self._in_common(scene, within, device)
        candidates = common if distance is None else self._around(scene, feed, distance)
        count = 0
        for other, mark in candidates:
            if mark.ended is not None and mark.ended < since:
                continue
            if distance is not None and other != feed and not _is_near(device, self._device(other), distance):
                continue
            count += 1
            if count == enough:
                break
        return count

    def _in_common(self, scene: str, within: str, device: Device) -> Iterator[tuple[int, Mark]]:
        value = _common(device, within)
        yield from (self._index.get((scene, within, value), {}) if value else {}).items()

    def _around(self, scene: str, feed: int, distance: float) -> Iterator[tuple[int, Mark]]:
        for spot in self.cells_around(feed, distance):
            yield from self._index.get((scene, *spot), {}).items()

    def _keys(self, scene: str, device: Device) -> Iterator[tuple[str, str, str]]:
        for same in PLACES:
            value = _common(device, same)
            if value:
                yield scene, same, value
        if device.lon is not None and device.lat is not None:
            yield scene, "cell", f"{_cell(device.lon)},{_cell(device.lat)}"


def _common(device: Device, same: str) -> str:
    """What a device has of `same`; a module is its place; empty if it has none."""
    return device.alert_place if same in ("place", "module") else attribute(device, same)


def _cell(degrees: float) -> int:
    return math.floor(degrees / _CELL_DEG)


def _is_near(one: Device, other: Device, distance: float) -> bool:
    if one.lon is None or one.lat is None or other.lon is None or other.lat is None:
        return False
    _, _, found = _WGS84.inv(one.lon, one.lat, other.lon, other.lat)
    return bool(found <= distance)
