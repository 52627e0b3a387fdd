"""Who stands where: sensors of the 28 types behind gateways, cameras behind recorders.

A site is a compound, a stretch of road, a river bank, building works, a kitchen street or open ground; each has one
gateway and the devices that such a site has. Types are equally many, as the catalogue's estimate of 77 messages a
second has them.
"""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from city.device import Device
from simulators.chance import Floats, Ints, key, normal, uniform
from simulators.kinds import CAMERA, KINDS, Kind
from simulators.land import Land
from simulators.moment import Fleet

SENSORS_PER_GATEWAY = 37.5
CAMERAS_PER_GATEWAY = 200
FULL_SENSORS = 15_000
_HOME: Mapping[str, tuple[str, ...]] = {
    "compound": ("gas", "smk", "rcm", "ebk", "spk", "lan", "lif", "bld", "sws", "bin", "wtr"),
    "road": ("hyd", "sig", "rwl", "sew", "csg", "lid", "lmp"),
    "river": ("bri", "riv", "rqu"),
    "works": ("pit", "crn", "dst"),
    "kitchen": ("fum",),
    "open": ("noi", "air", "wea", "cam"),
}
_REACH_M = {"compound": 90.0, "road": 260.0, "river": 400.0, "works": 80.0, "kitchen": 120.0, "open": 420.0}
"""How far from its gateway a device stands, a deviation."""
_OWNERS = {
    "compound": "property company", "road": "water and road maintenance", "river": "water bureau",
    "works": "construction company", "kitchen": "market regulation", "open": "environment bureau",
}  # fmt: skip
_SITES = {
    "spk": (("sprinkler", 0.5), ("hydrant", 0.5)),
    "rwl": (("underpass", 0.25), ("road", 0.75)),
    "bri": (("road bridge", 0.7), ("footbridge", 0.3)),
}
"""Kinds of site within a type, with their shares."""
_CLASSES = {"compound": 2, "road": 4, "river": 1, "works": 3, "kitchen": 2, "open": 2}


class Speaks(enum.IntEnum):
    """In which form a gateway sends."""

    SINGLES = 0
    PACKS = 1
    SENML = 2
    SENML_CBOR = 3
    SPARKPLUG = 4


_SHARES = (
    (Speaks.SENML_CBOR, 0.15),
    (Speaks.SENML, 0.15),
    (Speaks.PACKS, 0.2),
    (Speaks.SPARKPLUG, 0.1),
    (Speaks.SINGLES, 0.4),
)
"""Of the gateways of sensors; all recorders send packs."""


class _Column(NamedTuple):
    """The devices of one type as they are stored."""

    xy: Floats
    gateway: Ints
    site: NDArray[np.str_]
    area_class: Ints


@dataclass(frozen=True, slots=True)
class District:
    """All devices, the sensors type by type in the order of `KINDS`, then the cameras.

    Attributes:
        seed: What it was made from.
        size_m: Width and height of its box.
        kinds: The types that there are devices of, in order.
        fleets: Their devices as arrays, one for each kind.
        devices: Their devices as the register has them; the index is the device's number everywhere here.
        gateways: Ids of the gateways.
        gateway_of: Number of each device's gateway.
        speaks: In which form each gateway sends, a `Speaks`.
    """

    seed: int
    size_m: tuple[float, float]
    kinds: tuple[Kind, ...]
    fleets: tuple[Fleet, ...]
    devices: tuple[Device, ...]
    gateways: tuple[str, ...]
    gateway_of: Ints
    speaks: NDArray[np.uint8]

    @property
    def sensors(self) -> int:
        """How many devices are no cameras."""
        return sum(len(f) for f, k in zip(self.fleets, self.kinds, strict=True) if k is not CAMERA)


def make(seed: int, sensors: int, cameras: int, land: Land | None = None) -> District:
    """Place devices; same seed and numbers, same district.

    Args:
        seed: Of ground and places.
        sensors: How many.
        cameras: How many.
        land: The ground; None makes as much of the district as so many sensors need.
    """
    land = land or Land(seed, max(sensors, cameras) / FULL_SENSORS)
    rng = np.random.default_rng([seed, 7])
    counts = {kind.prefix: sensors // len(KINDS) + (i < sensors % len(KINDS)) for i, kind in enumerate(KINDS)}
    counts[CAMERA.prefix] = cameras
    columns: dict[str, _Column] = {}
    names: list[str] = []
    for home, prefixes in _HOME.items():
        _settle(home, [p for p in prefixes if p != "cam"], counts, land, rng, columns, names)
    _settle("open", ["cam"], counts, land, rng, columns, names)
    kinds = tuple(kind for kind in (*KINDS, CAMERA) if counts[kind.prefix])
    return _district(seed, land, kinds, columns, names)


def _settle(
    home: str,
    prefixes: list[str],
    counts: Mapping[str, int],
    land: Land,
    rng: np.random.Generator,
    columns: dict[str, _Column],
    names: list[str],
) -> None:
    """Sites of one kind with their gateways, and the devices around them."""
    total = sum(counts[prefix] for prefix in prefixes)
    if total == 0:
        return
    camera = prefixes == ["cam"]
    number = max(1, round(total / (CAMERAS_PER_GATEWAY if camera else SENSORS_PER_GATEWAY)))
    first = len(names)
    names += [f"{'nvr' if camera else 'gwy'}-{first + i:04d}" for i in range(number)]
    middles = land.sites(home, number, rng)
    for prefix in prefixes:
        count = counts[prefix]
        mine = np.sort(np.resize(rng.permutation(number), count)).astype(np.int64)
        points = _around(home, prefix, middles[mine], land, rng)
        site = _site(prefix, count, rng) if prefix in _SITES else np.full(count, home)
        spread = rng.integers(-1, 2, count) if prefix == "noi" else np.zeros(count, np.int64)
        classes = np.clip(_CLASSES[home] + spread, 1, 4).astype(np.int64)
        columns[prefix] = _Column(points, mine + first, site, classes)


def _around(home: str, prefix: str, middles: Floats, land: Land, rng: np.random.Generator) -> Floats:
    points = middles + rng.normal(0.0, _REACH_M[home], middles.shape)
    if home in ("road", "kitchen") or prefix == "cam":
        points = land.onto_streets(points)
    elif home == "river":
        points = land.onto_waters(points)
    # What fell outside stands at the gateway.
    return np.where(land.inside(points)[:, None], points, middles)


def _site(prefix: str, count: int, rng: np.random.Generator) -> NDArray[np.str_]:
    names = [name for name, _ in _SITES[prefix]]
    portions = _portions([share for _, share in _SITES[prefix]], count)
    return rng.permutation(np.repeat(np.array(names), portions))


def _portions(shares: list[float], count: int) -> list[int]:
    cuts = [round(count * sum(shares[: i + 1])) for i in range(len(shares))]
    return [b - a for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]


def _district(
    seed: int, land: Land, kinds: tuple[Kind, ...], columns: Mapping[str, _Column], names: list[str]
) -> District:
    fleets: list[Fleet] = []
    devices: list[Device] = []
    for kind in kinds:
        column = columns[kind.prefix]
        design = _design(seed, kind, len(devices), len(column.xy))
        fleets.append(
            Fleet(
                seed, kind.type, len(devices), column.xy[:, 0], column.xy[:, 1], column.site, column.area_class,
                design, land.size_m,
            )
        )  # fmt: skip
        devices += _devices(seed, kind, column, design, land, names, len(devices))
    gateway_of = np.concatenate([columns[kind.prefix].gateway for kind in kinds])
    drawn = uniform(key(seed, "form"), np.arange(len(names), dtype=np.int64))
    upto = np.cumsum([share for _, share in _SHARES])[:-1]
    speaks = np.array([form for form, _ in _SHARES], np.uint8)[np.searchsorted(upto, drawn, side="right")]
    speaks[[name.startswith("nvr") for name in names]] = Speaks.PACKS
    return District(
        seed, land.size_m, kinds, tuple(fleets), tuple(devices), tuple(names), gateway_of.astype(np.int64), speaks
    )


def _design(seed: int, kind: Kind, first: int, count: int) -> dict[str, Floats]:
    rows = np.arange(first, first + count, dtype=np.int64)

    def around(metric: str, mean: float, spread: float, decimals: int) -> Floats:
        return np.round(mean * (1.0 + spread * normal(key(seed, "design", kind.type, metric), rows)), decimals)

    if kind.type == "bridge-health":
        return {"strain": around("strain", 700.0, 0.12, 0), "deflect_mm": around("deflect_mm", 28.0, 0.15, 1)}
    if kind.type == "deep-pit-monitor":
        return {"hdisp_mm": around("hdisp_mm", 40.0, 0.1, 0)}
    if kind.type == "river-level":
        return {"level_m": around("level_m", 3.5, 0.05, 2)}
    return {}


def _devices(
    seed: int, kind: Kind, column: _Column, design: Mapping[str, Floats], land: Land, names: list[str], first: int
) -> list[Device]:
    count = len(column.xy)
    lonlat = land.degrees(column.xy)
    codes = land.codes(column.xy)
    home = next(home for home, prefixes in _HOME.items() if kind.prefix in prefixes)
    age = (uniform(key(seed, "age"), np.arange(first, first + count, dtype=np.int64)) * 1800).astype(np.int64)
    day = dt.date(2026, 1, 1)
    return [
        Device(
            f"{kind.prefix}-{i:05d}", names[column.gateway[i]], kind.type, str(codes.module[i]), str(codes.town[i]),
            str(column.site[i]), lon=float(lonlat[i, 0]), lat=float(lonlat[i, 1]),
            self_grid=str(codes.self_grid[i]), disposal_grid=str(codes.disposal_grid[i]),
            area_class=str(column.area_class[i]) if kind.type == "ambient-noise" else "",
            owner=_OWNERS[home], gb28181=_gb28181(i) if kind is CAMERA else "",
            installed=day - dt.timedelta(days=int(age[i])),
            calibrated=None if kind is CAMERA else day - dt.timedelta(days=int(age[i]) % 365),
            calibration_due=None if kind is CAMERA else day + dt.timedelta(days=365 - int(age[i]) % 365),
            design={metric: float(values[i]) for metric, values in design.items()},
        )
        for i in range(count)
    ]  # fmt: skip


def _gb28181(number: int) -> str:
    """Centre 31011200, industry 00, type 132 (IPC camera), network 6, serial: GB/T 28181-2022 annex (verified: no)."""
    return f"3101120000132{6}{number:06d}"


def save(district: District, path: Path) -> None:
    """Write the arrays that a process needs to play it, so that a second one need not place the devices again."""
    arrays: dict[str, NDArray[np.generic]] = {
        "seed": np.array(district.seed),
        "size_m": np.array(district.size_m),
        "gateways": np.array(district.gateways),
        "gateway_of": district.gateway_of,
        "speaks": district.speaks,
        "ids": np.array([d.id for d in district.devices]),
        "modules": np.array([d.place for d in district.devices]),
        "towns": np.array([d.town for d in district.devices]),
        "lonlat": np.array([(d.lon, d.lat) for d in district.devices]),
        "kinds": np.array([kind.prefix for kind in district.kinds]),
    }
    for kind, fleet in zip(district.kinds, district.fleets, strict=True):
        for name, column in (("x", fleet.x), ("y", fleet.y), ("site", fleet.site), ("class", fleet.area_class)):
            arrays[f"{kind.prefix}/{name}"] = column
        for metric, values in fleet.design.items():
            arrays[f"{kind.prefix}/design/{metric}"] = values
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load(path: Path) -> District:
    """What `save` wrote; devices carry what simulating them takes, no more."""
    with np.load(path, allow_pickle=False) as stored:
        of = {name: stored[name] for name in stored.files}
    seed, size_m = int(of["seed"]), (float(of["size_m"][0]), float(of["size_m"][1]))
    kinds = tuple(kind for kind in (*KINDS, CAMERA) if kind.prefix in of["kinds"])
    fleets: list[Fleet] = []
    first = 0
    for kind in kinds:
        p = kind.prefix
        design = {n.split("/")[2]: values for n, values in of.items() if n.startswith(f"{p}/design/")}
        fleets.append(
            Fleet(seed, kind.type, first, of[f"{p}/x"], of[f"{p}/y"], of[f"{p}/site"], of[f"{p}/class"], design, size_m)
        )
        first += len(of[f"{p}/x"])
    types = [kind.type for kind, fleet in zip(kinds, fleets, strict=True) for _ in range(len(fleet))]
    gateways = tuple(of["gateways"].tolist())
    columns = zip(
        of["ids"].tolist(), of["gateway_of"].tolist(), types, of["modules"].tolist(), of["towns"].tolist(),
        of["lonlat"].tolist(), strict=True,
    )  # fmt: skip
    devices = tuple(
        Device(name, gateways[gateway], type_id, module, town, lon=lonlat[0], lat=lonlat[1])
        for name, gateway, type_id, module, town, lonlat in columns
    )
    return District(seed, size_m, kinds, tuple(fleets), devices, gateways, of["gateway_of"], of["speaks"])
