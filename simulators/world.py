"""The simulated district over a stretch of time: what every device reports, when, and what truly happens.

Everything is a pure function of the seed, the device and the time, or of fields laid out once in steps of a minute; so
the reports of a stretch are the same whoever asks for it, in whatever pieces.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from city.catalogue import load_catalogue
from simulators import faults, incidents
from simulators.chance import Floats, Ints, key, normal
from simulators.district import District
from simulators.faults import Fault
from simulators.hydrology import Hydrology
from simulators.incidents import Effect, Incident
from simulators.kinds import CAMERA, Kind
from simulators.limits import Limit, limits_of, worst
from simulators.moment import Moment
from simulators.spans import Spans, ticks
from simulators.weather import Weather

_NEAR = 0.7
"""From here on a device says that it is near a limit: 1 is at it."""
_LINGER_MS = 900_000
"""How long it stays in alarm afterwards."""
_STEP_MS = 60_000
_FLUSH = 500
"""How many times faster than it came about a gateway sends what it held back."""
_FINE = 240
_WET_MM_H = 12.0
"""Rain that puts the water devices of a place into alarm interval before there is anything to see."""
WET = ("road-water-level", "river-level", "sewer-level", "weather-station")


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be played.

    Attributes:
        seed: Of everything random; same seed, same bytes.
        begin_ms: Start, ms since the epoch.
        seconds: Length.
        incidents: How many.
        faults: How many.
        storm: Whether a cloudburst comes over the whole district.
        brisk: Whether incidents rise in a second, for runs of a minute.
        period_s: Seconds between two reports of a sensor, of every type; None for their own intervals.
        scenes: Only incidents for these scenes; None for all.
    """

    seed: int
    begin_ms: int
    seconds: float
    incidents: int = 0
    faults: int = 0
    storm: bool = False
    brisk: bool = False
    period_s: float | None = None
    scenes: tuple[str, ...] | None = None

    @property
    def end_ms(self) -> int:
        """Its end."""
        return self.begin_ms + round(self.seconds * 1000)


@dataclass(slots=True)
class Reports:
    """Reports of the devices of one kind.

    Attributes:
        kind: Which kind of the district.
        rows: Devices, numbered within the kind, shape (n,).
        event: What they give as their time, ms.
        sent: When they are sent, ms.
        values: Shape (metrics, n); NaN where a report does not carry a metric.
        repeated: Which are sent a second time.
    """

    kind: int
    rows: Ints
    event: Ints
    sent: Ints
    values: Floats
    repeated: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))


class World:
    """A district with its weather, incidents and faults over the time of a scenario.

    Args:
        district: Who stands where.
        scenario: What is to be played.
    """

    def __init__(self, district: District, scenario: Scenario) -> None:
        self.district = district
        self.scenario = scenario
        self.weather = Weather(scenario.seed, scenario.begin_ms, scenario.end_ms, district.size_m, storm=scenario.storm)
        self.water = Hydrology(self.weather)
        begin, end = scenario.begin_ms, scenario.end_ms
        rng = np.random.default_rng([scenario.seed, 13])
        self.incidents: list[Incident] = incidents.plan(
            district, begin, end, scenario.incidents, rng, brisk=scenario.brisk, scenes=scenario.scenes
        )
        touched = frozenset(
            district.fleets[e.kind].first + e.row for incident in self.incidents for e in incident.effects
        )
        self.faults: list[Fault] = faults.plan(
            district, begin, end, scenario.faults, np.random.default_rng([scenario.seed, 17]), touched
        )
        self._effects = self._by_metric()
        self._alarm = [self._alarms(i) for i in range(len(district.kinds))]
        self._values = [[f for f in self._faults_of(i) if f.name in faults.VALUE] for i in range(len(district.kinds))]
        self._sending = [self._sending_of(i) for i in range(len(district.kinds))]
        self._gateways = {name: self._away(name) for name in faults.GATEWAY}

    @cached_property
    def _units(self) -> list[list[str]]:
        return _units(self.district.kinds)  # read only when a sensor lies: the catalogue is long

    def moment(self, kind: int, rows: Ints, t: Ints) -> Moment:
        """Devices of a kind at some times: `rows` of its fleet and `t`, ms since the epoch, shape (n,) each."""
        return Moment(self.district.fleets[kind], rows, t, self.weather, self.water)

    def true(self, at: Moment, kind: int, metric: int) -> Floats:
        """What a metric truly is, incidents included, in its unit, shape (n,)."""
        value = np.asarray(self.district.kinds[kind].metrics[metric].signal(at), np.float64)
        return self._pulled(at, kind, metric, value)

    def measured(self, at: Moment, kind: int, metric: int) -> Floats:
        """What the sensor makes of it: noise, a drift with the temperature, its resolution, the ends of its range."""
        spec = self.district.kinds[kind].metrics[metric]
        value = self.true(at, kind, metric)
        if spec.state:
            return (value > 0.5).astype(np.float64)
        if spec.noise:
            of = key(self.scenario.seed, "noise", at.fleet.type, spec.name)
            value = value + spec.noise * normal(of, at.rows + at.fleet.first, at.t)
            value += spec.noise * 0.02 * at.trait("temperature") * (at.temperature - 20.0)
        return rounded(np.clip(value, spec.low, spec.high), spec.decimals)

    def reports(self, begin_ms: int, end_ms: int) -> Iterator[Reports]:
        """The reports that are due in [begin, end), kind by kind; those held back are sent later than they are due."""
        for kind in range(len(self.district.kinds)):
            rows, t, full = self._due(kind, begin_ms, end_ms)
            if len(rows):
                found = self._sent(kind, rows, t, full)
                if len(found.rows):
                    yield found

    def near_spans(self, kind: int) -> Spans:
        """When devices of a kind are in alarm interval."""
        return self._alarm[kind]

    def away(self, name: str) -> Spans:
        """When gateways are away, for a fault of `faults.GATEWAY`."""
        return self._gateways[name]

    def _pulled(self, at: Moment, kind: int, metric: int, value: Floats) -> Floats:
        effects = self._effects.get((kind, metric))
        if not effects or not len(at.t):
            return value
        low, high = int(at.t.min()), int(at.t.max())
        state = self.district.kinds[kind].metrics[metric].state
        for effect in effects:
            if effect.start > high or effect.end < low:
                continue
            hit = np.flatnonzero((at.rows == effect.row) & (at.t >= effect.start) & (at.t < effect.end))
            if len(hit):
                share = effect.share(at.t[hit])
                share = (share >= 0.5).astype(np.float64) if state else share
                value[hit] += share * (effect.target - value[hit])
        return value

    def _by_metric(self) -> Mapping[tuple[int, int], list[Effect]]:
        found: dict[tuple[int, int], list[Effect]] = {}
        for incident in self.incidents:
            for effect in incident.effects:
                found.setdefault((effect.kind, effect.metric), []).append(effect)
        return found

    def _due(self, kind: int, begin_ms: int, end_ms: int) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """(rows, times, whether the report carries every metric)."""
        spec, fleet = self.district.kinds[kind], self.district.fleets[kind]
        period = self._period_ms(spec)
        every = np.arange(len(fleet), dtype=np.int64)
        phase = (fleet.share("phase") * period).astype(np.int64)
        number = -((self.scenario.begin_ms + phase - begin_ms) // period)
        first = self.scenario.begin_ms + phase + number * period
        rows, t = ticks(every, first, end_ms, period)
        turn = (t - self.scenario.begin_ms) // period + rows
        full = turn % spec.full_every == 0
        alarm = self._alarm[kind]
        for fault in self._sending[kind]["babbling"]:
            more, when = Spans(self.scenario.begin_ms, [(fault.device - fleet.first, fault.start, fault.end)]).ticks(
                max(250, int(period / fault.size)), begin_ms, end_ms
            )
            rows, t = np.concatenate([rows, more]), np.concatenate([t, when + 3])
            full = np.concatenate([full, np.zeros(len(more), np.bool_)])
        if len(alarm):
            calm = ~alarm.inside(rows, t)
            more, when = alarm.ticks(min(spec.alarm_s * 1000, period), begin_ms, end_ms)
            rows, t = np.concatenate([rows[calm], more]), np.concatenate([t[calm], when])
            full = np.concatenate([full[calm], np.ones(len(more), np.bool_)])
        return rows, t, full

    def _period_ms(self, spec: Kind) -> int:
        if self.scenario.period_s is not None and spec is not CAMERA:
            return max(1, round(self.scenario.period_s * 1000))
        return spec.interval_s * 1000

    def _sent(self, kind: int, rows: Ints, t: Ints, full: NDArray[np.bool_]) -> Reports:
        first = self.district.fleets[kind].first
        gateway = self.district.gateway_of[rows + first]
        kept = ~(self._gateways["disconnect"].inside(gateway, t) | self._gateways["will"].inside(gateway, t))
        for fault in self._sending[kind]["dropout"]:
            kept &= ~((rows == fault.device - first) & (t >= fault.start) & (t < fault.end))
        rows, t, full, gateway = rows[kept], t[kept], full[kept], gateway[kept]
        values = self._said(kind, rows, t, full)
        event, sent = t.copy(), t.copy()
        backlog = self._gateways["backlog"]
        if len(backlog):
            held = np.flatnonzero(backlog.inside(gateway, t))
            which = np.searchsorted(backlog.rows, gateway[held])  # a gateway has one of them at most
            sent[held] = backlog.end[which] + (t[held] - backlog.begin[which]) // _FLUSH
        repeated = np.zeros(len(rows), np.bool_)
        for fault in self._sending[kind]["all"]:
            hit = (rows == fault.device - first) & (t >= fault.start) & (t < fault.end)
            if fault.name == "skewed-clock":
                event[hit] += int(fault.size)
            elif fault.name == "duplicate":
                repeated |= hit
            elif fault.name == "reordered":
                period = self._period_ms(self.district.kinds[kind])
                turn = (t[hit] - self.scenario.begin_ms) // period
                sent[hit] += np.where(turn % 2 == 0, period + period // 2, 0)
        return Reports(kind, rows, event, sent, values, repeated)

    def _said(self, kind: int, rows: Ints, t: Ints, full: NDArray[np.bool_]) -> Floats:
        spec, fleet = self.district.kinds[kind], self.district.fleets[kind]
        values = np.full((len(spec.metrics), len(rows)), np.nan)
        brief = self.moment(kind, rows, t)
        whole = np.flatnonzero(full)
        rest = brief if len(whole) == len(rows) else self.moment(kind, rows[whole], t[whole])
        for metric, one in enumerate(spec.metrics):
            at, where = (brief, slice(None)) if one.main else (rest, whole)
            if len(at.t):
                values[metric, where] = self.measured(at, kind, metric)
        for fault in self._values[kind]:
            hit = np.flatnonzero((rows == fault.device - fleet.first) & (t >= fault.start) & (t < fault.end))
            if len(hit):
                self._lie(fault, kind, rows[hit], t[hit], values, hit)
        return values

    def _lie(self, fault: Fault, kind: int, rows: Ints, t: Ints, values: Floats, hit: Ints) -> None:
        spec = self.district.kinds[kind]
        begun = self.moment(kind, rows[:1], np.array([fault.start]))
        for metric, one in enumerate(spec.metrics):
            frozen = float(self.measured(begun, kind, metric)[0])
            said = faults.lie(
                fault, spec, metric, self._units[kind][metric], self.scenario.seed, rows, t, values[metric, hit], frozen
            )
            shown = np.where(np.isnan(values[metric, hit]), np.nan, said)
            values[metric, hit] = rounded(shown, one.decimals)

    def _alarms(self, kind: int) -> Spans:
        """Devices near a limit: by incidents, by the weather, and all of a place's water devices while it pours."""
        spans: list[tuple[int, int, int]] = []
        for name, limits in limits_of(self.district.kinds[kind].type).items():
            metric = self.district.kinds[kind].metric(name)
            spans += self._near_by_incident(kind, metric, limits)
            outdoors = tuple(limit for limit in limits if limit.weather)
            if outdoors:
                spans += self._near_by_weather(kind, metric, outdoors)
        if self.district.kinds[kind].type in WET:
            spans += self._wet(kind)
        for fault in self._faults_of(kind):
            if fault.name == "flapping":
                spans.append((fault.device - self.district.fleets[kind].first, fault.start, fault.end))
        return Spans(self.scenario.begin_ms, spans)

    def _near_by_incident(self, kind: int, metric: int, limits: tuple[Limit, ...]) -> Iterator[tuple[int, int, int]]:
        for effect in self._effects.get((kind, metric), ()):
            t = np.unique(np.linspace(effect.start, effect.end, _FINE).astype(np.int64))
            t = np.unique(np.concatenate([t, [effect.peak, effect.fall]]))
            at = self.moment(kind, np.full(len(t), effect.row), t)
            _, near = worst(limits, at, self.true(at, kind, metric))
            hit = t[near >= _NEAR]
            if len(hit):
                yield effect.row, int(hit[0]), int(hit[-1]) + _LINGER_MS

    def _near_by_weather(self, kind: int, metric: int, limits: tuple[Limit, ...]) -> Iterator[tuple[int, int, int]]:
        for t, rows, value in self.calm_grid(kind, metric):
            at = self.moment(kind, rows, t)
            _, near = worst(limits, at, value)
            hit = near >= _NEAR
            yield from _runs(rows[hit], t[hit])

    def _wet(self, kind: int) -> Iterator[tuple[int, int, int]]:
        weather, fleet = self.weather, self.district.fleets[kind]
        minute, cell = np.nonzero(weather.rain >= _WET_MM_H)
        by_cell: dict[int, list[tuple[int, int, int]]] = {}
        order = np.lexsort((minute, cell))
        for one, begin, end in _runs(cell[order], weather.start_ms + minute[order] * _STEP_MS):
            by_cell.setdefault(one, []).append((one, begin, end))
        for row, its in enumerate(fleet.cell.tolist()):
            for _, begin, end in by_cell.get(its, ()):
                # Not all in the same moment, but all within a minute.
                yield row, begin + int(fleet.share("phase")[row] * 55_000), end

    def calm_grid(self, kind: int, metric: int) -> Iterator[tuple[Ints, Ints, Floats]]:
        """(times, rows, true values without incidents) of all devices, minute by minute, a device after the other."""
        fleet, scenario = self.district.fleets[kind], self.scenario
        t = np.arange(scenario.begin_ms, scenario.end_ms + _STEP_MS, _STEP_MS)
        some = max(1, 400_000 // len(t))
        signal = self.district.kinds[kind].metrics[metric].signal
        for first in range(0, len(fleet), some):
            rows = np.arange(first, min(first + some, len(fleet)), dtype=np.int64)
            times, which = np.tile(t, len(rows)), np.repeat(rows, len(t))
            yield times, which, np.asarray(signal(self.moment(kind, which, times)), np.float64)

    def _faults_of(self, kind: int) -> list[Fault]:
        fleet = self.district.fleets[kind]
        return [f for f in self.faults if fleet.first <= f.device < fleet.first + len(fleet)]

    def _sending_of(self, kind: int) -> Mapping[str, list[Fault]]:
        own = [f for f in self._faults_of(kind) if f.name in faults.SENDING]
        return {
            "all": own,
            "dropout": [f for f in own if f.name == "dropout"],
            "babbling": [f for f in own if f.name == "babbling"],
        }

    def _away(self, name: str) -> Spans:
        return Spans(self.scenario.begin_ms, [(f.gateway, f.start, f.end) for f in self.faults if f.name == name])


def rounded(values: Floats, decimals: int) -> Floats:
    """To so many decimals, and exactly the number that their text is read as."""
    scale = 10.0**decimals
    return np.rint(values * scale) / scale


def _runs(rows: Ints, t: Ints, linger_ms: int = _LINGER_MS) -> Iterator[tuple[int, int, int]]:
    """Stretches of rows in which times follow each other minute by minute."""
    if not len(rows):
        return
    cut = np.flatnonzero((np.diff(rows) != 0) | (np.diff(t) > _STEP_MS)) + 1
    first = np.concatenate([[0], cut])
    last = np.concatenate([cut, [len(rows)]]) - 1
    for row, begin, end in zip(rows[first].tolist(), t[first].tolist(), t[last].tolist(), strict=True):
        yield row, begin, end + linger_ms


def _units(kinds: Sequence[Kind]) -> list[list[str]]:
    catalogue = load_catalogue()
    return [[catalogue[kind.type].metrics[metric.name].unit for metric in kind.metrics] for kind in kinds]
