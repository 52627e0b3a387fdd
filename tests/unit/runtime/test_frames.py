from pathlib import Path

import pytest

from core.errors import ConfigError
from runtime.frames import look_at


def test_what_is_no_source_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.mp4: there is no such file, folder or device"):
        look_at(str(tmp_path / "gone.mp4"))
    with pytest.raises(ConfigError, match=r"no picture \(\.jpg, \.jpeg, \.png, \.bmp\) is in this folder"):
        look_at(str(tmp_path))


def test_an_address_and_a_device_are_looked_at_only_when_they_are_opened() -> None:
    look_at("rtsp://10.0.0.1/stream")
    look_at("0")
