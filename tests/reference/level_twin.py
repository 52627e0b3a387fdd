"""The slow, obvious twin of the threshold kernel: one feed, one level, plain Python, written from the scene language.

It reads the text "Exactly what a level means" and nothing of the kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

Row = tuple[str, int, int]
"""(what, at, onset)."""


@dataclass
class LevelTwin:
    """One level of one feed.

    Args:
        holds: The condition.
        clears: Beyond the clear value.
        raise_ms: Raise delay in ms, or None.
        raise_samples: Raise delay in readings, or None.
        clear_ms: Clear delay in ms, or None.
        clear_samples: Clear delay in readings, or None.
        silent_ms: After how much silence a delay is held, or None.
    """

    holds: Callable[[float], bool]
    clears: Callable[[float], bool]
    raise_ms: int | None = None
    raise_samples: int | None = None
    clear_ms: int | None = None
    clear_samples: int | None = None
    silent_ms: int | None = None
    active: bool = False
    onset: int | None = None
    run: int = 0
    last: int | None = None
    rows: list[Row] = field(default_factory=list)

    def reading(self, at: int, value: float) -> None:
        """A reading later than the last one."""
        self.time_passes(at - 1)
        self.last = at
        wanted = self.clears(value) if self.active else self.holds(value)
        if not wanted:
            if self.onset is not None and not self.active:
                self.rows.append(("lapsed", at, self.onset))
            self.onset = None
            return
        if self.onset is None:
            self.onset, self.run = at, 0
            first = True
        else:
            first = False
        self.run += 1
        delay = self.clear_ms if self.active else self.raise_ms
        samples = self.clear_samples if self.active else self.raise_samples
        if samples is not None:
            over = self.run >= samples
        elif delay is not None:
            over = at >= self.onset + delay
        else:
            over = True
        if over:
            self._over(at)
        elif first and not self.active:
            self.rows.append(("onset", at, at))

    def time_passes(self, until: int) -> None:
        """The feed's own clock comes to `until` without a reading."""
        delay = self.clear_ms if self.active else self.raise_ms
        samples = self.clear_samples if self.active else self.raise_samples
        if self.onset is None or delay is None or samples is not None or self.last is None:
            return
        end = self.onset + delay
        held = self.silent_ms is not None and end > self.last + self.silent_ms
        if end <= until and not held:
            self._over(end)

    def _over(self, at: int) -> None:
        assert self.onset is not None
        self.rows.append(("cleared" if self.active else "raised", at, self.onset))
        self.active = not self.active
        self.onset = None
