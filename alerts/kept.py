"""The gate's ledger as it is told: what was kept back, what became of it, and what came to its end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alerts.event import CoverData, KeptData, LedgerType
from alerts.ports import Feeds, Scene, Scenes
from city.device import Device
from core.clock import rfc3339
from core.ids import derived_id
from core.severity import Severity
from thresholds.behind import Behind, Kept


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """One event of the ledger; `at_ms` is when it was so, ms."""

    type: LedgerType
    data: KeptData | CoverData
    at_ms: int

    @property
    def subject(self) -> str:
        """Id of the entry or the cover."""
        return self.data.entry if isinstance(self.data, KeptData) else self.data.cover

    @property
    def id(self) -> str:
        """`{subject}.{revision}`, the event's id."""
        return f"{self.subject}.{self.data.revision}"


def told(news: Iterable[Kept | Behind], scenes: Scenes, feeds: Feeds) -> Iterator[LedgerChange]:
    """The news of the gate as events. Where a scene is in shadow nobody would have been told, so nobody is now.

    Args:
        news: In their order.
        scenes: Those in force.
        feeds: Who stands behind a feed.
    """
    by_id = {scene.id: scene for scene in scenes.scenes}
    for one in news:
        device, metric, unit = feeds.feed(one.feed)
        if isinstance(one, Behind):
            yield LedgerChange(LedgerType.OVER, _cover(one, device, metric), one.until_ms)
            continue
        scene = by_id.get(one.scene)
        if scene is None or not opens(scene, device):
            continue
        kind = LedgerType.ENDED if one.until_ms else LedgerType.KEPT
        yield LedgerChange(kind, _kept(one, scene, (device, metric, unit)), one.until_ms or one.at)


def opens(scene: Scene, device: Device) -> bool:
    """Whether alerts of a device open: it is not on trial, and the scene is not in shadow there."""
    return not (device.on_trial or scene.stage == "shadow" or (scene.stage == "pilot" and not scene.pilot_at(device)))


def _kept(one: Kept, scene: Scene, feed: tuple[Device, str, str]) -> KeptData:
    device, metric, unit = feed
    severity = Severity(one.severity)
    return KeptData(
        entry=_entry("k", one, device, metric), revision=one.revision, scene=one.scene, title_en=scene.title_en,
        title_zh=scene.title_zh, device=device.id, metric=metric, unit=unit, place=device.alert_place,
        town=device.town, severity=severity.word, value=one.value, limit=scene.limit_words(severity, device, one.at),
        raised_at=rfc3339(one.at), reason=one.reason, by=one.by, outcome=one.outcome,
        ended_at=rfc3339(one.until_ms) if one.until_ms else None, rules=scene.version,
    )  # fmt: skip


def _cover(one: Behind, device: Device, metric: str) -> CoverData:
    return CoverData(
        cover=_entry(f"c-{one.reason}-{one.by}", one, device, metric), reason=one.reason, by=one.by, same=one.same,
        value=one.value, place=device.alert_place, since=rfc3339(one.since_ms), until=rfc3339(one.until_ms),
        kept=one.kept, cleared=one.cleared, holds=one.holds, scenes=one.scenes,
    )  # fmt: skip


def _entry(prefix: str, one: Kept | Behind, device: Device, metric: str) -> str:
    return derived_id(prefix[0], prefix, one.scene, device.id, metric, one.severity, one.at)
