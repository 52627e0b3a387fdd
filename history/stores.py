"""Which store holds the readings: one place that knows both."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.reading import Int64, ReadingBatch
from history.query import FeedName, History

if TYPE_CHECKING:  # a hub names its store long before somebody asks it for a reading
    from history.archive import Piece
    from history.ledger import Ledger


class Writer(Protocol):
    """A store's writing side."""

    @property
    def ledger(self) -> "Ledger":
        """Up to where it has the journal."""

    def put(self, piece: "Piece") -> None:
        """Write a piece; it is in history on return, or nothing of it is.

        Raises:
            UnavailableError: If it cannot be written now.
        """

    def bring(
        self, batch: ReadingBatch, lag: Int64, new_feeds: Sequence[tuple[int, FeedName]], digest: str, name: str
    ) -> None:
        """Write what was recorded elsewhere; it covers its own span for its own feeds.

        Args:
            batch: Its readings, at least one, in any order.
            lag: What its arrivals need to be stamps of their own, ns, shape (n,); see `history.kernel.stamps`.
            new_feeds: Feeds of it that history has no number for yet.
            digest: By which the file is known again: nobody takes it twice.
            name: What it was called, for people.

        Raises:
            UnavailableError: If it cannot be written now.
        """

    def close(self) -> None:
        """Let go of files and connections."""


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """Where InfluxDB answers.

    Attributes:
        url: `http://host:port`.
        org: Organisation.
        bucket: Bucket; made if it is not there.
        token: Token that may read and write it, and make it.
        keep_ms: How long the bucket keeps points, 0 for ever.
        ca_file: Who vouches for the server where the URL says https; the system's authorities where it is None.
    """

    url: str
    org: str
    bucket: str
    token: str = field(repr=False)
    keep_ms: int = 0
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """What holds the readings, and where.

    Attributes:
        folder: Of the ledger, and of the Parquet files.
        influx: Where InfluxDB answers; None for Parquet files.
    """

    folder: Path
    influx: InfluxAddress | None = None

    def writer(self) -> Writer:
        """Its writing side.

        Raises:
            UnavailableError: If it cannot be had.
            DataLossError: If its ledger is of another version.
        """
        if self.influx is None:
            from history.archive import Archive  # noqa: PLC0415 - slow to load

            return Archive(self.folder)
        from history.influx import InfluxSink  # noqa: PLC0415 - the same

        return InfluxSink(self.folder, self.influx)

    def history(self) -> History:
        """Its reading side.

        Raises:
            UnavailableError: If there is no history yet.
            DataLossError: If its ledger is of another version.
        """
        if self.influx is None:
            from history.parquet import ParquetHistory  # noqa: PLC0415 - the same

            return ParquetHistory(self.folder)
        from history.influx import InfluxHistory  # noqa: PLC0415 - the same

        return InfluxHistory(self.folder, self.influx)
