"""What the alert stage needs of the rooms around it, and no more: scenes and feeds as protocols.

`thresholds.SceneSet` and the feed registry have these shapes; tests bring their own.
"""

from collections.abc import Sequence
from typing import Protocol

from city.device import Device
from core.severity import Severity


class Scene(Protocol):
    """One scene as alerts see it; draft and retired ones never come here."""

    @property
    def id(self) -> str:
        """Kebab-case, unique and stable over edits."""

    @property
    def title_en(self) -> str:
        """Title in English, may be empty."""

    @property
    def title_zh(self) -> str:
        """Title in Chinese, may be empty."""

    @property
    def stage(self) -> str:
        """`shadow`, `pilot` or `live`."""

    def pilot_at(self, device: Device) -> bool:
        """Whether a pilot opens alerts of `device`; everywhere else it is in shadow."""

    def leaf(self, severity: Severity, device: Device, at_ms: int) -> str | None:
        """Leaf of a level as it is for `device` at an event time, None where a person has to classify."""

    def leaves(self, device: Device, at_ms: int) -> str:
        """The leaves of all levels for `device` then: feeds fold only where these are the same."""

    @property
    def auto(self) -> bool:
        """Whether its alerts open cases by themselves."""

    @property
    def case_from(self) -> Severity:
        """The mildest severity that opens a case; a milder alert is only listed."""

    def fold_key(self, device: Device) -> str:
        """What alerts of `device` are folded by."""

    @property
    def fold_window_ms(self) -> int | None:
        """How far apart two feeds' raises may be to be one alert, in ms; None for any distance."""

    @property
    def version(self) -> str:
        """Content hash of the scene."""

    def limit_words(self, severity: Severity, device: Device, at_ms: int) -> str:
        """The condition of a level as it is in force for `device` at an event time, in words, e.g. `above 25`."""


class Scenes(Protocol):
    """The scenes in force, in the order that `Transitions.scene` counts."""

    @property
    def scenes(self) -> Sequence[Scene]:
        """All of them."""


class Feeds(Protocol):
    """Who stands behind a dense feed index."""

    def feed(self, index: int) -> tuple[Device, str, str]:
        """The device, the name of the metric, and its unit (UCUM, "" for none)."""
