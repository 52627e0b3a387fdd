"""What people say about an alert, and the road by which the pipeline fetches it."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from alerts.event import Feedback
from console.access import hub_of, may_read, may_write
from console.openapi import answers, body, ref
from console.problems import Problem, ProblemCode
from console.requests import body_of
from console.wire import Acknowledgement

router = APIRouter(tags=["feedback"])
_encode = msgspec.json.Encoder().encode
_acknowledgement = msgspec.json.Decoder(Acknowledgement)
LONGEST_WAIT_S = 60


@router.post(
    "/api/v1/alerts/{alert}/acknowledge",
    summary="Say that somebody has seen an alert",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers(
        {202: ("Written down; the alert changes when the pipeline has fetched it.", ref(Feedback))},
        400,
        401,
        404,
        409,
        413,
        422,
        503,
    ),
    openapi_extra=body({"application/json": ref(Acknowledgement)}),
)
async def acknowledge(
    request: Request, alert: Annotated[str, Path(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
) -> Response:
    """Write down who has seen the alert. The pipeline fetches it and answers with an event of its own."""
    said = await _said(request)
    written = await hub_of(request).acknowledge(alert, said.by, said.comment)
    return Response(_encode(written), status_code=202, media_type="application/json")


@router.post(
    "/api/v1/alerts/{alert}/reset",
    summary="Let an alert clear that is latched",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers(
        {202: ("Written down; the alert clears when the pipeline has fetched it, if it no longer holds.", ref(Feedback))},
        400,
        401,
        404,
        409,
        413,
        422,
        503,
    ),
    openapi_extra=body({"application/json": ref(Acknowledgement)}),
)
async def reset(
    request: Request, alert: Annotated[str, Path(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
) -> Response:
    """Write down who resets the alert. What is latched and no longer holds clears; what holds stays."""
    said = await _said(request)
    written = await hub_of(request).reset(alert, said.by, said.comment)
    return Response(_encode(written), status_code=202, media_type="application/json")


async def _said(request: Request) -> Acknowledgement:
    payload = await body_of(request, hub_of(request).settings.max_body_bytes)
    try:
        return _acknowledgement.decode(payload)
    except msgspec.ValidationError as error:
        raise Problem(ProblemCode.INVALID_PARAMETER, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(ProblemCode.INVALID_JSON, f"the body is not JSON in UTF-8: {error}") from error


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
    found = await hub_of(request).feedback(after, wait)
    return Response(_encode(found), media_type="application/json")
