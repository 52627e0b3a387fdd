"""How long to wait before trying again."""

import random

_LARGEST_EXPONENT = 30


class Backoff:
    """Twice as long after each failure, with jitter, so that many senders do not come back at once.

    Args:
        rng: Where the jitter comes from; seeded, so that a run can be had again.
        first_s: The longest first wait, s.
        longest_s: No wait is longer, s.
    """

    def __init__(self, rng: random.Random, first_s: float = 0.1, longest_s: float = 30.0) -> None:
        self._rng = rng
        self._first_s = first_s
        self._longest_s = longest_s

    @property
    def longest_s(self) -> float:
        """No wait is longer, s."""
        return self._longest_s

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: between half and all of the step."""
        step = self._first_s * 2.0 ** min(failures - 1, _LARGEST_EXPONENT)
        return min(step, self._longest_s) * self._rng.uniform(0.5, 1.0)
