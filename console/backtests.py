"""Backtests behind the routes: the console knows how to ask for one, and nothing of how it is made."""

from typing import Annotated, Literal, Protocol

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class BacktestRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """What is asked: a scene of the register by its id (`id@N` for a version), or the text of a draft."""

    start: Text
    """RFC 3339 time, date, or how long ago: `30d`."""
    end: Text | None = None
    """The same; null for now."""
    scene: Text | None = None
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000_000)] | None = None
    """YAML, in place of `scene`."""
    settings: Annotated[list[Text], msgspec.Meta(max_length=50)] = msgspec.field(name="set", default_factory=list)
    """Values changed for the try: `levels.2.above=30`."""
    sweep: Annotated[list[Text], msgspec.Meta(max_length=2)] = []
    """Values varied: `levels.2.above=20..40/20`."""
    compare: Text | None = None
    """Another version of the register, held beside it."""
    warm: Text | None = None
    """How much before the range is read as well; null for a day."""


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would publishing this do now? A version of the register (`id@N`), or the text of a draft."""

    scene: Text | None = None
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000_000)] | None = None
    """YAML, in place of `scene`."""


class DiffRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """What would the second version have raised that the first has not, and the other way round?"""

    start: Text
    """RFC 3339 time, date, or how long ago: `30d`."""
    end: Text | None = None
    """The same; null for now."""
    first: Text
    """A scene of the register by its id (`id@N` for a version)."""
    second: Text | None = None
    """Another version."""
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000_000)] | None = None
    """YAML, in place of `second`."""


class ExplainRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, or why not?"""

    feed: Text
    """`device/metric`."""
    at: Text
    """RFC 3339 time, or how long ago: `2h`."""
    scene: Text | None = None
    """A scene by its id (`id@N` for a version); null for every scene in force that watches the feed."""


class SuggestRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """Which values are worth trying?"""

    start: Text
    """RFC 3339 time, date, or how long ago: `30d`."""
    end: Text | None = None
    """The same; null for now."""
    scene: Text | None = None
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000_000)] | None = None
    """YAML, in place of `scene`."""


Question = BacktestRequest | PreviewRequest | DiffRequest | ExplainRequest | SuggestRequest


class BacktestProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is."""

    what: str
    """`waiting`, `reading`, `deciding`, `comparing`, `sweeping` or `trying`."""
    done: int
    total: int


class BacktestView(msgspec.Struct, frozen=True, kw_only=True):
    """One backtest, or a question beside it; `result` is what `scenewatch scene KIND --json` writes.

    Of a preview it is what `scene propose --preview --json` does.
    """

    id: str
    kind: Literal["backtest", "preview", "diff", "explain", "suggest"] = "backtest"
    state: Literal["running", "done", "failed"]
    asked_at: str
    progress: BacktestProgress
    result: msgspec.Raw | None = None
    error: str | None = None
    """Why it failed, for a person."""


class Backtests(Protocol):
    """Whoever makes them."""

    def start(self, asked: Question, now_ms: int) -> BacktestView:
        """Begin one.

        Raises:
            Problem: `busy` if too many run, `scene_refused` or `invalid_parameter` if what is asked cannot be.
        """

    def view(self, backtest: str) -> BacktestView | None:
        """One of them; None if it is not known (any more)."""

    def cancel(self, backtest: str) -> bool:
        """End it and forget it; whether it was known."""

    def close(self) -> None:
        """End all of them."""


TYPES: tuple[type[msgspec.Struct], ...] = (
    BacktestRequest,
    PreviewRequest,
    DiffRequest,
    ExplainRequest,
    SuggestRequest,
    BacktestProgress,
    BacktestView,
)
