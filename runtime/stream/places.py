"""Which partition a device belongs to: the same for every process and for ever, as long as the number stays."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from city.device import Device
from thresholds.scene_set import DECIDES, SceneSet

AreaBy = Literal["place", "self_grid", "disposal_grid", "town"]
"""What keeps devices together, from the finest to the coarsest."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def area_of(device: Device, by: AreaBy) -> str:
    """The area that keeps `device` in one partition with its neighbours; its own place where it has none."""
    return device.alert_place if by == "place" else getattr(device, by) or device.alert_place


def torn(scenes: SceneSet, devices: Iterable[Device], by: AreaBy) -> Iterator[str]:
    """A line for every scene that would fold devices of several areas into one alert: no partition sees them all."""
    of_type: dict[str, list[Device]] = {}
    for device in devices:
        of_type.setdefault(device.type, []).append(device)
    for scene in scenes.scenes:
        if scene.stage not in DECIDES:
            continue
        areas: dict[str, str] = {}
        watched = [scene.feeds.type] if scene.feeds.type else list(of_type)
        for device in (device for kind in watched for device in of_type.get(kind, ())):
            key, area = scene.fold.key(device), area_of(device, by)
            if areas.setdefault(key, area) != area:
                yield (
                    f"scene {scene.scene}: it folds by {' and '.join(scene.fold.by)}, and {key or 'the district'} lies "
                    f"in {areas[key]} and in {area}, which may be two partitions: set stream.by to something coarser"
                )
                break


_SEEN = {
    "place": {"device", "place", "module"},
    "self_grid": {"device", "place", "module", "grid"},
    "disposal_grid": {"device", "place", "module", "disposal_grid"},
    "town": {"device", "place", "module", "grid", "disposal_grid", "town"},
}
"""What a confirmation or inhibition may have in common, by what keeps devices together: a partition sees all of it."""


def shortsighted(scenes: SceneSet, by: AreaBy) -> Iterator[str]:
    """A line for every scene that looks further than its area: over its border it sees nothing."""
    for scene in scenes.scenes:
        if scene.stage not in DECIDES:
            continue
        reaches = [clause.within for clause in scene.confirm.clauses] if scene.confirm is not None else []
        reaches += [inhibit.same for inhibit in scene.inhibit_by]
        far = sorted({reach for reach in reaches if reach not in _SEEN[by]})
        if far:
            yield (
                f"scene {scene.scene}: it looks at other feeds by {' and '.join(far)}; over Kafka it sees only those "
                f"of its own {by.replace('_', ' ')}"
            )


@lru_cache(maxsize=1 << 20)
def partition_of(area: str, partitions: int) -> int:
    """The partition of an area: what Kafka's own clients choose for a record with it as its key.

    References: Kafka's default partitioner, murmur2 of the key modulo the partitions (verified: yes, by test against
    a client's own).
    """
    return (_murmur2(area.encode()) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length - length % 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if length % 4:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
