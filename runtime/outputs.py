"""Files that a command is to write at its end, looked at before it begins; and what there is of standard output."""

import contextlib
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import ConfigError, UnavailableError

_PICTURES = (".png", ".svg")


def writable(option: str, path: Path | None, *suffixes: str) -> Path | None:
    """A file that can be written at the end, known at the beginning.

    Raises:
        ConfigError: If there is no such folder, it is one itself, it must not be written, or has another ending.
    """
    if path is None:
        return None
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{option} {path}: there is no such folder")
    if path.is_dir():
        raise ConfigError(f"{option} {path}: it is a folder, a file is wanted")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ConfigError(f"{option} {path}: its name has to end in {' or '.join(suffixes)}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"{option} {path}: it cannot be written: no rights, or a disk for reading only")
    return path


def picture(option: str, path: Path | None) -> Path | None:
    """A picture that can be drawn and written at the end, known at the beginning.

    Raises:
        ConfigError: As `writable`, or if there is nothing to draw with.
    """
    if path is not None and importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(f"{option} needs matplotlib: install scenewatch[plot]")
    return writable(option, path, *_PICTURES)


def to_write(option: str, *suffixes: str) -> Callable[[Path | None], Path | None]:
    """`writable` as typer calls it."""
    return lambda path: writable(option, path, *suffixes)


def to_draw(option: str) -> Callable[[Path | None], Path | None]:
    """`picture` as typer calls it."""
    return lambda path: picture(option, path)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around the writing of a file.

    Raises:
        UnavailableError: If it cannot be written after all, because the disk is full for example.
    """
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be written: {error.strerror or error}") from error


def speak_anyway() -> None:
    """Let nothing that is said end a command: neither signs that the terminal has not, nor that there is none."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before we were started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the very end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def fall_silent() -> None:
    """Who read our output has gone: what is still to be said goes nowhere, and nothing complains about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
