"""Answers in JSON."""

from collections.abc import Mapping

import msgspec
from fastapi.responses import Response

JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def as_json(answer: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of our own types, or a list of them."""
    return Response(_encode(answer), status_code=status, media_type=JSON, headers=headers)
