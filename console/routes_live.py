"""The event stream, the figures, and whether the hub is well."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response

from console import metrics
from console.access import hub_of, may_read
from console.openapi import answers, ref
from console.replies import JSON
from console.stream import StreamResponse
from console.wire import Health

router = APIRouter(tags=["live"])
_READY_WITHIN_S = 2.0
_ok = msgspec.json.encode(Health())


@router.get(
    "/api/v1/stream",
    summary="Alerts and cases as they happen",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("Server-sent events.", None)}, 401, 422, 503),
    openapi_extra={
        "responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    },
)
async def stream(
    request: Request,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**63 - 1)] = None,
) -> Response:
    """Server-sent events, right after the commit: `alert` (StreamedAlert) and `case` (StreamedCase).

    Beside them, what is kept back and who keeps it back: `kept` (EntryView), `over` (CoverView), `maintenance`
    (MaintenanceView) and `profile` (SwitchView).

    The first message is `ready`, from where on nothing is missed: load the lists after it. A client that
    comes back with `Last-Event-ID` is given what it missed; if that is too much, or of another database, the
    first message is `reset`, and the lists must be loaded again. A comment comes every 15 s. A client that
    does not keep up is cut off.
    """
    hub = hub_of(request)
    return StreamResponse(
        hub.broadcast,
        after=last_event_id,
        position=lambda: hub.read(lambda store: store.position()),
        missed=lambda after, limit: hub.read(lambda store: store.moved(after, limit)),
        heartbeat_s=hub.settings.heartbeat_s,
    )


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("The exposition format.", None)}, 401, 503),
    openapi_extra={"responses": {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}},
)
async def figures(request: Request) -> Response:
    """All figures in Prometheus' text format."""
    hub = hub_of(request)
    counts = await hub.read(lambda store: store.counts())
    covered = await hub.covered()
    return Response(hub.metrics.text(counts, covered), headers={"Content-Type": metrics.CONTENT_TYPE})


@router.get(
    "/healthz",
    summary="Whether the process is up",
    response_class=Response,
    responses=answers({200: ("It is.", ref(Health))}),
)
async def healthz() -> Response:
    """Answers as long as the event loop runs."""
    return Response(_ok, media_type=JSON)


@router.get(
    "/readyz",
    summary="Whether events can be taken",
    response_class=Response,
    responses=answers({200: ("The database takes writes.", ref(Health))}, 503),
)
async def readyz(request: Request) -> Response:
    """Commits a write that changes nothing; 503 if the database does not take it within 2 s."""
    await hub_of(request).check_writable(_READY_WITHIN_S)
    return Response(_ok, media_type=JSON)
