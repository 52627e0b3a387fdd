"""`/api/v1/backtests`: what a scene would have raised, asked over HTTP."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from console.access import hub_of, may_read, may_write
from console.backtests import (
    BacktestRequest,
    Backtests,
    BacktestView,
    DiffRequest,
    ExplainRequest,
    PreviewRequest,
    SuggestRequest,
)
from console.openapi import answers, body, ref
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import decoded

router = APIRouter(tags=["backtests"])
_Answer = TypeVar("_Answer")
_Question = TypeVar("_Question", BacktestRequest, PreviewRequest, DiffRequest, ExplainRequest, SuggestRequest)
BacktestId = Annotated[str, Path(max_length=64, pattern="^[a-z0-9-]+$")]
_BEGUN = ("It runs; `Location` says where.", ref(BacktestView))
_REFUSED = (400, 401, 413, 422, 503)
_UNKNOWN = "there is no backtest with this id; those that are done are kept for a while only"


@router.post(
    "/api/v1/backtests",
    summary="Ask what a scene would have raised",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers({202: _BEGUN}, *_REFUSED),
    openapi_extra=body({"application/json": ref(BacktestRequest)}),
)
async def start(request: Request) -> Response:
    """Begin a backtest; few run at once, and more than that are refused with `busy`."""
    return await _begin(request, BacktestRequest)


@router.post(
    "/api/v1/backtests/preview",
    summary="Ask what publishing a version now would do",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers({202: _BEGUN}, *_REFUSED),
    openapi_extra=body({"application/json": ref(PreviewRequest)}),
)
async def preview(request: Request) -> Response:
    """Which running delays it takes over, what would fire at once or with the next reading, which alerts would end."""
    return await _begin(request, PreviewRequest)


@router.post(
    "/api/v1/backtests/diff",
    summary="Ask what two versions do differently",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers({202: _BEGUN}, *_REFUSED),
    openapi_extra=body({"application/json": ref(DiffRequest)}),
)
async def diff(request: Request) -> Response:
    """Alerts and cases added, lost, earlier, later, and true ones missed, of the second version against the first."""
    return await _begin(request, DiffRequest)


@router.post(
    "/api/v1/backtests/explain",
    summary="Ask why, or why not",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers({202: _BEGUN}, *_REFUSED),
    openapi_extra=body({"application/json": ref(ExplainRequest)}),
)
async def explain(request: Request) -> Response:
    """One feed at one moment: its value, the limit in force and where it comes from, the delay, what keeps it back.

    Beside them the smallest change of each number that would have raised it, verified by a run.
    """
    return await _begin(request, ExplainRequest)


@router.post(
    "/api/v1/backtests/suggest",
    summary="Ask which values are worth trying",
    response_class=Response,
    status_code=202,
    dependencies=[Depends(may_write)],
    responses=answers({202: _BEGUN}, *_REFUSED),
    openapi_extra=body({"application/json": ref(SuggestRequest)}),
)
async def suggest(request: Request) -> Response:
    """Values of each number of each level, each with what it would have raised. Nothing is changed by it."""
    return await _begin(request, SuggestRequest)


@router.get(
    "/api/v1/backtests/{backtest}",
    summary="How far it is, or what came of it",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("Its progress, and its result once it is done.", ref(BacktestView))}, 401, 404, 422, 503),
)
async def view(request: Request, backtest: BacktestId) -> Response:
    """Its state and progress; `result` once it is done."""
    found = await _ask(request, lambda backtests, _: backtests.view(backtest))
    if found is None:
        raise Problem(ProblemCode.NOT_FOUND, _UNKNOWN)
    return as_json(found)


@router.delete(
    "/api/v1/backtests/{backtest}",
    summary="End it",
    response_class=Response,
    status_code=204,
    dependencies=[Depends(may_write)],
    responses=answers({204: ("It is ended and forgotten.", None)}, 401, 404, 422, 503),
)
async def cancel(request: Request, backtest: BacktestId) -> Response:
    """End a backtest, or forget one that is done; nothing of it stays behind."""
    if not await _ask(request, lambda backtests, _: backtests.cancel(backtest)):
        raise Problem(ProblemCode.NOT_FOUND, _UNKNOWN)
    return Response(status_code=204)


async def _begin(request: Request, kind: type[_Question]) -> Response:
    asked = await decoded(request, kind)
    begun = await _ask(request, lambda backtests, now_ms: backtests.start(asked, now_ms))
    return as_json(begun, 202, {"Location": f"/api/v1/backtests/{begun.id}"})


async def _ask(request: Request, what: Callable[[Backtests, int], _Answer]) -> _Answer:
    return await hub_of(request).with_backtests(what)
