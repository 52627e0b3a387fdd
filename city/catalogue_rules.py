"""What the form of a catalogue cannot say: units, bands, ladders and words that have to fit each other."""

import datetime as dt
import re
from collections.abc import Iterator
from itertools import combinations

from city.catalogue_form import CONDITIONS, Fault, LimitForm, MetricForm, TypeForm
from city.limit import HIGH, LOW, OWN_SCALE
from city.marked import Place
from city.ucum import fault_of

WHERE = ("kind", "station", "area_class", "period", "water_class", "weather")
"""What a limit may hold for, beside the states of the same type."""
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OVER_NEEDED = frozenset(("mean", "held", "rate", "count"))


def faults(name: str, form: TypeForm) -> Iterator[Fault]:
    """Every mistake of a type that is of the right form."""
    place: Place = ("types", name)
    if not _ID.fullmatch(name):
        yield place, f"{name}: an id is small letters, digits and single hyphens"
    if not form.metrics:
        yield (*place, "metrics"), f"{name}: it measures nothing; give it a metric"
    if form.interval and form.alarm_interval and form.alarm_interval > form.interval:
        yield (*place, "alarm_interval"), f"{name}: the alarm interval is longer than the normal one"
    if form.interval and form.offline_after and form.offline_after < form.interval:
        yield (*place, "offline_after"), f"{name}: it would be offline between any two readings"
    for metric in form.metric_forms:
        yield from _of_metric(form, name, metric)


def _of_metric(form: TypeForm, owner: str, name: str) -> Iterator[Fault]:
    metric, place, who = form.metric_forms[name], ("types", owner, "metrics", name), f"{owner}.{name}"
    if not _NAME.fullmatch(name):
        yield place, f"{who}: a metric is a small letter, then small letters, digits and _"
    if fault := fault_of(metric.unit):
        yield (*place, "unit"), f"{who}: unit {metric.unit!r}: {fault}"
    if metric.kind == "state":
        for key in ("unit", "range", "normal"):
            if getattr(metric, key):
                yield (*place, key), f"{who}: a state is true or false and has no {key}"
    yield from _of_bands(metric, place, who)
    for index, row in enumerate(metric.limit_forms):
        yield from _of_limit(form, metric, row, (*place, "limits", index), who)
    yield from _of_ladder(metric, place, who)


def _of_bands(metric: MetricForm, place: Place, who: str) -> Iterator[Fault]:
    low, high = metric.range or (float("-inf"), float("inf"))
    if low >= high:
        yield (*place, "range"), f"{who}: the range ends before it begins"
    if metric.normal is not None:
        first, last = metric.normal.band
        if first > last:
            yield (*place, "normal"), f"{who}: the normal band ends before it begins"
        elif not low <= first <= last <= high:
            yield (*place, "normal"), f"{who}: the normal band [{first:g}, {last:g}] leaves the range"
        if metric.normal.verified and not metric.normal.source:
            yield (*place, "normal"), f"{who}: it says verified and no source"


def _of_limit(form: TypeForm, metric: MetricForm, row: LimitForm, place: Place, who: str) -> Iterator[Fault]:
    if len(row.given) != 1:
        what = f"both {' and '.join(row.given)}" if row.given else "no condition"
        yield place, f"{who}: a limit has one of {', '.join(CONDITIONS)}, this one has {what}"
        return
    if (row.condition == "is") != (metric.kind == "state"):
        cure = "`is: true`" if metric.kind == "state" else "a number to compare with"
        yield place, f"{who}: {row.condition} does not fit a {metric.kind}: give {cure}"
    elif row.condition != "is" and row.statistic not in OWN_SCALE and metric.range is not None:
        low, high = metric.range
        numbers = row.value if isinstance(row.value, tuple) else (float(row.value),)
        if not all(low <= number <= high for number in numbers):
            yield place, f"{who}: the limit {row.value} is outside the range [{low:g}, {high:g}]: it would never be met"
    if isinstance(row.value, tuple) and row.value[0] >= row.value[1]:
        yield place, f"{who}: outside [low, high] with the low one first"
    if row.statistic in _OVER_NEEDED and row.over is None:
        yield place, f"{who}: {row.statistic} of what time? give `over`"
    if row.valid_from and row.valid_to and row.valid_from > row.valid_to:
        yield (*place, "valid_to"), f"{who}: it ends before it begins"
    states = {name for name, other in form.metric_forms.items() if other.kind == "state"}
    for key in row.where:
        if key not in WHERE and key not in states:
            words = ", ".join((*WHERE, *sorted(states)))
            yield (*place, "where", key), f"{who}: where knows no {key!r}; there are {words}"


def _of_ladder(metric: MetricForm, place: Place, who: str) -> Iterator[Fault]:
    """Two limits of the same thing: never of one level, and the higher level never the milder one."""
    rows = [(index, row) for index, row in enumerate(metric.limit_forms) if len(row.given) == 1]
    for (_, one), (index, other) in combinations(rows, 2):
        if _subject(one) != _subject(other) or not _meet(one, other):
            continue
        here = (*place, "limits", index)
        if one.level == other.level and one.more_a_day_than == other.more_a_day_than:
            yield here, f"{who}: level {other.level} stands twice for the same days"
        mild, worse = sorted((one, other), key=lambda row: row.level)
        if _milder(worse, mild):
            yield here, f"{who}: level {worse.level} ({worse.value}) is met before level {mild.level} ({mild.value})"


def _subject(row: LimitForm) -> tuple[object, ...]:
    direction = next((d for d, words in (("high", HIGH), ("low", LOW)) if row.condition in words), row.condition)
    return (
        direction,
        row.statistic,
        row.over,
        tuple(sorted(row.where.items())),
        row.value if direction == "is" else None,
    )


def _meet(one: LimitForm, other: LimitForm) -> bool:
    last, first = dt.date.max, dt.date.min
    return (one.valid_from or first) <= (other.valid_to or last) and (other.valid_from or first) <= (
        one.valid_to or last
    )


def _milder(worse: LimitForm, mild: LimitForm) -> bool:
    if isinstance(worse.value, tuple) or isinstance(mild.value, tuple):
        return False
    return worse.value < mild.value if worse.condition in HIGH else worse.condition in LOW and worse.value > mild.value
