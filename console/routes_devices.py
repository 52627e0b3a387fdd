"""`/api/v1/devices`: who may publish, and who does without being known."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from city.device import Device
from city.life import State
from console.access import hub_of, may_read
from console.devices import DeviceDirectory, Listed
from console.openapi import answers, ref
from console.pages import Cursor, Limit, cursor_behind, name_of, page_of
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import Id, Name
from console.wire_devices import DeviceDetail, DeviceList, device_view, metric_views, sighting_view, unknown_view
from ingest.unknown import Sighting

router = APIRouter(tags=["devices"], dependencies=[Depends(may_read)])
_STATES = "|".join(State)
_BETWEEN = "\0"


@router.get(
    "/api/v1/devices",
    summary="Devices by id",
    response_class=Response,
    responses=answers({200: ("A page of devices.", ref(DeviceList))}, 401, 422, 503),
)
async def list_devices(
    request: Request,
    state: Annotated[str | None, Query(pattern=f"^({_STATES})$")] = None,
    type: Name = None,  # noqa: A002 - the name of the parameter
    town: Name = None,
    gateway: Name = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Devices on the list by id; with `state=unknown` those that publish and are not on it, by gateway and id."""
    behind = name_of(cursor)

    def known(directory: DeviceDirectory) -> DeviceList:
        listed = directory.listed()
        wanted = {"state": state, "type": type, "town": town, "gateway": gateway}
        found = _matching(listed, behind, {name: value for name, value in wanted.items() if value is not None})
        page, following = page_of(found, limit, lambda device: cursor_behind(device.id))
        items = [device_view(device, listed.types.get(device.type)) for device in page]
        return DeviceList(items=items, next=following, version=listed.version, findings=listed.findings)

    def unknown(directory: DeviceDirectory) -> DeviceList:
        listed = directory.listed()
        # What nobody knows has neither type nor town.
        seen = [] if type or town else [one for one in directory.unknown() if gateway in {None, one.gateway}]
        heard = (one for one in seen if behind is None or _key(one) > behind)
        page, following = page_of(heard, limit, lambda one: cursor_behind(_key(one)))
        items = [unknown_view(one) for one in page]
        return DeviceList(items=items, next=following, version=listed.version, findings=listed.findings)

    return as_json(await hub_of(request).devices(unknown if state == State.UNKNOWN else known))


@router.get(
    "/api/v1/devices/{device}",
    summary="One device with its feeds",
    response_class=Response,
    responses=answers({200: ("The device.", ref(DeviceDetail))}, 401, 404, 422, 503),
)
async def one_device(request: Request, device: Id) -> Response:
    """The device of an id: on the list, or unknown and heard."""

    def look(directory: DeviceDirectory) -> DeviceDetail:
        listed = directory.listed()
        found = listed.devices.get(device)
        if found is not None:
            kind = listed.types.get(found.type)
            return DeviceDetail(device=device_view(found, kind), feeds=metric_views(found, kind), seen=[])
        seen = [one for one in directory.unknown() if one.device == device]
        if not seen:
            raise Problem(ProblemCode.NOT_FOUND, "there is no device with this id, and none was heard")
        latest = max(seen, key=lambda one: one.last_ms)
        return DeviceDetail(device=unknown_view(latest), feeds=[], seen=[sighting_view(one) for one in seen])

    return as_json(await hub_of(request).devices(look))


def _matching(listed: Listed, behind: str | None, wanted: dict[str, str]) -> Iterable[Device]:
    devices = (listed.devices[name] for name in listed.after(behind))
    return (device for device in devices if all(getattr(device, name) == value for name, value in wanted.items()))


def _key(seen: Sighting) -> str:
    return seen.gateway + _BETWEEN + seen.device
