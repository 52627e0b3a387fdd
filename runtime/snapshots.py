"""The whole state of the stages at one position of the journal, in one file that is there whole or not at all."""

import contextlib
import io
import logging
import os
import threading
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DataLossError
from core.stage import Snapshot

log = logging.getLogger("scenewatch.pipeline")

_VERSION = 1
_KEEP = 2
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
_Arrays = Mapping[str, NDArray[np.generic]]


class Snapshots:
    """Files `state-<position>.npz`; the newest that can be read counts, an older one is kept beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer: threading.Thread | None = None
        self.written_seq = 0

    def write(
        self, seq: int, stages: Mapping[str, Snapshot], *, behind: Iterable[Path] = (), wait: bool = False
    ) -> None:
        """Write the state behind journal position `seq`, in the background unless `wait`.

        The snapshots given must not change any more. While one is being written another is not begun. One that
        cannot be written is told of; the journal grows meanwhile and the next one is tried.

        Args:
            seq: Position of the journal.
            stages: The state by stage.
            behind: SQLite files that the state follows from: they are synced first, so that after a power cut a
                snapshot never knows more than they do.
            wait: Whether to wait for its end.
        """
        if self._writer is not None and self._writer.is_alive():
            if not wait:
                return
            self._writer.join()
        arrays = _arrays(seq, stages)
        self._writer = threading.Thread(
            target=self._write, args=(seq, arrays, list(behind)), name="snapshot", daemon=True
        )
        self._writer.start()
        if wait:
            self._writer.join()

    def newest(self) -> tuple[int, dict[str, Snapshot]] | None:
        """(position, state by stage) of the newest file that can be read; None if there is none.

        Raises:
            DataLossError: If files are there and none can be read.
        """
        paths = sorted(self._folder.glob("state-*.npz"), reverse=True)
        problems = []
        for path in paths:
            try:
                return _read(path)
            except _UNREADABLE as error:
                problems.append(f"{path.name}: {error}")
        if problems:
            raise DataLossError(f"no snapshot in {self._folder} can be read ({'; '.join(problems)})")
        return None

    def rules(self) -> str | None:
        """The version of the scenes that decided when the newest snapshot was made; None if there is none."""
        found = self.newest()
        return None if found is None else bytes(np.asarray(found[1]["chain"]["rules"])).decode()

    def devices(self) -> str | None:
        """The version of the device list that held then; None if there is no snapshot, or it does not say."""
        found = self.newest()
        version = None if found is None else found[1]["chain"].get("devices")
        return None if version is None else bytes(np.asarray(version)).decode() or None

    def oldest_seq(self) -> int:
        """Position of the oldest snapshot that is kept, 0 if there is none."""
        paths = sorted(self._folder.glob("state-*.npz"))
        return int(paths[0].stem.partition("-")[2]) if paths else 0

    def _write(self, seq: int, arrays: _Arrays, behind: Iterable[Path]) -> None:
        path = self._folder / f"state-{seq:016d}.npz"
        partial = path.with_suffix(".partial")
        try:
            for file in behind:
                _sync_database(file)
            with partial.open("wb") as output:
                np.savez(output, allow_pickle=False, **arrays)
                output.flush()
                os.fsync(output.fileno())
            partial.replace(path)
            _sync(self._folder)
        except OSError as error:
            log.warning("no snapshot can be written in %s (%s); a restart takes longer", self._folder, error.strerror)
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            return
        self.written_seq = seq
        for old in sorted(self._folder.glob("state-*.npz"))[:-_KEEP]:
            old.unlink(missing_ok=True)


def pack_state(seq: int, stages: Mapping[str, Snapshot]) -> bytes:
    """The state behind position `seq` as bytes, as a file of `Snapshots` has them."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **_arrays(seq, stages))
    return file.getvalue()


def unpack_state(content: bytes) -> tuple[int, dict[str, Snapshot]]:
    """(position, state by stage) out of what `pack_state` gave.

    Raises:
        DataLossError: If it is damaged or of another version.
    """
    try:
        return _read(io.BytesIO(content))
    except _UNREADABLE as error:
        raise DataLossError(f"a state cannot be read: {error}") from error


def position_of(content: bytes) -> int:
    """The position of what `pack_state` gave, without reading the rest.

    Raises:
        DataLossError: If it is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return int(file["version"][1])
    except _UNREADABLE as error:
        raise DataLossError(f"a state cannot be read: {error}") from error


def _arrays(seq: int, stages: Mapping[str, Snapshot]) -> _Arrays:
    arrays: dict[str, NDArray[np.generic]] = {"version": np.array([_VERSION, seq], np.int64)}
    for stage, snapshot in stages.items():
        for name, part in snapshot.items():
            arrays[f"{stage}.{name}"] = np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
    return arrays


def _read(source: Path | io.BytesIO) -> tuple[int, dict[str, Snapshot]]:
    stages: dict[str, dict[str, NDArray[np.generic] | bytes]] = {}
    with np.load(source, allow_pickle=False) as file:
        version, seq = (int(n) for n in file["version"])
        if version != _VERSION:
            raise ValueError(f"version {version}, this program reads {_VERSION}")
        for name in file.files:
            stage, dot, part = name.partition(".")
            if dot:
                stages.setdefault(stage, {})[part] = file[name]
    return seq, dict(stages)


def _sync_database(path: Path) -> None:
    """Sync an SQLite file's log; what is not in the log any more is in the file, which SQLite synced when it moved it.

    The file itself is never opened here: closing it would drop the locks of every SQLite connection that this process
    has on it (POSIX), and the next program that opens and closes the database would take the log away under them.
    References: sqlite.org/howtocorrupt.html, 2.2 (verified: no, from memory).
    """
    with contextlib.suppress(FileNotFoundError):
        _sync(path.with_name(path.name + "-wal"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
