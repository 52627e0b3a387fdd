"""What a level compares, as plain data: the key under which its state goes on from one set of scenes to the next."""

from typing import NamedTuple

from detectors.signal.baseline import cells_for
from thresholds import kernel_state as kernel

PANES = 60
"""Most panes of a window."""

_LINE = 8
"""Cells of a cache line."""
_WIDTH = {kernel.CHANGE: 3, kernel.RATE: 5}


class Measure(NamedTuple):
    """One measure of one scene.

    Attributes:
        kind: As in `thresholds.kernel_state`.
        window: Its length in ms, 0 for a calendar's; of a baseline, for how long it has to learn.
        calendar: `day`, `week` or `month`, empty for a sliding window.
        zone: Time zone of the calendar, schedule or baseline.
        need_ms: For how long the feed has to have been heard.
        need_n: How many readings have to lie in the window.
        of: What a count counts; how many parts a baseline has.
        block_ms: Length of the blocks whose means are counted, or held against a baseline.
        limit: What a count counts over; the value that may stay the same; None for none.
        schedule: The faces of a schedule as text, by which it is known.
    """

    kind: int
    window: int = 0
    calendar: str = ""
    zone: str = ""
    need_ms: int = 0
    need_n: int = 1
    of: int = 0
    block_ms: int = 0
    limit: float | None = None
    schedule: str = ""

    @property
    def panes(self) -> int:
        """Into how many panes the window is cut: as many as go into it evenly, 60 at most."""
        if self.kind > kernel.WINDOWED:
            return 0
        if self.calendar:
            return 1
        return next(n for n in range(PANES, 0, -1) if self.window % n == 0)

    @property
    def width(self) -> int:
        """Cells of a pane."""
        return _WIDTH.get(self.kind, 2)

    @property
    def cells(self) -> int:
        """Cells of all panes and of three groups before them (`kernel_measure`), or of a baseline, in whole lines."""
        cells = (self.panes + 3) * self.width if self.panes else 0
        if self.kind == kernel.BASELINE:
            cells = cells_for(self.of)
        return -(-cells // _LINE) * _LINE
