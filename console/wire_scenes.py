"""Scenes and their versions as the hub tells them over HTTP."""

from typing import Annotated

import msgspec

from core.clock import rfc3339
from thresholds.register import Version

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Number = Annotated[int, msgspec.Meta(ge=1)]


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a scene; times are RFC 3339."""

    scene: str
    number: int
    rules: str
    """Hash of what it says, as alerts name it."""
    stage: str
    step: str
    state: str
    base: int | None
    author: str
    reason: str
    at: str
    decided_by: str | None
    decided_reason: str | None
    decided_at: str | None
    text: str
    """The YAML as its author wrote it."""


class SceneList(msgspec.Struct, frozen=True, kw_only=True):
    """Versions; all of them are there, so `next` is null."""

    items: list[VersionView]
    next: str | None = None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed from one version to another, as a unified diff."""

    diff: str


class Proposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new version."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000_000)]
    by: Words
    reason: Words


class Move(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same content at another stage."""

    stage: Words
    by: Words
    reason: Words


class Judgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Yes or no to a version that waits."""

    number: Number
    by: Words
    reason: Words


class Rollback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Back to an earlier version; `to` null for the one that was in force before."""

    by: Words
    reason: Words
    to: Number | None = None


TYPES: tuple[type[msgspec.Struct], ...] = (VersionView, SceneList, Changes, Proposal, Move, Judgement, Rollback)


def version_view(version: Version) -> VersionView:
    """A version as it is told."""
    return VersionView(
        scene=version.scene,
        number=version.number,
        rules=version.content,
        stage=version.stage,
        step=version.step,
        state=version.state,
        base=version.base,
        author=version.author,
        reason=version.reason,
        at=rfc3339(version.at_ms),
        decided_by=version.decided_by,
        decided_reason=version.decided_reason,
        decided_at=None if version.decided_ms is None else rfc3339(version.decided_ms),
        text=version.text,
    )
