"""Events as a pipeline sends them, for tests: an alert's life is a list of them."""

import msgspec

from alerts.event import AlertData, AlertEvent, EventType, Measured

_STATE = {
    EventType.RAISED: "active",
    EventType.CHANGED: "active",
    EventType.ACKNOWLEDGED: "acknowledged",
    EventType.STALE: "stale",
    EventType.REFRESHED: "active",
    EventType.CLEARED: "cleared",
}


def event(
    alert: str = "alert-1",
    revision: int = 1,
    kind: EventType = EventType.RAISED,
    *,
    place: str = "M0001",
    scene: str = "flood-road",
    severity: str = "minor",
    worst: str | None = None,
    leaf: str | None = "water.flood.road",
    auto: bool = True,
    by: str | None = None,
    comment: str | None = None,
) -> AlertEvent:
    """One event with everything that a pipeline would fill in."""
    cleared = "2026-11-24T10:30:00.000Z" if kind is EventType.CLEARED else None
    data = AlertData(
        alert=alert,
        revision=revision,
        scene=scene,
        title_en="Water on the road",
        title_zh="道路积水",
        place=place,
        town="Town-3",
        severity=severity,
        worst_severity=worst or severity,
        state=_STATE[kind],
        count=revision,
        raised_at="2026-11-24T18:00:00.000+08:00",
        cleared_at=cleared,
        leaf=leaf,
        auto=auto,
        measured=Measured(device="lvl-7", metric="depth_cm", value=31.5, unit="cm", limit="above 25"),
        feeds=["lvl-7/depth_cm"],
        acknowledged_by=by,
        comment=comment,
        rules="v1",
    )
    return AlertEvent(
        id=f"{alert}.{revision}",
        source="/scenewatch/pipeline",
        type=kind,
        subject=alert,
        time="2026-11-24T10:00:00.000Z",
        partitionkey=place,
        sequence=f"{revision:012d}",
        traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        data=data,
    )


def with_data(of: AlertEvent, **changes: object) -> AlertEvent:
    """The event with some fields of its data changed."""
    return msgspec.structs.replace(of, data=msgspec.structs.replace(of.data, **changes))


def life(alert: str, place: str = "M0001", *, auto: bool = True) -> list[AlertEvent]:
    """An alert that is raised, gets worse, is seen, and clears."""
    return [
        event(alert, 1, place=place, auto=auto),
        event(alert, 2, EventType.CHANGED, place=place, severity="major", auto=auto),
        event(
            alert,
            3,
            EventType.ACKNOWLEDGED,
            place=place,
            severity="major",
            by="Li",
            comment="sent a crew",
            auto=auto,
        ),
        event(alert, 4, EventType.CLEARED, place=place, severity="minor", worst="major", auto=auto),
    ]
