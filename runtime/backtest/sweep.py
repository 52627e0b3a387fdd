"""One or two values of a scene over a range of them: the whole curve, from readings that are read once."""

import itertools
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import msgspec
import numpy as np

from core.errors import ConfigError
from core.units import format_duration, parse_duration
from runtime.backtest.labels import Labels, LabelScore
from runtime.backtest.material import Material
from runtime.backtest.run import evaluate
from runtime.backtest.which import Catalogue, with_limit
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

Value = float | int | str

MOST_POINTS = 400
_RANGE = re.compile(r"(.+)\.\.(.+)/(\d+)")
_MOST_AXES = 2


@dataclass(frozen=True, slots=True)
class Axis:
    """One value that is varied: where it stands in the scene, and what it is given."""

    path: str
    values: tuple[Value, ...]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of values, and what the scene would have raised with it."""

    values: dict[str, Value]
    alerts: int = 0
    cases: int = 0
    cases_a_day: float = 0.0
    found: int | None = None
    missed: int | None = None
    false: int | None = None
    false_a_day: float | None = None
    precision: float | None = None
    recall: float | None = None
    delay_p50_ms: float | None = None
    problem: str | None = None
    """Why the scene cannot have these values; then nothing else is said."""


def axes_of(texts: Sequence[str]) -> list[Axis]:
    """What `--sweep` says.

    Raises:
        ConfigError: If it cannot be read, or is too much.
    """
    axes = [_axis(text) for text in texts]
    points = int(np.prod([len(axis.values) for axis in axes])) if axes else 0
    if len(axes) > _MOST_AXES or points > MOST_POINTS:
        raise ConfigError(f"--sweep: at most {_MOST_AXES} of them, and {MOST_POINTS} points together")
    return axes


def sweep(
    material: Material,
    scene: Scene,
    axes: Sequence[Axis],
    catalogue: Catalogue,
    *,
    context: SceneSet | None = None,
    labels: Labels | None = None,
    metrics: Sequence[str] = (),
    tell: Callable[[int, int], None] | None = None,
    cancel: Event | None = None,
) -> list[Point]:
    """Every combination, in the order of the axes; a core works on one at a time, all on the same readings.

    Raises:
        CancelledError: If `cancel` was set.
        ConfigError: If a path leads nowhere.
    """

    def with_values(values: dict[str, Value]) -> Scene:
        changed = scene
        for path, value in values.items():
            changed = with_limit(changed, path, value, catalogue, metrics)
        return changed

    combinations = [
        dict(zip([axis.path for axis in axes], values, strict=True))
        for values in itertools.product(*(axis.values for axis in axes))
    ]
    found = tried(material, combinations, with_values, context=context, labels=labels, tell=tell, cancel=cancel)
    wrong = [one.problem for one in found if one.problem]
    if len(wrong) == len(found) and wrong:
        raise ConfigError(f"--sweep: the scene can have none of these values; the first says\n{wrong[0]}")
    return found


def tried(
    material: Material,
    combinations: Sequence[dict[str, Value]],
    with_values: Callable[[dict[str, Value]], Scene],
    *,
    context: SceneSet | None = None,
    labels: Labels | None = None,
    tell: Callable[[int, int], None] | None = None,
    cancel: Event | None = None,
) -> list[Point]:
    """A point for each combination, in their order; `with_values` raises `ConfigError` for one that cannot be.

    Raises:
        CancelledError: If `cancel` was set.
    """

    def point(values: dict[str, Value]) -> Point:
        try:
            changed = with_values(values)
        except ConfigError as error:
            return Point(values=values, problem=str(error))
        outcome = evaluate(material, changed, context, cancel=cancel, threads=1)
        days = max(material.range.days, 1e-9)
        held = None if labels is None else labels.held_against(changed.id, outcome, material.range, changed.worth)
        seen = Point(values=values, alerts=len(outcome.alerts), cases=outcome.cases, cases_a_day=outcome.cases / days)
        return seen if held is None else _labelled(seen, held)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="sweep") as pool:
        points = []
        for done, one in enumerate(pool.map(point, combinations), 1):
            points.append(one)
            if tell is not None:
                tell(done, len(combinations))
    return points


def _labelled(point: Point, held: LabelScore) -> Point:
    late = None if held.delay_ms is None else held.delay_ms.p50
    return msgspec.structs.replace(
        point, found=held.found, missed=held.missed, false=held.false, false_a_day=held.cost.false_a_day,
        precision=held.precision, recall=held.recall, delay_p50_ms=late,
    )  # fmt: skip


def _axis(text: str) -> Axis:
    path, _, spread = text.partition("=")
    match = _RANGE.fullmatch(spread.strip())
    try:
        if match is None:
            return Axis(path.strip(), tuple(_value(part.strip()) for part in spread.split(",")))
        return Axis(path.strip(), _between(match[1].strip(), match[2].strip(), int(match[3])))
    except ValueError as error:
        raise ConfigError(
            f"--sweep {text}: {error}; write it like levels.2.above=20..40/20 (20 values), levels.1.for=10s..5m/6 "
            "or levels.2.above=20,25,30"
        ) from error


def _between(low: str, high: str, count: int) -> tuple[Value, ...]:
    if not 1 <= count <= MOST_POINTS:
        raise ValueError(f"{count} values")
    first, last = _value(low), _value(high)
    if isinstance(first, str) and isinstance(last, str):
        spread = np.linspace(parse_duration(first), parse_duration(last), count)
        return tuple(dict.fromkeys(format_duration(round(ms / 1000) * 1000) for ms in spread.tolist()))
    if isinstance(first, str) or isinstance(last, str):
        raise ValueError("its ends are of two kinds")  # noqa: TRY004 - it is what somebody typed
    return tuple(float(f"{number:.9g}") for number in np.linspace(first, last, count).tolist())


def _value(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        pass
    if not text.endswith("samples"):
        parse_duration(text)
    return text
