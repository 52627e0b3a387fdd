"""What arrives, and beside it what that says about the clocks of devices: one place for the pipeline and the bridge."""

from core.reading import ReadingBatch
from ingest.clocks import Clocks
from ingest.codec import ClockTick, GatewayState
from ingest.decoder import Taken
from runtime.door import Door

Entry = ReadingBatch | GatewayState | ClockTick


def clocks_of(door: Door, tolerance_ms: int) -> Clocks:
    """Clocks of the devices behind a door; those that were off before a start are looked at until they are right."""
    registry = door.registry
    clocks = Clocks(registry.max_feeds, lambda feed: registry.names(feed)[:2], door.own_feed, tolerance_ms=tolerance_ms)
    for device, feeds in door.whose_clock().items():
        clocks.expect(device, feeds)
    return clocks


def with_clocks(clocks: Clocks, door: Door, taken: Taken, arrival_ns: int) -> list[Entry]:
    """The entries of `taken`, each batch with what it says about clocks behind it, and at the end what was refused."""
    entries: list[Entry] = []
    for entry in taken.entries:
        entries.append(entry)
        told = clocks.take(entry) if isinstance(entry, ReadingBatch) else None
        if told is not None:
            entries.append(told)
    for rejected in taken.rejected:
        if rejected.ahead is None:
            continue
        name, metrics, at_ms = rejected.ahead
        found = (door.resolve(rejected.gateway, name, metric) for metric in metrics)
        feeds = [feed for feed in found if isinstance(feed, int)]
        told = clocks.refused((rejected.gateway, name), feeds, at_ms, arrival_ns) if feeds else None
        if told is not None:
            entries.append(told)
    return entries
