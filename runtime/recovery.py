"""After a start: the newest snapshot, then every journal entry behind it through the same stages."""

from collections.abc import Callable

import msgspec
import numpy as np

from alerts.change import AlertChange
from alerts.event import Feedback
from alerts.kept import LedgerChange
from core.errors import DataLossError
from core.reading import Int32
from ingest.journal import Entry, Journal, Kind, decode_batch, decode_clock, decode_gateway
from runtime.chain import Chain
from runtime.snapshots import Snapshots

Switch = Callable[[str], list[AlertChange]]


class _Said(msgspec.Struct, frozen=True):
    feedback: Feedback
    at_ms: int


def encode_feedback(feedback: Feedback, at_ms: int) -> tuple[Kind, bytes]:
    """What people said, as a journal entry."""
    return Kind.FEEDBACK, msgspec.json.encode(_Said(feedback, at_ms))


def encode_resume(at_ms: int) -> tuple[Kind, bytes]:
    """That nobody listened until `at_ms`, as a journal entry."""
    return Kind.RESUME, at_ms.to_bytes(8, "little")


def encode_expect(feeds: Int32, at_ms: int) -> tuple[Kind, bytes]:
    """That these feeds are known from `at_ms` on, whether they report or not, as a journal entry."""
    return Kind.EXPECT, at_ms.to_bytes(8, "little") + feeds.astype("<i4").tobytes()


def encode_rules(version: str) -> tuple[Kind, bytes]:
    """That the scenes of `version` decide from here on, as a journal entry."""
    return Kind.RULES, version.encode()


def encode_devices(version: str) -> tuple[Kind, bytes]:
    """That the device list of `version` holds from here on, as a journal entry."""
    return Kind.DEVICES, version.encode()


def recover(
    chain: Chain,
    journal: Journal,
    snapshots: Snapshots,
    *,
    switch_rules: Switch,
    switch_devices: Switch,
    write: Callable[[list[AlertChange]], object],
    judge: Callable[[Feedback], object],
    tell: Callable[[list[LedgerChange]], object] = lambda _: None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Bring `chain` to the end of `journal`; alerts that were not durable yet are written now, others are known by id.

    Args:
        chain: Fresh stages with every known feed bound.
        journal: What happened.
        snapshots: Where a state to begin with may lie.
        switch_rules: Called with the version of the scenes that decide from an entry on; gives what follows.
        switch_devices: The same for the device list.
        write: Takes the alert changes, idempotently.
        judge: Takes what people said that alerts turned out to be, idempotently.
        tell: Takes what came into the ledger, idempotently.
        progress: Called with the position, now and then.

    Returns:
        How many entries were replayed.

    Raises:
        DataLossError: If the journal begins after the snapshot ends.
    """
    found = snapshots.newest()
    after = 0
    if found is not None:
        after, stages = found
        chain.restore(stages)
    replayed = 0
    for entry in journal.read(after):
        write(apply(chain, entry, switch_rules, switch_devices, judge))
        tell(chain.take_ledger())
        replayed += 1
        if progress is not None and replayed % 1000 == 0:
            progress(entry.seq)
    if after > journal.last_seq:
        raise DataLossError(
            f"the snapshot is of entry {after}, the journal ends at {journal.last_seq}: restore the journal"
        )
    return replayed


def apply(
    chain: Chain, entry: Entry, switch_rules: Switch, switch_devices: Switch, judge: Callable[[Feedback], object]
) -> list[AlertChange]:
    """What follows from one entry of the journal, in a recovery and wherever else entries are read."""
    match entry.kind:
        case Kind.GATEWAY:
            return chain.on_gateway(decode_gateway(entry))
        case Kind.CLOCK:
            return chain.on_clock(decode_clock(entry))
        case Kind.RESUME | Kind.LISTENING | Kind.EXPECT:
            if entry.kind is Kind.RESUME:  # listening is for history, which tells a hole from silence by it
                chain.on_resume(int.from_bytes(entry.body, "little"))
            elif entry.kind is Kind.EXPECT:
                feeds = np.frombuffer(entry.body, "<i4", offset=8).astype(np.int32)
                chain.on_expect(feeds, int.from_bytes(entry.body[:8], "little"))
            return []
        case Kind.FEEDBACK:
            said = msgspec.json.decode(entry.body, type=_Said)
            if said.feedback.verdict is not None:
                judge(said.feedback)
            return chain.on_feedback(said.feedback, said.at_ms)
        case Kind.RULES | Kind.DEVICES:
            switch = switch_rules if entry.kind is Kind.RULES else switch_devices
            return switch(entry.body.decode())
        case _:
            return chain.on_batch(decode_batch(entry))
