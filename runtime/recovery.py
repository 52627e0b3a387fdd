"""After a start: the newest snapshot, then every journal entry behind it through the same stages."""

from collections.abc import Callable

import msgspec

from alerts.change import AlertChange
from alerts.event import Feedback
from core.errors import DataLossError
from ingest.journal import Entry, Journal, Kind, decode_batch, decode_clock, decode_gateway
from runtime.chain import Chain
from runtime.snapshots import Snapshots


class _Said(msgspec.Struct, frozen=True):
    feedback: Feedback
    at_ms: int


def encode_feedback(feedback: Feedback, at_ms: int) -> tuple[Kind, bytes]:
    """What people said, as a journal entry."""
    return Kind.FEEDBACK, msgspec.json.encode(_Said(feedback, at_ms))


def encode_resume(at_ms: int) -> tuple[Kind, bytes]:
    """That nobody listened until `at_ms`, as a journal entry."""
    return Kind.RESUME, at_ms.to_bytes(8, "little")


def encode_rules(version: str) -> tuple[Kind, bytes]:
    """That the scenes of `version` decide from here on, as a journal entry."""
    return Kind.RULES, version.encode()


def recover(
    chain: Chain,
    journal: Journal,
    snapshots: Snapshots,
    *,
    switch_rules: Callable[[str], None],
    write: Callable[[list[AlertChange]], object],
    progress: Callable[[int], None] | None = None,
) -> int:
    """Bring `chain` to the end of `journal`; alerts that were not durable yet are written now, others are known by id.

    Args:
        chain: Fresh stages with every known feed bound.
        journal: What happened.
        snapshots: Where a state to begin with may lie.
        switch_rules: Called with the version of the scenes that decide from an entry on.
        write: Takes the alert changes, idempotently.
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
        write(apply(chain, entry, switch_rules))
        replayed += 1
        if progress is not None and replayed % 1000 == 0:
            progress(entry.seq)
    if after > journal.last_seq:
        raise DataLossError(
            f"the snapshot is of entry {after}, the journal ends at {journal.last_seq}: restore the journal"
        )
    return replayed


def apply(chain: Chain, entry: Entry, switch_rules: Callable[[str], None]) -> list[AlertChange]:
    """What follows from one entry of the journal, in a recovery and wherever else entries are read."""
    match entry.kind:
        case Kind.READINGS | Kind.READINGS_WITH_ARRIVAL:
            return chain.on_batch(decode_batch(entry))
        case Kind.GATEWAY:
            return chain.on_gateway(decode_gateway(entry))
        case Kind.CLOCK:
            return chain.on_clock(decode_clock(entry))
        case Kind.RESUME:
            chain.on_resume(int.from_bytes(entry.body, "little"))
        case Kind.FEEDBACK:
            said = msgspec.json.decode(entry.body, type=_Said)
            return chain.on_feedback(said.feedback, said.at_ms)
        case Kind.RULES:
            switch_rules(entry.body.decode())
    return []
