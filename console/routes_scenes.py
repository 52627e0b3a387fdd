"""`/api/v1/scenes`: the register of scenes over HTTP."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from console.access import hub_of, may_read, may_write
from console.openapi import WRITES, answers, body, ref
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import decoded
from console.wire_scenes import Changes, Judgement, Move, Proposal, Rollback, SceneList, VersionView, version_view
from thresholds.register import Refusal, RefusedError, SceneRegister, Version

router = APIRouter(tags=["scenes"])
_Answer = TypeVar("_Answer")
SceneId = Annotated[str, Path(max_length=64, pattern="^[a-z0-9-]+$")]
_CODES = {
    Refusal.UNKNOWN: ProblemCode.NOT_FOUND,
    Refusal.SAME_PERSON: ProblemCode.SCENE_CONFLICT,
    Refusal.NOT_PROPOSED: ProblemCode.SCENE_CONFLICT,
    Refusal.OVERTAKEN: ProblemCode.SCENE_CONFLICT,
}


@router.get(
    "/api/v1/scenes",
    summary="What is in force",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("Every scene's version in force, by id.", ref(SceneList))}, 401, 404, 422, 503),
)
async def in_force(request: Request) -> Response:
    """Every scene's version in force, by id."""
    return _list(await _ask(request, lambda register, _: register.all_in_force()))


@router.get(
    "/api/v1/scenes/waiting",
    summary="What waits for a second person",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("Proposed versions, the oldest first.", ref(SceneList))}, 401, 404, 422, 503),
)
async def waiting(request: Request) -> Response:
    """Proposed versions, the oldest first."""
    return _list(await _ask(request, lambda register, _: register.waiting()))


@router.get(
    "/api/v1/scenes/{scene}",
    summary="Every version of a scene",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("Versions, the newest first.", ref(SceneList))}, 401, 404, 422, 503),
)
async def history(request: Request, scene: SceneId) -> Response:
    """Every version of a scene, the newest first: who, when, why, and who agreed."""
    found = await _ask(request, lambda register, _: register.history(scene))
    if not found:
        raise Problem(ProblemCode.NOT_FOUND, f"the register has no scene {scene}")
    return _list(found)


@router.get(
    "/api/v1/scenes/{scene}/changes",
    summary="What changed from one version to another",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("A unified diff.", ref(Changes))}, 401, 404, 422, 503),
)
async def changes(
    request: Request, scene: SceneId, older: Annotated[int, Query(ge=1)], newer: Annotated[int, Query(ge=1)]
) -> Response:
    """What changed in the text, as a unified diff."""
    diff = await _ask(request, lambda register, _: register.diff(scene, older, newer))
    return as_json(Changes(diff=diff))


@router.post(
    "/api/v1/scenes",
    summary="Propose a version",
    response_class=Response,
    status_code=201,
    dependencies=[Depends(may_write)],
    responses=answers({201: ("In force, or waiting for a second person.", ref(VersionView))}, *WRITES),
    openapi_extra=body({"application/json": ref(Proposal)}),
)
async def propose(request: Request) -> Response:
    """A new version of the scene in `text`; refused with every finding, a line each, if it has mistakes."""
    said = await decoded(request, Proposal)
    return await _do(request, lambda register, now: register.propose(said.text, said.by, said.reason, now))


@router.post(
    "/api/v1/scenes/{scene}/move",
    summary="Another stage",
    response_class=Response,
    status_code=201,
    dependencies=[Depends(may_write)],
    responses=answers({201: ("In force, or waiting for a second person.", ref(VersionView))}, *WRITES),
    openapi_extra=body({"application/json": ref(Move)}),
)
async def move(request: Request, scene: SceneId) -> Response:
    """The same content at another stage."""
    said = await decoded(request, Move)
    return await _do(request, lambda register, now: register.move(scene, said.stage, said.by, said.reason, now))


@router.post(
    "/api/v1/scenes/{scene}/approve",
    summary="A second person agrees",
    response_class=Response,
    status_code=201,
    dependencies=[Depends(may_write)],
    responses=answers({201: ("In force now.", ref(VersionView))}, *WRITES),
    openapi_extra=body({"application/json": ref(Judgement)}),
)
async def approve(request: Request, scene: SceneId) -> Response:
    """Put a version in force that somebody else wrote."""
    said = await decoded(request, Judgement)
    return await _do(request, lambda register, now: register.approve(scene, said.number, said.by, said.reason, now))


@router.post(
    "/api/v1/scenes/{scene}/reject",
    summary="Somebody says no",
    response_class=Response,
    status_code=201,
    dependencies=[Depends(may_write)],
    responses=answers({201: ("Rejected.", ref(VersionView))}, *WRITES),
    openapi_extra=body({"application/json": ref(Judgement)}),
)
async def reject(request: Request, scene: SceneId) -> Response:
    """Say no to a version that waits."""
    said = await decoded(request, Judgement)
    return await _do(request, lambda register, now: register.reject(scene, said.number, said.by, said.reason, now))


@router.post(
    "/api/v1/scenes/{scene}/rollback",
    summary="Back to an earlier version",
    response_class=Response,
    status_code=201,
    dependencies=[Depends(may_write)],
    responses=answers({201: ("In force now.", ref(VersionView))}, *WRITES),
    openapi_extra=body({"application/json": ref(Rollback)}),
)
async def roll_back(request: Request, scene: SceneId) -> Response:
    """What an earlier version said is in force again, at once."""
    said = await decoded(request, Rollback)
    return await _do(request, lambda register, now: register.roll_back(scene, said.by, said.reason, now, to=said.to))


async def _ask(request: Request, what: Callable[[SceneRegister, int], _Answer]) -> _Answer:
    try:
        return await hub_of(request).with_scenes(what)
    except RefusedError as error:
        raise Problem(_CODES.get(error.why, ProblemCode.SCENE_REFUSED), str(error)) from error


async def _do(request: Request, what: Callable[[SceneRegister, int], Version]) -> Response:
    done = await _ask(request, what)
    return as_json(version_view(done), 201)


def _list(versions: list[Version]) -> Response:
    items = [version_view(version) for version in versions]
    return as_json(SceneList(items=items))
