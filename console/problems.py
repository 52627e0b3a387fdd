"""What can go wrong with a request, said in one form: RFC 9457 problem details with a code for programs.

References: RFC 9457, section 3 (verified: no, from memory).
"""

import enum
from collections.abc import Iterable, Iterator
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from core.errors import UnavailableError

CONTENT_TYPE = "application/problem+json"


class ProblemCode(enum.StrEnum):
    """The `code` of a problem: stable, for programs."""

    INVALID_JSON = "invalid_json"
    """400: the body is not JSON (NaN and Infinity are not), or not UTF-8, or nested too deeply."""
    CONNECTION_LOST = "connection_lost"
    """400: the sender went away before its body was complete."""
    UNAUTHORIZED = "unauthorized"
    """401: no bearer token, or not the right one."""
    NOT_FOUND = "not_found"
    """404: there is no such address, case, alert, device, place or scene."""
    METHOD_NOT_ALLOWED = "method_not_allowed"
    """405: the address is right, the method is not."""
    NOT_ACTIVE = "not_active"
    """409: the alert is cleared or acknowledged; there is nothing to acknowledge."""
    SCENE_CONFLICT = "scene_conflict"
    """409: a second person has to agree, or somebody else decided first; `detail` says which."""
    TOO_LARGE = "too_large"
    """413: the body has more bytes, or the batch more events, than the hub takes at once."""
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    """415: the body is no CloudEvent in a form that the hub reads."""
    INVALID_EVENT = "invalid_event"
    """422: it is JSON, but no event that could ever be taken; `detail` names the field."""
    INVALID_PARAMETER = "invalid_parameter"
    """422: a query parameter, header or request body has a wrong value; `detail` names it."""
    SCENE_REFUSED = "scene_refused"
    """422: the scene has mistakes, or lacks what its stage needs; `detail` has them, a line each."""
    INTERNAL = "internal"
    """500: a fault of the hub; its log has the details."""
    BUSY = "busy"
    """503: too much is waiting for the database; try again."""
    UNAVAILABLE = "unavailable"
    """503: the database or the device list cannot be read, or the hub is stopping; try again."""


_STATUS = {
    ProblemCode.INVALID_JSON: 400,
    ProblemCode.CONNECTION_LOST: 400,
    ProblemCode.UNAUTHORIZED: 401,
    ProblemCode.NOT_FOUND: 404,
    ProblemCode.METHOD_NOT_ALLOWED: 405,
    ProblemCode.NOT_ACTIVE: 409,
    ProblemCode.SCENE_CONFLICT: 409,
    ProblemCode.TOO_LARGE: 413,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ProblemCode.INVALID_EVENT: 422,
    ProblemCode.INVALID_PARAMETER: 422,
    ProblemCode.SCENE_REFUSED: 422,
    ProblemCode.INTERNAL: 500,
    ProblemCode.BUSY: 503,
    ProblemCode.UNAVAILABLE: 503,
}
_HEADERS = {
    ProblemCode.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    ProblemCode.BUSY: {"Retry-After": "1"},
    ProblemCode.UNAVAILABLE: {"Retry-After": "1"},
}


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is an error."""

    type: str
    title: str
    status: int
    code: ProblemCode
    detail: str


class Problem(Exception):  # noqa: N818 - it is the word of RFC 9457
    """Ends a request with a problem; `detail` is a plain line for a person."""

    def __init__(self, code: ProblemCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return _STATUS[self.code]

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """The answer to the request."""
        body = ProblemDetails(
            type=f"urn:scenewatch:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            code=self.code,
            detail=self.detail,
        )
        return Response(
            msgspec.json.encode(body),
            status_code=self.status,
            media_type=CONTENT_TYPE,
            headers={**_HEADERS.get(self.code, {}), **(headers or {})},
        )


def install(app: FastAPI) -> None:
    """Make `app` answer every error, its framework's included, as problem details."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


async def _problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return error.response()


async def _unavailable(_request: Request, error: Exception) -> Response:
    return Problem(ProblemCode.UNAVAILABLE, str(error)).response()


async def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return Problem(ProblemCode.INVALID_PARAMETER, f"{name}: {first['msg']}").response()


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == _STATUS[ProblemCode.METHOD_NOT_ALLOWED]:
        methods = _methods(request)
        detail = f"{request.method} is not for this address; {' and '.join(methods)} may be"
        return Problem(ProblemCode.METHOD_NOT_ALLOWED, detail).response({"Allow": ", ".join(methods)})
    return Problem(ProblemCode.NOT_FOUND, "there is nothing at this address").response()


def _methods(request: Request) -> list[str]:
    """What may be asked at an address; each of its methods has a route of its own, and the framework names one."""
    found: set[str] = set()
    for route in _single(request.app.router.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def _single(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Routes one by one; newer versions of the framework keep those of an included router together."""
    for route in routes:
        router = getattr(route, "original_router", None)
        yield from (route,) if router is None else _single(router.routes)


async def _internal(_request: Request, _error: Exception) -> Response:
    return Problem(ProblemCode.INTERNAL, "the hub has a fault; its log says which").response()
