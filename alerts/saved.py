"""The alert stage's state as bytes that carry their version."""

from typing import Self

import msgspec

from alerts.alert import OpenAlert
from alerts.states import Decision
from core.errors import DataLossError
from core.stage import Snapshot

VERSION = 1
_PART = "alerts"


class _Version(msgspec.Struct):
    version: int


class Saved(msgspec.Struct, kw_only=True):
    """A snapshot's content; sets are sorted, so that equal states are equal bytes."""

    version: int = VERSION
    order: int
    offline: list[str]
    pending: list[tuple[str, int]]
    alerts: list[OpenAlert]
    decisions: dict[Decision, int]
    shadow_opened: dict[str, int]

    def encoded(self) -> Snapshot:
        """The snapshot."""
        return {_PART: msgspec.msgpack.encode(self)}

    @classmethod
    def decoded(cls, snapshot: Snapshot) -> Self:
        """What is in a snapshot.

        Raises:
            DataLossError: If it is of another version or cannot be read.
        """
        try:
            content = bytes(snapshot[_PART])
            version = msgspec.msgpack.decode(content, type=_Version).version
            if version == VERSION:
                return msgspec.msgpack.decode(content, type=cls)
        except (KeyError, msgspec.MsgspecError) as error:
            raise DataLossError(f"the snapshot of the alerts cannot be read: {error}") from error
        raise DataLossError(
            f"the snapshot of the alerts is of version {version}, this program reads {VERSION}; "
            "start the program that wrote it, or recover from the journal alone"
        )
