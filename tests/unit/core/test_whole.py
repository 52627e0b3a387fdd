"""A file is there whole or not at all."""

from pathlib import Path

import pytest

from core.whole import write_whole


def test_a_file_holds_what_was_written_last_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    write_whole(path, b"{}")
    write_whole(path, "水位")
    assert path.read_text(encoding="utf-8") == "水位"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "note"
    write_whole(path, "before")
    (tmp_path / "note.partial").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(path, "after")
    assert path.read_text() == "before"


def test_a_private_file_is_its_owners_from_the_beginning(tmp_path: Path) -> None:
    write_whole(tmp_path / "passwords", "secret", private=True)
    assert (tmp_path / "passwords").stat().st_mode & 0o777 == 0o600
