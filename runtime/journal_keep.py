"""Which segments of the journal may go: what recovery, history and a person's wish leave."""

import logging
from collections.abc import Callable

from ingest.journal import Journal

log = logging.getLogger("scenewatch.pipeline")


class JournalKeep:
    """Drops old segments of a journal.

    Args:
        journal: Whose.
        keep_ms: How long segments stay that nobody needs,
        keep_bytes: as long as they are not larger than this together.
        archived: Up to which entry history has it; None where there is no history.
        unarchived_bytes: Segments that history has not got to stay until they are larger than this together: a
            history that stands still must not fill the disk that readings are acknowledged on.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        keep_ms: int,
        keep_bytes: int,
        archived: Callable[[], int] | None = None,
        unarchived_bytes: int = 16 << 30,
    ) -> None:
        self._journal = journal
        self._keep_ms = keep_ms
        self._keep_bytes = keep_bytes
        self._archived = archived
        self._unarchived_bytes = unarchived_bytes
        self.unarchived_dropped = 0
        """Segments that went before history had them."""

    def drop(self, recovered_from: int, wall_s: float) -> None:
        """Drop what may go now.

        Args:
            recovered_from: The first entry that recovery needs.
            wall_s: Seconds since the epoch, by the clock of the files.
        """
        # History keeps its last entry too: by it it knows the journal again.
        unneeded = recovered_from if self._archived is None else min(recovered_from, self._archived())
        self._journal.drop_before(unneeded, keep_since_s=wall_s - self._keep_ms / 1000, keep_bytes=self._keep_bytes)
        if unneeded < recovered_from:
            dropped = self._journal.drop_before(
                recovered_from, keep_since_s=float("-inf"), keep_bytes=self._unarchived_bytes
            )
            if dropped:
                self.unarchived_dropped += dropped
                log.warning("%d journal segments dropped that history had not got to: is it running?", dropped)
