"""Scenes as the alert stage sees them."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from core.severity import Severity
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet


@dataclass(frozen=True, slots=True)
class AlertScene:
    """One scene; see `alerts.ports.Scene`."""

    scene: Scene
    version: str

    @property
    def id(self) -> str:
        """Its id."""
        return self.scene.scene

    @property
    def title_en(self) -> str:
        """Its English title."""
        return self.scene.title.en

    @property
    def title_zh(self) -> str:
        """Its Chinese title."""
        return self.scene.title.zh

    @property
    def stage(self) -> str:
        """Where in its life it is."""
        return self.scene.stage

    @property
    def pilot_towns(self) -> Collection[str]:
        """Towns where a pilot is real."""
        return self.scene.pilot.towns if self.scene.pilot else ()

    @property
    def leaf(self) -> str | None:
        """Leaf of the case catalogue."""
        return self.scene.raises.leaf

    @property
    def auto(self) -> bool:
        """Whether cases open by themselves."""
        return self.scene.raises.auto

    @property
    def fold_window_ms(self) -> int | None:
        """How near raises have to be to be folded, ms."""
        window = self.scene.fold.window
        return None if window is None else int(window)

    def limit_words(self, severity: Severity) -> str:
        """The condition of a level in words."""
        return self.scene.hold_words(severity)


class AlertScenes:
    """A scene set as the alert stage sees it; see `alerts.ports.Scenes`."""

    def __init__(self, scenes: SceneSet) -> None:
        self.scenes = tuple(AlertScene(scene, _version(scene)) for scene in scenes.scenes)


def _version(scene: Scene) -> str:
    content = scene.model_dump_json(by_alias=True, exclude_none=True)
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
