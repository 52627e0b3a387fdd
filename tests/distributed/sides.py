"""The two sides that have to agree: the embedded chain, and records that go through slices."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from alerts.change import AlertChange
from alerts.lifecycle import AlertStage
from city.catalogue import load_catalogue
from city.device import Device
from core.reading import ReadingBatch
from ingest.codec import ClockTick, GatewayState
from ingest.journal import encode_clock
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.device_list import DeviceList
from runtime.recovery import encode_devices, encode_rules
from runtime.stream.outgoing import Outgoing
from runtime.stream.places import AreaBy, area_of, partition_of
from runtime.stream.plan import PlanBook, devices_record, devices_version, scenes_record
from tests.distributed.hour import METRIC, Hour, Switch, devices_csv
from thresholds.engine import Engine

PARTITIONS = 8
BY: AreaBy = "town"
SETTLE_MS = 1_000


class _Named:
    def __init__(self, devices: list[Device]) -> None:
        self._devices = devices

    def feed(self, index: int) -> tuple[Device, str, str]:
        """Device, metric and unit."""
        return self._devices[index], METRIC, ""


def line(change: AlertChange) -> tuple[str, bytes]:
    """An event by its id: every byte of it but its latency."""
    told = (change.type, change.decision, change.at_ms, change.raised_ms, change.cleared_ms, change.opened_by)
    return change.id, msgspec.json.encode([*told, change.data])


def embedded(hour: Hour) -> dict[str, bytes]:
    """What one chain on one machine makes of the hour: events by id."""
    engine = Engine(hour.first, max_feeds=len(hour.devices), settle_ms=SETTLE_MS)
    engine.bind_many((device, METRIC) for device in hour.devices)
    stage = AlertStage(AlertScenes(hour.first), _Named(hour.devices))
    chain = Chain(Sequencer(len(hour.devices)), engine, stage, lambda: 0)
    found: dict[str, bytes] = {}
    for entry in hour.entries:
        for change in _follow(chain, entry):
            event, content = line(change)
            assert event not in found, f"{event} twice"
            found[event] = content
    return found


def _follow(chain: Chain, entry: ReadingBatch | GatewayState | ClockTick | Switch) -> list[AlertChange]:
    if isinstance(entry, ReadingBatch):
        return chain.on_batch(entry)
    if isinstance(entry, GatewayState):
        return chain.on_gateway(entry)
    if isinstance(entry, ClockTick):
        return chain.on_clock(entry)
    return chain.on_timer(entry.at_ms) + chain.switch(entry.scenes)


def plan_records(hour: Hour) -> list[tuple[bytes, bytes]]:
    """What the topic of plans holds."""
    switched = [entry.scenes for entry in hour.entries if isinstance(entry, Switch)]
    return [devices_record(*csv_of(hour)), *(scenes_record(scenes) for scenes in (hour.first, *switched))]


def csv_of(hour: Hour) -> tuple[str, bytes]:
    """Version and content of the hour's device list."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "devices.csv"
        path.write_bytes(devices_csv(hour.devices))
        return devices_version(DeviceList.read(path, load_catalogue()).version, BY), path.read_bytes()


def plan_of(hour: Hour) -> PlanBook:
    """The plans as a worker knows them."""
    book = PlanBook(load_catalogue(), [METRIC])
    for key, value in plan_records(hour):
        book.take(key, value)
    return book


def outgoing_of(hour: Hour, *, bridge: str = "bridge-0", session: int = 1) -> Outgoing:
    """What a bridge sorts the hour with."""
    return Outgoing(
        bridge,
        session,
        PARTITIONS,
        max_feeds=len(hour.devices),
        partition_of=lambda feed: partition_of(area_of(hour.devices[feed], BY), PARTITIONS),
        key_of=lambda feed: hour.keys[feed],
    )


def begin(out: Outgoing, hour: Hour) -> None:
    """What stands in front of everything: which devices and scenes there are."""
    out.add_to_all(encode_devices(csv_of(hour)[0]))
    out.add_to_all(encode_rules(hour.first.version))


def records_of(hour: Hour, every: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The hour as (partition, record), flushed after so many entries, again and again.

    Args:
        hour: The hour.
        every: How many entries go into one round of records, one number after the other.
    """
    out = outgoing_of(hour)
    begin(out, hour)
    cuts = iter(every)
    left = next(cuts)
    for entry in hour.entries:
        if isinstance(entry, Switch):
            out.add_to_all(encode_clock(ClockTick(entry.at_ms)))
            out.add_to_all(encode_rules(entry.scenes.version))
        else:
            out.add(entry)
        left -= 1
        if left <= 0:
            yield from out.take()
            left = next(cuts)
    yield from out.take()
