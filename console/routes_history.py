"""`/api/v1/history`: readings and roll-ups of one feed over time, with the holes of the range."""

from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from console.access import may_read
from console.history import HistoryDesk
from console.openapi import answers, ref
from console.pages import Cursor, before_of, cursor_after
from console.problems import Problem, ProblemCode
from console.replies import as_json
from console.requests import Name
from console.wire_history import GapView, HistoryItem, HistoryView
from core.clock import parse_rfc3339, rfc3339
from core.units import parse_duration
from history.query import FeedName, Gap, History, Readings, Rollup, Selection

router = APIRouter(tags=["history"], dependencies=[Depends(may_read)])
_MOST = 20_000
_RAW = "raw"


def desk_of(request: Request) -> HistoryDesk:
    """Where an application asks history."""
    desk = request.app.state.history
    if not isinstance(desk, HistoryDesk):
        raise TypeError("the application was made without a hub")
    return desk


@router.get(
    "/api/v1/history",
    summary="What one feed measured",
    response_class=Response,
    responses=answers({200: ("Readings or spans, and the holes of the range.", ref(HistoryView))}, 401, 404, 422, 503),
)
async def history(
    request: Request,
    start: Annotated[str, Query(alias="from", max_length=40, description="RFC 3339 time, inclusive.")],
    end: Annotated[str, Query(alias="to", max_length=40, description="RFC 3339 time, exclusive.")],
    feed: Annotated[Name, Query(description="`device/metric`, in place of `device` and `metric`.")] = None,
    device: Name = None,
    metric: Name = None,
    gateway: Annotated[Name, Query(description="Where the same device reported behind several.")] = None,
    step: Annotated[
        str, Query(max_length=20, description="`raw`, or the length of a span in whole minutes: `1m`, `15m`, `1h`.")
    ] = _RAW,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 5_000,
) -> Response:
    """Readings, or summaries of spans, of one feed; `gaps` says where history has nothing, which is not silence."""
    which = _feed_of(feed, device, metric)
    of = _selection(start, end, which, gateway)
    step_ms = _step_of(step)
    offset = before_of(cursor) or 0
    rows = slice(offset, offset + limit)
    view, size = await desk_of(request).ask(lambda store: _answer(store, of, which, step_ms, rows))
    more = cursor_after(rows.stop) if size > rows.stop else None
    return as_json(msgspec.structs.replace(view, next=more))


def _feed_of(feed: str | None, device: str | None, metric: str | None) -> tuple[str, str]:
    if feed is not None and device is None and metric is None:
        device, slash, metric = feed.partition("/")
        if slash and device and metric:
            return device, metric
    elif feed is None and device is not None and metric is not None:
        return device, metric
    raise Problem(ProblemCode.INVALID_PARAMETER, "name one feed: feed=device/metric, or device= and metric=")


def _selection(start: str, end: str, which: tuple[str, str], gateway: str | None) -> Selection:
    try:
        range_ms = parse_rfc3339(start), parse_rfc3339(end)
    except (ValueError, OverflowError) as error:
        raise Problem(
            ProblemCode.INVALID_PARAMETER, "from, to: write times like 2026-11-24T10:00:00Z (a + as %2B)"
        ) from error
    try:
        behind = None if gateway is None else [gateway]
        return Selection.of(*range_ms, devices=[which[0]], metrics=[which[1]], gateways=behind)
    except ValueError as error:
        raise Problem(ProblemCode.INVALID_PARAMETER, f"from, to: {error}") from error


def _step_of(step: str) -> int | None:
    if step == _RAW:
        return None
    try:
        step_ms = parse_duration(step)
    except ValueError as error:
        raise Problem(ProblemCode.INVALID_PARAMETER, f"step: {error}, or raw") from error
    if step_ms <= 0 or step_ms % 60_000:
        raise Problem(ProblemCode.INVALID_PARAMETER, "step: whole minutes, like 1m, 15m or 1h, or raw")
    return step_ms


def _answer(
    store: History, of: Selection, which: tuple[str, str], step_ms: int | None, rows: slice
) -> tuple[HistoryView, int]:
    """A page, and how many items there are in all."""
    if not store.feeds(of):
        raise Problem(ProblemCode.NOT_FOUND, f"history knows no feed {'/'.join(which)}; it keeps names for ever")
    found = store.readings(of) if step_ms is None else store.rollup(of, step_ms)
    gateways = {name.gateway for name in found.feeds}
    if len(gateways) > 1:
        words = ", ".join(sorted(gateways))
        raise Problem(
            ProblemCode.INVALID_PARAMETER, f"gateway: the device reported behind several; name one of {words}"
        )
    items = _readings(found, rows) if isinstance(found, Readings) else _spans(found, rows)
    name: FeedName = found.feeds[-1]
    view = HistoryView(
        gateway=name.gateway, device=name.device, metric=name.metric, device_type=name.type,
        start=rfc3339(of.start_ms), end=rfc3339(of.end_ms), step=_RAW if step_ms is None else f"{step_ms // 60_000}m",
        items=items, gaps=[_gap(gap) for gap in found.gaps], problems=list(found.problems), next=None,
    )  # fmt: skip
    return view, len(found)


def _readings(found: Readings, rows: slice) -> list[HistoryItem]:
    part = found.batch[rows]
    columns = (part.event_time, part.value, part.quality, part.arrival // 1_000_000)
    return [
        HistoryItem(t=rfc3339(time), value=value, quality=quality, arrived=rfc3339(arrived))
        for time, value, quality, arrived in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _spans(found: Rollup, rows: slice) -> list[HistoryItem]:
    # Several feeds of one name differ in their device type, which changed: one after the other in time.
    order = np.argsort(found.start, kind="stable")[rows]
    columns = (found.start, found.count, found.least, found.most, found.mean, found.last)
    return [
        HistoryItem(t=rfc3339(start), count=count, min=least, max=most, mean=mean, last=last)
        for start, count, least, most, mean, last in zip(*(column[order].tolist() for column in columns), strict=True)
    ]


def _gap(gap: Gap) -> GapView:
    return GapView(start=rfc3339(gap.start_ms), end=rfc3339(gap.end_ms), reason=str(gap.reason), detail=gap.detail)
