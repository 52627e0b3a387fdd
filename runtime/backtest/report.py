"""What a backtest tells programs: one form for the command line and for HTTP."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from core.clock import civil_day, rfc3339
from history.query import Gap
from runtime.backtest.labels import LabelScore
from runtime.backtest.material import Material, Range
from runtime.backtest.run import Outcome, Raised
from thresholds.scene import Scene


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """One alert; `severity` is the worst it reached."""

    id: str
    feed: str
    place: str
    severity: str
    raised_at: str
    cleared_at: str | None
    case: bool
    """Whether a case opens."""


class GapView(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """A hole in the range."""

    start: str
    end: str
    reason: str
    detail: str


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Of a day, a place or a device."""

    alerts: int
    cases: int


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Cases a day against what is bearable."""

    per_day: int | None
    busiest_day: int
    days_over: list[str]


class Backtest(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """What a scene would have raised."""

    scene: str
    version: str
    stage: str
    """As which it was evaluated: anything but a pilot counts as live."""
    start: str
    end: str
    feeds: int
    readings: int
    seconds: float
    """From the question to the answer."""
    gaps: list[GapView]
    problems: list[str]
    """Files that cannot be read, and that history has no feed that is watched."""
    alerts: list[AlertView]
    open_before: int
    """Alerts raised before the range that were open at its start."""
    cases: int
    budget: Budget
    per_day: dict[str, Count]
    per_place: dict[str, Count]
    per_device: dict[str, Count]
    labels: LabelScore | None


def report(
    scene: Scene, stage: str, material: Material, outcome: Outcome, labels: LabelScore | None, seconds: float
) -> Backtest:
    """The form of an outcome."""
    asked = material.range
    days = _counts(outcome.alerts, lambda a: [str(civil_day(a.raised_ms))], of=_days(asked))
    watched = sum(scene.feeds.watch(device, metric) for device, metric, _ in material.feeds)
    nobody = [] if watched else [f"history has no feed that {scene.id} watches: is its type or metric another there?"]
    return Backtest(
        scene=scene.id, version=scene.version, stage=stage,
        start=rfc3339(asked.start_ms), end=rfc3339(asked.end_ms),
        feeds=watched, readings=material.count, seconds=round(seconds, 3),
        gaps=[gap_view(gap) for gap in material.gaps], problems=[*material.problems, *nobody],
        alerts=[alert_view(alert) for alert in outcome.alerts], open_before=outcome.open_before, cases=outcome.cases,
        budget=budget(scene, days), per_day=days,
        per_place=_counts(outcome.alerts, lambda a: [a.place]),
        per_device=_counts(outcome.alerts, lambda a: sorted({f.partition("/")[0] for f in a.feeds})),
        labels=labels,
    )  # fmt: skip


def budget(scene: Scene, days: dict[str, Count]) -> Budget:
    """Cases of days against the scene's own budget."""
    limit = scene.raises.budget_per_day
    over = [day for day, count in days.items() if limit is not None and count.cases > limit]
    return Budget(per_day=limit, busiest_day=max((c.cases for c in days.values()), default=0), days_over=over)


def alert_view(alert: Raised) -> AlertView:
    """An alert as it is told."""
    cleared = None if alert.cleared_ms is None else rfc3339(alert.cleared_ms)
    return AlertView(
        id=alert.id, feed=alert.feed, place=alert.place, severity=alert.severity, raised_at=rfc3339(alert.raised_ms),
        cleared_at=cleared, case=alert.case,
    )  # fmt: skip


def gap_view(gap: Gap) -> GapView:
    """A hole as it is told."""
    return GapView(start=rfc3339(gap.start_ms), end=rfc3339(gap.end_ms), reason=str(gap.reason), detail=gap.detail)


def _days(asked: Range) -> list[str]:
    """Every day that the range touches, those without an alert too."""
    step, last = 86_400_000, max(asked.start_ms, asked.end_ms - 1)
    return sorted({str(civil_day(ms)) for ms in [*range(asked.start_ms, last, step), last]})


def _counts(alerts: Sequence[Raised], names: Callable[[Raised], list[str]], of: Iterable[str] = ()) -> dict[str, Count]:
    found: Counter[str] = Counter()
    cases: defaultdict[str, int] = defaultdict(int)
    for alert in alerts:
        for name in names(alert):
            found[name] += 1
            cases[name] += alert.case
    keys = sorted({*found, *of}) if of else sorted(found, key=lambda name: (-found[name], name))
    return {name: Count(alerts=found[name], cases=cases[name]) for name in keys}
