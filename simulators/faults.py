"""What sensors and gateways do wrong: lies about values, and ways in which true values do not arrive as they should."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulators.chance import Floats, Ints, key, uniform
from simulators.district import District
from simulators.kinds import Kind

VALUE = ("stuck", "drift", "spike", "flapping", "wrong-unit")
SENDING = ("dropout", "skewed-clock", "duplicate", "reordered", "babbling")
GATEWAY = ("disconnect", "backlog", "will")
ALL = (*VALUE, *SENDING, *GATEWAY)
OFFLINE = "offline-{type}"
DRIFT = "drift-{type}"
STUCK = "stuck-{type}"
IMPLAUSIBLE = "implausible-{type}"
"""One scene for each device type."""
SCENES: Mapping[str, tuple[str, ...]] = {
    "stuck": (STUCK,),
    "drift": (DRIFT,),
    "spike": (IMPLAUSIBLE,),
    "flapping": (IMPLAUSIBLE,),
    "wrong-unit": (DRIFT,),
    "dropout": (OFFLINE,),
    "skewed-clock": ("device-clock", OFFLINE),  # behind, its readings are late, which are no sign of life
    "disconnect": (OFFLINE,),
    "backlog": (OFFLINE,),
    "will": (OFFLINE,),
}
"""Scenes that ought to notice; nobody has to notice the others."""
SHOWS: Mapping[str, frozenset[str]] = {
    "stuck": frozenset({
        "residual-current-monitor", "ebike-charging-monitor", "hydrant-pressure", "bridge-health", "river-quality",
        "ambient-noise", "site-dust-noise", "air-station", "weather-station",
    }),
    "spike": frozenset({"ambient-noise", "site-dust-noise"}),
    "flapping": frozenset({"ambient-noise", "site-dust-noise"}),
    "drift": frozenset({
        "residual-current-monitor", "hydrant-pressure", "indoor-water-pressure", "building-tilt", "river-quality",
        "confined-space-gas", "secondary-water-supply", "ambient-noise", "street-lamp",
    }),
    "wrong-unit": frozenset({
        "residual-current-monitor", "hydrant-pressure", "indoor-water-pressure", "river-quality",
        "secondary-water-supply", "street-lamp",
    }),
}  # fmt: skip
"""Types at which a fault shows, where it does not at all: what rises and falls with rain, traffic or a working day by
itself has no history from which a third would stand out, a state does not drift, and a dry road rightly stays so."""
FREEZES: frozenset[str] = frozenset({"air-station", "residual-current-monitor"})
"""Types that say 0 for as long as they speak in the wrong unit: in it all is less than the step they report in."""
_UNITS: Mapping[str, tuple[float, float]] = {
    "MPa": (1000.0, 0.0), "Cel": (1.8, 32.0), "cm": (0.01, 0.0), "m": (100.0, 0.0), "mg/m3": (1000.0, 0.0),
    "ug/m3": (0.001, 0.0), "m/s": (3.6, 0.0), "%{LEL}": (500.0, 0.0), "mA": (0.001, 0.0), "mm": (0.1, 0.0),
    "mg/L": (1000.0, 0.0),
}  # fmt: skip
"""(factor, offset) to a unit that may be set by mistake: kPa, degF, m, cm, ug/m3, mg/m3, km/h, ppm, A, cm, ug/L."""
_SKEWS_S = (-3_600, -420, 150, 240)
"""Not further ahead than five minutes: what is further ahead is refused."""
_BABBLE = 20
_HOURS = {
    "stuck": (8, 24), "drift": (12, 36), "spike": (6, 24), "flapping": (0.5, 2), "wrong-unit": (4, 12),
    "dropout": (4, 30), "skewed-clock": (2, 10), "duplicate": (2, 12), "reordered": (2, 12), "babbling": (0.5, 2),
    "disconnect": (0.3, 2), "backlog": (0.3, 3), "will": (0.2, 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault; times in ms.

    Attributes:
        name: One of `ALL`.
        device: Number of the device; -1 for a gateway's.
        gateway: Number of the gateway; -1 for a device's.
        start: When it begins.
        end: When it is over.
        size: How bad: what a fault of its name makes of it stands in `docs/reference/simulator.md`.
    """

    name: str
    device: int = -1
    gateway: int = -1
    start: int
    end: int
    size: float = 0.0


def plan(
    district: District, begin_ms: int, end_ms: int, number: int, rng: np.random.Generator, avoid: frozenset[int]
) -> list[Fault]:
    """Faults of a run, by their start; every name has its turn before one comes again.

    Args:
        district: Where.
        begin_ms: Start of the run.
        end_ms: Its end.
        number: How many.
        rng: For the choice.
        avoid: Devices that have an incident: what they say is to be believed.
    """
    span = end_ms - begin_ms
    sensors = np.array([i for i in range(district.sensors) if i not in avoid])
    quiet = sorted(set(range(len(district.gateways))) - {int(district.gateway_of[i]) for i in avoid})
    order = [ALL[i] for _ in range(-(-number // len(ALL))) for i in rng.permutation(len(ALL))][:number]
    found: list[Fault] = []
    for name in order:
        low, high = _HOURS[name]
        length = int(min(rng.uniform(low, high) * 3_600_000, span * 0.6))
        start = begin_ms + int(rng.integers(int(span * 0.05), max(int(span * 0.05) + 1, span - length)))
        if name in GATEWAY:
            if quiet:
                gateway = quiet.pop(int(rng.integers(len(quiet))))
                found.append(Fault(name=name, gateway=gateway, start=start, end=start + length))
        elif len(sensors):
            at = int(rng.integers(len(sensors)))
            found.append(
                Fault(name=name, device=int(sensors[at]), start=start, end=start + length, size=_size(name, rng))
            )
            sensors = np.delete(sensors, at)
    return sorted(found, key=lambda fault: fault.start)


def _size(name: str, rng: np.random.Generator) -> float:
    if name == "skewed-clock":
        return float(rng.choice(_SKEWS_S)) * 1000
    if name == "spike":
        return 0.08  # of the readings
    if name == "babbling":
        return float(_BABBLE)
    if name == "drift":
        return float(rng.choice([-1.0, 1.0])) * 0.35  # of the ordinary value, at the fault's end
    return 0.0


def lie(
    fault: Fault, kind: Kind, metric: int, unit: str, seed: int, rows: Ints, t: Ints, value: Floats, frozen: float
) -> Floats:
    """What the sensor says in place of `value`, all of it inside the fault.

    Args:
        fault: One of `VALUE`.
        kind: The device's kind.
        metric: Which metric of it.
        unit: Its UCUM unit.
        seed: For spikes.
        rows: Number of the device, again and again.
        t: When.
        value: What it would say.
        frozen: What it said when the fault began.
    """
    spec = kind.metrics[metric]
    if fault.name == "stuck":
        return np.full(len(value), frozen)
    if spec.state or not spec.main:
        return value  # a state is not drifted; what else is wrong shows in what is reported every time
    if fault.name == "drift":
        gone = (t - fault.start) / (fault.end - fault.start)
        return value + fault.size * gone * max(abs(frozen), 4 * spec.noise)
    if fault.name == "spike":
        hit = uniform(key(seed, "spike", metric), rows, t) < fault.size
        return np.where(hit, np.minimum(spec.high, 6.0 * np.abs(value) + 40.0 * spec.noise), value)
    if fault.name == "flapping":
        far = min(spec.high, 4.0 * abs(frozen) + 60.0 * spec.noise)
        return np.where((t // (kind.alarm_s * 1000)) % 2 == 0, far, value)
    factor, offset = _UNITS.get(unit, (1.0, 0.0))
    return value * factor + offset
