"""A data folder is one process's."""

import fcntl
from pathlib import Path
from typing import IO

from core.errors import UnavailableError


def alone_in(folder: Path) -> IO[bytes]:
    """A data folder for this process alone, as long as what is returned is open; the kernel lets go of it at any end.

    Raises:
        UnavailableError: If another process has it, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "pipeline.lock").open("wb")
    except OSError as error:
        raise UnavailableError(f"{folder}: the data folder cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UnavailableError(
            f"{folder}: another pipeline works in this data folder; stop it, or set data.dir"
        ) from error
    return lock
