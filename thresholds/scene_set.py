"""The scenes in force, in one order, under one version."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import msgspec

from thresholds.scene import Scene

DECIDES = frozenset({"shadow", "pilot", "live"})
"""Stages in which a scene is evaluated."""


@dataclass(frozen=True, slots=True)
class SceneSet:
    """Scenes by index (`Transition.scene`), sorted by id; two sets that say the same have the same `version`.

    Attributes:
        scenes: All of them, those that are not evaluated too.
        sources: A text for each scene, in the same order, from which it can be loaded again (YAML).
        version: Hash of what they say.
        profiles: Profiles that people have switched on; no part of the version.
    """

    scenes: tuple[Scene, ...]
    sources: tuple[str, ...]
    version: str
    profiles: frozenset[str] = frozenset()

    @classmethod
    def of(cls, scenes: Sequence[Scene], sources: Sequence[str] | None = None) -> "SceneSet":
        """A set of `scenes`, whose texts are `sources` in the same order (made from the scenes where not given).

        Raises:
            ValueError: If two scenes have one id.
        """
        if len({scene.id for scene in scenes}) != len(scenes):
            raise ValueError("two scenes have one id")
        texts = sources if sources is not None else [msgspec.json.encode(scene.content).decode() for scene in scenes]
        pairs = sorted(zip(scenes, texts, strict=True), key=lambda pair: pair[0].id)
        content = msgspec.json.encode([scene.content for scene, _ in pairs])
        version = hashlib.blake2b(content, digest_size=8).hexdigest()
        return cls(tuple(scene for scene, _ in pairs), tuple(text for _, text in pairs), version)

    def under(self, profiles: Collection[str]) -> "SceneSet":
        """The same scenes with these profiles switched on."""
        return replace(self, profiles=frozenset(profiles))

    def index(self, scene: str) -> int:
        """Index of a scene by id, -1 if it is not in the set."""
        return next((i for i, s in enumerate(self.scenes) if s.id == scene), -1)
