"""Before a version is published: what it takes over, what it would raise at once, and what it would end."""

from threading import Event

import msgspec
import numpy as np

from alerts.states import State
from core.clock import rfc3339
from runtime.backtest.material import Material
from runtime.backtest.run import Pass, as_live
from thresholds.kernel_state import RAISING
from thresholds.running import Running
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen if a version were published now; feeds are `device/metric`."""

    scene: str
    at: str
    """Up to where history goes: readings after that are not known here."""
    feeds: int
    """That the new version watches."""
    mid_hold: list[str]
    """Feeds with a delay that runs, which the new version takes over or begins."""
    fire_now: list[str]
    """Feeds that would have an alert at once, since the delay that runs is over by the new version's own."""
    fire_next: list[str]
    """Feeds that had an alert now if the new version had been there all along: their next reading may raise it."""
    end_now: list[str]
    """Feeds whose alerts would end, since their level is there no more."""

    @property
    def words(self) -> str:
        """One line for a person."""
        return (
            f"{self.scene}: {len(self.mid_hold)} of {self.feeds} feeds are in mid-hold 延时中; "
            f"{len(self.fire_now)} would fire now 立即触发; {len(self.fire_next)} more with their next reading "
            f"下次读数触发; {len(self.end_now)} alerts would end 结束 (as of {self.at})"
        )


def preview(
    material: Material, before: Scene | None, after: Scene, context: SceneSet, *, cancel: Event | None = None
) -> Preview:
    """Publish `after` at the end of the material, and see.

    Args:
        material: Read for both versions and their context, up to now.
        before: The version in force, None if there is none.
        after: The version that would be.
        context: Scenes that they look at.
        cancel: Ends it once it is set.

    Raises:
        CancelledError: If `cancel` was set.
    """
    at_ms = material.range.end_ms
    new = as_live(after)
    others = [one for one in context.scenes if one.id != after.id]
    running = Pass(material, SceneSet.of([*others, *([] if before is None else [as_live(before)])]), cancel=cancel)
    running.to_end()
    open_before = _open(running, after.id)
    running.run.switch(SceneSet.of([*others, new]))
    running.run.pass_time(at_ms)
    anew = Pass(material, SceneSet.of([*others, new]), cancel=cancel)
    anew.to_end()
    open_now, open_anew = _open(running, after.id), _open(anew, after.id)
    holds = _raising(running, after.id) | (_raising(anew, after.id) - open_now)
    return Preview(
        scene=after.id, at=rfc3339(at_ms),
        feeds=sum(after.feeds.watch(device, metric) for device, metric, _ in material.feeds),
        mid_hold=sorted(holds), fire_now=sorted(open_now - open_before), fire_next=sorted(open_anew - open_now),
        end_now=sorted(open_before - open_now),
    )  # fmt: skip


def _open(way: Pass, scene: str) -> set[str]:
    """Feeds that an open alert of a scene has."""
    return {
        feed
        for alert in way.run.alerts.values()
        if alert.last.data.scene == scene and alert.last.data.state != State.CLEARED.word
        for feed in alert.last.data.feeds
    }


def _raising(way: Pass, scene: str) -> set[str]:
    engine = way.run.chain.engine
    whole = Running.unpacked(engine.snapshot(), bound=len(way.material.feeds))
    rows = np.flatnonzero((whole.scene == engine.scenes.index(scene)) & (whole.phase == RAISING))
    feeds = (way.material.feeds[int(feed)] for feed in whole.feed[rows])
    return {f"{device.id}/{metric}" for device, metric, _ in feeds}
