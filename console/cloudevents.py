"""CloudEvents over HTTP, read: structured, batched and binary mode, without a web framework.

References: CloudEvents 1.0.2, HTTP protocol binding (verified: yes, spec text).
"""

from collections.abc import Mapping
from email.message import Message
from urllib.parse import unquote

import msgspec

from alerts.event import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    AlertData,
    AlertEvent,
    CoverData,
    EventType,
    KeptData,
    LedgerEvent,
    LedgerType,
)
from console.problems import Problem, ProblemCode
from dispatch.intake import Refusal, Refused

MAX_BATCH = 1_000
"""So many events are taken in one transaction at most."""
_BINARY_TYPE = "application/json"
_PREFIX = "ce-"
_LEDGER = frozenset(kind.value for kind in LedgerType)
_TYPES = frozenset(kind.value for kind in EventType) | _LEDGER
_ECHO = 200

_event = msgspec.json.Decoder(AlertEvent)
_data = msgspec.json.Decoder(AlertData)
_ledger_event = msgspec.json.Decoder(LedgerEvent)
_ledger_data: msgspec.json.Decoder[KeptData | CoverData] = msgspec.json.Decoder(KeptData | CoverData)
_batch = msgspec.json.Decoder(list[msgspec.Raw])


Taken = AlertEvent | LedgerEvent | Refused
"""What stands for one event of a request."""


class _Envelope(msgspec.Struct):
    """As much of an event as is needed to answer to one that cannot be read."""

    id: str = ""
    type: str = ""


_envelope = msgspec.json.Decoder(_Envelope)


def is_batch(content_type: str) -> bool:
    """Whether a request of this content type carries a list of events."""
    return _media_type(content_type) == BATCH_CONTENT_TYPE


def read(headers: Mapping[str, str], body: bytes) -> list[Taken]:
    """The events of a request, in order.

    An event of an unknown type, or of a batch and unreadable, stands in its place as `Refused`.

    Args:
        headers: The request's headers by lower-case name.
        body: The whole body.

    Raises:
        Problem: If the request as a whole cannot be read (media type, JSON, size of the batch), or the only
            event of a request is none.
    """
    media_type = _media_type(headers.get("content-type", ""))
    if media_type == CONTENT_TYPE:
        return [_structured(body)]
    if media_type == BATCH_CONTENT_TYPE:
        return _batched(body)
    if media_type == _BINARY_TYPE and "ce-specversion" in headers:
        return [_binary(headers, body)]
    raise Problem(
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        f"send {CONTENT_TYPE}, {BATCH_CONTENT_TYPE}, or {_BINARY_TYPE} with ce- headers, in UTF-8",
    )


def _media_type(content_type: str) -> str | None:
    """The media type without its parameters; None if it says another charset than UTF-8."""
    if ";" not in content_type:
        return content_type.strip().lower()
    message = Message()
    message["content-type"] = content_type
    charset = message.get_content_charset("utf-8")
    return message.get_content_type() if charset in {"utf-8", "utf8", "us-ascii"} else None


def _structured(body: bytes) -> Taken:
    try:
        return _event.decode(body)
    except msgspec.ValidationError as error:
        refused = _other(body, str(error))
        if isinstance(refused, LedgerEvent):
            return refused
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    if refused.reason is not Refusal.UNKNOWN_TYPE:
        raise Problem(ProblemCode.INVALID_EVENT, refused.detail)
    return refused


def _batched(body: bytes) -> list[Taken]:
    try:
        parts = _batch.decode(body)
    except msgspec.ValidationError as error:
        raise Problem(ProblemCode.INVALID_EVENT, f"a batch is a JSON list of events: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    if len(parts) > MAX_BATCH:
        raise Problem(ProblemCode.TOO_LARGE, f"a batch holds at most {MAX_BATCH} events, this one {len(parts)}")
    return [_part(part) for part in parts]


def _part(part: msgspec.Raw) -> Taken:
    try:
        return _event.decode(part)
    except msgspec.ValidationError as error:
        return _other(part, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _refused(part, str(error))


def _other(body: bytes | msgspec.Raw, detail: str) -> LedgerEvent | Refused:
    """What is no event about an alert: one of the ledger, or none."""
    refused = _refused(body, detail)
    try:
        if _envelope.decode(body).type not in _LEDGER:
            return refused
        return _ledger_event.decode(body)
    except msgspec.ValidationError as error:
        return _refused(body, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return refused


def _binary(headers: Mapping[str, str], body: bytes) -> Taken:
    attributes = {
        name.removeprefix(_PREFIX): unquote(value) for name, value in headers.items() if name.startswith(_PREFIX)
    }
    if attributes.get("type", "") not in _TYPES and "id" in attributes and "type" in attributes:
        return _unknown_type(attributes["id"], attributes["type"])
    try:
        if attributes.get("type", "") in _LEDGER:
            told = {**attributes, "datacontenttype": _BINARY_TYPE, "data": _ledger_data.decode(body)}
            return msgspec.convert(told, LedgerEvent)
        fields = {**attributes, "datacontenttype": _BINARY_TYPE, "data": _data.decode(body)}
        return msgspec.convert(fields, AlertEvent)
    except msgspec.ValidationError as error:
        raise Problem(ProblemCode.INVALID_EVENT, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error


def _refused(body: bytes | msgspec.Raw, detail: str) -> Refused:
    try:
        envelope = _envelope.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        envelope = _Envelope()
    if envelope.type and envelope.type not in _TYPES:
        return _unknown_type(envelope.id, envelope.type)
    return Refused(envelope.id[:_ECHO], Refusal.MALFORMED, detail)


def _unknown_type(event: str, kind: str) -> Refused:
    return Refused(event[:_ECHO], Refusal.UNKNOWN_TYPE, f"this hub does not know events of type {kind[:_ECHO]!r}")


def _no_json(error: Exception) -> Problem:
    return Problem(ProblemCode.INVALID_JSON, f"the body is not JSON in UTF-8: {error}")
