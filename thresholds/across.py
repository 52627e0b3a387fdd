"""What a scene says about other feeds and scenes: confirmation and inhibition."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StrictStr, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from core.severity import Severity
from thresholds.delay import Duration
from thresholds.ladder import Problem
from thresholds.level import Model

PLACES = ("device", "place", "module", "grid", "disposal_grid", "gateway", "town", "area_class", "kind", "type")
"""What two devices may have in common; a module is a place."""

_DISTANCE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(m|km)")
FARTHEST_M = 20_000.0

Same = Literal["device", "place", "module", "grid", "disposal_grid", "gateway", "town", "area_class", "kind", "type"]


def metres(within: str) -> float | None:
    """The distance that `within` says, None where it names something two devices have in common."""
    match = _DISTANCE.fullmatch(within.strip())
    return None if match is None else float(match[1]) * (1000 if match[2] == "km" else 1)


def _near(value: object) -> object:
    found = metres(value) if isinstance(value, str) else None
    if value in PLACES or (found is not None and 0 < found <= FARTHEST_M):
        return value
    raise PydanticCustomError(
        "text",
        "{value} is no nearness: write one of {places}, or a distance up to 20km like 300m",
        {"value": repr(value), "places": ", ".join(PLACES)},
    )


Near = Annotated[
    str,
    BeforeValidator(_near),
    WithJsonSchema({"anyOf": [{"enum": list(PLACES)}, {"type": "string", "pattern": f"^{_DISTANCE.pattern}$"}]}),
]


def _lately(ms: int) -> int:
    if ms > LONGEST_MS:
        raise PydanticCustomError("duration", "in_last is 7d at most")
    return ms


LONGEST_MS = 7 * 86_400_000
Lately = Annotated[Duration, AfterValidator(_lately)]


class Clause(Model):
    """One thing that confirms: another scene, or so many feeds of this one."""

    scene: StrictStr | None = Field(None, description="Another scene of which a level is or was active. 其他场景")
    feeds: StrictInt | None = Field(
        None, ge=2, le=1000, description="So many feeds of this scene, itself among them. 数量"
    )
    within: Near = Field(description="town, place, grid ..., or a distance like 300m. 范围")
    in_last: Lately = Field(0, description="It may have ended so long before; must last where left out. 时间")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.scene is None) == (self.feeds is None):
            raise PydanticCustomError("nothing", "give either `scene` or `feeds`")
        return self


class Confirm(Model):
    """What has to be so as well before a level of the scene becomes an alert."""

    any: tuple[Clause, ...] | None = Field(None, min_length=1, description="One of these is enough. 任一")
    all: tuple[Clause, ...] | None = Field(None, min_length=1, description="All of these are needed. 全部")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.any is None) == (self.all is None):
            raise PydanticCustomError("nothing", "give either `any` or `all`")
        return self

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """All of its clauses."""
        return self.any or self.all or ()


class Inhibit(Model):
    """A scene while which is active this one raises nothing."""

    scene: StrictStr = Field(description="The other scene. 上级场景")
    same: Same = Field(description="What its device has in common with this one's. 相同的")
    below: Literal["minor", "major", "critical"] | None = Field(
        None, description="Only levels milder than this are kept back; all of them where left out. 仅抑制更轻级别"
    )

    def keeps(self, severity: Severity) -> bool:
        """Whether a level of that severity is kept back while the other scene is active."""
        return self.below is None or severity < Severity.of(self.below)


def across_problems(
    scene: str, confirm: Confirm | None, inhibit_by: Sequence[Inhibit], severities: Collection[str]
) -> Iterator[Problem]:
    """A scene does not wait for itself, and what keeps back `below` a severity has a milder level to keep back."""
    clauses = [] if confirm is None else [(way, getattr(confirm, way) or ()) for way in ("any", "all")]
    for way, entries in clauses:
        for index, clause in enumerate(entries):
            if clause.scene == scene:
                message = "a scene cannot confirm itself: write `feeds: 2` for another feed of it"
                yield Problem("itself", ("confirm", way, index, "scene"), message)
    for index, entry in enumerate(inhibit_by):
        if entry.scene == scene:
            yield Problem("itself", ("inhibit_by", index, "scene"), "a scene cannot inhibit itself")
        if not any(entry.keeps(Severity.of(severity)) for severity in severities):
            message = f"nothing is below {entry.below}: the scene has no milder level; leave `below` out for all levels"
            yield Problem("combination", ("inhibit_by", index, "below"), message)


def references(scene: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(place, id) of every other scene that a scene names."""
    if scene.confirm is not None:
        for way in ("any", "all"):
            for index, clause in enumerate(getattr(scene.confirm, way) or ()):
                if clause.scene is not None:
                    yield ("confirm", way, index, "scene"), clause.scene
    for index, entry in enumerate(scene.inhibit_by):
        yield ("inhibit_by", index, "scene"), entry.scene
