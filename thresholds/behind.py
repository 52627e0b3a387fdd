"""What happens behind a maintenance or an inhibition while it lasts, counted, so that its end can say so. Pure."""

from collections.abc import Iterable

import msgspec


class Kept(msgspec.Struct, array_like=True):
    """A raise that was kept back: the columns of its transition, why, and what became of it.

    `why` is `unconfirmed`, `inhibited by SCENE` or `maintenance ID`; `outcome` is `kept` until it `cleared`, was
    `released`, or is `not watched` any more; `until_ms` is when (wall time), 0 until then. `revision` counts what can
    be told of it; `cover` is the key of what it is behind, if that can end by itself.
    """

    scene: str
    feed: int
    severity: int
    at: int
    onset: int
    value: float
    arrival: int
    delay_ms: int
    why: str
    outcome: str = "kept"
    until_ms: int = 0
    revision: int = 1
    cover: str = ""

    @property
    def reason(self) -> str:
        """The first word of why: `unconfirmed`, `inhibited` or `maintenance`."""
        return self.why.partition(" ")[0]

    @property
    def by(self) -> str:
        """The scene or maintenance that keeps it back, "" where it waits for confirmation."""
        return self.why.partition(" ")[2].removeprefix("by ")


class Behind(msgspec.Struct, array_like=True):
    """What was kept back by one maintenance, or by one scene that is active on one device, place, town ...

    `scene`, `feed`, `severity` and `at` are those of the first that it kept back; `since_ms` is when (wall time), and
    `until_ms` when it was over, 0 until then. `kept` counts all of them, `holds` those that left it and still hold.
    """

    key: str
    reason: str
    by: str
    same: str
    value: str
    scene: str
    feed: int
    severity: int
    at: int
    since_ms: int
    until_ms: int = 0
    kept: int = 0
    cleared: int = 0
    holds: int = 0
    scenes: dict[str, int] = {}


class Covers:
    """Every maintenance and inhibition that keeps, or has kept, something back and is not over."""

    def __init__(self, saved: Iterable[Behind] = ()) -> None:
        self._open = {one.key: one for one in saved}

    def join(self, kept: Kept, same: str, value: str, now_ms: int) -> None:
        """A raise is kept back by it from now on; what waits for confirmation is behind nothing."""
        if not kept.by:
            kept.cover = ""
            return
        kept.cover = f"{kept.why}/{same}/{value}"
        behind = self._open.get(kept.cover)
        if behind is None:
            behind = self._open[kept.cover] = Behind(
                kept.cover, kept.reason, kept.by, same, value, kept.scene, kept.feed, kept.severity, kept.at, now_ms,
                scenes={},
            )  # fmt: skip
        behind.kept += 1
        behind.scenes[kept.scene] = behind.scenes.get(kept.scene, 0) + 1

    def leave(self, kept: Kept, *, holds: bool, cleared: bool = False) -> None:
        """It is behind it no more."""
        behind = self._open.get(kept.cover)
        if behind is not None:
            behind.holds += holds
            behind.cleared += cleared

    def by(self, reason: str, by: str | None = None) -> list[Behind]:
        """Those of one reason, and of one scene or maintenance if it is given."""
        return [one for one in self._open.values() if one.reason == reason and by in (None, one.by)]

    def over(self, behind: Behind, now_ms: int) -> Behind:
        """It has ended."""
        del self._open[behind.key]
        behind.until_ms = now_ms
        return behind

    def saved(self) -> list[Behind]:
        """All of them, by key."""
        return [self._open[key] for key in sorted(self._open)]
