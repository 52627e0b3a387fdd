"""Reading what a request brings: its body within bounds, cursors, times."""

import base64
import binascii
import difflib
from typing import TypeVar

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from console.problems import Problem, ProblemCode
from core.clock import parse_rfc3339

Body = TypeVar("Body", bound=msgspec.Struct)
_CURSOR = b"before:"
_BEHIND = b"behind:"
_LARGEST = 2**63 - 1
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


async def body_of(request: Request, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        Problem: `too_large`, or `connection_lost` if the sender went away.
    """
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


async def decoded(request: Request, kind: type[Body], most_bytes: int) -> Body:
    """The body as a value of `kind`.

    Raises:
        Problem: `invalid_json` or `invalid_parameter`, and those of `body_of`.
    """
    payload = await body_of(request, most_bytes)
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.ValidationError as error:
        raise Problem(ProblemCode.INVALID_PARAMETER, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(ProblemCode.INVALID_JSON, f"the body is not JSON in UTF-8: {error}") from error


def cursor_after(last: int) -> str:
    """The opaque cursor of the page that begins below `last`."""
    return base64.urlsafe_b64encode(_CURSOR + str(last).encode()).decode().rstrip("=")


def before_of(cursor: str | None) -> int | None:
    """What `cursor_after` put in.

    Raises:
        Problem: `invalid_parameter` if the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        before = int(text.removeprefix(_CURSOR))
    except (ValueError, binascii.Error) as error:
        raise Problem(ProblemCode.INVALID_PARAMETER, "cursor: take it from `next` of the page before") from error
    if not text.startswith(_CURSOR) or not 0 <= before <= _LARGEST:
        raise Problem(ProblemCode.INVALID_PARAMETER, "cursor: take it from `next` of the page before")
    return before


def cursor_behind(name: str) -> str:
    """The opaque cursor of the page that begins behind `name`."""
    return base64.urlsafe_b64encode(_BEHIND + name.encode()).decode().rstrip("=")


def name_of(cursor: str | None) -> str | None:
    """What `cursor_behind` put in.

    Raises:
        Problem: `invalid_parameter` if the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name = text.removeprefix(_BEHIND).decode()
    except (ValueError, binascii.Error) as error:
        raise Problem(ProblemCode.INVALID_PARAMETER, "cursor: take it from `next` of the page before") from error
    if not text.startswith(_BEHIND):
        raise Problem(ProblemCode.INVALID_PARAMETER, "cursor: take it from `next` of the page before")
    return name


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
