"""The births of Sparkplug edge nodes on disk: without them what is sent by alias could not be read after a start."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import DataLossError, UnavailableError
from ingest.edge_nodes import Key

FILE = "edge-nodes.sqlite"
"""Its name in the data folder."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS edge_node (
    "group" TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY ("group", name)) WITHOUT ROWID
"""
_PUT = 'INSERT OR REPLACE INTO edge_node ("group", name, body) VALUES (?, ?, ?)'
_ALL = 'SELECT "group", name, body FROM edge_node ORDER BY "group", name'


class Births:
    """What `EdgeNodes.take_changed` gave, the last of each edge node.

    It is written behind the journal and in front of the acknowledgement: what is delivered again after a crash meets
    the births that were known when it came first, or is known to be older than them. Each write is synced, whatever the
    journal's durability is: with an older birth an alias could mean another metric.

    Args:
        path: The file; made if it is not there.

    Raises:
        UnavailableError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise UnavailableError(f"{path} cannot be opened for births of edge nodes: {error}") from error

    def load(self) -> Iterator[tuple[Key, bytes]]:
        """Everything that was written.

        Raises:
            DataLossError: If it cannot be read.
        """
        try:
            for group, name, body in self._connection.execute(_ALL):
                yield (group, name), body
        except sqlite3.Error as error:
            raise DataLossError(f"{self._path} cannot be read: {error}; restore it from a copy") from error

    def write(self, kept: Iterable[tuple[Key, bytes]]) -> None:
        """Keep these edge nodes; durable on return.

        Raises:
            UnavailableError: If the disk is full or gone; nothing of this call was written.
        """
        rows = [(*key, body) for key, body in kept]
        if not rows:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_PUT, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise UnavailableError(f"{self._path} cannot be written: {error}; is the disk full?") from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
