"""Who may come in: names to feeds, by the devices that are known."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from city.device import Device, DeviceType
from ingest.registry import FeedRegistry, RegistryFull
from ingest.rejected import Reason
from thresholds.engine import Engine


class Names(Protocol):
    """Where the feeds' names are kept."""

    def append(self, first: int, keys: Iterable[bytes]) -> None:
        """Keep the keys of the feeds from `first` on; durable on return."""


class Door:
    """Finds the feed of (gateway, device, metric), makes it where the device is known, binds it to the scenes.

    New feeds are kept back until `persist` has written their names: the journal never holds a feed without a name.
    """

    def __init__(
        self,
        registry: FeedRegistry,
        names: Names,
        devices: Mapping[str, Device],
        types: Mapping[str, DeviceType],
    ) -> None:
        self.registry = registry
        self._names = names
        self._devices = devices
        self._types = types
        self._persisted = len(registry)
        self._engine: Engine | None = None

    def bind_to(self, engine: Engine) -> None:
        """Bind every known feed to the scenes of `engine`, and those to come."""
        self._engine = engine
        for feed in range(len(self.registry)):
            engine.bind(feed, *self._feed(feed))

    def resolve(self, gateway: str, device: str, metric: str) -> int | Reason:
        """The feed, or why there is none."""
        known = self.registry.find(gateway, device, metric)
        if known >= 0:
            return known
        found = self._devices.get(device)
        if found is None:
            return Reason.UNKNOWN_DEVICE
        if found.gateway != gateway:
            return Reason.WRONG_GATEWAY
        kind = self._types.get(found.type)
        if kind is not None and metric not in kind.metrics:
            return Reason.UNKNOWN_METRIC
        try:
            feed = self.registry.add(gateway, device, metric)
        except RegistryFull:
            return Reason.REGISTRY_FULL
        if self._engine is not None:
            self._engine.bind(feed, found, metric)
        return feed

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
        unit = kind.metrics[metric].unit if kind is not None and metric in kind.metrics else ""
        return device, metric, unit

    def _feed(self, feed: int) -> tuple[Device, str]:
        gateway, name, metric = self.registry.names(feed)
        # A device that was taken off the list keeps its running alerts: it is known by what its readings said.
        return self._devices.get(name) or Device(name, gateway), metric
