"""A process is asked to end by a signal that may come at any moment."""

import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from runtime import ending as endings
from runtime.ending import Ending


@pytest.fixture
def usual() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("usual")
def test_a_signal_asks_for_the_end_and_whoever_waits_for_it_goes_on() -> None:
    ending = Ending(signal.SIGTERM)
    assert not ending.is_set()
    assert not ending.wait(0.0)
    signal.raise_signal(signal.SIGTERM)
    assert ending.is_set()
    assert ending.wait()
    signal.raise_signal(signal.SIGTERM)
    assert ending.wait(), "asked again it goes on saying so"


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("line", range(8))
def test_a_signal_at_any_line_of_it_is_heard_and_hangs_nothing(line: int) -> None:
    ending, left = Ending(signal.SIGTERM), line

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != endings.__file__:
            return None
        if event == "line":
            left -= 1
            if left == -1:
                signal.raise_signal(signal.SIGTERM)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        ending.wait(0.0)
        ending.set()
        ending.wait()
    finally:
        sys.settrace(before)
    assert left < 0
    assert ending.wait()


@pytest.mark.usefixtures("usual")
def test_another_thread_may_ask_as_well() -> None:
    ending = Ending()
    thread = threading.Thread(target=ending.set)
    thread.start()
    assert ending.wait(30)
    thread.join()
