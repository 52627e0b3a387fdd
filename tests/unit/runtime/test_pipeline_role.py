"""What the role `pipeline` sees to around its loop."""

import threading
from pathlib import Path

import pytest

from core.errors import UnavailableError
from runtime.alone import alone_in
from runtime.ending import end_when_a_thread_breaks


def test_two_pipelines_never_write_into_one_data_folder(tmp_path: Path) -> None:
    first = alone_in(tmp_path / "data")
    with pytest.raises(UnavailableError, match="another pipeline works in this data folder"):
        alone_in(tmp_path / "data")
    first.close()
    alone_in(tmp_path / "data").close()


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(UnavailableError, match="cannot be written"):
        alone_in(tmp_path / "data")


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
