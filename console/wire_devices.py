"""What the hub says of devices, as types: the one source of the JSON and of its schema."""

import msgspec

from city.device import Device, DeviceType
from city.life import State
from core.clock import rfc3339
from ingest.unknown import Sighting


class SightingView(msgspec.Struct, frozen=True, kw_only=True):
    """An unknown device as it was heard behind a gateway; times are RFC 3339, values the last of each metric."""

    gateway: str
    first_seen: str
    last_seen: str
    count: int
    metrics: dict[str, float]


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A device; what is not known is empty or null. `seen` is there where its state is `unknown`."""

    id: str
    gateway: str
    type: str
    title_en: str
    title_zh: str
    state: State
    place: str
    town: str
    kind: str
    lon: float | None
    lat: float | None
    self_grid: str
    disposal_grid: str
    area_class: str
    owner: str
    gb28181: str
    installed: str | None
    calibrated: str | None
    calibration_due: str | None
    design: dict[str, float]
    tags: dict[str, str]
    seen: SightingView | None


class MetricView(msgspec.Struct, frozen=True, kw_only=True):
    """What a device measures, by the catalogue; `unit` is a UCUM code."""

    feed: str
    metric: str
    unit: str
    kind: str
    title_en: str
    title_zh: str
    range: tuple[float, float] | None
    normal: tuple[float, float] | None


class DeviceDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A device with its feeds, and, where it is not on the list, every gateway behind which it was heard."""

    device: DeviceView
    feeds: list[MetricView]
    seen: list[SightingView]


class DeviceList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of devices by id; `next` is the cursor of the following page.

    `version` is that of the list that is shown, `findings` what is wrong in the file now.
    """

    items: list[DeviceView]
    next: str | None
    version: str
    findings: list[str]


def device_view(device: Device, kind: DeviceType | None, seen: Sighting | None = None) -> DeviceView:
    """A device as it is told."""
    return DeviceView(
        id=device.id,
        gateway=device.gateway,
        type=device.type,
        title_en=kind.title_en if kind else "",
        title_zh=kind.title_zh if kind else "",
        state=State.UNKNOWN if seen else State(device.state),
        place=device.place,
        town=device.town,
        kind=device.kind,
        lon=device.lon,
        lat=device.lat,
        self_grid=device.self_grid,
        disposal_grid=device.disposal_grid,
        area_class=device.area_class,
        owner=device.owner,
        gb28181=device.gb28181,
        installed=device.installed.isoformat() if device.installed else None,
        calibrated=device.calibrated.isoformat() if device.calibrated else None,
        calibration_due=device.calibration_due.isoformat() if device.calibration_due else None,
        design=dict(device.design),
        tags=dict(device.tags),
        seen=sighting_view(seen) if seen else None,
    )


def unknown_view(seen: Sighting) -> DeviceView:
    """A device that nobody knows."""
    return device_view(Device(seen.device, seen.gateway), None, seen)


def sighting_view(seen: Sighting) -> SightingView:
    """How an unknown device was heard."""
    return SightingView(
        gateway=seen.gateway,
        first_seen=rfc3339(seen.first_ms),
        last_seen=rfc3339(seen.last_ms),
        count=seen.count,
        metrics=seen.metrics,
    )


def metric_views(device: Device, kind: DeviceType | None) -> list[MetricView]:
    """What a device measures."""
    return [
        MetricView(
            feed=f"{device.id}/{metric.name}",
            metric=metric.name,
            unit=metric.unit,
            kind=metric.kind,
            title_en=metric.title_en,
            title_zh=metric.title_zh,
            range=metric.range,
            normal=metric.normal,
        )
        for metric in (kind.metrics.values() if kind else ())
    ]
