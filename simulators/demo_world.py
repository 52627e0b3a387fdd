"""A small seeded world: sensors of a few types, believable values, incidents with ground truth.

Each incident takes one sensor over the limit of its type's scene and back, so that one alert and one case must follow.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

SENSORS_PER_GATEWAY = 40
CAMERAS_PER_GATEWAY = 200
_LEAD_S = 3.0
_TAIL_S = 4.0


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How sensors of one type behave: normal value and noise, what an incident makes of it, whose scene sees it."""

    type: str
    prefix: str
    metric: str
    base: float
    noise: float
    incident: float
    scene: str
    severity: str


KINDS = (
    Kind(type="combustible-gas-detector", prefix="gas", metric="gas_lel", base=1.5, noise=0.4, incident=62.0,
         scene="combustible-gas", severity="critical"),
    Kind(type="road-water-level", prefix="pit", metric="depth_cm", base=1.0, noise=0.3, incident=31.0,
         scene="road-flooding", severity="critical"),
    Kind(type="sewer-level", prefix="sew", metric="level_pct", base=35.0, noise=2.0, incident=108.0,
         scene="sewer-surcharge", severity="major"),
    Kind(type="confined-space-gas", prefix="h2s", metric="h2s", base=0.5, noise=0.2, incident=34.0,
         scene="confined-space-h2s", severity="critical"),
    Kind(type="manhole-cover", prefix="lid", metric="tilt_deg", base=0.8, noise=0.3, incident=24.0,
         scene="manhole-cover-moved", severity="major"),
    Kind(type="bin-fullness", prefix="bin", metric="fill_pct", base=40.0, noise=1.5, incident=97.0,
         scene="bin-overflow", severity="info"),
)  # fmt: skip
CAMERA = Kind(
    type="camera", prefix="cam", metric="foreground_share", base=0.03, noise=0.005, incident=0.03, scene="", severity=""
)


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """What is going to happen, and who must see it."""

    device: str
    metric: str
    scene: str
    severity: str
    start_s: float
    end_s: float


class World:
    """Sensors and cameras with their gateways; same seed, same world.

    Args:
        sensors: How many.
        cameras: How many.
        seconds: How long incidents may last together; none begins so late that it cannot be seen.
        incidents: How many.
        seed: Of everything random.
    """

    def __init__(self, *, sensors: int, cameras: int, seconds: float, incidents: int, seed: int) -> None:
        self.seed = seed
        self.groups: list[tuple[Kind, str, list[str]]] = []
        per_kind = -(-sensors // len(KINDS))
        left = sensors
        number = 0
        for kind in KINDS:
            count = min(per_kind, left)
            left -= count
            names = [f"{kind.prefix}-{i:05d}" for i in range(count)]
            for start in range(0, count, SENSORS_PER_GATEWAY):
                self.groups.append((kind, f"gw-{number:04d}", names[start : start + SENSORS_PER_GATEWAY]))
                number += 1
        names = [f"{CAMERA.prefix}-{i:05d}" for i in range(cameras)]
        for start in range(0, cameras, CAMERAS_PER_GATEWAY):
            self.groups.append(
                (CAMERA, f"nvr-{start // CAMERAS_PER_GATEWAY:04d}", names[start : start + CAMERAS_PER_GATEWAY])
            )
        self.incidents = self._incidents(np.random.default_rng(seed), incidents, seconds)

    @property
    def gateways(self) -> list[str]:
        """Their ids."""
        return [gateway for _, gateway, _ in self.groups]

    def devices(self) -> list[tuple[str, str, str]]:
        """(device, gateway, type) of all."""
        return [(name, gateway, kind.type) for kind, gateway, names in self.groups for name in names]

    def _incidents(self, rng: np.random.Generator, count: int, seconds: float) -> list[Incident]:
        sensors = [(kind, name) for kind, _, names in self.groups if kind.scene for name in names]
        last = seconds - _TAIL_S
        if last <= _LEAD_S or not sensors:
            return []
        chosen = rng.choice(len(sensors), min(count, len(sensors)), replace=False)
        starts = np.sort(rng.uniform(_LEAD_S, last, len(chosen)))
        return [
            Incident(
                device=sensors[i][1], metric=sensors[i][0].metric, scene=sensors[i][0].scene,
                severity=sensors[i][0].severity, start_s=round(float(start), 3), end_s=round(float(start) + 3600, 3),
            )
            for i, start in zip(chosen.tolist(), starts, strict=True)
        ]  # fmt: skip


class Group:
    """The sensors of one gateway and their values over time."""

    def __init__(self, kind: Kind, names: Sequence[str], incidents: Mapping[str, Incident], seed: int) -> None:
        self.kind = kind
        self._rng = np.random.default_rng(seed)
        self._base = kind.base + self._rng.normal(0, kind.noise, len(names))
        self._start = np.array([incidents[n].start_s if n in incidents else np.inf for n in names])
        self._end = np.array([incidents[n].end_s if n in incidents else np.inf for n in names])

    def values(self, at_s: float) -> NDArray[np.float64]:
        """What all of them measure `at_s` seconds after the start."""
        calm = np.maximum(self._base + self._rng.normal(0, self.kind.noise / 4, len(self._base)), 0.0)
        hit = (self._start <= at_s) & (at_s < self._end)
        return np.where(hit, self.kind.incident, calm)
