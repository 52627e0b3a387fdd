"""What is kept back, and who keeps it back: the ledger, maintenance (and shelving), emergency profiles."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from console.access import hub_of, may_read, may_write
from console.openapi import WRITES, answers, body, ref
from console.pages import Cursor, Limit, before_of, cursor_after, page_of
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import ONE_NAME, Name, decoded, since_of
from console.wire_ledger import (
    CoverList,
    EntryList,
    MaintenanceDetail,
    MaintenanceList,
    MaintenanceRequest,
    MaintenanceView,
    ProfileList,
    ProfileView,
    SaidWhy,
    SwitchList,
    SwitchRequest,
    SwitchView,
    cover_view,
    entry_view,
    maintenance_view,
    switch_view,
)
from core.clock import parse_rfc3339
from core.units import parse_duration
from dispatch.ledger import WantedEntries
from dispatch.store import Store
from thresholds.where import Where

router = APIRouter(tags=["what is kept back"])
Reason = Annotated[str | None, Query(pattern="^(unconfirmed|inhibited|maintenance)$")]
MaintenanceId = Annotated[str, Path(max_length=40, pattern=ONE_NAME)]
Profile = Annotated[str, Path(max_length=64, pattern=ONE_NAME)]
_BEHIND = 500
LONGEST_MS = 92 * 86_400_000
"""A maintenance without an end is a scene switched off and forgotten."""


@router.get(
    "/api/v1/ledger",
    summary="What is, or was, kept back, newest first",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("A page of the ledger.", ref(EntryList))}, 401, 422, 503),
)
async def ledger(
    request: Request,
    scene: Name = None,
    place: Name = None,
    device: Name = None,
    reason: Reason = None,
    by: Annotated[str | None, Query(max_length=200, description="A scene, or a maintenance.")] = None,
    outcome: Annotated[str | None, Query(pattern="^(kept|cleared|released|not watched)$")] = None,
    since: Annotated[str | None, Query(max_length=40, description="RFC 3339 time, of the raise, inclusive.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Raises that are kept back (`outcome=kept`) or were, with why and what became of them, newest first."""
    wanted = WantedEntries(scene, place, device, reason, by, outcome, since_of(since))
    before = before_of(cursor)
    found = await hub_of(request).read(lambda store: store.ledger(wanted, before=before, limit=limit + 1))
    page, following = page_of(found, limit, lambda row: cursor_after(row[0]))
    return as_json(EntryList(items=[entry_view(data) for _, data in page], next=following))


@router.get(
    "/api/v1/ledger/over",
    summary="What is over, and what happened behind it",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("A page of what is over.", ref(CoverList))}, 401, 422, 503),
)
async def over(
    request: Request,
    reason: Annotated[str | None, Query(pattern="^(inhibited|maintenance)$")] = None,
    by: Annotated[str | None, Query(max_length=200, description="A scene, or a maintenance.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Maintenance and inhibitions that have ended: how much was raised behind each, and how much still held then.

    One behind which nothing was raised is not told. In the distributed runtime a maintenance is told once by each part
    of the district that had something behind it: they add up.
    """
    before = before_of(cursor)
    found = await hub_of(request).read(lambda store: store.covers(reason=reason, by=by, before=before, limit=limit + 1))
    page, following = page_of(found, limit, lambda row: cursor_after(row[0]))
    return as_json(CoverList(items=[cover_view(data) for _, data in page], next=following))


@router.get(
    "/api/v1/maintenance",
    summary="Maintenance and shelving, newest first",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("A page of it.", ref(MaintenanceList))}, 401, 422, 503),
)
async def maintenances(
    request: Request,
    which: Annotated[str, Query(pattern="^(current|all)$", description="`all`: what has ended as well.")] = "current",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """What runs and what is planned, newest first; with `all` what has ended as well."""
    hub = hub_of(request)
    now_ms, before = hub.now_ms(), before_of(cursor)
    after = now_ms if which == "current" else None
    found = await hub.read(lambda store: store.maintenances(ends_after=after, before=before, limit=limit + 1))
    page, following = page_of(found, limit, lambda one: cursor_after(int(one.id.rpartition("-")[2])))
    return as_json(MaintenanceList(items=[maintenance_view(one, now_ms) for one in page], next=following))


@router.post(
    "/api/v1/maintenance",
    summary="Say that somebody works, or shelve scenes, for a time",
    response_class=Response,
    status_code=201,
    dependencies=[Depends(may_write)],
    responses=answers(
        {201: ("Written down; it acts when the pipeline has fetched it.", ref(MaintenanceView))}, *WRITES
    ),
    openapi_extra=body({"application/json": ref(MaintenanceRequest)}),
)
async def maintain(request: Request) -> Response:
    """What fits opens no alerts from then to then, and goes on being evaluated: the ledger has it.

    What is open already stays open. At the end what still holds is raised, and the stream says what happened behind
    it.
    """
    hub = hub_of(request)
    said = await decoded(request, MaintenanceRequest)
    where = _where(said)
    made = await hub.maintain(said.by, said.reason, where, lambda now_ms: _span(said, now_ms))
    return as_json(maintenance_view(made, hub.now_ms()), 201, {"Location": f"/api/v1/maintenance/{made.id}"})


@router.get(
    "/api/v1/maintenance/{maintenance}",
    summary="One maintenance and what is, or was, behind it",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("It.", ref(MaintenanceDetail))}, 401, 404, 422, 503),
)
async def one_maintenance(request: Request, maintenance: MaintenanceId) -> Response:
    """Who, where, from when to when; what it kept back, and what was told when it ended."""
    hub = hub_of(request)
    now_ms = hub.now_ms()

    def look(store: Store) -> MaintenanceDetail | None:
        found = store.maintenance(maintenance)
        if found is None:
            return None
        wanted = WantedEntries(reason="maintenance", by=maintenance)
        behind = store.ledger(wanted, before=None, limit=_BEHIND)
        ends = store.covers(reason="maintenance", by=maintenance, before=None, limit=_BEHIND)
        return MaintenanceDetail(
            maintenance=maintenance_view(found, now_ms),
            behind=[entry_view(data) for _, data in behind],
            over=[cover_view(data) for _, data in ends],
        )

    detail = await hub.read(look)
    if detail is None:
        raise Problem(ProblemCode.NOT_FOUND, "there is no maintenance with this id")
    return as_json(detail)


@router.post(
    "/api/v1/maintenance/{maintenance}/end",
    summary="End it before its time",
    response_class=Response,
    dependencies=[Depends(may_write)],
    responses=answers({200: ("Written down; what still holds is raised then.", ref(MaintenanceView))}, *WRITES),
    openapi_extra=body({"application/json": ref(SaidWhy)}),
)
async def end_maintenance(request: Request, maintenance: MaintenanceId) -> Response:
    """The work is done: what still holds is raised as soon as the pipeline has fetched this."""
    hub = hub_of(request)
    said = await decoded(request, SaidWhy)
    ended = await hub.end_maintenance(maintenance, said.by, said.reason)
    return as_json(maintenance_view(ended, hub.now_ms()))


@router.get(
    "/api/v1/profiles",
    summary="Emergency profiles",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("By name.", ref(ProfileList))}, 401, 422, 503),
)
async def profiles(request: Request) -> Response:
    """Every profile that a scene in force has, or that is on: whether it is on, since when, who and why."""
    hub = hub_of(request)

    def look(store: Store) -> ProfileList:
        known = hub.profiles() or {}
        last = {switch.profile: switch for switch in reversed(store.switched())}
        last |= {switch.profile: switch for switch in store.profiles_on()}
        return ProfileList(
            items=[
                ProfileView(
                    profile=name,
                    on=name in last and last[name].on,
                    last=switch_view(last[name]) if name in last else None,
                    scenes=sorted(known.get(name, ())),
                )
                for name in sorted({*known, *last})
            ]
        )

    return as_json(await hub.read(look))


@router.get(
    "/api/v1/profiles/{profile}",
    summary="The log of a profile",
    response_class=Response,
    dependencies=[Depends(may_read)],
    responses=answers({200: ("Every switching, newest first.", ref(SwitchList))}, 401, 422, 503),
)
async def profile_log(request: Request, profile: Profile) -> Response:
    """Who switched it on or off, when and why; off also says what came of it."""
    found = await hub_of(request).read(lambda store: store.switched(profile))
    return as_json(SwitchList(items=[switch_view(switch) for switch in found]))


@router.post(
    "/api/v1/profiles/{profile}",
    summary="Switch a profile on or off",
    response_class=Response,
    dependencies=[Depends(may_write)],
    responses=answers(
        {200: ("Written down; it acts from the next reading of each feed on.", ref(SwitchView))}, *WRITES
    ),
    openapi_extra=body({"application/json": ref(SwitchRequest)}),
)
async def switch_profile(request: Request, profile: Profile) -> Response:
    """Switch a named set of overrides; who and why is kept. Off says how many alerts came of it and how many hold."""
    hub = hub_of(request)
    said = await decoded(request, SwitchRequest)
    return as_json(switch_view(await hub.switch_profile(profile, said.by, said.reason, on=said.on)))


def _where(said: MaintenanceRequest) -> dict[str, list[str]]:
    """What is meant, as the pipeline understands it.

    Raises:
        Problem: `invalid_parameter` if it means nothing.
    """
    if not said.where and not said.scenes:
        raise Problem(ProblemCode.INVALID_PARAMETER, "give `where` (devices, places ...), `scenes`, or both")
    try:
        if said.where:
            Where.model_validate(said.where)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Problem(
            ProblemCode.INVALID_PARAMETER, f"where.{'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error
    return {**said.where, **({"scene": said.scenes} if said.scenes else {})}


def _span(said: MaintenanceRequest, now_ms: int) -> tuple[int, int]:
    """From when to when, ms.

    Raises:
        Problem: `invalid_parameter` if a time is none, or the span is empty, over, or far too long.
    """
    since = now_ms if said.start is None else max(now_ms, _time("from", said.start))
    try:
        until = since + parse_duration(said.end)
    except ValueError:
        until = _time("to", said.end)
    if until <= since:
        raise Problem(ProblemCode.INVALID_PARAMETER, "to: it ends before it begins, or is over already")
    if until - since > LONGEST_MS:
        raise Problem(ProblemCode.INVALID_PARAMETER, "to: 92 days at most; retire a scene that is not wanted any more")
    return since, until


def _time(name: str, text: str) -> int:
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError) as error:
        cure = "write a time like 2026-11-24T10:00:00+08:00" + (", or how long, like 2h" if name == "to" else "")
        raise Problem(ProblemCode.INVALID_PARAMETER, f"{name}: {cure}") from error
