"""Who may: a bearer token for every write, and for reads where one is set."""

import hmac
import ipaddress

from fastapi import Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from typing_extensions import override

from console.hub import Hub
from console.problems import Problem, ProblemCode
from core.errors import ConfigError


def hub_of(request: Request) -> Hub:
    """The hub that an application serves."""
    hub = request.app.state.hub
    if not isinstance(hub, Hub):
        raise TypeError("the application was made without a hub")
    return hub


class _Bearer(HTTPBearer):
    """A security scheme that checks by itself: one dependency a request, where each one costs an event time."""

    def __init__(self) -> None:
        super().__init__(
            scheme_name="HTTPBearer", auto_error=False, description="The token of the hub's configuration."
        )


class _MayWrite(_Bearer):
    """Lets a request pass that carries the token.

    Raises:
        Problem: `unauthorized`.
    """

    @override
    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        _require(await super().__call__(request), hub_of(request).settings.token)


class _MayRead(_Bearer):
    """Lets a request pass that carries a token, or any if no token for reading is set.

    Raises:
        Problem: `unauthorized`.
    """

    @override
    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        settings = hub_of(request).settings
        if settings.read_token is not None:
            _require(await super().__call__(request), settings.read_token, settings.token)


may_write = _MayWrite()
may_read = _MayRead()


def _require(credentials: HTTPAuthorizationCredentials | None, *tokens: str) -> None:
    given = b"" if credentials is None else credentials.credentials.encode()
    if not any([hmac.compare_digest(given, token.encode()) for token in tokens]):  # noqa: C419 - no early end
        raise Problem(ProblemCode.UNAUTHORIZED, "send the hub's token as: Authorization: Bearer TOKEN")


def check_access(host: str, token: str, read_token: str | None) -> None:
    """Refuse to be open to others.

    Raises:
        ConfigError: If there is no token for writes, or none for reads on an address that others can reach.
    """
    if not token:
        raise ConfigError("dispatch.token: the hub needs a token for writes; set it to a long random word")
    if read_token is None and not _is_loopback(host):
        raise ConfigError(
            f"on {host} the hub would let everybody read its cases; set hub.read_token, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
