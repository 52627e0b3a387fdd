"""What really happened in a run: incidents and faults, with the moments at which true values were beyond a limit.

Every time here is found by evaluating the simulated true signal against the limits of `simulators.limits`; the weather
makes incidents of its own, one for each scene and place.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np

from core.clock import rfc3339
from simulators import faults
from simulators.chance import Ints
from simulators.faults import Fault
from simulators.incidents import Effect, Incident
from simulators.limits import LIMITS, NAMES, Limit
from simulators.run import Sent
from simulators.world import World

VERSION = 1
_COARSE = 480
_REFINE = 64
_STEP_MS = 60_000
_TOGETHER_MS = 2 * 3_600_000
"""The weather's stretches at one place that lie no further apart are one incident."""
_WEATHER: Mapping[str, str] = {
    "road-flooding": "rain-on-road", "river-level": "high-water", "sewer-surcharge": "sewer-overload",
    "heavy-rain": "cloudburst", "strong-wind": "gale", "crane-wind": "gale", "sign-tilt": "gale",
    "extreme-heat": "heat",
}  # fmt: skip


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A device that an incident shows at: from when to when, and how bad it gets there."""

    device: str
    metric: str
    from_: str = msgspec.field(name="from")
    to: str
    severity: str


class TrueIncident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident; `start` is the first moment at which a true value is beyond the first limit."""

    id: str
    kind: str
    scenes: list[str]
    severity: str
    place: str
    town: str
    lon: float | None
    lat: float | None
    start: str
    peak: str
    end: str
    devices: list[Seen]
    brief: bool = False
    """Over before the catalogue's own delay is: nobody has to tell it, and who does is right."""


class TrueFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a device or a gateway; `scenes` ought to notice it."""

    id: str
    kind: str
    device: str | None
    gateway: str | None
    start: str
    end: str
    scenes: list[str]


class SentCount(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator knows that it sent: distinct readings, and second copies apart."""

    messages: int
    readings: int
    duplicates: int
    by_gateway: dict[str, int] | None


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What really happened."""

    version: int
    seed: int
    begin: str
    end: str
    sensors: int
    cameras: int
    sent: SentCount
    incidents: list[TrueIncident]
    faults: list[TrueFault]


class _Stretch(msgspec.Struct, frozen=True):
    """A device beyond a limit, ms."""

    device: int
    begin: int
    end: int
    rank: int
    peak: int
    brief: bool = False


def truth_of(world: World, sent: Sent, *, until_ms: int | None = None) -> Truth:
    """The truth of a run, of which so much was sent.

    Args:
        world: What was played.
        sent: What the generator counted.
        until_ms: When it was ended, if before its time: what had not begun by then did not happen.
    """
    until = world.scenario.end_ms if until_ms is None else until_ms
    found = [one for one in (*_injected(world), *_by_weather(world)) if one[0] < until]
    found.sort(key=lambda one: (one[0], one[1].kind, one[1].place))
    scenario, district = world.scenario, world.district
    return Truth(
        version=VERSION,
        seed=scenario.seed,
        begin=rfc3339(scenario.begin_ms),
        end=rfc3339(until),
        sensors=district.sensors,
        cameras=len(district.devices) - district.sensors,
        sent=SentCount(
            messages=sent.messages, readings=sent.readings, duplicates=sent.duplicates, by_gateway=sent.by_gateway
        ),
        incidents=[msgspec.structs.replace(one, id=f"inc-{i + 1:04d}") for i, (_, one) in enumerate(found)],
        faults=_faults(world, until),
    )


def write_truth(path: Path, truth: Truth) -> None:
    """Write it as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(truth), indent=2) + b"\n")


def read_truth(path: Path) -> Truth:
    """What `write_truth` wrote.

    Raises:
        msgspec.ValidationError: If it is not a truth.
        OSError: If it cannot be read.
    """
    return msgspec.json.decode(path.read_bytes(), type=Truth)


def _injected(world: World) -> Iterator[tuple[int, TrueIncident]]:
    for incident in world.incidents:
        metric = world.district.kinds[incident.kind].metric(incident.pattern.metric)
        stretches = [
            stretch
            for effect in incident.effects
            if effect.metric == metric and (stretch := beyond(world, incident, effect)) is not None
        ]
        center = world.district.fleets[incident.kind].first + incident.row
        for area in _by_area(world, stretches, incident.pattern.apart):
            at = next((s.device for s in area if s.device == center), min(area, key=lambda s: s.begin).device)
            yield _told(world, incident.pattern.kind, incident.pattern.scene, incident.pattern.metric, at, area)


def _by_area(world: World, stretches: Iterable[_Stretch], area: str) -> Iterable[list[_Stretch]]:
    """Those of each `Pattern.apart`: over its border another force has to be told, and so it is another incident."""
    areas: dict[str, list[_Stretch]] = {}
    for stretch in stretches:
        areas.setdefault(getattr(world.district.devices[stretch.device], area), []).append(stretch)
    return areas.values()


def beyond(world: World, incident: Incident, effect: Effect) -> _Stretch | None:
    """When the true value of an effect's device is beyond its scene's limit, to the millisecond at both ends."""
    limits = [
        limit for limit in LIMITS
        if limit.scene == incident.pattern.scene and limit.type == incident.pattern.type
        and limit.metric == incident.pattern.metric
    ]  # fmt: skip
    first, last = effect.start, min(effect.end, world.scenario.end_ms)
    t = np.unique(np.concatenate([np.linspace(first, last, _COARSE), [effect.peak, effect.fall]]).astype(np.int64))
    t = t[(t >= first) & (t <= last)]
    rank = _rank(world, effect, limits, t)
    hit = np.flatnonzero(rank > 0)
    if not len(hit):
        return None
    begin, end = int(t[hit[0]]), int(t[hit[-1]])
    if hit[0] > 0:
        begin = _edge(world, effect, limits, int(t[hit[0] - 1]), begin)
    if hit[-1] + 1 < len(t):
        end = _edge(world, effect, limits, int(t[hit[-1] + 1]), end)
    device = world.district.fleets[effect.kind].first + effect.row
    brief = end - begin < max(limit.lasting_s for limit in limits) * 1000
    return _Stretch(device, begin, end, int(rank.max()), int(t[rank.argmax()]), brief)


def _edge(world: World, effect: Effect, limits: list[Limit], calm: int, past: int) -> int:
    """The last moment of the side that is past the limit, between a calm one and one past it."""
    while abs(past - calm) > 1:
        step = np.unique(np.linspace(min(calm, past), max(calm, past), _REFINE).astype(np.int64))
        hit = step[_rank(world, effect, limits, step) > 0]
        past = int(hit.min() if calm < past else hit.max())
        rest = step[step < past] if calm < past else step[step > past]
        calm = int(rest.max() if calm < past else rest.min())
    return past


def _rank(world: World, effect: Effect, limits: list[Limit], t: Ints) -> Ints:
    at = world.moment(effect.kind, np.full(len(t), effect.row), t)
    value = world.true(at, effect.kind, effect.metric)
    rank = np.zeros(len(t), np.int64)
    for limit in limits:
        rank = np.maximum(rank, limit.excess(at, value)[0].astype(np.int64))
    return rank


def _by_weather(world: World) -> Iterator[tuple[int, TrueIncident]]:
    kinds = {kind.type: i for i, kind in enumerate(world.district.kinds)}
    for limit in LIMITS:
        if limit.weather and limit.type in kinds:
            kind = kinds[limit.type]
            metric = world.district.kinds[kind].metric(limit.metric)
            for group in _together(world, list(_weather_stretches(world, limit, kind, metric))):
                yield _told(world, _WEATHER[limit.scene], limit.scene, limit.metric, group[0].device, group)


def _weather_stretches(world: World, limit: Limit, kind: int, metric: int) -> Iterator[_Stretch]:
    """Every device's stretches beyond the limit, to the minute, without what was injected."""
    first = world.district.fleets[kind].first
    for t, rows, value in world.calm_grid(kind, metric):
        rank = limit.excess(world.moment(kind, rows, t), value)[0]
        hit = np.flatnonzero(rank > 0)
        if not len(hit):
            continue
        cut = np.flatnonzero((np.diff(rows[hit]) != 0) | (np.diff(t[hit]) > _STEP_MS)) + 1
        for piece in np.split(hit, cut):
            top = piece[int(np.argmax(rank[piece]))]
            begin, end = int(t[piece[0]]), int(t[piece[-1]]) + _STEP_MS
            brief = end - begin < limit.lasting_s * 1000
            yield _Stretch(first + int(rows[piece[0]]), begin, end, int(rank[top]), int(t[top]), brief)


def _together(world: World, stretches: list[_Stretch]) -> Iterator[list[_Stretch]]:
    """Those of one place that belong together."""
    devices = world.district.devices
    stretches.sort(key=lambda s: (devices[s.device].place, s.begin, s.device))
    group: list[_Stretch] = []
    for stretch in stretches:
        if group and (
            devices[group[-1].device].place != devices[stretch.device].place
            or stretch.begin > max(s.end for s in group) + _TOGETHER_MS
        ):
            yield group
            group = []
        group.append(stretch)
    if group:
        yield group


def _told(
    world: World, kind: str, scene: str, metric: str, at: int, stretches: list[_Stretch]
) -> tuple[int, TrueIncident]:
    device = world.district.devices[at]
    top = max(stretches, key=lambda s: (s.rank, -s.begin))
    begin = min(s.begin for s in stretches)
    return begin, TrueIncident(
        id="", kind=kind, scenes=[scene], severity=NAMES[top.rank], place=device.place, town=device.town,
        lon=device.lon, lat=device.lat, start=rfc3339(begin), peak=rfc3339(top.peak),
        end=rfc3339(max(s.end for s in stretches)),
        devices=[
            Seen(device=world.district.devices[s.device].id, metric=metric, from_=rfc3339(s.begin), to=rfc3339(s.end),
                 severity=NAMES[s.rank])
            for s in stretches
        ],
        brief=all(s.brief for s in stretches),
    )  # fmt: skip


def _noticing(world: World, fault: Fault) -> list[str]:
    """Scenes that ought to notice a fault: of the device's type, or of those of all devices behind the gateway."""
    devices = world.district.devices
    if fault.device >= 0:
        kinds = {devices[fault.device].type}
    else:
        kinds = {devices[i].type for i in np.flatnonzero(world.district.gateway_of == fault.gateway)}
    shown = kinds & faults.SHOWS.get(fault.name, kinds)
    found = {scene.format(type=kind) for scene in faults.SCENES.get(fault.name, ()) for kind in shown}
    if fault.name == "wrong-unit":
        found |= {faults.STUCK.format(type=kind) for kind in kinds & faults.FREEZES}
    return sorted(found)


def _faults(world: World, until_ms: int) -> list[TrueFault]:
    district = world.district
    return [
        TrueFault(
            id=f"flt-{i + 1:04d}", kind=fault.name,
            device=district.devices[fault.device].id if fault.device >= 0 else None,
            gateway=district.gateways[fault.gateway] if fault.gateway >= 0 else None,
            start=rfc3339(fault.start), end=rfc3339(fault.end), scenes=_noticing(world, fault),
        )
        for i, fault in enumerate(f for f in world.faults if f.start < until_ms)
    ]  # fmt: skip
