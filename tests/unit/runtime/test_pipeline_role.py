"""What the role `pipeline` sees to around its loop."""

import threading

import pytest

from runtime.pipeline_role import end_when_a_thread_breaks


def test_a_bug_in_any_thread_ends_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # put back afterwards
    stopped = threading.Event()
    broken = end_when_a_thread_breaks(stopped.set)

    def breaks() -> None:
        raise LookupError("a bug")

    thread = threading.Thread(target=breaks)
    thread.start()
    thread.join()
    assert stopped.is_set()
    assert [str(error) for error in broken] == ["a bug"]
