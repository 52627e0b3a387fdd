"""Who may come in: names to feeds, by the devices that are known."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from city.device import Device, DeviceType
from city.life import State
from city.own import OWN
from ingest.codec import Codec, Namespace
from ingest.registry import NUL, FeedRegistry, RegistryFull
from ingest.rejected import Reason
from ingest.senml import forms_of
from ingest.units import FeedUnits
from runtime.device_list import DeviceList
from thresholds.engine import Engine

TOPICS = ("sw/v1/+/tele/+", "sw/v1/+/pack", "sw/v1/+/senml", "sw/v1/+/senml-cbor", "sw/v1/+/state")
"""Where the messages come in that a door's codec decodes."""
_OUT = {State.SUSPENDED.value: Reason.SUSPENDED_DEVICE, State.RETIRED.value: Reason.RETIRED_DEVICE}


class Names(Protocol):
    """Where the feeds' names are kept."""

    def append(self, first: int, keys: Iterable[bytes]) -> None:
        """Keep the keys of the feeds from `first` on; durable on return."""


class Door:
    """Finds the feed of (gateway, device, metric), makes it where the device is known, binds it to the scenes.

    New feeds are kept back until `persist` has written their names: the journal never holds a feed without a name.
    A feed whose device is known no more, or is out of use, is barred: the kernel does not find it, and `resolve` says
    why.
    """

    def __init__(
        self,
        registry: FeedRegistry,
        names: Names,
        known: DeviceList,
        types: Mapping[str, DeviceType],
    ) -> None:
        self.registry = registry
        self.known = known
        self._names = names
        self._types = types
        self._persisted = len(registry)
        self._engine: Engine | None = None
        self._own = {names: feed for feed, names in self._named(OWN)}
        self._gateways = _gateways(known)
        self._units = FeedUnits(registry.max_feeds, self.unit)

    def bind_to(self, engine: Engine) -> None:
        """Bind every known feed to the scenes of `engine`, and those to come."""
        self._engine = engine
        for feed in range(len(self.registry)):
            engine.bind(feed, *self._feed(feed))

    def codec(self, *, max_pack: int, recording: bool = False, sparkplug: Namespace | None = None) -> Codec:
        """Decodes every documented form of message to feeds of this door."""
        forms = forms_of(self.registry, self.resolve, self._units, max_pack=max_pack)
        return Codec(self.resolve, max_pack=max_pack, recording=recording, forms=forms, sparkplug=sparkplug)

    def resolve(self, gateway: str, device: str, metric: str) -> int | Reason:
        """The feed, or why there is none."""
        known = self.registry.find(gateway, device, metric)
        if known >= 0:
            return known
        refusal = self._refusal(gateway, device, metric)
        if refusal is not None:
            return refusal
        try:
            feed = self.registry.add(gateway, device, metric)
        except RegistryFull:
            return Reason.REGISTRY_FULL
        if self._engine is not None:
            self._engine.bind(feed, self.known.devices[device], metric)
        return feed

    def lists(self, gateway: str, device: str) -> bool:
        """Whether the list has a gateway (with an empty name), or a device behind it."""
        if not device:
            return gateway in self._gateways
        found = self.known.devices.get(device)
        return found is not None and found.gateway == gateway

    def own_feed(self, gateway: str, device: str, metric: str) -> int:
        """The feed of a metric of `OWN`, which no device can send to; -1 where the device may send nothing at all."""
        known = self._own.get((gateway, device, metric))
        if known is not None:
            return known
        if self._stranger(gateway, device) is not None:
            return -1
        try:
            feed = self.registry.add(gateway, device, metric)
        except RegistryFull:
            return -1
        self.registry.bar(feed)
        self._own[gateway, device, metric] = feed
        if self._engine is not None:
            self._engine.bind(feed, self.known.devices[device], metric)
        return feed

    def whose_clock(self) -> dict[tuple[str, str], list[int]]:
        """The devices of which clocks were told once, by gateway and name, with all that they send."""
        found: dict[tuple[str, str], list[int]] = {names[:2]: [] for names in self._own}
        if found:
            for feed in range(len(self.registry)):
                gateway, device, metric = self.registry.names(feed)
                if (gateway, device) in found and metric not in OWN:
                    found[gateway, device].append(feed)
        return found

    @property
    def barred(self) -> int:
        """How many feeds are refused; those that no device can send to anyway are left out."""
        return len(self.registry.barred.difference(self._own.values()))

    def expect(self) -> None:
        """Make the feeds of listed devices of which a scene would tell that nothing comes."""
        if self._engine is None:
            return
        for device in list(self.known.devices.values()):
            kind = self._types.get(device.type)
            for metric in kind.metrics if kind is not None else ():
                if self._engine.tells_absence(device, metric):
                    self.resolve(device.gateway, device.id, metric)

    def persist(self) -> None:
        """Write the names of new feeds; durable on return."""
        if len(self.registry) > self._persisted:
            first = self._persisted
            self._names.append(first, (self.registry.key_of(feed) for feed in range(first, len(self.registry))))
            self._persisted = len(self.registry)

    def feed(self, feed: int) -> tuple[Device, str, str]:
        """(device, metric, unit) of a feed."""
        device, metric = self._feed(feed)
        kind = self._types.get(device.type)
        unit = kind.metrics[metric].unit if kind is not None and metric in kind.metrics else OWN.get(metric, "")
        return device, metric, unit

    def unit(self, feed: int) -> str | None:
        """The unit that the device type has for a feed's metric, "" for none; None where there is no type."""
        device, metric = self._feed(feed)
        kind = self._types.get(device.type)
        known = None if kind is None else kind.metrics.get(metric)
        return None if known is None else known.unit

    def feeds_of(self, devices: Collection[str], first: int, end: int) -> list[int]:
        """The feeds from `first` to before `end` whose device has one of the names; another thread may ask."""
        wanted = {name.encode() for name in devices}
        key_of = self.registry.key_of
        return [feed for feed in range(first, end) if key_of(feed).split(NUL, 2)[1] in wanted] if wanted else []

    def switch(self, known: DeviceList, feeds: Collection[int]) -> dict[int, Device]:
        """Let another list hold from here on; the devices of `feeds`, which are all that it may concern."""
        self.known = known
        self._gateways = _gateways(known)
        self._units.forget(feeds)
        return {feed: self._feed(feed)[0] for feed in feeds}

    def admit(self, feeds: Collection[int]) -> None:
        """Bar those of `feeds` that are refused by now, and no others of them."""
        for feed in feeds:
            self.registry.bar(feed, barred=self._refusal(*self.registry.names(feed)) is not None)

    def _refusal(self, gateway: str, device: str, metric: str) -> Reason | None:
        stranger = self._stranger(gateway, device)
        if stranger is not None:
            return stranger
        kind = self._types.get(self.known.devices[device].type)
        known = metric not in OWN and (kind is None or metric in kind.metrics)
        return None if known else Reason.UNKNOWN_METRIC

    def _stranger(self, gateway: str, device: str) -> Reason | None:
        found = self.known.devices.get(device)
        if found is None:
            return Reason.UNKNOWN_DEVICE
        if found.gateway != gateway:
            return Reason.WRONG_GATEWAY
        return _OUT[found.state] if found.out_of_use else None

    def _named(self, metrics: Collection[str]) -> Iterator[tuple[int, tuple[str, str, str]]]:
        """Every feed of one of these metrics; quick where there is none."""
        if self.registry.may_have(metrics):
            for feed in range(len(self.registry)):
                names = self.registry.names(feed)
                if names[2] in metrics:
                    yield feed, names

    def _feed(self, feed: int) -> tuple[Device, str]:
        gateway, name, metric = self.registry.names(feed)
        found = self.known.devices.get(name)
        if found is None or found.gateway != gateway:
            # It was taken off the list, or stands behind another gateway now: as if it were retired.
            found = Device(name, gateway, state=State.RETIRED.value)
        return found, metric


def _gateways(known: DeviceList) -> frozenset[str]:
    return frozenset(device.gateway for device in known.devices.values())
