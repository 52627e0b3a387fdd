"""`/api/v1/alerts/{alert}/evidence`: what was kept of an alert, through the hub and its tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from alerts.evidence import EvidenceStore, Manifest
from console.access import hub_of, may_read
from console.openapi import answers, ref
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import Id

router = APIRouter(tags=["evidence"], dependencies=[Depends(may_read)])

Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


@router.get(
    "/api/v1/alerts/{alert}/evidence",
    summary="What was kept of an alert",
    response_class=Response,
    responses=answers({200: ("What there is, or an empty list.", ref(Manifest))}, 401, 404, 422, 503),
)
async def listed(request: Request, alert: Id) -> Response:
    """A list of objects; it is empty until so long after the alert as `evidence.after` says."""
    hub = hub_of(request)
    if await hub.read(lambda store: store.alert(alert)) is None:
        raise Problem(ProblemCode.NOT_FOUND, "there is no alert with this id")
    found = await hub.evidence(lambda store: store.of(alert))
    return as_json(found or Manifest(alert=alert, items=[]))


@router.get(
    "/api/v1/alerts/{alert}/evidence/{sha256}",
    summary="One object of it",
    response_class=Response,
    responses=answers({200: ("Its content, compared with its name.", None)}, 401, 404, 422, 503),
)
async def content(request: Request, alert: Id, sha256: Sha256) -> Response:
    """The object itself: the same for ever, as its name says what is in it."""

    def find(store: EvidenceStore) -> tuple[str, bytes] | None:
        manifest = store.of(alert)
        item = next((one for one in manifest.items if one.sha256 == sha256), None) if manifest is not None else None
        found = store.get(sha256) if item is not None else None
        return (item.media_type, found) if item is not None and found is not None else None

    answer = await hub_of(request).evidence(find)
    if answer is None:
        raise Problem(ProblemCode.NOT_FOUND, "there is no such evidence of this alert; it may have been dropped by age")
    headers = {
        "ETag": f'"{sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f'attachment; filename="{sha256[:16]}.json"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(answer[1], media_type=answer[0], headers=headers)
