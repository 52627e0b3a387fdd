"""Sparkplug's part of a loop that owns a session: what is known of edge nodes, kept on disk, and whom to ask."""

from collections import deque

from ingest.births import Births
from ingest.codec import Rebirth
from ingest.decoder import Taken
from ingest.edge_nodes import EdgeNodes
from ingest.session import Session
from ingest.sparkplug import Sparkplug, rebirth_command
from runtime.door import Door

_ASKS_PER_STEP = 100

Kept = list[tuple[tuple[str, str], bytes]]
"""Edge nodes as they have to be kept."""


class Edges:
    """One place for the pipeline and the bridge.

    Args:
        door: Finds feeds, and knows which gateways there are.
        births: Where births are kept; what is there is known from the beginning.
        max_pack: Most readings of one message.

    Raises:
        DataLossError: If births that were kept cannot be read.
    """

    def __init__(self, door: Door, births: Births, *, max_pack: int) -> None:
        self._births = births
        self._nodes = EdgeNodes()
        self._nodes.load(births.load())
        self.sparkplug = Sparkplug(door.resolve, self._nodes, max_pack=max_pack, listed=door.lists)
        self._asks: deque[Rebirth] = deque()

    def __len__(self) -> int:
        """How many edge nodes are known."""
        return len(self._nodes)

    def before(self, session: Session) -> None:
        """The next bytes of a session are decoded: did the broker keep what was sent before they came?

        What comes in one piece with the answer to CONNECT, and so before it is read, only a kept session brings.
        """
        self._nodes.kept = session.resumed or not session.connected

    def on_connection(self, now_ms: int) -> None:
        """The connection is another one."""
        self._asks.clear()
        self._asks.extend(self.sparkplug.on_connection(now_ms))

    def on_devices(self) -> None:
        """Another device list holds."""
        self._nodes.forget_feeds()

    def take_changed(self) -> Kept:
        """What has to be kept before anything is acknowledged that came by now."""
        return self._nodes.take_changed()

    def keep(self, changed: Kept) -> None:
        """Write it down; durable on return.

        Raises:
            UnavailableError: If the disk is full or gone.
        """
        self._births.write(changed)

    def answer(self, taken: Taken, session: Session, now_ms: int) -> None:
        """What has to be said upon what was taken."""
        self._asks.extend(taken.rebirths)
        self.ask(session, now_ms)
        if taken.away and session.subscribed:  # before, it is going to be said anyway
            session.tell_state()

    def ask(self, session: Session, now_ms: int) -> None:
        """Ask edge nodes that wait for it."""
        # Not before the subscriptions stand: the births would be missed again.
        for _ in range(min(len(self._asks), _ASKS_PER_STEP) if session.subscribed else 0):
            session.publish(*rebirth_command(self._asks.popleft(), now_ms))
