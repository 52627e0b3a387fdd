"""The shipped scenes and what differs in them from `data/device-types.yaml`, each with its reason.

An entry of these tables that no longer differs fails as well.
"""

import math
import re
from collections.abc import Iterable, Iterator

import numpy as np

from city.cases import load_cases
from city.catalogue import load_catalogue, shipped
from city.device import Metric
from city.own import OWN
from simulators.faults import SHOWS
from thresholds.check import load_scenes
from thresholds.level import LevelBase
from thresholds.limit_table import TableRow
from thresholds.scene import Override, Scene

TYPES = load_catalogue()
CASES = load_cases()
LOADED, FINDINGS = load_scenes([shipped("scenes")], TYPES, cases=lambda: CASES)
EVERY = {scene.id: scene for scene in LOADED.scenes}
SCENES = {name: scene for name, scene in EVERY.items() if scene.feeds.metric not in OWN}
"""Those on what a type measures; the others watch what is found out about devices of any type."""
DECIDING = {name: scene for name, scene in SCENES.items() if scene.stage not in ("draft", "retired")}
DISTRICT = {name: kind for name, kind in TYPES.items() if not kind.beside and kind.group != "camera"}

_CHINESE = re.compile(r"[\u4e00-\u9fff]")

DRIFTS = sorted(SHOWS["drift"])
"""Types whose sensors have a history from which a drift stands out."""

HEALTH = {
    "combustible-gas-fault": "a device that is out of order is its operator's, whatever its type",
    "smoke-alarm-battery": "so is an empty battery",
    "smoke-alarm-tampered": "so is one that was taken down",
    "manhole-battery": "so is an empty battery",
    **{f"offline-{name}": "so is one that says nothing" for name in DISTRICT},
    **{f"stuck-{name}": "so is one that says the same again and again" for name in SHOWS["stuck"]},
    **{f"implausible-{name}": "so is one that says what cannot be" for name in SHOWS["spike"]},
    **{f"drift-{name}": "so is one that goes away from its own history" for name in DRIFTS},
}
"""Scenes on the device's own health: their leaves of sub 28-01 are for sensors of every type and name none."""

CONTEXT = {
    "purifier-not-running": "fume-purifier-off",
    "purifier-running": "fume-purifier-off",
    "crane-lifting": "crane-wind",
    "rain-within-a-day": "river-quality-clarity",
    "wet-weather": "sewer-dry-blockage",
    "rain-now": "ambient-noise",
}
"""Scenes that tell nobody: the scene that asks whether they are so."""

WEATHER = {
    "road-flooding": "rain",
    "sewer-surcharge": "rain",
    "manhole-flooded": "rain",
    "river-level": "rain and tide",
    "crane-wind": "wind",
}
"""What drives the scenes whose cases do not come in quiet weather, and whose budget does not count for it."""

OWN_LIMITS = {
    **{(f"offline-{name}", "minor"): "the data's own rule of silence" for name in DISTRICT},
    **{(f"stuck-{name}", "minor"): "a time and no value" for name in SHOWS["stuck"]},
    **{(f"drift-{name}", "minor"): "each device's own history" for name in DRIFTS},
    ("combustible-gas-fault", "minor"): "the detector's own contact",
    ("smoke-alarm-tampered", "minor"): "the alarm's own contact",
    ("arc-fault", "major"): "the monitor's own alarm",
    ("hydrant-opened", "major"): "the device's own contact",
    ("hydrant-tilted", "minor"): "the data has a normal band and no limit",
    ("lift-overrun", "critical"): "the monitor's own event",
    ("river-level", "minor"): "each station's own warning level",
    ("deep-pit-displacement", "major"): "a share of what the design of the pit lets the wall move",
    ("deep-pit-displacement", "critical"): "what the design of the pit lets the wall move",
    ("sign-tilt", "minor"): "half of the data's limit while a person has the profile typhoon on",
    ("sign-tilt", "major"): "half of the data's limit while a person has the profile typhoon on",
    **{(name, "info"): "context for another scene" for name in CONTEXT if name != "purifier-not-running"},
    ("fume-purifier-off", "minor"): "the fan; the data's limit is that of its context, purifier-not-running",
    **{(f"implausible-{name}", "minor"): "what nothing there can be, and no limit" for name in SHOWS["spike"]},
    ("deep-pit-axial-force", "major"): "the data has a normal band and no limit",
    ("deep-pit-axial-force", "critical"): "the design value itself",
    ("manhole-flooded", "major"): "the cover's own contact",
    ("manhole-battery", "minor"): "the limit of the smoke alarm's battery",
    ("ambient-noise", "minor"): "3 dB over the limit of the area's class and the time of day",
    ("fog", "minor"): "the data has no limit for visibility",
    ("fog", "major"): "the data has no limit for visibility",
    ("fog", "critical"): "the data has no limit for visibility",
    ("bin-knocked-over", "minor"): "the data has a normal band and no limit",
}
"""Limits that the data file does not have, and what they are."""

UNUSED = {
    ("bridge-health", "accel", 80.0): "the peak of a burst, and a share of a design value",
    ("bridge-health", "accel", 100.0): "the peak of a burst, and a share of a design value",
    ("bridge-health", "accel", 110.0): "the peak of a burst, and a share of a design value",
    ("river-level", "level_m", 5.1): "orange has the severity of yellow, which holds below it already",
    ("river-quality", "do", 2.0): "at most 2, light black odour: begins where class V (under 2) ends, same severity",
    ("ambient-noise", "laeq", 40.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 45.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 50.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 55.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 60.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 65.0): "the scene holds from 3 dB over it",
    ("ambient-noise", "laeq", 70.0): "the scene holds from 3 dB over it",
    ("air-station", "pm25", 50.0): "in force from 2031 on",
}
"""Limits of the data file that no scene has, and why; those out of force before the scenes begin are left out."""

SEVERITIES = {
    "purifier-not-running": "context, and told to nobody",
    "bin-fire": "the data leaves it to the scene: a fire is critical",
    "heavy-rain": "the colours of the signals; none opens a case, as the data's info means",
    "heavy-rain-six-hours": "the colours of the signals; none opens a case, as the data's info means",
    "strong-wind": "the colours of the signals; none opens a case, as the data's info means",
    "strong-wind-mean": "the colours of the signals; none opens a case, as the data's info means",
    "extreme-heat": "the colours of the signals; none opens a case, as the data's info means",
}
"""Scenes whose severities are not the data's, the worst of those that share one and each milder one a step down."""

NO_CLEAR_TIME = {
    "ebike-overcharge": "the hours begin again at 0 when the plug is pulled",
    "water-meter-silent": "the use of twelve hours: any use clears",
}
"""Scenes that clear at their limit and at once, without flapping."""

HOLDS_IN_CALM = {
    "indoor-hydrant-pressure": "the data's normal band is that of sprinkler ends, which need less",
    "sewer-dry-blockage": "half a pipe is normal, six dry hours of it are not",
    "purifier-not-running": "context: a purifier that is off is normal while nobody cooks",
    **dict.fromkeys(
        ("crane-lifting", "rain-now", "rain-within-a-day", "wet-weather"), "context: work and rain are normal"
    ),
    "street-lamp-out": "a lamp that is off by day is normal, one that is off in the dark is not",
    "water-meter-leak": "water that runs is normal, four hours of it without a pause are not",
}
"""Scenes whose limit lies in the normal band of the data; what makes the difference is the site or the time."""

NOT_BY_ONE_VALUE = {
    "building-settlement": "a slope of months",
    "lift-repeated-fault": "faults that come and go: one that stays counts once",
}
"""Scenes that one value, however bad, does not raise within 30 hours."""


def levels_of(scene: Scene) -> list[LevelBase]:
    """All levels of a scene, those of overrides and of its table laid over the others."""
    return [*written_levels(scene), *laid_over(scene, scene.limit_table.rows if scene.limit_table else ())]


def written_levels(scene: Scene) -> list[LevelBase]:
    """Those of all devices, without the table: a class of water has a calm band of its own, which the data has not."""
    return [*(level for level in scene.levels if not level.from_table), *laid_over(scene, scene.overrides)]


def laid_over(scene: Scene, parts: Iterable[Override | TableRow]) -> Iterator[LevelBase]:
    levels: dict[str, LevelBase] = {level.severity: level for level in scene.levels}
    for part in parts:
        for severity, change in part.changes.items():
            if not change.only_leaf:
                yield change.laid_over(levels[severity])


def metric_of(scene: Scene) -> Metric:
    return TYPES[str(scene.feeds.type)].metrics[str(scene.feeds.metric)]


def holds(level: LevelBase, value: float) -> bool:
    return any(low < value < high or low == value == high for low, high in level.region())


def on_the_metric(level: LevelBase) -> bool:
    """Whether its limit is a value of the metric: not a count, a slope or a share of a design value."""
    own = not level.condition.startswith(("rate_", "count_", "total_", "changed_", "deviates"))
    return own and getattr(level, "percent_of", None) is None


def beyond_clear(level: LevelBase, value: float) -> bool:
    clear = level.clear_value
    if clear is None:
        return not holds(level, value)
    low, high = {"clear_below": (-math.inf, clear), "clear_above": (clear, math.inf)}.get(str(level.clears_by), clear)
    return bool(low < value < high)


def calm_values(metric: Metric) -> list[float]:
    """Values of a calm day: all over the normal band but for its very ends, which are the limits themselves."""
    if metric.kind == "state":
        return [0.0]
    if metric.normal is None:
        return []
    low, high = metric.normal
    return [low + share * (high - low) for share in np.linspace(0.01, 0.99, 99)]


def steps(scene: Scene) -> Iterator[tuple[str, float, str, float, float]]:
    """(condition, written, way, number, step) of each `STEPS` note."""
    for step, said in re.findall(r"^STEPS of ([0-9.]+): (.+)\.$", scene.notes or "", re.MULTILINE):
        for one in said.split(", "):
            found = re.fullmatch(
                r"((?:mean_)?(?:above|below|outside)) ([0-9.]+) is at (least|most) ([0-9.]+)( either way)?", one
            )
            assert found, f"{scene.id}: {one}"
            yield found[1], float(found[2]), found[3], float(found[4]), float(step)
