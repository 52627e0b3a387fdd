"""The console's page: three files, read once, served as they are."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def _file(name: str, media_type: str) -> _File:
    content = (files("console") / "web" / name).read_bytes()
    return _File(content, media_type, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')


def router() -> APIRouter:
    """Routes for the page and what it loads; they hold no data, so they need no token."""
    pages = APIRouter(include_in_schema=False)
    for path, name, media_type in (
        ("/", "index.html", "text/html"),
        ("/web/console.js", "console.js", "text/javascript"),
        ("/web/words.js", "words.js", "text/javascript"),
        ("/web/console.css", "console.css", "text/css"),
    ):
        pages.add_api_route(path, _serve(_file(name, media_type)), methods=["GET"], response_class=Response)
    return pages


def _serve(file: _File) -> Callable[[Request], Awaitable[Response]]:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _POLICY,
        "ETag": file.etag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)

    return serve
