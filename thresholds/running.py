"""What of the engine is not idle: the part of its state that a restart or other scenes have to take up."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import DataLossError
from core.reading import Float64, Int32, Int64, UInt8
from core.stage import Snapshot

_VERSION = 3
_TYPES = {
    "feed": np.int32, "scene": np.int32, "severity": np.uint8, "phase": np.uint8, "onset": np.int64,
    "samples": np.int32, "bits": np.int64, "event": np.int64, "arrival": np.int64, "value": np.float64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Running:
    """A struct of arrays, one row a level of a feed that is raising, active or clearing, shape (n,) each.

    Attributes:
        bound: How many feeds were bound.
        resumed: Wall time in ms until which nobody listened last.
        decisions: Readings looked at so far, summed over scenes.
        scenes: Ids of the scenes.
        feed: Dense feed index, int32.
        scene: Index in `scenes`, int32.
        severity: `Severity` of the level, uint8.
        phase: As in `thresholds.kernel`, uint8.
        onset: Event time in ms at which the delay began, or did when the level was raised, int64.
        samples: Readings in a row, int32.
        bits: Of a delay of k of n, a bit for each of the last n readings; 0 for another, int64.
        event: Event time of the feed's last reading in ms, int64.
        arrival: Its arrival in ms, int64.
        value: Its value, float64.
    """

    bound: int
    resumed: int
    decisions: int
    scenes: list[str]
    feed: Int32
    scene: Int32
    severity: UInt8
    phase: UInt8
    onset: Int64
    samples: Int32
    bits: Int64
    event: Int64
    arrival: Int64
    value: Float64

    def kept(self, rows: NDArray[np.bool_]) -> "Running":
        """The same with some of its rows."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _TYPES})

    def packed(self) -> Snapshot:
        """As a snapshot."""
        return {
            "version": np.array([_VERSION, self.bound, self.resumed, self.decisions], np.int64),
            "scenes": msgspec.json.encode(self.scenes),
            **{name: getattr(self, name) for name in _TYPES},
        }

    @classmethod
    def unpacked(cls, snapshot: Snapshot, *, bound: int) -> "Running":
        """Out of a snapshot, for an engine with `bound` feeds.

        Raises:
            DataLossError: If it is of another version, has feeds that are not bound, or is damaged.
        """
        try:
            version, known, resumed, decisions = (int(n) for n in np.asarray(snapshot["version"]))
            if version != _VERSION:
                raise DataLossError(f"the engine's snapshot is of version {version}, this is version {_VERSION}")
            if known > bound:
                raise DataLossError(f"the engine's snapshot knows {known} feeds, only {bound} are bound")
            raw = snapshot["scenes"]
            scenes = msgspec.json.decode(raw if isinstance(raw, bytes) else raw.tobytes(), type=list[str])
            columns = {name: np.asarray(snapshot[name], kind) for name, kind in _TYPES.items()}
        except (KeyError, ValueError, msgspec.DecodeError) as error:
            raise DataLossError(f"the engine's snapshot is damaged: {error}") from error
        running = cls(known, resumed, decisions, scenes, **columns)
        if len({len(column) for column in columns.values()}) != 1:
            raise DataLossError("the engine's snapshot is damaged: its columns differ in length")
        return running
