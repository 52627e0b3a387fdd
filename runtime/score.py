"""What was raised against what happened: found, missed, how late, and what it cried wolf about. No I/O, no clock.

An alert is explained by an incident if its scene is one that is to find it, it is of one of the incident's devices or
places, and it was raised between the start and a while after the end. What no incident explains may be explained by a
fault; what neither does is false.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from core.clock import parse_rfc3339, rfc3339
from core.severity import Severity
from simulators.truth import Seen, TrueFault, TrueIncident, Truth

DAY_MS = 86_400_000
EARLY_MS = 1_800_000
"""Noise brings a slow value past its limit before its true value is: an alert so long before the start is about it."""
CASES_A_DAY = 100


class Held(NamedTuple):
    """A level of a scene that was kept back because another scene, which was told, was active there."""

    scene: str
    device: str
    at_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class Raised:
    """One alert: `severity` is the worst it reached, `delay_ms` the configured delay of the level that opened it.

    `auto` is whether it was to have a case: a scene of the weather is context for others and opens none. `until_ms` is
    when it cleared, None while it is open.
    """

    id: str
    scene: str
    device: str
    place: str
    severity: str
    raised_ms: int
    case: bool
    auto: bool = True
    gateway: str = ""
    devices: frozenset[str] = frozenset()
    delay_ms: int = 0
    until_ms: int | None = None


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """From the moment at which it was so to the raise, in ms, without the delay that the scene asks for."""

    p50: float
    p90: float
    max: float


class SceneScore(msgspec.Struct, frozen=True, kw_only=True):
    """One scene and the severity that its incidents have.

    `missed` are ids of incidents; `covered` counts those in whose place another scene was told.
    """

    scene: str
    severity: str
    incidents: int
    found: int
    covered: int
    missed: list[str]
    too_mild: list[str]
    """Incidents that were found, but never at the severity that they had."""
    delay_ms: Delay | None


class SceneNoise(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one scene raised."""

    scene: str
    alerts: int
    false: int
    false_a_day: float
    cases: int
    cases_a_day: float


class Unexplained(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that is false, and what else went on there then: an incident for other scenes, or a fault."""

    scene: str
    device: str
    severity: str
    at: str
    beside: str
    """Its kind and id, e.g. `spike flt-0012`; empty if nothing did."""


class FaultScore(msgspec.Struct, frozen=True, kw_only=True):
    """Faults of one kind: how many were to be noticed, and how many were."""

    kind: str
    faults: int
    to_notice: int
    noticed: int


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """Sent against taken; None where nobody can know."""

    sent: int
    taken: int | None
    lost: int | None
    doubled: int | None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison."""

    version: int
    days: float
    incidents: int
    found: int
    alerts: int
    false: int
    false_alerts: list[str]
    """Scene and device of what nothing explains."""
    unexplained: list[Unexplained]
    """The same alerts, each with what may have caused it."""
    cases: int
    busiest_day_cases: int
    covered: dict[str, str]
    """Incidents that were not told by themselves, and the scene that was told in their place."""
    several_cases: dict[str, int]
    """Incidents with more than one case, and how many."""
    without_case: list[str]
    """Incidents that were found and have no case, though an alert of theirs was to have one."""
    scenes: list[SceneScore]
    noise: list[SceneNoise]
    faults: list[FaultScore]
    readings: Readings

    @property
    def missed(self) -> list[str]:
        """Ids of the incidents that nobody was told of."""
        return sorted(name for row in self.scenes for name in row.missed)

    @property
    def meets_target(self) -> bool:
        """Every incident found or covered, one case for each found, no day with more cases than people can bear."""
        told = not self.several_cases and not self.without_case
        return self.found + len(self.covered) == self.incidents and told and self.busiest_day_cases <= CASES_A_DAY


@dataclass(slots=True)
class _Matched:
    """Alerts by what explains them."""

    by_incident: dict[str, list[Raised]] = field(default_factory=lambda: defaultdict(list))
    by_fault: dict[str, list[Raised]] = field(default_factory=lambda: defaultdict(list))
    false: list[Raised] = field(default_factory=list)


def score(
    truth: Truth,
    alerts: Sequence[Raised],
    *,
    slack_ms: int,
    taken: int | None = None,
    doubled: int = 0,
    held: Sequence[Held] = (),
    due: Callable[[TrueIncident], bool] = lambda _: True,
) -> Score:
    """Compare.

    Args:
        truth: What happened.
        alerts: What was raised, in any order; those in shadow left out.
        slack_ms: How long after its end an incident still explains an alert, beside the alert's own delay.
        taken: Distinct readings that the system has taken; None where nobody can know.
        doubled: How many it has taken twice that were sent once.
        held: What was kept back behind a scene that was told.
        due: Whether an incident that is not brief has to be found; one that has not counts only if it was.
    """
    matched = _match(truth, alerts, slack_ms)
    incidents = [i for i in truth.incidents if (due(i) and not i.brief) or matched.by_incident.get(i.id)]
    covered = _covered([i for i in incidents if not matched.by_incident.get(i.id)], held, slack_ms)
    days = max((parse_rfc3339(truth.end) - parse_rfc3339(truth.begin)) / DAY_MS, 1e-9)
    cases = {i.id: sum(a.case for a in matched.by_incident.get(i.id, ())) for i in incidents}
    by_day = Counter((a.raised_ms - parse_rfc3339(truth.begin)) // DAY_MS for a in alerts if a.case)
    sent = truth.sent.readings
    lost = None if taken is None else sent - taken
    return Score(
        version=1,
        days=days,
        incidents=len(incidents),
        found=sum(bool(matched.by_incident.get(i.id)) for i in incidents),
        alerts=len(alerts),
        false=len(matched.false),
        false_alerts=[f"{a.scene} at {a.device}" for a in matched.false],
        unexplained=_unexplained(truth, matched.false, slack_ms),
        cases=sum(a.case for a in alerts),
        busiest_day_cases=max(by_day.values(), default=0),
        covered=covered,
        several_cases={name: n for name, n in cases.items() if n > 1},
        without_case=[
            i.id for i in incidents
            if not cases[i.id] and any(a.auto for a in matched.by_incident.get(i.id, ()))
        ],
        scenes=_scenes(incidents, matched, covered),
        noise=_noise(alerts, matched.false, days),
        faults=_faults(truth.faults, matched),
        readings=Readings(sent=sent, taken=taken, lost=lost, doubled=doubled if taken is not None else None),
    )  # fmt: skip


def late_ms(truth: Truth, alerts: Iterable[Raised], *, slack_ms: int) -> list[int]:
    """How late the first alert of each incident that was found is, without the configured delay, ms."""
    found = _match(truth, alerts, slack_ms).by_incident
    told = [(incident, found[incident.id][0]) for incident in truth.incidents if found.get(incident.id)]
    return [late for incident, first in told for late in _late_ms(incident, first)]


def unexplained(truth: Truth, alerts: Iterable[Raised], *, slack_ms: int) -> list[Raised]:
    """Alerts that neither an incident nor a fault explains, by time."""
    return _match(truth, alerts, slack_ms).false


class _Span:
    """When and where an incident or a fault explains an alert."""

    def __init__(self, of: TrueIncident | TrueFault, names: Iterable[str]) -> None:
        self.of = of
        self.names = frozenset(names)
        self.scenes = frozenset(of.scenes)
        self.start = parse_rfc3339(of.start)
        self.end = parse_rfc3339(of.end)

    def explains(self, alert: Raised, slack_ms: int) -> bool:
        """Whether the alert is about this."""
        if alert.raised_ms > self.end + alert.delay_ms + slack_ms:
            return False
        if not {alert.device, alert.place, alert.gateway}.isdisjoint(self.names):
            return self.start - EARLY_MS <= alert.raised_ms
        # What is folded into an alert that is open is told by it, whenever that was raised.
        joined = not alert.devices.isdisjoint(self.names)
        return joined and (alert.until_ms is None or self.start - EARLY_MS <= alert.until_ms)


def _match(truth: Truth, alerts: Iterable[Raised], slack_ms: int) -> _Matched:
    incidents, faults = _by_scene(truth)
    matched = _Matched()
    for alert in sorted(alerts, key=lambda a: (a.raised_ms, a.id)):
        about = _about(incidents.get(alert.scene, ()), alert, slack_ms)
        fault = None if about else _nearest(faults.get(alert.scene, ()), alert, slack_ms)
        for name in about:
            matched.by_incident[name].append(alert)
        if about:
            continue
        if fault is not None:
            matched.by_fault[fault.of.id].append(alert)
        else:
            matched.false.append(alert)
    return matched


def _by_scene(truth: Truth) -> tuple[dict[str, list[_Span]], dict[str, list[_Span]]]:
    incidents: dict[str, list[_Span]] = defaultdict(list)
    for i in truth.incidents:
        span = _span(i)
        for scene in i.scenes:
            incidents[scene].append(span)
    faults: dict[str, list[_Span]] = defaultdict(list)
    for f in truth.faults:
        span = _span(f)
        for scene in f.scenes:
            faults[scene].append(span)
    return incidents, faults


def _span(of: TrueIncident | TrueFault) -> _Span:
    if isinstance(of, TrueIncident):
        return _Span(of, [of.place or of.id, *(seen.device for seen in of.devices)])
    return _Span(of, [name for name in (of.device, of.gateway) if name])


def _unexplained(truth: Truth, false: Sequence[Raised], slack_ms: int) -> list[Unexplained]:
    spans = [*map(_span, truth.incidents), *map(_span, truth.faults)]
    rows = []
    for alert in false:
        about = [span for span in spans if span.explains(alert, slack_ms)]
        near = max(about, key=lambda s: (alert.device in s.names, s.start, s.of.id), default=None)
        beside = f"{near.of.kind} {near.of.id}" if near else ""
        rows.append(
            Unexplained(
                scene=alert.scene, device=alert.device, severity=alert.severity, at=rfc3339(alert.raised_ms),
                beside=beside,
            )
        )  # fmt: skip
    return rows


def _about(spans: Sequence[_Span], alert: Raised, slack_ms: int) -> list[str]:
    """Ids of the incidents that an alert tells of: for each of its devices the nearest, else that of its place."""
    explaining = [span for span in spans if span.explains(alert, slack_ms)]
    told: set[str] = set()
    for device in {alert.device, *alert.devices}:
        nearest = _last(span for span in explaining if device in span.names)
        told |= {nearest.of.id} if nearest else set()
    there = None if told else _last(explaining)
    return sorted(told) if there is None else [there.of.id]


def _nearest(spans: Iterable[_Span], alert: Raised, slack_ms: int) -> _Span | None:
    """Of those that explain the alert, the one that began last."""
    return _last(span for span in spans if span.explains(alert, slack_ms))


def _last(spans: Iterable[_Span]) -> _Span | None:
    return max(spans, key=lambda span: (span.start, span.of.id), default=None)


def _covered(incidents: Sequence[TrueIncident], held: Sequence[Held], slack_ms: int) -> dict[str, str]:
    """Of incidents that were not told, those of which a level was kept back, and the scene that was told instead."""
    found: dict[str, str] = {}
    for span in map(_span, incidents):
        for one in held:
            there = one.scene in span.scenes and one.device in span.names
            if there and span.start - EARLY_MS <= one.at_ms <= span.end + slack_ms:
                found[span.of.id] = one.by
    return found


def _scenes(incidents: Sequence[TrueIncident], matched: _Matched, covered: Mapping[str, str]) -> list[SceneScore]:
    groups: dict[tuple[str, str], list[TrueIncident]] = defaultdict(list)
    for incident in incidents:
        alerts = matched.by_incident.get(incident.id)
        scene = alerts[0].scene if alerts else incident.scenes[0]
        groups[scene, incident.severity].append(incident)
    rows = []
    for (scene, severity), group in sorted(groups.items(), key=lambda g: (g[0][0], -Severity.of(g[0][1]))):
        found = {i.id: matched.by_incident[i.id] for i in group if matched.by_incident.get(i.id)}
        rows.append(
            SceneScore(
                scene=scene,
                severity=severity,
                incidents=len(group),
                found=len(found),
                covered=sum(i.id in covered for i in group),
                missed=[i.id for i in group if i.id not in found and i.id not in covered],
                too_mild=[i.id for i in group if i.id in found and _worst(found[i.id]) < Severity.of(severity)],
                delay_ms=_delay([late for i in group if i.id in found for late in _late_ms(i, found[i.id][0])]),
            )
        )
    return rows


def _worst(alerts: Iterable[Raised]) -> Severity:
    return max(Severity.of(alert.severity) for alert in alerts)


def _late_ms(incident: TrueIncident, first: Raised) -> list[int]:
    """How long after it was so where the alert came from, without the configured delay.

    Nothing where the incident was folded into an alert of another device: when it joined is not known.
    """
    there: Seen | None = next((seen for seen in incident.devices if seen.device == first.device), None)
    if there is None and first.place != incident.place:
        return []
    return [max(0, first.raised_ms - parse_rfc3339(there.from_ if there else incident.start) - first.delay_ms)]


def _delay(late: Sequence[int]) -> Delay | None:
    if not late:
        return None
    p50, p90 = np.percentile(late, (50, 90))
    return Delay(p50=float(p50), p90=float(p90), max=float(max(late)))


def _noise(alerts: Sequence[Raised], false: Sequence[Raised], days: float) -> list[SceneNoise]:
    raised, wrong = Counter(a.scene for a in alerts), Counter(a.scene for a in false)
    cases = Counter(a.scene for a in alerts if a.case)
    return [
        SceneNoise(
            scene=scene, alerts=n, false=wrong[scene], false_a_day=wrong[scene] / days,
            cases=cases[scene], cases_a_day=cases[scene] / days,
        )
        for scene, n in sorted(raised.items(), key=lambda pair: (-wrong[pair[0]], -pair[1], pair[0]))
    ]  # fmt: skip


def _faults(faults: Sequence[TrueFault], matched: _Matched) -> list[FaultScore]:
    kinds: dict[str, list[TrueFault]] = defaultdict(list)
    for fault in faults:
        kinds[fault.kind].append(fault)
    return [
        FaultScore(
            kind=kind,
            faults=len(group),
            to_notice=sum(bool(f.scenes) for f in group),
            noticed=sum(bool(matched.by_fault.get(f.id)) for f in group),
        )
        for kind, group in sorted(kinds.items())
    ]
