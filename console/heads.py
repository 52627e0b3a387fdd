"""HEAD: what GET would answer, without the body.

References: RFC 9110, 9.3.2 (verified: no, from memory).
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """ASGI middleware that asks the routes as GET does and keeps the body back; a stream ends with its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def once() -> Message:
            return next(requests, {"type": "http.disconnect"})

        async def bare(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, once, bare)
