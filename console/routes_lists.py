"""`/api/v1/cases` and `/api/v1/alerts`: what there is, page by page, and one of them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from console.access import hub_of, may_read
from console.openapi import answers, ref
from console.pages import Cursor, Limit, before_of, cursor_after, page_of
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import Id, Name, since_of
from console.wire import (
    AlertList,
    AlertView,
    CaseDetail,
    CaseList,
    CountsView,
    alert_view,
    audit_view,
    case_view,
)
from core.severity import Severity
from dispatch.queries import Wanted
from dispatch.workflow import CaseState

router = APIRouter(tags=["cases and alerts"], dependencies=[Depends(may_read)])
_SEVERITIES = "|".join(s.word for s in Severity)
_CASE_STATES = "|".join(s.value for s in CaseState)

SeverityWord = Annotated[str | None, Query(pattern=f"^({_SEVERITIES})$")]
Since = Annotated[str | None, Query(max_length=40, description="RFC 3339 time, inclusive.")]


@router.get(
    "/api/v1/cases",
    summary="Cases, newest first",
    response_class=Response,
    responses=answers({200: ("A page of cases.", ref(CaseList))}, 401, 422, 503),
)
async def list_cases(
    request: Request,
    state: Annotated[str | None, Query(pattern=f"^({_CASE_STATES})$")] = None,
    severity: SeverityWord = None,
    scene: Name = None,
    place: Name = None,
    since: Since = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Cases, newest first; `since` looks at when they were opened."""
    wanted = Wanted(state, severity, scene, place, since_of(since))
    before = before_of(cursor)
    found = await hub_of(request).read(lambda store: store.cases(wanted, before=before, limit=limit + 1))
    page, following = page_of(found, limit, lambda case: cursor_after(case.id))
    return as_json(CaseList(items=[case_view(case) for case in page], next=following))


@router.get(
    "/api/v1/cases/{task_number}",
    summary="One case with its audit and its alert",
    response_class=Response,
    responses=answers({200: ("The case.", ref(CaseDetail))}, 401, 404, 422, 503),
)
async def one_case(request: Request, task_number: Id) -> Response:
    """The case of a task number: everything that happened to it, oldest first, and its alert as it is now."""
    hub = hub_of(request)
    found = await hub.read(lambda store: store.case(task_number))
    if found is None:
        raise Problem(ProblemCode.NOT_FOUND, "there is no case with this task number")
    case, lines = found
    alert = await hub.read(lambda store: store.alert(case.alert))
    return as_json(
        CaseDetail(
            case=case_view(case),
            audit=[audit_view(line) for line in lines],
            alert=None if alert is None else alert_view(alert),
        )
    )


@router.get(
    "/api/v1/alerts",
    summary="Alerts, newest first",
    response_class=Response,
    responses=answers({200: ("A page of alerts.", ref(AlertList))}, 401, 422, 503),
)
async def list_alerts(
    request: Request,
    state: Annotated[str | None, Query(pattern="^(active|acknowledged|stale|cleared)$")] = None,
    severity: SeverityWord = None,
    scene: Name = None,
    place: Name = None,
    since: Since = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Alerts in the order in which they came in, newest first; `since` looks at when they were raised."""
    wanted = Wanted(state, severity, scene, place, since_of(since))
    before = before_of(cursor)
    found = await hub_of(request).read(lambda store: store.alerts(wanted, before=before, limit=limit + 1))
    page, following = page_of(found, limit, lambda alert: cursor_after(alert.seq))
    return as_json(AlertList(items=[alert_view(alert) for alert in page], next=following))


@router.get(
    "/api/v1/counts",
    summary="How much there is now",
    response_class=Response,
    responses=answers({200: ("Alerts by severity, cases by state.", ref(CountsView))}, 401, 422, 503),
)
async def counts(request: Request) -> Response:
    """Alerts that are not cleared by severity, and all cases by state; what there is none of is 0."""
    found = await hub_of(request).read(lambda store: store.counts())
    return as_json(CountsView(alerts=found.alerts, cases=found.cases))


@router.get(
    "/api/v1/alerts/{alert}",
    summary="One alert",
    response_class=Response,
    responses=answers({200: ("The alert.", ref(AlertView))}, 401, 404, 422, 503),
)
async def one_alert(request: Request, alert: Id) -> Response:
    """The alert of an id in its newest revision."""
    found = await hub_of(request).read(lambda store: store.alert(alert))
    if found is None:
        raise Problem(ProblemCode.NOT_FOUND, "there is no alert with this id")
    return as_json(alert_view(found))
