"""`/api/v1/places`: the district's map, page by page, by code, and by point."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
import shapely
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from city.atlas import Atlas
from city.geojson import LAYERS, properties_of
from city.places import GridKind, Place
from console.access import hub_of, may_read
from console.openapi import answers, ref
from console.pages import Cursor, Limit, before_of, cursor_after
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import ONE_NAME
from console.wire import PlaceList, PlaceView

router = APIRouter(tags=["places"], dependencies=[Depends(may_read)])
_LAYERS = "|".join(LAYERS)
_KINDS = "|".join(kind.value for kind in GridKind)

LayerWord = Annotated[str | None, Query(pattern=f"^({_LAYERS})$")]
Code = Annotated[str | None, Query(max_length=64, pattern=ONE_NAME, description="Code of a parent.")]
Lon = Annotated[float | None, Query(ge=-180, le=180, description="Degrees east, WGS-84; with `lat`.")]
Lat = Annotated[float | None, Query(ge=-90, le=90, description="Degrees north, WGS-84; with `lon`.")]
Geometry = Annotated[bool, Query(description="With the ground of each place, GeoJSON.")]


@router.get(
    "/api/v1/places",
    summary="Places, from the coarsest layer to the finest, by code",
    response_class=Response,
    responses=answers({200: ("A page of places.", ref(PlaceList))}, 401, 422),
)
async def list_places(
    request: Request,
    layer: LayerWord = None,
    kind: Annotated[str | None, Query(pattern=f"^({_KINDS})$")] = None,
    parent: Code = None,
    lon: Lon = None,
    lat: Lat = None,
    geometry: Geometry = False,  # noqa: FBT002 - FastAPI gives it by name
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The map of today. With `lon` and `lat` only the places in which that point lies: none outside the district."""
    atlas = hub_of(request).atlas()
    if (lon is None) != (lat is None):
        raise Problem(ProblemCode.INVALID_PARAMETER, "lon and lat: give both or neither")
    places = _everything(atlas, layer) if lon is None or lat is None else _around(atlas, lon, lat)
    wanted = [
        (name, place)
        for name, place in places
        if layer in (None, name)
        and kind in (None, getattr(place, "kind", None))
        and (parent is None or parent in _parents(place))
    ]
    begin = before_of(cursor) or 0
    page = [place_view(name, place, geometry=geometry) for name, place in wanted[begin : begin + limit]]
    following = cursor_after(begin + limit) if begin + limit < len(wanted) else None
    return as_json(PlaceList(items=page, next=following))


@router.get(
    "/api/v1/places/{layer}/{code}",
    summary="One place with its ground",
    response_class=Response,
    responses=answers({200: ("The place.", ref(PlaceView))}, 401, 404, 422),
)
async def one_place(
    request: Request,
    layer: Annotated[str, Path(pattern=f"^({_LAYERS})$")],
    code: Annotated[str, Path(max_length=64, pattern=ONE_NAME)],
) -> Response:
    """The place of a code on today's map."""
    for name, place in _everything(hub_of(request).atlas(), layer):
        if place.code == code:
            return as_json(place_view(name, place, geometry=True))
    raise Problem(ProblemCode.NOT_FOUND, f"there is no place with this code among the {layer}")


def place_view(layer: str, place: Place, *, geometry: bool) -> PlaceView:
    """The place as HTTP says it."""
    ground = msgspec.Raw(shapely.to_geojson(place.polygon).encode()) if geometry else None
    return PlaceView(layer=layer, geometry=ground, **properties_of(place))


def _everything(atlas: Atlas | None, layer: str | None) -> Iterator[tuple[str, Place]]:
    if atlas is not None:
        for name in LAYERS if layer is None else (layer,):
            for place in atlas.of(name):
                yield name, place


def _around(atlas: Atlas | None, lon: float, lat: float) -> Iterator[tuple[str, Place]]:
    spot = None if atlas is None else atlas.locate_one(lon, lat)
    if spot is not None:
        for name, place in zip(LAYERS, reversed(spot), strict=True):
            if place is not None:
                yield name, place


def _parents(place: Place) -> tuple[str, ...]:
    return tuple(getattr(place, name, "") for name in ("town", "disposal_grid", "self_grid"))
