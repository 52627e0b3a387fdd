"""How hypothesis searches: the same examples in every run, unless somebody asks for a hunt (`make fuzz`).

A run that has to pass before a change goes in may not fail on what the change has nothing to do with, and need not
look for the smallest example while others wait. `make fuzz` draws new examples, many times as many, and shrinks.
"""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

FACTOR = int(os.environ.get("SCENEWATCH_EXAMPLES", "1"))
"""How many times as many examples as a test names."""

settings.register_profile(
    "short", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target)
)
settings.register_profile("hunt", deadline=None, print_blob=True)
settings.load_profile("short" if FACTOR == 1 else "hunt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Multiply the examples of every property."""
    if FACTOR == 1:
        return
    for item in items:
        test = getattr(item, "obj", None)
        mine = getattr(test, "_hypothesis_internal_use_settings", None)
        if test is not None and mine is not None:
            test._hypothesis_internal_use_settings = settings(mine, max_examples=mine.max_examples * FACTOR)


@pytest.fixture(autouse=True)
def _asked_to_end() -> Iterator[None]:
    """A command that a test runs in this process may not leave its own SIGTERM behind: pytest would not end by one."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if signal.getsignal(signal.SIGTERM) is not before:
        signal.signal(signal.SIGTERM, before)
