"""Reading what a request brings: its body within bounds, names, times."""

import difflib
from typing import Annotated, TypeVar

import msgspec
from fastapi import Path, Query, Request
from starlette.requests import ClientDisconnect

from console.access import hub_of
from console.problems import Problem, ProblemCode
from core.clock import parse_rfc3339

Body = TypeVar("Body", bound=msgspec.Struct)
ONE_NAME = r"^[^\x00-\x1f\x7f]+$"
"""What a name may be: anything without control characters."""
Name = Annotated[str | None, Query(max_length=200, pattern=ONE_NAME)]
Id = Annotated[str, Path(max_length=200, pattern=ONE_NAME)]
_SHOWN = 40


async def only_known(request: Request) -> None:
    """Let a request pass whose query has only what its address knows: a filter that is mistyped would filter nothing.

    Raises:
        Problem: `invalid_parameter` that says what was probably meant.
    """
    if not request.url.path.startswith("/api/"):
        return  # who asks for figures or for its health may say more than we know
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there may be {', '.join(known) or 'none'} here"
            raise Problem(ProblemCode.INVALID_PARAMETER, f"query.{name[:_SHOWN]}: there is no such parameter ({hint})")


async def body_of(request: Request) -> bytes:
    """The whole body.

    Raises:
        Problem: `too_large` if it is over the hub's `max_body_bytes`, or `connection_lost` if the sender went away.
    """
    most_bytes = hub_of(request).settings.max_body_bytes
    if int(request.headers.get("content-length", "0")) > most_bytes:
        raise _too_large(most_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most_bytes:
                raise _too_large(most_bytes)
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise Problem(ProblemCode.CONNECTION_LOST, "the connection was lost within the body") from error
    return b"".join(chunks)


async def decoded(request: Request, kind: type[Body]) -> Body:
    """The body as a value of `kind`.

    Raises:
        Problem: `invalid_json` or `invalid_parameter`, and those of `body_of`.
    """
    payload = await body_of(request)
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.ValidationError as error:
        raise Problem(ProblemCode.INVALID_PARAMETER, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(ProblemCode.INVALID_JSON, f"the body is not JSON in UTF-8: {error}") from error


def since_of(text: str | None) -> int | None:
    """A time of a query, in ms since the epoch.

    Raises:
        Problem: `invalid_parameter` if it is no RFC 3339 time.
    """
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise Problem(
            ProblemCode.INVALID_PARAMETER, "since: write a time like 2026-11-24T10:00:00Z (a + as %2B)"
        ) from error


def _too_large(most_bytes: int) -> Problem:
    return Problem(ProblemCode.TOO_LARGE, f"a body has at most {most_bytes} bytes")
