"""What people say about an alert, and the road by which the pipeline fetches it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerts.event import Feedback
from console.access import hub_of, may_read, may_write
from console.openapi import WRITES, answers, body, ref
from console.replies import as_json
from console.requests import Id, decoded
from console.wire import Acknowledgement, Judged, PrecisionList, precision_view
from dispatch.precision import By, tallies

router = APIRouter(tags=["feedback"])
LONGEST_WAIT_S = 60


@router.post(
    "/api/v1/alerts/{alert}/acknowledge",
    summary="Say that somebody has seen an alert",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers(
        {202: ("Written down; the alert changes when the pipeline has fetched it.", ref(Feedback))}, *WRITES
    ),
    openapi_extra=body({"application/json": ref(Acknowledgement)}),
)
async def acknowledge(request: Request, alert: Id) -> Response:
    """Write down who has seen the alert. The pipeline fetches it and answers with an event of its own."""
    said = await decoded(request, Acknowledgement)
    return as_json(await hub_of(request).acknowledge(alert, said.by, said.comment), 202)


@router.post(
    "/api/v1/alerts/{alert}/reset",
    summary="Let an alert clear that is latched",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers(
        {
            202: (
                "Written down; the alert clears when the pipeline has fetched it, if it no longer holds.",
                ref(Feedback),
            )
        },
        *WRITES,
    ),
    openapi_extra=body({"application/json": ref(Acknowledgement)}),
)
async def reset(request: Request, alert: Id) -> Response:
    """Write down who resets the alert. What is latched and no longer holds clears; what holds stays."""
    said = await decoded(request, Acknowledgement)
    return as_json(await hub_of(request).reset(alert, said.by, said.comment), 202)


@router.post(
    "/api/v1/alerts/{alert}/verdict",
    summary="Say what an alert turned out to be",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers({202: ("Written down; the last word counts.", ref(Feedback))}, 400, 401, 404, 413, 422, 503),
    openapi_extra=body({"application/json": ref(Judged)}),
)
async def judge(request: Request, alert: Id) -> Response:
    """Write down what the alert turned out to be: true, false, duplicate, not_ours or maintenance.

    An open or a cleared alert, whether it has a case or not. The alert and its case stay as they are; the case's audit
    gets a line, and the pipeline fetches it as a label for its scenes.
    """
    said = await decoded(request, Judged)
    return as_json(await hub_of(request).judge(alert, said.verdict, said.by, said.comment), 202)


@router.get(
    "/api/v1/precision",
    summary="How often scenes are right",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("Rows, the least precise first.", ref(PrecisionList))}, 401, 422, 503),
)
async def precision(
    request: Request,
    by: Annotated[By, Query(description="A row for each scene, or for each severity or device within it.")] = "scene",
    scene: Annotated[str | None, Query(max_length=64, description="Only this scene.")] = None,
) -> Response:
    """What judged alerts turned out to be, the least precise first."""
    found = await hub_of(request).read(lambda store: store.judged(scene))
    return as_json(PrecisionList(items=[precision_view(tally) for tally in tallies(found, by)]))


@router.get(
    "/api/v1/feedback",
    summary="What people said, for the pipeline",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers(
        {200: ("What is new, in order; empty if nothing came.", {"type": "array", "items": ref(Feedback)})},
        401,
        422,
        503,
    ),
)
async def feedback(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="The last `seq` that is known.")] = 0,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for news.")] = 0,
) -> Response:
    """Feedback whose `seq` is above `after`, in order; with `wait` as soon as there is some."""
    return as_json(await hub_of(request).feedback(after, wait))
