"""Questions beside the backtest, as the command line and HTTP ask them: limits worth trying, publishing now, why."""

import difflib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from core.errors import ConfigError
from history.days import DAY_MS, day_start_ms
from history.query import Gap, GapReason, Selection
from runtime.backtest.answer import Tell
from runtime.backtest.explain import SceneWhy, explain, moment
from runtime.backtest.ground import WARM_MS, Ground, warmed
from runtime.backtest.material import CancelledError, Material, Range, load
from runtime.backtest.preview import Preview, preview
from runtime.backtest.suggest import Suggestions, suggest
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet


@dataclass(frozen=True, slots=True)
class Suggested:
    """Limits worth trying, and what was missing of the readings."""

    found: Suggestions
    gaps: tuple[Gap, ...]


def limits_worth_trying(
    ground: Ground, scene: Scene, span: Range, tell: Tell, *, truth: Path | None = None, cancel: Event | None = None
) -> Suggested:
    """Read, and try.

    Raises:
        CancelledError: If `cancel` was set.
        ConfigError: If what is asked cannot be.
        UnavailableError: If there is no history.
    """
    context = ground.context(scene)
    watchers = SceneSet.of([scene, *(one for one in context.scenes if one.id != scene.id)])
    material = load(
        ground.history, watchers, ground.known, warmed(span, watchers), progress=partial(tell, "reading"), cancel=cancel
    )
    found = suggest(
        material, scene, context=context, labels=ground.labels(truth), tell=partial(tell, "trying"), cancel=cancel
    )
    return Suggested(found, material.gaps)


def publishing_now(
    ground: Ground, after: Scene, before: Scene | None, now_ms: int, tell: Tell, *, cancel: Event | None = None
) -> Preview:
    """What publishing a version now would do, from the last day of history; nothing is proposed.

    Raises:
        CancelledError: If `cancel` was set.
        ConfigError: If there is no reading to tell from.
    """
    context = ground.context(*([after] if before is None else [before, after]))
    others = [one for one in context.scenes if one.id != after.id]
    tell("reading", 0, 0)
    material = _latest(ground, SceneSet.of([after, *others]), now_ms, cancel)
    tell("deciding", 0, 0)
    return preview(material, before, after, context, cancel=cancel)


def why(
    ground: Ground,
    feed: tuple[str, str],
    at_ms: int,
    tell: Tell,
    *,
    scene: Scene | None = None,
    warm_ms: int | None = None,
    cancel: Event | None = None,
) -> list[SceneWhy]:
    """Why, or why not, of a (device, metric) at a moment: one scene, or every scene in force that watches it.

    Raises:
        CancelledError: If `cancel` was set.
        ConfigError: If history does not know the feed, or nothing watches it.
    """
    watching = _watching(ground, scene, *feed)
    found = []
    for done, one in enumerate(watching):
        if cancel is not None and cancel.is_set():
            raise CancelledError
        tell("deciding", done, len(watching))
        found.append(_one(ground, one, feed, at_ms, warm_ms, cancel))
    return found


def in_force(ground: Ground, scene: str) -> Scene | None:
    """The scene of an id that is in force; None if there is none, or no configuration that says so."""
    if ground.config is None:
        return None
    return next((one for one in ground.library.scenes if one.id == scene), None)


def _latest(ground: Ground, watchers: SceneSet, now_ms: int, cancel: Event | None) -> Material:
    """The last day that history has, up to where it has got.

    Raises:
        ConfigError: If it holds nothing that is watched.
    """
    end_ms = now_ms
    days = [one.day for one in ground.history.held() if one.day]
    if days:
        end_ms = min(end_ms, day_start_ms(max(days)) + DAY_MS)
    day = Range(end_ms - DAY_MS - WARM_MS, end_ms - DAY_MS, end_ms)
    begin_ms = max(0, warmed(day, watchers).begin_ms)
    material = load(ground.history, watchers, ground.known, Range(begin_ms, begin_ms, end_ms), cancel=cancel)
    if not len(material.batch):
        raise ConfigError(
            "history has no reading of the last day that the scene watches: there is nothing to tell from"
        )
    beyond = [gap.start_ms for gap in material.gaps if gap.reason is GapReason.NOT_WRITTEN and gap.end_ms >= end_ms]
    end_ms = min([end_ms, *beyond])
    breaks = tuple((start, end) for start, end in material.breaks if start < end_ms)
    return replace(material, range=Range(begin_ms, begin_ms, end_ms), breaks=breaks)


def _watching(ground: Ground, scene: Scene | None, device: str, metric: str) -> list[Scene]:
    everything = ground.history.feeds(Selection.of(0, 1 << 60))
    names = [name for name in everything if (name.device, name.metric) == (device, metric)]
    if not names:
        known = sorted({f"{name.device}/{name.metric}" for name in everything})
        near = difflib.get_close_matches(f"{device}/{metric}", known, n=1)
        raise ConfigError(f"history knows no feed {device}/{metric}" + (f" (did you mean {near[0]}?)" if near else ""))
    whom = ground.known.device(names[-1])
    scenes = [scene] if scene is not None else list(ground.library.scenes)
    watching = [one for one in scenes if one.feeds.watch(whom, metric)]
    if not watching:
        what = f"scene {scene.id} does not watch" if scene is not None else "no scene in force watches"
        raise ConfigError(f"{what} {device}/{metric} (type {whom.type or 'unknown'})")
    return watching


def _one(
    ground: Ground, scene: Scene, feed: tuple[str, str], at_ms: int, warm_ms: int | None, cancel: Event | None
) -> SceneWhy:
    context = ground.context(scene)
    everybody = SceneSet.of([scene, *(one for one in context.scenes if one.id != scene.id)])
    span = moment(at_ms, warm_ms or WARM_MS)
    if warm_ms is None:
        span = warmed(span._replace(start_ms=at_ms), everybody)
        span = span._replace(start_ms=span.begin_ms)
    material = load(ground.history, everybody, ground.known, span, cancel=cancel)
    index = next(i for i, (one, name, _) in enumerate(material.feeds) if (one.id, name) == feed)
    return explain(material, scene, context, index, cancel=cancel)
