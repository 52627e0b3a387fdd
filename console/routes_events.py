"""`POST /api/v1/events`: the pipeline's alerts come in."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from alerts.event import BATCH_CONTENT_TYPE, CONTENT_TYPE, AlertData, AlertEvent, LedgerEvent, Receipt
from console import cloudevents
from console.access import hub_of, may_write
from console.openapi import answers, body, ref
from console.problems import Problem, ProblemCode
from console.replies import JSON, as_json
from console.requests import body_of
from dispatch.intake import Decision, Outcome, Refusal

router = APIRouter(tags=["events"], dependencies=[Depends(may_write)])


@router.post(
    "/api/v1/events",
    summary="Take one event or a batch",
    response_class=Response,
    status_code=200,
    responses=answers(
        {
            200: ("Taken: known already, or no case follows from it; for a batch always.", None),
            201: ("Taken, and a case was opened.", ref(Receipt)),
        },
        400,
        401,
        413,
        415,
        422,
        503,
    ),
    openapi_extra=body(
        {
            CONTENT_TYPE: {"anyOf": [ref(AlertEvent), ref(LedgerEvent)]},
            BATCH_CONTENT_TYPE: {
                "type": "array",
                "items": {"anyOf": [ref(AlertEvent), ref(LedgerEvent)]},
                "maxItems": cloudevents.MAX_BATCH,
            },
            JSON: ref(AlertData),
        },
        {200: {JSON: {"anyOf": [ref(Receipt), {"type": "array", "items": ref(Receipt)}]}}},
    ),
)
async def take_events(request: Request) -> Response:
    """Take CloudEvents: one (structured, or binary with `ce-` headers), or a batch in one transaction.

    Idempotent by the event's `id`: a repeat is answered with `duplicate` and the same `task_number`. What is
    answered is committed. An event of a type that this hub does not know is answered with `error` and status
    200: it can never be taken and must not be sent again; in a batch the same goes for any event that cannot
    be read.
    """
    payload = await body_of(request)
    events = cloudevents.read(request.headers, payload)
    outcomes = (await hub_of(request).take(events)).outcomes
    if cloudevents.is_batch(request.headers["content-type"]):
        return as_json([_receipt(outcome) for outcome in outcomes])
    outcome = outcomes[0]
    if outcome.refused is not None and outcome.refused.reason is not Refusal.UNKNOWN_TYPE:
        raise Problem(ProblemCode.INVALID_EVENT, outcome.refused.detail)
    status = 201 if outcome.decision is Decision.OPENED else 200
    return as_json(_receipt(outcome), status)


def _receipt(outcome: Outcome) -> Receipt:
    return Receipt(
        id=outcome.id,
        task_number=outcome.task_number,
        duplicate=outcome.decision is Decision.DUPLICATE,
        error=None if outcome.refused is None else outcome.refused.detail,
    )
