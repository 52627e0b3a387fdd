"""Why, or why not: one feed at one moment, by the stages that decide live, run up to there."""

import enum
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from alerts.states import State
from city.device import Device
from core.clock import rfc3339
from core.severity import Severity
from core.units import format_duration
from runtime.backtest.material import Material, Range
from runtime.backtest.run import Pass
from runtime.offline import OfflineAlert
from thresholds.kernel_state import ACTIVE, CLEARING, RAISING
from thresholds.level import LevelBase
from thresholds.limit_table import TableRow
from thresholds.running import Running
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

_PHASES = {RAISING: "raising", ACTIVE: "active", CLEARING: "clearing"}
_ON_READING = frozenset({"above", "below"})


class Why(enum.StrEnum):
    """What stood between a reading and a case, or that nothing did."""

    ALERT = "alert"
    """There is an alert. 有告警"""
    NO_READING = "no_reading"
    """Nothing was heard of the feed in the time that was looked at. 无读数"""
    CONDITION = "condition"
    """No condition holds. 条件不满足"""
    DELAY = "delay"
    """A condition holds and its delay runs. 延时未满"""
    HELD_BACK = "held_back"
    """A level is active and is kept back: `kept_back` says by what. 未确认或被抑制"""
    FOLDED = "folded"
    """It is part of an alert that another feed opened. 并入其他告警"""
    MILD = "mild"
    """The alert is milder than what opens a case. 低于立案级别"""
    NO_AUTO = "no_auto"
    """The scene opens no cases by itself. 不自动立案"""
    DRAFT = "draft"
    """The scene is a draft or retired: it decides nothing. 草稿或停用"""
    SHADOW = "shadow"
    """The scene is in shadow: it opens nothing. 影子运行"""
    PILOT = "pilot"
    """The scene is in pilot, and not here. 试点范围外"""
    ON_TRIAL = "on_trial"
    """The device is on trial: its alerts are in shadow. 设备试用"""
    OUT_OF_USE = "out_of_use"
    """The device is out of use: nothing decides about it. 设备停用"""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest change of one value by which the level would be active at that moment."""

    key: str
    now: str
    to: str
    """As words: `below 31.2`, `at most 4m`."""
    value: float | str
    """The value nearest to what it is now that does it."""


class UsualWhy(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual for the feed at that moment, as far as it has been learnt."""

    part: str
    """Of which times: `working days 08-09`, `all the time`."""
    expected: float | None
    sigma: float | None
    away: float | None
    """How far the last value, or mean, is from it, in sigmas; below it where this is negative."""
    learning: str | None
    """How far it has learnt, `3 of 14 days`; None once it has."""


class LevelWhy(msgspec.Struct, frozen=True, kw_only=True):
    """One level at that moment."""

    severity: str
    condition: str
    clear_value: Any
    delay: str
    comes_from: str
    """`scene`; or the override that is in force, as `overrides.0 {where:{kind:[road]}}`; or the row of the table, as
    `limits_from stations.csv line 3 (device park): SOURCE (verified 已核实)`."""
    phase: str
    """`idle`, `raising`, `active` or `clearing`."""
    since: str | None
    """Event time at which the delay began."""
    progress: str | None
    """How far the delay is: `2m of 5m`, `1 of 3 samples`."""
    would_fire: list[Change]
    usual: UsualWhy | None = None
    """What it is held against, of a deviation."""


class SceneWhy(msgspec.Struct, frozen=True, kw_only=True):
    """One scene about one feed at one moment."""

    scene: str
    version: str
    stage: str
    feed: str
    at: str
    value: float | None
    unit: str
    measured_at: str | None
    why: list[Why]
    kept_back: list[str]
    """By what: `unconfirmed`, or `inhibited by SCENE`."""
    alert: str | None
    severity: str | None
    case: bool
    gaps: list[str]
    """Holes of what was looked at, a line each."""
    levels: list[LevelWhy]


def explain(material: Material, scene: Scene, context: SceneSet, feed: int) -> SceneWhy:
    """What a scene had to say of a feed at the end of the material.

    Args:
        material: Read for the scene and its context, up to the moment.
        scene: As it is in force, or any other version.
        context: Scenes that it looks at.
        feed: Index in `material.feeds`; the scene watches it.
    """
    device, metric, unit = material.feeds[feed]
    live = _in_force(scene)
    others = [other for other in context.scenes if other.id != scene.id]
    way = Pass(material, SceneSet.of([live, *others]))
    way.to_end()
    name, at_ms = f"{device.id}/{metric}", material.range.end_ms - 1
    running = {Severity(int(row.severity[0])): row for row in _running(way, live, feed)}
    alone = _alone(material, feed)
    levels = [
        msgspec.structs.replace(
            _level(level, scene, device, running.get(Severity.of(level.severity)), alone, at_ms),
            usual=_usual(way, live, level, feed),
        )
        for level in ladder(live, device, at_ms)
    ]
    last = _last(material, feed)
    alert = _open_alert(way, scene.id, name)
    return SceneWhy(
        scene=scene.id, version=scene.version, stage=scene.stage, feed=name, at=rfc3339(at_ms),
        value=None if last is None else float(material.batch.value[last]), unit=unit,
        measured_at=None if last is None else rfc3339(int(material.batch.event_time[last])),
        why=_why(scene, device, name, levels, alert, heard=last is not None),
        kept_back=sorted({one.why for one in way.run.chain.gate.ledger if (one.scene, one.feed) == (scene.id, feed)}),
        alert=None if alert is None else alert.last.data.alert,
        severity=None if alert is None else alert.last.data.severity,
        case=alert is not None and alert.case, gaps=[str(gap) for gap in material.gaps], levels=levels,
    )  # fmt: skip


def ladder(scene: Scene, device: Device, at_ms: int) -> tuple[LevelBase, ...]:
    """The levels in force for a device at a moment."""
    return scene.levels_for(device, scene.in_force_at(at_ms))


def _in_force(scene: Scene) -> Scene:
    content = {key: value for key, value in scene.content.items() if key not in ("stage", "pilot")}
    return Scene.model_validate({**content, "stage": "live"})


def _running(way: Pass, scene: Scene, feed: int) -> list[Running]:
    """The levels of a feed that are not idle."""
    engine = way.run.chain.engine
    whole = Running.unpacked(engine.snapshot(), bound=len(way.material.feeds))
    own = (whole.feed == feed) & (whole.scene == engine.scenes.index(scene.id))
    return [whole.kept(np.arange(len(own)) == row) for row in np.flatnonzero(own)]


def _level(
    level: LevelBase, scene: Scene, device: Device, running: Running | None, alone: Material, at_ms: int
) -> LevelWhy:
    phase = "idle" if running is None else _PHASES[int(running.phase[0])]
    delay = level.clear_for if phase == "clearing" else level.for_
    progress = None
    if running is not None and phase != "active":
        done_ms = min(delay.ms, at_ms - int(running.onset[0])) if delay.ms else 0
        progress = f"{format_duration(max(0, done_ms))} of {delay}"
        if delay.samples:
            progress = f"{int(running.samples[0])} of {delay}"
    return LevelWhy(
        severity=level.severity, condition=level.words, clear_value=level.clear_value, delay=str(level.for_),
        comes_from=_comes_from(scene, level, device, at_ms), phase=phase,
        since=None if running is None else rfc3339(int(running.onset[0])), progress=progress,
        would_fire=[] if phase in ("active", "clearing") else _changes(level, running, alone, at_ms),
    )  # fmt: skip


def _usual(way: Pass, scene: Scene, level: LevelBase, feed: int) -> UsualWhy | None:
    """What a deviation is held against."""
    measure = level.measure(scene.zone)
    found = None if measure is None else way.run.chain.engine.standing(feed, scene.id, measure)
    if found is None:
        return None
    away = found.away / found.spread if found.away is not None and found.spread else None
    return UsualWhy(
        part=found.part, expected=found.expected, sigma=found.spread, away=away, learning=found.learning,
    )  # fmt: skip


def _comes_from(scene: Scene, level: LevelBase, device: Device, at_ms: int) -> str:
    """What gives a level its values there: the scene, an override, or a row of the table with where that is from."""
    part = scene.given_by(device, scene.in_force_at(at_ms)).get(level.severity)
    if part is None:
        return "scene"
    if isinstance(part, TableRow):
        found = part.changes[level.severity]
        read = " (verified 已核实)" if found.verified else " (not verified 未核实)"
        return f"limits_from {part.words}" + (f": {found.source}{read}" if found.source else "")
    where = part.model_dump(mode="json", by_alias=True, exclude={"levels"}, exclude_none=True)
    words = msgspec.json.encode(where).decode().replace('"', "")
    return f"overrides.{scene.overrides.index(part)} {words}"


def _changes(level: LevelBase, running: Running | None, alone: Material, at_ms: int) -> list[Change]:
    """The smallest changes of the limit, and of the delay, by which the level would be active."""
    found = [one for one in (_limit(level, alone),) if one is not None]
    if running is not None and level.for_.ms:
        held = at_ms - int(running.onset[0])
        words = format_duration(held)
        found.append(Change(key="for", now=str(level.for_), to=f"at most {words}", value=words))
    elif running is not None and level.for_.samples:
        words = f"{int(running.samples[0])} samples"
        found.append(Change(key="for", now=str(level.for_), to=f"at most {words}", value=words))
    return found


def _limit(level: LevelBase, alone: Material) -> Change | None:
    """The limit nearest to the one there is by which the level would be active, found by trying.

    A value of the feed bounds it, for between two neighbouring values of the feed every limit does the same.
    """
    if level.condition not in _ON_READING or not isinstance(level.limit, int | float):
        return None
    if getattr(level, "percent_of", None) is not None:
        return None
    up = level.condition == "above"
    values = np.unique(alone.batch.value[alone.batch.quality == 0])
    beyond = values[values <= level.limit][::-1] if up else values[values >= level.limit]
    low, high = 0, len(beyond)
    while low < high:
        middle = (low + high) // 2
        if _is_active(_with(level, _past(float(beyond[middle]), up=up)), alone):
            high = middle
        else:
            low = middle + 1
    if low == len(beyond):
        return None
    bound = float(beyond[low])
    return Change(
        key=level.condition, now=f"{level.limit:g}", to=f"{'below' if up else 'over'} {bound:g}",
        value=_past(bound, up=up),
    )  # fmt: skip


def _past(value: float, *, up: bool) -> float:
    """The limit nearest to a value that the value is beyond."""
    return math.nextafter(value, -math.inf if up else math.inf)


def _with(level: LevelBase, limit: float) -> dict[str, Any]:
    """The level with another limit; a clear value that would be on the wrong side goes with it."""
    content = level.model_dump(mode="json", by_alias=True, exclude_unset=True)
    content[level.condition] = limit
    if level.clear_value is not None:
        pick = min if level.condition == "above" else max
        content[str(level.clears_by)] = pick(level.clear_value, limit)
    return content


def _is_active(level: dict[str, Any], alone: Material) -> bool:
    """Whether a level alone would be active at the end."""
    scene = Scene.model_validate({"scene": "tried", "feeds": {"metric": alone.feeds[0][1]}, "levels": [level]})
    way = Pass(alone, SceneSet.of([scene]))
    way.to_end()
    return any(int(row.phase[0]) in (ACTIVE, CLEARING) for row in _running(way, scene, 0))


def _alone(material: Material, feed: int) -> Material:
    """The material of one feed."""
    batch = material.batch
    rows = np.flatnonzero(batch.feed == feed)
    only = type(batch)(
        np.zeros(len(rows), np.int32), batch.event_time[rows], batch.value[rows], batch.arrival[rows],
        batch.quality[rows],
    )  # fmt: skip
    return Material(material.range, (material.feeds[feed],), only, material.gaps, material.breaks)


def _last(material: Material, feed: int) -> int | None:
    rows = np.flatnonzero((material.batch.feed == feed) & (material.batch.quality & 0xE == 0))
    return int(rows[-1]) if len(rows) else None


def _open_alert(way: Pass, scene: str, feed: str) -> OfflineAlert | None:
    mine = [
        alert
        for alert in way.run.alerts.values()
        if alert.last.data.scene == scene
        and feed in alert.last.data.feeds
        and alert.last.data.state != State.CLEARED.word
    ]
    return mine[-1] if mine else None


def _why(
    scene: Scene, device: Device, feed: str, levels: Sequence[LevelWhy], alert: OfflineAlert | None, *, heard: bool
) -> list[Why]:
    found = []
    if not heard:
        found.append(Why.NO_READING)
    if device.out_of_use:
        found.append(Why.OUT_OF_USE)
    if device.on_trial:
        found.append(Why.ON_TRIAL)
    if scene.stage in ("draft", "retired"):
        found.append(Why.DRAFT)
    if scene.stage == "shadow":
        found.append(Why.SHADOW)
    if scene.stage == "pilot" and scene.pilot is not None and not scene.pilot.takes_in(device):
        found.append(Why.PILOT)
    return found + _state(scene, feed, levels, alert, shadow=device.on_trial)


def _state(
    scene: Scene, feed: str, levels: Sequence[LevelWhy], alert: OfflineAlert | None, *, shadow: bool
) -> list[Why]:
    phases = {level.phase for level in levels}
    if alert is None and phases & {"active", "clearing"}:
        return [] if shadow else [Why.HELD_BACK]
    if alert is None:
        return [Why.DELAY if "raising" in phases else Why.CONDITION]
    found = [Why.ALERT]
    if alert.last.opened_by != feed:
        found.append(Why.FOLDED)
    if not alert.case:
        found.append(Why.MILD if scene.raises.auto else Why.NO_AUTO)
    return found


def moment(at_ms: int, warm_ms: int) -> Range:
    """The range that ends with a moment, long enough for levels to be as they were."""
    begin = max(0, at_ms - warm_ms)
    return Range(begin, begin, at_ms + 1)
