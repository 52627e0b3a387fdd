"""How long a piece of work takes."""

import time
from collections.abc import Callable


def timed(work: Callable[[], object]) -> float:
    """Seconds of one round."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def best(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the quickest of some rounds: what the machine does beside them is no part of the work."""
    return min(timed(work) for _ in range(rounds))
