"""Frames from anywhere OpenCV can read: an address, a file, a folder of pictures, a device."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.clock import wall_ns
from core.errors import ConfigError, UnavailableError

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
_FOLDER_FPS = 10.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, BGR uint8 of shape (h, w, 3), and when it was taken, ms since the epoch."""

    picture: NDArray[np.uint8]
    at_ms: int


def frames(source: str, start_ms: int) -> Iterator[Frame]:
    """The frames of a source, in their order.

    Frames of a file or folder are at `start_ms` plus their own time; those of a camera are taken now.

    Raises:
        ConfigError: If there is no such file, or it holds no picture.
        UnavailableError: If the camera cannot be opened.
    """
    live = "://" in source or source.isdigit()
    look_at(source)
    path = Path(source)
    if not live and path.is_dir():
        yield from _folder(path, start_ms)
        return
    if source.startswith("rtsp"):
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    try:
        if not capture.isOpened():
            what = (
                "cannot be opened: is the camera there, is the address right?"
                if live
                else "is no video that can be read"
            )
            raise (UnavailableError if live else ConfigError)(f"{without_password(source)}: {what}")
        yield from _capture(capture, start_ms, live=live)
    finally:
        capture.release()


def look_at(source: str) -> None:
    """Refuse a source of which it can be seen from outside that it is none.

    Raises:
        ConfigError: If there is no such file, or no picture in a folder.
    """
    if "://" in source or source.isdigit():
        return
    path = Path(source)
    if not path.exists():
        raise ConfigError(f"{source}: there is no such file, folder or device")
    if path.is_dir() and not _pictures(path):
        raise ConfigError(f"{path}: no picture ({', '.join(_PICTURES)}) is in this folder")


def count_frames(source: str) -> int | None:
    """How many frames a file or folder has, as it says itself; None where nobody knows."""
    path = Path(source)
    if path.is_dir():
        return len(_pictures(path))
    if not path.is_file():
        return None
    capture = cv2.VideoCapture(source)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return count if count > 0 else None


def without_password(source: str) -> str:
    """The source without what stands before the `@` of an address."""
    scheme, colon, rest = source.partition("://")
    return f"{scheme}{colon}{rest.rpartition('@')[2]}" if colon else source


def _capture(capture: cv2.VideoCapture, start_ms: int, *, live: bool) -> Iterator[Frame]:
    fps = capture.get(cv2.CAP_PROP_FPS) or _FOLDER_FPS
    number = 0
    while True:
        there, picture = capture.read()
        if not there:
            return
        at = wall_ns() // 1_000_000 if live else start_ms + round(number * 1000 / fps)
        number += 1
        yield Frame(np.asarray(picture, np.uint8), at)


def _folder(path: Path, start_ms: int) -> Iterator[Frame]:
    for number, file in enumerate(_pictures(path)):
        picture = cv2.imread(str(file))
        if picture is not None:
            yield Frame(np.asarray(picture, np.uint8), start_ms + round(number * 1000 / _FOLDER_FPS))


def _pictures(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.suffix.lower() in _PICTURES)
