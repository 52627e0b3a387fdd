"""The scenes in force, in one order, under one version."""

import hashlib
from dataclasses import dataclass

import msgspec

from thresholds.scene import Scene

DECIDES = frozenset({"shadow", "pilot", "live"})
"""Stages in which a scene is evaluated."""


@dataclass(frozen=True, slots=True)
class SceneSet:
    """Scenes by index, sorted by id; `version` is a hash of what they say, `sources` their files' texts."""

    scenes: tuple[Scene, ...]
    sources: tuple[str, ...]
    version: str

    @classmethod
    def of(cls, scenes: list[Scene], sources: list[str] | None = None) -> "SceneSet":
        """A set of `scenes`, whose texts are `sources` in the same order (made from the scenes where not given)."""
        dumped = [scene.model_dump(mode="json", by_alias=True, exclude_none=True) for scene in scenes]
        texts = sources if sources is not None else [msgspec.json.encode(dump).decode() for dump in dumped]
        order = sorted(range(len(scenes)), key=lambda i: scenes[i].scene)
        content = msgspec.json.encode([dumped[i] for i in order])
        version = hashlib.blake2b(content, digest_size=8).hexdigest()
        return cls(tuple(scenes[i] for i in order), tuple(texts[i] for i in order), version)

    def index(self, scene: str) -> int:
        """Index of a scene by id, -1 if it is not in the set."""
        return next((i for i, s in enumerate(self.scenes) if s.scene == scene), -1)
