"""Scenes as the alert stage sees them."""

from dataclasses import dataclass

from city.device import Device
from core.severity import Severity
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet


@dataclass(frozen=True, slots=True)
class AlertScene:
    """One scene; see `alerts.ports.Scene`."""

    scene: Scene
    profiles: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Its id."""
        return self.scene.scene

    @property
    def version(self) -> str:
        """Hash of what it says."""
        return self.scene.version

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

    def pilot_at(self, device: Device) -> bool:
        """Whether a pilot is real for `device`."""
        return self.scene.pilot is not None and self.scene.pilot.takes_in(device)

    def leaf(self, severity: Severity, device: Device, at_ms: int) -> str | None:
        """Leaf of a level as it is for `device` at an event time."""
        return self.scene.leaf_for(severity.word, device, self.scene.in_force_at(at_ms), self.profiles)

    def leaves(self, device: Device, at_ms: int) -> str:
        """The leaves of all levels for `device` then, as one word; it is empty where the scene has but one."""
        if len({leaf for _, _, leaf in self.scene.leaves}) == 1:
            return ""
        whens = self.scene.in_force_at(at_ms)
        found = (self.scene.leaf_for(one.severity, device, whens, self.profiles) for one in self.scene.levels)
        return " ".join(leaf or "-" for leaf in found)

    @property
    def auto(self) -> bool:
        """Whether cases open by themselves."""
        return self.scene.raises.auto

    @property
    def case_from(self) -> Severity:
        """The mildest severity that opens a case."""
        return Severity.of(self.scene.raises.from_)

    def fold_key(self, device: Device) -> str:
        """What alerts of `device` are folded by."""
        return self.scene.fold.key(device)

    @property
    def fold_window_ms(self) -> int | None:
        """How near raises have to be to be folded, ms."""
        window = self.scene.fold.window
        return None if window is None else int(window)

    def limit_words(self, severity: Severity, device: Device, at_ms: int) -> str:
        """The condition of a level as it is in force for `device` at an event time, in words."""
        return self.scene.hold_words(severity, device, at_ms)


class AlertScenes:
    """A scene set as the alert stage sees it; see `alerts.ports.Scenes`."""

    def __init__(self, scenes: SceneSet) -> None:
        self.scenes = tuple(AlertScene(scene, scenes.profiles) for scene in scenes.scenes)
