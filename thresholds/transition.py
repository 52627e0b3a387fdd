"""What the engine decides: columns again, one row a change of one level of one feed in one scene."""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from core.reading import Float64, Int32, Int64, UInt8


class TransitionKind(enum.IntEnum):
    """Why a row is there."""

    ONSET = 1
    """The condition began to hold and a raise delay is running: the level is pending."""
    LAPSED = 2
    """The condition stopped holding before the raise delay was over: a near miss."""
    RAISED = 3
    """The level became active at `at`."""
    CLEARED = 4
    """The level stopped being active at `at`."""


class Row(NamedTuple):
    """One transition as plain numbers; the fields are those of `Transitions`."""

    kind: int
    feed: int
    scene: int
    severity: int
    at: int
    onset: int
    value: float
    arrival: int
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Transitions:
    """A struct of arrays in the order in which it was decided, shape (n,) each.

    Attributes:
        kind: `TransitionKind`, uint8.
        feed: Dense feed index, int32.
        scene: Index of the scene in the `SceneSet` that decided, int32.
        severity: `Severity` of the level, uint8.
        at: Event time of the change in ms (`raised_at`, `cleared_at`, onset or lapse), int64.
        onset: Event time in ms of the reading that started the delay (for CLEARED: the clear delay), int64.
        value: The value of the feed's last evaluated reading then, float64.
        arrival: Arrival in ns of the reading that decided it, or of the passing of time if none did, int64.
        delay_ms: The configured delay of the level in ms (0 for none or for samples), int64.
    """

    kind: UInt8
    feed: Int32
    scene: Int32
    severity: UInt8
    at: Int64
    onset: Int64
    value: Float64
    arrival: Int64
    delay_ms: Int64

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, rows: slice) -> "Transitions":
        """The rows of a slice, as views."""
        return Transitions(*(getattr(self, name)[rows] for name in self.__slots__))

    def rows(self) -> Iterator[Row]:
        """Row by row, for what is decided one after the other."""
        return map(Row._make, zip(*(getattr(self, name).tolist() for name in Row._fields), strict=True))

    @classmethod
    def of_rows(cls, rows: Iterable[Row]) -> Self:
        """Columns again."""
        rows, empty = list(rows), cls.empty()
        return cls(
            *(np.array([row[i] for row in rows], getattr(empty, name).dtype) for i, name in enumerate(Row._fields))
        )

    @classmethod
    def empty(cls) -> Self:
        """No change at all."""
        return cls(
            np.empty(0, np.uint8),
            np.empty(0, np.int32),
            np.empty(0, np.int32),
            np.empty(0, np.uint8),
            np.empty(0, np.int64),
            np.empty(0, np.int64),
            np.empty(0, np.float64),
            np.empty(0, np.int64),
            np.empty(0, np.int64),
        )

    @classmethod
    def concat(cls, parts: "list[Transitions]") -> "Transitions":
        """One after the other."""
        parts = [p for p in parts if len(p)]
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__slots__))
