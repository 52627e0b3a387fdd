"""Two versions of a scene over the same readings: what one raises that the other does not, and when."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from core.clock import rfc3339
from runtime.backtest.labels import LabelScore
from runtime.backtest.report import AlertView, alert_view
from runtime.backtest.run import Outcome, Raised

_OPEN = 1 << 62


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The same matter in both, at another time or severity: as the second raises it, and how it was."""

    alert: AlertView
    was_raised_at: str
    was_severity: str
    by_ms: int
    """How much later the second is; below zero it is earlier."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What the second raises otherwise than the first."""

    same: int
    added: list[AlertView]
    lost: list[AlertView]
    earlier: list[Moved]
    later: list[Moved]
    other_severity: list[Moved]
    cases_added: int
    cases_lost: int
    true_missed: list[str] | None
    """What was so, has an alert of the first and none of the second; None without labels."""


def difference(first: Outcome, second: Outcome, labels: tuple[LabelScore, LabelScore] | None = None) -> Difference:
    """Compare; two alerts are of one matter if they have one id, or else one place and overlap in time."""
    pairs, lost, added = _paired(first.alerts, second.alerts)
    moved = [(a, b) for a, b in pairs if a.raised_ms != b.raised_ms]
    missed = None
    if labels is not None:
        before = set(labels[0].missed_ids)
        missed = [name for name in labels[1].missed_ids if name not in before]
    return Difference(
        same=len(pairs) - len(moved),
        added=[alert_view(alert) for alert in added],
        lost=[alert_view(alert) for alert in lost],
        earlier=[_moved(a, b) for a, b in moved if b.raised_ms < a.raised_ms],
        later=[_moved(a, b) for a, b in moved if b.raised_ms > a.raised_ms],
        other_severity=[_moved(a, b) for a, b in pairs if a.severity != b.severity],
        cases_added=sum(b.case for b in added) + sum(b.case and not a.case for a, b in pairs),
        cases_lost=sum(a.case for a in lost) + sum(a.case and not b.case for a, b in pairs),
        true_missed=missed,
    )


def _paired(
    first: Sequence[Raised], second: Sequence[Raised]
) -> tuple[list[tuple[Raised, Raised]], list[Raised], list[Raised]]:
    """Pairs, what only the first has, and what only the second has; each alert is in one pair at most."""
    theirs = {alert.id: alert for alert in second}
    pairs = [(alert, theirs.pop(alert.id)) for alert in first if alert.id in theirs]
    taken = {alert.id for alert, _ in pairs}
    by_place: defaultdict[str, list[Raised]] = defaultdict(list)
    for alert in theirs.values():
        by_place[alert.place].append(alert)
    lost = []
    for alert in first:
        if alert.id in taken:
            continue
        near = [other for other in by_place[alert.place] if _overlap(alert, other)]
        if not near:
            lost.append(alert)
            continue
        other = min(near, key=lambda one: (abs(one.raised_ms - alert.raised_ms), one.id))
        by_place[alert.place].remove(other)
        pairs.append((alert, other))
    added = sorted((a for left in by_place.values() for a in left), key=lambda a: (a.raised_ms, a.id))
    return pairs, lost, added


def _overlap(a: Raised, b: Raised) -> bool:
    ends = [_OPEN if one.cleared_ms is None else one.cleared_ms for one in (a, b)]
    return a.raised_ms <= ends[1] and b.raised_ms <= ends[0]


def _moved(was: Raised, now: Raised) -> Moved:
    return Moved(
        alert=alert_view(now), was_raised_at=rfc3339(was.raised_ms), was_severity=was.severity,
        by_ms=now.raised_ms - was.raised_ms,
    )  # fmt: skip
